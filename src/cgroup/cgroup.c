/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The questions of cgroup.h: each goes to the version that the controller's hierarchy has. */
#include "cgroup/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/number.h"
#include "cgroup/private.h"

bool cgroup_quota_less(const struct cgroup_quota *a, const struct cgroup_quota *b)
{
	if (a->quota_us == CGROUP_NO_LIMIT || b->quota_us == CGROUP_NO_LIMIT)
		return a->quota_us < b->quota_us;
	return (unsigned __int128)a->quota_us * b->period_us <
	       (unsigned __int128)b->quota_us * a->period_us;
}

bool cgroup_device_parse(const struct line *word, unsigned *ret_major, unsigned *ret_minor)
{
	const char *p = word->start;
	uint64_t major, minor;

	if (number_take(&p, &major) < 0 || *p++ != ':' || number_take(&p, &minor) < 0 ||
	    p != word->start + word->len || major > UINT32_MAX || minor > UINT32_MAX)
		return false;
	*ret_major = (unsigned)major;
	*ret_minor = (unsigned)minor;
	return true;
}

struct cgroup_io_device *cgroup_io_device(struct cgroup_io *io, unsigned major, unsigned minor)
{
	struct cgroup_io_device *more;

	for (size_t i = 0; i < io->count; i++) {
		if (io->device[i].major == major && io->device[i].minor == minor)
			return &io->device[i];
	}
	if (io->count == CGROUP_DEVICES_MAX)
		return NULL;
	more = reallocarray(io->device, io->count + 1, sizeof *more);
	if (!more)
		return NULL;
	io->device = more;
	more[io->count] = (struct cgroup_io_device){ .major = major, .minor = minor };
	return &more[io->count++];
}

/* The backend of the hierarchy that has the controller; NULL: no number exists. */
static const struct cgroup_backend *backend(const struct cgroup *cg,
					    enum cgroup_controller controller)
{
	if (cgroup_is_root(cg, controller))
		return NULL;
	return cg->host->hierarchy[cg->host->of[controller]].version == 2 ? &cgroup_v2 : &cgroup_v1;
}

int cgroup_read_memory(struct cgroup *cg, struct origins *why, struct cgroup_memory *ret)
{
	const struct cgroup_backend *b = backend(cg, CGROUP_MEMORY);

	return b ? b->memory(cg, why, ret) : -ENODATA;
}

int cgroup_read_swap(struct cgroup *cg, struct origins *why, struct cgroup_memory *ret)
{
	const struct cgroup_backend *b = backend(cg, CGROUP_MEMORY);

	return b ? b->swap(cg, why, ret) : -ENODATA;
}

int cgroup_read_hugetlb(struct cgroup *cg, struct origins *why, uint64_t size_kb,
			struct cgroup_hugetlb *ret)
{
	const struct cgroup_backend *b = backend(cg, CGROUP_HUGETLB);
	char size[32];

	if (!b)
		return -ENODATA;
	/* As mem_fmt() in mm/hugetlb_cgroup.c names them. */
	if (size_kb >= 1 << 20)
		snprintf(size, sizeof size, "%lluGB", (unsigned long long)size_kb >> 20);
	else if (size_kb >= 1 << 10)
		snprintf(size, sizeof size, "%lluMB", (unsigned long long)size_kb >> 10);
	else
		snprintf(size, sizeof size, "%lluKB", (unsigned long long)size_kb);
	return b->hugetlb(cg, why, size, ret);
}

int cgroup_read_quota(struct cgroup *cg, struct origins *why, struct cgroup_quota *ret)
{
	const struct cgroup_backend *b = backend(cg, CGROUP_CPU);

	return b ? b->quota(cg, why, ret) : -ENODATA;
}

int cgroup_read_cpus(struct cgroup *cg, struct origins *why, struct cpulist *ret)
{
	const struct cgroup_backend *b = backend(cg, CGROUP_CPUSET);

	return b ? b->cpus(cg, why, ret) : -ENODATA;
}

int cgroup_read_cputime(struct cgroup *cg, struct origins *why, struct cgroup_cputime *ret)
{
	const struct cgroup_backend *b = backend(cg, CGROUP_CPUACCT);

	return b ? b->cputime(cg, why, ret) : -ENODATA;
}

void cgroup_cputime_free(struct cgroup_cputime *t)
{
	free(t->cpu);
	*t = (struct cgroup_cputime){ 0 };
}

int cgroup_read_io(struct cgroup *cg, struct origins *why, struct cgroup_io *ret)
{
	const struct cgroup_backend *b = backend(cg, CGROUP_IO);

	return b ? b->io(cg, why, ret) : -ENODATA;
}

void cgroup_io_free(struct cgroup_io *io)
{
	free(io->device);
	*io = (struct cgroup_io){ 0 };
}

/* The name of a pressure file, which lasts; NULL for what the kernel has no file for. */
static const char *pressure_file(const char *what)
{
	static const char *const names[] = { "cpu.pressure", "io.pressure", "irq.pressure",
					     "memory.pressure" };
	size_t n = strlen(what);

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strncmp(names[i], what, n) == 0 && names[i][n] == '.')
			return names[i];
	}
	return NULL;
}

int cgroup_open_pressure(struct cgroup *cg, const char *what, int *ret_fd)
{
	struct cgroup_file file = { CGROUP_CORE, 0, pressure_file(what), true };
	int fd;

	if (!file.name || cgroup_is_root(cg, CGROUP_CORE))
		return -ENODATA;
	fd = cgroup_file_open(cg, &file, O_RDWR);
	if (fd < 0)
		return fd == -ENOENT ? -ENODATA : fd;
	*ret_fd = fd;
	return 0;
}

