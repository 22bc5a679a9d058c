/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which CPUs a container has, and whose time is spread over them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "gather_cpu.h"
#include "support.h"

#define S ((uint64_t)1000000)

static char *machine;
static struct host host;
static struct container container;
static struct history *history;

static void engine_start(const char *cgroup)
{
	ck_assert_int_eq(host_open(machine, &host), 0);
	ck_assert_int_eq(cgroup_open(host.cgroups, cgroup, true, &container.cgroup), 0);
}

/* A v2 machine with four CPUs, three of them online. */
static void setup(void)
{
	machine = test_directory();
	test_write(machine, "proc/mounts", "cgroup2 /cg cgroup2 rw 0 0\n");
	test_write(machine, "proc/stat",
		   "cpu  6 0 0 0 0 0 0 0 0 0\n"
		   "cpu0 10 0 0 100 0 0 0 0 0 0\n"
		   "cpu1 10 0 0 100 0 0 0 0 0 0\n"
		   "cpu3 10 0 0 100 0 0 0 0 0 0\n"
		   "intr 5\n");
	test_write(machine, "sys/devices/system/cpu/online", "0-1,3\n");
	test_write(machine, "cg/cgroup.controllers", "cpuset cpu\n");
	test_write(machine, "cg/c/cpuset.cpus.effective", "1-3\n");
	test_write(machine, "cg/c/cpu.max", "max 100000\n");
	test_write(machine, "cg/c/cpu.stat",
		   "usage_usec 3000000\nuser_usec 2000000\nsystem_usec 1000000\n");
	ck_assert_int_eq(history_open(NULL, 0, 4, &history), 0);
	container = (struct container){ .own_pidns = true, .id = 1 };
}

static void teardown(void)
{
	container_free(&container);
	history_close(history);
	host_close(&host);
	test_remove(machine);
	free(machine);
}

static void check_cpus(unsigned flags, const char *expected)
{
	AUTO_SNAPSHOT struct snapshot s = { 0 };
	AUTO_TEXT struct text text = { 0 };

	ck_assert_int_eq(gather_cpus(&host, &container, flags, NULL, &s), 0);
	cpulist_print(&s.cpus, &text);
	ck_assert_str_eq(text_str(&text), expected);
	ck_assert_uint_eq(s.cpu_count, cpulist_count(&s.cpus));
}

START_TEST(effective_and_online)
{
	engine_start("0::/c\n");
	check_cpus(0, "1,3");
}
END_TEST

START_TEST(no_cpuset_is_all_that_is_online)
{
	test_write(machine, "cg/c/cpuset.cpus.effective", "2\n");
	engine_start("0::/c\n");
	check_cpus(0, "0-1,3");
	test_write(machine, "cg/c/cpuset.cpus.effective", "what\n");
	check_cpus(0, "0-1,3");
}
END_TEST

START_TEST(the_quota_counts_only_where_asked_for)
{
	static const struct {
		const char *max, *cpus;
	} quotas[] = {
		{ "max 100000\n", "1,3" },    { "1000 100000\n", "1" },
		{ "100000 100000\n", "1" },   { "100001 100000\n", "1,3" },
		{ "900000 100000\n", "1,3" }, { "18446744073709551614 1\n", "1,3" },
		{ "broken\n", "1,3" },
	};

	engine_start("0::/c\n");
	for (size_t i = 0; i < ARRAY_SIZE(quotas); i++) {
		test_write(machine, "cg/c/cpu.max", quotas[i].max);
		check_cpus(LXCFS_CFS, quotas[i].cpus);
		check_cpus(0, "1,3");
	}
}
END_TEST

START_TEST(the_host_keeps_its_own)
{
	AUTO_SNAPSHOT struct snapshot s = { 0 };

	engine_start("0::/\n");
	container.own_pidns = false;
	ck_assert_int_eq(gather_cpus(&host, &container, 0, NULL, &s), -ENODATA);
	ck_assert_uint_eq(s.cpu_count, 0);
	/* but a container in the root cgroup has CPUs that can be told */
	container.own_pidns = true;
	check_cpus(0, "0-1,3");
	test_write(machine, "sys/devices/system/cpu/online", "\xff");
	ck_assert_int_eq(gather_cpus(&host, &container, 0, NULL, &s), -ENODATA);
}
END_TEST

