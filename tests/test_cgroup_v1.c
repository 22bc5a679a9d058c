/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Numbers of cgroup v1: nested limits, infinity by page size, missing and damaged files. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cgroup/cgroup.h"
#include "support.h"

#define INFINITY_4K "9223372036854771712" /* LONG_MAX rounded down to pages of 4 KiB */
#define INFINITY_64K "9223372036854710272"

/* A host with a hierarchy for each controller, and the place /a/b in all of them. */
static struct {
	char *root;
	int rootfd;
	struct cgroups *cgroups;
	struct cgroup *cg;
} on;

static void put(const char *path, const char *content)
{
	test_write(on.root, path, content);
}

static void setup(void)
{
	static const char *const controllers[] = { "memory", "cpu",   "cpuacct",
						   "cpuset", "blkio", "hugetlb" };
	AUTO_TEXT struct text mounts = { 0 }, place = { 0 };

	on.root = test_directory();
	on.rootfd = open(on.root, O_PATH | O_DIRECTORY);
	for (size_t i = 0; i < ARRAY_SIZE(controllers); i++) {
		char path[64];

		text_printf(&mounts, "cgroup /%s cgroup rw,%s 0 0\n", controllers[i],
			    controllers[i]);
		text_printf(&place, "%zu:%s:/a/b\n", i + 1, controllers[i]);
		snprintf(path, sizeof path, "%s/a/b/cgroup.procs", controllers[i]);
		put(path, "");
	}
	put("proc/mounts", text_str(&mounts));
	ck_assert_int_eq(cgroups_open(on.rootfd, &on.cgroups), 0);
	ck_assert_int_eq(cgroup_open(on.cgroups, text_str(&place), false, &on.cg), 0);
}

static void teardown(void)
{
	cgroup_close(on.cg);
	cgroups_close(on.cgroups);
	close(on.rootfd);
	test_remove(on.root);
	free(on.root);
}

/* As kernel 6.1 prints it: own numbers first, those with all descendants behind. */
static void memory_stat(const char *limit, const char *memsw_limit)
{
	AUTO_TEXT struct text stat = { 0 };

	text_printf(&stat,
		    "cache 1\nrss 2\nrss_huge 3\nshmem 4\nmapped_file 5\ndirty 6\nwriteback 7\n"
		    "swap 8\ninactive_anon 9\nactive_anon 10\ninactive_file 11\nactive_file 12\n"
		    "unevictable 13\nhierarchical_memory_limit %s\n",
		    limit);
	if (memsw_limit)
		text_printf(&stat, "hierarchical_memsw_limit %s\n", memsw_limit);
	text_puts(&stat,
		  "total_cache 100\ntotal_rss 200\ntotal_rss_huge 300\ntotal_shmem 400\n"
		  "total_mapped_file 500\ntotal_dirty 600\ntotal_writeback 700\ntotal_swap 800\n"
		  "total_pgpgin 1\ntotal_inactive_anon 900\ntotal_active_anon 1000\n"
		  "total_inactive_file 1100\ntotal_active_file 1200\ntotal_unevictable 1300\n");
	put("memory/a/b/memory.stat", text_str(&stat));
}

static struct cgroup_memory memory(void)
{
	struct cgroup_memory m;

	ck_assert_int_eq(cgroup_read_memory(on.cg, NULL, &m), 0);
	return m;
}

START_TEST(memory_with_all_below)
{
	memory_stat("1048576", NULL);
	put("memory/a/b/memory.usage_in_bytes", "5000\n");
	struct cgroup_memory m = memory();

	ck_assert_uint_eq(m.limit, 1048576);
	ck_assert_uint_eq(m.usage, 5000);
	ck_assert_uint_eq(m.file, 100);
	ck_assert_uint_eq(m.anon, 200);
	ck_assert_uint_eq(m.anon_thp, 300);
	ck_assert_uint_eq(m.shmem, 400);
	ck_assert_uint_eq(m.mapped, 500);
	ck_assert_uint_eq(m.dirty, 600);
	ck_assert_uint_eq(m.writeback, 700);
	ck_assert_uint_eq(m.inactive_anon, 900);
	ck_assert_uint_eq(m.active_anon, 1000);
	ck_assert_uint_eq(m.inactive_file, 1100);
	ck_assert_uint_eq(m.active_file, 1200);
	ck_assert_uint_eq(m.unevictable, 1300);
	/* what v1 does not count is unknown, not 0 */
	ck_assert_uint_eq(m.slab, CGROUP_UNKNOWN);
	ck_assert_uint_eq(m.kernel_stack, CGROUP_UNKNOWN);
	ck_assert_uint_eq(m.swapcached, CGROUP_UNKNOWN);
	/* no memsw files: swap is not accounted */
	ck_assert_uint_eq(m.swap_usage, CGROUP_UNKNOWN);
	ck_assert_uint_eq(m.swap_limit, CGROUP_NO_LIMIT);
}
END_TEST

