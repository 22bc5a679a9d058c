/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Archives: what is packed comes back as it was, and what is hostile stays in its directory. */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "support.h"
#include "util/archive.h"
#include "util/copy.h"
#include "util/error.h"
#include "util/run.h"

/* A directory with "in" and "out" in it, and a file for the archive. */
static char *base;
static int in_dir = -1, out_dir = -1, file = -1;

static void setup(void)
{
	base = g_dir_make_tmp("archive-XXXXXX", NULL);
	int dir = open(base, O_RDONLY | O_DIRECTORY);

	mkdirat(dir, "in", 0755);
	mkdirat(dir, "out", 0755);
	in_dir = openat(dir, "in", O_RDONLY | O_DIRECTORY);
	out_dir = openat(dir, "out", O_RDONLY | O_DIRECTORY);
	file = openat(dir, "archive", O_RDWR | O_CREAT, 0600);
	close(dir);
	ck_assert_int_ge(file, 0);
}

static void teardown(void)
{
	close(in_dir);
	close(out_dir);
	close(file);
	ck_assert(copy_delete(base, NULL, NULL));
	g_free(base);
}

#define ASSERT_OK(call)                                                       \
	do {                                                                  \
		g_autoptr(GError) bad_ = NULL;                                \
		GError **error = &bad_;                                       \
		gboolean ok_ = (call);                                        \
		ck_assert_msg(ok_, #call ": %s", bad_ ? bad_->message : "-"); \
	} while (0)

#define ASSERT_FAILS(call, words)                               \
	do {                                                    \
		g_autoptr(GError) bad_ = NULL;                  \
		GError **error = &bad_;                         \
		gboolean ok_ = (call);                          \
		if (ok_ || !bad_)                               \
			ck_abort_msg("%s", #call " went well"); \
		if (!strstr(bad_->message, words))              \
			ck_abort_msg("%s", bad_->message);      \
	} while (0)

static void make_file(int dir, const char *name, const char *text, mode_t mode)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	fchmod(fd, mode);
	close(fd);
}

static char *read_file(int dir, const char *name)
{
	char text[4096];
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW);
	ssize_t len = read(fd, text, sizeof text);

	ck_assert_msg(len >= 0, "%s: %s", name, g_strerror(errno));
	close(fd);
	return g_strndup(text, (gsize)len);
}

#define assert_file(dir, name, text)                         \
	do {                                                 \
		g_autofree char *is_ = read_file(dir, name); \
		ck_assert_str_eq(is_, text);                 \
	} while (0)

static struct stat look(int dir, const char *name)
{
	struct stat st;

	ck_assert_msg(fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0, "%s: %s", name,
		      g_strerror(errno));
	return st;
}

static gboolean is_there(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* --- there and back ---------------------------------------------------------------- */

static const guint8 caps[] = { 1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 };
/* user::rw- user:4711:r-- group::r-- mask::r-- other::--- */
static const guint8 acl[] = { 2, 0,    0,    0,	  1,   0,   6,	0, 255, 255, 255, 255, 2,   0,	4,
			      0, 0x67, 0x12, 0,	  0,   4,   0,	4, 0,	255, 255, 255, 255, 16, 0,
			      4, 0,    255,  255, 255, 255, 32, 0, 0,	0,   255, 255, 255, 255 };

static int in_file(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDWR);

	ck_assert_msg(fd >= 0, "%s: %s", name, g_strerror(errno));
	return fd;
}

static gboolean keeps_acls;

