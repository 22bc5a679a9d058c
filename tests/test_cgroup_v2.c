/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Numbers of cgroup v2: nested limits, controllers that end above the cgroup, damaged files. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cgroup/cgroup.h"
#include "support.h"

/* A host with the unified hierarchy at /cg, and the place /a/b in it. */
static struct {
	char *root;
	int rootfd;
	struct cgroups *cgroups;
	struct cgroup *cg;
} on;

static void put(const char *path, const char *content)
{
	char below[256];

	snprintf(below, sizeof below, "cg/%s", path);
	test_write(on.root, below, content);
}

static void setup(void)
{
	on.root = test_directory();
	on.rootfd = open(on.root, O_PATH | O_DIRECTORY);
	test_write(on.root, "proc/mounts", "cgroup2 /cg cgroup2 rw 0 0\n");
	put("cgroup.controllers", "cpuset cpu io memory hugetlb pids rdma misc\n");
	put("a/b/cgroup.procs", "");
	ck_assert_int_eq(cgroups_open(on.rootfd, &on.cgroups), 0);
	ck_assert_int_eq(cgroup_open(on.cgroups, "0::/a/b\n", false, &on.cg), 0);
}

static void teardown(void)
{
	cgroup_close(on.cg);
	cgroups_close(on.cgroups);
	close(on.rootfd);
	test_remove(on.root);
	free(on.root);
}

static struct cgroup_memory memory(void)
{
	struct cgroup_memory m;

	ck_assert_int_eq(cgroup_read_memory(on.cg, NULL, &m), 0);
	return m;
}

static void put_memory(void)
{
	put("a/b/memory.stat", "anon 1\n");
	put("a/b/memory.current", "5000\n");
}

/* In the order of kernel 6.12, and with keys that nobody asked for. */
START_TEST(memory_by_kind)
{
	put("a/b/memory.stat",
	    "anon 1\nfile 2\nkernel 3\nkernel_stack 4\npagetables 5\nsec_pagetables 6\npercpu 7\n"
	    "sock 8\nvmalloc 9\nshmem 10\nzswap 11\nzswapped 12\nfile_mapped 13\nfile_dirty 14\n"
	    "file_writeback 15\nswapcached 16\nanon_thp 17\nfile_thp 18\nshmem_thp 19\n"
	    "inactive_anon 20\nactive_anon 21\ninactive_file 22\nactive_file 23\nunevictable 24\n"
	    "slab_reclaimable 25\nslab_unreclaimable 26\nslab 27\nworkingset_refault_anon 28\n");
	put("a/b/memory.current", "5000\n");
	struct cgroup_memory m = memory();

	ck_assert_uint_eq(m.usage, 5000);
	ck_assert_uint_eq(m.anon, 1);
	ck_assert_uint_eq(m.file, 2);
	ck_assert_uint_eq(m.kernel_stack, 4);
	ck_assert_uint_eq(m.pagetables, 5);
	ck_assert_uint_eq(m.sec_pagetables, 6);
	ck_assert_uint_eq(m.percpu, 7);
	ck_assert_uint_eq(m.vmalloc, 9);
	ck_assert_uint_eq(m.shmem, 10);
	ck_assert_uint_eq(m.zswap, 11);
	ck_assert_uint_eq(m.zswapped, 12);
	ck_assert_uint_eq(m.mapped, 13);
	ck_assert_uint_eq(m.dirty, 14);
	ck_assert_uint_eq(m.writeback, 15);
	ck_assert_uint_eq(m.swapcached, 16);
	ck_assert_uint_eq(m.anon_thp, 17);
	ck_assert_uint_eq(m.file_thp, 18);
	ck_assert_uint_eq(m.shmem_thp, 19);
	ck_assert_uint_eq(m.inactive_anon, 20);
	ck_assert_uint_eq(m.active_anon, 21);
	ck_assert_uint_eq(m.inactive_file, 22);
	ck_assert_uint_eq(m.active_file, 23);
	ck_assert_uint_eq(m.unevictable, 24);
	ck_assert_uint_eq(m.slab_reclaimable, 25);
	ck_assert_uint_eq(m.slab_unreclaimable, 26);
	ck_assert_uint_eq(m.slab, 27);
}
END_TEST

START_TEST(least_limit_of_all_levels)
{
	put_memory();
	ck_assert_uint_eq(memory().limit, CGROUP_NO_LIMIT);
	put("memory.max", "1\n"); /* no such file in a real root; it would bind nobody */
	put("a/memory.max", "max\n");
	put("a/b/memory.max", "max\n");
	ck_assert_uint_eq(memory().limit, CGROUP_NO_LIMIT);
	put("a/memory.max", "2000\n");
	ck_assert_uint_eq(memory().limit, 2000);
	put("a/b/memory.max", "3000\n");
	ck_assert_uint_eq(memory().limit, 2000);
	put("a/b/memory.max", "0\n");
	ck_assert_uint_eq(memory().limit, 0);
	ck_assert_uint_eq(memory().usage, 5000); /* above the limit, as it is */
}
END_TEST