START_TEST(every_number_is_explained)
{
	AUTO_SNAPSHOT struct snapshot s = { .have = NEED_AGE, .now = 10 * S };
	struct origins why = { .lines = { 0 } };

	test_write(machine, "cg/c/cpu.max", "150000 100000\n");
	engine_start("0::/c\n");
	ck_assert_int_eq(gather_cpus(&host, &container, LXCFS_CFS, &why, &s), 0);
	ck_assert_int_eq(gather_cpu_times(&host, history, &container, &why, &s), 0);
	ck_assert_ptr_nonnull(strstr(text_str(&why.lines), "0-1,3"));
	ck_assert_ptr_nonnull(strstr(text_str(&why.lines), "cpuset.cpus.effective"));
	ck_assert_ptr_nonnull(strstr(text_str(&why.lines), "cpu.max"));
	ck_assert_ptr_nonnull(strstr(text_str(&why.lines), "cpu.stat"));
	text_free(&why.lines);
}
END_TEST

/* Gathers both at a moment; the snapshot is to be freed. */
static struct snapshot times_at(uint64_t now, unsigned flags)
{
	struct snapshot s = { .have = NEED_AGE | NEED_HOST_STAT, .now = now };

	ck_assert_int_eq(gather_cpus(&host, &container, flags, NULL, &s), 0);
	ck_assert_int_eq(gather_cpu_times(&host, history, &container, NULL, &s), 0);
	return s;
}

START_TEST(time_is_spread_as_the_hosts_cpus_are_busy)
{
	AUTO_SNAPSHOT struct snapshot first = { 0 }, later = { 0 };

	engine_start("0::/c\n");
	first = times_at(10 * S, 0);
	ck_assert_uint_eq(first.cpu_total.user, 2 * S);
	ck_assert_uint_eq(first.cpu_total.system, S);
	ck_assert_uint_eq(first.cpu_total.idle, 17 * S);
	ck_assert_uint_eq(first.cpu_times[0].user, S);
	test_write(machine, "proc/stat",
		   "cpu  6 0 0 0 0 0 0 0 0 0\n"
		   "cpu0 90 0 0 100 0 0 0 0 0 0\n"
		   "cpu1 10 0 0 900 99 0 0 9 0 0\n"
		   "cpu3 20 1 1 100 0 1 1 0 0 0\n");
	test_write(machine, "cg/c/cpu.stat", "user_usec 2500000\nsystem_usec 1000000\n");
	later = times_at(11 * S, 0);
	ck_assert_uint_eq(later.cpu_times[0].user, S);
	ck_assert_uint_eq(later.cpu_times[1].user, S + S / 2);
}
END_TEST

/* Without the host's text only the total is up to date, but for the first answer. */
START_TEST(the_total_needs_no_host_text)
{
	AUTO_SNAPSHOT struct snapshot first = { .have = NEED_AGE, .now = 10 * S };
	AUTO_SNAPSHOT struct snapshot later = { .have = NEED_AGE, .now = 11 * S };

	engine_start("0::/c\n");
	ck_assert_int_eq(gather_cpus(&host, &container, 0, NULL, &first), 0);
	ck_assert_int_eq(gather_cpu_times(&host, history, &container, NULL, &first), 0);
	ck_assert_uint_eq(first.cpu_total.idle, 17 * S);
	ck_assert_uint_gt(first.host[HOST_STAT].len, 0);
	test_write(machine, "cg/c/cpu.stat", "user_usec 2500000\nsystem_usec 1000000\n");
	ck_assert_int_eq(gather_cpus(&host, &container, 0, NULL, &later), 0);
	ck_assert_int_eq(gather_cpu_times(&host, history, &container, NULL, &later), 0);
	ck_assert_uint_eq(later.cpu_total.user, 2 * S + S / 2);
	ck_assert_uint_eq(later.cpu_times[0].user, first.cpu_times[0].user);
	ck_assert_uint_eq(later.host[HOST_STAT].len, 0);
}
END_TEST

