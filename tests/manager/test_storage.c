/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The storage drivers: the same promises of each of them, and what btrfs has besides. */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/storage/storage.h"
#include "util/json.h"
#include "util/mount.h"

static const char *const names[] = { "dir", "btrfs" };
static char *lxd_dir;
static struct storage_pool *pool;
static const struct storage_volume c1 = { VOLUME_CONTAINER, "c1", NULL, NULL };
static const struct storage_volume c2 = { VOLUME_CONTAINER, "c2", NULL, NULL };
static const struct storage_volume snap0 = { VOLUME_CONTAINER, "c1", "snap0", NULL };

static void open_pool(const char *driver, const char *size)
{
	g_autoptr(json_t) config = json_object();
	g_autofree char *pools = NULL;

	lxd_dir = g_dir_make_tmp("storage-XXXXXX", NULL);
	pools = g_build_filename(lxd_dir, "storage-pools", NULL);
	ck_assert_int_eq(mkdir(pools, 0711), 0);
	if (strcmp(driver, "btrfs") == 0)
		json_map_set(config, "size", size);
	pool = storage_pool_new(lxd_dir, "p", storage_driver(driver), config);
	MUST(pool->driver->pool_create(pool, &problem));
}

static void close_pool(void)
{
	MUST(pool->driver->pool_delete(pool, &problem));
	ck_assert_int_ne(access(pool->path, F_OK), 0);
	storage_pool_free(pool);
	MUST(copy_delete(lxd_dir, NULL, &problem));
	g_free(lxd_dir);
}

static char *file_of(const struct storage_volume *volume, const char *name)
{
	g_autofree char *path = storage_volume_path(pool, volume);

	return g_build_filename(path, name, NULL);
}

static void put(const struct storage_volume *volume, const char *name, const char *text)
{
	g_autofree char *path = file_of(volume, name);

	ck_assert(g_file_set_contents(path, text, -1, NULL));
}

static void assert_text(const struct storage_volume *volume, const char *name, const char *text)
{
	g_autofree char *path = file_of(volume, name), *got = NULL;

	ck_assert_msg(g_file_get_contents(path, &got, NULL, NULL), "no %s", path);
	ck_assert_str_eq(got, text);
}

static void make_c1(void)
{
	MUST(pool->driver->volume_create(pool, &c1, &problem));
	put(&c1, "f", "first");
	MUST(pool->driver->volume_clone(pool, &c1, &snap0, NULL, &problem));
	put(&c1, "f", "second");
}

START_TEST(life_of_a_volume)
{
	struct storage_volume moved = { VOLUME_CONTAINER, "c3", NULL, NULL };
	struct storage_volume moved_snap = { VOLUME_CONTAINER, "c3", "snap0", NULL };
	g_auto(GStrv) list = NULL;

	open_pool(names[_i], "256MiB");
	make_c1();
	assert_text(&snap0, "f", "first");
	MUST(pool->driver->volume_rename(pool, &c1, &moved, &problem));
	assert_text(&moved, "f", "second");
	assert_text(&moved_snap, "f", "first");
	ck_assert(!storage_volume_exists(pool, &c1));
	list = storage_snapshots(pool, &moved);
	ck_assert_uint_eq(g_strv_length(list), 1);
	MUST(pool->driver->volume_delete(pool, &moved, &problem));
	MUST(pool->driver->volume_delete(pool, &moved, &problem)); /* again */
	ck_assert(!storage_volume_exists(pool, &moved_snap));
	close_pool();
}
END_TEST

START_TEST(clones_are_apart)
{
	open_pool(names[_i], "256MiB");
	make_c1();
	MUST(pool->driver->volume_clone(pool, &snap0, &c2, NULL, &problem));
	put(&c2, "f", "third");
	assert_text(&snap0, "f", "first");
	assert_text(&c1, "f", "second");
	MUST(pool->driver->volume_exchange(pool, &c2, &c1, &problem));
	assert_text(&c1, "f", "third");
	assert_text(&c2, "f", "second");
	MUST(pool->driver->volume_delete(pool, &snap0, &problem));
	assert_text(&c1, "f", "third");
	close_pool();
}
END_TEST

START_TEST(nothing_is_overwritten)
{
	GError *error = NULL;

	open_pool(names[_i], "256MiB");
	make_c1();
	ck_assert(!pool->driver->volume_create(pool, &c1, &error));
	g_clear_error(&error);
	MUST(pool->driver->volume_create(pool, &c2, &problem));
	ck_assert(!pool->driver->volume_rename(pool, &c2, &c1, &error));
	g_clear_error(&error);
	ck_assert(!pool->driver->volume_clone(pool, &c1, &snap0, NULL, &error));
	g_clear_error(&error);
	assert_text(&c1, "f", "second");
	assert_text(&snap0, "f", "first");
	close_pool();
}
END_TEST

