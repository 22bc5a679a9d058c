/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pools and volumes with their rows: what is on disk and what the database says stay the same. */
#include "support.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/pool.h"
#include "core/volume.h"
#include "daemon.h"
#include "db/db.h"
#include "util/copy.h"
#include "util/error.h"
#include "util/json.h"
#include "util/mount.h"

#define KILLS 25 /* a driver */

static const char *const names[] = { "dir", "btrfs" };
static struct daemon daemon_of;
static struct daemon *const d = &daemon_of;
static const struct volume_new plain;
static const struct volume_ref c1 = { "p", "default", VOLUME_CONTAINER, "c1", NULL };
static const struct volume_ref c1_s0 = { "p", "default", VOLUME_CONTAINER, "c1", "s0" };
static const struct volume_ref c2 = { "p", "default", VOLUME_CONTAINER, "c2", NULL };

static void warn(const char *pool, const GError *error)
{
	ck_abort_msg("%s: %s", pool, error->message);
}

static void open_daemon(void)
{
	g_autofree char *path = g_build_filename(d->dir, "lxd.db", NULL);
	GError *error = NULL;

	d->db = db_open(path, &error);
	ck_assert_msg(d->db != NULL, "%s", error ? error->message : "");
	d->events = event_hub_new();
	MUST(pool_startup(d, warn, &problem));
}

static void close_daemon(void)
{
	pools_free(d->pools);
	event_hub_free(d->events);
	db_close(d->db);
}

static void make_pool(const char *name, const char *driver)
{
	g_autoptr(json_t) config = json_object();

	if (strcmp(driver, "btrfs") == 0)
		json_map_set(config, "size", "256MiB");
	MUST(pool_create(d, name, driver, "", config, NULL, &problem));
}

static void setup(void)
{
	d->dir = g_dir_make_tmp("pool-XXXXXX", NULL);
}

static void teardown(void)
{
	MUST(copy_delete(d->dir, NULL, &problem));
	g_free(d->dir);
}

static gboolean fill_it(const char *path, GCancellable *cancel, void *data, GError **error)
{
	g_autofree char *file = g_build_filename(path, "f", NULL);

	(void)cancel;
	(void)error;
	return g_file_set_contents(file, data, -1, NULL);
}

static void put(const struct volume_ref *ref, const char *text)
{
	g_autofree char *path = volume_path(d, ref);

	ck_assert(fill_it(path, NULL, (void *)text, NULL));
}

static void assert_text(const struct volume_ref *ref, const char *text)
{
	g_autofree char *path = volume_path(d, ref), *file = g_build_filename(path, "f", NULL);
	g_autofree char *got = NULL;

	ck_assert_msg(g_file_get_contents(file, &got, NULL, NULL), "no %s", file);
	ck_assert_str_eq(got, text);
	ck_assert(volume_exists(d, ref));
}

static void make_c1(void)
{
	MUST(volume_create(d, &c1, &plain, fill_it, (void *)"first", &problem));
	MUST(volume_snapshot(d, &c1_s0, NULL, &plain, &problem));
	put(&c1, "second");
}

/* --- what is on disk is in the rows, and the other way round ----------------------------- */

static void add_names(GPtrArray *list, const char *kind, const char *sub)
{
	g_autofree char *path = g_build_filename(d->dir, "storage-pools", "p", kind, sub, NULL);
	GDir *dir = g_dir_open(path, 0, NULL);
	const char *name;

	while (dir && (name = g_dir_read_name(dir))) {
		g_ptr_array_add(list, sub ? g_strdup_printf("%s/%s", sub, name) : g_strdup(name));
		if (!sub)
			add_names(list, "containers-snapshots", name);
	}
	if (dir)
		g_dir_close(dir);
}

