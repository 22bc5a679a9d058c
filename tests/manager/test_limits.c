/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* limits.* as cgroup files and values, on both versions; and which the host has. */
#include <glib/gstdio.h>
#include <string.h>

#include "drivers/instance/limits.h"
#include "support.h"
#include "util/json.h"

static const struct cgroup_layout v1 = {
	.cpu = 1,
	.cpuset = 1,
	.devices = 1,
	.hugetlb = 1,
	.io = 1,
	.memory = 1,
	.pids = 1,
	.swap = TRUE,
	.swappiness = TRUE,
	.io_weight = TRUE,
	.namespaces = TRUE,
};
static const struct cgroup_layout v2 = {
	.cpu = 2,
	.cpuset = 2,
	.devices = 2,
	.hugetlb = 2,
	.io = 2,
	.memory = 2,
	.pids = 2,
	.swap = TRUE,
	.io_weight = TRUE,
	.namespaces = TRUE,
};

/* "file=value file=value", with ? after those that may fail; or "error: words". */
static char *items(const struct cgroup_layout *layout, const char *config, const char *key,
		   gboolean live, const char *cpus)
{
	g_autoptr(json_t) map = json_loads(config, 0, NULL);
	g_autoptr(GString) text = g_string_new(NULL);
	g_autoptr(GError) error = NULL;
	struct limits_spec spec = {
		.layout = layout,
		.config = map,
		.cpus = cpus,
		.memory_total = 1000000000,
		.key = key,
		.live = live,
	};
	g_autoptr(GPtrArray) list = limits_items(&spec, &error);

	ck_assert(map != NULL);
	if (!list)
		return g_strdup_printf("error: %s", error->message);
	for (guint i = 0; i < list->len; i++) {
		const struct limit *l = list->pdata[i];

		ck_assert_int_ge(l->version, 1);
		g_string_append_printf(text, "%s%s=%s%s", i ? " " : "", l->file, l->value,
				       l->may_fail ? "?" : "");
	}
	return g_string_free(g_steal_pointer(&text), FALSE);
}

static void expect(const struct cgroup_layout *layout, const char *config, const char *want)
{
	g_autofree char *got = items(layout, config, NULL, FALSE, NULL);

	ck_assert_str_eq(got, want);
}

static void expect_live(const struct cgroup_layout *layout, const char *config, const char *key,
			const char *want)
{
	g_autofree char *got = items(layout, config, key, TRUE, NULL);

	ck_assert_str_eq(got, want);
}

START_TEST(nothing_set_is_nothing_written)
{
	expect(&v1, "{}", "");
	expect(&v2, "{}", "");
}
END_TEST

START_TEST(memory_at_the_start)
{
	expect(&v1, "{\"limits.memory\":\"64MiB\"}",
	       "memory.limit_in_bytes=67108864 memory.memsw.limit_in_bytes=67108864 "
	       "memory.soft_limit_in_bytes=60397978");
	expect(&v2, "{\"limits.memory\":\"64MB\"}",
	       "memory.max=64000000 memory.swap.max=0 memory.low=57600000");
	expect(&v2, "{\"limits.memory\":\"25%\"}",
	       "memory.max=250000000 memory.swap.max=0 memory.low=225000000");
	expect(&v1, "{\"limits.memory\":\"1MiB\",\"limits.memory.enforce\":\"soft\"}",
	       "memory.soft_limit_in_bytes=1048576");
	expect(&v2, "{\"limits.memory\":\"1MiB\",\"limits.memory.enforce\":\"soft\"}",
	       "memory.low=1048576");
}
END_TEST

START_TEST(memory_without_swap)
{
	struct cgroup_layout without = v1;

	expect(&v1, "{\"limits.memory\":\"10MB\",\"limits.memory.swap\":\"false\"}",
	       "memory.limit_in_bytes=10000000 memory.soft_limit_in_bytes=9000000 "
	       "memory.swappiness=0");
	expect(&v1, "{\"limits.memory.swap.priority\":\"3\"}", "memory.swappiness=67");
	expect(&v2, "{\"limits.memory.swap\":\"false\"}", "memory.swap.max=0");
	without.swap = without.swappiness = FALSE;
	expect(&without, "{\"limits.memory\":\"10MB\",\"limits.memory.swap\":\"false\"}",
	       "memory.limit_in_bytes=10000000 memory.soft_limit_in_bytes=9000000");
	without.memory = 0;
	expect(&without, "{\"limits.memory\":\"10MB\"}", "");
}
END_TEST