START_TEST(mounted_again)
{
	struct storage_space space;

	open_pool(names[_i], "256MiB");
	make_c1();
	MUST(pool->driver->pool_unmount(pool, &problem));
	ck_assert(!mount_is_point(pool->path));
	MUST(pool->driver->pool_mount(pool, &problem));
	MUST(pool->driver->pool_mount(pool, &problem));
	assert_text(&c1, "f", "second");
	MUST(pool->driver->pool_space(pool, &space, &problem));
	ck_assert_uint_gt(space.total, space.used);
	ck_assert_uint_gt(space.used, 0);
	close_pool();
}
END_TEST

/* A source that is not ours: only what the pool made in it goes with it. */
START_TEST(dir_of_a_user)
{
	g_autofree char *source = g_dir_make_tmp("source-XXXXXX", NULL);
	g_autofree char *pools = NULL, *precious = g_build_filename(source, "precious", NULL);
	g_autoptr(json_t) config = json_pack("{s:s}", "source", source);
	GError *error = NULL;

	lxd_dir = g_dir_make_tmp("storage-XXXXXX", NULL);
	pools = g_build_filename(lxd_dir, "storage-pools", NULL);
	ck_assert_int_eq(mkdir(pools, 0711), 0);
	pool = storage_pool_new(lxd_dir, "p", storage_driver("dir"), config);
	ck_assert(g_file_set_contents(precious, "x", 1, NULL));
	ck_assert(!pool->driver->pool_create(pool, &error));
	ck_assert_ptr_nonnull(strstr(error->message, "isn't empty"));
	g_clear_error(&error);
	ck_assert_int_eq(unlink(precious), 0);
	MUST(pool->driver->pool_create(pool, &problem));
	make_c1();
	ck_assert(g_file_set_contents(precious, "x", 1, NULL));
	close_pool();
	ck_assert_int_eq(unlink(precious), 0);
	ck_assert_int_eq(rmdir(source), 0);
}
END_TEST

/* --- btrfs alone ---------------------------------------------------------------------- */

/* Writes to NAME until nothing goes in any more; what errno then was. */
static int fill_up(const struct storage_volume *volume, const char *name)
{
	g_autofree char *path = file_of(volume, name), *block = g_strnfill(1 << 16, 'x');
	int fd = open(path, O_CREAT | O_WRONLY | O_APPEND, 0600), code = 0;

	for (guint i = 0; !code && i < 65536; i++) {
		block[0] = (char)i; /* not the same again and again */
		if (write(fd, block, 1 << 16) < 0 || (i % 64 == 0 && fsync(fd) < 0))
			code = errno;
	}
	close(fd);
	return code;
}

START_TEST(quota_holds)
{
	guint64 used;

	open_pool("btrfs", "256MiB");
	make_c1();
	MUST(pool->driver->volume_resize(pool, &c1, 20 << 20, &problem));
	ck_assert_int_eq(fill_up(&c1, "big"), EDQUOT);
	sync();
	MUST(pool->driver->volume_usage(pool, &c1, &used, &problem));
	ck_assert_uint_gt(used, 10 << 20);
	ck_assert_uint_le(used, 20 << 20);
	/* The limit stays with the name. */
	MUST(pool->driver->volume_clone(pool, &snap0, &c2, NULL, &problem));
	MUST(pool->driver->volume_exchange(pool, &c2, &c1, &problem));
	ck_assert_int_eq(fill_up(&c1, "big"), EDQUOT);
	MUST(pool->driver->volume_resize(pool, &c1, 0, &problem));
	put(&c1, "more", "fits");
	close_pool();
}
END_TEST

START_TEST(snapshots_are_read_only)
{
	g_autofree char *path = NULL;

	open_pool("btrfs", "256MiB");
	make_c1();
	path = file_of(&snap0, "f");
	ck_assert_int_lt(open(path, O_WRONLY), 0);
	ck_assert_int_eq(errno, EROFS);
	close_pool();
}
END_TEST

/* Subvolumes that somebody made inside go along, and away. */
START_TEST(subvolumes_inside)
{
	g_autofree char *inner = NULL, *command = NULL;

	open_pool("btrfs", "256MiB");
	MUST(pool->driver->volume_create(pool, &c1, &problem));
	inner = file_of(&c1, "inner");
	command = g_strdup_printf("btrfs -q subvolume create %s && echo -n deep > %s/f", inner,
				  inner);
	ck_assert_int_eq(system(command), 0);
	MUST(pool->driver->volume_clone(pool, &c1, &snap0, NULL, &problem));
	assert_text(&snap0, "inner/f", "deep");
	MUST(pool->driver->volume_delete(pool, &c1, &problem));
	ck_assert(!storage_volume_exists(pool, &snap0));
	close_pool();
}
END_TEST

static void send_to(const struct storage_volume *snapshot, const struct storage_volume *parent,
		    int fd)
{
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	MUST(pool->driver->volume_send(pool, snapshot, parent, fd, NULL, &problem));
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
}

static guint count_marked(void)
{
	g_auto(GStrv) marked = storage_volumes_marked(pool, VOLUME_CONTAINER);

	return g_strv_length(marked);
}