int cgroup_read_pressure(struct cgroup *cg, struct origins *why, const char *what, struct text *ret)
{
	struct cgroup_file file = { CGROUP_CORE, 0, pressure_file(what), false };
	AUTO_TEXT struct text path = { 0 };
	int r;

	if (!file.name || cgroup_is_root(cg, CGROUP_CORE))
		return -ENODATA;
	r = cgroup_file_read(cg, &file, ret);
	if (r < 0) /* EOPNOTSUPP: cgroup.pressure is switched off */
		return r == -ENOENT || r == -EOPNOTSUPP ? -ENODATA : r;
	if (why) {
		cgroup_file_name(cg, &file, &path);
		origin_note(why, what, "pressure", text_str(&path));
	}
	return 0;
}

int cgroup_read_slabinfo(struct cgroup *cg, struct origins *why, struct text *ret)
{
	struct cgroup_file file = { CGROUP_MEMORY, 0, "memory.kmem.slabinfo", true };
	AUTO_TEXT struct text path = { 0 };
	int r;

	if (cgroup_is_root(cg, CGROUP_MEMORY))
		return -ENODATA;
	r = cgroup_file_read(cg, &file, ret);
	if (r < 0) /* EIO: the file is a shell since kernel 5.9 */
		return r == -ENOENT || r == -EIO ? -ENODATA : r;
	cgroup_file_name(cg, &file, &path);
	origin_note(why, "slabs", "all lines", text_str(&path));
	return 0;
}

struct walk {
	int (*each)(void *arg, uint64_t tid);
	void *arg;
	const char *list; /* the file with a cgroup's threads */
	unsigned left;	  /* cgroups that may still be looked at */
};

/* Calls `each` with the numbers of a list of threads, one a line. */
static int threads_each(const struct walk *walk, const char *list)
{
	struct line line;

	while (line_next(&list, &line)) {
		const char *p = line.start;
		uint64_t tid;
		int r;

		if (number_take(&p, &tid) < 0)
			continue;
		r = walk->each(walk->arg, tid);
		if (r)
			return r;
	}
	return 0;
}

static int threads_below(struct walk *walk, int dirfd, unsigned depth);

/* kernfs counts directories in the link count, most others do as well. */
static bool has_children(int dirfd)
{
	struct stat st;

	return fstat(dirfd, &st) < 0 || st.st_nlink != 2;
}

static int children_walk(struct walk *walk, int dirfd, unsigned depth)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_CLOSEDIR DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int r = 0;

	if (!dir)
		cleanup_close(&fd);
	while (dir && !r && walk->left && (entry = readdir(dir))) {
		AUTO_CLOSE int child = -1;

		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		child = openat(dirfd, entry->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (child >= 0)
			r = threads_below(walk, child, depth + 1);
	}
	return r;
}

static int threads_below(struct walk *walk, int dirfd, unsigned depth)
{
	AUTO_TEXT struct text list = { 0 };
	int r = file_read_at(dirfd, walk->list, &list);

	walk->left--;
	if (r < 0)
		return r == -ENOENT || r == -ENODEV ? 0 : r;
	r = threads_each(walk, text_str(&list));
	if (r || depth == CGROUP_DEPTH_MAX || !has_children(dirfd))
		return r;
	return children_walk(walk, dirfd, depth);
}

/* On v2 the kernel counts what is below (since 4.14): no directory has to be opened. */
static bool has_none_below(struct cgroup *cg, enum cgroup_controller controller)
{
	static const struct field field = { "nr_descendants", 0 };
	struct cgroup_file file = { controller, 0, "cgroup.stat", false };
	AUTO_TEXT struct text content = { 0 };
	uint64_t below;

	return cgroup_file_read(cg, &file, &content) == 0 &&
	       fields_parse(text_str(&content), &field, 1, &below) == 1 && below == 0;
}

/* Opened anew on v1: there an open list is as old as its first read (cgroup_pidlist_start()). */
static int v1_threads(struct cgroup *cg, enum cgroup_controller controller, struct walk *walk)
{
	struct cgroup_file file = { controller, 0, ".", true };
	AUTO_CLOSE int fd = cgroup_file_open(cg, &file, O_PATH | O_DIRECTORY);

	walk->list = "tasks";
	return fd < 0 ? fd : threads_below(walk, fd, 0);
}

static int v2_threads(struct cgroup *cg, enum cgroup_controller controller, struct walk *walk)
{
	struct cgroup_file file = { controller, 0, "cgroup.threads", false };
	struct cgroup_file top = { controller, 0, ".", true };
	AUTO_TEXT struct text list = { 0 };
	AUTO_CLOSE int fd = -1;
	int r = cgroup_file_read_list(cg, &file, &list);

	walk->list = file.name;
	walk->left--;
	if (r == 0)
		r = threads_each(walk, text_str(&list));
	if (r || has_none_below(cg, controller))
		return r;
	fd = cgroup_file_open(cg, &top, O_PATH | O_DIRECTORY);
	return fd < 0 || !has_children(fd) ? 0 : children_walk(walk, fd, 0);
}

int cgroup_each_thread(struct cgroup *cg, int (*each)(void *arg, uint64_t tid), void *arg)
{
	/* Any hierarchy in which the container has a cgroup of its own lists the same threads. */
	static const enum cgroup_controller order[] = {
		CGROUP_PIDS, CGROUP_CPUACCT, CGROUP_MEMORY, CGROUP_CPU, CGROUP_CORE, CGROUP_CPUSET
	};
	struct walk walk = { each, arg, NULL, CGROUP_WALK_MAX };

	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		const struct cgroup_backend *b = backend(cg, order[i]);

		if (b)
			return b == &cgroup_v2 ? v2_threads(cg, order[i], &walk)
					       : v1_threads(cg, order[i], &walk);
	}
	return -ENODATA;
}
