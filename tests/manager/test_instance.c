/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Instances with a driver that only pretends: rows, volumes, locks and states stay in step. */
#include "support.h"

#include <string.h>

#include "core/instance.h"
#include "core/instance_type.h"
#include "core/instances.h"

/* --- create ----------------------------------------------------------------------------------- */

START_TEST(created)
{
	g_autoptr(instance_t) inst = test_created("c1", "{\"user.a\":\"b\"}");

	ck_assert_str_eq(json_text(inst->config, "user.a"), "b");
	ck_assert_str_eq(json_text(inst->config, "volatile.apply_template"), "create");
	ck_assert_str_eq(json_text(inst->config, "volatile.last_state.idmap"), "[]");
	ck_assert_uint_eq(strlen(json_text(inst->config, "volatile.uuid")), 36);
	ck_assert(g_str_has_prefix(json_text(inst->config, "volatile.idmap.next"), "[{\"Isuid\""));
	ck_assert_str_eq(inst->pool, "p");
	ck_assert(test_has_file("containers", "c1"));
	ck_assert(test_has_file("storage-pools/p/containers/c1", "backup.yaml"));
	ck_assert(test_has_file("storage-pools/p/containers/c1", "rootfs"));
	REFUSED(test_create("c1", "{}", FALSE, &problem) != NULL, 409, "entry already exists");
}
END_TEST

static const struct {
	const char *name, *config, *words;
} wrong[] = {
	{ "c_1", "{}", "Invalid instance name: " },
	{ "1c", "{}", "Invalid instance name: " },
	{ "", "{}", "Invalid instance name: " },
	{ "../x", "{}", "Invalid instance name: " },
	{ "c1", "{\"limits.foo\":\"1\"}",
	  "Failed creating instance record: Unknown configuration key: limits.foo" },
	{ "c1", "{\"limits.cpu\":\"x\"}", "Failed creating instance record: " },
	{ "c1", "{\"security.privileged\":\"maybe\"}", "Failed creating instance record: " },
};

START_TEST(refused_without_a_trace)
{
	g_autofree char *volumes = NULL;
	GDir *dir;

	REFUSED(test_create(wrong[_i].name, wrong[_i].config, FALSE, &problem) != NULL, 400,
		wrong[_i].words);
	ck_assert(!test_has_instance(wrong[_i].name));
	volumes = daemon_path(&test_host, "storage-pools", "p", "containers", NULL);
	dir = g_dir_open(volumes, 0, NULL);
	ck_assert_ptr_nonnull(dir);
	ck_assert_ptr_null(g_dir_read_name(dir));
	g_dir_close(dir);
}
END_TEST

START_TEST(isolated_ones_share_no_ids)
{
	g_autoptr(instance_t) a = test_created("a", "{\"security.idmap.isolated\":\"true\"}");
	g_autoptr(instance_t) b = test_created("b", "{\"security.idmap.isolated\":\"true\"}");
	g_autoptr(idmap_t) left = instance_idmap_next(a, NULL);
	g_autoptr(idmap_t) right = instance_idmap_next(b, NULL);
	gint64 first = idmap_uid_to_host(left, 0), second = idmap_uid_to_host(right, 0);

	ck_assert_int_gt(first, 0);
	ck_assert_int_ge(ABS(first - second), IDMAP_ISOLATED_SIZE);
}
END_TEST

/* --- start and stop -----------------------------------------------------------------------------
 */

START_TEST(started_and_stopped)
{
	g_autoptr(instance_t) inst = test_created("c1", "{}");

	MUST(instance_start(inst, NULL, &problem));
	ck_assert_str_eq(test_config(inst, "volatile.last_state.power"), "RUNNING");
	ck_assert_str_eq(test_config(inst, "volatile.apply_template"), "");
	ck_assert_str_eq(json_text(inst->config, "volatile.idmap.current"),
			 json_text(inst->config, "volatile.idmap.next"));
	ck_assert_str_ne(inst->last_used_at, "1970-01-01T00:00:00Z");
	REFUSED(instance_start(inst, NULL, &problem), 400, "The instance is already running");
	REFUSED(instance_delete(inst, NULL, &problem), 400, "Instance is running");
	REFUSED(instance_rename(inst, "c2", NULL, &problem), 400,
		"Renaming of running container not allowed");
	REFUSED(instance_stop(inst, FALSE, 7, NULL, &problem), 500, "it does not want to");
	ck_assert_str_eq(test_config(inst, "volatile.last_state.power"), "RUNNING");
	MUST(instance_freeze(inst, NULL, &problem));
	ck_assert_int_eq(instance_state(inst), INSTANCE_FROZEN);
	MUST(instance_stop(inst, FALSE, -1, NULL, &problem));
	ck_assert_str_eq(test_config(inst, "volatile.last_state.power"), "STOPPED");
	REFUSED(instance_stop(inst, TRUE, 0, NULL, &problem), 400,
		"The instance is already stopped");
}
END_TEST