START_TEST(streams)
{
	struct storage_volume snap1 = { VOLUME_CONTAINER, "c1", "snap1", NULL };
	struct storage_volume to0 = { VOLUME_CONTAINER, "c2", "snap0", NULL };
	struct storage_volume to1 = { VOLUME_CONTAINER, "c2", "snap1", NULL };
	GError *error = NULL;
	int fd;

	open_pool("btrfs", "256MiB");
	fd = memfd_create("stream", MFD_CLOEXEC);
	make_c1();
	MUST(pool->driver->volume_clone(pool, &c1, &snap1, NULL, &problem));
	send_to(&snap0, NULL, fd);
	MUST(pool->driver->volume_receive(pool, &to0, fd, NULL, &problem));
	send_to(&snap1, &snap0, fd);
	MUST(pool->driver->volume_receive(pool, &to1, fd, NULL, &problem));
	assert_text(&to0, "f", "first");
	assert_text(&to1, "f", "second");
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	MUST(pool->driver->volume_receive(pool, &c2, fd, NULL, &problem));
	put(&c2, "f", "writable");
	/* Half a stream is refused and leaves nothing. */
	ck_assert_int_eq(ftruncate(fd, 100), 0);
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	ck_assert(!pool->driver->volume_receive(
		pool, &(struct storage_volume){ VOLUME_CONTAINER, "c9", NULL, NULL }, fd, NULL,
		&error));
	g_clear_error(&error);
	ck_assert_uint_eq(count_marked(), 0);
	close(fd);
	close_pool();
}
END_TEST

/* A full file system says so, what was there stays, and goes on when there is room again. */
START_TEST(full)
{
	g_autofree char *big = NULL, *source = g_dir_make_tmp("source-XXXXXX", NULL);
	g_autofree char *text = g_strnfill(4 << 20, 'x'), *file = NULL, *path = NULL;
	GError *error = NULL;

	open_pool("btrfs", "128MiB");
	make_c1();
	ck_assert_int_eq(fill_up(&c1, "big"), ENOSPC);
	file = g_build_filename(source, "f", NULL);
	ck_assert(g_file_set_contents(file, text, -1, NULL));
	if (pool->driver->volume_create(pool, &c2, &error)) {
		path = storage_volume_path(pool, &c2);
		ck_assert(!copy_tree(source, path, NULL, &error));
	}
	ck_assert_msg(strstr(error->message, "No space left on device") != NULL, "%s",
		      error->message);
	g_clear_error(&error);
	assert_text(&c1, "f", "second");
	assert_text(&snap0, "f", "first");
	big = file_of(&c1, "big");
	ck_assert_int_eq(unlink(big), 0);
	sync();
	MUST(pool->driver->volume_delete(pool, &c2, &problem));
	MUST(pool->driver->volume_create(pool, &c2, &problem));
	g_free(path);
	path = storage_volume_path(pool, &c2);
	MUST(copy_tree(source, path, NULL, &problem));
	MUST(copy_delete(source, NULL, &problem));
	close_pool();
}
END_TEST

START_TEST(pool_grows)
{
	g_autoptr(json_t) bigger = json_pack("{s:s}", "size", "512MiB");
	g_autoptr(json_t) smaller = json_pack("{s:s}", "size", "128MiB");
	struct storage_space before, after;
	GError *error = NULL;

	open_pool("btrfs", "256MiB");
	MUST(pool->driver->pool_space(pool, &before, &problem));
	MUST(pool->driver->pool_update(pool, bigger, &problem));
	MUST(pool->driver->pool_space(pool, &after, &problem));
	ck_assert_uint_gt(after.total, before.total);
	ck_assert(!pool->driver->pool_update(pool, smaller, &error));
	ck_assert_str_eq(error->message, "Pool shrinking is not supported");
	g_clear_error(&error);
	close_pool();
}
END_TEST

START_TEST(marks)
{
	g_autofree char *mark = storage_mark("new", "c1");

	ck_assert_str_eq(mark, ".new-c1");
	ck_assert_str_eq(storage_marked("new", mark), "c1");
	ck_assert_ptr_null(storage_marked("del", mark));
	ck_assert_ptr_null(storage_marked("new", "new-c1"));
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_loop_test(tests, life_of_a_volume, 0, G_N_ELEMENTS(names));
	tcase_add_loop_test(tests, clones_are_apart, 0, G_N_ELEMENTS(names));
	tcase_add_loop_test(tests, nothing_is_overwritten, 0, G_N_ELEMENTS(names));
	tcase_add_loop_test(tests, mounted_again, 0, G_N_ELEMENTS(names));
	tcase_add_test(tests, dir_of_a_user);
	tcase_add_test(tests, quota_holds);
	tcase_add_test(tests, snapshots_are_read_only);
	tcase_add_test(tests, subvolumes_inside);
	tcase_add_test(tests, streams);
	tcase_add_test(tests, full);
	tcase_add_test(tests, pool_grows);
	tcase_add_test(tests, marks);
}

int main(void)
{
	return test_run("storage", fill);
}
