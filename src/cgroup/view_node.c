/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Numbers for what is in the hierarchies: the hierarchy, the kernel's own number of
 * the directory, and a hash of the name of a file in it. All of it is found again
 * without a table: the number of a directory is half of its file handle.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/hash.h"
#include "cgroup/private.h"
#include "cgroup/view.h"
#include "cgroup/view_place.h"

#define TREE_NODE 0  /* "/cgroup" itself; no directory has number 0 */
#define SLOT_BITS 20 /* 0: the directory itself; else a file in it */
#define SLOT_MASK (((uint64_t)1 << SLOT_BITS) - 1)
#define ID_BITS 37
#define ID_MASK (((uint64_t)1 << ID_BITS) - 1)

#define KERNFS_FILEID 0xfe /* FILEID_KERNFS, since kernel 5.5: the handle is one 64-bit id */

/*
 * kernfs numbers its nodes with 31 bits and, above 32 bits, how often these wrapped
 * round: told without the hole it takes some milliards of new cgroups to fill 37 bits.
 */
static uint64_t id_pack(uint64_t ino)
{
	return ((ino >> 32) << 31 | (ino & INT32_MAX)) & ID_MASK;
}

static uint64_t id_unpack(uint64_t id)
{
	return (id >> 31) << 32 | (id & INT32_MAX);
}

static uint64_t slot_of(const char *name)
{
	uint64_t slot = hash_string(name) & SLOT_MASK;

	return slot ? slot : 1;
}

/* Splits "/memory/a/tasks" into the hierarchy and "a/tasks" ("." for its root). */
static int path_split(const struct host *host, const char *path, size_t *ret_index,
		      const char **ret_rest)
{
	size_t len = *path == '/' ? strcspn(path + 1, "/") : 0;
	struct line name = { path + 1, len };

	for (size_t i = 0; len && i < host->cgroups->count; i++) {
		if (!place_is_hierarchy(&name, &host->cgroups->hierarchy[i]))
			continue;
		path += 1 + len;
		*ret_index = i;
		*ret_rest = *path == '/' ? path + 1 : ".";
		return 0;
	}
	return -ENOENT;
}

static int stat_beneath(int dirfd, const char *path, struct stat *ret)
{
	AUTO_CLOSE int fd = file_open_beneath(dirfd, path, O_PATH);

	if (fd < 0)
		return fd;
	return fstat(fd, ret) < 0 ? -errno : 0;
}

int cgroup_view_node(const struct host *host, const char *path, uint64_t *ret)
{
	AUTO_FREE char *parent = NULL;
	const char *rest, *name;
	uint64_t slot = 0;
	struct stat st;
	size_t index;
	int fd, r;

	if (*path == '\0') {
		*ret = TREE_NODE;
		return 0;
	}
	r = path_split(host, path, &index, &rest);
	if (r < 0)
		return r;
	fd = host->cgroups->hierarchy[index].fd;
	r = stat_beneath(fd, rest, &st);
	if (r == 0 && !S_ISDIR(st.st_mode)) {
		name = strrchr(path, '/') + 1;
		slot = slot_of(name);
		parent = name == rest ? strdup(".") : strndup(rest, (size_t)(name - rest - 1));
		r = parent ? stat_beneath(fd, parent, &st) : -ENOMEM;
	}
	if (r < 0)
		return r;
	*ret = ((uint64_t)index << ID_BITS | id_pack(st.st_ino)) << SLOT_BITS | slot;
	return 0;
}

