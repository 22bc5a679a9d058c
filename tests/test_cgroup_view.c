/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The cgroup view over a machine made of plain files: what a container sees, may
 * change, and what the numbers of its processes are. Directories stand for cgroups;
 * what only a kernel does (moving, chowning new files) is in system/cgroup_tree.sh.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/number.h"
#include "cgroup/view_place.h"
#include "cgroup/view_procs.h"
#include "container.h"
#include "support.h"
#include "tree.h"

#define MANY 20000    /* pids in a list, ... */
#define DIFFERENT 100 /* ... by so many processes */
#define ADMIN "000001ffffffffff"

/* Callers: the host's root and a user of it, a container, its user, one without a cgroup. */
enum {
	INIT = 1,
	SESSION = 50,
	BOX = 100,
	BOX_APP = 101,
	NESTED = 200,
	ROOTED = 300,
	BARE = 400,
	FAR = 500
};

static char *machine;
static struct host host;
static struct containers *containers;
static uid_t me; /* the files' owner */

static void process(unsigned pid, const char *nspid, const char *pidns, const char *userns,
		    const char *cgroup, uid_t uid)
{
	char path[64], content[512], link[4200];

	snprintf(path, sizeof path, "proc/%u/cgroup", pid);
	snprintf(content, sizeof content, "4:memory:%s\n2:cpu,cpuacct:%s\n0::%s\n", cgroup, cgroup,
		 cgroup);
	test_write(machine, path, content);
	snprintf(path, sizeof path, "proc/%u/status", pid);
	snprintf(content, sizeof content,
		 "Name:\tx\nPPid:\t1\nUid:\t%u\t%u\t%u\t%u\nNSpid:\t%s\nCapEff:\t%s\n", uid, uid,
		 uid, uid, nspid, pid == BARE ? "0" : ADMIN);
	test_write(machine, path, content);
	snprintf(path, sizeof path, "proc/%u/stat", pid);
	snprintf(content, sizeof content, "%u (x) S 1 0 0 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 9 0\n",
		 pid);
	test_write(machine, path, content);
	snprintf(path, sizeof path, "proc/%u/ns/x", pid);
	test_write(machine, path, "");
	snprintf(link, sizeof link, "%s/proc/%u/ns/pid", machine, pid);
	ck_assert_int_eq(symlink(pidns, link), 0);
	snprintf(link, sizeof link, "%s/proc/%u/ns/user", machine, pid);
	ck_assert_int_eq(symlink(userns, link), 0);
}

/* A thread of a process, listed in its task directory alone. */
static void thread(unsigned pid, unsigned tid, const char *nspid, const char *pidns)
{
	char path[64], content[256], link[4200];

	snprintf(path, sizeof path, "proc/%u/task/%u/status", pid, tid);
	snprintf(content, sizeof content, "Name:\tx\nNSpid:\t%s\n", nspid);
	test_write(machine, path, content);
	snprintf(path, sizeof path, "proc/%u/task/%u/ns/x", pid, tid);
	test_write(machine, path, "");
	snprintf(link, sizeof link, "%s/proc/%u/task/%u/ns/pid", machine, pid, tid);
	ck_assert_int_eq(symlink(pidns, link), 0);
}

static void hierarchy(const char *name, const char *tasks)
{
	static const char *const directories[] = { "",	     "/box", "/box/app", "/box/app/deep",
						   "/other", "/user" };
	static const char *const files[] = { "cgroup.procs", "memory.max", "cgroup.event_control",
					     "memory.pressure" };
	char path[128];

	for (size_t i = 0; i < ARRAY_SIZE(directories); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(files); j++) {
			snprintf(path, sizeof path, "%s%s/%s", name, directories[i], files[j]);
			test_write(machine, path, j ? "0\n" : "100\n101\n50\n200\n0\n");
		}
		snprintf(path, sizeof path, "%s%s/%s", name, directories[i], tasks);
		test_write(machine, path, "101\n110\n");
	}
}

