/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copies of trees: what is kept, what a refresh changes, and what a hostile tree cannot do. */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <gio/gio.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "util/copy.h"

static char *dir; /* of one test */

static char *at(const char *name)
{
	return g_build_filename(dir, name, NULL);
}

static void make_dir(void)
{
	dir = g_dir_make_tmp("copy-XXXXXX", NULL);
	ck_assert_ptr_nonnull(dir);
	ck_assert_int_eq(chdir(dir), 0);
}

static void drop_dir(void)
{
	GError *error = NULL;

	ck_assert_int_eq(chdir("/"), 0);
	ck_assert_msg(copy_delete(dir, NULL, &error), "%s", error ? error->message : "");
	ck_assert_int_ne(access(dir, F_OK), 0);
	g_free(dir);
}

static void put(const char *name, const char *text)
{
	ck_assert(g_file_set_contents(name, text, -1, NULL));
}

/* --- a tree as text -------------------------------------------------------------------- */

static GPtrArray *lines;
static gsize skip;
static gboolean with_links;

static void add_xattrs(GString *line, const char *path)
{
	char names[4096], value[4096];
	ssize_t n = llistxattr(path, names, sizeof(names));

	for (char *p = names; p < names + n; p += strlen(p) + 1) {
		ssize_t len = lgetxattr(path, p, value, sizeof(value));
		g_autofree char *sum = g_compute_checksum_for_data(
			G_CHECKSUM_MD5, (const guchar *)value, (gsize)MAX(len, 0));

		g_string_append_printf(line, " %s=%s", p, sum);
	}
}

static void add_content(GString *line, const char *path, const struct stat *st)
{
	g_autofree char *text = NULL, *sum = NULL;
	char link[4096] = "";
	gsize len;

	if (S_ISLNK(st->st_mode)) {
		ck_assert_int_gt(readlink(path, link, sizeof(link) - 1), 0);
		g_string_append_printf(line, " -> %s", link);
	} else if (S_ISREG(st->st_mode)) {
		ck_assert(g_file_get_contents(path, &text, &len, NULL));
		sum = g_compute_checksum_for_data(G_CHECKSUM_MD5, (guchar *)text, len);
		g_string_append_printf(line, " %zu %s %s", len, sum,
				       st->st_blocks * 512 < st->st_size / 2 ? "sparse" : "full");
	}
}

