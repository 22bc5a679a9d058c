/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Maps of ids: text, arithmetic, allocation, shifted trees, idmapped mounts. */
#include "support.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "util/copy.h"
#include "util/idmap.h"

static const struct idmap_host host = { 100000, 10000001, 100000, 10000001 };

static struct idmap *allocate(gboolean isolated, const char *raw, const struct idmap_taken *taken,
			      gsize n, gint64 *base, GError **error)
{
	struct idmap_request request = {
		.isolated = isolated, .base = -1, .raw = raw, .taken = taken, .n_taken = n
	};

	return idmap_allocate(&host, &request, base, error);
}

START_TEST(text_and_back)
{
	const char *text = "[{\"Isuid\":true,\"Isgid\":false,\"Hostid\":100000,\"Nsid\":0,"
			   "\"Maprange\":65536},{\"Isuid\":false,\"Isgid\":true,\"Hostid\":100000,"
			   "\"Nsid\":0,\"Maprange\":65536}]";
	g_autoptr(idmap_t) map = idmap_parse(text, NULL);
	g_autofree char *again = idmap_print(map), *none = idmap_print(NULL);
	g_autoptr(idmap_t) empty = idmap_parse("", NULL), list = idmap_parse("[]", NULL);

	ck_assert_str_eq(again, text);
	ck_assert_str_eq(none, "[]");
	ck_assert_uint_eq(empty->count, 0);
	ck_assert(idmap_equal(list, NULL));
	ck_assert(!idmap_equal(map, NULL));
}
END_TEST

static const char *const bad[] = {
	"{",
	"{}",
	"7",
	"[7]",
	"[{}]",
	"[{\"Isuid\":true,\"Hostid\":-1,\"Nsid\":0,\"Maprange\":1}]",
	"[{\"Isuid\":true,\"Hostid\":0,\"Nsid\":0,\"Maprange\":0}]",
	"[{\"Isuid\":true,\"Hostid\":0,\"Nsid\":0,\"Maprange\":9223372036854775807}]",
	"[{\"Isuid\":true,\"Hostid\":4294967295,\"Nsid\":0,\"Maprange\":2}]",
};

START_TEST(bad_text)
{
	GError *error = NULL;

	ck_assert_ptr_null(idmap_parse(bad[_i], &error));
	ck_assert_ptr_nonnull(error);
	g_error_free(error);
}
END_TEST

START_TEST(shared)
{
	gint64 base = -1;
	g_autoptr(idmap_t) map = allocate(FALSE, NULL, NULL, 0, &base, NULL);

	ck_assert_int_eq(base, 0);
	ck_assert_int_eq(idmap_uid_to_host(map, 0), 100000);
	ck_assert_int_eq(idmap_gid_to_host(map, 10000000), 10100000);
	ck_assert_int_eq(idmap_uid_to_host(map, 10000001), -1);
	ck_assert_int_eq(idmap_gid_to_ns(map, 100005), 5);
	ck_assert_int_eq(idmap_uid_to_ns(map, 5), -1);
}
END_TEST

START_TEST(isolated_first_fit)
{
	struct idmap_taken taken[] = { { 296608, 65536 }, { 165536, 65536 } };
	gint64 base;
	g_autoptr(idmap_t) map = allocate(TRUE, NULL, taken, 2, &base, NULL);

	ck_assert_int_eq(base, 231072); /* the hole between the two */
	ck_assert_int_eq(idmap_uid_to_host(map, 65535), 231072 + 65535);
	ck_assert_int_eq(idmap_uid_to_host(map, 65536), -1);
}
END_TEST

START_TEST(isolated_none_left)
{
	struct idmap_taken taken[] = { { 165536, 10000001 } };
	GError *error = NULL;
	gint64 base;

	ck_assert_ptr_null(allocate(TRUE, NULL, taken, 1, &base, &error));
	ck_assert_str_eq(error->message, "Not enough uid/gid available for the container");
	g_error_free(error);
}
END_TEST

