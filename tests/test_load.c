/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Load averages against the kernel's own arithmetic, on a small host made for the purpose. */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "load.h"
#include "support.h"

#define SECOND ((uint64_t)1000000)
#define ONE ((uint64_t)2048)

static struct {
	char *root;
	struct host host;
	struct history *history;
	struct load *load;
	time_t ahead; /* seconds that our clock is before the machine's */
} on;

/* Takes the C library's place in this program. */
int clock_gettime(clockid_t id, struct timespec *ret)
{
	int r = (int)syscall(SYS_clock_gettime, id, ret);

	ret->tv_sec += on.ahead;
	return r;
}

static void usage(const char *cgroup, uint64_t user_usec)
{
	char path[128], stat[128];

	snprintf(path, sizeof path, "cg%s/cpu.stat", cgroup);
	snprintf(stat, sizeof stat, "usage_usec %llu\nuser_usec %llu\nsystem_usec 0\n",
		 (unsigned long long)user_usec, (unsigned long long)user_usec);
	test_write(on.root, path, stat);
}

static void process(unsigned pid, char state)
{
	char path[64], stat[256];

	snprintf(path, sizeof path, "proc/%u/stat", pid);
	snprintf(stat, sizeof stat, "%u (x) %c 1 1 1 0 -1 4 1 0 0 0 3 2 0 0 20 0 1 0 5 0\n", pid,
		 state);
	test_write(on.root, path, stat);
}

static void setup(void)
{
	on.root = test_directory();
	test_write(on.root, "proc/mounts", "cgroup2 /cg cgroup2 rw 0 0\n");
	test_write(on.root, "cg/cgroup.controllers", "\n");
	test_write(on.root, "cg/c/cgroup.threads", "100\n101\n102\n");
	usage("/c", 1);
	for (unsigned pid = 100; pid <= 102; pid++)
		process(pid, 'S');
	ck_assert_int_eq(host_open(on.root, &on.host), 0);
	ck_assert_int_eq(history_open(NULL, 0, 1, &on.history), 0);
	ck_assert_int_eq(load_open(&on.host, on.history, &on.load), 0);
}

static void teardown(void)
{
	load_close(on.load);
	history_close(on.history);
	host_close(&on.host);
	test_remove(on.root);
	free(on.root);
}

/* Somebody in the container at this path reads its loadavg. */
static void want(uint64_t id, const char *cgroup)
{
	struct container c = { .id = id };
	char text[128];

	snprintf(text, sizeof text, "0::%s\n", cgroup);
	ck_assert_int_eq(cgroup_open(on.host.cgroups, text, true, &c.cgroup), 0);
	load_want(on.load, &c);
	container_free(&c);
}

static struct history_load get(uint64_t id)
{
	struct history_load load;

	history_load_get(on.history, id, &load);
	return load;
}

/* Makes the last sample so much older; before the machine's start is as good. */
static void pass(uint64_t id, uint64_t us)
{
	struct history_load load = get(id);

	ck_assert_uint_ne(load.sampled, 0);
	load.sampled -= us;
	history_load_set(on.history, id, &load);
}

/* One step of calc_load() as include/linux/sched/loadavg.h has it. */
static uint64_t kernel_step(uint64_t load, uint64_t exp, uint64_t active)
{
	uint64_t new = load *exp + active *(ONE - exp);

	return (new + (active >= load ? ONE - 1 : 0)) / ONE;
}

START_TEST(nobody_asked)
{
	process(100, 'R');
	load_tick(on.load);
	ck_assert_uint_eq(get(1).sampled, 0);
	ck_assert_uint_eq(get(1).average[0], 0);
}
END_TEST

START_TEST(first_sample)
{
	process(100, 'R');
	process(101, 'D');
	want(1, "/c");
	ck_assert_uint_eq(get(1).sampled, 0);
	load_tick(on.load);
	ck_assert_uint_gt(get(1).sampled, 0);
	ck_assert_uint_eq(get(1).average[0], kernel_step(0, 1884, 2 * ONE));
	ck_assert_uint_eq(get(1).average[1], kernel_step(0, 2014, 2 * ONE));
	ck_assert_uint_eq(get(1).average[2], kernel_step(0, 2037, 2 * ONE));
}
END_TEST

START_TEST(rises_and_falls_as_the_kernels)
{
	uint64_t expected = 0;

	process(100, 'R');
	want(1, "/c");
	for (int i = 0; i < 200; i++) {
		if (i)
			pass(1, 5 * SECOND);
		if (i == 100) {
			process(100, 'S');
			usage("/c", 2);
		}
		load_tick(on.load);
		expected = kernel_step(expected, 1884, i < 100 ? ONE : 0);
		ck_assert_uint_eq(get(1).average[0], expected);
		if (i == 99)
			ck_assert_uint_eq(get(1).average[0], ONE);
	}
	ck_assert_uint_lt(get(1).average[0], ONE / 100);
}
END_TEST

