/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Starts a command as a container engine would, or enters one that was started so:
 * in given cgroups, in namespaces of its own. Waits for it and ends as it did.
 * usage: box [-p FILE] [-g CGROUP]... [-u FIRST_ID] [-C] [-b SECONDS] COMMAND...
 *        box -e PID [-g CGROUP]... COMMAND...
 * -p: where init's pid is written; -u: a user namespace; -C: a cgroup namespace;
 * -b: a time namespace whose clock is so many seconds ahead; -e: enter PID's namespaces.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

#define IDS 65536 /* in a user namespace */
#define CGROUPS_MAX 32

struct box {
	const char *pid_file, *enter, *first_id, *ahead;
	bool cgroup_namespace;
	const char *cgroup[CGROUPS_MAX];
	size_t cgroups;
};

static void die(const char *what)
{
	fprintf(stderr, "box: %s: %s\n", what, strerror(errno));
	exit(125);
}

static void put(const char *path, const char *format, ...)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	va_list args;

	va_start(args, format);
	if (fd < 0 || vdprintf(fd, format, args) < 0 || close(fd) < 0)
		die(path);
	va_end(args);
}

static void join_cgroup(const char *cgroup)
{
	char path[512];

	snprintf(path, sizeof path, "%s/cgroup.procs", cgroup);
	put(path, "0\n");
}

static void become_root(void)
{
	if (setgroups(0, NULL) < 0 || setgid(0) < 0 || setuid(0) < 0)
		die("setuid");
}

/* The maps of a new user namespace are written by a process that stayed outside. */
static void new_user_namespace(const char *first_id)
{
	pid_t me = getpid(), helper;
	int status, pipefd[2];
	char path[64], go;

	if (pipe(pipefd) < 0)
		die("pipe");
	helper = fork();
	if (helper == 0) {
		if (read(pipefd[0], &go, 1) != 1)
			_exit(1);
		snprintf(path, sizeof path, "/proc/%d/uid_map", me);
		put(path, "0 %s %d\n", first_id, IDS);
		snprintf(path, sizeof path, "/proc/%d/gid_map", me);
		put(path, "0 %s %d\n", first_id, IDS);
		_exit(0);
	}
	if (helper < 0 || unshare(CLONE_NEWUSER) < 0 || write(pipefd[1], "", 1) != 1)
		die("user namespace");
	if (waitpid(helper, &status, 0) < 0 || status)
		die("id maps");
	close(pipefd[0]);
	close(pipefd[1]);
	become_root();
}

static void new_namespaces(const struct box *b)
{
	int flags = CLONE_NEWNS | CLONE_NEWPID;

	if (b->first_id)
		new_user_namespace(b->first_id);
	if (b->cgroup_namespace)
		flags |= CLONE_NEWCGROUP;
	if (b->ahead)
		flags |= CLONE_NEWTIME;
	if (unshare(flags) < 0)
		die("unshare");
	if (b->ahead)
		put("/proc/self/timens_offsets", "boottime %s 0\n", b->ahead);
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		die("private mounts");
}

/* Is the process in another namespace of this kind than we are? */
static bool is_other(const char *pid, const char *kind)
{
	char path[64], ours[64] = "", theirs[64] = "";

	snprintf(path, sizeof path, "/proc/self/ns/%s", kind);
	if (readlink(path, ours, sizeof ours - 1) < 0)
		return false;
	snprintf(path, sizeof path, "/proc/%s/ns/%s", pid, kind);
	if (readlink(path, theirs, sizeof theirs - 1) < 0)
		die(path);
	return strcmp(ours, theirs) != 0;
}

static void enter_namespaces(const char *pid)
{
	static const struct {
		const char *kind;
		int flag;
	} kinds[] = {
		{ "user", CLONE_NEWUSER },     { "mnt", CLONE_NEWNS },	  { "pid", CLONE_NEWPID },
		{ "cgroup", CLONE_NEWCGROUP }, { "time", CLONE_NEWTIME },
	};
	int fd = (int)syscall(SYS_pidfd_open, atoi(pid), 0), flags = 0;

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		flags |= is_other(pid, kinds[i].kind) ? kinds[i].flag : 0;
	if (fd < 0 || (flags && setns(fd, flags) < 0))
		die("setns");
	close(fd);
	if (flags & CLONE_NEWUSER)
		become_root();
}

/* In the namespaces, as init of them or as one more process. */
static void run(const struct box *b, char **command, int ready)
{
	char go;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!b->enter && mount("proc", "/proc", "proc", 0, NULL) < 0)
		die("mount proc");
	if (read(ready, &go, 1) != 1)
		_exit(125);
	close(ready);
	execvp(command[0], command);
	die(command[0]);
}

/*
 * Goes where the command shall run, and makes it a child of our parent (CLONE_PARENT), so
 * that nothing of ours stays in the cgroups. Tells the parent its pid.
 */
static void prepare(const struct box *b, char **command, int tell)
{
	int ready[2];
	pid_t pid;

	for (size_t i = 0; i < b->cgroups; i++)
		join_cgroup(b->cgroup[i]);
	if (b->enter)
		enter_namespaces(b->enter);
	else
		new_namespaces(b);
	if (pipe(ready) < 0)
		die("pipe");
	pid = (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, NULL);
	if (pid < 0)
		die("clone");
	if (pid == 0) {
		close(ready[1]);
		run(b, command, ready[0]);
	}
	if (write(tell, &pid, sizeof pid) != sizeof pid || write(ready[1], "", 1) != 1)
		die("pipe");
	_exit(0);
}

static struct box parse(int argc, char **argv)
{
	struct box b = { 0 };
	int option;

	while ((option = getopt(argc, argv, "+p:g:u:Cb:e:")) != -1) {
		switch (option) {
		case 'p':
			b.pid_file = optarg;
			break;
		case 'g':
			if (b.cgroups == CGROUPS_MAX)
				exit(125);
			b.cgroup[b.cgroups++] = optarg;
			break;
		case 'u':
			b.first_id = optarg;
			break;
		case 'C':
			b.cgroup_namespace = true;
			break;
		case 'b':
			b.ahead = optarg;
			break;
		case 'e':
			b.enter = optarg;
			break;
		default:
			exit(125);
		}
	}
	return b;
}

int main(int argc, char **argv)
{
	struct box b = parse(argc, argv);
	int told[2], status;
	pid_t middle, pid;

	if (optind == argc || pipe2(told, O_CLOEXEC) < 0)
		die("start");
	middle = fork();
	if (middle == 0)
		prepare(&b, argv + optind, told[1]);
	close(told[1]);
	if (middle < 0 || read(told[0], &pid, sizeof pid) != sizeof pid ||
	    waitpid(middle, &status, 0) < 0)
		return 125;
	if (b.pid_file)
		put(b.pid_file, "%d\n", pid);
	if (waitpid(pid, &status, 0) < 0)
		die("wait");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
