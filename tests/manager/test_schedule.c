/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is done by itself, when, and what is said of a host that lacks something. */
#include <string.h>

#include "core/chores.h"
#include "core/warning.h"
#include "daemon.h"
#include "support.h"
#include "util/copy.h"
#include "util/error.h"
#include "util/json.h"

/* Atomic: counted on the jobs' thread. */
static gint runs_at_start, runs_soon, runs_never, failures;
static gint soon_in = 1; /* seconds */

static gboolean run_at_start(G_GNUC_UNUSED struct daemon *daemon, GError **error)
{
	g_atomic_int_inc(&runs_at_start);
	return fail(error, 500, "no luck");
}

static gboolean run_soon(G_GNUC_UNUSED struct daemon *daemon, G_GNUC_UNUSED GError **error)
{
	g_atomic_int_inc(&runs_soon);
	return TRUE;
}

static gboolean run_never(G_GNUC_UNUSED struct daemon *daemon, G_GNUC_UNUSED GError **error)
{
	g_atomic_int_inc(&runs_never);
	return TRUE;
}

static time_t never(G_GNUC_UNUSED struct daemon *daemon, G_GNUC_UNUSED time_t after)
{
	return -1;
}

static time_t soon(G_GNUC_UNUSED struct daemon *daemon, time_t after)
{
	return after + g_atomic_int_get(&soon_in);
}

static void on_failure(const struct schedule_job *job, const GError *error)
{
	ck_assert_str_eq(job->name, "start");
	ck_assert_str_eq(error->message, "no luck");
	g_atomic_int_inc(&failures);
}

static const struct schedule_job jobs[] = {
	{ "start", run_at_start, TRUE, never },
	{ "soon", run_soon, FALSE, soon },
	{ "never", run_never, FALSE, never },
	{ 0 },
};

static gboolean on_tick(G_GNUC_UNUSED void *data)
{
	return G_SOURCE_CONTINUE;
}

static gboolean on_limit(void *data)
{
	*(gboolean *)data = TRUE;
	return G_SOURCE_REMOVE;
}

/* Turns the main loop until *COUNT is at least WANTED; fails after SECONDS. */
static void await(gint *count, gint wanted, guint seconds)
{
	gboolean over = FALSE;
	guint limit = g_timeout_add_seconds(seconds, on_limit, &over);
	guint tick = g_timeout_add(20, on_tick, NULL); /* the jobs' thread wakes no loop */

	while (g_atomic_int_get(count) < wanted && !over)
		g_main_context_iteration(NULL, TRUE);
	ck_assert_int_ge(g_atomic_int_get(count), wanted);
	if (!over)
		g_source_remove(limit);
	g_source_remove(tick);
}

START_TEST(test_times)
{
	struct schedule *schedule = schedule_new(NULL, jobs, on_failure);

	await(&runs_soon, 2, 20);
	schedule_free(schedule);
	ck_assert_int_eq(runs_at_start, 1);
	ck_assert_int_eq(failures, 1);
	ck_assert_int_eq(runs_never, 0);
}
END_TEST

/* What was far away comes near when somebody says so. */
START_TEST(test_changed)
{
	struct schedule *schedule;

	g_atomic_int_set(&soon_in, 100000);
	schedule = schedule_new(NULL, jobs, NULL);
	await(&runs_at_start, 1, 20);
	g_atomic_int_set(&soon_in, 1);
	schedule_changed(schedule);
	await(&runs_soon, 1, 20);
	schedule_free(schedule);
	schedule_free(NULL);
	schedule_changed(NULL);
}
END_TEST

START_TEST(test_chores)
{
	struct daemon here = { .db = db_open("", NULL) };
	time_t after = 1700000000;

	for (const struct schedule_job *job = chores; job->name; job++) {
		g_autoptr(GError) error = NULL;
		time_t next = job->next(&here, after);

		ck_assert_msg(next == -1 || next > after, "%s", job->name);
		if (job == &chores[0])
			continue; /* works on instances: see the test of their snapshots */
		ck_assert_msg(job->run(&here, &error), "%s: %s", job->name,
			      error ? error->message : "");
	}
	db_close(here.db);
}
END_TEST

/* Nothing wakes for schedules before there are some. */
START_TEST(test_snapshots_wake)
{
	struct daemon one = { .db = db_open("", NULL) };
	time_t after = 1700000000;

	ck_assert_int_eq(chores[0].next(&one, after), -1);
	ck_assert(db_run(one.db, NULL, NULL,
			 "INSERT INTO profiles_config (profile_id, key, value) SELECT id, "
			 "'snapshots.schedule', '@daily' FROM profiles",
			 ""));
	ck_assert_int_eq(chores[0].next(&one, after), after / 60 * 60 + 60);
	db_close(one.db);
}
END_TEST

/* --- the host ---------------------------------------------------------------------------- */

static char *root;
static struct daemon here;

static void setup(void)
{
	g_autofree char *dir = NULL;

	root = g_dir_make_tmp("host-XXXXXX", NULL);
	dir = g_build_filename(root, "proc/self", NULL);
	ck_assert_int_eq(g_mkdir_with_parents(dir, 0755), 0);
	here.db = db_open("", NULL);
}

static void teardown(void)
{
	db_close(here.db);
	ck_assert(copy_delete(root, NULL, NULL));
	g_free(root);
}

static void put(const char *path, const char *text)
{
	g_autofree char *full = g_build_filename(root, path, NULL);
	g_autofree char *dir = g_path_get_dirname(full);

	g_mkdir_with_parents(dir, 0755);
	ck_assert(g_file_set_contents(full, text, -1, NULL));
}

/* How many warnings there are that are not resolved. */
static int open_warnings(void)
{
	g_autoptr(json_t) all = warning_list(here.db, NULL, NULL);
	const json_t *each;
	int count = 0;
	size_t i;

	json_array_foreach(all, i, each)
		count += strcmp(json_text(each, "status"), "resolved") != 0;
	return count;
}

static void look(gboolean apparmor)
{
	g_autoptr(GError) error = NULL;

	ck_assert_msg(chores_warn_of_host(&here, root, apparmor, &error), "%s",
		      error ? error->message : "");
}

START_TEST(test_host_without_anything)
{
	look(FALSE);
	ck_assert_int_eq(open_warnings(), 13);
}
END_TEST

/* What is there at the next start is no longer warned of. */
START_TEST(test_host_gets_better)
{
	look(FALSE);
	look(TRUE);
	ck_assert_int_eq(open_warnings(), 12);
	put("proc/self/cgroup", "0::/\n");
	put("proc/self/mountinfo", "31 23 0:28 / /cg rw shared:1 - cgroup2 cgroup2 rw\n");
	put("cg/cgroup.controllers", "cpuset cpu io memory hugetlb pids\n");
	put("cg/a/memory.swap.max", "");
	put("cg/a/io.weight", "");
	look(TRUE);
	ck_assert_int_eq(open_warnings(), 1); /* no priority of the network's on v2 */
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, test_times);
	tcase_add_test(tests, test_changed);
	tcase_add_test(tests, test_chores);
	tcase_add_test(tests, test_snapshots_wake);
	tcase_add_test(tests, test_host_without_anything);
	tcase_add_test(tests, test_host_gets_better);
}

int main(void)
{
	return test_run("schedule", fill);
}
