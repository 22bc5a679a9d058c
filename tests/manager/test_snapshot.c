/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Snapshots, copies and moves with a driver that only pretends: rows and volumes stay in step. */
#include "support.h"

#include <string.h>

#include "core/copy.h"
#include "core/instance.h"
#include "core/pool.h"
#include "core/snapshot.h"
#include "core/snapshot_name.h"
#include "core/snapshot_schedule.h"
#include "core/volume.h"

/* --- names ------------------------------------------------------------------------------------ */

static const struct {
	const char *pattern, *name; /* NULL: refused */
} patterns[] = {
	{ "plain", "plain" },
	{ "x{{ creation_date|date:'2006-01-02_15-04-05' }}", "x2021-03-04_15-06-07" },
	{ "{{creation_date|date:\"06/1/2 3PM\"}}", "21/3/4 3PM" },
	{ "{{ creation_date|date:'100%d' }}", "300%d" },
	{ "a%d-{{ creation_date|date:'Jan' }}-b", "a%d-Mar-b" },
	{ "{{ nope", NULL },
	{ "{{ nope }}", NULL },
	{ "{{ creation_date|upper }}", NULL },
	{ "{{ creation_date|date:'2006 }}", NULL },
	{ "{{ creation_date|date:' }}", NULL },
};

START_TEST(patterns_show_a_moment)
{
	g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
	g_autoptr(GDateTime) when = g_date_time_new(utc, 2021, 3, 4, 15, 6, 7);
	g_autoptr(GError) error = NULL;
	g_autofree char *name = snapshot_pattern(patterns[_i].pattern, when, &error);

	ck_assert_pstr_eq(name, patterns[_i].name);
	ck_assert_int_eq(error != NULL, patterns[_i].name == NULL);
}
END_TEST

static const struct {
	const char *pattern, *taken, *name; /* NULL: refused */
} numbers[] = {
	{ "snap%d", "[]", "snap0" },
	{ "snap%d", "[\"snap0\", \"snap7\", \"snap07x\", \"other9\"]", "snap8" },
	{ "a%db", "[\"a1b\", \"a5\", \"ab\"]", "a2b" },
	{ "x", "[\"y\"]", "x" },
	{ "x", "[\"x\"]", "x-0" },
	{ "x", "[\"x\", \"x-0\", \"x-4\"]", "x-5" },
	{ "%d%d", "[]", NULL },
};

START_TEST(numbers_count_up)
{
	g_autoptr(json_t) taken = json_loads(numbers[_i].taken, 0, NULL);
	g_autofree char *name = snapshot_number(numbers[_i].pattern, taken, NULL);

	ck_assert_pstr_eq(name, numbers[_i].name);
}
END_TEST

/* --- snapshots ----------------------------------------------------------------------------------
 */

static void put_file(const char *pool, const char *name, const char *file)
{
	g_autofree char *path = daemon_path(&test_host, "storage-pools", pool, "containers", name,
					    "rootfs", file, NULL);

	ck_assert(g_file_set_contents(path, "x", 1, NULL));
}

static gboolean has_root_file(const char *pool, const char *name, const char *file)
{
	g_autofree char *path = daemon_path(&test_host, "storage-pools", pool, "containers", name,
					    "rootfs", file, NULL);

	return g_file_test(path, G_FILE_TEST_EXISTS);
}

static char *names(const char *name)
{
	g_autoptr(GPtrArray) all = instance_load_snapshots(&test_host, "default", name, NULL);
	GString *text = g_string_new(NULL);

	for (guint i = 0; all && i < all->len; i++)
		g_string_append_printf(text, "%s ", ((struct instance *)all->pdata[i])->snapshot);
	return g_string_free(text, FALSE);
}

static void assert_snapshots(const char *name, const char *wanted)
{
	g_autofree char *are = names(name);

	ck_assert_str_eq(are, wanted);
}

static struct instance *snapshot_of(const char *name, const char *snapshot)
{
	struct instance *snap = instance_load_snapshot(&test_host, "default", name, snapshot, NULL);

	ck_assert_ptr_nonnull(snap);
	return snap;
}