START_TEST(a_start_that_fails_leaves_nothing)
{
	g_autoptr(instance_t) inst = test_created("c1", "{}");

	test_fake.fail_start = TRUE;
	REFUSED(instance_start(inst, NULL, &problem), 500, "no start");
	ck_assert(!instance_is_running(inst));
	ck_assert_str_ne(test_config(inst, "volatile.last_state.power"), "RUNNING");
	ck_assert_str_eq(test_config(inst, "volatile.apply_template"), "create");
	ck_assert(!test_has_file("devices", "c1"));
	test_fake.fail_start = FALSE;
	MUST(instance_start(inst, NULL, &problem));
}
END_TEST

START_TEST(ephemeral_ones_go_when_they_stop)
{
	g_autoptr(instance_t) inst = test_create("c1", "{}", TRUE, NULL);

	MUST(instance_start(inst, NULL, &problem));
	MUST(instance_restart(inst, TRUE, 0, NULL, &problem));
	ck_assert(test_has_instance("c1"));
	MUST(instance_stop(inst, TRUE, 0, NULL, &problem));
	ck_assert(!test_has_instance("c1"));
	ck_assert(!test_has_file("containers", "c1"));
	ck_assert(!test_has_file("storage-pools/p/containers", "c1"));
}
END_TEST

START_TEST(one_that_ends_by_itself)
{
	g_autoptr(instance_t) inst = test_created("c1", "{}");
	g_autoptr(instance_t) gone = test_create("c2", "{}", TRUE, NULL);

	MUST(instance_start(inst, NULL, &problem));
	MUST(instance_start(gone, NULL, &problem));
	test_set_state("c1", INSTANCE_STOPPED);
	test_set_state("c2", INSTANCE_STOPPED);
	MUST(instance_on_stop(inst, "stop", &problem));
	MUST(instance_on_stop(gone, "stop", &problem));
	instances_wait(&test_host);
	ck_assert_str_eq(test_config(inst, "volatile.last_state.power"), "STOPPED");
	ck_assert(!test_has_instance("c2"));
	MUST(instance_start(inst, NULL, &problem));
	test_set_state("c1", INSTANCE_STOPPED);
	MUST(instance_on_stop(inst, "reboot", &problem));
	instances_wait(&test_host);
	ck_assert_int_eq(instance_state(inst), INSTANCE_RUNNING);
}
END_TEST

/* What ran when the daemon was killed, and what ended while there was none. */
START_TEST(a_new_daemon_goes_on)
{
	g_autoptr(instance_t) runs = test_created("c1", "{}");
	g_autoptr(instance_t) ended = test_created("c2", "{}");
	g_autoptr(instance_t) gone = test_create("c3", "{}", TRUE, NULL);
	g_autoptr(instance_t) fresh = test_create("c4", "{}", TRUE, NULL);

	MUST(instance_start(ended, NULL, &problem));
	MUST(instance_start(gone, NULL, &problem));
	test_set_state("c1", INSTANCE_RUNNING);
	test_set_state("c2", INSTANCE_STOPPED);
	test_set_state("c3", INSTANCE_STOPPED);
	MUST(instances_startup(&test_host, &problem));
	ck_assert_str_eq(test_config(runs, "volatile.last_state.power"), "RUNNING");
	ck_assert(!test_has_instance("c3"));
	ck_assert(test_has_instance("c4")); /* it has never run */
	instances_autostart(&test_host);
	instances_wait(&test_host);
	ck_assert_int_eq(instance_state(ended), INSTANCE_RUNNING);
	ck_assert_int_eq(instance_state(fresh), INSTANCE_STOPPED);
}
END_TEST

START_TEST(shutdown_remembers_who_ran)
{
	g_autoptr(instance_t) a = test_created("a", "{\"boot.stop.priority\":\"5\"}");
	g_autoptr(instance_t) b = test_created("b", "{}");

	MUST(instance_start(a, NULL, &problem));
	instances_shutdown(&test_host);
	ck_assert_int_eq(instance_state(a), INSTANCE_STOPPED);
	ck_assert_str_eq(test_config(a, "volatile.last_state.power"), "RUNNING");
	ck_assert_str_eq(test_config(b, "volatile.last_state.power"), "");
}
END_TEST

/* --- change --------------------------------------------------------------------------------------
 */

static gboolean update(struct instance *inst, const char *text, GError **error)
{
	g_autoptr(json_t) wanted = json_loads(text, 0, NULL);

	ck_assert_ptr_nonnull(wanted);
	return instance_update(inst, wanted, TRUE, NULL, error);
}