START_TEST(infinity_of_any_page_size)
{
	put("memory/a/b/memory.usage_in_bytes", "0\n");
	memory_stat(INFINITY_4K, NULL);
	ck_assert_uint_eq(memory().limit, CGROUP_NO_LIMIT);
	memory_stat(INFINITY_64K, NULL);
	ck_assert_uint_eq(memory().limit, CGROUP_NO_LIMIT);
	memory_stat("18446744073709551615", NULL); /* before kernel 3.19 */
	ck_assert_uint_eq(memory().limit, CGROUP_NO_LIMIT);
	memory_stat("4611686018427387904", NULL);
	ck_assert_uint_eq(memory().limit, 1ULL << 62);
	memory_stat("0", NULL);
	ck_assert_uint_eq(memory().limit, 0);
}
END_TEST

START_TEST(swap_is_memsw_without_memory)
{
	memory_stat("1000", "3000");
	put("memory/a/b/memory.usage_in_bytes", "600\n");
	put("memory/a/b/memory.memsw.usage_in_bytes", "850\n");
	ck_assert_uint_eq(memory().swap_limit, 2000);
	ck_assert_uint_eq(memory().swap_usage, 250);
	/* the same limit for both: no swap */
	memory_stat("3000", "3000");
	ck_assert_uint_eq(memory().swap_limit, 0);
	/* the two are not read at one moment */
	put("memory/a/b/memory.usage_in_bytes", "900\n");
	ck_assert_uint_eq(memory().swap_usage, 0);
	memory_stat(INFINITY_4K, INFINITY_4K);
	ck_assert_uint_eq(memory().swap_limit, CGROUP_NO_LIMIT);
	memory_stat("3000", INFINITY_4K);
	ck_assert_uint_eq(memory().swap_limit, CGROUP_NO_LIMIT);
	memory_stat(INFINITY_4K, "3000"); /* both together, any part of it may be swap */
	ck_assert_uint_eq(memory().swap_limit, 3000);
}
END_TEST

START_TEST(swappiness_none)
{
	memory_stat("1000", "3000");
	put("memory/a/b/memory.usage_in_bytes", "600\n");
	put("memory/a/b/memory.memsw.usage_in_bytes", "850\n");
	put("memory/a/b/memory.swappiness", "0\n");
	ck_assert_uint_eq(memory().swap_limit, 250);
	put("memory/a/b/memory.swappiness", "60\n");
	ck_assert_uint_eq(memory().swap_limit, 2000);
}
END_TEST

START_TEST(usage_above_a_lowered_limit)
{
	memory_stat("4096", "4096");
	put("memory/a/b/memory.usage_in_bytes", "1000000\n");
	put("memory/a/b/memory.memsw.usage_in_bytes", "2000000\n");
	ck_assert_uint_eq(memory().limit, 4096);
	ck_assert_uint_eq(memory().usage, 1000000);
	ck_assert_uint_eq(memory().swap_limit, 0);
	ck_assert_uint_eq(memory().swap_usage, 1000000);
}
END_TEST

START_TEST(memory_missing_or_damaged)
{
	struct cgroup_memory m = { .limit = 77 };

	ck_assert_int_eq(cgroup_read_memory(on.cg, NULL, &m), -ENOENT);
	memory_stat("1000", NULL);
	ck_assert_int_eq(cgroup_read_memory(on.cg, NULL, &m), -ENOENT);
	put("memory/a/b/memory.usage_in_bytes", "");
	ck_assert_int_eq(cgroup_read_memory(on.cg, NULL, &m), -EINVAL);
	put("memory/a/b/memory.usage_in_bytes", "99999999999999999999999");
	ck_assert_int_eq(cgroup_read_memory(on.cg, NULL, &m), -ERANGE);
	ck_assert_uint_eq(m.limit, 77);
	put("memory/a/b/memory.usage_in_bytes", "5");
	put("memory/a/b/memory.stat",
	    "total_rss\ntotal_cache x\n\n \ntotal_shmem -1\ntotal_dirty 5");
	m = memory();
	ck_assert_uint_eq(m.anon, CGROUP_UNKNOWN);
	ck_assert_uint_eq(m.file, CGROUP_UNKNOWN);
	ck_assert_uint_eq(m.shmem, CGROUP_UNKNOWN);
	ck_assert_uint_eq(m.dirty, 5);
	ck_assert_uint_eq(m.limit, CGROUP_NO_LIMIT);
}
END_TEST

