/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a pid to its container: whose init, whose cgroup. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "container.h"
#include "host.h"
#include "support.h"

/* A machine in a temporary directory, with a v2 hierarchy and processes as the tests want them. */
static char *machine;
static struct host host;
static struct containers *containers;

static void process(unsigned pid, const char *nspid, unsigned ppid, const char *pidns,
		    const char *cgroup, const char *comm)
{
	char path[64], content[512], link[4200];

	snprintf(path, sizeof path, "proc/%u/cgroup", pid);
	snprintf(content, sizeof content, "0::%s\n", cgroup);
	test_write(machine, path, content);
	snprintf(path, sizeof path, "proc/%u/status", pid);
	snprintf(content, sizeof content, "Name:\tx\nPPid:\t%u\nNSpid:\t%s\n", ppid, nspid);
	test_write(machine, path, content);
	snprintf(path, sizeof path, "proc/%u/stat", pid);
	snprintf(content, sizeof content,
		 "%u (%s) S %u 0 0 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 %u00 0 0\n", pid, comm, ppid,
		 pid);
	test_write(machine, path, content);
	snprintf(path, sizeof path, "proc/%u/ns/x", pid);
	test_write(machine, path, "");
	snprintf(link, sizeof link, "%s/proc/%u/ns/pid", machine, pid);
	ck_assert_int_eq(symlink(pidns, link), 0);
	snprintf(link, sizeof link, "%s/proc/%u/ns/time", machine, pid);
	ck_assert_int_eq(symlink("time:[4026531834]", link), 0);
}

static void setup(void)
{
	machine = test_directory();
	test_write(machine, "proc/mounts", "cgroup2 /cg cgroup2 rw 0 0\n");
	test_write(machine, "cg/cgroup.controllers", "memory\n");
	process(1, "1", 0, "pid:[4026531836]", "/init.scope", "systemd");
	process(50, "50", 1, "pid:[4026531836]", "/user/shell", "bash");
	process(100, "100\t1", 50, "pid:[7]", "/lxc/a", "odd) S 9 (x");
	process(101, "101\t2", 100, "pid:[7]", "/lxc/a/sub", "app");
	process(102, "102\t3", 50, "pid:[7]", "/lxc/a", "attached");
	process(103, "103\t4", 100, "pid:[7]", "/pod/other", "shared");
	process(104, "104\t5", 100, "pid:[7]", "/lxc/ab", "neighbour");
	process(200, "200\t9\t1", 101, "pid:[8]", "/lxc/a/in/init.scope", "nested");
	process(201, "201\t10\t2", 200, "pid:[8]", "/lxc/a/in/app", "nested-app");
	process(300, "300\t5", 1, "pid:[9]", "/lxc/dying", "orphan");
	ck_assert_int_eq(host_open(machine, &host), 0);
	ck_assert_int_eq(containers_open(host.procfd, host.cgroups, &containers), 0);
}

static void teardown(void)
{
	containers_close(containers);
	host_close(&host);
	test_remove(machine);
	free(machine);
}

static void expect(pid_t caller, pid_t init, const char *cgroup, uint64_t start_us)
{
	struct container *c = NULL;
	int r = container_of(containers, caller, &c);

	ck_assert_msg(r == 0, "pid %d: %s", caller, strerror(-r));
	ck_assert_int_eq(c->init, init);
	ck_assert_str_eq(cgroup_path(c->cgroup, 0), cgroup);
	ck_assert_uint_eq(c->start_us, start_us);
	container_put(containers, c);
}

START_TEST(whose_cgroup_counts)
{
	for (int round = 0; round < 2; round++) { /* found, and remembered */
		expect(50, 1, "/user/shell", 0);
		expect(100, 100, "/lxc/a", 10000 * 10000);
		expect(101, 100, "/lxc/a", 10000 * 10000);
		expect(102, 100, "/lxc/a", 10000 * 10000);
		expect(103, 100, "/pod/other", 10000 * 10000);
		expect(104, 100, "/lxc/ab", 10000 * 10000);
		expect(200, 200, "/lxc/a/in", 20000 * 10000);
		expect(201, 200, "/lxc/a/in", 20000 * 10000);
	}
}
END_TEST

START_TEST(attached_first)
{
	/* Its parent is outside: init is found among all processes. */
	expect(102, 100, "/lxc/a", 10000 * 10000);
}
END_TEST

START_TEST(init_is_gone)
{
	expect(300, 0, "/lxc/dying", 30000 * 10000);
}
END_TEST

START_TEST(init_moves)
{
	expect(100, 100, "/lxc/a", 10000 * 10000);
	test_write(machine, "proc/100/cgroup", "0::/elsewhere\n");
	test_write(machine, "proc/101/cgroup", "0::/elsewhere/sub\n");
	expect(101, 100, "/elsewhere", 10000 * 10000);
}
END_TEST