/* Missed ticks count as if each had been taken: exp(-t/1 min) is left of the average. */
START_TEST(missed_ticks)
{
	static const double minutes[3] = { 1, 5, 15 };
	static const int gaps[] = { 2, 3, 12, 60, 1000 };

	want(1, "/c");
	load_tick(on.load);
	for (size_t g = 0; g < ARRAY_SIZE(gaps); g++) {
		struct history_load load = get(1);

		for (size_t i = 0; i < 3; i++)
			load.average[i] = 10 * ONE;
		history_load_set(on.history, 1, &load);
		pass(1, (uint64_t)gaps[g] * 5 * SECOND);
		load_tick(on.load);
		for (size_t i = 0; i < 3; i++) {
			double left = 10 * exp(-gaps[g] / 12.0 / minutes[i]);

			ck_assert_double_eq_tol((double)get(1).average[i] / (double)ONE, left, 0.1);
		}
	}
}
END_TEST

/* Timers are not exact: a little early is in time, and the next may come a little later. */
START_TEST(early_tick)
{
	uint64_t before;

	want(1, "/c");
	load_tick(on.load);
	before = get(1).sampled - 4 * SECOND;
	pass(1, 4 * SECOND);
	load_tick(on.load);
	ck_assert_uint_eq(get(1).sampled, before + 5 * SECOND);
}
END_TEST

START_TEST(ticks_too_early_do_nothing)
{
	struct history_load before;

	process(100, 'R');
	want(1, "/c");
	load_tick(on.load);
	before = get(1);
	load_tick(on.load);
	pass(1, SECOND);
	load_tick(on.load);
	ck_assert_uint_eq(get(1).average[0], before.average[0]);
	ck_assert_uint_eq(get(1).sampled, before.sampled - SECOND);
}
END_TEST

/* Ticks that always come 10 % late are not 10 % too few. */
START_TEST(late_ticks_add_up)
{
	uint64_t late = 0, kept = 0;

	want(1, "/c");
	load_tick(on.load);
	for (int i = 0; i < 100; i++) {
		struct history_load load = get(1);

		load.average[0] = 100 * ONE;
		history_load_set(on.history, 1, &load);
		pass(1, 5500000);
		load_tick(on.load);
		late += get(1).average[0] < 90 * ONE; /* one period leaves 92 of 100, two 85 */
		kept += get(1).average[0] >= 90 * ONE;
	}
	ck_assert_uint_eq(late + kept, 100);
	ck_assert_uint_ge(late, 9);
	ck_assert_uint_le(late, 11);
}
END_TEST

START_TEST(goes_on_where_another_engine_stopped)
{
	uint64_t before;

	process(100, 'R');
	want(1, "/c");
	load_tick(on.load);
	before = get(1).average[0];
	load_close(on.load);
	ck_assert_int_eq(load_open(&on.host, on.history, &on.load), 0);
	want(1, "/c");
	pass(1, 5 * SECOND);
	load_tick(on.load);
	ck_assert_uint_eq(get(1).average[0], kernel_step(before, 1884, ONE));
}
END_TEST

/* No time used: all that slept still sleeps, and is not looked at. */
START_TEST(idle_containers_are_not_searched)
{
	want(1, "/c");
	load_tick(on.load);
	process(100, 'R');
	pass(1, 5 * SECOND);
	load_tick(on.load);
	ck_assert_uint_eq(get(1).average[0], 0);
	usage("/c", 5000);
	pass(1, 5 * SECOND);
	load_tick(on.load);
	ck_assert_uint_eq(get(1).average[0], kernel_step(0, 1884, ONE));
}
END_TEST

/* A task that waits for a disk uses no time, and still counts. */
START_TEST(blocked_without_cpu_time)
{
	uint64_t expected = 0;

	process(100, 'D');
	want(1, "/c");
	for (int i = 0; i < 3; i++) {
		if (i)
			pass(1, 5 * SECOND);
		load_tick(on.load);
		expected = kernel_step(expected, 1884, ONE);
		ck_assert_uint_eq(get(1).average[0], expected);
	}
}
END_TEST

START_TEST(without_cpu_accounting)
{
	test_write(on.root, "cg/c/cpu.stat", "\n");
	want(1, "/c");
	load_tick(on.load);
	process(100, 'R');
	pass(1, 5 * SECOND);
	load_tick(on.load);
	ck_assert_uint_eq(get(1).average[0], kernel_step(0, 1884, ONE));
}
END_TEST

/* Its history stays as it is: no tick touches what it does not sample. */
static void expect_dropped(uint64_t id)
{
	uint64_t before;

	load_tick(on.load);
	if (get(id).sampled)
		pass(id, 5 * SECOND);
	before = get(id).sampled;
	load_tick(on.load);
	ck_assert_uint_eq(get(id).sampled, before);
}

START_TEST(gone_containers_are_dropped)
{
	uint64_t before;

	want(1, "/c");
	want(2, "/never");
	load_tick(on.load);
	test_write(on.root, "cg/c/cgroup.threads", "");
	usage("/c", 2);
	expect_dropped(1);
	expect_dropped(2);
	/* and taken up again */
	test_write(on.root, "cg/c/cgroup.threads", "100\n");
	want(1, "/c");
	before = get(1).sampled;
	load_tick(on.load);
	ck_assert_uint_eq(get(1).sampled, before + 5 * SECOND);
}
END_TEST

