/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The CPU directory: the host's, without a trace of the CPUs that are not the container's. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "container.h"
#include "host.h"
#include "support.h"
#include "tree.h"
#include "view.h"

#define SYS "sys/devices/system/cpu"

static char *machine;
static struct host host;
static struct container container;
static struct lxcfs_caller caller = { .pid = 77, .uid = 1000, .gid = 1000 };
static struct tree_call inside, outside;

static void cpu_file(unsigned cpu, const char *name, const char *content)
{
	char path[256];

	snprintf(path, sizeof path, SYS "/cpu%u/%s", cpu, name);
	test_write(machine, path, content);
}

static void cpu_make(unsigned cpu)
{
	char path[4200], number[16];

	snprintf(number, sizeof number, "%u\n", cpu);
	cpu_file(cpu, "uevent", "DRIVER=processor\n");
	cpu_file(cpu, "topology/core_id", number);
	cpu_file(cpu, "topology/core_cpus_list", "0-3\n");
	cpu_file(cpu, "topology/core_cpus", "f\n");
	cpu_file(cpu, "topology/thread_siblings", "00000000,0000000f\n");
	cpu_file(cpu, "cache/index0/shared_cpu_list", "2-3\n");
	cpu_file(cpu, "cache/index0/shared_cpu_map", "c\n");
	cpu_file(cpu, "crash_notes", "123000\n");
	snprintf(path, sizeof path, "%s/" SYS "/cpu%u/crash_notes", machine, cpu);
	ck_assert_int_eq(chmod(path, 0400), 0);
	snprintf(path, sizeof path, "%s/" SYS "/cpu%u/subsystem", machine, cpu);
	ck_assert_int_eq(symlink("../../../../bus/cpu", path), 0);
}

static void policy_make(unsigned policy, const char *related)
{
	char path[256];

	snprintf(path, sizeof path, SYS "/cpufreq/policy%u/related_cpus", policy);
	test_write(machine, path, related);
	snprintf(path, sizeof path, SYS "/cpufreq/policy%u/affected_cpus", policy);
	test_write(machine, path, related);
}

static void setup(void)
{
	char path[4200];

	machine = test_directory();
	test_write(machine, "proc/mounts", "cgroup2 /cg cgroup2 rw 0 0\n");
	test_write(machine, "cg/cgroup.controllers", "cpuset cpu\n");
	test_write(machine, "cg/c/cpuset.cpus.effective", "1,3\n");
	test_write(machine, "cg/c/cpu.max", "100000 100000\n");
	test_write(machine, SYS "/online", "0-3\n");
	test_write(machine, SYS "/enabled", "0-3\n");
	test_write(machine, SYS "/nohz_full", "  (null)\n");
	test_write(machine, SYS "/uevent", "");
	test_write(machine, SYS "/smt/active", "1\n");
	test_write(machine, SYS "/cpufreq/boost", "1\n");
	for (unsigned cpu = 0; cpu < 4; cpu++)
		cpu_make(cpu);
	policy_make(0, "0 1\n");
	policy_make(2, "2\n");
	snprintf(path, sizeof path, "%s/" SYS "/pipe", machine);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(host_open(machine, &host), 0);
	container.own_pidns = true;
	ck_assert_int_eq(cgroup_open(host.cgroups, "0::/c\n", true, &container.cgroup), 0);
	inside = (struct tree_call){ &host, &caller, &container, 0 };
	outside = (struct tree_call){ &host, &caller, NULL, 0 };
}

static void teardown(void)
{
	container_free(&container);
	host_close(&host);
	test_remove(machine);
	free(machine);
}

struct names {
	struct text text;
	int stop_after;
};

static int note_name(void *arg, const char *name, mode_t type)
{
	struct names *names = arg;

	text_putc(&names->text, ' ');
	text_puts(&names->text, name);
	text_putc(&names->text, S_ISDIR(type)	? '/'
				: S_ISLNK(type) ? '@'
				: S_ISREG(type) ? '.'
						: '?');
	return --names->stop_after == 0 ? 99 : 0;
}

/* The entries of a directory, each behind a blank and with a sign of its type. */
static char *list(const struct tree_call *call, const char *path)
{
	struct names names = { 0 };

	ck_assert_int_eq(sys_cpu_tree.list(call, path, note_name, &names), 0);
	ck_assert_int_eq(names.text.error, 0);
	text_putc(&names.text, ' ');
	return names.text.data;
}