START_TEST(swap)
{
	put_memory();
	ck_assert_uint_eq(memory().swap_usage, CGROUP_UNKNOWN); /* a kernel without swap */
	put("a/b/memory.swap.current", "700\n");
	put("a/b/memory.swap.max", "max\n");
	ck_assert_uint_eq(memory().swap_usage, 700);
	ck_assert_uint_eq(memory().swap_limit, CGROUP_NO_LIMIT);
	put("a/memory.swap.max", "500\n");
	ck_assert_uint_eq(memory().swap_limit, 500);
	put("a/b/memory.swap.max", "0\n");
	ck_assert_uint_eq(memory().swap_limit, 0);
}
END_TEST

/* The memory controller is enabled for /a only: what binds /a/b is counted there. */
START_TEST(controller_ends_above)
{
	put("a/memory.stat", "anon 9\n");
	put("a/memory.current", "8000\n");
	put("a/memory.swap.current", "10\n");
	put("a/memory.max", "10000\n");
	ck_assert_uint_eq(memory().anon, 9);
	ck_assert_uint_eq(memory().usage, 8000);
	ck_assert_uint_eq(memory().swap_usage, 10);
	ck_assert_uint_eq(memory().limit, 10000);
}
END_TEST

START_TEST(memory_missing_or_damaged)
{
	struct cgroup_memory m = { .limit = 77 };

	put("memory.stat", "anon 1\n"); /* the root has one, and it is everybody's */
	ck_assert_int_eq(cgroup_read_memory(on.cg, NULL, &m), -ENODATA);
	put("a/b/memory.stat", "anon 1\n");
	ck_assert_int_eq(cgroup_read_memory(on.cg, NULL, &m), -ENODATA);
	put("a/b/memory.current", "-5\n");
	ck_assert_int_eq(cgroup_read_memory(on.cg, NULL, &m), -ENODATA);
	put("a/b/memory.current", "5\n");
	put("a/b/memory.max", "many\n");
	ck_assert_int_eq(cgroup_read_memory(on.cg, NULL, &m), -EINVAL);
	put("a/b/memory.max", "5 6\n");
	ck_assert_int_eq(cgroup_read_memory(on.cg, NULL, &m), -EINVAL);
	put("a/b/memory.max", "max\n");
	put("a/b/memory.swap.max", "99999999999999999999\n");
	ck_assert_int_eq(cgroup_read_memory(on.cg, NULL, &m), -ERANGE);
	ck_assert_uint_eq(m.limit, 77);
	put("a/b/memory.swap.max", "4");
	put("a/b/memory.stat", "anon\nfile x\nshmem 99999999999999999999\nslab 5");
	m = memory();
	ck_assert_uint_eq(m.anon, CGROUP_UNKNOWN);
	ck_assert_uint_eq(m.file, CGROUP_UNKNOWN);
	ck_assert_uint_eq(m.shmem, CGROUP_UNKNOWN);
	ck_assert_uint_eq(m.slab, 5);
}
END_TEST

START_TEST(memory_explained)
{
	struct origins why = { .lines = { 0 } };
	struct cgroup_memory m;

	put_memory();
	put("a/memory.max", "2000\n");
	put("a/b/memory.max", "max\n");
	ck_assert_int_eq(cgroup_read_memory(on.cg, &why, &m), 0);
	ck_assert_ptr_nonnull(
		strstr(text_str(&why.lines), "memory limit: 2000 from /cg/a/memory.max\n"));
	ck_assert_ptr_nonnull(
		strstr(text_str(&why.lines), "memory used: 5000 from /cg/a/b/memory.current\n"));
	ck_assert_ptr_nonnull(strstr(text_str(&why.lines), "swap limit: no limit from "));
	text_free(&why.lines);
}
END_TEST

static void expect_quota(const char *parent, const char *own, uint64_t quota, uint64_t period)
{
	struct cgroup_quota q;

	put("a/cpu.max", parent);
	put("a/b/cpu.max", own);
	ck_assert_int_eq(cgroup_read_quota(on.cg, NULL, &q), 0);
	ck_assert_uint_eq(q.quota_us, quota);
	ck_assert_uint_eq(q.period_us, period);
}