static void make_tree(void)
{
	struct timespec times[2] = { { 1000000000, 123456789 }, { 1000000000, 123456789 } };
	int fd;

	make_file(in_dir, "plain", "hello\n", 0640);
	ck_assert_int_eq(fchownat(in_dir, "plain", 1000, 1001, 0), 0);
	utimensat(in_dir, "plain", times, 0);
	make_file(in_dir, "setuid", "x", 04755);
	make_file(in_dir, "capable", "x", 0755);
	fd = in_file(in_dir, "capable");
	ck_assert_int_eq(fsetxattr(fd, "security.capability", caps, sizeof caps, 0), 0);
	close(fd);
	make_file(in_dir, "acl", "x", 0640);
	fd = in_file(in_dir, "acl");
	keeps_acls = fsetxattr(fd, "system.posix_acl_access", acl, sizeof acl, 0) == 0;
	fsetxattr(fd, "user.some", "thing", 5, 0);
	close(fd);
	ck_assert_int_eq(linkat(in_dir, "plain", in_dir, "linked", 0), 0);
	ck_assert_int_eq(symlinkat("../nowhere", in_dir, "symlink"), 0);
	ck_assert_int_eq(mkdirat(in_dir, "sub", 0750), 0);
	make_file(in_dir, "sub/\xc3\xa4\xff deep", "d", 0600);
	ck_assert_int_eq(mkfifoat(in_dir, "fifo", 0600), 0);
	fchmodat(in_dir, "fifo", 0622, 0); /* whatever the umask is */
	ck_assert_int_eq(mknodat(in_dir, "null", S_IFCHR | 0600, makedev(1, 3)), 0);
	fchmodat(in_dir, "null", 0666, 0);
	fd = openat(in_dir, "sparse", O_RDWR | O_CREAT, 0600);
	ck_assert_int_eq(ftruncate(fd, 3LL << 30), 0);
	ck_assert_int_eq(pwrite(fd, "middle", 6, 1LL << 30), 6);
	close(fd);
	fd = openat(in_dir, "hole", O_RDWR | O_CREAT, 0600);
	ck_assert_int_eq(ftruncate(fd, 1 << 20), 0);
	close(fd);
	utimensat(in_dir, "sub", times, 0);
}

static void check_attribute(const char *name, const char *attribute, const void *value, gsize len)
{
	g_autofree char *path = g_strdup_printf("/proc/self/fd/%d/%s", out_dir, name);
	char is[256];

	ck_assert_int_eq(lgetxattr(path, attribute, is, sizeof is), (ssize_t)len);
	ck_assert_mem_eq(is, value, len);
}

static void check_tree(void)
{
	struct stat st = look(out_dir, "plain");
	char target[64] = "";
	char middle[7] = "";
	int fd;

	assert_file(out_dir, "plain", "hello\n");
	ck_assert_uint_eq(st.st_uid, 1000);
	ck_assert_uint_eq(st.st_gid, 1001);
	ck_assert_uint_eq(st.st_mode, S_IFREG | 0640);
	ck_assert_int_eq(st.st_mtim.tv_sec, 1000000000);
	ck_assert_uint_eq(look(out_dir, "linked").st_ino, st.st_ino);
	ck_assert_uint_eq(look(out_dir, "setuid").st_mode, S_IFREG | 04755);
	check_attribute("capable", "security.capability", caps, sizeof caps);
	if (keeps_acls) {
		check_attribute("acl", "system.posix_acl_access", acl, sizeof acl);
		check_attribute("acl", "user.some", "thing", 5);
	}
	ck_assert_int_eq(readlinkat(out_dir, "symlink", target, sizeof target), 10);
	ck_assert_str_eq(target, "../nowhere");
	st = look(out_dir, "sub");
	ck_assert_uint_eq(st.st_mode, S_IFDIR | 0750);
	ck_assert_int_eq(st.st_mtim.tv_sec, 1000000000);
	assert_file(out_dir, "sub/\xc3\xa4\xff deep", "d");
	ck_assert_uint_eq(look(out_dir, "fifo").st_mode, S_IFIFO | 0622);
	st = look(out_dir, "null");
	ck_assert_uint_eq(st.st_mode, S_IFCHR | 0666);
	ck_assert_uint_eq(st.st_rdev, makedev(1, 3));
	st = look(out_dir, "sparse");
	ck_assert_int_eq(st.st_size, 3LL << 30);
	ck_assert_int_lt(st.st_blocks, 2048);
	fd = in_file(out_dir, "sparse");
	ck_assert_int_eq(pread(fd, middle, 6, 1LL << 30), 6);
	ck_assert_str_eq(middle, "middle");
	close(fd);
	ck_assert_int_eq(look(out_dir, "hole").st_size, 1 << 20);
	ck_assert_int_lt(look(out_dir, "hole").st_blocks, 2048);
}

static const struct {
	const char *compressor;
	enum archive_kind kind;
} ways[] = {
	{ NULL, ARCHIVE_TAR },
	{ "gzip", ARCHIVE_TAR_GZIP },
	{ "gzip --rsyncable -1", ARCHIVE_TAR_GZIP },
	{ "bzip2 -1", ARCHIVE_TAR_BZIP2 },
	{ "xz -0", ARCHIVE_TAR_XZ },
	{ "lzma -0", ARCHIVE_TAR_LZMA },
	{ "zstd", ARCHIVE_TAR_ZSTD },
};

