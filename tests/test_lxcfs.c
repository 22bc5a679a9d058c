/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The public API: paths, listings, nodes, modes, errors. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "support.h"

#define HOST "kernel6.18-v1-2cpu"

static struct lxcfs *engine;
static struct lxcfs_caller caller;

static void setup(void)
{
	engine = test_engine(HOST, 0);
	caller = test_caller(HOST, "limited");
}

static void teardown(void)
{
	lxcfs_close(engine);
}

static int collect(void *arg, const char *name, mode_t type)
{
	text_printf(arg, "%s%s ", name, S_ISDIR(type) ? "/" : "");
	return 0;
}

static int stop(void *arg, const char *name, mode_t type)
{
	(void)arg, (void)name, (void)type;
	return 42;
}

START_TEST(listings)
{
	AUTO_TEXT struct text t = { 0 };

	ck_assert_int_eq(lxcfs_list(engine, &caller, "/", collect, &t), 0);
	ck_assert_str_eq(text_str(&t), "proc/ sys/ cgroup/ ");
	text_clear(&t);
	ck_assert_int_eq(lxcfs_list(engine, &caller, "/proc", collect, &t), 0);
	ck_assert_str_eq(text_str(&t), "cpuinfo diskstats loadavg meminfo pressure/ slabinfo stat "
				       "swaps uptime ");
	text_clear(&t);
	ck_assert_int_eq(lxcfs_list(engine, &caller, "/sys/devices", collect, &t), 0);
	ck_assert_str_eq(text_str(&t), "system/ ");
	text_clear(&t);
	ck_assert_int_eq(lxcfs_list(engine, &caller, "/sys/devices/system", collect, &t), 0);
	ck_assert_str_eq(text_str(&t), "cpu/ ");
	ck_assert_int_eq(lxcfs_list(engine, &caller, "/proc", stop, &t), 42);
	ck_assert_int_eq(lxcfs_list(engine, &caller, "/proc/stat", collect, &t), -ENOTDIR);
	ck_assert_int_eq(lxcfs_list(engine, &caller, "/none", collect, &t), -ENOENT);
}
END_TEST

START_TEST(paths_that_are_not_there)
{
	static const char *const paths[] = { "",
					     "proc",
					     "/proc/",
					     "/proc/self",
					     "/proc/meminfo/",
					     "/etc/passwd",
					     "/cgroupx",
					     "/sys/devices/system/cpux",
					     "/proc/../proc/meminfo" };

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		AUTO_FREE char *text = NULL;
		struct stat st;
		uint64_t node;
		size_t len;

		ck_assert_int_eq(lxcfs_stat(engine, &caller, paths[i], &st), -ENOENT);
		ck_assert_int_eq(lxcfs_render(engine, &caller, paths[i], &text, &len), -ENOENT);
		ck_assert_int_eq(lxcfs_explain(engine, &caller, paths[i], &text), -ENOENT);
		ck_assert_int_eq(lxcfs_access(engine, &caller, paths[i], F_OK), -ENOENT);
		ck_assert_int_eq(lxcfs_node(engine, paths[i], &node), -ENOENT);
		ck_assert_int_eq(lxcfs_write(engine, &caller, paths[i], "x", 1), -ENOENT);
		ck_assert(!lxcfs_is_fixed(engine, paths[i]));
	}
}
END_TEST

START_TEST(directories_do_not_read)
{
	AUTO_FREE char *text = NULL;
	size_t len;

	ck_assert_int_eq(lxcfs_render(engine, &caller, "/", &text, &len), -EISDIR);
	ck_assert_int_eq(lxcfs_render(engine, &caller, "/proc/pressure", &text, &len), -EISDIR);
	ck_assert_int_eq(lxcfs_readlink(engine, &caller, "/proc/stat", &text), -EINVAL);
}
END_TEST

START_TEST(views_take_no_changes)
{
	ck_assert_int_eq(lxcfs_write(engine, &caller, "/proc/stat", "x", 1), -EIO);
	ck_assert_int_eq(lxcfs_mkdir(engine, &caller, "/proc/x"), -EPERM);
	ck_assert_int_eq(lxcfs_rmdir(engine, &caller, "/proc/pressure"), -EPERM);
	ck_assert_int_eq(lxcfs_chmod(engine, &caller, "/proc/stat", 0777), -EPERM);
	ck_assert_int_eq(lxcfs_chown(engine, &caller, "/proc/stat", 1, 1), -EPERM);
}
END_TEST

START_TEST(modes_are_the_hosts)
{
	struct lxcfs_caller other = { caller.pid, 1000, 1000 };
	struct stat st;

	ck_assert_int_eq(lxcfs_stat(engine, &caller, "/proc/meminfo", &st), 0);
	ck_assert(S_ISREG(st.st_mode) && st.st_nlink == 1 && st.st_uid == 0);
	ck_assert_int_eq(lxcfs_stat(engine, &caller, "/proc", &st), 0);
	ck_assert_uint_eq(st.st_mode, S_IFDIR | 0555);
	ck_assert_int_eq(lxcfs_access(engine, &other, "/proc/meminfo", R_OK), 0);
	ck_assert_int_eq(lxcfs_access(engine, &other, "/proc/meminfo", W_OK), -EACCES);
	ck_assert_int_eq(lxcfs_access(engine, &other, "/proc", R_OK | X_OK), 0);
}
END_TEST