/* Opens a directory by its number, as the kernel finds it; below any fd of its file system. */
static int open_by_id(int mountfd, uint64_t id)
{
	union {
		struct file_handle handle;
		char room[sizeof(struct file_handle) + sizeof(uint64_t)];
	} u;
	int fd;

	u.handle.handle_bytes = sizeof(uint64_t);
	u.handle.handle_type = KERNFS_FILEID;
	memcpy(u.handle.f_handle, &id, sizeof id);
	fd = open_by_handle_at(mountfd, &u.handle, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int fd_path(const struct host *host, int fd, char path[PATH_MAX])
{
	char name[32];

	snprintf(name, sizeof name, "self/fd/%d", fd);
	return file_readlink_at(host->procfd, name, path, PATH_MAX);
}

/* Is this the directory with the number? */
static bool has_id(int dirfd, const char *path, uint64_t id)
{
	struct stat st;

	return stat_beneath(dirfd, path, &st) == 0 && S_ISDIR(st.st_mode) &&
	       id_pack(st.st_ino) == id;
}

static bool is_cgroupfs(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 &&
	       (fs.f_type == CGROUP_SUPER_MAGIC || fs.f_type == CGROUP2_SUPER_MAGIC);
}

/*
 * The path by the file handle, checked: the kernel may tell one that is no longer
 * true. -ENOENT where the directory is gone, other errors where handles do not work.
 */
static int path_by_handle(const struct host *host, int dirfd, uint64_t id, struct text *path)
{
	AUTO_CLOSE int mountfd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_CLOSE int fd = -1;
	char top[PATH_MAX], found[PATH_MAX];
	size_t len;
	int r;

	if (mountfd < 0 || !is_cgroupfs(mountfd))
		return -EOPNOTSUPP;
	fd = open_by_id(mountfd, id_unpack(id));
	if (fd < 0)
		return fd == -ESTALE ? -ENOENT : fd;
	r = fd_path(host, mountfd, top);
	if (r == 0)
		r = fd_path(host, fd, found);
	if (r < 0)
		return r == -ENOENT ? -EOPNOTSUPP : r; /* no /proc of ours */
	len = strcmp(top, "/") == 0 ? 0 : strlen(top);
	if (strncmp(found, top, len) != 0 || (found[len] && found[len] != '/') ||
	    !has_id(dirfd, found[len] ? found + len + 1 : ".", id))
		return -ENOENT;
	text_puts(path, found + len);
	return path->error;
}

/* Looks through all directories below: where handles are not to be had. */
static int path_by_search(int dirfd, uint64_t id, unsigned depth, struct text *path)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_CLOSEDIR DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	size_t len = path->len;
	struct dirent *entry;

	if (!dir)
		cleanup_close(&fd);
	if (dir && has_id(dirfd, ".", id))
		return 0;
	while (dir && depth < CGROUP_DEPTH_MAX && (entry = readdir(dir))) {
		AUTO_CLOSE int child = -1;

		if (entry->d_type != DT_DIR || strcmp(entry->d_name, ".") == 0 ||
		    strcmp(entry->d_name, "..") == 0)
			continue;
		child = file_open_beneath(dirfd, entry->d_name, O_PATH | O_DIRECTORY);
		text_printf(path, "/%s", entry->d_name);
		if (child >= 0 && path_by_search(child, id, depth + 1, path) == 0)
			return path->error;
		path->len = path->error ? path->len : len;
	}
	return -ENOENT;
}

/* Appends the name of the file in the directory whose hash is the slot. */
static int file_name(int dirfd, const char *directory, uint64_t slot, struct text *path)
{
	int fd = file_open_beneath(dirfd, *directory ? directory + 1 : ".", O_RDONLY | O_DIRECTORY);
	AUTO_CLOSEDIR DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir)
		cleanup_close(&fd);
	while (dir && (entry = readdir(dir))) {
		if (entry->d_type == DT_DIR || slot_of(entry->d_name) != slot)
			continue;
		text_printf(path, "/%s", entry->d_name);
		return path->error;
	}
	return -ENOENT;
}

int cgroup_view_node_path(const struct host *host, uint64_t node, struct text *path)
{
	uint64_t slot = node & SLOT_MASK, id = node >> SLOT_BITS & ID_MASK;
	uint64_t index = node >> (SLOT_BITS + ID_BITS);
	AUTO_TEXT struct text found = { 0 };
	const struct cgroup_hierarchy *h;
	int r;

	if (node == TREE_NODE)
		return 0;
	if (index >= host->cgroups->count)
		return -ENOENT;
	h = &host->cgroups->hierarchy[index];
	r = path_by_handle(host, h->fd, id, &found);
	if (r < 0 && r != -ENOENT)
		r = path_by_search(h->fd, id, 0, &found);
	if (r == 0 && slot) {
		AUTO_FREE char *directory = strdup(text_str(&found));

		r = directory ? file_name(h->fd, directory, slot, &found) : -ENOMEM;
	}
	if (r < 0)
		return r;
	text_printf(path, "/%s%s", place_hierarchy_name(h), text_str(&found));
	return path->error;
}
