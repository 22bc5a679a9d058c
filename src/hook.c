/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The mount hook: liblxc runs it in a new container's mount namespace, before
 * pivot_root, and it binds lxcfs' files over the container's own. Whatever cannot
 * be bound is named on stderr and skipped: no container fails to start for it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <linux/magic.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

#ifndef LXCFS_MOUNTPOINT
#define LXCFS_MOUNTPOINT "/var/lib/lxcfs"
#endif

/* A start waits no longer than this for an lxcfs that is mounted but does not answer. */
#define PATIENCE_MS 5000

#define CPU_DIR "sys/devices/system/cpu"
#define CGROUP_DIR "sys/fs/cgroup"
#define NAMED "name="

struct hook {
	const char *target; /* where lxcfs is mounted, as the host names it */
	bool cgroups;	    /* the container needs lxcfs' cgroup tree */
	int lxcfs;	    /* O_PATH fd of target */
	int root;	    /* O_PATH fd of the container's root; its content is not trusted */
};

static void skip(const char *what, const char *why)
{
	fprintf(stderr, "lxcfs hook: %s not bound: %s\n", what, why);
}

static void skip_error(const char *what, int error)
{
	if (error == -ELOOP)
		skip(what, "a symbolic link in the container's root");
	else if (error == -ENOTCONN)
		skip(what, "lxcfs is dead (start lxcfs, then the container again)");
	else
		skip(what, strerror(-error));
}

/* Type and device number. Both are known without asking the file system's server. */
static int look(int fd, struct statx *st)
{
	int flags = AT_EMPTY_PATH | AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT;

	return statx(fd, "", flags, STATX_TYPE, st) ? -errno : 0;
}

static bool same_file_system(const struct statx *a, const struct statx *b)
{
	return a->stx_dev_major == b->stx_dev_major && a->stx_dev_minor == b->stx_dev_minor;
}