START_TEST(what_the_daemon_knows_stays)
{
	g_autoptr(instance_t) inst = test_created("c1", "{}");
	g_autofree char *next = g_strdup(json_text(inst->config, "volatile.idmap.next"));
	g_autofree char *before = instance_etag(inst), *after = NULL;

	MUST(update(inst,
		    "{\"config\":{\"user.x\":\"1\",\"volatile.idmap.next\":\"[]\","
		    "\"volatile.last_state.power\":\"BROKEN\"},\"description\":\"d\"}",
		    &problem));
	ck_assert_str_eq(test_config(inst, "volatile.idmap.next"), next);
	ck_assert_str_eq(test_config(inst, "volatile.last_state.power"), "");
	ck_assert_str_eq(test_config(inst, "user.x"), "1");
	ck_assert_str_eq(inst->description, "d");
	after = instance_etag(inst);
	ck_assert_str_ne(before, after);
	MUST(update(inst, "{\"config\":{\"user.x\":\"\"}}", &problem));
	ck_assert_str_eq(test_config(inst, "user.x"), "");
}
END_TEST

START_TEST(limits_reach_what_runs_or_nothing_changes)
{
	g_autoptr(instance_t) inst = test_created("c1", "{\"limits.memory\":\"32MiB\"}");

	MUST(instance_start(inst, NULL, &problem));
	g_string_truncate(test_fake.limits, 0);
	MUST(update(inst, "{\"config\":{\"limits.memory\":\"64MiB\",\"user.a\":\"1\"}}", &problem));
	ck_assert_str_eq(test_fake.limits->str, "limits.memory=64MiB ");
	test_fake.fail_limit = TRUE;
	REFUSED(update(inst, "{\"config\":{\"limits.memory\":\"128MiB\"}}", &problem), 500,
		"no limit");
	ck_assert_str_eq(test_config(inst, "limits.memory"), "64MiB");
	test_fake.fail_limit = FALSE;
	REFUSED(update(inst, "{\"config\":{\"limits.foo\":\"1\"}}", &problem), 400,
		"Unknown configuration key: limits.foo");
	REFUSED(update(inst, "{\"profiles\":[\"nope\"]}", &problem), 404, "not found");
	REFUSED(update(inst, "{\"devices\":{}}", &problem), 400, "No root device could be found");
	ck_assert_str_eq(test_config(inst, "limits.memory"), "64MiB");
}
END_TEST

START_TEST(nics_keep_their_addresses)
{
	g_autoptr(instance_t) inst = test_created("c1", "{}");
	g_autofree char *mac = NULL;

	MUST(update(inst,
		    "{\"devices\":{\"root\":{\"type\":\"disk\",\"path\":\"/\",\"pool\":\"p\"},"
		    "\"n\":{\"type\":\"nic\",\"nictype\":\"p2p\"}}}",
		    &problem));
	mac = g_strdup(test_config(inst, "volatile.n.hwaddr"));
	ck_assert(g_str_has_prefix(mac, "00:16:3e:"));
	ck_assert_str_eq(test_config(inst, "volatile.n.name"), "eth0");
	MUST(update(inst, "{\"description\":\"x\"}", &problem));
	ck_assert_str_eq(test_config(inst, "volatile.n.hwaddr"), mac);
	MUST(update(inst,
		    "{\"devices\":{\"root\":{\"type\":\"disk\",\"path\":\"/\",\"pool\":\"p\"}}}",
		    &problem));
	ck_assert_str_eq(test_config(inst, "volatile.n.hwaddr"), "");
}
END_TEST

START_TEST(renamed)
{
	g_autoptr(instance_t) inst = test_created("c1", "{}");
	g_autoptr(instance_t) other = test_created("c2", "{}");
	g_autofree char *cloud =
		g_strdup(json_text(inst->config, "volatile.cloud-init.instance-id"));

	REFUSED(instance_rename(inst, "c2", NULL, &problem), 409, "Name \"c2\" already in use");
	REFUSED(instance_rename(inst, "c_3", NULL, &problem), 400, "Invalid instance name: ");
	MUST(instance_rename(inst, "c3", NULL, &problem));
	ck_assert(!test_has_instance("c1") && test_has_instance("c3") && test_has_instance("c2"));
	ck_assert(!test_has_file("containers", "c1") && test_has_file("containers", "c3"));
	ck_assert(test_has_file("storage-pools/p/containers/c3", "rootfs"));
	ck_assert_str_ne(test_config(inst, "volatile.cloud-init.instance-id"), cloud);
	MUST(instance_start(inst, NULL, &problem));
}
END_TEST

