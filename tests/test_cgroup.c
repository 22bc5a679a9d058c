/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Finding hierarchies and places in them, and listing processes, on hosts made for the purpose. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cgroup/cgroup.h"
#include "cgroup/private.h"
#include "support.h"

static struct {
	char *root;
	int rootfd;
	struct cgroups *cgroups;
} on;

static void setup(void)
{
	on.root = test_directory();
	on.rootfd = open(on.root, O_PATH | O_DIRECTORY);
	ck_assert_int_ge(on.rootfd, 0);
}

static void teardown(void)
{
	cgroups_close(on.cgroups);
	close(on.rootfd);
	test_remove(on.root);
	free(on.root);
}

/* Opens a host with these lines in /proc/mounts. */
static void host(const char *mounts)
{
	test_write(on.root, "proc/mounts", mounts);
	ck_assert_int_eq(cgroups_open(on.rootfd, &on.cgroups), 0);
}

static void hybrid(void)
{
	test_write(on.root, "sys/fs/cgroup/memory/cgroup.procs", "");
	test_write(on.root, "sys/fs/cgroup/cpu,cpuacct/cgroup.procs", "");
	test_write(on.root, "sys/fs/cgroup/systemd/cgroup.procs", "");
	test_write(on.root, "sys/fs/cgroup/unified/cgroup.controllers", "pids hugetlb\n");
	host("proc /proc proc rw 0 0\n"
	     "cgroup2 /sys/fs/cgroup/unified cgroup2 rw,nosuid 0 0\n"
	     "cgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0\n"
	     "cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0\n"
	     "cgroup /sys/fs/cgroup/systemd cgroup rw,xattr,name=systemd 0 0\n");
}

static const struct cgroup_hierarchy *of(enum cgroup_controller controller)
{
	int index = on.cgroups->of[controller];

	return index < 0 ? NULL : &on.cgroups->hierarchy[index];
}

START_TEST(every_controller_has_its_own_version)
{
	hybrid();
	ck_assert_uint_eq(on.cgroups->count, 4);
	ck_assert_str_eq(of(CGROUP_MEMORY)->name, "memory");
	ck_assert_int_eq(of(CGROUP_MEMORY)->version, 1);
	ck_assert_str_eq(of(CGROUP_MEMORY)->mount, "/sys/fs/cgroup/memory");
	ck_assert_str_eq(of(CGROUP_CPU)->name, "cpu,cpuacct");
	ck_assert_ptr_eq(of(CGROUP_CPU), of(CGROUP_CPUACCT));
	ck_assert_str_eq(of(CGROUP_PIDS)->name, "unified");
	ck_assert_int_eq(of(CGROUP_HUGETLB)->version, 2);
	ck_assert_int_eq(of(CGROUP_CORE)->version, 2);
	ck_assert_ptr_null(of(CGROUP_CPUSET));
	ck_assert_ptr_null(of(CGROUP_IO));
}
END_TEST

START_TEST(unified)
{
	test_write(on.root, "sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory pids\n");
	host("cgroup2 /sys/fs/cgroup cgroup2 rw,nsdelegate 0 0\n");
	for (int c = 0; c < CGROUP_CONTROLLERS; c++)
		ck_assert_int_eq(on.cgroups->of[c], c == CGROUP_HUGETLB ? -1 : 0);
}
END_TEST

/* Mounted on both, as while one of them is being given up: v1 has the numbers. */
START_TEST(v1_wins)
{
	test_write(on.root, "a/cgroup.controllers", "memory cpu\n");
	test_write(on.root, "b/cgroup.procs", "");
	host("cgroup2 /a cgroup2 rw 0 0\ncgroup /b cgroup rw,memory 0 0\n");
	ck_assert_int_eq(of(CGROUP_MEMORY)->version, 1);
	ck_assert_int_eq(of(CGROUP_CPU)->version, 2);
}
END_TEST