START_TEST(directories_list_the_containers_cpus)
{
	AUTO_FREE char *mine = list(&inside, ""), *all = list(&outside, "");
	AUTO_FREE char *cpu = list(&inside, "/cpu1"), *freq = list(&inside, "/cpufreq");
	struct names one = { .stop_after = 1 };

	ck_assert_ptr_nonnull(strstr(mine, " cpu1/ "));
	ck_assert_ptr_nonnull(strstr(mine, " cpu3/ "));
	ck_assert_ptr_null(strstr(mine, " cpu0/ "));
	ck_assert_ptr_null(strstr(mine, " cpu2/ "));
	ck_assert_ptr_nonnull(strstr(mine, " uevent. "));
	ck_assert_ptr_nonnull(strstr(mine, " smt/ "));
	ck_assert_ptr_null(strstr(mine, " pipe"));
	ck_assert_ptr_null(strstr(mine, " .."));
	ck_assert_ptr_nonnull(strstr(all, " cpu0/ "));
	ck_assert_ptr_nonnull(strstr(cpu, " subsystem@ "));
	ck_assert_ptr_nonnull(strstr(cpu, " cache/ "));
	ck_assert_ptr_nonnull(strstr(freq, " policy0/ "));
	ck_assert_ptr_null(strstr(freq, " policy2/ "));
	ck_assert_int_eq(sys_cpu_tree.list(&inside, "/cpu0", note_name, &one), -ENOENT);
	ck_assert_int_eq(sys_cpu_tree.list(&inside, "/uevent", note_name, &one), -ENOTDIR);
	ck_assert_int_eq(sys_cpu_tree.list(&inside, "", note_name, &one), 99);
	text_free(&one.text);
}
END_TEST

START_TEST(the_quota_hides_cpus_too)
{
	AUTO_FREE char *names = NULL;

	inside.flags = LXCFS_CFS;
	names = list(&inside, "");
	ck_assert_ptr_nonnull(strstr(names, " cpu1/ "));
	ck_assert_ptr_null(strstr(names, " cpu3/ "));
}
END_TEST

START_TEST(no_name_leads_to_a_hidden_cpu)
{
	static const char *const paths[] = {
		"/cpu0",
		"/cpu0/",
		"/cpu0/topology/core_id",
		"/cpu00",
		"/cpu01",
		"/cpu1/../cpu0",
		"/cpu1/../cpu0/uevent",
		"/./cpu0",
		"//cpu0",
		"/cpu1/",
		"/../cpu/cpu0",
		"/cpu+0",
		"/cpu0x",
		"/cpu18446744073709551616",
		"/cpu 0",
		"/cpufreq/policy2",
		"/cpufreq/policy2/related_cpus",
		"cpu1",
		"/cpu1/subsystem/x",
		"/CPU0",
		"/smt/../cpu0/uevent",
		"/cpufreq/policy02",
		"/pipe",
	};
	AUTO_TEXT struct text text = { 0 };
	struct names names = { 0 };
	struct stat st;

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		ck_assert_msg(sys_cpu_tree.stat(&inside, paths[i], &st) < 0, "%s", paths[i]);
		ck_assert_msg(sys_cpu_tree.list(&inside, paths[i], note_name, &names) < 0, "%s",
			      paths[i]);
		ck_assert_msg(sys_cpu_tree.readlink(&inside, paths[i], &text) < 0, "%s", paths[i]);
		ck_assert_msg(sys_cpu_tree.access(&inside, paths[i], R_OK) < 0, "%s", paths[i]);
		if (strcmp(paths[i], "/pipe") != 0)
			ck_assert_msg(sys_cpu_tree.read(&inside, paths[i], &text) < 0, "%s",
				      paths[i]);
	}
	ck_assert_uint_eq(text.len + names.text.len, 0);
}
END_TEST

START_TEST(very_long_names)
{
	char path[5000] = "";
	struct stat st;

	memset(path, 'a', sizeof path - 1);
	path[0] = '/';
	ck_assert_int_eq(sys_cpu_tree.stat(&inside, path, &st), -ENAMETOOLONG);
	path[300] = '\0';
	ck_assert_int_eq(sys_cpu_tree.stat(&inside, path, &st), -ENAMETOOLONG);
}
END_TEST