/* A host whose /proc/stat says nothing of use: evenly, then. */
START_TEST(broken_host_stat)
{
	AUTO_SNAPSHOT struct snapshot first = { 0 }, later = { 0 };

	test_write(machine, "proc/stat", "cpu1\ncpu3 1 99999999999999999999999 x\ncpux 1\n");
	engine_start("0::/c\n");
	first = times_at(10 * S, 0);
	test_write(machine, "cg/c/cpu.stat", "user_usec 2500000\nsystem_usec 1000000\n");
	later = times_at(11 * S, 0);
	ck_assert_uint_eq(later.cpu_times[0].user, S + S / 4);
	ck_assert_uint_eq(later.cpu_times[1].user, S + S / 4);
}
END_TEST

START_TEST(the_quota_bounds_the_time)
{
	AUTO_SNAPSHOT struct snapshot first = { 0 }, later = { 0 };
	struct cpu_times *a, *b;

	test_write(machine, "cg/c/cpu.max", "150000 100000\n");
	engine_start("0::/c\n");
	first = times_at(10 * S, LXCFS_CFS);
	later = times_at(12 * S, LXCFS_CFS);
	a = &first.cpu_total;
	b = &later.cpu_total;
	ck_assert_uint_eq(a->user + a->system + a->idle, 15 * S);
	ck_assert_uint_eq(b->user + b->system + b->idle, 18 * S);
}
END_TEST

START_TEST(what_cannot_be_known)
{
	AUTO_SNAPSHOT struct snapshot s = { .have = NEED_AGE, .now = 10 * S };

	engine_start("0::/c\n");
	ck_assert_int_eq(gather_cpu_times(&host, history, &container, NULL, &s), -ENODATA);
	ck_assert_int_eq(gather_cpus(&host, &container, 0, NULL, &s), 0);
	s.have = 0;
	ck_assert_int_eq(gather_cpu_times(&host, history, &container, NULL, &s), -ENODATA);
	s.have = NEED_AGE;
	test_write(machine, "cg/c/cpu.stat", "usage_usec 1\n");
	ck_assert_int_eq(gather_cpu_times(&host, history, &container, NULL, &s), -ENODATA);
	ck_assert_ptr_null(s.cpu_times);
}
END_TEST

/* v1 tells a container's own time on each CPU. */
START_TEST(own_time_per_cpu)
{
	AUTO_SNAPSHOT struct snapshot s = { 0 };

	test_write(machine, "proc/mounts",
		   "cgroup /v1/cpuacct cgroup rw,cpuacct 0 0\n"
		   "cgroup /v1/cpuset cgroup rw,cpuset 0 0\n");
	test_write(machine, "v1/cpuacct/c/cpuacct.usage_all",
		   "cpu user system\n0 0 0\n1 3000000000 1000000000\n2 0 0\n3 1000000000 0\n");
	test_write(machine, "v1/cpuset/c/cpuset.effective_cpus", "1,3\n");
	engine_start("1:cpuacct:/c\n2:cpuset:/c\n");
	s = times_at(10 * S, 0);
	ck_assert_uint_eq(s.cpu_total.user, 4 * S);
	ck_assert_uint_eq(s.cpu_times[0].user + s.cpu_times[0].system, 4 * S);
	ck_assert_uint_eq(s.cpu_times[0].idle, 6 * S);
	ck_assert_uint_eq(s.cpu_times[1].user + s.cpu_times[1].system, S);
	ck_assert_uint_eq(s.cpu_times[1].idle, 9 * S);
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, effective_and_online);
	tcase_add_test(tests, no_cpuset_is_all_that_is_online);
	tcase_add_test(tests, the_quota_counts_only_where_asked_for);
	tcase_add_test(tests, the_host_keeps_its_own);
	tcase_add_test(tests, every_number_is_explained);
	tcase_add_test(tests, time_is_spread_as_the_hosts_cpus_are_busy);
	tcase_add_test(tests, broken_host_stat);
	tcase_add_test(tests, the_total_needs_no_host_text);
	tcase_add_test(tests, the_quota_bounds_the_time);
	tcase_add_test(tests, what_cannot_be_known);
	tcase_add_test(tests, own_time_per_cpu);
}

int main(void)
{
	return test_run("gather_cpu", fill);
}
