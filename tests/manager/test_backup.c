/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Backups: out, in again, and what is no backup. */
#include "support.h"

#include <string.h>
#include <unistd.h>

#include "core/backup.h"
#include "core/instance.h"
#include "core/instances.h"
#include "core/pool.h"
#include "core/snapshot.h"
#include "db/instance.h"
#include "util/copy.h"

/* --- the driver ------------------------------------------------------------------------------ */

static struct {
	GMutex mutex;
	GHashTable *states; /* id -> state */
	gboolean fail_start, fail_limit;
	GString *limits; /* the keys that were applied */
} fake;

static enum instance_state get_state(const struct instance_place *place, pid_t *ret_init)
{
	enum instance_state state;

	g_mutex_lock(&fake.mutex);
	state = (enum instance_state)GPOINTER_TO_INT(g_hash_table_lookup(fake.states, place->id));
	g_mutex_unlock(&fake.mutex);
	if (ret_init)
		*ret_init = 0;
	return state ? state : INSTANCE_STOPPED;
}

static void set_state(const char *id, enum instance_state state)
{
	g_mutex_lock(&fake.mutex);
	g_hash_table_insert(fake.states, g_strdup(id), GINT_TO_POINTER(state));
	g_mutex_unlock(&fake.mutex);
}

static gboolean do_start(const struct instance_spec *spec, GError **error)
{
	if (fake.fail_start)
		return fail(error, 500, "no start");
	set_state(spec->place.id, INSTANCE_RUNNING);
	return TRUE;
}

static gboolean do_stop(const struct instance_place *place, GError **error)
{
	(void)error;
	set_state(place->id, INSTANCE_STOPPED);
	return TRUE;
}

static gboolean do_shutdown(const struct instance_place *place, int timeout, GError **error)
{
	if (timeout == 7)
		return fail(error, 500, "it does not want to");
	return do_stop(place, error);
}

static gboolean do_freeze(const struct instance_place *place, GError **error)
{
	(void)error;
	set_state(place->id, INSTANCE_FROZEN);
	return TRUE;
}

static gboolean do_unfreeze(const struct instance_place *place, GError **error)
{
	(void)error;
	set_state(place->id, INSTANCE_RUNNING);
	return TRUE;
}

static gboolean do_stopped(const struct instance_spec *spec, GError **error)
{
	(void)spec, (void)error;
	return TRUE;
}

static void do_forget(const struct instance_spec *spec)
{
	(void)spec;
}

static gboolean do_limit(const struct instance_spec *spec, const char *key, GError **error)
{
	if (fake.fail_limit)
		return fail(error, 500, "no limit");
	g_string_append_printf(fake.limits, "%s=%s ", key, json_text(spec->config, key));
	return TRUE;
}

static const struct instance_driver driver = {
	.name = "fake",
	.start = do_start,
	.shutdown = do_shutdown,
	.stop = do_stop,
	.freeze = do_freeze,
	.unfreeze = do_unfreeze,
	.stopped = do_stopped,
	.forget = do_forget,
	.state = get_state,
	.limit = do_limit,
};

/* --- the daemon --------------------------------------------------------------------------------
 */

static struct daemon host;