/* On v1 a dying init is shown in the root, where its container never was. */
START_TEST(init_is_ending)
{
	test_write(machine, "proc/100/cgroup", "0::/\n");
	expect(101, 100, "/", 10000 * 10000);
	test_write(machine, "proc/100/stat",
		   "100 (x) D 50 0 0 0 -1 4194564 0 0 0 0 0 0 0 0 20 0 1 0 10000 0 0\n");
	expect(101, 100, "/lxc/a/sub", 10000 * 10000);
}
END_TEST

static unsigned count_fds(void)
{
	AUTO_CLOSEDIR DIR *dir = opendir("/proc/self/fd");
	unsigned count = 0;

	ck_assert_ptr_nonnull(dir);
	while (readdir(dir))
		count++;
	return count;
}

START_TEST(the_dead_are_dropped)
{
	unsigned before = count_fds();

	for (unsigned i = 1000; i < 1500; i++) {
		char nspid[32], ns[32], path[64], link[4200];

		snprintf(nspid, sizeof nspid, "%u\t1", i);
		snprintf(ns, sizeof ns, "pid:[%u]", i);
		process(i, nspid, 1, ns, "/short", "init");
		expect((pid_t)i, (pid_t)i, "/short", (uint64_t)i * 100 * 10000);
		snprintf(path, sizeof path, "proc/%u/cgroup", i);
		test_write(machine, path, "");
		snprintf(link, sizeof link, "%s/proc/%u/ns/pid", machine, i);
		ck_assert_int_eq(unlink(link), 0);
	}
	/* Some are always on the way to being found. */
	ck_assert_uint_le(count_fds(), before + 200);
}
END_TEST

START_TEST(pid_namespace_is_reused)
{
	expect(100, 100, "/lxc/a", 10000 * 10000);
	/* The old init is dead, as an empty answer tells; another has the namespace's number. */
	test_write(machine, "proc/100/cgroup", "");
	test_write(machine, "proc/100/status", "Name:\tx\nPPid:\t1\nNSpid:\t100\n");
	process(400, "400\t1", 1, "pid:[7]", "/lxc/new", "init");
	expect(400, 400, "/lxc/new", 40000 * 10000);
}
END_TEST

START_TEST(not_to_be_found)
{
	struct container *c = NULL;

	ck_assert_int_eq(container_of(containers, 0, &c), -ESRCH);
	ck_assert_int_eq(container_of(containers, -1, &c), -ESRCH);
	ck_assert_int_eq(container_of(containers, 999, &c), -ESRCH);
	ck_assert_ptr_null(c);
	container_put(containers, NULL);
}
END_TEST

START_TEST(identity_is_stable)
{
	struct container *a = NULL, *b = NULL, *other = NULL;

	ck_assert_int_eq(container_of(containers, 100, &a), 0);
	ck_assert_int_eq(container_of(containers, 101, &b), 0);
	ck_assert_int_eq(container_of(containers, 200, &other), 0);
	ck_assert_ptr_eq(a, b);
	ck_assert_uint_ne(a->id, other->id);
	container_put(containers, a);
	container_put(containers, b);
	container_put(containers, other);
}
END_TEST

START_TEST(many_namespaces)
{
	for (unsigned i = 1000; i < 2200; i++) {
		char nspid[32], ns[32];

		snprintf(nspid, sizeof nspid, "%u\t1", i);
		snprintf(ns, sizeof ns, "pid:[%u]", i);
		process(i, nspid, 1, ns, "/many", "init");
	}
	for (unsigned i = 1000; i < 2200; i++)
		expect((pid_t)i, (pid_t)i, "/many", (uint64_t)i * 100 * 10000);
	/* Dead ones make room first. */
	for (unsigned i = 1000; i < 2200; i += 2) {
		char path[64];

		snprintf(path, sizeof path, "proc/%u/cgroup", i);
		test_write(machine, path, "");
	}
	for (unsigned i = 1001; i < 2200; i += 2)
		expect((pid_t)i, (pid_t)i, "/many", (uint64_t)i * 100 * 10000);
}
END_TEST

START_TEST(own_clock)
{
	struct lxcfs *engine = test_engine("kernel6.18-v1-2cpu", 0);
	struct lxcfs_caller caller = test_caller("kernel6.18-v1-2cpu", "shifted");
	AUTO_FREE char *text = test_render(engine, &caller, "/proc/uptime");

	/* One day ahead of the host. */
	ck_assert_int_gt(atoi(text), 86400);
	lxcfs_close(engine);
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, whose_cgroup_counts);
	tcase_add_test(tests, attached_first);
	tcase_add_test(tests, init_is_gone);
	tcase_add_test(tests, init_moves);
	tcase_add_test(tests, init_is_ending);
	tcase_add_test(tests, the_dead_are_dropped);
	tcase_add_test(tests, pid_namespace_is_reused);
	tcase_add_test(tests, not_to_be_found);
	tcase_add_test(tests, identity_is_stable);
	tcase_add_test(tests, many_namespaces);
	tcase_add_test(tests, own_clock);
}

int main(void)
{
	return test_run("container", fill);
}