START_TEST(memory_explained)
{
	struct origins why = { .lines = { 0 } };
	struct cgroup_memory m;

	memory_stat("1000", "3000");
	put("memory/a/b/memory.usage_in_bytes", "600\n");
	put("memory/a/b/memory.memsw.usage_in_bytes", "850\n");
	put("memory/a/b/memory.limit_in_bytes", INFINITY_4K "\n");
	put("memory/a/memory.limit_in_bytes", "1000\n");
	put("memory/memory.limit_in_bytes", "1\n"); /* the root has no limit */
	ck_assert_int_eq(cgroup_read_memory(on.cg, &why, &m), 0);
	ck_assert_ptr_nonnull(strstr(text_str(&why.lines),
				     "memory limit: 1000 from /memory/a/memory.limit_in_bytes\n"));
	ck_assert_ptr_nonnull(strstr(text_str(&why.lines),
				     "memory used: 600 from /memory/a/b/memory.usage_in_bytes\n"));
	text_free(&why.lines);
}
END_TEST

static void expect_quota(uint64_t quota, uint64_t period)
{
	struct cgroup_quota q;

	ck_assert_int_eq(cgroup_read_quota(on.cg, NULL, &q), 0);
	ck_assert_uint_eq(q.quota_us, quota);
	ck_assert_uint_eq(q.period_us, period);
}

static void put_quota(const char *cgroup, const char *quota, const char *period)
{
	char path[128];

	snprintf(path, sizeof path, "cpu%s/cpu.cfs_quota_us", cgroup);
	put(path, quota);
	snprintf(path, sizeof path, "cpu%s/cpu.cfs_period_us", cgroup);
	put(path, period);
}

START_TEST(tightest_quota_of_all_levels)
{
	put_quota("", "1000\n", "100000\n"); /* the root's, which binds nobody */
	put_quota("/a", "-1\n", "100000\n");
	put_quota("/a/b", "-1\n", "100000\n");
	expect_quota(CGROUP_NO_LIMIT, 100000);
	put_quota("/a", "150000\n", "100000\n");
	expect_quota(150000, 100000);
	put_quota("/a/b", "60000\n", "20000\n");
	expect_quota(150000, 100000);
	put_quota("/a/b", "10000\n", "20000\n");
	expect_quota(10000, 20000);
}
END_TEST

START_TEST(quota_missing_or_damaged)
{
	struct cgroup_quota q = { 1, 2 };

	ck_assert_int_eq(cgroup_read_quota(on.cg, NULL, &q), -ENODATA);
	put_quota("/a", "1000\n", "0\n");
	put_quota("/a/b", "1000\n", "0\n");
	ck_assert_int_eq(cgroup_read_quota(on.cg, NULL, &q), -EINVAL);
	put_quota("/a/b", "1000\n", "");
	ck_assert_int_eq(cgroup_read_quota(on.cg, NULL, &q), -EINVAL);
	put_quota("/a/b", "99999999999999999999\n", "100000");
	ck_assert_int_eq(cgroup_read_quota(on.cg, NULL, &q), -ERANGE);
	ck_assert_uint_eq(q.quota_us, 1);
}
END_TEST

static void expect_cpus(const char *list)
{
	AUTO_TEXT struct text text = { 0 };
	struct cpulist cpus;

	ck_assert_int_eq(cgroup_read_cpus(on.cg, NULL, &cpus), 0);
	cpulist_print(&cpus, &text);
	ck_assert_str_eq(text_str(&text), list);
}

START_TEST(cpus_effective_first)
{
	put("cpuset/a/b/cpuset.cpus", "0-3\n");
	expect_cpus("0-3"); /* before kernel 3.17 */
	put("cpuset/a/b/cpuset.effective_cpus", "0,2\n");
	expect_cpus("0,2");
	put("cpuset/a/b/cpuset.effective_cpus", "\n"); /* clone_children is off, nothing set */
	put("cpuset/a/cpuset.effective_cpus", "1\n");
	expect_cpus("1");
	put("cpuset/a/cpuset.effective_cpus", "");
	put("cpuset/cpuset.effective_cpus", "0-7\n");
	expect_cpus("0-7");
}
END_TEST