static int add_line(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	GString *line = g_string_new(path + skip);

	(void)kind;
	(void)ftw;
	g_string_append_printf(line, " %o %u %u %llx %lld.%09ld", st->st_mode, st->st_uid,
			       st->st_gid, (unsigned long long)st->st_rdev,
			       (long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
	if (with_links && !S_ISDIR(st->st_mode))
		g_string_append_printf(line, " %lu", (unsigned long)st->st_nlink);
	add_content(line, path, st);
	add_xattrs(line, path);
	g_ptr_array_add(lines, g_string_free(line, FALSE));
	return 0;
}

static int by_text(gconstpointer a, gconstpointer b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *manifest(const char *name)
{
	char *text;

	lines = g_ptr_array_new_with_free_func(g_free);
	skip = strlen(name);
	with_links = TRUE;
	ck_assert_int_eq(nftw(name, add_line, 16, FTW_PHYS), 0);
	g_ptr_array_sort(lines, by_text);
	g_ptr_array_add(lines, NULL);
	text = g_strjoinv("\n", (char **)lines->pdata);
	g_ptr_array_free(lines, TRUE);
	return text;
}

static void assert_same(const char *a, const char *b)
{
	g_autofree char *x = manifest(a), *y = manifest(b);

	ck_assert_str_eq(x, y);
}

/* --- sources ------------------------------------------------------------------------------- */

static void make_sparse(const char *name)
{
	int fd = open(name, O_CREAT | O_WRONLY, 0640);

	ck_assert_int_eq(pwrite(fd, "head", 4, 0), 4);
	ck_assert_int_eq(pwrite(fd, "middle", 6, 8 << 20), 6);
	ck_assert_int_eq(ftruncate(fd, 40 << 20), 0);
	close(fd);
}

static void make_socket(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	g_strlcpy(address.sun_path, name, sizeof(address.sun_path));
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
}

static void set_old(const char *name)
{
	struct timespec times[2] = { { 1000000000, 123456789 }, { 1100000000, 987654321 } };

	ck_assert_int_eq(utimensat(AT_FDCWD, name, times, AT_SYMLINK_NOFOLLOW), 0);
}

/* An ACL of version 2: user::rw-, user:1234:r--, group::r--, mask::r--, other::--- */
static const unsigned char acl[] = { 2,	  0,   0,   0,	 1,   0,   6,  0,   255, 255, 255,
				     255, 2,   0,   4,	 0,   210, 4,  0,   0,	 4,   0,
				     4,	  0,   255, 255, 255, 255, 16, 0,   4,	 0,   255,
				     255, 255, 255, 32,	 0,   0,   0,  255, 255, 255, 255 };
static const unsigned char caps[] = { 1, 0, 0, 2, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 };

static void make_source(void)
{
	ck_assert_int_eq(g_mkdir_with_parents("s/a/b/c", 0755), 0);
	put("s/plain", "some text\n");
	put("s/empty", "");
	put("s/a/one", "of two names");
	ck_assert_int_eq(link("s/a/one", "s/a/b/two"), 0);
	ck_assert_int_eq(symlink("/etc/passwd", "s/absolute"), 0);
	ck_assert_int_eq(symlink("../nowhere", "s/a/dangling"), 0);
	ck_assert_int_eq(mkfifo("s/fifo", 0600), 0);
	ck_assert_int_eq(mknod("s/null", S_IFCHR | 0666, makedev(1, 3)), 0);
	ck_assert_int_eq(mknod("s/loop", S_IFBLK | 0660, makedev(7, 99)), 0);
	make_socket("s/socket");
	make_sparse("s/sparse");
	put("s/suid", "#!");
	ck_assert_int_eq(chown("s/suid", 1000, 1001), 0);
	ck_assert_int_eq(chmod("s/suid", 06755), 0);
	ck_assert_int_eq(setxattr("s/suid", "security.capability", caps, sizeof(caps), 0), 0);
	ck_assert_int_eq(setxattr("s/plain", "user.name", "value", 5, 0), 0);
	ck_assert_int_eq(setxattr("s/plain", "trusted.name", "value", 5, 0), 0);
	ck_assert_int_eq(setxattr("s/a/one", "system.posix_acl_access", acl, sizeof(acl), 0), 0);
	ck_assert_int_eq(setxattr("s/a", "system.posix_acl_default", acl, sizeof(acl), 0), 0);
	ck_assert_int_eq(lchown("s/absolute", 5, 6), 0);
	ck_assert_int_eq(chmod("s/a/b", 01777), 0);
	for (const char **p = (const char *[]){ "s/plain", "s/absolute", "s/fifo", "s/a/b", "s/a",
						"s", NULL };
	     *p; p++)
		set_old(*p);
}

static void copy(const char *from, const char *to, gboolean refresh)
{
	struct copy_options options = { .refresh = refresh };
	g_autofree char *source = at(from), *target = at(to);
	GError *error = NULL;

	mkdir(to, 0700);
	ck_assert_msg(copy_tree(source, target, &options, &error), "%s",
		      error ? error->message : "");
}

START_TEST(everything_kept)
{
	make_source();
	copy("s", "t", FALSE);
	assert_same("s", "t");
}
END_TEST

START_TEST(refreshed)
{
	struct stat before, after, moved;

	make_source();
	copy("s", "t", FALSE);
	ck_assert_int_eq(stat("t/plain", &before), 0);
	/* The target goes its own ways ... */
	put("t/extra", "x");
	ck_assert_int_eq(g_mkdir_with_parents("t/more/and/more", 0755), 0);
	ck_assert_int_eq(unlink("t/a/b/two"), 0);
	ck_assert_int_eq(unlink("t/empty"), 0);
	ck_assert_int_eq(mkdir("t/empty", 0755), 0);
	put("t/empty/full", "y");
	ck_assert_int_eq(chmod("t/suid", 0600), 0);
	ck_assert_int_eq(setxattr("t/plain", "user.other", "value", 5, 0), 0);
	/* ... and the source changes. */
	put("s/a/new", "new");
	put("s/sparse", "small");
	ck_assert_int_eq(unlink("s/fifo"), 0);
	ck_assert_int_eq(mkdir("s/fifo", 0700), 0);
	copy("s", "t", TRUE);
	assert_same("s", "t");
	ck_assert_int_eq(stat("t/plain", &after), 0);
	ck_assert_uint_eq(before.st_ino, after.st_ino);
	ck_assert_int_eq(stat("t/a/one", &after), 0);
	ck_assert_int_eq(stat("t/a/b/two", &moved), 0);
	ck_assert_uint_eq(after.st_ino, moved.st_ino);
}
END_TEST

/* Four names of one file become two files of two names. */
START_TEST(links_part)
{
	struct stat a, c;

	for (const char **d = (const char *[]){ "s", "t", NULL }; *d; d++) {
		g_autofree char *x = g_strdup_printf("%s/a", *d), *y = g_strdup_printf("%s/b", *d);
		g_autofree char *z = g_strdup_printf("%s/c", *d), *w = g_strdup_printf("%s/d", *d);

		ck_assert_int_eq(mkdir(*d, 0755), 0);
		put(x, "same");
		ck_assert_int_eq(link(x, y), 0);
		if (**d == 's')
			put(z, "same");
		else
			ck_assert_int_eq(link(x, z), 0);
		ck_assert_int_eq(link(z, w), 0);
		set_old(x);
		set_old(z);
	}
	copy("s", "t", TRUE);
	assert_same("s", "t");
	ck_assert_int_eq(stat("t/a", &a), 0);
	ck_assert_int_eq(stat("t/c", &c), 0);
	ck_assert_uint_ne(a.st_ino, c.st_ino);
}
END_TEST

/* Where the source has a directory the target has a symlink to somewhere else. */
START_TEST(no_escape)
{
	g_autofree char *outside = at("outside");

	ck_assert_int_eq(mkdir("outside", 0755), 0);
	put("outside/file", "theirs");
	ck_assert_int_eq(g_mkdir_with_parents("s/etc", 0755), 0);
	put("s/etc/file", "ours");
	ck_assert_int_eq(mkdir("t", 0755), 0);
	ck_assert_int_eq(symlink(outside, "t/etc"), 0);
	ck_assert_int_eq(symlink(outside, "t/more"), 0);
	copy("s", "t", TRUE);
	assert_same("s", "t");

	g_autofree char *text = NULL;

	ck_assert(g_file_get_contents("outside/file", &text, NULL, NULL));
	ck_assert_str_eq(text, "theirs");
}
END_TEST

START_TEST(source_is_symlink)
{
	g_autofree char *source = at("s"), *target = at("t");
	GError *error = NULL;

	ck_assert_int_eq(symlink("/etc", "s"), 0);
	ck_assert_int_eq(mkdir("t", 0755), 0);
	ck_assert(!copy_tree(source, target, NULL, &error));
	ck_assert_ptr_nonnull(error);
	g_error_free(error);
}
END_TEST

static void stop_at_once(const struct copy_progress *progress, void *data)
{
	if (progress->files >= 64)
		g_cancellable_cancel(data);
}

START_TEST(cancelled)
{
	GCancellable *cancel = g_cancellable_new();
	struct copy_options options = { .cancel = cancel,
					.progress = stop_at_once,
					.data = cancel };
	g_autofree char *source = at("s"), *target = at("t");
	GError *error = NULL;

	ck_assert_int_eq(mkdir("s", 0755), 0);
	ck_assert_int_eq(mkdir("t", 0755), 0);
	for (int i = 0; i < 200; i++) {
		g_autofree char *name = g_strdup_printf("s/%d", i);

		put(name, "x");
	}
	ck_assert(!copy_tree(source, target, &options, &error));
	ck_assert(g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED));
	g_error_free(error);
	g_object_unref(cancel);
}
END_TEST

static void make_deep(const char *name, int levels)
{
	int fd = AT_FDCWD;

	ck_assert_int_eq(mkdir(name, 0755), 0);
	fd = open(name, O_RDONLY | O_DIRECTORY);
	for (int i = 0; i < levels; i++) {
		int next;

		ck_assert_int_eq(mkdirat(fd, "d", 0755), 0);
		next = openat(fd, "d", O_RDONLY | O_DIRECTORY);
		ck_assert_int_ge(next, 0);
		close(fd);
		fd = next;
	}
	close(fd);
}

START_TEST(deep_is_refused_and_deleted)
{
	g_autofree char *source = at("s"), *target = at("t");
	GError *error = NULL;

	make_deep("s", 5000);
	ck_assert_int_eq(mkdir("t", 0755), 0);
	ck_assert(!copy_tree(source, target, NULL, &error));
	ck_assert_ptr_nonnull(strstr(error->message, "nested too deeply"));
	g_clear_error(&error);
	ck_assert_msg(copy_delete(source, NULL, &error), "%s", error ? error->message : "");
	ck_assert_int_ne(access(source, F_OK), 0);
}
END_TEST

static void mark(const char *name, int flag)
{
	int fd = open(name, O_RDONLY), flags = 0;

	ck_assert_int_eq(ioctl(fd, FS_IOC_GETFLAGS, &flags), 0);
	flags |= flag;
	ck_assert_int_eq(ioctl(fd, FS_IOC_SETFLAGS, &flags), 0);
	close(fd);
}

START_TEST(marked_is_deleted)
{
	g_autofree char *path = at("s");
	GError *error = NULL;

	ck_assert_int_eq(g_mkdir_with_parents("s/d/e", 0755), 0);
	put("s/f", "x");
	put("s/d/g", "x");
	mark("s/f", FS_IMMUTABLE_FL);
	mark("s/d/g", FS_APPEND_FL);
	mark("s/d", FS_IMMUTABLE_FL);
	ck_assert_msg(copy_delete(path, NULL, &error), "%s", error ? error->message : "");
	ck_assert_int_ne(access(path, F_OK), 0);
	ck_assert(copy_delete(path, NULL, &error)); /* again */
}
END_TEST

START_TEST(usage_counts_once)
{
	g_autofree char *path = at("s"), *text = g_strnfill(1 << 20, 'x');
	gint64 used;

	ck_assert_int_eq(mkdir("s", 0755), 0);
	put("s/a", text);
	ck_assert_int_eq(link("s/a", "s/b"), 0);
	used = copy_usage(path, NULL);
	ck_assert_int_ge(used, 1 << 20);
	ck_assert_int_lt(used, (1 << 20) + 65536);
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_checked_fixture(tests, make_dir, drop_dir);
	tcase_add_test(tests, everything_kept);
	tcase_add_test(tests, refreshed);
	tcase_add_test(tests, links_part);
	tcase_add_test(tests, no_escape);
	tcase_add_test(tests, source_is_symlink);
	tcase_add_test(tests, cancelled);
	tcase_add_test(tests, deep_is_refused_and_deleted);
	tcase_add_test(tests, marked_is_deleted);
	tcase_add_test(tests, usage_counts_once);
}

int main(void)
{
	return test_run("copy", fill);
}