START_TEST(raw_cuts_out)
{
	gint64 base;
	g_autoptr(idmap_t)
		map = allocate(FALSE, "both 1000 1000\ngid 50-60 500-510\n", NULL, 0, &base, NULL);

	ck_assert_int_eq(idmap_uid_to_host(map, 999), 100999);
	ck_assert_int_eq(idmap_uid_to_host(map, 1000), 1000);
	ck_assert_int_eq(idmap_uid_to_host(map, 1001), 101001);
	ck_assert_int_eq(idmap_gid_to_host(map, 505), 55);
	ck_assert_int_eq(idmap_uid_to_host(map, 505), 100505);
	ck_assert_int_eq(idmap_gid_to_ns(map, 100505), -1);
}
END_TEST

static const char *const bad_raw[] = {
	"both 1",    "all 1 1",	 "both 1-2 1",	  "both a 1",
	"uid 5-1 1", "uid -1 1", "both 100005 5", "both 1 4294967296"
};

START_TEST(raw_refused)
{
	GError *error = NULL;
	gint64 base;

	ck_assert_ptr_null(allocate(FALSE, bad_raw[_i], NULL, 0, &base, &error));
	ck_assert_ptr_nonnull(error);
	g_error_free(error);
}
END_TEST

static const struct {
	const char *uids, *gids;
	gint64 base, range;
} files[] = {
	{ "user:1:70000\nroot:5:10\nroot:200000:65536\n", "root:200000:65536\n", 200000, 65536 },
	{ "user:1:70000\n", "root:200000:65536\n", 0, 0 },
	{ NULL, NULL, 1000000, 1000000000 },
};

START_TEST(host_ranges)
{
	g_autofree char *root = g_dir_make_tmp("idmap-XXXXXX", NULL);
	g_autofree char *etc = g_build_filename(root, "etc", NULL);
	g_autofree char *uids = g_build_filename(etc, "subuid", NULL);
	g_autofree char *gids = g_build_filename(etc, "subgid", NULL);
	struct idmap_host got;

	ck_assert_int_eq(mkdir(etc, 0755), 0);
	if (files[_i].uids) {
		ck_assert(g_file_set_contents(uids, files[_i].uids, -1, NULL));
		ck_assert(g_file_set_contents(gids, files[_i].gids, -1, NULL));
	}
	idmap_host_read(root, &got);
	ck_assert_int_eq(got.uid, files[_i].base);
	ck_assert_int_eq(got.uid_range, files[_i].range);
	ck_assert(copy_delete(root, NULL, NULL));
}
END_TEST

/* --- trees ----------------------------------------------------------------------------- */

static const unsigned char acl[] = { 2,	  0,   0,   0,	 1,   0,   6,  0,   255, 255, 255,
				     255, 2,   0,   4,	 0,   210, 4,  0,   0,	 4,   0,
				     4,	  0,   255, 255, 255, 255, 16, 0,   4,	 0,   255,
				     255, 255, 255, 32,	 0,   0,   0,  255, 255, 255, 255 };
static const unsigned char caps[] = { 1, 0, 0, 2, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 };

static void make_tree(const char *dir)
{
	ck_assert_int_eq(chdir(dir), 0);
	ck_assert(g_file_set_contents("suid", "x", 1, NULL));
	ck_assert_int_eq(chown("suid", 7, 8), 0);
	ck_assert_int_eq(chmod("suid", 06755), 0);
	ck_assert_int_eq(setxattr("suid", "security.capability", caps, sizeof(caps), 0), 0);
	ck_assert_int_eq(link("suid", "again"), 0);
	ck_assert_int_eq(symlink("/etc/passwd", "passwd"), 0);
	ck_assert_int_eq(mkdir("d", 01777), 0);
	ck_assert_int_eq(setxattr("d", "system.posix_acl_default", acl, sizeof(acl), 0), 0);
	ck_assert_int_eq(setxattr("d", "system.posix_acl_access", acl, sizeof(acl), 0), 0);
}