/* Up or down, one of the two orders is right; the sum is written last for sure. */
START_TEST(memory_changes)
{
	expect_live(&v1, "{\"limits.memory\":\"10MB\"}", "limits.memory",
		    "memory.memsw.limit_in_bytes=10000000? memory.limit_in_bytes=10000000 "
		    "memory.memsw.limit_in_bytes=10000000 memory.soft_limit_in_bytes=9000000 "
		    "memory.swappiness=60");
	expect_live(&v1, "{}", "limits.memory",
		    "memory.memsw.limit_in_bytes=-1 memory.limit_in_bytes=-1 "
		    "memory.soft_limit_in_bytes=-1 memory.swappiness=60");
	expect_live(&v2, "{}", "limits.memory", "memory.swap.max=max memory.max=max memory.low=0");
}
END_TEST

START_TEST(cpu_time)
{
	expect(&v1, "{\"limits.cpu.allowance\":\"50%\"}", "cpu.shares=512");
	expect(&v2, "{\"limits.cpu.allowance\":\"50%\"}", "cpu.weight=50");
	expect(&v1, "{\"limits.cpu.allowance\":\"50%\",\"limits.cpu.priority\":\"4\"}",
	       "cpu.shares=506");
	expect(&v1, "{\"limits.cpu.priority\":\"0\"}", "cpu.shares=1014");
	expect(&v1, "{\"limits.cpu.allowance\":\"25ms/100ms\"}",
	       "cpu.cfs_period_us=100000 cpu.cfs_quota_us=25000");
	expect(&v2, "{\"limits.cpu.allowance\":\"25ms/200ms\"}", "cpu.max=25000 200000");
	expect(&v1, "{\"limits.cpu.allowance\":\"0%\"}", "cpu.shares=2");
	expect(&v2, "{\"limits.cpu.allowance\":\"0%\"}", "cpu.weight=1");
}
END_TEST

START_TEST(cpu_changes)
{
	g_autofree char *cpus = items(&v1, "{}", "limits.cpu", TRUE, "0,3");

	ck_assert_str_eq(cpus, "cpuset.cpus=0,3");
	expect_live(&v1, "{}", "limits.cpu.allowance",
		    "cpu.shares=1024 cpu.cfs_quota_us=-1 cpu.cfs_period_us=100000");
	expect_live(&v2, "{}", "limits.cpu.allowance", "cpu.weight=100 cpu.max=max 100000");
	expect_live(&v1, "{\"limits.cpu.allowance\":\"10ms/20ms\"}", "limits.cpu.allowance",
		    "cpu.shares=1024 cpu.cfs_quota_us=-1 cpu.cfs_period_us=20000 "
		    "cpu.cfs_quota_us=10000");
}
END_TEST

START_TEST(the_others)
{
	struct cgroup_layout without = v1;

	expect(&v1, "{\"limits.processes\":\"50\"}", "pids.max=50");
	expect_live(&v1, "{}", "limits.processes", "pids.max=max");
	expect(&v1, "{\"limits.disk.priority\":\"0\"}", "blkio.weight=10");
	expect(&v2, "{\"limits.disk.priority\":\"10\"}", "io.weight=1000");
	expect_live(&v2, "{}", "limits.disk.priority", "io.weight=500");
	expect(&v1, "{\"limits.hugepages.2MB\":\"4MiB\"}", "hugetlb.2MB.limit_in_bytes=4194304");
	expect_live(&v2, "{}", "limits.hugepages.1GB", "hugetlb.1GB.max=max");
	without.io_weight = FALSE;
	expect(&without, "{\"limits.disk.priority\":\"5\"}",
	       "error: Cannot apply limits.disk.priority as blkio.weight cgroup controller is "
	       "missing");
}
END_TEST