static int by_text(gconstpointer a, gconstpointer b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *joined(GPtrArray *list)
{
	char *text;

	g_ptr_array_sort(list, by_text);
	g_ptr_array_add(list, NULL);
	text = g_strjoinv(" ", (char **)list->pdata);
	g_ptr_array_unref(list);
	return text;
}

static void assert_in_step(void)
{
	GPtrArray *disk = g_ptr_array_new_with_free_func(g_free);
	GPtrArray *rows = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(json_t) list = volume_list(d, "p", NULL, NULL);
	g_autofree char *x = NULL, *y = NULL;
	json_t *row;
	size_t i;

	add_names(disk, "containers", NULL);
	json_array_foreach(list, i, row) g_ptr_array_add(rows, g_strdup(json_text(row, "name")));
	x = joined(disk);
	y = joined(rows);
	ck_assert_str_eq(x, y);
}

static void end(void)
{
	assert_in_step();
	MUST(volume_delete(d, &c1, NULL, &problem));
	MUST(volume_delete(d, &c2, NULL, &problem));
	assert_in_step();
	MUST(pool_delete(d, "p", NULL, &problem));
	close_daemon();
}

/* --- pools -------------------------------------------------------------------------------- */

START_TEST(pool_is_shown)
{
	g_autoptr(json_t) pool = NULL, list = NULL, resources = NULL;
	GError *error = NULL;

	open_daemon();
	make_pool("p", names[_i]);
	ck_assert(!pool_create(d, "p", "dir", "", NULL, NULL, &error));
	ck_assert_str_eq(error->message,
			 "The storage pool already exists: The record already exists");
	ck_assert_int_eq(error_status(error), 409);
	g_clear_error(&error);
	make_c1();
	pool = pool_show(d, "p", NULL);
	ck_assert_str_eq(json_text(pool, "status"), "Created");
	ck_assert_str_eq(json_string_value(json_array_get(json_object_get(pool, "used_by"), 0)),
			 "/1.0/instances/c1");
	ck_assert(!pool_delete(d, "p", NULL, &error));
	ck_assert_str_eq(error->message, "The storage pool is currently in use");
	g_clear_error(&error);
	resources = pool_resources(d, "p", NULL);
	ck_assert_int_gt(
		json_integer_value(json_object_get(json_object_get(resources, "space"), "total")),
		0);
	end();
}
END_TEST

START_TEST(pool_is_changed)
{
	g_autoptr(json_t) config = json_pack("{s:s}", "user.a", "b");
	g_autoptr(json_t) bad = json_pack("{s:s}", "foo", "b"), shown = NULL;
	GError *error = NULL;

	open_daemon();
	make_pool("p", "dir");
	MUST(pool_update(d, "p", "words", config, TRUE, NULL, &problem));
	shown = pool_show(d, "p", NULL);
	ck_assert_str_eq(json_text(json_object_get(shown, "config"), "user.a"), "b");
	ck_assert_str_eq(json_text(shown, "description"), "words");
	ck_assert(!pool_update(d, "p", NULL, bad, TRUE, NULL, &error));
	ck_assert_str_eq(error->message, "Invalid option \"foo\"");
	g_clear_error(&error);
	ck_assert(!pool_update(d, "p", NULL, config, FALSE, NULL, &error));
	ck_assert_str_eq(error->message, "Pool source cannot be changed when not in pending state");
	g_clear_error(&error);
	ck_assert(!pool_update(d, "q", NULL, config, FALSE, NULL, &error));
	ck_assert_int_eq(error_status(error), 404);
	g_clear_error(&error);
	end();
}
END_TEST

/* --- volumes --------------------------------------------------------------------------------- */

static int filled;

static gboolean fill_counted(const char *path, GCancellable *cancel, void *data, GError **error)
{
	filled++;
	return fill_it(path, cancel, data, error);
}

START_TEST(from_image)
{
	open_daemon();
	make_pool("p", names[_i]);
	filled = 0;
	MUST(volume_create_from_image(d, &c1, "abc", &plain, fill_counted, (void *)"image",
				      &problem));
	MUST(volume_create_from_image(d, &c2, "abc", &plain, fill_counted, (void *)"image",
				      &problem));
	ck_assert_int_eq(filled, strcmp(names[_i], "btrfs") == 0 ? 1 : 2);
	put(&c1, "changed");
	assert_text(&c2, "image");
	MUST(volume_forget_image(d, "abc", &problem));
	end();
}
END_TEST

static const char *const snapshots[] = { "s0", NULL };

START_TEST(copied_and_refreshed)
{
	struct volume_ref c2_s0 = c2, c2_s1 = c2, c1_s1 = c1;
	const char *const more[] = { "s1", NULL };

	c2_s0.snapshot = "s0";
	c2_s1.snapshot = c1_s1.snapshot = "s1";
	open_daemon();
	make_pool("p", names[_i]);
	make_c1();
	MUST(volume_copy(d, &c1, &c2, snapshots, &plain, &problem));
	assert_text(&c2, "second");
	assert_text(&c2_s0, "first");
	put(&c1, "third");
	MUST(volume_snapshot(d, &c1_s1, NULL, &plain, &problem));
	put(&c1, "fourth");
	MUST(volume_refresh(d, &c1, &c2, snapshots, more, &plain, &problem));
	assert_text(&c2, "fourth");
	assert_text(&c2_s1, "third");
	ck_assert(!volume_exists(d, &c2_s0));
	MUST(volume_delete(d, &c2, NULL, &problem));
	MUST(volume_copy(d, &c1_s0, &c2, NULL, &plain, &problem));
	assert_text(&c2, "first");
	end();
}
END_TEST

/* To the other driver's pool and back. */
START_TEST(between_pools)
{
	struct volume_ref there = { "q", "default", VOLUME_CONTAINER, "c1", NULL };
	struct volume_ref there_s0 = { "q", "default", VOLUME_CONTAINER, "c1", "s0" };

	open_daemon();
	make_pool("p", names[_i]);
	make_pool("q", names[!_i]);
	make_c1();
	MUST(volume_copy(d, &c1, &there, snapshots, &plain, &problem));
	assert_text(&there, "second");
	assert_text(&there_s0, "first");
	put(&c1, "third");
	MUST(volume_refresh(d, &c1, &there, NULL, NULL, &plain, &problem));
	assert_text(&there, "third");
	MUST(volume_copy(d, &there, &c2, snapshots, &plain, &problem));
	assert_text(&c2, "third");
	MUST(volume_delete(d, &there, NULL, &problem));
	MUST(pool_delete(d, "q", NULL, &problem));
	end();
}
END_TEST

START_TEST(renamed_and_restored)
{
	struct volume_ref s9 = c2;
	GError *error = NULL;

	s9.snapshot = "s9";
	open_daemon();
	make_pool("p", names[_i]);
	make_c1();
	MUST(volume_rename(d, &c1, "c2", NULL, &problem));
	ck_assert(!volume_exists(d, &c1));
	assert_text(&c2, "second");
	s9.snapshot = "s0";
	MUST(volume_rename(d, &s9, "s9", NULL, &problem));
	s9.snapshot = "s9";
	MUST(volume_restore(d, &s9, &plain, &problem));
	assert_text(&c2, "first");
	assert_text(&s9, "first");
	ck_assert(!volume_restore(d, &c1_s0, &plain, &error));
	ck_assert_int_eq(error_status(error), 404);
	g_clear_error(&error);
	MUST(volume_delete(d, &s9, NULL, &problem));
	ck_assert(!volume_exists(d, &s9));
	end();
}
END_TEST

static gboolean refuse(struct db *db, void *data, GError **error)
{
	(void)db;
	(void)data;
	return fail(error, 400, "refused");
}

/* What belongs together fails together. */
START_TEST(refused_leaves_nothing)
{
	struct volume_new what = { .commit = { refuse, NULL } };
	GError *error = NULL;

	open_daemon();
	make_pool("p", names[_i]);
	ck_assert(!volume_create(d, &c1, &what, fill_it, (void *)"x", &error));
	g_clear_error(&error);
	assert_in_step();
	make_c1();
	ck_assert(!volume_delete(d, &c1, &what.commit, &error));
	g_clear_error(&error);
	ck_assert(!volume_delete(d, &c1_s0, &what.commit, &error));
	g_clear_error(&error);
	ck_assert(!volume_rename(d, &c1, "c2", &what.commit, &error));
	g_clear_error(&error);
	ck_assert(!volume_copy(d, &c1, &c2, snapshots, &what, &error));
	g_clear_error(&error);
	ck_assert(!volume_restore(d, &c1_s0, &what, &error));
	g_clear_error(&error);
	assert_text(&c1, "second");
	assert_text(&c1_s0, "first");
	end();
}
END_TEST

/* --- killed ---------------------------------------------------------------------------------- */

/* Everything again and again; whatever was there before. */
static void work_until_killed(void)
{
	struct volume_ref c2_s1 = c2;

	c2_s1.snapshot = "s1";
	open_daemon();
	for (;;) {
		volume_create(d, &c1, &plain, fill_it, (void *)"first", NULL);
		volume_snapshot(d, &c1_s0, NULL, &plain, NULL);
		volume_copy(d, &c1, &c2, snapshots, &plain, NULL);
		volume_snapshot(d, &c2_s1, NULL, &plain, NULL);
		volume_restore(d, &c1_s0, &plain, NULL);
		volume_refresh(d, &c1, &c2, snapshots, snapshots, &plain, NULL);
		volume_rename(d, &c2_s1, "s2", NULL, NULL);
		volume_delete(d, &c1, NULL, NULL);
		volume_rename(d, &c2, "c1", NULL, NULL);
		volume_delete(d, &c1_s0, NULL, NULL);
		volume_delete(d, &c1, NULL, NULL);
	}
}

static void kill_once(unsigned after_us)
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		work_until_killed();
	usleep(after_us);
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

START_TEST(killed_anywhere)
{
	open_daemon();
	make_pool("p", names[_i]);
	close_daemon();
	for (unsigned i = 0; i < KILLS; i++) {
		kill_once(40000 + i * 7919 % 60000);
		open_daemon();
		assert_in_step();
		close_daemon();
	}
	open_daemon();
	end();
}
END_TEST

/* A pool that was being made leaves what it did not make. */
START_TEST(pool_killed_in_the_making)
{
	g_autofree char *source = g_dir_make_tmp("source-XXXXXX", NULL);
	g_autofree char *images = g_build_filename(source, "images", NULL);
	g_autoptr(json_t) list = NULL;

	open_daemon();
	ck_assert_int_eq(mkdir(images, 0755), 0);
	ck_assert_int_ge(db_insert(d->db, NULL,
				   "INSERT INTO storage_pools (name, driver, description, state) "
				   "VALUES ('p', 'dir', '', 0)",
				   ""),
			 0);
	ck_assert_int_ge(db_insert(d->db, NULL,
				   "INSERT INTO storage_pools_config (storage_pool_id, key, value) "
				   "SELECT id, 'source', ?1 FROM storage_pools",
				   "s", source),
			 0);
	close_daemon();
	open_daemon();
	list = db_select(d->db, NULL, "SELECT * FROM storage_pools", "");
	ck_assert_uint_eq(json_array_size(list), 0);
	ck_assert_int_eq(access(images, F_OK), 0);
	close_daemon();
	MUST(copy_delete(source, NULL, &problem));
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_loop_test(tests, pool_is_shown, 0, G_N_ELEMENTS(names));
	tcase_add_test(tests, pool_is_changed);
	tcase_add_loop_test(tests, from_image, 0, G_N_ELEMENTS(names));
	tcase_add_loop_test(tests, copied_and_refreshed, 0, G_N_ELEMENTS(names));
	tcase_add_loop_test(tests, between_pools, 0, G_N_ELEMENTS(names));
	tcase_add_loop_test(tests, renamed_and_restored, 0, G_N_ELEMENTS(names));
	tcase_add_loop_test(tests, refused_leaves_nothing, 0, G_N_ELEMENTS(names));
	tcase_add_loop_test(tests, killed_anywhere, 0, G_N_ELEMENTS(names));
	tcase_add_test(tests, pool_killed_in_the_making);
}

int main(void)
{
	return test_run("pool", fill);
}