START_TEST(names_are_whole_words)
{
	test_write(on.root, "a/cgroup.controllers", "cpuset memoryx xio hugetlb\n");
	test_write(on.root, "b/cgroup.procs", "");
	host("cgroup2 /a cgroup2 rw 0 0\ncgroup /b cgroup rw,cpuacct 0 0\n");
	ck_assert_ptr_null(of(CGROUP_CPU));
	ck_assert_ptr_null(of(CGROUP_MEMORY));
	ck_assert_ptr_null(of(CGROUP_IO));
	ck_assert_int_eq(of(CGROUP_CPUSET)->version, 2);
	ck_assert_int_eq(of(CGROUP_HUGETLB)->version, 2);
	ck_assert_int_eq(of(CGROUP_CPUACCT)->version, 1);
}
END_TEST

START_TEST(odd_mounts)
{
	test_write(on.root, "with space/cgroup.procs", "");
	test_write(on.root, "twice/cgroup.procs", "");
	host("cgroup /with\\040space cgroup rw,pids 0 0\n"
	     "cgroup /twice cgroup rw,pids 0 0\n" /* the first counts */
	     "cgroup /not/there cgroup rw,memory 0 0\n"
	     "cgroup / cgroup rw,cpuset 0 0\n"
	     "cgroup /twice cgroup rw,unheard-of 0 0\n"
	     "short\n\n");
	ck_assert_uint_eq(on.cgroups->count, 1);
	ck_assert_str_eq(of(CGROUP_PIDS)->mount, "/with space");
}
END_TEST

START_TEST(no_cgroup_file_system)
{
	struct cgroups *none = (struct cgroups *)&on;

	ck_assert_int_eq(cgroups_open(on.rootfd, &none), -ENOENT);
	test_write(on.root, "proc/mounts", "proc /proc proc rw 0 0\n");
	ck_assert_int_eq(cgroups_open(on.rootfd, &none), -ENODEV);
	ck_assert_ptr_eq(none, (struct cgroups *)&on);
}
END_TEST

/* The path in the hierarchy of a controller, of a place made from this text. */
static void expect_path(const char *text, bool init, enum cgroup_controller controller,
			const char *path)
{
	struct cgroup *cg;
	const char *got;

	ck_assert_int_eq(cgroup_open(on.cgroups, text, init, &cg), 0);
	got = cgroup_path(cg, (size_t)on.cgroups->of[controller]);
	if (path)
		ck_assert_str_eq(got, path);
	else
		ck_assert_ptr_null(got);
	ck_assert_ptr_null(cgroup_path(cg, on.cgroups->count));
	ck_assert_int_eq(cgroup_is_root(cg, controller), !path || strcmp(path, "/") == 0);
	cgroup_close(cg);
}

START_TEST(places)
{
	static const char text[] =
		"12:cpu,cpuacct:/a\n11:memory:/a/b:c\n1:name=systemd:/s\n0::/u/v\n";

	hybrid();
	expect_path(text, false, CGROUP_CPU, "/a");
	expect_path(text, false, CGROUP_MEMORY, "/a/b:c");
	expect_path(text, false, CGROUP_CORE, "/u/v");
	expect_path("0::/", false, CGROUP_CORE, "/");
	expect_path("0::/\n", false, CGROUP_MEMORY, NULL);
	expect_path("", false, CGROUP_CORE, NULL);
}
END_TEST

START_TEST(init_scope)
{
	hybrid();
	expect_path("0::/lxc/c/init.scope\n", true, CGROUP_CORE, "/lxc/c");
	expect_path("0::/lxc/c/init.scope\n", false, CGROUP_CORE, "/lxc/c/init.scope");
	expect_path("0::/init.scope\n1:memory:/x\n", true, CGROUP_CORE, "/");
	expect_path("0::/init.scope\n1:memory:/x\n", true, CGROUP_MEMORY, "/x");
	expect_path("0::/lxc/xinit.scope\n", true, CGROUP_CORE, "/lxc/xinit.scope");
	expect_path("0::/init.scope/x\n", true, CGROUP_CORE, "/init.scope/x");
}
END_TEST

