/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Backups: out, in again, and what is no backup. */
#include "support.h"

#include <unistd.h>

#include "core/backup.h"
#include "core/instance.h"
#include "core/snapshot.h"

/* --- out -----------------------------------------------------------------------------------------
 */

static gboolean backed_up(struct instance *inst, const char *name, const char *expires,
			  gboolean alone, GError **error)
{
	struct backup_wish wish = { name, expires, "none", alone };

	return backup_create(inst, &wish, NULL, NULL, error);
}

static void put_file(const char *name, const char *file)
{
	g_autofree char *path = daemon_path(&test_host, "storage-pools", "p", "containers", name,
					    "rootfs", file, NULL);

	ck_assert(g_file_set_contents(path, "x", 1, NULL));
}

static gboolean has_root_file(const char *below, const char *file)
{
	g_autofree char *path = daemon_path(&test_host, "storage-pools", "p", below, "rootfs", file,
					    NULL);

	return g_file_test(path, G_FILE_TEST_EXISTS);
}

static guint count_files(void)
{
	g_autofree char *base = daemon_path(&test_host, "backups", "instances", NULL);
	GDir *dir = g_dir_open(base, 0, NULL);
	const char *name;
	guint count = 0;

	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *path = g_build_filename(base, name, NULL);
		GDir *below = g_dir_open(path, 0, NULL);

		while (below && g_dir_read_name(below))
			count++;
		if (below)
			g_dir_close(below);
	}
	if (dir)
		g_dir_close(dir);
	return count;
}

START_TEST(an_object)
{
	g_autoptr(instance_t) inst = test_created("c1", "{}");
	g_autofree char *first = backup_next_name(inst, NULL);
	g_autoptr(json_t) shown = NULL, list = NULL;
	int fd;

	ck_assert_str_eq(first, "backup0");
	MUST(backed_up(inst, "b", "2030-01-02T03:04:05Z", TRUE, &problem));
	REFUSED(backed_up(inst, "b", NULL, TRUE, &problem), 409, "Backup \"c1/b\" already exists");
	REFUSED(backed_up(inst, "a/b", NULL, TRUE, &problem), 400, "may not contain slashes");
	REFUSED(backed_up(inst, "..", NULL, TRUE, &problem), 400, "Invalid backup name");
	shown = backup_show(inst, "b", NULL);
	ck_assert_str_eq(json_text(shown, "name"), "b");
	ck_assert_str_eq(json_text(shown, "expires_at"), "2030-01-02T03:04:05Z");
	ck_assert(json_is_true(json_object_get(shown, "instance_only")));
	MUST(backup_rename(inst, "b", "c", NULL, &problem));
	MUST(instance_rename(inst, "c2", NULL, &problem));
	fd = backup_open(inst, "c", NULL);
	ck_assert_int_ge(fd, 0);
	close(fd);
	list = backup_list(inst, NULL);
	ck_assert_uint_eq(json_array_size(list), 1);
	ck_assert_uint_eq(count_files(), 1);
	MUST(backup_delete(inst, "c", NULL, &problem));
	REFUSED(backup_delete(inst, "c", NULL, &problem), 404, "Instance backup not found");
	ck_assert_uint_eq(count_files(), 0);
}
END_TEST

START_TEST(past_their_time_or_without_a_row)
{
	g_autoptr(instance_t) inst = test_created("c1", "{}");
	g_autofree char *id = g_strdup_printf("%" G_GINT64_FORMAT, inst->id);
	g_autofree char *half = daemon_path(&test_host, "backups", "instances", id, ".half", NULL);
	g_autofree char *gone = daemon_path(&test_host, "backups", "instances", "999", NULL);

	MUST(backed_up(inst, "old", "2020-01-02T03:04:05Z", TRUE, &problem));
	MUST(backed_up(inst, "new", "2099-01-02T03:04:05Z", TRUE, &problem));
	MUST(backed_up(inst, "ever", NULL, TRUE, &problem));
	ck_assert(g_file_set_contents(half, "x", 1, NULL));
	ck_assert_int_eq(g_mkdir_with_parents(gone, 0700), 0);
	ck_assert_uint_eq(count_files(), 4);
	backup_startup(&test_host);
	ck_assert_uint_eq(count_files(), 3);
	ck_assert(!g_file_test(gone, G_FILE_TEST_EXISTS));
	backup_expire(&test_host);
	ck_assert_uint_eq(count_files(), 2);
	MUST(instance_delete(inst, NULL, &problem));
	ck_assert_uint_eq(count_files(), 0);
}
END_TEST