static gboolean pack_in(const char *compressor, GError **error)
{
	struct archive_tree tree = { .dir = in_dir, .name = "" };
	struct archive_pack pack = { .compressor = compressor, .trees = &tree, .n_trees = 1 };

	return archive_pack(file, &pack, error);
}

static void rewind_file(void)
{
	ck_assert_int_eq(lseek(file, 0, SEEK_SET), 0);
}

START_TEST(what_goes_in_comes_out)
{
	make_tree();
	ASSERT_OK(pack_in(ways[_i].compressor, error));
	ck_assert_int_eq(archive_kind(file), ways[_i].kind);
	rewind_file();
	ASSERT_OK(archive_unpack(file, out_dir, NULL, error));
	check_tree();
}
END_TEST

START_TEST(gnu_tar_reads_ours)
{
	g_autofree char *archive = g_strconcat(base, "/archive", NULL);
	g_autofree char *out = g_strconcat(base, "/out", NULL);

	make_tree();
	ASSERT_OK(pack_in("gzip", error));
	ASSERT_OK(run_words(NULL, error, "tar", "-C", out, "--numeric-owner", "--acls",
			    "--xattrs-include=*", "-xzpf", archive, NULL));
	check_tree();
}
END_TEST

START_TEST(we_read_gnu_tars)
{
	g_autofree char *archive = g_strconcat(base, "/archive", NULL);
	g_autofree char *in = g_strconcat(base, "/in", NULL);

	make_tree();
	ASSERT_OK(run_words(NULL, error, "tar", "-C", in, "--numeric-owner", "--acls",
			    _i ? "--format=posix" : "--format=gnu", "--xattrs-include=*", "-S",
			    "-cf", archive, ".", NULL));
	rewind_file();
	ASSERT_OK(archive_unpack(file, out_dir, NULL, error));
	if (_i) /* the old format has no attributes */
		check_tree();
	else
		assert_file(out_dir, "sub/\xc3\xa4\xff deep", "d");
}
END_TEST

START_TEST(squashfs)
{
	const struct archive_unpack no_devices = { .skip_devices = TRUE };

	make_tree();
	unlinkat(in_dir, "sparse", 0);
	ASSERT_OK(pack_in("squashfs", error));
	ck_assert_int_eq(archive_kind(file), ARCHIVE_SQUASHFS);
	ASSERT_OK(archive_unpack(file, out_dir, &no_devices, error));
	assert_file(out_dir, "plain", "hello\n");
	check_attribute("capable", "security.capability", caps, sizeof caps);
	ck_assert(!is_there(out_dir, "null"));
}
END_TEST

/* --- owners ------------------------------------------------------------------------ */

static gboolean shift(uid_t *uid, gid_t *gid, void *data)
{
	gint64 by = *(gint64 *)data;

	if ((*uid != (uid_t)-1 && *uid + by < 0) || (*uid != (uid_t)-1 && *uid == 4242))
		return FALSE;
	if (*uid != (uid_t)-1)
		*uid = (uid_t)(*uid + by);
	if (*gid != (gid_t)-1)
		*gid = (gid_t)(*gid + by);
	return TRUE;
}

static void check_shifted(void)
{
	guint8 shifted_caps[24] = { 1, 0, 0, 3 };
	guint8 shifted_acl[sizeof acl];
	guint32 root = GUINT32_TO_LE(100000), user = GUINT32_TO_LE(104711);

	memcpy(shifted_caps + 4, caps + 4, 16);
	memcpy(shifted_caps + 20, &root, 4);
	memcpy(shifted_acl, acl, sizeof acl);
	memcpy(shifted_acl + 16, &user, 4);
	ck_assert_uint_eq(look(out_dir, "plain").st_uid, 101000);
	ck_assert_uint_eq(look(out_dir, "linked").st_gid, 101001);
	ck_assert_uint_eq(look(out_dir, "symlink").st_uid, 100000);
	ck_assert_uint_eq(look(out_dir, "sub").st_uid, 100000);
	ck_assert_uint_eq(look(out_dir, "setuid").st_mode, S_IFREG | 04755);
	ck_assert_uint_eq(look(out_dir, "setuid").st_uid, 100000);
	check_attribute("capable", "security.capability", shifted_caps, 24);
	if (keeps_acls)
		check_attribute("acl", "system.posix_acl_access", shifted_acl, sizeof acl);
}