static void setup(void)
{
	umask(022);
	me = getuid();
	machine = test_directory();
	test_write(machine, "proc/mounts",
		   "cgroup /mem cgroup rw,memory 0 0\ncgroup /cpu cgroup rw,cpu,cpuacct 0 0\n"
		   "cgroup2 /cg2 cgroup2 rw 0 0\n");
	hierarchy("mem", "tasks");
	hierarchy("cpu", "tasks");
	hierarchy("cg2", "cgroup.threads");
	process(INIT, "1", "pid:[1]", "user:[1]", "/", 0);
	process(SESSION, "50", "pid:[1]", "user:[1]", "/user", me);
	process(BOX, "100\t1", "pid:[2]", "user:[1]", "/box", me);
	process(BOX_APP, "101\t7", "pid:[2]", "user:[1]", "/box/app", me);
	process(NESTED, "200\t9\t1", "pid:[3]", "user:[1]", "/box/app/deep", me);
	process(ROOTED, "300\t1", "pid:[4]", "user:[1]", "/", me);
	process(BARE, "400\t1", "pid:[5]", "user:[1]", "/box", 0);
	process(FAR, "500\t70", "pid:[2]", "user:[1]", "/other", me);
	thread(BOX_APP, 101, "101\t7", "pid:[2]");
	thread(BOX_APP, 110, "110\t8", "pid:[2]");
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

/* A call as the engine prepares it. */
struct visit {
	struct tree_call call;
	struct lxcfs_caller caller;
	struct container *container;
};

static void visit_end(struct visit *v)
{
	container_put(containers, v->container);
}
#define AUTO_VISIT __attribute__((cleanup(visit_end)))

static void visit(struct visit *v, pid_t pid)
{
	*v = (struct visit){ .caller = { .pid = pid, .uid = me, .gid = getgid() } };
	v->call = (struct tree_call){ .host = &host, .caller = &v->caller };
	if (container_of(containers, pid, &v->container) == 0)
		v->call.container = v->container;
}

static int add_name(void *arg, const char *name, mode_t type)
{
	char **names = arg, **end = names;

	while (*end)
		end++;
	ck_assert_int_ge(asprintf(end, "%s%s", name, S_ISDIR(type) ? "/" : ""), 0);
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The sorted names of a directory, a space between them. */
static void expect_list(struct visit *v, const char *path, const char *expected)
{
	char *names[64] = { NULL };
	AUTO_TEXT struct text all = { 0 };
	size_t count = 0;
	int r = cgroup_tree.list(&v->call, path, add_name, names);

	ck_assert_msg(r == 0, "%s: %s", path, strerror(-r));
	while (names[count])
		count++;
	qsort(names, count, sizeof *names, by_name);
	for (size_t i = 0; i < count; i++) {
		text_printf(&all, i ? " %s" : "%s", names[i]);
		free(names[i]);
	}
	ck_assert_str_eq(text_str(&all), expected);
}

static int list(struct visit *v, const char *path)
{
	char *names[64] = { NULL };
	int r = cgroup_tree.list(&v->call, path, add_name, names);

	for (char **name = names; *name; name++)
		free(*name);
	return r;
}

static int status(struct visit *v, const char *path, struct stat *ret)
{
	struct stat unused;

	return cgroup_tree.stat(&v->call, path, ret ? ret : &unused);
}

static void expect_text(struct visit *v, const char *path, const char *expected)
{
	AUTO_TEXT struct text text = { 0 };
	int r = cgroup_tree.read(&v->call, path, &text);

	ck_assert_msg(r == 0, "%s: %s", path, strerror(-r));
	ck_assert_str_eq(text_str(&text), expected);
}

static int read_error(struct visit *v, const char *path)
{
	AUTO_TEXT struct text text = { 0 };

	return cgroup_tree.read(&v->call, path, &text);
}

static int put(struct visit *v, const char *path, const char *data)
{
	return cgroup_tree.write(&v->call, path, data, strlen(data));
}

/* What the host's file holds. */
static void expect_host(const char *path, const char *expected)
{
	AUTO_TEXT struct text text = { 0 };

	ck_assert_int_eq(file_read_at(host.rootfd, path, &text), 0);
	ck_assert_str_eq(text_str(&text), expected);
}

#define FILES "cgroup.event_control cgroup.procs memory.max memory.pressure"

START_TEST(test_way)
{
	AUTO_VISIT struct visit v = { 0 };
	struct stat st;

	visit(&v, BOX);
	expect_list(&v, "", "cpu,cpuacct/ memory/ unified/");
	expect_list(&v, "/memory", "box/");
	expect_list(&v, "/memory/box", "app/ " FILES " tasks");
	expect_list(&v, "/unified/box/app/deep",
		    "cgroup.event_control cgroup.procs cgroup.threads "
		    "memory.max memory.pressure");
	ck_assert_int_eq(status(&v, "", &st), 0);
	ck_assert_uint_eq(st.st_mode, S_IFDIR | 0555);
	ck_assert_uint_eq(st.st_nlink, 5);
	ck_assert_int_eq(status(&v, "/memory", &st), 0);
	ck_assert_uint_eq(st.st_mode, S_IFDIR | 0555);
	ck_assert_uint_eq(st.st_uid, 0);
	ck_assert_uint_eq(st.st_nlink, 3);
	ck_assert_int_eq(status(&v, "/memory/box", &st), 0);
	ck_assert_uint_eq(st.st_mode, S_IFDIR | 0755);
	ck_assert_uint_eq(st.st_uid, me);
	ck_assert_int_eq(status(&v, "/memory/box/memory.max", &st), 0);
	ck_assert_uint_eq(st.st_mode, S_IFREG | 0644);
	ck_assert_int_eq(st.st_size, 0);
}
END_TEST

START_TEST(test_hidden)
{
	static const char *const hidden[] = {
		"/memory/other",
		"/memory/memory.max",
		"/memory/other/memory.max",
		"/memory/tasks",
		"/memory/bo",
		"/memory/boxx",
		"/cpu",
		"/cpuacct",
		"/memory/box/../other",
		"/memory/..",
		"/memory/.",
		"/memory/box/.",
		"/memory/box/./app",
		"//memory",
		"/memory/",
		"/memory//box",
		"/memory/box/nothing",
		"/memory/user",
		"/memory/link",
	};
	AUTO_VISIT struct visit v = { 0 };
	char path[4200];

	snprintf(path, sizeof path, "%s/mem/box/link", machine);
	ck_assert_int_eq(symlink("../other", path), 0);
	visit(&v, BOX);
	for (size_t i = 0; i < ARRAY_SIZE(hidden); i++) {
		ck_assert_msg(status(&v, hidden[i], NULL) == -ENOENT, "stat %s", hidden[i]);
		ck_assert_msg(list(&v, hidden[i]) == -ENOENT, "list %s", hidden[i]);
		ck_assert_msg(read_error(&v, hidden[i]) == -ENOENT, "read %s", hidden[i]);
		ck_assert_msg(put(&v, hidden[i], "1") == -ENOENT, "write %s", hidden[i]);
		ck_assert_msg(cgroup_tree.access(&v.call, hidden[i], R_OK) == -ENOENT, "access %s",
			      hidden[i]);
		ck_assert_msg(cgroup_tree.chmod(&v.call, hidden[i], 0777) == -ENOENT, "chmod %s",
			      hidden[i]);
		ck_assert_msg(cgroup_tree.chown(&v.call, hidden[i], 0, 0) == -ENOENT, "chown %s",
			      hidden[i]);
	}
	/* A link below is none, whatever it points to. */
	ck_assert_int_lt(read_error(&v, "/memory/box/link/memory.max"), 0);
	ck_assert_int_lt(list(&v, "/memory/box/link"), 0);
	ck_assert_int_eq(status(&v, "/memory/box/memory.max/x", NULL), -ENOTDIR);
	memset(path, 'n', 300);
	memcpy(path, "/memory/box/", 12);
	path[300] = '\0';
	ck_assert_int_eq(status(&v, path, NULL), -ENAMETOOLONG);
}
END_TEST

START_TEST(test_wrong_kind)
{
	AUTO_VISIT struct visit v = { 0 };

	visit(&v, BOX);
	ck_assert_int_eq(read_error(&v, ""), -EISDIR);
	ck_assert_int_eq(read_error(&v, "/memory"), -EISDIR);
	ck_assert_int_eq(read_error(&v, "/memory/box"), -EISDIR);
	ck_assert_int_eq(put(&v, "/memory/box", "1"), -EISDIR);
	ck_assert_int_eq(put(&v, "/memory", "1"), -EISDIR);
	ck_assert_int_eq(list(&v, "/memory/box/memory.max"), -ENOTDIR);
	ck_assert(!cgroup_tree.is_fixed(""));
	ck_assert(!cgroup_tree.is_fixed("/memory/box"));
}
END_TEST

static int stop(void *arg, const char *name, mode_t type)
{
	(void)name;
	(void)type;
	++*(int *)arg;
	return 42;
}

START_TEST(test_listing_ends)
{
	AUTO_VISIT struct visit v = { 0 };
	int calls = 0;

	visit(&v, BOX);
	ck_assert_int_eq(cgroup_tree.list(&v.call, "", stop, &calls), 42);
	ck_assert_int_eq(cgroup_tree.list(&v.call, "/memory", stop, &calls), 42);
	ck_assert_int_eq(cgroup_tree.list(&v.call, "/memory/box", stop, &calls), 42);
	ck_assert_int_eq(calls, 3);
}
END_TEST

START_TEST(test_host_sees_all)
{
	AUTO_VISIT struct visit v = { 0 };

	visit(&v, INIT);
	expect_list(&v, "/memory", "box/ " FILES " other/ tasks user/");
	expect_text(&v, "/memory/other/memory.max", "0\n");
	expect_text(&v, "/memory/box/cgroup.procs", "100\n101\n50\n200\n");
}
END_TEST

START_TEST(test_host_session)
{
	/* Shares the host's pid namespace, but not its cgroup. */
	AUTO_VISIT struct visit v = { 0 };

	visit(&v, SESSION);
	expect_list(&v, "/memory", "user/");
	ck_assert_int_eq(status(&v, "/memory/box", NULL), -ENOENT);
}
END_TEST

START_TEST(test_no_cgroup_of_its_own)
{
	/* Who has no cgroup of its own is not shown the others': containers, unknown callers. */
	static const pid_t pids[] = { ROOTED, 999, 0 };

	for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
		AUTO_VISIT struct visit v = { 0 };

		visit(&v, pids[i]);
		expect_list(&v, "", "cpu,cpuacct/ memory/ unified/");
		expect_list(&v, "/memory", "");
		ck_assert_int_eq(status(&v, "/memory/box", NULL), -ENOENT);
		ck_assert_int_eq(status(&v, "/memory/memory.max", NULL), -ENOENT);
	}
}
END_TEST

START_TEST(test_gone)
{
	/* The container's cgroup was removed under its feet. */
	AUTO_VISIT struct visit v = { 0 };

	process(600, "600\t1", "pid:[6]", "user:[1]", "/gone/a", me);
	visit(&v, 600);
	expect_list(&v, "/memory", "");
	ck_assert_int_eq(status(&v, "/memory/gone", NULL), -ENOENT);
}
END_TEST

START_TEST(test_switched_off)
{
	AUTO_VISIT struct visit v = { 0 };
	struct stat st;

	visit(&v, INIT);
	v.call.flags = LXCFS_NO_CGROUP;
	expect_list(&v, "", "");
	ck_assert_int_eq(status(&v, "", &st), 0);
	ck_assert_uint_eq(st.st_nlink, 2);
	ck_assert_int_eq(status(&v, "/memory", NULL), -ENOENT);
	ck_assert_int_eq(cgroup_tree.mkdir(&v.call, "/memory/x"), -ENOENT);
}
END_TEST

START_TEST(test_access)
{
	AUTO_VISIT struct visit v = { 0 };
	char path[4200];

	visit(&v, BOX);
	ck_assert_int_eq(cgroup_tree.access(&v.call, "", R_OK | X_OK), 0);
	ck_assert_int_eq(cgroup_tree.access(&v.call, "", W_OK), -EACCES);
	ck_assert_int_eq(cgroup_tree.access(&v.call, "/memory", R_OK | X_OK), 0);
	ck_assert_int_eq(cgroup_tree.access(&v.call, "/memory", W_OK), -EACCES);
	ck_assert_int_eq(cgroup_tree.access(&v.call, "/memory/box", R_OK | W_OK | X_OK), 0);
	ck_assert_int_eq(cgroup_tree.access(&v.call, "/memory/box/memory.max", R_OK | W_OK), 0);
	ck_assert_int_eq(cgroup_tree.access(&v.call, "/memory/box/memory.max", F_OK), 0);
	v.caller.uid = v.caller.gid = 12345;
	ck_assert_int_eq(cgroup_tree.access(&v.call, "/memory/box/memory.max", R_OK), 0);
	ck_assert_int_eq(cgroup_tree.access(&v.call, "/memory/box/memory.max", W_OK), -EACCES);
	/* What is behind a directory that a user may not search is hidden from it. */
	snprintf(path, sizeof path, "%s/mem/box/app", machine);
	ck_assert_int_eq(chmod(path, 0700), 0);
	ck_assert_int_eq(status(&v, "/memory/box/app", NULL), 0);
	ck_assert_int_eq(status(&v, "/memory/box/app/memory.max", NULL), -EACCES);
	ck_assert_int_eq(read_error(&v, "/memory/box/app/memory.max"), -EACCES);
	ck_assert_int_eq(list(&v, "/memory/box/app/deep"), -EACCES);
}
END_TEST

START_TEST(test_writing)
{
	AUTO_VISIT struct visit v = { 0 };

	visit(&v, BOX);
	ck_assert_int_eq(put(&v, "/memory/box/memory.max", "123\n"), 0);
	expect_host("mem/box/memory.max", "123\n");
	ck_assert_int_eq(put(&v, "/memory/box/cgroup.event_control", "5 6"), -EOPNOTSUPP);
	ck_assert_int_eq(put(&v, "/unified/box/memory.pressure", "some 1 2"), -EOPNOTSUPP);
	expect_host("mem/box/cgroup.event_control", "0\n");
	v.caller.uid = 12345;
	v.caller.gid = 12345;
	ck_assert_int_eq(put(&v, "/memory/box/memory.max", "456\n"), -EACCES);
	expect_host("mem/box/memory.max", "123\n");
}
END_TEST

START_TEST(test_root_without_capabilities)
{
	/* A container that runs as the host's root, without CAP_SYS_ADMIN: it may look. */
	AUTO_VISIT struct visit v = { 0 };

	visit(&v, BARE);
	v.caller.uid = v.caller.gid = 0;
	ck_assert_int_eq(cgroup_tree.access(&v.call, "/memory/box/memory.max", R_OK), 0);
	ck_assert_int_eq(cgroup_tree.access(&v.call, "/memory/box/memory.max", W_OK), -EACCES);
	ck_assert_int_eq(put(&v, "/memory/box/memory.max", "9\n"), -EACCES);
	ck_assert_int_eq(cgroup_tree.mkdir(&v.call, "/memory/box/new"), -EACCES);
	ck_assert_int_eq(cgroup_tree.rmdir(&v.call, "/memory/box/app/deep"), -EACCES);
	ck_assert_int_eq(cgroup_tree.chmod(&v.call, "/memory/box/app", 0777), -EACCES);
	ck_assert_int_eq(cgroup_tree.chown(&v.call, "/memory/box/app", 5, 5), -EACCES);
	expect_host("mem/box/memory.max", "0\n");
}
END_TEST

START_TEST(test_mkdir)
{
	AUTO_VISIT struct visit v = { 0 };
	char path[5000];
	struct stat st;

	visit(&v, BOX);
	ck_assert_int_eq(cgroup_tree.mkdir(&v.call, "/memory/box/new"), 0);
	ck_assert_int_eq(status(&v, "/memory/box/new", &st), 0);
	ck_assert_uint_eq(st.st_mode, S_IFDIR | 0755);
	ck_assert_uint_eq(st.st_uid, me);
	ck_assert_int_eq(cgroup_tree.mkdir(&v.call, "/memory/box/new"), -EEXIST);
	ck_assert_int_eq(cgroup_tree.mkdir(&v.call, "/memory/box"), -EEXIST);
	ck_assert_int_eq(cgroup_tree.mkdir(&v.call, "/memory"), -EEXIST);
	ck_assert_int_eq(cgroup_tree.mkdir(&v.call, ""), -EEXIST);
	ck_assert_int_eq(cgroup_tree.mkdir(&v.call, "/memory/box/memory.max/x"), -ENOTDIR);
	/* Not beside its own cgroup, where the answer tells nothing of what is there. */
	ck_assert_int_eq(cgroup_tree.mkdir(&v.call, "/memory/other"), -EACCES);
	ck_assert_int_eq(cgroup_tree.mkdir(&v.call, "/memory/fresh"), -EACCES);
	ck_assert_int_eq(cgroup_tree.mkdir(&v.call, "/fresh"), -EACCES);
	ck_assert_int_eq(cgroup_tree.mkdir(&v.call, "/memory/other/x"), -ENOENT);
	ck_assert_int_eq(cgroup_tree.mkdir(&v.call, "/memory/box/.."), -ENOENT);
	ck_assert_int_eq(cgroup_tree.mkdir(&v.call, "/memory/box/nothing/x"), -ENOENT);
	snprintf(path, sizeof path, "/memory/box%04000d", 0);
	for (size_t i = 11; i < 4000; i += 2)
		path[i] = '/';
	ck_assert_int_eq(cgroup_tree.mkdir(&v.call, path), -ENAMETOOLONG);
	v.caller.uid = v.caller.gid = 12345;
	ck_assert_int_eq(cgroup_tree.mkdir(&v.call, "/memory/box/mine"), -EACCES);
}
END_TEST

START_TEST(test_mkdir_undone)
{
	/* Where the new cgroup cannot be given to the caller it is not left behind. */
	AUTO_VISIT struct visit v = { 0 };
	char path[4200];

	snprintf(path, sizeof path, "%s/mem/box", machine);
	ck_assert_int_eq(chmod(path, 0777), 0);
	visit(&v, BOX);
	v.caller.uid = v.caller.gid = 12345;
	if (me == 0)
		ck_assert_int_eq(seteuid(65534), 0);
	ck_assert_int_eq(cgroup_tree.mkdir(&v.call, "/memory/box/mine"), -EPERM);
	ck_assert_int_eq(seteuid(me), 0);
	ck_assert_int_eq(status(&v, "/memory/box/mine", NULL), -ENOENT);
}
END_TEST

START_TEST(test_rmdir)
{
	AUTO_VISIT struct visit v = { 0 };
	char path[4200];

	visit(&v, BOX);
	ck_assert_int_eq(cgroup_tree.mkdir(&v.call, "/memory/box/new"), 0);
	ck_assert_int_eq(cgroup_tree.rmdir(&v.call, "/memory/box/new"), 0);
	ck_assert_int_eq(cgroup_tree.rmdir(&v.call, "/memory/box/new"), -ENOENT);
	ck_assert_int_eq(cgroup_tree.rmdir(&v.call, "/memory/box/memory.max"), -ENOTDIR);
	ck_assert_int_eq(cgroup_tree.rmdir(&v.call, "/memory/box/app"), -ENOTEMPTY);
	ck_assert_int_eq(cgroup_tree.rmdir(&v.call, "/memory/box"), -EACCES);
	ck_assert_int_eq(cgroup_tree.rmdir(&v.call, "/memory/other"), -EACCES);
	ck_assert_int_eq(cgroup_tree.rmdir(&v.call, "/memory"), -EACCES);
	ck_assert_int_eq(cgroup_tree.rmdir(&v.call, ""), -EACCES);
	/* The directory is writable, but what is in it is another's. */
	ck_assert_int_eq(cgroup_tree.mkdir(&v.call, "/memory/box/new"), 0);
	snprintf(path, sizeof path, "%s/mem/box", machine);
	ck_assert_int_eq(chmod(path, 0777), 0);
	v.caller.uid = 12345;
	ck_assert_int_eq(cgroup_tree.rmdir(&v.call, "/memory/box/new"), -EPERM);
}
END_TEST

START_TEST(test_chmod)
{
	AUTO_VISIT struct visit v = { 0 };
	struct stat st;

	visit(&v, BOX);
	ck_assert_int_eq(cgroup_tree.chmod(&v.call, "/memory/box", 0700), 0);
	ck_assert_int_eq(status(&v, "/memory/box", &st), 0);
	ck_assert_uint_eq(st.st_mode, S_IFDIR | 0700);
	ck_assert_int_eq(cgroup_tree.chmod(&v.call, "/memory/box/memory.max", 04600), 0);
	ck_assert_int_eq(status(&v, "/memory/box/memory.max", &st), 0);
	ck_assert_uint_eq(st.st_mode, S_IFREG | 0600);
	ck_assert_int_eq(cgroup_tree.chmod(&v.call, "/memory", 0777), -EPERM);
	ck_assert_int_eq(cgroup_tree.chmod(&v.call, "", 0777), -EPERM);
	ck_assert_int_eq(cgroup_tree.chmod(&v.call, "/memory/box", 0755), 0);
	v.caller.uid = 12345;
	ck_assert_int_eq(cgroup_tree.chmod(&v.call, "/memory/box", 0777), -EPERM);
}
END_TEST

START_TEST(test_chown)
{
	AUTO_VISIT struct visit v = { 0 };
	struct stat st;

	visit(&v, BOX);
	ck_assert_int_eq(cgroup_tree.chown(&v.call, "/memory", 1, 1), -EPERM);
	if (me != 0) { /* an owner that is not root may not give away */
		ck_assert_int_eq(cgroup_tree.chown(&v.call, "/memory/box", 1, 1), -EPERM);
		return;
	}
	ck_assert_int_eq(cgroup_tree.chown(&v.call, "/memory/box/app", 100, (gid_t)-1), 0);
	ck_assert_int_eq(status(&v, "/memory/box/app", &st), 0);
	ck_assert_uint_eq(st.st_uid, 100);
	ck_assert_uint_eq(st.st_gid, getgid());
	ck_assert_int_eq(status(&v, "/memory/box/app/cgroup.procs", &st), 0);
	ck_assert_uint_eq(st.st_uid, 100);
	ck_assert_int_eq(status(&v, "/memory/box/app/memory.max", &st), 0);
	ck_assert_uint_eq(st.st_uid, 0);
	ck_assert_int_eq(cgroup_tree.chown(&v.call, "/memory/box/memory.max", (uid_t)-1, 7), 0);
	ck_assert_int_eq(status(&v, "/memory/box/memory.max", &st), 0);
	ck_assert_uint_eq(st.st_gid, 7);
}
END_TEST

START_TEST(test_chown_in_a_user_namespace)
{
	/* Root of a namespace that knows one uid gives nothing to another. */
	AUTO_VISIT struct visit v = { 0 };
	char map[64];

	if (me == 0)
		return; /* the host's root mapped to itself may change nothing: test_permission */
	process(140, "140\t1", "pid:[10]", "user:[9]", "/box", me);
	snprintf(map, sizeof map, "0 %u 1\n", me);
	test_write(machine, "proc/140/uid_map", map);
	snprintf(map, sizeof map, "0 %u 1\n", getgid());
	test_write(machine, "proc/140/gid_map", map);
	visit(&v, 140);
	ck_assert_int_eq(cgroup_tree.chown(&v.call, "/memory/box/app", me, getgid()), 0);
	ck_assert_int_eq(cgroup_tree.chown(&v.call, "/memory/box/app", me + 1, (gid_t)-1), -EPERM);
	ck_assert_int_eq(cgroup_tree.chown(&v.call, "/memory/box/app", me, getgid() + 1), -EPERM);
}
END_TEST

START_TEST(test_pids_told)
{
	AUTO_VISIT struct visit v = { 0 };

	visit(&v, BOX);
	/* 50 is the host's; 200 lives in a namespace below, of which plain files tell no number. */
	expect_text(&v, "/memory/box/cgroup.procs", "1\n7\n");
	expect_text(&v, "/unified/box/cgroup.procs", "1\n7\n");
	v.caller.pid = 999;
	ck_assert_int_eq(read_error(&v, "/memory/box/cgroup.procs"), -ESRCH);
}
END_TEST

START_TEST(test_many_pids)
{
	AUTO_VISIT struct visit v = { 0 };
	AUTO_TEXT struct text list_text = { 0 }, expected = { 0 };

	for (unsigned i = 0; i < MANY; i++) {
		unsigned pid = 1000 + i % DIFFERENT;

		text_printf(&list_text, "%u\n", pid);
		text_printf(&expected, "%u\n", pid + 4000000);
	}
	test_write(machine, "mem/box/cgroup.procs", text_str(&list_text));
	for (unsigned pid = 1000; pid < 1000 + DIFFERENT; pid++) {
		char nspid[64];

		snprintf(nspid, sizeof nspid, "%u\t%u", pid, pid + 4000000);
		process(pid, nspid, "pid:[2]", "user:[1]", "/box", me);
	}
	visit(&v, BOX);
	expect_text(&v, "/memory/box/cgroup.procs", text_str(&expected));
}
END_TEST

START_TEST(test_moves)
{
	AUTO_VISIT struct visit v = { 0 };

	visit(&v, BOX);
	ck_assert_int_eq(put(&v, "/memory/box/app/cgroup.procs", "7"), 0);
	expect_host("mem/box/app/cgroup.procs", "101\n101\n50\n200\n0\n"); /* written over "100" */
	ck_assert_int_eq(put(&v, "/memory/box/app/cgroup.procs", " 0 \n"), 0);
	expect_host("mem/box/app/cgroup.procs", "100\n101\n50\n200\n0\n");
	/* A thread, which the fixture's /proc does not have at its top. */
	ck_assert_int_eq(put(&v, "/memory/box/app/tasks", "8\n"), -ESRCH);
	ck_assert_int_eq(put(&v, "/memory/box/app/cgroup.procs", "8\n"), -ESRCH);
	ck_assert_int_eq(put(&v, "/memory/box/app/cgroup.procs", "999"), -ESRCH);
	ck_assert_int_eq(put(&v, "/unified/box/app/cgroup.procs", "7"), 0);
	expect_host("cg2/box/app/cgroup.procs", "101\n101\n50\n200\n0\n");
}
END_TEST

START_TEST(test_moves_by_thread)
{
	AUTO_VISIT struct visit v = { 0 };

	/* The kernel shows /proc/TID to who asks for it; here it has to be made. */
	process(110, "110\t8", "pid:[2]", "user:[1]", "/box/app", me);
	visit(&v, BOX);
	ck_assert_int_eq(put(&v, "/memory/box/app/tasks", "8\n"), 0);
	expect_host("mem/box/app/tasks", "110\n110\n");
}
END_TEST

START_TEST(test_moves_refused)
{
	static const char *const malformed[] = { "",	" ",  "x",	     "7x",
						 "7 8", "-1", "99999999999", "123456789012345678" };
	AUTO_VISIT struct visit v = { 0 };

	visit(&v, BOX);
	for (size_t i = 0; i < ARRAY_SIZE(malformed); i++)
		ck_assert_msg(put(&v, "/memory/box/app/tasks", malformed[i]) == -EINVAL, "'%s'",
			      malformed[i]);
	/* In its pid namespace but not in its cgroup: a neighbour in a pod. */
	ck_assert_int_eq(put(&v, "/memory/box/app/cgroup.procs", "70"), -EACCES);
	/* Another's process; the writer may write the file. */
	process(120, "120\t20", "pid:[2]", "user:[1]", "/box/app", 777);
	ck_assert_int_eq(put(&v, "/memory/box/app/cgroup.procs", "20"), me == 0 ? 0 : -EACCES);
	process(121, "121\t21", "pid:[2]", "user:[1]", "/../elsewhere", me);
	ck_assert_int_eq(put(&v, "/memory/box/app/cgroup.procs", "21"), -EACCES);
	v.caller.pid = 999;
	/* A writer that is gone; were it root, nobody could tell what it was allowed. */
	ck_assert_int_eq(put(&v, "/memory/box/app/cgroup.procs", "7"), me ? -ESRCH : -EACCES);
	ck_assert_int_eq(put(&v, "/memory/box/app/cgroup.procs", "0"), me ? -ESRCH : -EACCES);
}
END_TEST

START_TEST(test_moves_between_others)
{
	/* v2: who moves must be allowed to write where both places meet. */
	AUTO_VISIT struct visit v = { 0 };
	char path[4200];

	process(130, "130\t30", "pid:[2]", "user:[1]", "/box/app/deep", 12345);
	visit(&v, BOX);
	v.caller.uid = v.caller.gid = 12345;
	snprintf(path, sizeof path, "%s/cg2/box/app/cgroup.procs", machine);
	ck_assert_int_eq(chmod(path, 0666), 0);
	ck_assert_int_eq(put(&v, "/unified/box/app/cgroup.procs", "30"), 0);
	process(131, "131\t31", "pid:[2]", "user:[1]", "/box", 12345);
	ck_assert_int_eq(put(&v, "/unified/box/app/cgroup.procs", "31"), -EACCES);
	process(133, "133\t33", "pid:[2]", "user:[1]", "/box/app/deep", 777);
	ck_assert_int_eq(put(&v, "/unified/box/app/cgroup.procs", "33"), -EACCES);
	process(132, "132\t32", "pid:[2]", "user:[1]", "/box/vanished", 12345);
	ck_assert_int_eq(put(&v, "/unified/box/app/cgroup.procs", "32"), -EACCES);
}
END_TEST

/*
 * A process in a new pid namespace, and its child in one below that; both wait until
 * their pipe is closed. False where this machine does not let us.
 */
static bool namespaces_start(const int hold[2], pid_t *ret_outer)
{
	int ready[2];
	char byte = 0;
	bool ok;

	ck_assert_int_eq(pipe(ready), 0);
	fflush(NULL);
	*ret_outer = fork();
	if (*ret_outer == 0) {
		close(hold[1]);
		/* The first child of an unshare(CLONE_NEWPID) is that namespace's init. */
		for (int level = 0; level < 2; level++) {
			if (unshare(CLONE_NEWPID) < 0 &&
			    (level || unshare(CLONE_NEWUSER | CLONE_NEWPID) < 0))
				_exit(1);
			if (fork() != 0)
				_exit(read(hold[0], &byte, 1) != 0);
		}
		if (write(ready[1], "x", 1) == 1)
			_exit(read(hold[0], &byte, 1) != 0);
		_exit(1);
	}
	close(ready[1]);
	ok = read(ready[0], &byte, 1) == 1;
	close(ready[0]);
	return ok;
}

static pid_t child_of(pid_t pid)
{
	AUTO_TEXT struct text text = { 0 };
	char path[64];
	uint64_t child;

	snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, pid);
	ck_assert_int_eq(file_read_at(AT_FDCWD, path, &text), 0);
	ck_assert_int_eq(number_parse(text_str(&text), &child), 0);
	return (pid_t)child;
}