START_TEST(a_snapshot_and_back)
{
	g_autoptr(instance_t) inst = test_created("c1", "{\"user.a\":\"1\"}");
	g_autoptr(json_t) wanted = json_pack("{s:{s:s}}", "config", "user.a", "2");

	put_file("p", "c1", "old");
	MUST(snapshot_create(inst, "s0", NULL, NULL, &problem));
	put_file("p", "c1", "new");
	MUST(instance_update(inst, wanted, TRUE, NULL, &problem));
	REFUSED(snapshot_create(inst, "s0", NULL, NULL, &problem), 409, "already exists");
	REFUSED(snapshot_create(inst, "a b", NULL, NULL, &problem), 400, "Cannot contain space");
	REFUSED(snapshot_create(inst, "a/b", NULL, NULL, &problem), 400, "Cannot contain \"/\"");
	REFUSED(snapshot_create(inst, "..", NULL, NULL, &problem), 400, "Invalid snapshot");
	REFUSED(snapshot_restore(inst, "none", NULL, &problem), 404, "does not exist");
	MUST(snapshot_restore(inst, "c1/s0", NULL, &problem));
	ck_assert_str_eq(test_config(inst, "user.a"), "1");
	ck_assert(has_root_file("p", "c1", "old"));
	ck_assert(!has_root_file("p", "c1", "new"));
	assert_snapshots("c1", "s0 ");
}
END_TEST

START_TEST(a_restore_that_was_killed)
{
	g_autoptr(instance_t) inst = test_created("c1", "{}");

	put_file("p", "c1", "old");
	MUST(snapshot_create(inst, "s0", NULL, NULL, &problem));
	put_file("p", "c1", "new");
	/* the rows are the snapshot's, the volume is not yet */
	MUST(instance_set(inst, "volatile.restore", "s0", &problem));
	snapshot_startup(&test_host);
	ck_assert(has_root_file("p", "c1", "old"));
	ck_assert(!has_root_file("p", "c1", "new"));
	ck_assert_str_eq(test_config(inst, "volatile.restore"), "");
	MUST(snapshot_restore(inst, "s0", NULL, &problem));
	ck_assert_str_eq(test_config(inst, "volatile.restore"), "");
}
END_TEST

START_TEST(one_that_runs_is_thawed_and_restarted)
{
	g_autoptr(instance_t) inst = test_created("c1", "{}");

	MUST(instance_start(inst, NULL, &problem));
	MUST(snapshot_create(inst, "s0", NULL, NULL, &problem));
	ck_assert_int_eq(instance_state(inst), INSTANCE_RUNNING);
	ck_assert(!test_has_file("logs/c1", ".frozen"));
	MUST(snapshot_restore(inst, "s0", NULL, &problem));
	ck_assert_int_eq(instance_state(inst), INSTANCE_RUNNING);
	/* a daemon that died while it was frozen */
	ck_assert(snapshot_freeze(inst));
	ck_assert_int_eq(instance_state(inst), INSTANCE_FROZEN);
	snapshot_startup(&test_host);
	ck_assert_int_eq(instance_state(inst), INSTANCE_RUNNING);
	/* one that its user froze stays so */
	MUST(instance_freeze(inst, NULL, &problem));
	MUST(snapshot_create(inst, "s1", NULL, NULL, &problem));
	snapshot_startup(&test_host);
	ck_assert_int_eq(instance_state(inst), INSTANCE_FROZEN);
}
END_TEST

START_TEST(renamed_dated_deleted)
{
	g_autoptr(instance_t) inst = test_created("c1", "{\"snapshots.expiry\":\"1d\"}");
	g_autoptr(instance_t) snap = NULL, never = NULL, other = NULL;

	MUST(snapshot_create(inst, "s0", NULL, NULL, &problem));
	MUST(snapshot_create(inst, "s1", "0001-01-01T00:00:00Z", NULL, &problem));
	snap = snapshot_of("c1", "s0");
	never = snapshot_of("c1", "s1");
	ck_assert_int_ne(strncmp(snap->expires_at, "0001", 4), 0);
	ck_assert_str_eq(never->expires_at, "0001-01-01T00:00:00Z");
	ck_assert_str_eq(snap->pool, "p");
	REFUSED(snapshot_rename(snap, "s1", NULL, &problem), 409, "already exists");
	MUST(snapshot_rename(snap, "s2", NULL, &problem));
	other = snapshot_of("c1", "s2");
	MUST(snapshot_set_expiry(other, "2030-01-02T03:04:05Z", NULL, &problem));
	MUST(instance_reload(other, &problem));
	ck_assert_str_eq(other->expires_at, "2030-01-02T03:04:05Z");
	MUST(snapshot_delete(other, NULL, &problem));
	assert_snapshots("c1", "s1 ");
	ck_assert(!test_has_file("storage-pools/p/containers-snapshots/c1", "s2"));
}
END_TEST