/* Puts a detached mount over a place. Both are fds: no path of the container is ever walked. */
static int cover(int view, int place)
{
	struct statx from, to;
	int r = look(view, &from);

	if (!r)
		r = look(place, &to);
	if (r)
		return r;
	if (same_file_system(&from, &to))
		return 0; /* a second hook of the same lxcfs: bound already */
	if (S_ISDIR(from.stx_mode) != S_ISDIR(to.stx_mode))
		return S_ISDIR(to.stx_mode) ? -EISDIR : -ENOTDIR;
	if (!S_ISDIR(to.stx_mode) && !S_ISREG(to.stx_mode))
		return -EINVAL;
	r = move_mount(view, "", place, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
	return r ? -errno : 0;
}

/*
 * Binds lxcfs' `from` ("" is all of it) over the container's `to`. Silent where
 * either side lacks it: the kernel and lxcfs need not know the same files.
 */
static void bind_view(const struct hook *h, const char *from, const char *to)
{
	unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW;
	AUTO_CLOSE int place = file_open_beneath(h->root, to, O_PATH);
	AUTO_CLOSE int view = -1;
	int r = place;

	if (place >= 0) {
		view = open_tree(h->lxcfs, from, flags);
		r = view < 0 ? -errno : cover(view, place);
	}
	if (r < 0 && r != -ENOENT)
		skip_error(to, r);
}

static DIR *open_lxcfs_dir(const struct hook *h, const char *path)
{
	int fd = openat(h->lxcfs, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? NULL : fdopendir(fd);
}

/* The next entry of an lxcfs directory, NULL at its end. */
static struct dirent *next_entry(DIR *dir)
{
	struct dirent *entry;

	do
		entry = readdir(dir);
	while (entry && entry->d_name[0] == '.');
	return entry;
}

/* Binds each entry of an lxcfs directory over its namesake; directories go whole. */
static int bind_entries(const struct hook *h, const char *directory)
{
	AUTO_CLOSEDIR DIR *dir = open_lxcfs_dir(h, directory);
	char path[PATH_MAX];
	struct dirent *entry;

	if (!dir)
		return -errno;
	while ((entry = next_entry(dir))) {
		snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
		bind_view(h, path, path);
	}
	return 0;
}

/* An lxcfs that serves the whole directory has a uevent in it; others have only some files. */
static void bind_cpus(const struct hook *h)
{
	if (faccessat(h->lxcfs, CPU_DIR "/uevent", F_OK, 0) == 0)
		bind_view(h, CPU_DIR, CPU_DIR);
	else
		bind_entries(h, CPU_DIR);
}

/* systemd looks for each controller of a joint hierarchy ("cpu,cpuacct") under its own name. */
static void link_controllers(int place, const char *hierarchy)
{
	char names[NAME_MAX + 1];
	char *rest = names;
	char *name;

	if (!strchr(hierarchy, ','))
		return;
	snprintf(names, sizeof names, "%s", hierarchy);
	while ((name = strsep(&rest, ",")))
		if (symlinkat(hierarchy, place, name) && errno != EEXIST)
			skip_error(name, -errno);
}

static void bind_hierarchy(const struct hook *h, int place, const struct dirent *entry)
{
	const char *name = entry->d_name;
	const char *as = strncmp(name, NAMED, strlen(NAMED)) ? name : name + strlen(NAMED);
	char from[PATH_MAX], to[PATH_MAX];

	snprintf(from, sizeof from, "cgroup/%s", name);
	snprintf(to, sizeof to, CGROUP_DIR "/%s", as);
	if (mkdirat(place, as, 0755) && errno != EEXIST) {
		skip_error(to, -errno);
		return;
	}
	bind_view(h, from, to);
	link_controllers(place, as);
}

/*
 * Without a cgroup namespace the container gets lxcfs' confined view of each
 * hierarchy, in the tmpfs that `lxc.mount.auto = cgroup:mixed` made; anything else
 * that is mounted there is what its configuration asked for and stays.
 */
static void bind_cgroups(const struct hook *h)
{
	AUTO_CLOSEDIR DIR *dir = open_lxcfs_dir(h, "cgroup");
	AUTO_CLOSE int place = file_open_beneath(h->root, CGROUP_DIR, O_RDONLY | O_DIRECTORY);
	struct statfs fs;
	struct dirent *entry;

	if (!dir || place < 0 || fstatfs(place, &fs) || fs.f_type != TMPFS_MAGIC)
		return;
	while ((entry = next_entry(dir)))
		bind_hierarchy(h, place, entry);
}

static void bind_all(struct hook *h, const char *root)
{
	int r;

	h->root = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (h->root < 0) {
		skip_error(root, -errno);
		return;
	}
	h->lxcfs = open(h->target, O_PATH | O_DIRECTORY | O_CLOEXEC);
	r = h->lxcfs < 0 ? -errno : bind_entries(h, "proc");
	if (r == -ENOENT)
		skip(h->target, "no lxcfs is mounted there");
	else if (r)
		skip_error(h->target, r);
	if (r)
		return;
	bind_cpus(h);
	bind_view(h, "", "var/lib/lxcfs"); /* for containers inside the container */
	if (h->cgroups)
		bind_cgroups(h);
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Passes on what the child says until it has ended (true) or patience has (false). */
static bool relay(int from)
{
	int64_t end = now_ms() + PATIENCE_MS;
	struct pollfd p = { .fd = from, .events = POLLIN };
	char buf[4096];

	for (;;) {
		int64_t left = end - now_ms();
		ssize_t n;

		if (left <= 0 || (poll(&p, 1, (int)left) < 0 && errno != EINTR))
			return false;
		if (!p.revents)
			continue;
		n = read(from, buf, sizeof buf);
		if (n <= 0)
			return true;
		fwrite(buf, 1, (size_t)n, stderr); /* binding goes on also when nobody listens */
	}
}

/*
 * A child does the work, as a call into a file system whose server hangs cannot be
 * interrupted. It keeps none of our files open: liblxc waits for their last writer.
 */
static void run_child(struct hook *h, const char *root, int report)
{
	if (dup2(report, STDOUT_FILENO) < 0 || dup2(report, STDERR_FILENO) < 0)
		_exit(EXIT_FAILURE);
	closefrom(STDERR_FILENO + 1);
	bind_all(h, root);
	_exit(EXIT_SUCCESS);
}

static void bind_within_patience(struct hook *h, const char *root)
{
	int report[2];
	pid_t child;

	if (pipe2(report, O_CLOEXEC)) {
		skip_error("lxcfs", -errno);
		return;
	}
	child = fork();
	if (child == 0)
		run_child(h, root, report[1]);
	close(report[1]);
	if (child < 0) {
		skip_error("lxcfs", -errno);
	} else if (relay(report[0])) {
		waitpid(child, NULL, 0);
	} else {
		kill(child, SIGKILL);
		skip(h->target, "lxcfs does not answer");
	}
	close(report[0]);
}

static int usage(void)
{
	fprintf(stderr,
		"usage: lxc.mount.hook [--target=DIR] [--skip-cgroup-mounts]\n"
		"Run by liblxc as lxc.hook.mount: binds the files of the lxcfs mounted at DIR\n"
		"($LXCFS_TARGET_DIR or " LXCFS_MOUNTPOINT
		") over those below $LXC_ROOTFS_MOUNT.\n");
	return 2;
}

static const char *env(const char *name, const char *otherwise)
{
	const char *value = getenv(name);

	return value && *value ? value : otherwise;
}

/* How many arguments are ours: liblxc appends the container's name, the section, the type. */
static int own_arguments(int argc, char **argv)
{
	const char *name = env("LXC_NAME", "");
	int i = 1;

	while (i < argc && strcmp(argv[i], name) != 0)
		i++;
	return i;
}

static bool parse(int argc, char **argv, struct hook *h)
{
	static const struct option options[] = {
		{ "target", required_argument, NULL, 't' },
		{ "skip-cgroup-mounts", no_argument, NULL, 's' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(own_arguments(argc, argv), argv, "+t:", options, NULL)) != -1) {
		if (c == 't')
			h->target = optarg;
		else if (c == 's')
			h->cgroups = false;
		else
			return false;
	}
	return h->target[0] == '/';
}

int main(int argc, char **argv)
{
	const char *root = env("LXC_ROOTFS_MOUNT", "");
	struct hook h = {
		.target = env("LXCFS_TARGET_DIR", LXCFS_MOUNTPOINT),
		.cgroups = !*env("LXC_CGNS_AWARE", ""),
		.lxcfs = -1,
		.root = -1,
	};

	/* by whatever configuration at another moment: nothing to do there */
	if (strcmp(env("LXC_HOOK_TYPE", "mount"), "mount") != 0)
		return 0;
	if (!parse(argc, argv, &h) || root[0] != '/')
		return usage();
	signal(SIGPIPE, SIG_IGN);
	bind_within_patience(&h, root);
	return 0;
}
