/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From process to process, a child for each mount namespace that is met. */
#include "reattach.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <search.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "rebind.h"

/* A namespace is waited for so long; then the next one's turn comes, beside it. */
#define TURN_MS 100
/* As many may be behind. Of one more the oldest is killed, and at the end all that are left. */
#define BEHIND_MAX 64
#define END_MS 5000

/* What a child says when it could not even look. */
#define EXIT_BLIND 1

struct behind {
	pid_t pid;
	int pidfd;
};

struct walk {
	struct rebind rebind;
	void *seen; /* a tree (search.h) of the inodes of namespaces */
	struct behind behind[BEHIND_MAX];
	unsigned behinds;
	unsigned unseen; /* namespaces that could not be looked at, or took too long */
};

static int compare(const void *a, const void *b)
{
	return a < b ? -1 : a > b;
}

/* True the first time. */
static bool is_new(struct walk *w, ino_t inode)
{
	/* Inodes of namespaces have 32 bits, and are kept in place of pointers. */
	const void *key = (void *)(uintptr_t)inode;

	if (tfind(key, &w->seen, compare))
		return false;
	return tsearch(key, &w->seen, compare);
}

/* True when it has ended. */
static bool await(struct walk *w, const struct behind *b, int timeout_ms)
{
	struct pollfd p = { .fd = b->pidfd, .events = POLLIN };
	int status;

	if (poll(&p, 1, timeout_ms) < 1 || waitpid(b->pid, &status, WNOHANG) != b->pid)
		return false;
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		w->unseen++;
	close(b->pidfd);
	return true;
}

/* It is not waited for: one that the kernel does not let die must not hold us up. */
static void kill_oldest(struct walk *w)
{
	struct behind b = w->behind[0];

	memmove(w->behind, w->behind + 1, --w->behinds * sizeof(b));
	if (await(w, &b, 0))
		return;
	pidfd_send_signal(b.pidfd, SIGKILL, NULL, 0);
	close(b.pidfd);
	w->unseen++;
}

static void give_turn(struct walk *w, int ns)
{
	struct behind b = { .pid = fork() };

	if (b.pid == 0)
		_exit(rebind_namespace(&w->rebind, ns) < 0 ? EXIT_BLIND : 0);
	b.pidfd = b.pid < 0 ? -1 : pidfd_open(b.pid, 0);
	if (b.pidfd < 0) {
		w->unseen++;
		return;
	}
	if (await(w, &b, TURN_MS))
		return;
	if (w->behinds == BEHIND_MAX)
		kill_oldest(w);
	w->behind[w->behinds++] = b;
}

static void visit(struct walk *w, const char *pid)
{
	char path[64];
	struct stat st;
	AUTO_CLOSE int ns = -1;

	snprintf(path, sizeof(path), "%.20s/ns/mnt", pid);
	if (fstatat(w->rebind.proc, path, &st, 0) < 0 ||
	    tfind((void *)(uintptr_t)st.st_ino, &w->seen, compare))
		return;
	ns = openat(w->rebind.proc, path, O_RDONLY | O_CLOEXEC);
	/* The process may have gone elsewhere meanwhile, or another have its number. */
	if (ns >= 0 && fstat(ns, &st) == 0 && is_new(w, st.st_ino))
		give_turn(w, ns);
}

static int visit_all(struct walk *w)
{
	int fd = openat(w->rebind.proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_CLOSEDIR DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir)
		return -errno;
	while ((entry = readdir(dir)))
		if (isdigit((unsigned char)entry->d_name[0]))
			visit(w, entry->d_name);
	return 0;
}

static uint64_t now_ms(void)
{
	return shared_now() / 1000000;
}

static void end_all(struct walk *w)
{
	uint64_t end = now_ms() + END_MS;

	while (w->behinds) {
		uint64_t now = now_ms();

		if (now < end && await(w, &w->behind[w->behinds - 1], (int)(end - now)))
			w->behinds--;
		else
			kill_oldest(w);
	}
}

static void forget(void *key)
{
	(void)key;
}