START_TEST(paths_from_elsewhere)
{
	AUTO_TEXT struct text deep = { 0 }, deepest = { 0 };

	hybrid();
	expect_path("0::/..\n", false, CGROUP_CORE, NULL);
	expect_path("0::/../x\n", false, CGROUP_CORE, NULL);
	expect_path("0::/../../init.scope\n", true, CGROUP_CORE, NULL);
	expect_path("0::/..x\n", false, CGROUP_CORE, "/..x");
	expect_path("0:memory\n0::\n0:::\n0::relative\n::\n:\n0\n", false, CGROUP_CORE, NULL);
	expect_path("0:memor:/x\n0:memory,cpu:/y\n", false, CGROUP_MEMORY, NULL);
	text_puts(&deep, "0::");
	for (int i = 0; i < CGROUP_DEPTH_MAX + 5; i++)
		text_puts(&deep, "/d");
	for (int i = 0; i < CGROUP_DEPTH_MAX; i++)
		text_puts(&deepest, "/d");
	expect_path(text_str(&deep), false, CGROUP_CORE, text_str(&deepest));
}
END_TEST

START_TEST(no_place_no_numbers)
{
	struct cgroup_memory memory;
	struct cgroup_hugetlb hugetlb;
	struct cgroup_quota quota;
	struct cgroup_cputime cputime;
	struct cgroup_io io;
	struct cpulist cpus;
	struct text text = { 0 };
	struct cgroup *cg;
	int fd = -7;

	hybrid();
	ck_assert_int_eq(
		cgroup_open(on.cgroups, "1:memory:/\n0::/\n2:cpu,cpuacct:/../a\n", false, &cg), 0);
	ck_assert_int_eq(cgroup_read_memory(cg, NULL, &memory), -ENODATA);
	ck_assert_int_eq(cgroup_read_hugetlb(cg, NULL, 2048, &hugetlb), -ENODATA);
	ck_assert_int_eq(cgroup_read_quota(cg, NULL, &quota), -ENODATA);
	ck_assert_int_eq(cgroup_read_cputime(cg, NULL, &cputime), -ENODATA);
	ck_assert_int_eq(cgroup_read_cpus(cg, NULL, &cpus), -ENODATA);
	ck_assert_int_eq(cgroup_read_io(cg, NULL, &io), -ENODATA);
	ck_assert_int_eq(cgroup_read_pressure(cg, NULL, "cpu", &text), -ENODATA);
	ck_assert_int_eq(cgroup_open_pressure(cg, "cpu", &fd), -ENODATA);
	ck_assert_int_eq(cgroup_read_slabinfo(cg, NULL, &text), -ENODATA);
	ck_assert_int_eq(cgroup_each_thread(cg, NULL, NULL), -ENODATA);
	ck_assert_int_eq(fd, -7);
	ck_assert_uint_eq(text.len, 0);
	cgroup_close(cg);
	cgroup_close(NULL);
	cgroups_close(NULL);
}
END_TEST

START_TEST(contains)
{
	ck_assert(cgroup_text_contains("1:memory:/a\n0::/a\n", "1:memory:/a\n0::/a\n"));
	ck_assert(cgroup_text_contains("1:memory:/a\n0::/a\n", "1:memory:/a/b\n0::/a/c/d\n"));
	ck_assert(cgroup_text_contains("1:memory:/a\n0::/\n", "1:memory:/a/b\n0::/z\n"));
	ck_assert(cgroup_text_contains("0::/a/init.scope\n", "0::/a/b\n"));
	ck_assert(cgroup_text_contains("0::/init.scope\n", "0::/b\n"));
	ck_assert(!cgroup_text_contains("0::/a\n", "0::/ab\n"));
	ck_assert(!cgroup_text_contains("0::/a/b\n", "0::/a\n"));
	ck_assert(!cgroup_text_contains("1:memory:/a\n0::/a\n", "1:memory:/a\n0::/b\n"));
	ck_assert(!cgroup_text_contains("1:memory:/a\n0::/a\n", "1:memory:/a\n"));
	ck_assert(!cgroup_text_contains("0::/a\n", ""));
	ck_assert(!cgroup_text_contains("damaged\n", "0::/a\n"));
	ck_assert(!cgroup_text_contains("0::/a\n", "0:a\n"));
}
END_TEST