START_TEST(owners_are_shifted_there_and_back)
{
	gint64 up = 100000, down = -100000;
	struct archive_unpack unpack = { .owner = shift, .owner_data = &up };
	struct archive_tree tree = {
		.dir = out_dir, .name = "", .owner = shift, .owner_data = &down
	};
	struct archive_pack pack = { .trees = &tree, .n_trees = 1 };
	g_autofree char *out = g_strconcat(base, "/out", NULL);

	make_tree();
	if (_i)
		unlinkat(in_dir, "sparse", 0);
	keeps_acls &= !_i; /* squashfs has none */
	ASSERT_OK(pack_in(_i ? "squashfs" : "none", error));
	rewind_file();
	ASSERT_OK(archive_unpack(file, out_dir, &unpack, error));
	check_shifted();
	if (_i)
		return;
	rewind_file();
	ck_assert_int_eq(ftruncate(file, 0), 0);
	ASSERT_OK(archive_pack(file, &pack, error));
	rewind_file();
	ASSERT_OK(copy_delete(out, NULL, error));
	ck_assert_int_eq(mkdir(out, 0755), 0);
	close(out_dir);
	out_dir = open(out, O_RDONLY | O_DIRECTORY);
	ASSERT_OK(archive_unpack(file, out_dir, NULL, error));
	check_tree();
}
END_TEST

START_TEST(owners_change_below_one_name_alone)
{
	gint64 up = 100000;
	struct archive_unpack unpack = { .owner = shift, .owner_data = &up, .owner_below = "sub" };

	make_tree();
	if (_i)
		unlinkat(in_dir, "sparse", 0);
	ASSERT_OK(pack_in(_i ? "squashfs" : "none", error));
	rewind_file();
	ASSERT_OK(archive_unpack(file, out_dir, &unpack, error));
	ck_assert_uint_eq(look(out_dir, "plain").st_uid, 1000);
	ck_assert_uint_eq(look(out_dir, "sub").st_uid, 100000);
	ck_assert_uint_eq(look(out_dir, "sub/\xc3\xa4\xff deep").st_gid, 100000);
	ck_assert_int_eq(look(out_dir, "sub").st_mtim.tv_sec, 1000000000);
}
END_TEST

START_TEST(an_owner_without_a_place_is_an_error)
{
	gint64 up = 0;
	struct archive_unpack unpack = { .owner = shift, .owner_data = &up };

	make_file(in_dir, "x", "x", 0600);
	ck_assert_int_eq(fchownat(in_dir, "x", 4242, 0, 0), 0);
	ASSERT_OK(pack_in("none", error));
	rewind_file();
	ASSERT_FAILS(archive_unpack(file, out_dir, &unpack, error), "4242");
}
END_TEST

/* --- hostile ones -------------------------------------------------------------------- */

struct bad {
	const char *name;
	mode_t type;
	const char *link; /* of AE_IFLNK; of a hard link when the type is 0 */
};

static void write_bad(const struct bad *members, gsize n)
{
	struct archive *archive = archive_write_new();

	archive_write_set_format_pax_restricted(archive);
	ck_assert_int_eq(archive_write_open_fd(archive, file), ARCHIVE_OK);
	for (gsize i = 0; i < n; i++) {
		struct archive_entry *entry = archive_entry_new();

		archive_entry_set_pathname(entry, members[i].name);
		archive_entry_set_mode(entry,
				       (members[i].type ? members[i].type : AE_IFREG) | 0644);
		if (members[i].type == AE_IFLNK)
			archive_entry_set_symlink(entry, members[i].link);
		else if (!members[i].type)
			archive_entry_set_hardlink(entry, members[i].link);
		archive_entry_set_size(entry, members[i].type == AE_IFREG ? 4 : 0);
		ck_assert_int_eq(archive_write_header(archive, entry), ARCHIVE_OK);
		if (members[i].type == AE_IFREG)
			ck_assert_int_eq(archive_write_data(archive, "evil", 4), 4);
		archive_entry_free(entry);
	}
	ck_assert_int_eq(archive_write_free(archive), ARCHIVE_OK);
	rewind_file();
}