START_TEST(modes_are_the_hosts_and_nobody_writes)
{
	struct stat st;

	ck_assert_int_eq(sys_cpu_tree.stat(&inside, "", &st), 0);
	ck_assert(S_ISDIR(st.st_mode));
	ck_assert_uint_eq(st.st_nlink, 1);
	ck_assert_int_eq(sys_cpu_tree.stat(&inside, "/cpu1/crash_notes", &st), 0);
	ck_assert_uint_eq(st.st_mode, S_IFREG | 0400);
	ck_assert_int_eq(st.st_size, 0);
	ck_assert_int_eq(sys_cpu_tree.stat(&inside, "/cpu1/subsystem", &st), 0);
	ck_assert(S_ISLNK(st.st_mode));
	ck_assert_int_eq(st.st_size, strlen("../../../../bus/cpu"));

	ck_assert_int_eq(sys_cpu_tree.access(&inside, "/cpu1/uevent", R_OK), 0);
	ck_assert_int_eq(sys_cpu_tree.access(&inside, "/cpu1/uevent", W_OK), -EACCES);
	ck_assert_int_eq(sys_cpu_tree.access(&inside, "", R_OK | W_OK), -EACCES);
	if (getuid() != caller.uid)
		ck_assert_int_eq(sys_cpu_tree.access(&inside, "/cpu1/crash_notes", R_OK), -EACCES);
	ck_assert_ptr_null(sys_cpu_tree.write);
	ck_assert_ptr_null(sys_cpu_tree.mkdir);
}
END_TEST

static void check_read(const struct tree_call *call, const char *path, const char *expected)
{
	AUTO_TEXT struct text text = { 0 };

	ck_assert_int_eq(sys_cpu_tree.read(call, path, &text), 0);
	ck_assert_str_eq(text_str(&text), expected);
}

START_TEST(texts_name_only_visible_cpus)
{
	check_read(&inside, "/cpu1/topology/core_id", "1\n");
	check_read(&inside, "/cpu1/topology/core_cpus_list", "1,3\n");
	check_read(&inside, "/cpu1/topology/core_cpus", "a\n");
	check_read(&inside, "/cpu1/topology/thread_siblings", "00000000,0000000a\n");
	check_read(&inside, "/cpu3/cache/index0/shared_cpu_list", "3\n");
	check_read(&inside, "/cpu3/cache/index0/shared_cpu_map", "8\n");
	check_read(&inside, "/cpufreq/policy0/affected_cpus", "1\n");
	check_read(&inside, "/enabled", "1,3\n");
	check_read(&inside, "/nohz_full", "  (null)\n");
	check_read(&inside, "/uevent", "");
	check_read(&outside, "/cpufreq/policy0/affected_cpus", "0 1\n");
	check_read(&outside, "/cpu0/topology/core_cpus_list", "0-3\n");
}
END_TEST

START_TEST(strange_texts)
{
	char mask[6000];

	memset(mask, 'f', sizeof mask - 1);
	memset(mask, '0', sizeof mask - 1 - 2048);
	mask[sizeof mask - 1] = '\0';
	cpu_file(1, "topology/die_cpus", mask);
	cpu_file(1, "topology/package_cpus_list", "0-3,x\n");
	test_write(machine, SYS "/cpufreq/policy0/related_cpus", "");
	test_write(machine, SYS "/cpufreq/policy3/related_cpus", "3x\n");
	{
		AUTO_TEXT struct text text = { 0 };

		ck_assert_int_eq(sys_cpu_tree.read(&inside, "/cpu1/topology/die_cpus", &text), 0);
		ck_assert_str_eq(text.data + text.len - 4, "00a\n");
		ck_assert_int_eq(sys_cpu_tree.read(&inside, "/cpu1/topology", &text), -EISDIR);
	}
	check_read(&inside, "/cpu1/topology/package_cpus_list", "0-3,x\n");
	/* a policy that does not tell its CPUs goes by its number */
	check_read(&inside, "/cpufreq/policy3/related_cpus", "3x\n");
	{
		struct stat st;

		ck_assert_int_eq(sys_cpu_tree.stat(&inside, "/cpufreq/policy0", &st), -ENOENT);
	}
}
END_TEST