START_TEST(host_view)
{
	AUTO_FREE char *container = test_render(engine, &caller, "/proc/meminfo");
	AUTO_FREE char *host = NULL, *unknown = NULL, *again = NULL;
	struct lxcfs_caller nobody = { 0, 0, 0 };

	lxcfs_set_host_view(engine, true);
	host = test_render(engine, &caller, "/proc/meminfo");
	lxcfs_set_host_view(engine, false);
	again = test_render(engine, &caller, "/proc/meminfo");
	unknown = test_render(engine, &nobody, "/proc/meminfo");
	ck_assert_str_ne(host, container);
	ck_assert_str_eq(again, container);
	ck_assert_str_eq(unknown, host);
}
END_TEST

/* Every path that a caller can see has a number, only its own, and the number finds it again. */
struct walk {
	const char *path;
	struct text *nodes;
	int depth;
};

static int walk(void *arg, const char *name, mode_t type)
{
	struct walk *w = arg;
	AUTO_FREE char *back = NULL;
	char path[4096], line[64];
	uint64_t node = 0;
	struct walk below = { path, w->nodes, w->depth + 1 };

	snprintf(path, sizeof path, "%s/%s", w->path, name);
	ck_assert_msg(lxcfs_node(engine, path, &node) == 0, "%s", path);
	ck_assert_uint_gt(node, 1);
	snprintf(line, sizeof line, "%llx\n", (unsigned long long)node);
	ck_assert_msg(!strstr(text_str(w->nodes), line), "%s has the number of another", path);
	text_puts(w->nodes, line);
	ck_assert_msg(lxcfs_node_path(engine, node, &back) == 0, "%s", path);
	ck_assert_str_eq(back, path);
	if (S_ISDIR(type) && w->depth < 5)
		return lxcfs_list(engine, &caller, path, walk, &below);
	return 0;
}

START_TEST(nodes)
{
	AUTO_TEXT struct text all = { 0 };
	AUTO_FREE char *path = NULL;
	struct walk w = { "/proc", &all, 0 }, sys = { "/sys", &all, 0 };
	uint64_t node;

	ck_assert_int_eq(lxcfs_node(engine, "/", &node), 0);
	ck_assert_uint_eq(node, 1);
	ck_assert_int_eq(lxcfs_node_path(engine, 1, &path), 0);
	ck_assert_str_eq(path, "/");
	ck_assert_int_eq(lxcfs_list(engine, &caller, "/proc", walk, &w), 0);
	ck_assert_int_eq(lxcfs_list(engine, &caller, "/sys", walk, &sys), 0);
	ck_assert_int_eq(lxcfs_node_path(engine, 0, &path), -ENOENT);
	ck_assert_int_eq(lxcfs_node_path(engine, UINT64_MAX, &path), -ENOENT);
	ck_assert_int_eq(lxcfs_node_path(engine, (uint64_t)2 << 62 | 12345, &path), -ENOENT);
}
END_TEST

START_TEST(nodes_outlive_the_engine)
{
	AUTO_FREE char *path = NULL;
	uint64_t node;

	ck_assert_int_eq(lxcfs_node(engine, "/sys/devices/system/cpu/cpu0/topology/core_id", &node),
			 0);
	lxcfs_close(engine);
	engine = test_engine(HOST, 0);
	ck_assert_int_eq(lxcfs_node_path(engine, node, &path), 0);
	ck_assert_str_eq(path, "/sys/devices/system/cpu/cpu0/topology/core_id");
}
END_TEST

START_TEST(what_may_be_cached)
{
	ck_assert(lxcfs_is_fixed(engine, "/proc/meminfo"));
	ck_assert(lxcfs_is_fixed(engine, "/sys/devices/system/cpu/online"));
	ck_assert(!lxcfs_is_fixed(engine, "/sys/devices/system/cpu/cpu1"));
	ck_assert(!lxcfs_is_fixed(engine, "/sys/devices/system/cpu/cpu1/topology"));
	ck_assert(!lxcfs_is_fixed(engine, "/cgroup/memory"));
}
END_TEST

START_TEST(triggers_need_the_option)
{
	int fd = -1;

	ck_assert_int_eq(lxcfs_trigger(engine, &caller, "/proc/pressure/cpu", "x", 1, &fd),
			 -EOPNOTSUPP);
	ck_assert_int_eq(lxcfs_trigger(engine, &caller, "/proc/stat", "x", 1, &fd), -EINVAL);
	ck_assert_int_eq(lxcfs_trigger(engine, &caller, "/proc/x", "x", 1, &fd), -ENOENT);
	lxcfs_close(engine);
	engine = test_engine(HOST, LXCFS_PSI_POLL);
	/* A file of a fixture stands for the kernel's: what matters is whose it is. */
	ck_assert_int_eq(lxcfs_trigger(engine, &(struct lxcfs_caller){ 0 }, "/proc/pressure/cpu",
				       "x", 1, &fd),
			 -EOPNOTSUPP);
	ck_assert_int_eq(fd, -1);
}
END_TEST

START_TEST(version_is_told)
{
	ck_assert_str_eq(lxcfs_version(), LXCFS_VERSION);
	ck_assert_uint_ge(lxcfs_history_size(2), 4096);
	lxcfs_close(NULL);
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, listings);
	tcase_add_test(tests, paths_that_are_not_there);
	tcase_add_test(tests, directories_do_not_read);
	tcase_add_test(tests, views_take_no_changes);
	tcase_add_test(tests, modes_are_the_hosts);
	tcase_add_test(tests, host_view);
	tcase_add_test(tests, nodes);
	tcase_add_test(tests, nodes_outlive_the_engine);
	tcase_add_test(tests, what_may_be_cached);
	tcase_add_test(tests, triggers_need_the_option);
	tcase_add_test(tests, version_is_told);
}

int main(void)
{
	return test_run("lxcfs", fill);
}