START_TEST(dots_are_refused)
{
	const struct bad bad[][2] = {
		{ { "../evil", AE_IFREG, NULL }, { "x", AE_IFREG, NULL } },
		{ { "a/../../evil", AE_IFREG, NULL }, { "x", AE_IFREG, NULL } },
		{ { "a", AE_IFREG, NULL }, { "evil", 0, "../archive" } },
	};

	write_bad(bad[_i], 2);
	ASSERT_FAILS(archive_unpack(file, out_dir, NULL, error), "..");
	int dir = open(base, O_RDONLY | O_DIRECTORY);

	ck_assert(!is_there(dir, "evil"));
	ck_assert(!is_there(out_dir, "evil"));
	close(dir);
}
END_TEST

START_TEST(links_lead_nowhere_else)
{
	g_autofree char *outside = g_strconcat(base, "/in", NULL);
	const struct bad bad[] = {
		{ "up", AE_IFLNK, "../in" },
		{ "up/evil", AE_IFREG, NULL },
		{ "far", AE_IFLNK, outside },
		{ "far/evil", AE_IFREG, NULL },
		{ "file", AE_IFLNK, "../in/evil" },
		{ "file", AE_IFREG, NULL },
		{ "proc", AE_IFLNK, "/proc/self/cwd" },
		{ "dir", AE_IFDIR, NULL },
		{ "dir/self", AE_IFLNK, "/dir" },
		{ "dir/self/good", AE_IFREG, NULL },
	};
	GError *error = NULL;

	for (gsize i = 0; i < G_N_ELEMENTS(bad); i += 2) {
		ck_assert_int_eq(ftruncate(file, 0), 0);
		rewind_file();
		write_bad(bad + i, 2);
		archive_unpack(file, out_dir, NULL, &error);
		g_clear_error(&error);
	}
	ck_assert(!is_there(in_dir, "evil"));
	assert_file(out_dir, "file", "evil");	  /* the link was replaced, not followed */
	assert_file(out_dir, "dir/good", "evil"); /* "/" is the directory itself */
}
END_TEST

START_TEST(hard_links_lead_nowhere_else)
{
	const struct bad bad[] = { { "etc", AE_IFLNK, "/etc" }, { "evil", 0, "etc/hostname" } };
	const struct bad absolute[] = { { "evil", 0, "/etc/hostname" } };

	write_bad(bad, 2);
	ASSERT_FAILS(archive_unpack(file, out_dir, NULL, error), "link");
	ck_assert_int_eq(ftruncate(file, 0), 0);
	rewind_file();
	write_bad(absolute, 1);
	ASSERT_FAILS(archive_unpack(file, out_dir, NULL, error), "link");
	ck_assert(!is_there(out_dir, "evil"));
}
END_TEST

START_TEST(absolute_names_are_below)
{
	const struct bad bad[] = { { "//etc/./passwd", AE_IFREG, NULL } };

	write_bad(bad, 1);
	ASSERT_OK(archive_unpack(file, out_dir, NULL, error));
	assert_file(out_dir, "etc/passwd", "evil");
}
END_TEST

START_TEST(devices_only_where_wanted)
{
	const struct archive_unpack spec = { .skip_devices = TRUE };
	const struct bad bad[] = { { "dev/sda", AE_IFBLK, NULL },
				   { "dev/tty", AE_IFCHR, NULL },
				   { "dev/same", 0, "dev/tty" },
				   { "dev/fifo", AE_IFIFO, NULL } };

	write_bad(bad, 4);
	ASSERT_OK(archive_unpack(file, out_dir, &spec, error));
	ck_assert(!is_there(out_dir, "dev/sda"));
	ck_assert(!is_there(out_dir, "dev/tty"));
	ck_assert(is_there(out_dir, "dev/fifo"));
}
END_TEST

START_TEST(bombs_hit_the_limit)
{
	const struct archive_unpack bytes = { .max_bytes = 1 << 30 };
	const struct archive_unpack members = { .max_entries = 3 };
	const char *compressor = _i ? "squashfs" : "zstd";

	make_tree(); /* "sparse" is 3 GiB of hole */
	ASSERT_OK(pack_in(compressor, error));
	ck_assert_int_lt(lseek(file, 0, SEEK_END), 1 << 20);
	rewind_file();
	ASSERT_FAILS(archive_unpack(file, out_dir, &bytes, error), "1073741824 bytes");
	rewind_file();
	ASSERT_FAILS(archive_unpack(file, out_dir, &members, error), "3 members");
}
END_TEST