START_TEST(links_are_told)
{
	AUTO_TEXT struct text target = { 0 };

	ck_assert_int_eq(sys_cpu_tree.readlink(&inside, "/cpu1/subsystem", &target), 0);
	ck_assert_str_eq(text_str(&target), "../../../../bus/cpu");
	ck_assert_int_eq(sys_cpu_tree.readlink(&inside, "/cpu1/uevent", &target), -EINVAL);
}
END_TEST

struct walk {
	char path[256];
	unsigned seen;
};

/* Every path has a number that leads back to it. */
static int check_node(void *arg, const char *name, mode_t type)
{
	struct walk *walk = arg;
	size_t len = strlen(walk->path);
	AUTO_TEXT struct text back = { 0 };
	uint64_t node = 0;

	snprintf(walk->path + len, sizeof walk->path - len, "/%s", name);
	ck_assert_int_eq(sys_cpu_tree.node(&host, walk->path, &node), 0);
	ck_assert_uint_lt(node, UINT64_C(1) << 62);
	ck_assert_int_eq(sys_cpu_tree.node_path(&host, node, &back), 0);
	ck_assert_str_eq(text_str(&back), walk->path);
	walk->seen++;
	if (S_ISDIR(type))
		ck_assert_int_eq(sys_cpu_tree.list(&outside, walk->path, check_node, walk), 0);
	walk->path[len] = '\0';
	return 0;
}

START_TEST(numbers_lead_back_to_paths)
{
	struct walk walk = { "", 0 };
	AUTO_TEXT struct text path = { 0 };
	uint64_t node;

	ck_assert_int_eq(sys_cpu_tree.list(&outside, "", check_node, &walk), 0);
	ck_assert_uint_ge(walk.seen, 4 * 11);
	ck_assert_int_eq(sys_cpu_tree.node(&host, "", &node), 0);
	ck_assert_int_eq(sys_cpu_tree.node_path(&host, node, &path), 0);
	ck_assert_uint_eq(path.len, 0);
	ck_assert_int_eq(sys_cpu_tree.node(&host, "/cpu1/gone", &node), 0);
	ck_assert_int_eq(sys_cpu_tree.node_path(&host, node, &path), -ENOENT);
	ck_assert_int_eq(sys_cpu_tree.node(&host, "/gone", &node), 0);
	ck_assert_int_eq(sys_cpu_tree.node_path(&host, node, &path), -ENOENT);
	ck_assert_int_eq(sys_cpu_tree.node(&host, "/cpu1/../x", &node), -ENOENT);
}
END_TEST

START_TEST(what_depends_on_the_caller_is_not_fixed)
{
	ck_assert(sys_cpu_tree.is_fixed(""));
	ck_assert(sys_cpu_tree.is_fixed("/online"));
	ck_assert(sys_cpu_tree.is_fixed("/smt/active"));
	ck_assert(sys_cpu_tree.is_fixed("/cpufreq"));
	ck_assert(!sys_cpu_tree.is_fixed("/cpu0"));
	ck_assert(!sys_cpu_tree.is_fixed("/cpu12/topology/core_id"));
	ck_assert(!sys_cpu_tree.is_fixed("/cpufreq/policy0"));
}
END_TEST

START_TEST(list_files)
{
	AUTO_SNAPSHOT struct snapshot s = { 0 };
	AUTO_TEXT struct text t = { 0 };

	ck_assert_int_eq(cpulist_parse("0-2,8", &s.cpus), 0);
	cpu_online_render(&s, &t);
	cpu_offline_render(&s, &t);
	test_host_file(&s, HOST_ISOLATED, "2-5\n");
	cpu_isolated_render(&s, &t);
	test_host_file(&s, HOST_ISOLATED, "\n");
	cpu_isolated_render(&s, &t);
	test_host_file(&s, HOST_ISOLATED, "?\n");
	cpu_isolated_render(&s, &t);
	ck_assert_str_eq(text_str(&t), "0-2,8\n\n2\n\n\n");
}
END_TEST

