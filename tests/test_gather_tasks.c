/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Counting tasks in small hosts made for the purpose: threads, odd names, what vanishes. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "gather_tasks.h"
#include "support.h"

#define CGROUP_TEXT "1:pids:/c\n0::/c\n"

/* A host with one hierarchy, and a container /c in it. */
static struct {
	char *root;
	struct host host;
	struct history *history;
	struct container container;
} on;

static void setup(void)
{
	on.root = test_directory();
	test_write(on.root, "proc/mounts", "cgroup /sys/fs/cgroup/pids cgroup rw,pids 0 0\n");
	test_write(on.root, "sys/fs/cgroup/pids/tasks", "1\n");
	test_write(on.root, "sys/fs/cgroup/pids/c/tasks", "");
	ck_assert_int_eq(host_open(on.root, &on.host), 0);
	ck_assert_int_eq(history_open(NULL, 0, 1, &on.history), 0);
	on.container = (struct container){ .init = 100, .own_pidns = true, .id = 42 };
	ck_assert_int_eq(cgroup_open(on.host.cgroups, CGROUP_TEXT, true, &on.container.cgroup), 0);
}

static void teardown(void)
{
	container_free(&on.container);
	history_close(on.history);
	host_close(&on.host);
	test_remove(on.root);
	free(on.root);
}

/* A line of /proc/PID/stat as kernel 6.1 prints it. */
static void write_stat(const char *path, unsigned pid, const char *comm, char state,
		       unsigned threads, unsigned start)
{
	char line[512];

	snprintf(line, sizeof line,
		 "%u (%s) %c 1 %u %u 0 -1 4194560 1523 0 0 0 3 2 0 0 20 0 %u 0 %u "
		 "2973696 389 18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 "
		 "0 0 0 0 0 0\n",
		 pid, comm, state, pid, pid, threads, start);
	test_write(on.root, path, line);
}

static void process(unsigned pid, const char *comm, char state, unsigned threads, unsigned start,
		    const char *nspid)
{
	char path[64], status[256];

	snprintf(path, sizeof path, "proc/%u/stat", pid);
	write_stat(path, pid, comm, state, threads, start);
	snprintf(path, sizeof path, "proc/%u/status", pid);
	snprintf(status, sizeof status, "Name:\tx\nTgid:\t%u\n%s%s%sThreads:\t1\n", pid,
		 nspid ? "NSpid:" : "", nspid ? nspid : "", nspid ? "\n" : "");
	test_write(on.root, path, status);
}

static void thread(unsigned tid, char state, unsigned start, const char *nspid)
{
	char path[64], status[256];

	/* procfs finds a thread by its number, though it does not list it */
	snprintf(path, sizeof path, "proc/%u/stat", tid);
	write_stat(path, tid, "worker", state, 3, start);
	snprintf(path, sizeof path, "proc/%u/status", tid);
	snprintf(status, sizeof status, "Name:\tx\nNSpid:%s\n", nspid);
	test_write(on.root, path, status);
}

static void members(const char *cgroup, const char *list)
{
	char path[256];

	snprintf(path, sizeof path, "sys/fs/cgroup/pids%s/tasks", cgroup);
	test_write(on.root, path, list);
}

static struct tasks count(void)
{
	struct tasks tasks;

	ck_assert_int_eq(tasks_count(&on.host, on.container.cgroup, &tasks), 0);
	return tasks;
}

static void expect(uint64_t running, uint64_t blocked, uint64_t total, uint64_t youngest)
{
	struct tasks tasks = count();

	ck_assert_uint_eq(tasks.running, running);
	ck_assert_uint_eq(tasks.blocked, blocked);
	ck_assert_uint_eq(tasks.total, total);
	ck_assert_uint_eq(tasks.youngest, youngest);
}

START_TEST(states)
{
	members("/c", "100\n101\n102\n103\n104\n105\n106\n");
	process(100, "init", 'S', 1, 10, NULL);
	process(101, "a", 'R', 1, 11, NULL);
	process(102, "b", 'R', 1, 12, NULL);
	process(103, "c", 'D', 1, 13, NULL);
	process(104, "d", 'Z', 1, 14, NULL);
	process(105, "e", 'T', 1, 15, NULL);
	process(106, "f", 'I', 1, 16, NULL);
	expect(2, 1, 7, 106);
}
END_TEST

START_TEST(empty)
{
	expect(0, 0, 0, 0);
}
END_TEST

START_TEST(youngest_by_start_then_number)
{
	members("/c", "100\n101\n102\n103\n");
	process(100, "init", 'S', 1, 10, NULL);
	process(101, "late", 'S', 1, 500, NULL); /* the numbers wrapped round */
	process(102, "x", 'S', 1, 30, NULL);
	process(103, "y", 'S', 1, 20, NULL);
	expect(0, 0, 4, 101);
	process(103, "y", 'S', 1, 500, NULL);
	expect(0, 0, 4, 103);
}
END_TEST

