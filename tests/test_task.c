/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kept files of threads, with real ones. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support.h"
#include "task.h"

#define MANY 32

static int open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = 0;

	ck_assert_ptr_nonnull(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static void start(pid_t child[MANY])
{
	for (int i = 0; i < MANY; i++) {
		child[i] = fork();
		ck_assert_int_ge(child[i], 0);
		if (child[i] == 0)
			for (;;)
				pause();
	}
}

static void end(const pid_t child[MANY])
{
	for (int i = 0; i < MANY; i++) {
		kill(child[i], SIGKILL);
		ck_assert_int_eq(waitpid(child[i], NULL, 0), child[i]);
	}
}

static void read_all(struct task_files *files, const pid_t child[MANY])
{
	for (int i = 0; i < MANY; i++) {
		struct task_stat stat;

		ck_assert_int_eq(task_stat_read(files, child[i], &stat), 0);
		ck_assert_uint_gt(stat.start, 0);
	}
}

START_TEST(files_of_threads_that_ended_do_not_stay)
{
	int procfd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	pid_t first[MANY], second[MANY];
	struct task_files *files;
	struct task_stat stat;
	int before;

	ck_assert_int_eq(task_files_open(procfd, &files), 0);
	task_files_keep(files, 128);
	before = open_files();
	start(first);
	read_all(files, first);
	ck_assert_int_gt(open_files(), before + MANY / 2);
	read_all(files, first); /* from the kept ones */
	end(first);
	ck_assert_int_lt(task_stat_read(files, first[0], &stat), 0);
	start(second);
	read_all(files, second);
	ck_assert_int_le(open_files(), before + MANY); /* of the second alone */
	end(second);
	task_files_close(files);
	ck_assert_int_eq(open_files(), before);
	close(procfd);
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_test(tests, files_of_threads_that_ended_do_not_stay);
}

int main(void)
{
	return test_run("task", fill);
}