START_TEST(test_real_namespaces)
{
	int procfd = open("/proc", O_PATH | O_DIRECTORY), hold[2];
	struct pid_numbers outer, inner, ours;
	pid_t top, pid, below;

	ck_assert_int_eq(pipe(hold), 0);
	if (!namespaces_start(hold, &top))
		return;
	pid = child_of(top);
	below = child_of(pid);
	ck_assert_int_eq(pid_numbers_open(procfd, pid, &outer), 0);
	ck_assert_int_eq(pid_numbers_open(procfd, below, &inner), 0);
	ck_assert_int_eq(pid_numbers_open(procfd, getpid(), &ours), 0);
	/* With the kernel's help, where it has any, and then without. */
	for (int round = 0; round < 2; round++) {
		ck_assert_int_eq(pid_numbers_inside(&outer, pid), 1);
		ck_assert_int_eq(pid_numbers_inside(&outer, below), 2);
		ck_assert_int_eq(pid_numbers_inside(&outer, getpid()), 0);
		ck_assert_int_eq(pid_numbers_inside(&inner, below), 1);
		ck_assert_int_eq(pid_numbers_inside(&inner, pid), 0);
		ck_assert_int_eq(pid_numbers_inside(&ours, below), below);
		ck_assert_int_eq(pid_numbers_outside(&outer, 2, false), below);
		ck_assert_int_eq(pid_numbers_outside(&inner, 1, true), below);
		ck_assert_int_eq(pid_numbers_outside(&inner, 2, true), 0);
		ck_assert_int_eq(pid_numbers_outside(&ours, below, false), below);
		outer.kernel = inner.kernel = false;
	}
	pid_numbers_close(&outer);
	pid_numbers_close(&inner);
	pid_numbers_close(&ours);
	close(hold[1]);
	close(hold[0]);
	waitpid(top, NULL, 0);
	close(procfd);
}
END_TEST