static guint32 acl_id(const char *name)
{
	unsigned char value[64];

	ck_assert_int_eq(getxattr("d", name, value, sizeof(value)), sizeof(acl));
	return value[16] | value[17] << 8 | value[18] << 16 | (guint32)value[19] << 24;
}

static void assert_owner(const char *name, uid_t uid, gid_t gid, mode_t mode)
{
	struct stat st;

	ck_assert_int_eq(lstat(name, &st), 0);
	ck_assert_uint_eq(st.st_uid, uid);
	ck_assert_uint_eq(st.st_gid, gid);
	ck_assert_uint_eq(st.st_mode & 07777, mode);
}

static void assert_tree(guint base, ssize_t caps_size)
{
	unsigned char value[64];

	assert_owner("suid", base + 7, base + 8, 06755);
	assert_owner("again", base + 7, base + 8, 06755);
	assert_owner("passwd", base, base, 0777);
	ck_assert_uint_eq(acl_id("system.posix_acl_default"), base + 1234);
	ck_assert_uint_eq(acl_id("system.posix_acl_access"), base + 1234);
	ck_assert_int_eq(getxattr("suid", "security.capability", value, sizeof(value)), caps_size);
	if (caps_size == 24)
		ck_assert_uint_eq(value[20] | value[21] << 8 | value[22] << 16, base);
}

START_TEST(shifted_and_back)
{
	g_autofree char *dir = g_dir_make_tmp("idmap-XXXXXX", NULL);
	GError *error = NULL;
	gint64 base;
	g_autoptr(idmap_t) map = allocate(FALSE, NULL, NULL, 0, &base, NULL);
	struct idmap_taken none = { 0, 0 };
	g_autoptr(idmap_t) other = allocate(TRUE, NULL, &none, 0, &base, NULL);

	make_tree(dir);
	ck_assert_msg(idmap_shift(dir, NULL, map, NULL, &error), "%s", error ? error->message : "");
	assert_tree(100000, 24);
	ck_assert(idmap_shift(dir, map, other, NULL, &error));
	assert_tree(165536, 24);
	ck_assert(idmap_shift(dir, other, NULL, NULL, &error));
	assert_tree(0, 20);
	assert_owner("/etc/passwd", 0, 0, 0644);
	ck_assert_int_eq(chdir("/"), 0);
	ck_assert(copy_delete(dir, NULL, NULL));
}
END_TEST

START_TEST(namespace_has_the_map)
{
	gint64 base;
	g_autoptr(idmap_t) map = allocate(FALSE, "both 1000 1000", NULL, 0, &base, NULL);
	GError *error = NULL;
	int fd = idmap_userns(map, &error);

	ck_assert_msg(fd >= 0, "%s", error ? error->message : "");
	close(fd);
}
END_TEST

START_TEST(mounts_probed)
{
	g_autofree char *fs = g_dir_make_tmp("idmap-XXXXXX", NULL);

	/* ext4 and btrfs can since 5.12 and 5.15; procfs cannot on any kernel. */
	ck_assert(idmap_mount_possible(fs));
	ck_assert(!idmap_mount_possible("/proc"));
	ck_assert(!idmap_mount_possible("/nowhere"));
	rmdir(fs);
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_test(tests, text_and_back);
	tcase_add_loop_test(tests, bad_text, 0, G_N_ELEMENTS(bad));
	tcase_add_test(tests, shared);
	tcase_add_test(tests, isolated_first_fit);
	tcase_add_test(tests, isolated_none_left);
	tcase_add_test(tests, raw_cuts_out);
	tcase_add_loop_test(tests, raw_refused, 0, G_N_ELEMENTS(bad_raw));
	tcase_add_loop_test(tests, host_ranges, 0, G_N_ELEMENTS(files));
	tcase_add_test(tests, shifted_and_back);
	tcase_add_test(tests, namespace_has_the_map);
	tcase_add_test(tests, mounts_probed);
}

int main(void)
{
	return test_run("idmap", fill);
}