struct seen {
	uint64_t sum;
	unsigned count, stop;
};

static int see(void *arg, uint64_t pid)
{
	struct seen *seen = arg;

	seen->sum += pid;
	seen->count++;
	return seen->stop && seen->count == seen->stop ? 77 : 0;
}

static int walk(const char *place, unsigned stop, struct seen *ret)
{
	struct cgroup *cg;
	int r;

	*ret = (struct seen){ .stop = stop };
	ck_assert_int_eq(cgroup_open(on.cgroups, place, false, &cg), 0);
	r = cgroup_each_thread(cg, see, ret);
	cgroup_close(cg);
	return r;
}

START_TEST(each_thread)
{
	struct seen seen;

	hybrid();
	test_write(on.root, "sys/fs/cgroup/memory/tasks", "1\n2\n");
	test_write(on.root, "sys/fs/cgroup/memory/a/tasks", "10\n20\n");
	test_write(on.root, "sys/fs/cgroup/memory/a/b/tasks", "");
	test_write(on.root, "sys/fs/cgroup/memory/a/b/c/tasks",
		   "100\nx\n\n18446744073709551616\n200");
	test_write(on.root, "sys/fs/cgroup/memory/a/empty/x", ""); /* removed meanwhile */
	ck_assert_int_eq(walk("1:memory:/a\n0::/\n", 0, &seen), 0);
	ck_assert_uint_eq(seen.sum, 330);
	ck_assert_uint_eq(seen.count, 4);
	ck_assert_int_eq(walk("1:memory:/a\n", 2, &seen), 77);
	ck_assert_uint_eq(seen.count, 2);
	ck_assert_int_eq(walk("1:memory:/a\n", 3, &seen), 77);
	ck_assert_int_eq(walk("1:memory:/gone\n", 0, &seen), -ENOENT);
	ck_assert_uint_eq(seen.count, 0);
}
END_TEST

/* On v2 the list is kept open, and nothing else looked at where the kernel counts none below. */
START_TEST(each_thread_of_v2)
{
	struct cgroup *cg;
	struct seen seen = { 0 };

	hybrid();
	on.cgroups->kept_max = 8;
	test_write(on.root, "sys/fs/cgroup/unified/a/cgroup.threads", "10\n20\n");
	test_write(on.root, "sys/fs/cgroup/unified/a/b/cgroup.threads", "5\n");
	test_write(on.root, "sys/fs/cgroup/unified/a/b/c/cgroup.threads", "7\n");
	ck_assert_int_eq(cgroup_open(on.cgroups, "0::/a\n", false, &cg), 0);
	ck_assert_int_eq(cgroup_each_thread(cg, see, &seen), 0); /* before 4.14: no count */
	ck_assert_uint_eq(seen.sum, 42);
	test_write(on.root, "sys/fs/cgroup/unified/a/cgroup.stat",
		   "nr_descendants 2\nnr_dying_descendants 3\n");
	test_write(on.root, "sys/fs/cgroup/unified/a/cgroup.threads", "11\n20\n");
	seen = (struct seen){ 0 };
	ck_assert_int_eq(cgroup_each_thread(cg, see, &seen), 0);
	ck_assert_uint_eq(seen.sum, 43);
	ck_assert_int_eq(on.cgroups->kept, 2);
	test_write(on.root, "sys/fs/cgroup/unified/a/cgroup.stat",
		   "nr_descendants 0\nnr_dying_descendants 3\n");
	seen = (struct seen){ 0 };
	ck_assert_int_eq(cgroup_each_thread(cg, see, &seen), 0);
	ck_assert_uint_eq(seen.sum, 31);
	seen = (struct seen){ .stop = 2 };
	ck_assert_int_eq(cgroup_each_thread(cg, see, &seen), 77);
	cgroup_close(cg);
	ck_assert_int_eq(cgroup_open(on.cgroups, "0::/gone\n", false, &cg), 0);
	ck_assert_int_eq(cgroup_each_thread(cg, see, &seen), -ENOENT);
	cgroup_close(cg);
}
END_TEST