START_TEST(tightest_quota_of_all_levels)
{
	struct cgroup_quota q;

	ck_assert_int_eq(cgroup_read_quota(on.cg, NULL, &q), 0); /* cpu is not enabled at all */
	ck_assert_uint_eq(q.quota_us, CGROUP_NO_LIMIT);
	put("cpu.max", "1 100000\n");
	expect_quota("max 100000\n", "max 50000\n", CGROUP_NO_LIMIT, 100000);
	expect_quota("150000 100000\n", "max 100000\n", 150000, 100000);
	expect_quota("150000 100000\n", "60000 20000\n", 150000, 100000);
	expect_quota("150000 100000\n", "10000 20000\n", 10000, 20000);
}
END_TEST

START_TEST(quota_damaged)
{
	static const char *const damaged[] = { "",	    "max",	 "50000",
					       "50000 0\n", "50000 x\n", "-1 5\n",
					       "maximum 5", "1 -100000", "99999999999999999999 1" };
	struct cgroup_quota q = { 1, 2 };

	for (size_t i = 0; i < ARRAY_SIZE(damaged); i++) {
		put("a/b/cpu.max", damaged[i]);
		ck_assert_int_eq(cgroup_read_quota(on.cg, NULL, &q), -EINVAL);
	}
	ck_assert_uint_eq(q.quota_us, 1);
}
END_TEST

START_TEST(cpus_effective)
{
	AUTO_TEXT struct text text = { 0 };
	struct cpulist cpus;

	ck_assert_int_eq(cgroup_read_cpus(on.cg, NULL, &cpus), -ENODATA);
	put("cpuset.cpus.effective", "0-7\n");
	ck_assert_int_eq(cgroup_read_cpus(on.cg, NULL, &cpus), 0);
	ck_assert_uint_eq(cpulist_count(&cpus), 8);
	put("a/cpuset.cpus.effective", "0-3,6\n");
	put("a/b/cpuset.cpus", "0-1\n"); /* what was asked for does not count */
	ck_assert_int_eq(cgroup_read_cpus(on.cg, NULL, &cpus), 0);
	cpulist_print(&cpus, &text);
	ck_assert_str_eq(text_str(&text), "0-3,6");
	put("a/b/cpuset.cpus.effective", "2\n");
	ck_assert_int_eq(cgroup_read_cpus(on.cg, NULL, &cpus), 0);
	ck_assert_uint_eq(cpulist_count(&cpus), 1);
	put("a/b/cpuset.cpus.effective", "2-\n");
	ck_assert_int_eq(cgroup_read_cpus(on.cg, NULL, &cpus), -EINVAL);
}
END_TEST

START_TEST(cpu_time)
{
	struct cgroup_cputime t = { .user_us = 77 };

	ck_assert_int_eq(cgroup_read_cputime(on.cg, NULL, &t), -ENOENT);
	put("a/b/cpu.stat", "usage_usec 30\nuser_usec 20\n");
	ck_assert_int_eq(cgroup_read_cputime(on.cg, NULL, &t), -ENODATA);
	put("a/b/cpu.stat", "usage_usec 30\nuser_usec 20\nsystem_usec x\n");
	ck_assert_int_eq(cgroup_read_cputime(on.cg, NULL, &t), -ENODATA);
	ck_assert_uint_eq(t.user_us, 77);
	put("a/b/cpu.stat",
	    "usage_usec 30\nuser_usec 20\nsystem_usec 10\ncore_sched.force_idle_usec 0\n"
	    "nr_periods 5\nnr_throttled 1\nthrottled_usec 9\n");
	ck_assert_int_eq(cgroup_read_cputime(on.cg, NULL, &t), 0);
	ck_assert_uint_eq(t.user_us, 20);
	ck_assert_uint_eq(t.system_us, 10);
	ck_assert_uint_eq(t.count, 0); /* the kernel does not tell by CPU */
	cgroup_cputime_free(&t);
}
END_TEST

START_TEST(io_by_device)
{
	struct cgroup_io io;

	put("a/b/io.stat", "8:0 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=512 dios=3\n"
			   "254:16 rbytes=1 wbytes=0 rios=1 wios=0 dbytes=0 dios=0 cost.usage=4\n");
	ck_assert_int_eq(cgroup_read_io(on.cg, NULL, &io), 0);
	ck_assert_uint_eq(io.count, 2);
	ck_assert_uint_eq(io.device[0].major, 8);
	ck_assert_uint_eq(io.device[0].minor, 0);
	ck_assert_uint_eq(io.device[0].read_bytes, 4096);
	ck_assert_uint_eq(io.device[0].write_bytes, 8192);
	ck_assert_uint_eq(io.device[0].reads, 1);
	ck_assert_uint_eq(io.device[0].writes, 2);
	ck_assert_uint_eq(io.device[0].discard_bytes, 512);
	ck_assert_uint_eq(io.device[0].discards, 3);
	ck_assert_uint_eq(io.device[1].major, 254);
	ck_assert_uint_eq(io.device[1].minor, 16);
	ck_assert_uint_eq(io.device[1].read_bytes, 1);
	cgroup_io_free(&io);
}
END_TEST