START_TEST(dropped_when_nobody_asks_any_more)
{
	uint64_t before[2];

	want(1, "/c");
	want(2, "/c");
	load_tick(on.load);
	on.ahead = 200;
	want(2, "/c");
	load_tick(on.load);
	on.ahead = 305;
	load_tick(on.load); /* the last for the first */
	before[0] = get(1).sampled;
	before[1] = get(2).sampled;
	on.ahead = 400;
	load_tick(on.load);
	ck_assert_uint_eq(get(1).sampled, before[0]);
	ck_assert_uint_eq(get(2).sampled, before[1] + 95 * SECOND);
}
END_TEST

/* All in one bucket of the table, whatever its size up to 4096. */
START_TEST(many_containers)
{
	char cgroup[64], path[128];

	for (unsigned i = 0; i < 40; i++) {
		snprintf(path, sizeof path, "cg/m%u/cgroup.threads", i);
		test_write(on.root, path, i % 3 ? "100\n" : "");
		snprintf(cgroup, sizeof cgroup, "/m%u", i);
		want(7 + i * 4096ULL, cgroup);
	}
	process(100, 'R');
	for (int tick = 0; tick < 2; tick++) {
		load_tick(on.load);
		for (unsigned i = 0; i < 40; i++)
			ck_assert_int_eq(get(7 + i * 4096ULL).sampled != 0, i % 3 != 0);
	}
}
END_TEST

/* In every hierarchy of a hybrid host the copy of the place is the container's. */
START_TEST(hybrid_host)
{
	teardown();
	on.root = test_directory();
	test_write(on.root, "proc/mounts",
		   "cgroup /cg/a cgroup rw,cpu,cpuacct 0 0\ncgroup /cg/b cgroup rw,pids 0 0\n"
		   "cgroup2 /cg/u cgroup2 rw 0 0\n");
	test_write(on.root, "cg/u/cgroup.controllers", "\n");
	test_write(on.root, "cg/b/c/tasks", "100\n");
	test_write(on.root, "cg/a/d/cpuacct.usage_all", "cpu user system\n0 5000 6000\n");
	process(100, 'R');
	ck_assert_int_eq(host_open(on.root, &on.host), 0);
	ck_assert_int_eq(history_open(NULL, 0, 1, &on.history), 0);
	ck_assert_int_eq(load_open(&on.host, on.history, &on.load), 0);
	struct container c = { .id = 1 };
	ck_assert_int_eq(cgroup_open(on.host.cgroups, "3:pids:/c\n2:cpu,cpuacct:/d\n0::/\n", false,
				     &c.cgroup),
			 0);
	load_want(on.load, &c);
	container_free(&c);
	load_tick(on.load);
	ck_assert_uint_eq(get(1).average[0], kernel_step(0, 1884, ONE));
}
END_TEST

static void *wanter(void *arg)
{
	for (uint64_t i = 0; i < 2000; i++)
		want(i % 50 + *(uint64_t *)arg, "/c");
	return NULL;
}

static void *ticker(void *arg)
{
	(void)arg;
	for (int i = 0; i < 50; i++)
		load_tick(on.load);
	return NULL;
}

START_TEST(many_threads)
{
	uint64_t from[2] = { 1, 1025 };
	pthread_t thread[4];

	test_write(on.root, "cg/c/cgroup.threads", ""); /* every tick drops what was wanted */
	for (size_t i = 0; i < 2; i++) {
		ck_assert_int_eq(pthread_create(&thread[i], NULL, wanter, &from[i]), 0);
		ck_assert_int_eq(pthread_create(&thread[2 + i], NULL, ticker, NULL), 0);
	}
	for (size_t i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	test_write(on.root, "cg/c/cgroup.threads", "100\n");
	want(1, "/c");
	load_tick(on.load);
	ck_assert_uint_gt(get(1).sampled, 0);
}
END_TEST

START_TEST(close_nothing)
{
	load_close(NULL);
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, nobody_asked);
	tcase_add_test(tests, first_sample);
	tcase_add_test(tests, rises_and_falls_as_the_kernels);
	tcase_add_test(tests, missed_ticks);
	tcase_add_test(tests, early_tick);
	tcase_add_test(tests, ticks_too_early_do_nothing);
	tcase_add_test(tests, late_ticks_add_up);
	tcase_add_test(tests, goes_on_where_another_engine_stopped);
	tcase_add_test(tests, idle_containers_are_not_searched);
	tcase_add_test(tests, blocked_without_cpu_time);
	tcase_add_test(tests, without_cpu_accounting);
	tcase_add_test(tests, gone_containers_are_dropped);
	tcase_add_test(tests, dropped_when_nobody_asks_any_more);
	tcase_add_test(tests, many_containers);
	tcase_add_test(tests, hybrid_host);
	tcase_add_test(tests, many_threads);
	tcase_add_test(tests, close_nothing);
}

int main(void)
{
	return test_run("load", fill);
}