START_TEST(by_the_clock)
{
	g_autoptr(instance_t)
		stopped = test_created("c1", "{\"snapshots.schedule\":\"30 12 * * *\"}");
	g_autoptr(instance_t)
		always = test_created("c2", "{\"snapshots.schedule\":\"30 12 * * *\","
					    "\"snapshots.schedule.stopped\":\"true\"}");
	g_autoptr(instance_t) broken = test_created("c3", "{\"snapshots.schedule\":\"30 12 * * *\","
							  "\"snapshots.schedule.stopped\":\"true\","
							  "\"snapshots.pattern\":\"{{\"}");
	struct tm tm = {
		.tm_year = 121, .tm_mday = 4, .tm_hour = 12, .tm_min = 30, .tm_isdst = -1
	};
	time_t noon = mktime(&tm);

	snapshot_schedule_run(&test_host, noon - 60);
	assert_snapshots("c2", "");
	snapshot_schedule_run(&test_host, noon);
	assert_snapshots("c1", "");
	assert_snapshots("c2", "snap0 ");
	assert_snapshots("c3", "");
	MUST(snapshot_create(always, "past", "2021-01-04T12:29:00Z", NULL, &problem));
	MUST(snapshot_create(always, "soon", "2099-01-04T12:31:00Z", NULL, &problem));
	snapshot_schedule_run(&test_host, noon + 24 * 60 * 60 + 60);
	assert_snapshots("c2", "snap0 soon ");
}
END_TEST

/* --- copies and moves
 * ------------------------------------------------------------------------------ */

static struct instance *copied(struct instance *source, const char *name, const char *pool,
			       gboolean snapshots)
{
	g_autoptr(json_t) devices = json_pack("{s:{s:s, s:s, s:s}}", "root", "type", "disk", "path",
					      "/", "pool", pool);
	struct instance_new new = { .project = "default", .name = name, .devices = devices };
	GError *error = NULL;
	struct instance *inst = copy_create(source, &new, snapshots, &error);

	ck_assert_msg(inst != NULL, "%s", error ? error->message : "");
	return inst;
}

START_TEST(copies_bring_their_snapshots)
{
	g_autoptr(instance_t) inst = test_created("c1", "{\"user.a\":\"1\"}");
	g_autoptr(instance_t) whole = NULL, alone = NULL, early = NULL, snap = NULL, theirs = NULL;

	MUST(pool_create(&test_host, "q", "dir", "", NULL, NULL, &problem));
	MUST(snapshot_create(inst, "s0", NULL, NULL, &problem));
	put_file("p", "c1", "new");
	whole = copied(inst, "c2", "q", TRUE);
	alone = copied(inst, "c3", "p", FALSE);
	snap = snapshot_of("c1", "s0");
	early = copied(snap, "c4", "p", TRUE);
	ck_assert_str_eq(json_text(whole->config, "user.a"), "1");
	ck_assert_str_ne(json_text(whole->config, "volatile.uuid"),
			 json_text(inst->config, "volatile.uuid"));
	ck_assert_str_eq(json_text(whole->config, "volatile.apply_template"), "copy");
	ck_assert(has_root_file("q", "c2", "new"));
	ck_assert(!has_root_file("p", "c4", "new"));
	assert_snapshots("c2", "s0 ");
	assert_snapshots("c3", "");
	theirs = snapshot_of("c2", "s0");
	ck_assert_str_eq(theirs->pool, "q");
	ck_assert_str_eq(theirs->created_at, snap->created_at);
}
END_TEST

