/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What keeper and worker give up, each tried in a process of its own; and the starter. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "sandbox.h"
#include "starter.h"
#include "support.h"

/* In a child, which reports by its status: 0, or the line of what did not hold. */
#define NEED(condition)                        \
	do {                                   \
		if (!(condition))              \
			_exit(__LINE__ % 256); \
	} while (0)

/* Not exit(): the leak checker at its end needs what has been given up. */
static void in_child(void (*what)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		what();
		_exit(0);
	}
	ck_assert_int_gt(pid, 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status), "killed by signal %d", WTERMSIG(status));
	ck_assert_msg(WEXITSTATUS(status) == 0, "line %d does not hold", WEXITSTATUS(status));
}

static uint64_t bit(int capability)
{
	return UINT64_C(1) << capability;
}

/* A hexadecimal line of a process' status. */
static uint64_t status_of(const char *path, const char *key)
{
	AUTO_TEXT struct text status = { 0 };
	unsigned long long value = ~0ull;
	const char *line;

	if (file_read_at(AT_FDCWD, path, &status) == 0) {
		line = strstr(text_str(&status), key);
		if (line)
			sscanf(line + strlen(key), ": %llx", &value);
	}
	return value;
}

START_TEST(worker_has_less_than_keeper)
{
	uint64_t worker = sandbox_worker_capabilities(false);
	uint64_t poller = sandbox_worker_capabilities(true), keeper = sandbox_keeper_capabilities();

	ck_assert_uint_eq(poller, worker | bit(CAP_SYS_RESOURCE));
	ck_assert_uint_eq(worker & bit(CAP_SYS_RESOURCE), 0);
	ck_assert_uint_eq(keeper, poller | bit(CAP_SYS_ADMIN));
	ck_assert_uint_eq(poller & (bit(CAP_SYS_ADMIN) | bit(CAP_SYS_MODULE) | bit(CAP_SETUID) |
				    bit(CAP_NET_ADMIN) | bit(CAP_SYS_RAWIO) | bit(CAP_MKNOD)),
			  0);
}
END_TEST

static void give_up_as_worker(void)
{
	uint64_t had = status_of("/proc/self/status", "\nCapPrm");

	NEED(sandbox_worker(false) == 0);
	NEED(status_of("/proc/self/status", "\nCapPrm") ==
	     (had & sandbox_worker_capabilities(false)));
	NEED(status_of("/proc/self/status", "\nCapEff") ==
	     (had & sandbox_worker_capabilities(false)));
	NEED(status_of("/proc/self/status", "\nCapInh") == 0);
	NEED(status_of("/proc/self/status", "\nNoNewPrivs") == 1);
}

START_TEST(worker_gives_up_capabilities)
{
	in_child(give_up_as_worker);
}
END_TEST

/* A program that the keeper runs shows its own status, and has no more than the keeper had. */
static void give_up_as_keeper(void)
{
	char path[] = "/tmp/lxcfs-sandbox-XXXXXX";
	uint64_t had = status_of("/proc/self/status", "\nCapPrm"), has;
	int fd = mkstemp(path);
	pid_t pid;

	NEED(fd >= 0 && sandbox_keeper() == 0);
	pid = fork();
	if (pid == 0) {
		dup2(fd, STDOUT_FILENO);
		execl("/bin/cat", "cat", "/proc/self/status", NULL);
		_exit(127);
	}
	NEED(waitpid(pid, NULL, 0) == pid);
	has = status_of(path, "\nCapPrm");
	NEED(unlink(path) == 0);
	NEED((has & ~(had & sandbox_keeper_capabilities())) == 0);
}

START_TEST(keeper_gives_up_capabilities_for_good)
{
	in_child(give_up_as_keeper);
}
END_TEST

static void *set(void *arg)
{
	*(int *)arg = 1;
	return NULL;
}

static void use_what_is_left(void)
{
	struct epoll_event event = { .events = EPOLLIN };
	AUTO_TEXT struct text text = { 0 };
	pthread_t thread;
	int done = 0, ends[2], epoll, procfd = open("/proc", O_RDONLY | O_DIRECTORY);
	struct stat st;

	NEED(pipe(ends) == 0 && sandbox_worker(true) == 0 && sandbox_filter() == 0);
	NEED(file_read_at(procfd, "self/stat", &text) == 0 && text.len > 0);
	NEED(fstatat(procfd, "self/ns/pid", &st, 0) == 0);
	NEED(file_open_beneath(procfd, "meminfo", O_RDONLY) >= 0);
	NEED(pthread_create(&thread, NULL, set, &done) == 0);
	NEED(pthread_join(thread, NULL) == 0 && done);
	NEED((epoll = epoll_create1(0)) >= 0);
	NEED(epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event) == 0);
	NEED(write(ends[1], "x", 1) == 1 && epoll_wait(epoll, &event, 1, -1) == 1);
	NEED(pidfd_open(getppid(), 0) >= 0);
	/* An ioctl of namespaces gets as far as to a file that is none. */
	NEED(ioctl(ends[0], 0xb702) < 0 && errno == ENOTTY);
}

START_TEST(worker_can_do_its_work)
{
	in_child(use_what_is_left);
}
END_TEST