/* "MAJOR:MINOR,..." as reattach_start() wrote it. */
static bool read_devices(const char *s, struct rebind_ledger *ledger)
{
	while (*s) {
		struct rebind_device *device;
		unsigned major, minor;
		int len = 0;

		if (sscanf(s, "%u:%u%n", &major, &minor, &len) != 2)
			return false;
		s += len;
		device = rebind_device(ledger, rebind_number(major, minor));
		if (device)
			atomic_store(&device->wanted, 1);
		if (*s == ',')
			s++;
		else if (*s)
			return false;
	}
	return true;
}

/* Waits until it is served, and finds out that it is a live file system of ours. */
static int open_lxcfs(const char *mountpoint, struct rebind *r)
{
	AUTO_CLOSE int fd = open(mountpoint, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct statfs fs;
	struct statx st;

	if (fd < 0 || fstatfs(fd, &fs) < 0 || statx(fd, "", AT_EMPTY_PATH, STATX_TYPE, &st) < 0)
		return -errno;
	if (fs.f_type != FUSE_SUPER_MAGIC || faccessat(fd, "proc/meminfo", F_OK, 0) < 0)
		return -ENODEV;
	r->number = rebind_number(st.stx_dev_major, st.stx_dev_minor);
	r->lxcfs = take_fd(&fd);
	return 0;
}

static int open_walk(const struct options *o, struct walk *w)
{
	struct rebind *r = &w->rebind;
	int r_lxcfs = open_lxcfs(o->mountpoint, r);

	if (r_lxcfs < 0) {
		log_line("no lxcfs serves on %s (%s): start it first", o->mountpoint,
			 strerror(-r_lxcfs));
		return r_lxcfs;
	}
	r->proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	r->home = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	r->ledger = mmap(NULL, sizeof(*r->ledger), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (r->proc < 0 || r->home < 0 || r->ledger == MAP_FAILED) {
		int error = errno;

		log_line("cannot look into the mount namespaces: %s", strerror(error));
		return -error;
	}
	r->only_wanted = o->reattach_devices != NULL;
	if (r->only_wanted && !read_devices(o->reattach_devices, r->ledger)) {
		log_line("--reattach=%s: not a list like 0:45,0:46", o->reattach_devices);
		return -EINVAL;
	}
	return 0;
}

static int report(const struct walk *w)
{
	const struct rebind_ledger *l = w->rebind.ledger;
	unsigned failed = atomic_load(&l->failed);

	log_line("%u views bound again in %u mount namespaces", atomic_load(&l->views),
		 atomic_load(&l->namespaces));
	if (failed)
		log_line("%u views could not be bound again: restart their containers", failed);
	if (w->unseen)
		log_line("%u mount namespaces could not be looked at", w->unseen);
	return failed || w->unseen ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* A view is one fd while its namespace is worked on. */
static void raise_fd_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

int reattach_run(const struct options *o)
{
	struct walk w = { .rebind = { .proc = -1, .home = -1, .lxcfs = -1 } };
	int r;

	if (geteuid() != 0) {
		log_line("only root can reattach: sudo lxcfs --reattach");
		return EXIT_FAILURE;
	}
	raise_fd_limit();
	r = open_walk(o, &w);
	if (r < 0)
		return EXIT_FAILURE;
	r = visit_all(&w);
	if (r < 0)
		log_line("cannot read /proc: %s", strerror(-r));
	end_all(&w);
	tdestroy(w.seen, forget);
	close(w.rebind.proc);
	close(w.rebind.home);
	close(w.rebind.lxcfs);
	return r < 0 ? EXIT_FAILURE : report(&w);
}

/* In a grandchild, whose end is nothing to the keeper. */
static void run(const struct program *program, char *option, const char *mountpoint)
{
	char *args[] = { (char *)"lxcfs", option, (char *)mountpoint, NULL };
	sigset_t none;

	if (fork() != 0)
		_exit(0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execv(program->path, args);
	_exit(127);
}

int reattach_start(const struct program *program, const char *mountpoint,
		   const struct device_dead *dead)
{
	AUTO_TEXT struct text option = { 0 };
	pid_t pid;

	text_puts(&option, "--reattach=");
	for (unsigned i = 0; i < dead->count; i++)
		text_printf(&option, "%s%u:%u", i ? "," : "", dead->list[i].major,
			    dead->list[i].minor);
	if (option.error)
		return option.error;
	pid = fork();
	if (pid == 0)
		run(program, option.data, mountpoint);
	if (pid < 0)
		return -errno;
	waitpid(pid, NULL, 0);
	return 0;
}