START_TEST(garbage_is_an_error)
{
	make_tree();
	ASSERT_OK(pack_in("gzip", error));
	ck_assert_int_eq(ftruncate(file, lseek(file, 0, SEEK_END) / 2), 0);
	rewind_file();
	ASSERT_FAILS(archive_unpack(file, out_dir, NULL, error), "unpack");
	rewind_file();
	ck_assert_int_eq(pwrite(file, "no archive at all", 17, 0), 17);
	ASSERT_FAILS(archive_unpack(file, out_dir, NULL, error), "unpack");
}
END_TEST

/* --- parts --------------------------------------------------------------------------------- */

START_TEST(members_come_first_and_can_be_read_alone)
{
	const char *const except[] = { "null", "sub", NULL };
	struct archive_tree tree = { .dir = in_dir, .name = "backup/container", .except = except };
	struct archive_member member = { "backup/index.yaml", "name: c1\n", 9, 0 };
	struct archive_pack pack = { "zstd -1", &member, 1, &tree, 1, NULL, NULL, NULL };
	struct archive_unpack only = { .only = "backup/container" };
	g_autofree char *text = NULL;
	gsize len;

	make_tree();
	ASSERT_OK(archive_pack(file, &pack, error));
	ASSERT_OK(archive_read_member(file, "backup/index.yaml", 100, &text, &len, error));
	ck_assert_str_eq(text, "name: c1\n");
	ck_assert_uint_eq(len, 9);
	ASSERT_FAILS(archive_read_member(file, "backup/index.yaml", 8, &text, &len, error), "8");
	ASSERT_FAILS(archive_read_member(file, "index.yaml", 8, &text, &len, error), "not in");
	ASSERT_OK(archive_unpack(file, out_dir, &only, error));
	assert_file(out_dir, "plain", "hello\n");
	ck_assert_uint_eq(look(out_dir, "linked").st_nlink, 2);
	ck_assert(!is_there(out_dir, "sub"));
	ck_assert(!is_there(out_dir, "backup"));
}
END_TEST

START_TEST(a_member_of_a_squashfs)
{
	g_autofree char *text = NULL;

	make_file(in_dir, "metadata.yaml", "architecture: x86_64\n", 0644);
	ASSERT_OK(pack_in("squashfs", error));
	ASSERT_OK(archive_read_member(file, "metadata.yaml", 100, &text, NULL, error));
	ck_assert_str_eq(text, "architecture: x86_64\n");
	ASSERT_FAILS(archive_read_member(file, "other.yaml", 100, &text, NULL, error), "not in");
	ASSERT_FAILS(archive_read_member(file, "metadata.yaml", 5, &text, NULL, error), "longer");
}
END_TEST

static void cancel_it(gint64 bytes, gint64 total, void *data)
{
	ck_assert_int_gt(bytes, 0);
	ck_assert_int_ge(total, -1);
	g_cancellable_cancel(data);
}

START_TEST(cancelled)
{
	g_autoptr(GCancellable) cancel = g_cancellable_new();
	struct archive_unpack unpack = { .progress = cancel_it,
					 .progress_data = cancel,
					 .cancel = cancel };
	g_autoptr(GError) bad = NULL;
	g_autofree char *big = g_malloc(4 << 20);
	int fd = openat(in_dir, "random", O_RDWR | O_CREAT, 0600);
	int urandom = open("/dev/urandom", O_RDONLY);

	ck_assert_int_eq(read(urandom, big, 4 << 20), 4 << 20);
	ck_assert_int_eq(write(fd, big, 4 << 20), 4 << 20);
	close(urandom);
	close(fd);
	ASSERT_OK(pack_in("gzip -1", error));
	rewind_file();
	ck_assert(!archive_unpack(file, out_dir, &unpack, &bad));
	ck_assert(g_error_matches(bad, G_IO_ERROR, G_IO_ERROR_CANCELLED));
	g_clear_error(&bad);
	struct archive_tree tree = { .dir = in_dir, .name = "" };
	struct archive_pack pack = {
		.compressor = "gzip", .trees = &tree, .n_trees = 1, .cancel = cancel
	};
	ck_assert(!archive_pack(file, &pack, &bad));
	ck_assert(g_error_matches(bad, G_IO_ERROR, G_IO_ERROR_CANCELLED));
}
END_TEST