/* A list longer than what the kernel hands out at once. */
START_TEST(many_threads)
{
	AUTO_TEXT struct text list = { 0 };
	struct seen seen;

	hybrid();
	for (unsigned tid = 1; tid <= 5000; tid++)
		text_printf(&list, "%u\n", tid);
	test_write(on.root, "sys/fs/cgroup/unified/a/cgroup.threads", text_str(&list));
	ck_assert_int_eq(walk("0::/a\n", 0, &seen), 0);
	ck_assert_uint_eq(seen.sum, 5000 * 5001 / 2);
}
END_TEST

/* Thousands of cgroups, made by a container to slow its readers down. */
START_TEST(bounded_walk)
{
	struct seen seen;
	char path[128];

	hybrid();
	for (unsigned i = 0; i < CGROUP_WALK_MAX + 100; i++) {
		snprintf(path, sizeof path, "sys/fs/cgroup/memory/a/%u/tasks", i);
		test_write(on.root, path, "1\n");
	}
	test_write(on.root, "sys/fs/cgroup/memory/a/tasks", "2\n");
	ck_assert_int_eq(walk("1:memory:/a\n", 0, &seen), 0);
	ck_assert_uint_eq(seen.count, CGROUP_WALK_MAX);
}
END_TEST

START_TEST(pressure)
{
	AUTO_TEXT struct text text = { 0 };
	struct origins why = { .lines = { 0 } };
	struct cgroup *cg;
	int fd = -1;

	hybrid();
	test_write(on.root, "sys/fs/cgroup/unified/a/cpu.pressure", "some avg10=1.00\n");
	ck_assert_int_eq(cgroup_open(on.cgroups, "0::/a\n", false, &cg), 0);
	ck_assert_int_eq(cgroup_read_pressure(cg, &why, "cpu", &text), 0);
	ck_assert_str_eq(text_str(&text), "some avg10=1.00\n");
	ck_assert_ptr_nonnull(
		strstr(text_str(&why.lines), "/sys/fs/cgroup/unified/a/cpu.pressure"));
	ck_assert_int_eq(cgroup_read_pressure(cg, NULL, "irq", &text), -ENODATA);
	ck_assert_int_eq(cgroup_open_pressure(cg, "cpu", &fd), 0);
	ck_assert_int_eq(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR);
	close(fd);
	ck_assert_int_eq(cgroup_open_pressure(cg, "io", &fd), -ENODATA);
	text_free(&why.lines);
	cgroup_close(cg);
}
END_TEST