/* A process may call itself anything but for NUL. */
START_TEST(odd_names)
{
	members("/c", "100\n101\n102\n103\n104\n");
	process(100, "a) R 1 1", 'D', 1, 1, NULL);
	process(101, "x y  z", 'R', 1, 2, NULL);
	process(102, ") R (", 'S', 1, 3, NULL);
	process(103, "", 'R', 1, 4, NULL);
	process(104, "new\nline) D", 'S', 1, 5, NULL);
	expect(2, 1, 5, 104);
}
END_TEST

START_TEST(threads_are_tasks)
{
	members("/c", "100\n200\n201\n202\n");
	process(100, "init", 'S', 1, 10, NULL);
	process(200, "java", 'S', 3, 20, NULL);
	thread(201, 'R', 21, "\t201");
	thread(202, 'D', 22, "\t202");
	expect(1, 1, 4, 202);
}
END_TEST

START_TEST(vanished_and_damaged)
{
	members("/c", "99\n100\n101\n102\n103\n104\n105\n");
	process(100, "init", 'R', 1, 10, NULL);
	test_write(on.root, "proc/101/stat", "");
	test_write(on.root, "proc/102/stat", "102 (no end R 1 1");
	test_write(on.root, "proc/103/stat", "103 (short) R 1 103 103 0 -1");
	test_write(on.root, "proc/104/stat",
		   "104 (x)R 1 1 1 0 -1 4 1 0 0 0 3 2 0 0 20 0 1 0 5 0\n");
	test_write(on.root, "proc/105/stat",
		   "105 (x) R 1 1 1 0 -1 4 1 0 0 0 3 2 0 0 20 0 1 0 -5 0\n");
	expect(1, 0, 1, 100);
}
END_TEST

START_TEST(what_is_below_counts)
{
	members("/c", "100\n200\n");
	members("/c/a", "201\n101\n");
	members("/c/a/b", "102\n0\n99999999999\nx\n");
	process(100, "init", 'S', 1, 10, NULL);
	process(101, "x", 'R', 1, 11, NULL);
	process(102, "y", 'R', 1, 12, NULL);
	process(200, "threads in two cgroups", 'R', 2, 9, NULL);
	thread(201, 'S', 9, "\t201");
	expect(3, 0, 5, 102);
}
END_TEST

START_TEST(bounded)
{
	AUTO_TEXT struct text list = { 0 };

	for (unsigned tid = 1000; tid < 1000 + TASKS_MAX + 10; tid++) {
		char path[64];

		text_printf(&list, "%u\n", tid);
		snprintf(path, sizeof path, "proc/%u/stat", tid);
		write_stat(path, tid, "x", 'R', 1, tid);
	}
	members("/c", text_str(&list));
	expect(TASKS_MAX, 0, TASKS_MAX, 1000 + TASKS_MAX - 1);
}
END_TEST

/* Files that are kept open tell what is true now; more threads than places are counted, too. */
START_TEST(kept_files)
{
	task_files_keep(on.host.tasks, 2);
	members("/c", "100\n101\n102\n103\n");
	for (unsigned tid = 100; tid < 104; tid++)
		process(tid, "x", 'S', 1, tid, NULL);
	expect(0, 0, 4, 103);
	process(102, "x", 'R', 1, 102, NULL);
	process(103, "x", 'D', 1, 103, NULL);
	expect(1, 1, 4, 103);
	expect(1, 1, 4, 103);
	/* it ended, as an empty answer tells, and another has its number */
	test_write(on.root, "proc/103/stat", "");
	expect(1, 0, 3, 102);
	process(103, "y", 'R', 1, 500, NULL);
	expect(2, 0, 4, 103);
}
END_TEST

START_TEST(no_cgroup_of_its_own)
{
	struct snapshot s = { .tasks = { .total = 77 } };
	struct tasks tasks = { .total = 77 };

	container_free(&on.container);
	ck_assert_int_eq(cgroup_open(on.host.cgroups, "1:pids:/\n", true, &on.container.cgroup), 0);
	ck_assert_int_eq(tasks_count(&on.host, on.container.cgroup, &tasks), -ENODATA);
	ck_assert_int_eq(gather_tasks(&on.host, on.history, &on.container, &s), -ENODATA);
	ck_assert_uint_eq(tasks.total, 77);
	ck_assert_uint_eq(s.tasks.total, 77);
}
END_TEST

START_TEST(its_cgroup_is_gone)
{
	struct tasks tasks;

	container_free(&on.container);
	ck_assert_int_eq(cgroup_open(on.host.cgroups, "1:pids:/gone\n", true, &on.container.cgroup),
			 0);
	ck_assert_int_eq(tasks_count(&on.host, on.container.cgroup, &tasks), -ENOENT);
}
END_TEST

static struct snapshot gathered(void)
{
	struct snapshot s = { 0 };