/* Devices without numbers whose line some kernels do not end. */
START_TEST(io_lines_run_together)
{
	struct cgroup_io io;

	put("a/b/io.stat", "7:0 7:1 8:0 rbytes=5 rios=1\n7:2 \n7:3 254:0 wbytes=6\n"
			   "7:5 (unknown) rbytes=7\n7:4");
	ck_assert_int_eq(cgroup_read_io(on.cg, NULL, &io), 0);
	ck_assert_uint_eq(io.count, 2);
	ck_assert_uint_eq(io.device[0].major, 8);
	ck_assert_uint_eq(io.device[0].read_bytes, 5);
	ck_assert_uint_eq(io.device[0].reads, 1);
	ck_assert_uint_eq(io.device[1].major, 254);
	ck_assert_uint_eq(io.device[1].write_bytes, 6);
	cgroup_io_free(&io);
}
END_TEST

START_TEST(io_missing_or_damaged)
{
	struct cgroup_io io = { .count = 77 };

	put("io.stat", "8:0 rbytes=1\n"); /* the host's */
	ck_assert_int_eq(cgroup_read_io(on.cg, NULL, &io), -ENODATA);
	ck_assert_uint_eq(io.count, 77);
	put("a/b/io.stat", "");
	ck_assert_int_eq(cgroup_read_io(on.cg, NULL, &io), 0);
	ck_assert_uint_eq(io.count, 0);
	put("a/b/io.stat", "rbytes=1\n8 rbytes=1\nx:y rbytes=1\n\n"
			   "8:0 rbytes= wbytes=x rios=-1 wios=99999999999999999999 dios=4 dbytes");
	ck_assert_int_eq(cgroup_read_io(on.cg, NULL, &io), 0);
	ck_assert_uint_eq(io.count, 1);
	ck_assert_uint_eq(io.device[0].read_bytes, 0);
	ck_assert_uint_eq(io.device[0].writes, 0);
	ck_assert_uint_eq(io.device[0].discards, 4);
	cgroup_io_free(&io);
}
END_TEST

START_TEST(hugetlb)
{
	struct cgroup_hugetlb h = { .usage = 77 };

	ck_assert_int_eq(cgroup_read_hugetlb(on.cg, NULL, 2048, &h), -ENODATA);
	put("a/b/hugetlb.2MB.current", "x\n");
	ck_assert_int_eq(cgroup_read_hugetlb(on.cg, NULL, 2048, &h), -EINVAL);
	ck_assert_uint_eq(h.usage, 77);
	put("a/b/hugetlb.2MB.current", "2097152\n");
	put("a/b/hugetlb.2MB.max", "max\n");
	put("a/hugetlb.2MB.max", "4194304\n");
	ck_assert_int_eq(cgroup_read_hugetlb(on.cg, NULL, 2048, &h), 0);
	ck_assert_uint_eq(h.usage, 2097152);
	ck_assert_uint_eq(h.limit, 4194304);
	ck_assert_uint_eq(h.reserved, CGROUP_UNKNOWN);
	put("a/b/hugetlb.2MB.rsvd.current", "6\n");
	ck_assert_int_eq(cgroup_read_hugetlb(on.cg, NULL, 2048, &h), 0);
	ck_assert_uint_eq(h.reserved, 6);
	put("a/hugetlb.2MB.max", "?\n");
	ck_assert_int_eq(cgroup_read_hugetlb(on.cg, NULL, 2048, &h), -EINVAL);
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, memory_by_kind);
	tcase_add_test(tests, least_limit_of_all_levels);
	tcase_add_test(tests, swap);
	tcase_add_test(tests, controller_ends_above);
	tcase_add_test(tests, memory_missing_or_damaged);
	tcase_add_test(tests, memory_explained);
	tcase_add_test(tests, tightest_quota_of_all_levels);
	tcase_add_test(tests, quota_damaged);
	tcase_add_test(tests, cpus_effective);
	tcase_add_test(tests, cpu_time);
	tcase_add_test(tests, io_by_device);
	tcase_add_test(tests, io_lines_run_together);
	tcase_add_test(tests, io_missing_or_damaged);
	tcase_add_test(tests, hugetlb);
}

int main(void)
{
	return test_run("cgroup_v2", fill);
}