/* On real machines cpuinfo, stat, the lists and the directories tell of the same CPUs. */
static const struct {
	const char *host, *caller;
	unsigned flags;
	const char *cpus;
} machines[] = {
	{ "debian12-v2-4cpu", "limited", 0, "1,3\n" },
	{ "debian12-v2-4cpu", "limited", LXCFS_CFS, "1\n" },
	{ "debian12-v2-4cpu", "limited-app", 0, "1,3\n" },
	{ "debian12-v2-4cpu", "nested", 0, "0-1\n" },
	{ "debian12-v2-4cpu", "nested", LXCFS_CFS, "0-1\n" },
	{ "debian12-v2-4cpu", "shifted", 0, "0-3\n" },
	{ "kernel6.18-v1-2cpu", "limited", 0, "0\n" },
	{ "kernel6.18-v1-2cpu", "nested", 0, "0-1\n" },
};

static int count_cpu(void *arg, const char *name, mode_t type)
{
	struct cpulist *cpus = arg;
	unsigned cpu;
	char more;

	if (S_ISDIR(type) && sscanf(name, "cpu%u%c", &cpu, &more) == 1)
		cpulist_add(cpus, cpu);
	return 0;
}

/* The CPUs of the lines that begin with this word and a number. */
static void lines_cpus(const char *text, const char *word, struct cpulist *ret)
{
	struct cpulist cpus = { 0 };

	for (const char *line = text; line; line = strchr(line, '\n')) {
		const char *p;
		uint64_t cpu;

		line += *line == '\n';
		if (strncmp(line, word, strlen(word)) != 0)
			continue;
		p = line + strlen(word);
		if (number_take(&p, &cpu) == 0)
			cpulist_add(&cpus, cpu);
	}
	*ret = cpus;
}

static void same_cpus(const struct cpulist *cpus, const char *expected)
{
	AUTO_TEXT struct text text = { 0 };

	cpulist_print(cpus, &text);
	text_putc(&text, '\n');
	ck_assert_str_eq(text_str(&text), expected);
}

START_TEST(one_set_everywhere)
{
	static const char *const lists[] = { "online", "possible", "present" };
	const char *name = machines[_i].host, *expected = machines[_i].cpus;
	struct lxcfs *engine = test_engine(name, machines[_i].flags);
	struct lxcfs_caller who = test_caller(name, machines[_i].caller);
	AUTO_FREE char *stat = test_render(engine, &who, "/proc/stat");
	AUTO_FREE char *cpuinfo = test_render(engine, &who, "/proc/cpuinfo");
	AUTO_FREE char *offline = test_render(engine, &who, "/" SYS "/offline");
	struct cpulist cpus = { 0 };
	struct stat st;

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		AUTO_FREE char *text = NULL;
		char path[128];

		snprintf(path, sizeof path, "/" SYS "/%s", lists[i]);
		text = test_render(engine, &who, path);
		ck_assert_str_eq(text, expected);
	}
	ck_assert_str_eq(offline, "\n");
	ck_assert_int_eq(lxcfs_list(engine, &who, "/" SYS, count_cpu, &cpus), 0);
	same_cpus(&cpus, expected);
	lines_cpus(stat, "cpu", &cpus);
	same_cpus(&cpus, expected);
	lines_cpus(cpuinfo, "processor\t: ", &cpus);
	same_cpus(&cpus, expected);
	ck_assert_int_eq(lxcfs_stat(engine, &who, "/" SYS "/uevent", &st), 0);
	lxcfs_close(engine);
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, directories_list_the_containers_cpus);
	tcase_add_test(tests, the_quota_hides_cpus_too);
	tcase_add_test(tests, no_name_leads_to_a_hidden_cpu);
	tcase_add_test(tests, very_long_names);
	tcase_add_test(tests, modes_are_the_hosts_and_nobody_writes);
	tcase_add_test(tests, texts_name_only_visible_cpus);
	tcase_add_test(tests, strange_texts);
	tcase_add_test(tests, links_are_told);
	tcase_add_test(tests, numbers_lead_back_to_paths);
	tcase_add_test(tests, what_depends_on_the_caller_is_not_fixed);
	tcase_add_test(tests, list_files);
	tcase_add_loop_test(tests, one_set_everywhere, 0, ARRAY_SIZE(machines));
}

int main(void)
{
	return test_run("sys_cpu", fill);
}