static void expect_node(const char *path)
{
	AUTO_TEXT struct text back = { 0 };
	uint64_t node = 0, again = 1;
	int r = cgroup_tree.node(&host, path, &node);

	ck_assert_msg(r == 0, "%s: %s", path, strerror(-r));
	ck_assert_uint_lt(node, (uint64_t)1 << 62);
	r = cgroup_tree.node_path(&host, node, &back);
	ck_assert_msg(r == 0, "%s from %llx: %s", path, (unsigned long long)node, strerror(-r));
	ck_assert_str_eq(text_str(&back), path);
	ck_assert_int_eq(cgroup_tree.node(&host, text_str(&back), &again), 0);
	ck_assert_uint_eq(node, again);
}

START_TEST(test_named_hierarchies)
{
	struct cgroup_hierarchy named = { .name = (char *)"name=systemd" };
	struct cgroup_hierarchy joint = { .name = (char *)"cpu,cpuacct" };
	struct line bare = { "systemd", 7 }, whole = { "name=systemd", 12 }, part = { "cpu", 3 };

	ck_assert_str_eq(place_hierarchy_name(&named), "systemd");
	ck_assert_str_eq(place_hierarchy_name(&joint), "cpu,cpuacct");
	ck_assert(place_is_hierarchy(&bare, &named) && place_is_hierarchy(&whole, &named));
	ck_assert(!place_is_hierarchy(&part, &joint) && !place_is_hierarchy(&bare, &joint));
}
END_TEST

