/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who may do what with a file, for callers in any user namespace. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "permission.h"
#include "support.h"

#define R R_OK
#define W W_OK
#define X X_OK

#define ADMIN "000001ffffffffff"
#define CHROOT_ONLY "0000000000040000"

/* A /proc in a temporary directory. */
static char *proc;
static int procfd;

static void user_namespace(unsigned pid, const char *link)
{
	char path[4200];

	snprintf(path, sizeof path, "%u/ns/x", pid);
	test_write(proc, path, "");
	snprintf(path, sizeof path, "%s/%u/ns/user", proc, pid);
	ck_assert_int_eq(symlink(link, path), 0);
}

static void process(unsigned pid, const char *link, const char *map, const char *capabilities)
{
	char path[64], status[256];

	user_namespace(pid, link);
	snprintf(path, sizeof path, "%u/uid_map", pid);
	test_write(proc, path, map);
	snprintf(path, sizeof path, "%u/gid_map", pid);
	test_write(proc, path, map);
	snprintf(path, sizeof path, "%u/status", pid);
	snprintf(status, sizeof status, "Name:\tCapEff:\t%s\nCapEff:\t%s\n", ADMIN, capabilities);
	test_write(proc, path, status);
}

enum {
	HOST = 10,
	CONTAINER = 20,
	NESTED = 30,
	SELF_MAPPED = 40,
	BARE = 50,
	ODD = 60,
	NAMELESS = 70
};

static void setup(void)
{
	proc = test_directory();
	procfd = open(proc, O_PATH | O_DIRECTORY);
	user_namespace(1, "user:[1]");
	process(HOST, "user:[1]", "         0          0 4294967295\n", ADMIN);
	process(CONTAINER, "user:[2]", "         0     100000      65536\n", ADMIN);
	process(NESTED, "user:[3]", "0 101000 1000\n5000 200000 10\n", ADMIN);
	process(SELF_MAPPED, "user:[4]", "0 0 1\n", ADMIN);
	process(BARE, "user:[1]", "0 0 4294967295\n", CHROOT_ONLY);
	process(ODD, "user:[5]", "0 -1 5\n0 99999999999999999999 1\n0 7\n0 7x 9\n", "xyz");
	process(NAMELESS, "user:[6]",
		"0 18446744073709551615 2\n0 4294967290 18446744073709551615\n", "");
}

static void teardown(void)
{
	close(procfd);
	test_remove(proc);
	free(proc);
}

static int check(pid_t pid, uid_t uid, gid_t gid, mode_t mode, uid_t owner, gid_t group, int mask)
{
	struct lxcfs_caller caller = { .pid = pid, .uid = uid, .gid = gid };

	return permission_check(procfd, &caller, mode, owner, group, mask);
}

START_TEST(test_owner_group_others)
{
	ck_assert_int_eq(check(HOST, 7, 8, 0400, 7, 9, R), 0);
	ck_assert_int_eq(check(HOST, 7, 8, 0400, 7, 9, W), -EACCES);
	ck_assert_int_eq(check(HOST, 7, 8, 0040, 6, 8, R), 0);
	ck_assert_int_eq(check(HOST, 7, 8, 0040, 6, 9, R), -EACCES);
	ck_assert_int_eq(check(HOST, 7, 8, 0006, 6, 9, R | W), 0);
	ck_assert_int_eq(check(HOST, 7, 8, 0006, 6, 9, R | W | X), -EACCES);
	/* The owner's bits count for the owner though others may more. */
	ck_assert_int_eq(check(HOST, 7, 8, 0077, 7, 8, R), -EACCES);
	ck_assert_int_eq(check(HOST, 7, 8, 0007, 6, 8, R), -EACCES);
	ck_assert_int_eq(check(HOST, 7, 8, 0000, 6, 8, F_OK), 0);
}
END_TEST

START_TEST(test_host_root)
{
	ck_assert_int_eq(check(HOST, 0, 0, 0000, 7, 8, R | W), 0);
	ck_assert_int_eq(check(HOST, 0, 0, S_IFREG | 0644, 7, 8, X), -EACCES);
	ck_assert_int_eq(check(HOST, 0, 0, S_IFREG | 0100, 7, 8, X), 0);
	ck_assert_int_eq(check(HOST, 0, 0, S_IFDIR | 0000, 7, 8, X | W), 0);
}
END_TEST

