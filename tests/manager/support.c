/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A daemon whose instances only pretend to run, and the running of tests; see support.h. */
#include "support.h"

#include <stdlib.h>

#include "core/instance.h"
#include "core/instances.h"
#include "core/pool.h"
#include "util/copy.h"

struct daemon test_host;
struct test_fake test_fake;

int test_run(const char *name, test_fill fill)
{
	Suite *suite = suite_create(name);
	TCase *tests = tcase_create(name);
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tests, 60);
	fill(tests);
	suite_add_tcase(suite, tests);
	srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_SILENT);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

json_t *test_json(const char *text)
{
	g_autofree char *copy = g_strdup(text);
	json_t *value;

	for (char *p = copy; *p; p++)
		if (*p == '\'')
			*p = '"';
	value = json_parse(copy, strlen(copy), NULL);
	ck_assert_msg(value != NULL, "%s", text);
	return value;
}

/* --- the driver ------------------------------------------------------------------------------ */

/* A daemon's threads ask for states while the test changes them. */
static struct {
	GMutex mutex;
	GHashTable *by_id;
} states;

static enum instance_state get_state(const struct instance_place *place, pid_t *ret_init)
{
	enum instance_state state;

	g_mutex_lock(&states.mutex);
	state = (enum instance_state)GPOINTER_TO_INT(g_hash_table_lookup(states.by_id, place->id));
	g_mutex_unlock(&states.mutex);
	if (ret_init)
		*ret_init = 0;
	return state ? state : INSTANCE_STOPPED;
}

void test_set_state(const char *id, enum instance_state state)
{
	g_mutex_lock(&states.mutex);
	g_hash_table_insert(states.by_id, g_strdup(id), GINT_TO_POINTER(state));
	g_mutex_unlock(&states.mutex);
}

static gboolean do_start(const struct instance_spec *spec, GError **error)
{
	if (test_fake.fail_start)
		return fail(error, 500, "no start");
	test_set_state(spec->place.id, INSTANCE_RUNNING);
	return TRUE;
}

static gboolean do_stop(const struct instance_place *place, GError **error)
{
	(void)error;
	test_set_state(place->id, INSTANCE_STOPPED);
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
	test_set_state(place->id, INSTANCE_FROZEN);
	return TRUE;
}

static gboolean do_unfreeze(const struct instance_place *place, GError **error)
{
	(void)error;
	test_set_state(place->id, INSTANCE_RUNNING);
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
	if (test_fake.fail_limit)
		return fail(error, 500, "no limit");
	g_string_append_printf(test_fake.limits, "%s=%s ", key, json_text(spec->config, key));
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

/* --- the daemon ------------------------------------------------------------------------------ */

void test_db_setup(void)
{
	test_host = (struct daemon){ .db = db_open("", NULL) };
	ck_assert_ptr_nonnull(test_host.db);
}

void test_db_teardown(void)
{
	db_close(test_host.db);
}

void test_host_setup(void)
{
	g_autofree char *pools = NULL;

	memset(&test_fake, 0, sizeof test_fake);
	states.by_id = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	test_fake.limits = g_string_new(NULL);
	test_host = (struct daemon){ .dir = g_dir_make_tmp("instance-XXXXXX", NULL) };
	pools = daemon_path(&test_host, "storage-pools", NULL);
	ck_assert_int_eq(g_mkdir_with_parents(pools, 0711), 0);
	test_host.db = db_open("", NULL);
	ck_assert_ptr_nonnull(test_host.db);
	test_host.events = event_hub_new();
	test_host.operations = operations_new();
	test_host.instances = instances_new(&driver);
	MUST(pool_startup(&test_host, NULL, &problem));
	MUST(pool_create(&test_host, "p", "dir", "", NULL, NULL, &problem));
}

void test_host_teardown(void)
{
	instances_wait(&test_host);
	operations_free(test_host.operations);
	instances_free(test_host.instances);
	pools_free(test_host.pools);
	event_hub_free(test_host.events);
	db_close(test_host.db);
	copy_delete(test_host.dir, NULL, NULL);
	g_free(test_host.dir);
	g_hash_table_unref(states.by_id);
	g_string_free(test_fake.limits, TRUE);
}

struct instance *test_create(const char *name, const char *config, gboolean ephemeral,
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
	return instance_create(&test_host, &new, instance_content_none, NULL, error);
}

struct instance *test_created(const char *name, const char *config)
{
	GError *error = NULL;
	struct instance *inst = test_create(name, config, FALSE, &error);

	ck_assert_msg(inst != NULL, "%s", error ? error->message : "");
	return inst;
}

gboolean test_has_instance(const char *name)
{
	g_autoptr(instance_t) inst = instance_load(&test_host, "default", name, NULL);

	return inst != NULL;
}

gboolean test_has_file(const char *first, const char *second)
{
	g_autofree char *path = daemon_path(&test_host, first, second, NULL);

	return g_file_test(path, G_FILE_TEST_EXISTS) || g_file_test(path, G_FILE_TEST_IS_SYMLINK);
}

const char *test_config(struct instance *inst, const char *key)
{
	MUST(instance_reload(inst, &problem));
	return json_text(inst->config, key);
}
