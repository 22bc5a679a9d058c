/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files of a place and its ancestors: opened by level, kept open, read as text or numbers. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/number.h"
#include "cgroup/private.h"

/* The cgroup's path `up` levels above, relative to the mount point, with the file's name. */
static int file_path(const struct cgroup *cg, const struct cgroup_file *file, struct text *t)
{
	const char *path = cgroup_controller_path(cg, file->controller);
	size_t len;

	if (!path)
		return -ENODATA;
	len = strlen(path);
	for (unsigned up = file->up; up; up--) {
		while (len && path[len - 1] != '/')
			len--;
		if (!len)
			return -ENOENT;
		len--;
	}
	if (len > 1) {
		text_append(t, path + 1, len - 1);
		text_putc(t, '/');
	}
	text_puts(t, file->name);
	return t->error;
}

int cgroup_file_open(struct cgroup *cg, const struct cgroup_file *file, int flags)
{
	AUTO_TEXT struct text path = { 0 };
	int r = file_path(cg, file, &path);
	int fd;

	if (r < 0)
		return r;
	fd = openat(cg->host->hierarchy[cg->host->of[file->controller]].fd, path.data,
		    flags | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}

/* The open file kept from an earlier read; NULL if none. */
static struct cgroup_kept *kept_find(struct cgroup *cg, const struct cgroup_file *file)
{
	for (unsigned i = 0; i < cg->kept_count; i++) {
		struct cgroup_kept *k = &cg->kept[i];

		if (k->controller == file->controller && k->up == file->up && !k->gone &&
		    (k->name == file->name || strcmp(k->name, file->name) == 0))
			return k;
	}
	return NULL;
}

/* Makes the array as large as is needed, in steps of four. */
static bool kept_room(struct cgroup *cg)
{
	struct cgroup_kept *more;

	if (cg->kept_count % 4)
		return true;
	more = reallocarray(cg->kept, cg->kept_count + 4, sizeof *more);
	if (more)
		cg->kept = more;
	return more != NULL;
}

/* Keeps the fd, if there is room here and on the host; says whether it did. */
static bool kept_add(struct cgroup *cg, const struct cgroup_file *file, int fd)
{
	if (file->rare || cg->kept_count == CGROUP_KEPT_MAX || kept_find(cg, file) ||
	    !kept_room(cg))
		return false;
	if (atomic_fetch_add(&cg->host->kept, 1) >= cg->host->kept_max) {
		atomic_fetch_sub(&cg->host->kept, 1);
		return false;
	}
	cg->kept[cg->kept_count++] = (struct cgroup_kept){ file->controller, file->up, file->name,
							   fd, false };
	return true;
}

/* Marks the file as no longer of use; its fd is closed with the place. */
static void kept_forget(struct cgroup *cg, int fd)
{
	pthread_mutex_lock(&cg->lock);
	for (unsigned i = 0; i < cg->kept_count; i++)
		cg->kept[i].gone |= cg->kept[i].fd == fd;
	pthread_mutex_unlock(&cg->lock);
}

/* Reads through the kept file. -ENODEV, after which it is no more: the cgroup was removed. */
static int kept_read(struct cgroup *cg, const struct cgroup_file *file,
		     int (*read)(int fd, struct text *t), struct text *t)
{
	const struct cgroup_kept *kept;
	size_t start = t->len;
	int fd = -1, r;

	pthread_mutex_lock(&cg->lock);
	kept = kept_find(cg, file);
	if (kept)
		fd = kept->fd; /* stays open until the place is closed */
	pthread_mutex_unlock(&cg->lock);
	if (fd < 0)
		return -ENODEV;
	r = read(fd, t);
	if (r != -ENODEV)
		return r;
	t->len = start;
	kept_forget(cg, fd);
	return r;
}

static int read_with(struct cgroup *cg, const struct cgroup_file *file,
		     int (*read)(int fd, struct text *t), struct text *t)
{
	AUTO_CLOSE int fd = -1;
	bool kept;
	int r = kept_read(cg, file, read, t);

	if (r != -ENODEV)
		return r;
	fd = cgroup_file_open(cg, file, O_RDONLY);
	r = fd < 0 ? fd : read(fd, t);
	if (r < 0)
		return r;
	pthread_mutex_lock(&cg->lock);
	kept = kept_add(cg, file, fd);
	pthread_mutex_unlock(&cg->lock);
	if (kept)
		take_fd(&fd);
	return 0;
}

int cgroup_file_read(struct cgroup *cg, const struct cgroup_file *file, struct text *t)
{
	return read_with(cg, file, file_read_record, t);
}

int cgroup_file_read_list(struct cgroup *cg, const struct cgroup_file *file, struct text *t)
{
	return read_with(cg, file, file_read, t);
}

int cgroup_file_u64(struct cgroup *cg, const struct cgroup_file *file, uint64_t *ret)
{
	char room[64];
	AUTO_TEXT struct text content = TEXT_IN(room);
	int r = cgroup_file_read(cg, file, &content);

	if (r < 0)
		return r;
	if (strncmp(text_str(&content), "max", 3) == 0) {
		*ret = CGROUP_NO_LIMIT;
		return 0;
	}
	return number_parse(text_str(&content), ret);
}

void cgroup_file_name(const struct cgroup *cg, const struct cgroup_file *file, struct text *t)
{
	int index = cg->host->of[file->controller];

	if (index < 0)
		return;
	text_puts(t, cg->host->hierarchy[index].mount);
	text_putc(t, '/');
	file_path(cg, file, t);
}

void cgroup_file_note(const struct cgroup *cg, const struct cgroup_file *file, struct origins *why,
		      const char *what, uint64_t value)
{
	AUTO_TEXT struct text name = { 0 };

	if (!why)
		return;
	cgroup_file_name(cg, file, &name);
	origin_note_u64(why, what, value, text_str(&name));
}

int cgroup_file_read_near(struct cgroup *cg, struct cgroup_file *file, struct text *t)
{
	unsigned depth = cgroup_depth(cg, file->controller);

	for (file->up = 0; file->up < depth; file->up++) {
		int r = cgroup_file_read(cg, file, t);

		if (r != -ENOENT)
			return r;
	}
	return -ENODATA;
}

int cgroup_file_min(struct cgroup *cg, struct origins *why, const char *what,
		    struct cgroup_file file, uint64_t *ret)
{
	unsigned depth = cgroup_depth(cg, file.controller), least_up = 0;
	uint64_t least = CGROUP_NO_LIMIT;

	for (file.up = 0; file.up < depth; file.up++) {
		uint64_t value;
		int r = cgroup_file_u64(cg, &file, &value);

		if (r == -ENOENT)
			continue;
		if (r < 0)
			return r;
		if (value < least) {
			least = value;
			least_up = file.up;
		}
	}
	file.up = least_up;
	cgroup_file_note(cg, &file, why, what, least);
	*ret = least;
	return 0;
}

static void cpus_note(const struct cgroup *cg, const struct cgroup_file *file, struct origins *why,
		      const struct cpulist *cpus)
{
	AUTO_TEXT struct text list = { 0 }, name = { 0 };

	cpulist_print(cpus, &list);
	cgroup_file_name(cg, file, &name);
	origin_note(why, "CPUs", text_str(&list), text_str(&name));
}

int cgroup_file_cpus(struct cgroup *cg, struct origins *why, struct cgroup_file *file,
		     struct cpulist *ret)
{
	unsigned depth = cgroup_depth(cg, file->controller);

	for (file->up = 0; file->up <= depth; file->up++) {
		AUTO_TEXT struct text content = { 0 };
		struct cpulist cpus;
		int r = cgroup_file_read(cg, file, &content);

		if (r == -ENOENT || (r == 0 && text_str(&content)[0] <= '\n'))
			continue; /* not enabled here, or not configured: the parent's count */
		if (r == 0)
			r = cpulist_parse(text_str(&content), &cpus);
		if (r < 0)
			return r;
		if (why)
			cpus_note(cg, file, why, &cpus);
		*ret = cpus;
		return 0;
	}
	return -ENODATA;
}