START_TEST(test_container_root)
{
	/* Root of a container over what is mapped there, and nothing else. */
	ck_assert_int_eq(check(CONTAINER, 100000, 100000, 0600, 100007, 100008, R | W), 0);
	ck_assert_int_eq(check(CONTAINER, 100000, 100000, 0600, 165535, 165535, R), 0);
	ck_assert_int_eq(check(CONTAINER, 100000, 100000, 0600, 165536, 100000, R), -EACCES);
	ck_assert_int_eq(check(CONTAINER, 100000, 100000, 0600, 100007, 99999, R), -EACCES);
	ck_assert_int_eq(check(CONTAINER, 100000, 100000, 0600, 0, 0, R), -EACCES);
	ck_assert_int_eq(check(CONTAINER, 100000, 100000, 0644, 0, 0, R), 0);
	ck_assert_int_eq(check(CONTAINER, 100001, 100000, 0600, 100007, 100008, R), -EACCES);
	/* The host's root there is not root of that user namespace. */
	ck_assert_int_eq(check(CONTAINER, 0, 0, 0600, 100007, 100008, R), -EACCES);
}
END_TEST

START_TEST(test_nested_root)
{
	ck_assert_int_eq(check(NESTED, 101000, 101000, 0600, 101999, 101999, R), 0);
	ck_assert_int_eq(check(NESTED, 101000, 101000, 0600, 200009, 200009, R), 0);
	ck_assert_int_eq(check(NESTED, 101000, 101000, 0600, 200010, 200009, R), -EACCES);
	ck_assert_int_eq(check(NESTED, 200000, 101000, 0600, 101001, 101001, R), -EACCES);
	ck_assert_int_eq(check(NESTED, 101000, 101000, 0600, 100000, 101000, R), -EACCES);
}
END_TEST

START_TEST(test_unknown_callers)
{
	ck_assert_int_eq(check(0, 0, 0, 0600, 7, 7, R), -EACCES);
	ck_assert_int_eq(check(999, 0, 0, 0600, 7, 7, R), -EACCES);
	ck_assert_int_eq(check(-1, 0, 0, 0600, 0, 0, R), 0);
	/* Maps that no kernel writes. */
	ck_assert_int_eq(check(ODD, 7, 7, 0600, 8, 8, R), -EACCES);
	ck_assert_int_eq(check(NAMELESS, 4294967290, 0, 0600, 5, 5, R), -EACCES);
}
END_TEST

START_TEST(test_groups)
{
	struct lxcfs_caller host = { .pid = HOST }, container = { .pid = CONTAINER, .uid = 100000 };

	ck_assert(permission_knows_group(procfd, &host, 12345));
	ck_assert(permission_knows_group(procfd, &container, 100000));
	ck_assert(!permission_knows_group(procfd, &container, 5));
	container.pid = 999;
	ck_assert(!permission_knows_group(procfd, &container, 100000));
}
END_TEST

static bool admin(pid_t pid)
{
	struct lxcfs_caller caller = { .pid = pid };

	return permission_is_admin(procfd, &caller);
}

START_TEST(test_admin)
{
	ck_assert(admin(HOST));
	ck_assert(!admin(BARE)); /* and its comm that says otherwise does not help */
	ck_assert(!admin(CONTAINER));
	ck_assert(!admin(SELF_MAPPED)); /* a user namespace gives all capabilities, in itself */
	ck_assert(!admin(ODD));
	ck_assert(!admin(999));
	ck_assert(!admin(0));
}
END_TEST

START_TEST(test_without_init)
{
	/* Where pid 1 tells nothing, the host is where the engine lives. */
	char path[4200];

	snprintf(path, sizeof path, "%s/1/ns/user", proc);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert(!admin(HOST));
	snprintf(path, sizeof path, "%s/self", proc);
	ck_assert_int_eq(symlink("10", path), 0);
	ck_assert(admin(HOST));
	ck_assert(!admin(CONTAINER));
}
END_TEST

START_TEST(test_live)
{
	/* This process, as the kernel tells of it. */
	struct lxcfs_caller self = { .pid = getpid(), .uid = getuid(), .gid = getgid() };
	int live = open("/proc", O_PATH | O_DIRECTORY);

	ck_assert_int_ge(live, 0);
	ck_assert_int_eq(permission_check(live, &self, 0000, getuid() + 1, getgid(), R),
			 getuid() == 0 ? 0 : -EACCES);
	ck_assert_int_eq(permission_check(live, &self, 0400, getuid(), getgid(), R), 0);
	close(live);
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, test_owner_group_others);
	tcase_add_test(tests, test_host_root);
	tcase_add_test(tests, test_container_root);
	tcase_add_test(tests, test_nested_root);
	tcase_add_test(tests, test_unknown_callers);
	tcase_add_test(tests, test_groups);
	tcase_add_test(tests, test_admin);
	tcase_add_test(tests, test_without_init);
	tcase_add_test(tests, test_live);
}

int main(void)
{
	return test_run("permission", fill);
}
