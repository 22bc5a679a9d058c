/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stat: the kernel's lines with the container's numbers, and none of others'. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "support.h"
#include "view.h"

static const char host[] = "cpu  511 1 966 5546 13 2 45 3 4 5\n"
			   "cpu0 170 0 237 1355 10 0 12 0 0 0\n"
			   "cpu7 341 0 729 4191 3 0 33 0 0 0\n"
			   "intr 228896 0 4 5456 64970\n"
			   "ctxt 987654\n"
			   "btime 1700000000\n"
			   "processes 4711\n"
			   "procs_running 3\n"
			   "procs_blocked 2\n"
			   "softirq 328896 0 39557 4\n";

static void snapshot_fill(struct snapshot *s)
{
	test_host_file(s, HOST_STAT, host);
	ck_assert_int_eq(cpulist_parse("0,7", &s->cpus), 0);
	s->cpu_count = 2;
	s->cpu_times = calloc(2, sizeof *s->cpu_times);
	ck_assert_ptr_nonnull(s->cpu_times);
	s->cpu_times[0] = (struct cpu_times){ 10000, 29999, 1000000 };
	s->cpu_times[1] = (struct cpu_times){ 5000, 0, 2000000 };
	s->cpu_total = (struct cpu_times){ 15000, 29999, 3000000 };
	s->tasks.processes = 42;
	s->tasks.blocked = 1;
	s->boot_offset = -5999999;
}

START_TEST(lines_are_the_hosts_numbers_are_ours)
{
	AUTO_SNAPSHOT struct snapshot s = { 0 };
	AUTO_TEXT struct text t = { 0 };

	snapshot_fill(&s);
	stat_render(&s, &t);
	ck_assert_int_eq(t.error, 0);
	ck_assert_str_eq(text_str(&t), "cpu  1 0 2 300 0 0 0 0 0 0\n"
				       "cpu0 1 0 2 100 0 0 0 0 0 0\n"
				       "cpu7 0 0 0 200 0 0 0 0 0 0\n"
				       "intr 0\n"
				       "ctxt 0\n"
				       "btime 1700000005\n"
				       "processes 42\n"
				       "procs_running 1\n"
				       "procs_blocked 1\n"
				       "softirq 0 0 0 0\n");
}
END_TEST

START_TEST(a_clock_of_its_own_moves_the_boot)
{
	AUTO_SNAPSHOT struct snapshot s = { 0 };
	AUTO_TEXT struct text t = { 0 };

	snapshot_fill(&s);
	s.boot_offset = INT64_C(86400) * 1000000;
	s.tasks.running = 7;
	stat_render(&s, &t);
	ck_assert_ptr_nonnull(strstr(text_str(&t), "\nbtime 1699913600\n"));
	ck_assert_ptr_nonnull(strstr(text_str(&t), "\nprocs_running 7\n"));
}
END_TEST

START_TEST(unknown_and_broken_lines_tell_nothing)
{
	AUTO_SNAPSHOT struct snapshot s = { 0 };
	AUTO_TEXT struct text t = { 0 };

	snapshot_fill(&s);
	s.boot_offset = 0;
	test_host_file(&s, HOST_STAT, "cpu  1 2\n\nfuture 12 13\nbtime\nprocesses x\nlast");
	stat_render(&s, &t);
	ck_assert_str_eq(strstr(text_str(&t), "\nfuture") + 1, "future 0 0\n"
							       "btime 0\n"
							       "processes 42\n"
							       "last\n");
}
END_TEST

START_TEST(five_hundred_cpus)
{
	AUTO_SNAPSHOT struct snapshot s = { .cpu_count = 512 };
	AUTO_TEXT struct text t = { 0 };
	size_t lines = 0;

	test_host_file(&s, HOST_STAT, host);
	ck_assert_int_eq(cpulist_parse("1-512", &s.cpus), 0);
	s.cpu_times = calloc(512, sizeof *s.cpu_times);
	ck_assert_ptr_nonnull(s.cpu_times);
	s.cpu_times[511].user = UINT64_MAX;
	stat_render(&s, &t);
	for (const char *p = text_str(&t); (p = strchr(p, '\n')); p++)
		lines++;
	ck_assert_uint_eq(lines, 513 + 7);
	ck_assert_ptr_nonnull(strstr(text_str(&t), "\ncpu512 1844674407370955 0 0 0 "));
}
END_TEST

static const struct {
	const char *host, *caller;
	unsigned flags;
	const char *name;
} machines[] = {
	{ "debian12-v2-4cpu", "limited", 0, "limited" },
	{ "debian12-v2-4cpu", "limited", LXCFS_CFS, "limited-cfs" },
	{ "debian12-v2-4cpu", "nested", 0, "nested" },
	{ "debian12-v2-4cpu", "nested", LXCFS_CFS, "nested-cfs" },
	{ "debian12-v2-4cpu", "shifted", 0, "shifted" },
	{ "kernel6.18-v1-2cpu", "limited", 0, "limited" },
	{ "kernel6.18-v1-2cpu", "limited", LXCFS_CFS, "limited-cfs" },
	{ "kernel6.18-v1-2cpu", "nested", 0, "nested" },
};

START_TEST(real_machines)
{
	const char *name = machines[_i].host;
	struct lxcfs *engine = test_engine(name, machines[_i].flags);
	struct lxcfs_caller caller = test_caller(name, machines[_i].caller);
	AUTO_FREE char *text = test_render(engine, &caller, "/proc/stat");
	AUTO_FREE char *again = test_render(engine, &caller, "/proc/stat");
	char golden[256];

	snprintf(golden, sizeof golden, "stat/%s.%s", name, machines[_i].name);
	test_golden(golden, text);
	ck_assert_str_eq(again, text);
	lxcfs_close(engine);
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_test(tests, lines_are_the_hosts_numbers_are_ours);
	tcase_add_test(tests, a_clock_of_its_own_moves_the_boot);
	tcase_add_test(tests, unknown_and_broken_lines_tell_nothing);
	tcase_add_test(tests, five_hundred_cpus);
	tcase_add_loop_test(tests, real_machines, 0, ARRAY_SIZE(machines));
}

int main(void)
{
	return test_run("stat", fill);
}