#define MUST(call)                                                            \
	do {                                                                  \
		GError *problem = NULL;                                       \
		gboolean ok_ = call;                                          \
		ck_assert_msg(ok_, "%s", problem ? problem->message : #call); \
	} while (0)

#define REFUSED(call, status, words)                                                    \
	do {                                                                            \
		g_autoptr(GError) problem = NULL;                                       \
		gboolean ok_ = call;                                                    \
		ck_assert_msg(!ok_, "taken: %s", #call);                                \
		ck_assert_msg(strstr(problem->message, words), "%s", problem->message); \
		ck_assert_int_eq(error_status(problem), status);                        \
	} while (0)

static void setup(void)
{
	g_autofree char *pools = NULL;

	memset(&fake, 0, sizeof fake);
	fake.states = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	fake.limits = g_string_new(NULL);
	host = (struct daemon){ .dir = g_dir_make_tmp("instance-XXXXXX", NULL) };
	pools = daemon_path(&host, "storage-pools", NULL);
	ck_assert_int_eq(g_mkdir_with_parents(pools, 0711), 0);
	host.db = db_open("", NULL);
	ck_assert_ptr_nonnull(host.db);
	host.events = event_hub_new();
	host.operations = operations_new();
	host.instances = instances_new(&driver);
	MUST(pool_startup(&host, NULL, &problem));
	MUST(pool_create(&host, "p", "dir", "", NULL, NULL, &problem));
}

static void teardown(void)
{
	instances_wait(&host);
	operations_free(host.operations);
	instances_free(host.instances);
	pools_free(host.pools);
	event_hub_free(host.events);
	db_close(host.db);
	copy_delete(host.dir, NULL, NULL);
	g_free(host.dir);
	g_hash_table_unref(fake.states);
	g_string_free(fake.limits, TRUE);
}

static struct instance *make(const char *name, const char *config, gboolean ephemeral,
			     GError **error)
{
	g_autoptr(json_t) map = json_loads(config, 0, NULL);
	g_autoptr(json_t) devices = json_pack("{s:{s:s, s:s, s:s}}", "root", "type", "disk", "path",
					      "/", "pool", "p");
	g_autoptr(json_t) profiles = json_pack("[s]", "default");
	struct instance_new new = {
		.project = "default",
		.name = name,
		.config = map,
		.devices = devices,
		.profiles = profiles,
		.ephemeral = ephemeral,
		.template = "create",
	};

	ck_assert_ptr_nonnull(map);
	return instance_create(&host, &new, instance_content_none, NULL, error);
}

static struct instance *made(const char *name, const char *config)
{
	GError *error = NULL;
	struct instance *inst = make(name, config, FALSE, &error);

	ck_assert_msg(inst != NULL, "%s", error ? error->message : "");
	return inst;
}

static gboolean is_there(const char *name)
{
	g_autoptr(instance_t) inst = instance_load(&host, "default", name, NULL);

	return inst != NULL;
}

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
	g_autofree char *path = daemon_path(&host, "storage-pools", "p", "containers", name,
					    "rootfs", file, NULL);

	ck_assert(g_file_set_contents(path, "x", 1, NULL));
}

static gboolean has_root_file(const char *below, const char *file)
{
	g_autofree char *path = daemon_path(&host, "storage-pools", "p", below, "rootfs", file,
					    NULL);

	return g_file_test(path, G_FILE_TEST_EXISTS);
}

static guint count_files(void)
{
	g_autofree char *base = daemon_path(&host, "backups", "instances", NULL);
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
	g_autoptr(instance_t) inst = made("c1", "{}");
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
	g_autoptr(instance_t) inst = made("c1", "{}");
	g_autofree char *id = g_strdup_printf("%" G_GINT64_FORMAT, inst->id);
	g_autofree char *half = daemon_path(&host, "backups", "instances", id, ".half", NULL);
	g_autofree char *gone = daemon_path(&host, "backups", "instances", "999", NULL);

	MUST(backed_up(inst, "old", "2020-01-02T03:04:05Z", TRUE, &problem));
	MUST(backed_up(inst, "new", "2099-01-02T03:04:05Z", TRUE, &problem));
	MUST(backed_up(inst, "ever", NULL, TRUE, &problem));
	ck_assert(g_file_set_contents(half, "x", 1, NULL));
	ck_assert_int_eq(g_mkdir_with_parents(gone, 0700), 0);
	ck_assert_uint_eq(count_files(), 4);
	backup_startup(&host);
	ck_assert_uint_eq(count_files(), 3);
	ck_assert(!g_file_test(gone, G_FILE_TEST_EXISTS));
	backup_expire(&host);
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
	g_autofree char *path = daemon_path(&host, "backups", "instances", id, name, NULL);
	char *text = NULL;
	gsize len = 0;

	ck_assert(g_file_get_contents(path, &text, &len, NULL));
	return g_memory_input_stream_new_from_data(text, (gssize)len, g_free);
}

static gboolean imported(GInputStream *input, const char *name, const char *pool, GError **error)
{
	struct backup_import *import = backup_import_new(&host, input, error);
	gboolean ok = import && backup_import_run(import, "default", name, pool, NULL, NULL, error);

	backup_import_free(import);
	return ok;
}

START_TEST(out_and_in_again)
{
	g_autoptr(instance_t) inst = made("c1", "{\"user.a\":\"22.04\"}");
	g_autoptr(GInputStream) input = NULL, again = NULL, third = NULL;
	g_autoptr(instance_t) copy = NULL, snap = NULL;

	MUST(snapshot_create(inst, "s0", NULL, NULL, &problem));
	put_file("c1", "new");
	MUST(backed_up(inst, "b", NULL, FALSE, &problem));
	input = read_backup(inst, "b");
	again = read_backup(inst, "b");
	third = read_backup(inst, "b");
	MUST(imported(input, "c2", NULL, &problem));
	copy = instance_load(&host, "default", "c2", NULL);
	ck_assert_ptr_nonnull(copy);
	ck_assert_str_eq(json_text(copy->config, "user.a"), "22.04");
	ck_assert_str_eq(copy->created_at, inst->created_at);
	ck_assert(has_root_file("containers/c2", "new"));
	ck_assert(has_root_file("containers-snapshots/c2/s0", "."));
	ck_assert(!has_root_file("containers-snapshots/c2/s0", "new"));
	snap = instance_load_snapshot(&host, "default", "c2", "s0", NULL);
	ck_assert_ptr_nonnull(snap);
	ck_assert_str_eq(json_text(snap->config, "user.a"), "22.04");
	MUST(snapshot_restore(copy, "s0", NULL, &problem));
	REFUSED(imported(again, "c2", NULL, &problem), 409, "entry already exists");
	REFUSED(imported(third, "c3", "none", &problem), 404, "Storage pool not found");
	ck_assert(!is_there("c3"));
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
	ck_assert(!is_there("c1"));
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, an_object);
	tcase_add_test(tests, past_their_time_or_without_a_row);
	tcase_add_test(tests, out_and_in_again);
	tcase_add_loop_test(tests, what_is_no_backup, 0, G_N_ELEMENTS(broken));
}

int main(void)
{
	return test_run("manager_backup", fill);
}
