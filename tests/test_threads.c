/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One engine, many threads: every answer is that of the caller's own container or,
 * while somebody switches to it, the host's view. Built with -Db_sanitize=thread it
 * looks for races.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "support.h"
#include "view.h"

#define THREADS 8
#define ROUNDS 60
#define PATHS_MAX 64

static const struct {
	const char *host;
	const char *callers[3];
} machines[] = {
	{ "debian12-v2-4cpu", { "limited", "nested", "host" } },
	{ "kernel6.18-v1-2cpu", { "limited", "nested", "shifted" } },
};

/* What a caller may be told at one path. */
struct answer {
	const char *path;
	char *container, *host; /* NULL: an error */
};

static struct {
	struct lxcfs *engine;
	struct lxcfs_caller caller[ARRAY_SIZE(machines[0].callers)];
	struct answer answer[ARRAY_SIZE(machines[0].callers)][PATHS_MAX];
	size_t paths;
	atomic_int running; /* threads that read */
	atomic_uint wrong, right;
} all;

static char *render(const struct lxcfs_caller *caller, const char *path)
{
	char *text;
	size_t len;

	return lxcfs_render(all.engine, caller, path, &text, &len) == 0 ? text : NULL;
}

static bool same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

/* Load averages change from tick to tick. */
static bool is_lasting(const char *path)
{
	return strcmp(path, "/proc/loadavg") != 0;
}

/* What every caller is told while nobody else asks. */
static void expect(void)
{
	all.paths = 0;
	for (size_t row = 0; row < views_count; row++) {
		if (!views[row].render)
			continue;
		for (size_t c = 0; c < ARRAY_SIZE(all.caller); c++) {
			struct answer *a = &all.answer[c][all.paths];

			a->path = views[row].path;
			lxcfs_set_host_view(all.engine, true);
			a->host = render(&all.caller[c], a->path);
			lxcfs_set_host_view(all.engine, false);
			a->container = render(&all.caller[c], a->path);
		}
		all.paths++;
	}
}

static void check(size_t c, const struct answer *a)
{
	AUTO_FREE char *text = render(&all.caller[c], a->path);

	if (!is_lasting(a->path) || same(text, a->container) || same(text, a->host))
		atomic_fetch_add(&all.right, 1);
	else
		atomic_fetch_add(&all.wrong, 1);
}

/* The rest of the interface, whose answers other tests judge. */
static int look_at(void *arg, const char *name, mode_t type)
{
	const struct lxcfs_caller *caller = arg;
	AUTO_FREE char *path = NULL, *again = NULL, *text = NULL;
	struct stat st;
	uint64_t node;

	if (asprintf(&path, "/sys/devices/system/cpu/%s", name) < 0)
		return 1;
	if (lxcfs_stat(all.engine, caller, path, &st) == 0 && (st.st_mode & S_IFMT) != type)
		atomic_fetch_add(&all.wrong, 1);
	if (lxcfs_node(all.engine, path, &node) == 0 &&
	    (lxcfs_node_path(all.engine, node, &again) < 0 || !same(path, again)))
		atomic_fetch_add(&all.wrong, 1);
	text = render(caller, path);
	return 0;
}

static void *read_all(void *arg)
{
	size_t first = (size_t)(uintptr_t)arg;

	for (size_t round = 0; round < ROUNDS; round++) {
		size_t c = (first + round) % ARRAY_SIZE(all.caller);

		for (size_t i = 0; i < all.paths; i++)
			check(c, &all.answer[c][(first * 3 + i) % all.paths]);
		lxcfs_access(all.engine, &all.caller[c], "/proc/slabinfo", 4);
		if (round % 8 == 0)
			lxcfs_list(all.engine, &all.caller[c], "/sys/devices/system/cpu", look_at,
				   &all.caller[c]);
	}
	atomic_fetch_sub(&all.running, 1);
	return NULL;
}

/* What happens to an engine from outside, until the last reader is done. */
static void *disturb(void *arg)
{
	(void)arg;
	for (unsigned i = 0; atomic_load(&all.running); i++) {
		lxcfs_set_host_view(all.engine, i & 1);
		lxcfs_tick(all.engine);
	}
	return NULL;
}

static void forget(void)
{
	for (size_t c = 0; c < ARRAY_SIZE(all.caller); c++) {
		for (size_t i = 0; i < all.paths; i++) {
			free(all.answer[c][i].container);
			free(all.answer[c][i].host);
		}
	}
	lxcfs_close(all.engine);
}

START_TEST(each_is_told_its_own)
{
	pthread_t readers[THREADS], disturber;

	all.engine = test_engine(machines[_i].host, LXCFS_LOADAVG | LXCFS_CFS);
	for (size_t c = 0; c < ARRAY_SIZE(all.caller); c++)
		all.caller[c] = test_caller(machines[_i].host, machines[_i].callers[c]);
	expect();
	atomic_store(&all.running, THREADS);
	ck_assert_int_eq(pthread_create(&disturber, NULL, disturb, NULL), 0);
	for (uintptr_t i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&readers[i], NULL, read_all, (void *)i), 0);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(readers[i], NULL);
	pthread_join(disturber, NULL);
	ck_assert_uint_eq(all.wrong, 0);
	ck_assert_uint_eq(all.right, THREADS * ROUNDS * all.paths);
	forget();
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_loop_test(tests, each_is_told_its_own, 0, ARRAY_SIZE(machines));
}

int main(void)
{
	return test_run("threads", fill);
}