START_TEST(nonsense_is_refused)
{
	static const char *const wrong[] = {
		"{\"limits.memory\":\"x\"}",	      "{\"limits.memory\":\"5 apples\"}",
		"{\"limits.processes\":\"-1\"}",      "{\"limits.processes\":\"1\\nx\"}",
		"{\"limits.cpu.allowance\":\"5\"}",   "{\"limits.cpu.allowance\":\"5ms\"}",
		"{\"limits.cpu.priority\":\"11\"}",   "{\"limits.disk.priority\":\"11\"}",
		"{\"limits.hugepages.1MB\":\"one\"}", "{\"limits.memory.swap.priority\":\"99\"}",
	};

	for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
		g_autofree char *got = items(&v1, wrong[i], NULL, FALSE, NULL);

		ck_assert_msg(g_str_has_prefix(got, "error: "), "%s gave %s", wrong[i], got);
	}
}
END_TEST

static void put(const char *root, const char *path, const char *text)
{
	g_autofree char *full = g_build_filename(root, path, NULL);
	g_autofree char *dir = g_path_get_dirname(full);

	ck_assert_int_eq(g_mkdir_with_parents(dir, 0700), 0);
	ck_assert(g_file_set_contents(full, text, -1, NULL));
}

static void clear(const char *dir)
{
	g_autoptr(GDir) list = g_dir_open(dir, 0, NULL);
	const char *name;

	while (list && (name = g_dir_read_name(list))) {
		g_autofree char *path = g_build_filename(dir, name, NULL);

		if (g_unlink(path))
			clear(path);
	}
	g_rmdir(dir);
}

START_TEST(layout_of_a_hybrid_host)
{
	g_autofree char *root = g_dir_make_tmp("layout-XXXXXX", NULL);
	struct cgroup_layout layout;

	put(root, "proc/self/mountinfo",
	    "30 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
	    "31 30 0:29 / /sys/fs/cgroup/mem rw,relatime shared:4 - cgroup cgroup rw,memory\n"
	    "32 30 0:30 / /sys/fs/cgroup/cc rw - cgroup cgroup rw,cpu,cpuacct\n"
	    "33 30 0:31 / /sys/fs/cgroup/io rw - cgroup cgroup rw,blkio\n"
	    "35 30 0:31 /elsewhere /mnt rw - cgroup cgroup rw,pids\n"
	    "34 30 0:32 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
	put(root, "sys/fs/cgroup/mem/memory.memsw.limit_in_bytes", "1");
	put(root, "sys/fs/cgroup/mem/memory.swappiness", "60");
	put(root, "sys/fs/cgroup/unified/cgroup.controllers", "hugetlb misc\n");
	cgroup_layout_read(root, &layout);
	ck_assert_int_eq(layout.memory, 1);
	ck_assert_int_eq(layout.cpu, 1);
	ck_assert_int_eq(layout.io, 1);
	ck_assert_int_eq(layout.hugetlb, 2);
	ck_assert_int_eq(layout.pids, 0);
	ck_assert_int_eq(layout.cpuset, 0);
	ck_assert(layout.swap && layout.swappiness && !layout.io_weight && !layout.namespaces);
	clear(root);
}
END_TEST

START_TEST(layout_of_v2)
{
	g_autofree char *root = g_dir_make_tmp("layout-XXXXXX", NULL);
	struct cgroup_layout layout;

	put(root, "proc/self/mountinfo", "30 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
	put(root, "proc/self/ns/cgroup", "");
	put(root, "sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory hugetlb pids\n");
	put(root, "sys/fs/cgroup/system.slice/memory.swap.max", "max\n");
	cgroup_layout_read(root, &layout);
	ck_assert(layout.memory == 2 && layout.cpu == 2 && layout.cpuset == 2 && layout.io == 2);
	ck_assert(layout.pids == 2 && layout.hugetlb == 2 && layout.devices == 2);
	ck_assert(layout.swap && !layout.swappiness && !layout.io_weight && layout.namespaces);
	clear(root);
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_test(tests, nothing_set_is_nothing_written);
	tcase_add_test(tests, memory_at_the_start);
	tcase_add_test(tests, memory_without_swap);
	tcase_add_test(tests, memory_changes);
	tcase_add_test(tests, cpu_time);
	tcase_add_test(tests, cpu_changes);
	tcase_add_test(tests, the_others);
	tcase_add_test(tests, nonsense_is_refused);
	tcase_add_test(tests, layout_of_a_hybrid_host);
	tcase_add_test(tests, layout_of_v2);
}

int main(void)
{
	return test_run("limits", fill);
}