START_TEST(test_nodes)
{
	static const char *const paths[] = {
		"",
		"/memory",
		"/cpu,cpuacct",
		"/unified",
		"/memory/box",
		"/memory/tasks",
		"/memory/box/memory.max",
		"/unified/box/app/deep",
		"/unified/box/app/deep/memory.max",
	};
	uint64_t nodes[ARRAY_SIZE(paths)], node;
	AUTO_TEXT struct text path = { 0 };
	char file[4200];

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		expect_node(paths[i]);
		ck_assert_int_eq(cgroup_tree.node(&host, paths[i], &nodes[i]), 0);
		for (size_t j = 0; j < i; j++)
			ck_assert_uint_ne(nodes[i], nodes[j]);
	}
	ck_assert_int_eq(cgroup_tree.node(&host, "/memory/nothing", &node), -ENOENT);
	ck_assert_int_eq(cgroup_tree.node(&host, "/nothing", &node), -ENOENT);
	ck_assert_int_eq(cgroup_tree.node(&host, "//x", &node), -ENOENT);
	ck_assert_int_lt(cgroup_tree.node(&host, "/memory/../cpu", &node), 0);
	ck_assert_int_eq(cgroup_tree.node_path(&host, (uint64_t)31 << 57 | 1 << 20, &path),
			 -ENOENT);
	ck_assert_int_eq(cgroup_tree.node_path(&host, 1 << 20, &path), -ENOENT);
	ck_assert_int_eq(cgroup_tree.node_path(&host, nodes[4] | 1, &path), -ENOENT);
	snprintf(file, sizeof file, "%s/mem/box/memory.max", machine);
	ck_assert_int_eq(unlink(file), 0);
	ck_assert_int_eq(cgroup_tree.node_path(&host, nodes[6], &path), -ENOENT);
	ck_assert_uint_eq(path.len, 0);
}
END_TEST