START_TEST(cpus_missing_or_damaged)
{
	struct cpulist cpus;

	ck_assert_int_eq(cgroup_read_cpus(on.cg, NULL, &cpus), -ENODATA);
	put("cpuset/a/b/cpuset.effective_cpus", "0-x\n");
	ck_assert_int_eq(cgroup_read_cpus(on.cg, NULL, &cpus), -EINVAL);
	put("cpuset/a/b/cpuset.effective_cpus", "0-8192\n");
	ck_assert_int_eq(cgroup_read_cpus(on.cg, NULL, &cpus), -ERANGE);
}
END_TEST

START_TEST(cpu_time_by_cpu)
{
	struct cgroup_cputime t;

	put("cpuacct/a/b/cpuacct.usage_all",
	    "cpu user system\n0 1000999 2000000\n1 0 0\n2 5000 7000\n");
	ck_assert_int_eq(cgroup_read_cputime(on.cg, NULL, &t), 0);
	ck_assert_uint_eq(t.user_us, 1005);
	ck_assert_uint_eq(t.system_us, 2007);
	ck_assert_uint_eq(t.count, 3);
	ck_assert_uint_eq(t.cpu[0].user_us, 1000);
	ck_assert_uint_eq(t.cpu[1].system_us, 0);
	ck_assert_uint_eq(t.cpu[2].system_us, 7);
	cgroup_cputime_free(&t);
	ck_assert_ptr_null(t.cpu);
}
END_TEST

/* CPUs that cannot be are left out: numbers may be missing, but not go down or sky high. */
START_TEST(cpu_time_missing_or_damaged)
{
	struct cgroup_cputime t;

	ck_assert_int_eq(cgroup_read_cputime(on.cg, NULL, &t), -ENODATA);
	put("cpuacct/a/b/cpuacct.usage_all",
	    "cpu user system\n0 1000\n1 x y\n3 1000 2000\n2 9000 9000\n3 9000 9000\n8192 1 1\n"
	    "4 99999999999999999999 1\n\n5 3000 4000");
	ck_assert_int_eq(cgroup_read_cputime(on.cg, NULL, &t), 0);
	ck_assert_uint_eq(t.count, 6);
	ck_assert_uint_eq(t.cpu[0].user_us, 0);
	ck_assert_uint_eq(t.cpu[3].user_us, 1);
	ck_assert_uint_eq(t.user_us, 4);
	ck_assert_uint_eq(t.system_us, 6);
	cgroup_cputime_free(&t);
	put("cpuacct/a/b/cpuacct.usage_all", "");
	ck_assert_int_eq(cgroup_read_cputime(on.cg, NULL, &t), 0);
	ck_assert_uint_eq(t.count, 0);
}
END_TEST

#define BYTES "blkio/a/b/blkio.throttle.io_service_bytes_recursive"
#define REQUESTS "blkio/a/b/blkio.throttle.io_serviced_recursive"

START_TEST(io_by_device)
{
	struct cgroup_io io;

	put(BYTES, "8:0 Read 4096\n8:0 Write 8192\n8:0 Sync 12288\n8:0 Async 0\n8:0 Discard 512\n"
		   "8:0 Total 12800\n254:1 Read 0\n254:1 Write 0\nTotal 12800\n");
	put(REQUESTS,
	    "8:0 Read 1\n8:0 Write 2\n8:0 Discard 3\n8:0 Total 6\n9:0 Write 7\nTotal 13\n");
	ck_assert_int_eq(cgroup_read_io(on.cg, NULL, &io), 0);
	ck_assert_uint_eq(io.count, 2); /* 254:1 did nothing */
	ck_assert_uint_eq(io.device[0].major, 8);
	ck_assert_uint_eq(io.device[0].read_bytes, 4096);
	ck_assert_uint_eq(io.device[0].write_bytes, 8192);
	ck_assert_uint_eq(io.device[0].discard_bytes, 512);
	ck_assert_uint_eq(io.device[0].reads, 1);
	ck_assert_uint_eq(io.device[0].writes, 2);
	ck_assert_uint_eq(io.device[0].discards, 3);
	ck_assert_uint_eq(io.device[1].major, 9);
	ck_assert_uint_eq(io.device[1].writes, 7);
	cgroup_io_free(&io);
}
END_TEST

