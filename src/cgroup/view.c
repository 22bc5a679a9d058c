/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The cgroup hierarchies as a caller may see them: the way to its own cgroup as
 * bare directories, and from there on the real files.
 */
#include "cgroup/view.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "cgroup/view_place.h"
#include "cgroup/view_procs.h"
#include "permission.h"

#define WAY_MODE (S_IFDIR | 0555)

/* How many directories are in a directory on the way. */
static nlink_t way_count(const struct tree_call *call, const struct place *place)
{
	if (place->hierarchy)
		return place_way_entry(place).len > 0;
	return call->flags & LXCFS_NO_CGROUP ? 0 : (nlink_t)call->host->cgroups->count;
}

static int view_stat(const struct tree_call *call, const char *path, struct stat *ret)
{
	AUTO_PLACE struct place place = PLACE_NONE;
	int r = place_find(call, path, &place);
	struct stat st;

	if (r < 0)
		return r;
	st = place.st;
	if (place_is_way(&place)) {
		st.st_mode = WAY_MODE;
		st.st_uid = 0;
		st.st_gid = 0;
		st.st_nlink = 2 + way_count(call, &place);
	}
	st.st_size = 0;
	*ret = st;
	return 0;
}

static int list_hierarchies(const struct tree_call *call,
			    int (*each)(void *arg, const char *name, mode_t type), void *arg)
{
	const struct cgroups *cgroups = call->host->cgroups;
	int r = 0;

	for (size_t i = 0; r == 0 && i < cgroups->count; i++)
		r = each(arg, place_hierarchy_name(&cgroups->hierarchy[i]), S_IFDIR);
	return r;
}

static int list_way(const struct place *place,
		    int (*each)(void *arg, const char *name, mode_t type), void *arg)
{
	struct line entry = place_way_entry(place);
	char name[NAME_MAX + 1];
	struct stat st;

	if (!entry.len || entry.len > NAME_MAX)
		return 0;
	memcpy(name, entry.start, entry.len);
	name[entry.len] = '\0';
	/* Gone while its last process still runs. */
	if (fstatat(place->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	return each(arg, name, S_IFDIR);
}

static int list_directory(int dirfd, int (*each)(void *arg, const char *name, mode_t type),
			  void *arg)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_CLOSEDIR DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int r = 0;

	if (!dir) {
		r = -errno;
		cleanup_close(&fd);
	}
	while (r == 0 && (entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		r = each(arg, entry->d_name, (mode_t)DTTOIF(entry->d_type));
	}
	return r;
}

static int view_list(const struct tree_call *call, const char *path,
		     int (*each)(void *arg, const char *name, mode_t type), void *arg)
{
	AUTO_PLACE struct place place = PLACE_NONE;
	int r = place_find(call, path, &place);

	if (r < 0)
		return r;
	if (!place.hierarchy)
		return call->flags & LXCFS_NO_CGROUP ? 0 : list_hierarchies(call, each, arg);
	if (place_is_way(&place))
		return list_way(&place, each, arg);
	return S_ISDIR(place.st.st_mode) ? list_directory(place.fd, each, arg) : -ENOTDIR;
}

int cgroup_view_may_change(const struct tree_call *call)
{
	if (call->caller->uid != 0 || permission_is_admin(call->host->procfd, call->caller))
		return 0;
	return -EACCES;
}

/* The permission model for a place that was found. */
static int place_check(const struct tree_call *call, const struct place *place, int mask)
{
	const struct stat *st = &place->st;
	int r = mask & W_OK ? cgroup_view_may_change(call) : 0;

	if (place_is_way(place))
		return mask & W_OK ? -EACCES : 0;
	if (r < 0)
		return r;
	return permission_check(call->host->procfd, call->caller, st->st_mode, st->st_uid,
				st->st_gid, mask);
}

static int view_access(const struct tree_call *call, const char *path, int mask)
{
	AUTO_PLACE struct place place = PLACE_NONE;
	int r = place_find(call, path, &place);

	return r < 0 ? r : place_check(call, &place, mask);
}

static int view_read(const struct tree_call *call, const char *path, struct text *text)
{
	AUTO_PLACE struct place place = PLACE_NONE;
	AUTO_CLOSE int fd = -1;
	int r = place_find(call, path, &place);

	if (r < 0)
		return r;
	if (place_is_way(&place) || S_ISDIR(place.st.st_mode))
		return -EISDIR;
	if (procs_is(place.name))
		return procs_read(call, &place, text);
	fd = file_open_beneath(place.parent, place.name, O_RDONLY);
	return fd < 0 ? fd : file_read(fd, text);
}

/*
 * What is bound to the writer's open file: cgroup.event_control names fds, which
 * would be ours and not the caller's; a pressure trigger ends with the file.
 */
static bool is_bound_to_writer(const char *name)
{
	static const char *const names[] = { "cgroup.event_control", "cpu.pressure", "io.pressure",
					     "irq.pressure", "memory.pressure" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(name, names[i]) == 0)
			return true;
	}
	return false;
}

static int file_write(const struct place *place, const char *data, size_t len)
{
	AUTO_CLOSE int fd = file_open_beneath(place->parent, place->name, O_WRONLY);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = write(fd, data, len);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EIO;
}

static int view_write(const struct tree_call *call, const char *path, const char *data, size_t len)
{
	AUTO_PLACE struct place place = PLACE_NONE;
	int r = place_find(call, path, &place);

	if (r < 0)
		return r;
	if (place_is_way(&place) || S_ISDIR(place.st.st_mode))
		return -EISDIR;
	r = place_check(call, &place, W_OK);
	if (r < 0)
		return r;
	if (is_bound_to_writer(place.name))
		return -EOPNOTSUPP;
	return procs_is(place.name) ? procs_write(call, &place, data, len)
				    : file_write(&place, data, len);
}

/* What a caller sees depends on where it is. */
static bool view_is_fixed(const char *path)
{
	(void)path;
	return false;
}

const struct tree cgroup_tree = {
	.prefix = "/cgroup",
	.stat = view_stat,
	.list = view_list,
	.access = view_access,
	.read = view_read,
	.write = view_write,
	.mkdir = cgroup_view_mkdir,
	.rmdir = cgroup_view_rmdir,
	.chmod = cgroup_view_chmod,
	.chown = cgroup_view_chown,
	.node = cgroup_view_node,
	.node_path = cgroup_view_node_path,
	.is_fixed = view_is_fixed,
};