/* As a unit with SystemCallFilter=@system-service does, which has no seccomp(2). */
static int forbid_seccomp_call(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_seccomp, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { ARRAY_SIZE(code), code };

	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static bool is_refused(long result)
{
	return result < 0 && errno == ENOSYS;
}

static void try_what_is_not(void)
{
	int n, fd = open("/proc/self/stat", O_RDONLY);

	NEED(fd >= 0 && sandbox_worker(true) == 0 && sandbox_filter() == 0);
	NEED(is_refused(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)));
	NEED(is_refused(syscall(SYS_clone3, NULL, 0)));
	NEED(is_refused(execl("/bin/true", "true", NULL)));
	NEED(is_refused(socket(AF_UNIX, SOCK_STREAM, 0)));
	NEED(is_refused(mount("none", "/tmp", "tmpfs", 0, NULL)));
	NEED(is_refused(umount2("/nowhere", 0)));
	NEED(is_refused(syscall(SYS_setns, fd, 0)));
	NEED(is_refused(syscall(SYS_unshare, 0)));
	NEED(is_refused(syscall(SYS_ptrace, 0, 0, 0, 0)));
	NEED(is_refused(syscall(SYS_bpf, 0, NULL, 0)));
	NEED(is_refused(kill(getpid(), 0)));
	NEED(is_refused(prctl(PR_GET_DUMPABLE)));
	NEED(is_refused(ioctl(fd, FIONREAD, &n)));
	NEED(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
		     MAP_FAILED &&
	     errno == ENOSYS);
}

static void filter_without_seccomp_call(void)
{
	NEED(sandbox_worker(true) == 0 && forbid_seccomp_call() == 0);
	NEED(sandbox_filter() == 0);
	NEED(is_refused(socket(AF_UNIX, SOCK_STREAM, 0)));
}

START_TEST(worker_is_filtered_by_prctl_where_seccomp_is_forbidden)
{
	in_child(filter_without_seccomp_call);
}
END_TEST

START_TEST(worker_can_do_nothing_else_and_lives)
{
	in_child(try_what_is_not);
}
END_TEST

/* A handoff with fds, and a program that leaves its argument in a file as a keeper would see it. */
static void start_keepers(const char *script)
{
	struct program program = { .path = (char *)script, .args = (char *[]){ NULL } };
	struct handoff handoff = { .state = open("/dev/null", O_RDWR), .ready = dup(0) };
	struct starter starter = STARTER_NONE;
	struct pollfd p = { .events = POLLIN };

	handoff.device = (struct device){ .fds = { handoff.state }, .count = 1 };
	ck_assert_int_eq(starter_start(&starter), -EPIPE);
	ck_assert_int_eq(starter_open(&program, &handoff, &starter), 0);
	for (int i = 0; i < 3; i++) {
		int pid = starter_start(&starter);

		ck_assert_int_gt(pid, 0);
		p.fd = pidfd_open(pid, 0);
		ck_assert_int_eq(poll(&p, 1, 10000), 1);
		close(p.fd);
	}
	/* When it was killed itself, that is told and nothing worse happens. */
	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(kill(starter.pid, SIGKILL), 0);
	ck_assert_int_eq(waitid(P_PID, (id_t)starter.pid, &(siginfo_t){ 0 }, WEXITED | WNOWAIT), 0);
	ck_assert_int_eq(starter_start(&starter), -EPIPE);
	starter_close(&starter);
	ck_assert_int_eq(starter.fd, -1);
	close(handoff.state);
	close(handoff.ready);
}

START_TEST(starter_starts_keepers)
{
	AUTO_FREE char *directory = test_directory(), *script = NULL, *expected = NULL;
	AUTO_TEXT struct text out = { 0 };
	AUTO_FREE char *path = NULL, *content = NULL;
	int fd = open("/dev/null", O_RDWR); /* the number that the next open gets again */

	close(fd);
	ck_assert_int_gt(asprintf(&script, "%s/keeper", directory), 0);
	ck_assert_int_gt(asprintf(&path, "%s/out", directory), 0);
	ck_assert_int_gt(asprintf(&content, "#!/bin/sh\necho $# $1 >>%s\n", path), 0);
	ck_assert_int_gt(asprintf(&expected, "1 --keeper=%d,-1,0,%d\n", fd, fd), 0);
	test_write(directory, "keeper", content);
	ck_assert_int_eq(chmod(script, 0755), 0);
	start_keepers(script);
	ck_assert_int_eq(file_read_at(AT_FDCWD, path, &out), 0);
	ck_assert_uint_eq(out.len, 3 * strlen(expected));
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(strncmp(text_str(&out) + (size_t)i * strlen(expected), expected,
					 strlen(expected)),
				 0);
	test_remove(directory);
}
END_TEST

START_TEST(starter_ends_with_its_worker)
{
	struct program program = { .path = (char *)"/bin/false", .args = (char *[]){ NULL } };
	struct handoff handoff = { .state = -1, .ready = -1 };
	struct starter starter;
	struct pollfd p = { .events = POLLIN };

	ck_assert_int_eq(starter_open(&program, &handoff, &starter), 0);
	p.fd = pidfd_open(starter.pid, 0);
	ck_assert_int_eq(poll(&p, 1, 0), 0);
	close(starter.fd);
	ck_assert_int_eq(poll(&p, 1, 10000), 1);
	close(p.fd);
	ck_assert_int_eq(waitpid(starter.pid, NULL, 0), starter.pid);
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_test(tests, worker_has_less_than_keeper);
	tcase_add_test(tests, worker_gives_up_capabilities);
	tcase_add_test(tests, keeper_gives_up_capabilities_for_good);
	tcase_add_test(tests, worker_can_do_its_work);
	tcase_add_test(tests, worker_is_filtered_by_prctl_where_seccomp_is_forbidden);
	tcase_add_test(tests, worker_can_do_nothing_else_and_lives);
	tcase_add_test(tests, starter_starts_keepers);
	tcase_add_test(tests, starter_ends_with_its_worker);
}

int main(void)
{
	return test_run("sandbox", fill);
}