START_TEST(deleted)
{
	g_autoptr(instance_t)
		inst = test_created("c1", "{\"security.protection.delete\":\"true\"}");

	REFUSED(instance_delete(inst, NULL, &problem), 400, "Instance is protected");
	MUST(update(inst, "{\"config\":{}}", &problem));
	MUST(instance_delete(inst, NULL, &problem));
	ck_assert(!test_has_instance("c1"));
	ck_assert(!test_has_file("storage-pools/p/containers", "c1"));
	REFUSED(instance_delete(inst, NULL, &problem), 404, "Instance not found");
}
END_TEST

/* --- locks
 * ----------------------------------------------------------------------------------------- */

START_TEST(busy)
{
	g_autoptr(instance_t) inst = test_created("c1", "{}");
	g_autofree char *action = NULL;

	MUST(instance_lock(&test_host, "default", "c1", "start", NULL, &problem));
	action = instance_busy(&test_host, "default", "c1");
	ck_assert_str_eq(action, "start");
	REFUSED(instance_delete(inst, NULL, &problem), 400,
		"Instance is busy running a \"start\" operation");
	REFUSED(update(inst, "{}", &problem), 400,
		"Instance is busy running a \"start\" operation");
	instance_unlock(&test_host, "default", "c1", NULL);
	ck_assert_ptr_null(instance_busy(&test_host, "default", "c1"));
	MUST(update(inst, "{}", &problem));
}
END_TEST

static void *start_thread(void *data)
{
	GError *error = NULL;

	instance_start(data, NULL, &error);
	return error;
}

/* Who wants what is being done already waits for it, and fails as it does. */
START_TEST(the_same_twice)
{
	g_autoptr(instance_t) inst = test_created("c1", "{}");
	g_autoptr(GError) failed = NULL, seen = NULL;
	GThread *thread;

	MUST(instance_lock(&test_host, "default", "c1", "start", NULL, &problem));
	thread = g_thread_new("start", start_thread, inst);
	g_usleep(20000);
	fail(&failed, 500, "it broke");
	instance_unlock(&test_host, "default", "c1", failed);
	seen = g_thread_join(thread);
	/* The thread may have come only after the end: then it starts it itself. */
	if (seen)
		ck_assert_str_eq(seen->message, "it broke");
	else
		ck_assert_int_eq(instance_state(inst), INSTANCE_RUNNING);
}
END_TEST

/* What a hook brings about late is in nobody's way. */
START_TEST(late_hooks)
{
	for (int i = 0; i < 20; i++) {
		g_autoptr(instance_t) inst = test_created("c1", "{}");

		MUST(instance_start(inst, NULL, &problem));
		MUST(instance_stop(inst, TRUE, 0, NULL, &problem));
		MUST(instance_on_stop(inst, "stop", &problem));
		MUST(instance_delete(inst, NULL, &problem));
	}
}
END_TEST

/* --- sizes by name
 * ------------------------------------------------------------------------------------ */

START_TEST(types)
{
	g_autoptr(json_t) config = json_object();

	MUST(instance_type_apply("c0.5-m0.2", config, &problem));
	ck_assert_str_eq(json_text(config, "limits.cpu"), "1");
	ck_assert_str_eq(json_text(config, "limits.cpu.allowance"), "50%");
	ck_assert_str_eq(json_text(config, "limits.memory"), "204MB");
	REFUSED(instance_type_apply("foo", config, &problem), 400,
		"Provided instance type doesn't exist: foo");
	REFUSED(instance_type_apply("c-1", config, &problem), 400, "doesn't exist");
	REFUSED(instance_type_apply("c1-", config, &problem), 400, "doesn't exist");
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_checked_fixture(tests, test_host_setup, test_host_teardown);
	tcase_add_test(tests, created);
	tcase_add_loop_test(tests, refused_without_a_trace, 0, G_N_ELEMENTS(wrong));
	tcase_add_test(tests, isolated_ones_share_no_ids);
	tcase_add_test(tests, started_and_stopped);
	tcase_add_test(tests, a_start_that_fails_leaves_nothing);
	tcase_add_test(tests, ephemeral_ones_go_when_they_stop);
	tcase_add_test(tests, one_that_ends_by_itself);
	tcase_add_test(tests, a_new_daemon_goes_on);
	tcase_add_test(tests, shutdown_remembers_who_ran);
	tcase_add_test(tests, what_the_daemon_knows_stays);
	tcase_add_test(tests, limits_reach_what_runs_or_nothing_changes);
	tcase_add_test(tests, nics_keep_their_addresses);
	tcase_add_test(tests, renamed);
	tcase_add_test(tests, deleted);
	tcase_add_test(tests, busy);
	tcase_add_test(tests, the_same_twice);
	tcase_add_test(tests, late_hooks);
	tcase_add_test(tests, types);
}

int main(void)
{
	return test_run("manager_instance", fill);
}