START_TEST(compressors_are_known_ones)
{
	const char *const good[] = {
		"none",	    "gzip", "gzip -9 --rsyncable", "zstd -19 --long=27", "xz -T2",
		"squashfs", "bzip2"
	};
	const char *const bad[] = { "nosuch",		"sh -c id",
				    "gzip /etc/passwd", "zstd -o/etc/x",
				    "gzip --stdout=x",	"zstd --output-dir-flat=/",
				    "gzip -",		"'" };

	for (gsize i = 0; i < G_N_ELEMENTS(good); i++)
		ASSERT_OK(archive_check_compressor(good[i], error));
	for (gsize i = 0; i < G_N_ELEMENTS(bad); i++)
		ASSERT_FAILS(archive_check_compressor(bad[i], error), "\"");
	ASSERT_FAILS(pack_in("zstd -o/tmp/x", error), "Bad argument");
}
END_TEST

/* --- programs -------------------------------------------------------------------------------- */

START_TEST(programs)
{
	const char *const echo[] = { "sh", "-c", "echo out; echo err >&2; exit $0", "0", NULL };
	const char *const fails[] = { "sh", "-c", "echo a >&2; echo the reason >&2; exit 7", NULL };
	const char *const yes[] = { "yes", NULL };
	const char *const sleeps[] = { "sh", "-c", "sleep 600 & wait", NULL };
	g_autofree char *out = NULL;
	gint64 start = g_get_monotonic_time();

	ASSERT_OK(run(&(struct run){ .argv = echo }, &out, NULL, error));
	ck_assert_str_eq(out, "out\n");
	ASSERT_FAILS(run(&(struct run){ .argv = fails }, NULL, NULL, error),
		     "exit status 7 (the reason)");
	ASSERT_FAILS(run(&(struct run){ .argv = yes, .output_max = 1000 }, NULL, NULL, error),
		     "longer than 1000");
	ASSERT_FAILS(run(&(struct run){ .argv = sleeps, .timeout_s = 1 }, NULL, NULL, error),
		     "longer than 1 seconds");
	ASSERT_FAILS(run_words(NULL, error, "no-such-program", NULL), "not found in $PATH");
	ck_assert_int_lt(g_get_monotonic_time() - start, 10 * G_USEC_PER_SEC);
}
END_TEST

START_TEST(programs_stay_beneath)
{
	g_autofree char *out = g_strconcat(base, "/out", NULL);
	const char *const argv[] = { "sh", "-c", "echo x >good && echo x >../evil", NULL };
	int dir = open(base, O_RDONLY | O_DIRECTORY);

	ASSERT_FAILS(
		run(&(struct run){ .argv = argv, .dir = out, .beneath = out }, NULL, NULL, error),
		"exit status");
	ck_assert(is_there(out_dir, "good"));
	ck_assert(!is_there(dir, "evil"));
	close(dir);
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_loop_test(tests, what_goes_in_comes_out, 0, G_N_ELEMENTS(ways));
	tcase_add_test(tests, gnu_tar_reads_ours);
	tcase_add_loop_test(tests, we_read_gnu_tars, 0, 2);
	tcase_add_test(tests, squashfs);
	tcase_add_loop_test(tests, owners_are_shifted_there_and_back, 0, 2);
	tcase_add_loop_test(tests, owners_change_below_one_name_alone, 0, 2);
	tcase_add_test(tests, an_owner_without_a_place_is_an_error);
	tcase_add_loop_test(tests, dots_are_refused, 0, 3);
	tcase_add_test(tests, links_lead_nowhere_else);
	tcase_add_test(tests, hard_links_lead_nowhere_else);
	tcase_add_test(tests, absolute_names_are_below);
	tcase_add_test(tests, devices_only_where_wanted);
	tcase_add_loop_test(tests, bombs_hit_the_limit, 0, 2);
	tcase_add_test(tests, garbage_is_an_error);
	tcase_add_test(tests, members_come_first_and_can_be_read_alone);
	tcase_add_test(tests, a_member_of_a_squashfs);
	tcase_add_test(tests, cancelled);
	tcase_add_test(tests, compressors_are_known_ones);
	tcase_add_test(tests, programs);
	tcase_add_test(tests, programs_stay_beneath);
}

int main(void)
{
	return test_run("manager_archive", fill);
}