	ck_assert_int_eq(gather_tasks(&on.host, on.history, &on.container, &s), 0);
	return s;
}

START_TEST(the_reader_runs)
{
	members("/c", "100\n101\n");
	process(100, "init", 'S', 1, 10, "\t100\t1");
	process(101, "reader", 'S', 1, 11, "\t101\t7");
	ck_assert_uint_eq(gathered().tasks.running, 1);
	ck_assert_uint_eq(gathered().tasks.total, 2);
	process(100, "init", 'D', 1, 10, "\t100\t1");
	ck_assert_uint_eq(gathered().tasks.blocked, 1);
	/* never more running than there are */
	members("/c", "101\n");
	process(101, "x", 'R', 1, 11, "\t101\t7");
	ck_assert_uint_eq(gathered().tasks.total, 2);
}
END_TEST

START_TEST(last_pid_is_the_containers)
{
	members("/c", "100\n5000\n");
	process(100, "init", 'S', 1, 10, "\t100\t1");
	process(5000, "x", 'S', 1, 11, "\t5000\t23");
	ck_assert_uint_eq(gathered().tasks.processes, 23);
	/* and does not go back when the youngest ends */
	members("/c", "100\n");
	ck_assert_uint_eq(gathered().tasks.processes, 23);
}
END_TEST

START_TEST(last_pid_of_a_thread)
{
	members("/c", "100\n200\n201\n");
	process(100, "init", 'S', 1, 10, "\t100\t1");
	process(200, "java", 'S', 2, 20, "\t200\t5");
	thread(201, 'S', 21, "\t201\t6");
	ck_assert_uint_eq(gathered().tasks.processes, 6);
}
END_TEST

/* The youngest sits in a container within the container, or this one within another. */
START_TEST(last_pid_at_the_right_level)
{
	members("/c", "100\n300\n");
	process(100, "init", 'S', 1, 10, "\t100\t1");
	process(300, "inner", 'S', 1, 30, "\t300\t44\t2");
	ck_assert_uint_eq(gathered().tasks.processes, 44);
	on.container.id = 43;
	process(100, "init", 'S', 1, 10, "\t100\t40\t1");
	ck_assert_uint_eq(gathered().tasks.processes, 2);
}
END_TEST

START_TEST(last_pid_unknown)
{
	members("/c", "100\n");
	process(100, "no NSpid", 'S', 1, 10, NULL); /* before kernel 4.1 */
	ck_assert_uint_eq(gathered().tasks.processes, 0);
	process(100, "of the host's pid namespace", 'S', 1, 10, "\t100");
	ck_assert_uint_eq(gathered().tasks.processes, 0);
	process(100, "damaged", 'S', 1, 10, "\t100\tx");
	ck_assert_uint_eq(gathered().tasks.processes, 0);
	on.container.init = 99; /* gone */
	process(100, "deep", 'S', 1, 10, "\t100\t5\t6");
	ck_assert_uint_eq(gathered().tasks.processes, 0);
	members("/c", "");
	ck_assert_uint_eq(gathered().tasks.processes, 0);
	members("/c", "100\n");
	process(100, "ended meanwhile", 'S', 1, 10, NULL);
	ck_assert_int_eq(unlinkat(on.host.rootfd, "proc/100/status", 0), 0);
	ck_assert_uint_eq(gathered().tasks.processes, 0);
}
END_TEST

/* In the host's pid namespace: what the cgroup has, not how far the host counts. */
START_TEST(last_pid_on_the_host)
{
	on.container.own_pidns = false;
	on.container.init = 1;
	members("", "1\n9999\n");
	process(9999, "another", 'R', 1, 99, "\t9999");
	members("/c", "100\n200\n");
	process(100, "x", 'S', 1, 10, "\t100");
	process(200, "y", 'S', 1, 20, "\t200\t1");
	ck_assert_uint_eq(gathered().tasks.processes, 200);
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, states);
	tcase_add_test(tests, empty);
	tcase_add_test(tests, youngest_by_start_then_number);
	tcase_add_test(tests, odd_names);
	tcase_add_test(tests, threads_are_tasks);
	tcase_add_test(tests, vanished_and_damaged);
	tcase_add_test(tests, what_is_below_counts);
	tcase_add_test(tests, bounded);
	tcase_add_test(tests, kept_files);
	tcase_add_test(tests, no_cgroup_of_its_own);
	tcase_add_test(tests, its_cgroup_is_gone);
	tcase_add_test(tests, the_reader_runs);
	tcase_add_test(tests, last_pid_is_the_containers);
	tcase_add_test(tests, last_pid_of_a_thread);
	tcase_add_test(tests, last_pid_at_the_right_level);
	tcase_add_test(tests, last_pid_unknown);
	tcase_add_test(tests, last_pid_on_the_host);
}

int main(void)
{
	return test_run("gather_tasks", fill);
}