START_TEST(refreshed)
{
	g_autoptr(instance_t) inst = test_created("c1", "{}");
	g_autoptr(instance_t) copy = NULL, snap = NULL;

	MUST(snapshot_create(inst, "s0", NULL, NULL, &problem));
	copy = copied(inst, "c2", "p", TRUE);
	put_file("p", "c1", "new");
	MUST(snapshot_create(inst, "s1", NULL, NULL, &problem));
	snap = snapshot_of("c1", "s0");
	MUST(snapshot_delete(snap, NULL, &problem));
	MUST(copy_refresh(inst, copy, TRUE, NULL, &problem));
	assert_snapshots("c2", "s1 ");
	ck_assert(has_root_file("p", "c2", "new"));
	MUST(instance_start(copy, NULL, &problem));
	REFUSED(copy_refresh(inst, copy, TRUE, NULL, &problem), 400, "Instance is running");
	REFUSED(copy_refresh(inst, inst, TRUE, NULL, &problem), 400, "the same");
}
END_TEST

START_TEST(moved)
{
	g_autoptr(instance_t) inst = test_created("c1", "{}");
	g_autoptr(instance_t) after = NULL, snap = NULL;
	struct copy_place to = { NULL, "c2", "q" };
	struct copy_place nowhere = { NULL, NULL, "none" };

	MUST(pool_create(&test_host, "q", "dir", "", NULL, NULL, &problem));
	MUST(snapshot_create(inst, "s0", NULL, NULL, &problem));
	REFUSED(copy_move(inst, &nowhere, NULL, NULL, &problem), 404, "pool not found");
	MUST(instance_start(inst, NULL, &problem));
	REFUSED(copy_move(inst, &to, NULL, NULL, &problem), 400, "must not be running");
	MUST(instance_stop(inst, TRUE, 0, NULL, &problem));
	MUST(copy_move(inst, &to, NULL, NULL, &problem));
	ck_assert(!test_has_instance("c1"));
	ck_assert(!test_has_file("storage-pools/p/containers", "c1"));
	ck_assert(!test_has_file("containers", "c1"));
	after = instance_load(&test_host, "default", "c2", NULL);
	ck_assert_ptr_nonnull(after);
	ck_assert_str_eq(after->pool, "q");
	snap = snapshot_of("c2", "s0");
	ck_assert_str_eq(snap->pool, "q");
	MUST(snapshot_restore(after, "s0", NULL, &problem));
	MUST(instance_lock(&test_host, "default", "c2", "x", NULL, &problem)); /* nothing is held */
	instance_unlock(&test_host, "default", "c2", NULL);
}
END_TEST

START_TEST(a_move_that_was_killed)
{
	g_autoptr(instance_t) inst = test_created("c1", "{}");
	struct volume_ref here = instance_volume(inst);
	struct volume_ref stray = { "q", "default", VOLUME_CONTAINER, "c1", NULL };
	struct volume_new what = { 0 };

	MUST(pool_create(&test_host, "q", "dir", "", NULL, NULL, &problem));
	MUST(volume_copy(&test_host, &here, &stray, NULL, &what, &problem));
	copy_startup(&test_host);
	ck_assert(!volume_exists(&test_host, &stray));
	ck_assert(volume_exists(&test_host, &here));
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_checked_fixture(tests, test_host_setup, test_host_teardown);
	tcase_add_loop_test(tests, patterns_show_a_moment, 0, G_N_ELEMENTS(patterns));
	tcase_add_loop_test(tests, numbers_count_up, 0, G_N_ELEMENTS(numbers));
	tcase_add_test(tests, a_snapshot_and_back);
	tcase_add_test(tests, a_restore_that_was_killed);
	tcase_add_test(tests, one_that_runs_is_thawed_and_restarted);
	tcase_add_test(tests, renamed_dated_deleted);
	tcase_add_test(tests, by_the_clock);
	tcase_add_test(tests, copies_bring_their_snapshots);
	tcase_add_test(tests, refreshed);
	tcase_add_test(tests, moved);
	tcase_add_test(tests, a_move_that_was_killed);
}

int main(void)
{
	return test_run("manager_snapshot", fill);
}