START_TEST(test_nodes_of_this_machine)
{
	/* Real cgroup file systems, where this machine has any. */
	struct host live;
	size_t roots = 0;

	if (host_open(NULL, &live) < 0)
		return;
	for (size_t i = 0; i < live.cgroups->count; i++) {
		AUTO_TEXT struct text back = { 0 };
		char path[300];
		uint64_t node;

		snprintf(path, sizeof path, "/%s/cgroup.procs",
			 place_hierarchy_name(&live.cgroups->hierarchy[i]));
		ck_assert_int_eq(cgroup_tree.node(&live, path, &node), 0);
		ck_assert_int_eq(cgroup_tree.node_path(&live, node, &back), 0);
		ck_assert_str_eq(text_str(&back), path);
		roots++;
	}
	ck_assert_uint_eq(roots, live.cgroups->count);
	host_close(&live);
}
END_TEST

START_TEST(test_names_have_numbers_of_their_own)
{
	/* Every file of v1 and v2 up to kernel 6.18: no two of a directory with the same hash. */
	/* clang-format off */
	static const char *const names[] = {
		"tasks", "notify_on_release", "release_agent", "cgroup.procs",
		"cgroup.clone_children", "cgroup.sane_behavior", "cgroup.event_control",
		"cgroup.type", "cgroup.threads", "cgroup.controllers", "cgroup.subtree_control",
		"cgroup.events", "cgroup.max.descendants", "cgroup.max.depth", "cgroup.stat",
		"cgroup.stat.local", "cgroup.freeze", "cgroup.kill", "cgroup.pressure",
		"cpu.stat", "cpu.stat.local", "cpu.weight", "cpu.weight.nice", "cpu.max",
		"cpu.max.burst", "cpu.uclamp.min", "cpu.uclamp.max", "cpu.idle", "cpu.pressure",
		"cpu.shares", "cpu.cfs_quota_us", "cpu.cfs_period_us", "cpu.cfs_burst_us",
		"cpu.rt_runtime_us", "cpu.rt_period_us", "irq.pressure", "io.pressure",
		"memory.pressure", "cpuacct.usage", "cpuacct.usage_user", "cpuacct.usage_sys",
		"cpuacct.usage_percpu", "cpuacct.usage_percpu_user", "cpuacct.usage_percpu_sys",
		"cpuacct.usage_all", "cpuacct.stat", "cpuset.cpus", "cpuset.mems",
		"cpuset.cpus.effective", "cpuset.mems.effective", "cpuset.cpus.partition",
		"cpuset.cpus.exclusive", "cpuset.cpus.exclusive.effective",
		"cpuset.cpus.isolated", "cpuset.effective_cpus", "cpuset.effective_mems",
		"cpuset.cpu_exclusive", "cpuset.mem_exclusive", "cpuset.mem_hardwall",
		"cpuset.sched_load_balance", "cpuset.sched_relax_domain_level",
		"cpuset.memory_migrate", "cpuset.memory_pressure", "cpuset.memory_spread_page",
		"cpuset.memory_spread_slab", "cpuset.memory_pressure_enabled", "memory.current",
		"memory.peak", "memory.min", "memory.low", "memory.high", "memory.max",
		"memory.events", "memory.events.local", "memory.stat", "memory.numa_stat",
		"memory.oom.group", "memory.reclaim", "memory.swap.current", "memory.swap.peak",
		"memory.swap.high", "memory.swap.max", "memory.swap.events",
		"memory.zswap.current", "memory.zswap.max", "memory.zswap.writeback",
		"memory.usage_in_bytes", "memory.max_usage_in_bytes", "memory.limit_in_bytes",
		"memory.soft_limit_in_bytes", "memory.failcnt", "memory.force_empty",
		"memory.use_hierarchy", "memory.swappiness", "memory.move_charge_at_immigrate",
		"memory.oom_control", "memory.pressure_level", "memory.kmem.limit_in_bytes",
		"memory.kmem.usage_in_bytes", "memory.kmem.failcnt",
		"memory.kmem.max_usage_in_bytes", "memory.kmem.slabinfo",
		"memory.kmem.tcp.limit_in_bytes", "memory.kmem.tcp.usage_in_bytes",
		"memory.kmem.tcp.failcnt", "memory.kmem.tcp.max_usage_in_bytes",
		"memory.memsw.usage_in_bytes", "memory.memsw.max_usage_in_bytes",
		"memory.memsw.limit_in_bytes", "memory.memsw.failcnt", "io.stat", "io.max",
		"io.latency", "io.weight", "io.bfq.weight", "io.prio.class", "io.cost.qos",
		"io.cost.model", "blkio.reset_stats", "blkio.bfq.weight",
		"blkio.bfq.weight_device", "blkio.bfq.io_service_bytes", "blkio.bfq.io_serviced",
		"blkio.bfq.io_service_bytes_recursive", "blkio.bfq.io_serviced_recursive",
		"blkio.throttle.read_bps_device", "blkio.throttle.write_bps_device",
		"blkio.throttle.read_iops_device", "blkio.throttle.write_iops_device",
		"blkio.throttle.io_service_bytes", "blkio.throttle.io_service_bytes_recursive",
		"blkio.throttle.io_serviced", "blkio.throttle.io_serviced_recursive",
		"blkio.weight", "blkio.weight_device", "blkio.prio.class", "devices.allow",
		"devices.deny", "devices.list", "freezer.state", "freezer.self_freezing",
		"freezer.parent_freezing", "hugetlb.2MB.max", "hugetlb.2MB.current",
		"hugetlb.2MB.events", "hugetlb.2MB.events.local", "hugetlb.2MB.numa_stat",
		"hugetlb.2MB.rsvd.max", "hugetlb.2MB.rsvd.current", "hugetlb.2MB.limit_in_bytes",
		"hugetlb.2MB.usage_in_bytes", "hugetlb.2MB.max_usage_in_bytes",
		"hugetlb.2MB.failcnt", "hugetlb.2MB.rsvd.limit_in_bytes",
		"hugetlb.2MB.rsvd.usage_in_bytes", "hugetlb.2MB.rsvd.max_usage_in_bytes",
		"hugetlb.2MB.rsvd.failcnt", "hugetlb.1GB.max", "hugetlb.1GB.current",
		"hugetlb.1GB.events", "hugetlb.1GB.events.local", "hugetlb.1GB.numa_stat",
		"hugetlb.1GB.rsvd.max", "hugetlb.1GB.rsvd.current", "hugetlb.1GB.limit_in_bytes",
		"hugetlb.1GB.usage_in_bytes", "hugetlb.1GB.max_usage_in_bytes",
		"hugetlb.1GB.failcnt", "hugetlb.1GB.rsvd.limit_in_bytes",
		"hugetlb.1GB.rsvd.usage_in_bytes", "hugetlb.1GB.rsvd.max_usage_in_bytes",
		"hugetlb.1GB.rsvd.failcnt", "net_cls.classid", "net_prio.prioidx",
		"net_prio.ifpriomap", "pids.max", "pids.current", "pids.peak", "pids.events",
		"pids.events.local", "rdma.max", "rdma.current", "rdma.peak", "rdma.events",
		"misc.capacity", "misc.current", "misc.max", "misc.peak", "misc.events",
		"misc.events.local", "dmem.capacity", "dmem.current", "dmem.min", "dmem.low",
		"dmem.max",
	};
	/* clang-format on */

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		for (size_t j = 0; j < i; j++)
			ck_assert_msg((hash_string(names[i]) & 0xfffff) !=
					      (hash_string(names[j]) & 0xfffff),
				      "%s and %s", names[i], names[j]);
	}
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, test_way);
	tcase_add_test(tests, test_hidden);
	tcase_add_test(tests, test_wrong_kind);
	tcase_add_test(tests, test_listing_ends);
	tcase_add_test(tests, test_host_sees_all);
	tcase_add_test(tests, test_host_session);
	tcase_add_test(tests, test_no_cgroup_of_its_own);
	tcase_add_test(tests, test_gone);
	tcase_add_test(tests, test_switched_off);
	tcase_add_test(tests, test_access);
	tcase_add_test(tests, test_writing);
	tcase_add_test(tests, test_root_without_capabilities);
	tcase_add_test(tests, test_mkdir);
	tcase_add_test(tests, test_mkdir_undone);
	tcase_add_test(tests, test_rmdir);
	tcase_add_test(tests, test_chmod);
	tcase_add_test(tests, test_chown);
	tcase_add_test(tests, test_chown_in_a_user_namespace);
	tcase_add_test(tests, test_pids_told);
	tcase_add_test(tests, test_many_pids);
	tcase_add_test(tests, test_moves);
	tcase_add_test(tests, test_moves_by_thread);
	tcase_add_test(tests, test_moves_refused);
	tcase_add_test(tests, test_moves_between_others);
	tcase_add_test(tests, test_real_namespaces);
	tcase_add_test(tests, test_named_hierarchies);
	tcase_add_test(tests, test_nodes);
	tcase_add_test(tests, test_nodes_of_this_machine);
	tcase_add_test(tests, test_names_have_numbers_of_their_own);
}

int main(void)
{
	return test_run("cgroup_view", fill);
}