START_TEST(io_missing_or_damaged)
{
	struct cgroup_io io = { .count = 77 };

	ck_assert_int_eq(cgroup_read_io(on.cg, NULL, &io), -ENODATA);
	put(BYTES, "8:0 Read 4096\n");
	ck_assert_int_eq(cgroup_read_io(on.cg, NULL, &io), -ENODATA);
	ck_assert_uint_eq(io.count, 77);
	put(REQUESTS,
	    "8 Read 1\n8:0\n8:0 Read\n8:0 Read x\n8:0 Erase 5\n8:0 Read 99999999999999999999\n"
	    "8:0x Read 1\n\n:\n8:0 Write 4");
	ck_assert_int_eq(cgroup_read_io(on.cg, NULL, &io), 0);
	ck_assert_uint_eq(io.count, 1);
	ck_assert_uint_eq(io.device[0].reads, 0);
	ck_assert_uint_eq(io.device[0].writes, 4);
	cgroup_io_free(&io);
}
END_TEST

START_TEST(hugetlb)
{
	struct cgroup_hugetlb h = { .usage = 77 };

	ck_assert_int_eq(cgroup_read_hugetlb(on.cg, NULL, 2048, &h), -ENODATA);
	put("hugetlb/a/b/hugetlb.2MB.usage_in_bytes", "2097152\n");
	put("hugetlb/a/b/hugetlb.2MB.limit_in_bytes", INFINITY_4K "\n");
	put("hugetlb/a/hugetlb.2MB.limit_in_bytes", "4194304\n");
	ck_assert_int_eq(cgroup_read_hugetlb(on.cg, NULL, 2048, &h), 0);
	ck_assert_uint_eq(h.usage, 2097152);
	ck_assert_uint_eq(h.limit, 4194304);
	ck_assert_uint_eq(h.reserved, CGROUP_UNKNOWN);
	put("hugetlb/a/b/hugetlb.2MB.rsvd.usage_in_bytes", "6\n");
	put("hugetlb/a/hugetlb.2MB.limit_in_bytes", "9223372036852678656\n"); /* rounded to 2 MiB */
	ck_assert_int_eq(cgroup_read_hugetlb(on.cg, NULL, 2048, &h), 0);
	ck_assert_uint_eq(h.reserved, 6);
	ck_assert_uint_eq(h.limit, CGROUP_NO_LIMIT);
	put("hugetlb/a/b/hugetlb.1GB.usage_in_bytes", "1\n");
	put("hugetlb/a/b/hugetlb.1GB.limit_in_bytes", "9223372035781033984\n"); /* to 1 GiB */
	ck_assert_int_eq(cgroup_read_hugetlb(on.cg, NULL, 1 << 20, &h), 0);
	ck_assert_uint_eq(h.usage, 1);
	ck_assert_uint_eq(h.limit, CGROUP_NO_LIMIT);
	put("hugetlb/a/b/hugetlb.64KB.usage_in_bytes", "2\n");
	put("hugetlb/a/b/hugetlb.64KB.limit_in_bytes", "5\n");
	ck_assert_int_eq(cgroup_read_hugetlb(on.cg, NULL, 64, &h), 0);
	ck_assert_uint_eq(h.limit, 5);
	put("hugetlb/a/b/hugetlb.64KB.limit_in_bytes", "?\n");
	ck_assert_int_eq(cgroup_read_hugetlb(on.cg, NULL, 64, &h), -EINVAL);
	ck_assert_uint_eq(h.limit, 5);
}
END_TEST

START_TEST(slabinfo)
{
	AUTO_TEXT struct text text = { 0 };

	ck_assert_int_eq(cgroup_read_slabinfo(on.cg, NULL, &text), -ENODATA);
	put("memory/a/b/memory.kmem.slabinfo", "dentry 1 2\n");
	ck_assert_int_eq(cgroup_read_slabinfo(on.cg, NULL, &text), 0);
	ck_assert_str_eq(text_str(&text), "dentry 1 2\n");
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, memory_with_all_below);
	tcase_add_test(tests, infinity_of_any_page_size);
	tcase_add_test(tests, swap_is_memsw_without_memory);
	tcase_add_test(tests, swappiness_none);
	tcase_add_test(tests, usage_above_a_lowered_limit);
	tcase_add_test(tests, memory_missing_or_damaged);
	tcase_add_test(tests, memory_explained);
	tcase_add_test(tests, tightest_quota_of_all_levels);
	tcase_add_test(tests, quota_missing_or_damaged);
	tcase_add_test(tests, cpus_effective_first);
	tcase_add_test(tests, cpus_missing_or_damaged);
	tcase_add_test(tests, cpu_time_by_cpu);
	tcase_add_test(tests, cpu_time_missing_or_damaged);
	tcase_add_test(tests, io_by_device);
	tcase_add_test(tests, io_missing_or_damaged);
	tcase_add_test(tests, hugetlb);
	tcase_add_test(tests, slabinfo);
}

int main(void)
{
	return test_run("cgroup_v1", fill);
}
