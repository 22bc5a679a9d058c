/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whom a process counts against. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "owner.h"
#include "support.h"

START_TEST(of_the_host_its_cgroups_tell)
{
	pid_t child = fork();

	if (child == 0)
		for (;;)
			pause();
	ck_assert(owner_is_host(owner_of(getpid())));
	ck_assert_uint_eq(owner_of(child), owner_of(getpid()));
	kill(child, SIGKILL);
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
}
END_TEST

START_TEST(who_is_gone_is_nobody)
{
	pid_t child = fork();

	if (child == 0)
		_exit(0);
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
	ck_assert_uint_eq(owner_of(child), 0);
	ck_assert_uint_eq(owner_of(0), 0);
	ck_assert_uint_eq(owner_of(-1), 0);
}
END_TEST

/* A process in a new pid namespace within ours, and one of those within its; killed by `end`. */
static void make_nested(int ready, int end)
{
	char byte;
	pid_t outer;

	if (unshare(CLONE_NEWPID) < 0)
		_exit(errno == EPERM ? 2 : 1); /* for root alone */
	outer = fork();
	if (outer == 0) {
		if (unshare(CLONE_NEWPID) == 0 && fork() == 0 && write(ready, "x", 1) == 1)
			pause();
		pause();
	}
	if (read(end, &byte, 1) == 0)
		kill(outer, SIGKILL);
	_exit(0);
}

static pid_t child_of(pid_t pid)
{
	char path[64];
	FILE *f;
	int child = 0;

	snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
	f = fopen(path, "re");
	if (f && fscanf(f, "%d", &child) != 1)
		child = 0;
	if (f)
		fclose(f);
	return child;
}

START_TEST(what_is_nested_is_the_container)
{
	int ready[2], end[2], status;
	char byte;
	pid_t maker, inner = 0;

	ck_assert_int_eq(pipe(ready), 0);
	ck_assert_int_eq(pipe(end), 0);
	maker = fork();
	if (maker == 0) {
		close(end[1]);
		make_nested(ready[1], end[0]);
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) == 1) {
		inner = child_of(child_of(maker));
		ck_assert_int_gt(inner, 0);
		ck_assert_uint_ne(owner_of(inner), 0);
		ck_assert(!owner_is_host(owner_of(inner)));
		ck_assert_uint_eq(owner_of(inner), owner_of(child_of(maker)));
	}
	close(end[1]);
	ck_assert_int_eq(waitpid(maker, &status, 0), maker);
	ck_assert(inner || WEXITSTATUS(status) == 2);
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_test(tests, of_the_host_its_cgroups_tell);
	tcase_add_test(tests, who_is_gone_is_nobody);
	tcase_add_test(tests, what_is_nested_is_the_container);
}

int main(void)
{
	return test_run("owner", fill);
}