/* --- in
 * ------------------------------------------------------------------------------------------- */

static GInputStream *read_backup(const struct instance *inst, const char *name)
{
	g_autofree char *id = g_strdup_printf("%" G_GINT64_FORMAT, inst->id);
	g_autofree char *path = daemon_path(&test_host, "backups", "instances", id, name, NULL);
	char *text = NULL;
	gsize len = 0;

	ck_assert(g_file_get_contents(path, &text, &len, NULL));
	return g_memory_input_stream_new_from_data(text, (gssize)len, g_free);
}

static gboolean imported(GInputStream *input, const char *name, const char *pool, GError **error)
{
	struct backup_import *import = backup_import_new(&test_host, input, error);
	gboolean ok = import && backup_import_run(import, "default", name, pool, NULL, NULL, error);

	backup_import_free(import);
	return ok;
}

START_TEST(out_and_in_again)
{
	g_autoptr(instance_t) inst = test_created("c1", "{\"user.a\":\"22.04\"}");
	g_autoptr(GInputStream) input = NULL, again = NULL, third = NULL;
	g_autoptr(instance_t) copy = NULL, snap = NULL;

	MUST(snapshot_create(inst, "s0", NULL, NULL, &problem));
	put_file("c1", "new");
	MUST(backed_up(inst, "b", NULL, FALSE, &problem));
	input = read_backup(inst, "b");
	again = read_backup(inst, "b");
	third = read_backup(inst, "b");
	MUST(imported(input, "c2", NULL, &problem));
	copy = instance_load(&test_host, "default", "c2", NULL);
	ck_assert_ptr_nonnull(copy);
	ck_assert_str_eq(json_text(copy->config, "user.a"), "22.04");
	ck_assert_str_eq(copy->created_at, inst->created_at);
	ck_assert(has_root_file("containers/c2", "new"));
	ck_assert(has_root_file("containers-snapshots/c2/s0", "."));
	ck_assert(!has_root_file("containers-snapshots/c2/s0", "new"));
	snap = instance_load_snapshot(&test_host, "default", "c2", "s0", NULL);
	ck_assert_ptr_nonnull(snap);
	ck_assert_str_eq(json_text(snap->config, "user.a"), "22.04");
	MUST(snapshot_restore(copy, "s0", NULL, &problem));
	REFUSED(imported(again, "c2", NULL, &problem), 409, "entry already exists");
	REFUSED(imported(third, "c3", "none", &problem), 404, "Storage pool not found");
	ck_assert(!test_has_instance("c3"));
}
END_TEST

static const struct {
	const char *bytes, *words;
} broken[] = {
	{ "", "backup/index.yaml" },
	{ "no tar at all, but some text that is longer than a magic number", "backup/index.yaml" },
};

START_TEST(what_is_no_backup)
{
	g_autoptr(GInputStream)
		input = g_memory_input_stream_new_from_data(broken[_i].bytes, -1, NULL);

	REFUSED(imported(input, "c1", NULL, &problem), 400, broken[_i].words);
	ck_assert(!test_has_instance("c1"));
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_checked_fixture(tests, test_host_setup, test_host_teardown);
	tcase_add_test(tests, an_object);
	tcase_add_test(tests, past_their_time_or_without_a_row);
	tcase_add_test(tests, out_and_in_again);
	tcase_add_loop_test(tests, what_is_no_backup, 0, G_N_ELEMENTS(broken));
}

int main(void)
{
	return test_run("manager_backup", fill);
}