/* A file kept open is read again from its start, and those kept are counted. */
START_TEST(kept_files)
{
	struct cgroup_quota quota;
	struct cgroup *cg;

	test_write(on.root, "cg/cgroup.controllers", "cpu\n");
	test_write(on.root, "cg/a/cpu.max", "50000 100000\n");
	test_write(on.root, "cg/a/b/cpu.max", "max 100000\n");
	host("cgroup2 /cg cgroup2 rw 0 0\n");
	on.cgroups->kept_max = 1;
	ck_assert_int_eq(cgroup_open(on.cgroups, "0::/a/b\n", false, &cg), 0);
	ck_assert_int_eq(cgroup_read_quota(cg, NULL, &quota), 0);
	ck_assert_uint_eq(quota.quota_us, 50000);
	ck_assert_int_eq(on.cgroups->kept, 1);
	test_write(on.root, "cg/a/b/cpu.max", "20000 100000\n");
	ck_assert_int_eq(cgroup_read_quota(cg, NULL, &quota), 0);
	ck_assert_uint_eq(quota.quota_us, 20000);
	test_write(on.root, "cg/a/cpu.max", "10000 100000\n");
	ck_assert_int_eq(cgroup_read_quota(cg, NULL, &quota), 0);
	ck_assert_uint_eq(quota.quota_us, 10000);
	ck_assert_int_eq(on.cgroups->kept, 1);
	cgroup_close(cg);
	ck_assert_int_eq(on.cgroups->kept, 0);
}
END_TEST

START_TEST(device_numbers)
{
	static const struct {
		const char *word;
		bool good;
	} words[] = {
		{ "8:16", true },  { "0:0", true },	      { "4294967295:1", true },
		{ "8", false },	   { "8:", false },	      { ":1", false },
		{ "8:1x", false }, { "4294967296:1", false }, { "1:4294967296", false },
		{ "-8:1", false }, { "Total", false },	      { "", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		struct line line = { words[i].word, strlen(words[i].word) };
		unsigned major, minor;

		ck_assert_int_eq(cgroup_device_parse(&line, &major, &minor), words[i].good);
	}
}
END_TEST

START_TEST(devices_are_bounded)
{
	struct cgroup_io io = { 0 };

	for (unsigned i = 0; i < CGROUP_DEVICES_MAX; i++)
		ck_assert_ptr_nonnull(cgroup_io_device(&io, 8, i));
	ck_assert_ptr_null(cgroup_io_device(&io, 9, 0));
	ck_assert_ptr_eq(cgroup_io_device(&io, 8, 5), &io.device[5]);
	cgroup_io_free(&io);
	ck_assert_uint_eq(io.count, 0);
}
END_TEST

START_TEST(tighter_quota)
{
	struct cgroup_quota none = { CGROUP_NO_LIMIT, 100000 }, half = { 50000, 100000 },
			    same = { 25000, 50000 }, two = { 200000, 100000 },
			    huge = { UINT64_MAX - 1, 1 };

	ck_assert(cgroup_quota_less(&half, &two));
	ck_assert(!cgroup_quota_less(&two, &half));
	ck_assert(!cgroup_quota_less(&half, &same));
	ck_assert(!cgroup_quota_less(&same, &half));
	ck_assert(cgroup_quota_less(&two, &none));
	ck_assert(!cgroup_quota_less(&none, &two));
	ck_assert(!cgroup_quota_less(&none, &none));
	ck_assert(cgroup_quota_less(&two, &huge));
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, every_controller_has_its_own_version);
	tcase_add_test(tests, unified);
	tcase_add_test(tests, v1_wins);
	tcase_add_test(tests, names_are_whole_words);
	tcase_add_test(tests, odd_mounts);
	tcase_add_test(tests, no_cgroup_file_system);
	tcase_add_test(tests, places);
	tcase_add_test(tests, init_scope);
	tcase_add_test(tests, paths_from_elsewhere);
	tcase_add_test(tests, no_place_no_numbers);
	tcase_add_test(tests, contains);
	tcase_add_test(tests, each_thread);
	tcase_add_test(tests, each_thread_of_v2);
	tcase_add_test(tests, many_threads);
	tcase_add_test(tests, bounded_walk);
	tcase_add_test(tests, pressure);
	tcase_add_test(tests, kept_files);
	tcase_add_test(tests, device_numbers);
	tcase_add_test(tests, devices_are_bounded);
	tcase_add_test(tests, tighter_quota);
}

int main(void)
{
	return test_run("cgroup", fill);
}
