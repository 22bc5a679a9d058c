/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Opening a host: what is there, what is missing. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "host.h"
#include "support.h"

START_TEST(no_proc_or_no_cgroups)
{
	AUTO_FREE char *dir = test_directory();
	struct lxcfs_options options = { .size = sizeof options, .root = dir };
	struct lxcfs *engine = NULL;

	ck_assert_int_eq(lxcfs_open(&options, &engine), -ENOENT);
	test_write(dir, "proc/mounts", "proc /proc proc rw 0 0\n");
	ck_assert_int_eq(lxcfs_open(&options, &engine), -ENODEV);
	test_write(dir, "proc/mounts", "cgroup2 /gone cgroup2 rw 0 0\n");
	ck_assert_int_eq(lxcfs_open(&options, &engine), -ENODEV);
	ck_assert_ptr_null(engine);
	options.size = 1;
	ck_assert_int_eq(lxcfs_open(&options, &engine), -EINVAL);
	test_remove(dir);
}
END_TEST

START_TEST(minimal_host)
{
	AUTO_FREE char *dir = test_directory();
	AUTO_TEXT struct text t = { 0 };
	struct cpulist cpus;
	struct host host;

	test_write(dir, "proc/mounts", "cgroup2 /cg\\040x cgroup2 rw 0 0\n");
	test_write(dir, "cg x/cgroup.controllers", "cpuset memory\n");
	test_write(dir, "proc/uptime", "1.00 1.00\n");
	ck_assert_int_eq(host_open(dir, &host), 0);
	ck_assert_int_eq(host_read(&host, HOST_UPTIME, &t), 0);
	ck_assert_str_eq(text_str(&t), "1.00 1.00\n");
	ck_assert_int_eq(host_read(&host, HOST_STAT, &t), -ENOENT);
	ck_assert_int_eq(host_cpus(&host, &cpus), -ENOENT);
	test_write(dir, "sys/devices/system/cpu/online", "0-2\n");
	ck_assert_int_eq(host_cpus(&host, &cpus), 0);
	ck_assert_uint_eq(cpulist_count(&cpus), 3);
	ck_assert_int_eq(host.cgroups->of[CGROUP_MEMORY], 0);
	ck_assert_int_eq(host.cgroups->of[CGROUP_IO], -1);
	ck_assert_int_eq(host.cgroups->of[CGROUP_CPUACCT], 0);
	host_close(&host);
	test_remove(dir);
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_test(tests, no_proc_or_no_cgroups);
	tcase_add_test(tests, minimal_host);
}

int main(void)
{
	return test_run("host", fill);
}
