/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One component at a time, each opened in the directory that was checked before. */
#include "cgroup/view_place.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "permission.h"

void place_close(struct place *place)
{
	cleanup_close(&place->fd);
	cleanup_close(&place->parent);
	place->fd = place->parent = -1;
}

/* Takes "/name" off the path. */
static int component_take(const char **path, struct line *ret)
{
	const char *start = *path + 1;
	size_t len = strcspn(start, "/");

	if (**path != '/' || len == 0 || (len <= 2 && strspn(start, ".") >= len))
		return -ENOENT;
	if (len > NAME_MAX)
		return -ENAMETOOLONG;
	*ret = (struct line){ start, len };
	*path = start + len;
	return 0;
}

bool place_is_way(const struct place *place)
{
	return !place->hierarchy || !place->way || *place->way;
}

struct line place_way_entry(const struct place *place)
{
	const char *start = place->way && *place->way ? place->way + 1 : "";

	return (struct line){ start, strcspn(start, "/") };
}

const char *place_own(const struct tree_call *call, size_t index)
{
	const char *path = call->container ? cgroup_path(call->container->cgroup, index) : NULL;

	if (!path || path[1])
		return path;
	/* A container in the root has no cgroup of its own there, and others' are not its. */
	return call->container->own_pidns ? NULL : "";
}

const char *place_hierarchy_name(const struct cgroup_hierarchy *hierarchy)
{
	size_t named = strncmp(hierarchy->name, "name=", 5) == 0 ? 5 : 0;

	return hierarchy->name + named;
}

bool place_is_hierarchy(const struct line *name, const struct cgroup_hierarchy *hierarchy)
{
	return line_is(name, place_hierarchy_name(hierarchy)) || line_is(name, hierarchy->name);
}

static int hierarchy_enter(const struct tree_call *call, const struct line *name,
			   struct place *place)
{
	const struct cgroups *cgroups = call->host->cgroups;

	for (size_t i = 0; i < cgroups->count; i++) {
		const struct cgroup_hierarchy *h = &cgroups->hierarchy[i];

		if (!place_is_hierarchy(name, h))
			continue;
		place->hierarchy = h;
		place->index = i;
		place->path = name->start + name->len;
		place->way = place_own(call, i);
		place->fd = openat(h->fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
		return place->fd < 0 || fstat(place->fd, &place->st) < 0 ? -errno : 0;
	}
	return -ENOENT;
}

/* May the caller go from the place to its entry of that name? */
static int step_check(const struct tree_call *call, struct place *place, const struct line *name)
{
	const struct stat *st = &place->st;
	struct line entry;

	if (!S_ISDIR(st->st_mode))
		return -ENOTDIR;
	if (!place_is_way(place))
		return permission_check(call->host->procfd, call->caller, st->st_mode, st->st_uid,
					st->st_gid, X_OK);
	entry = place_way_entry(place);
	if (entry.len != name->len || memcmp(entry.start, name->start, entry.len) != 0)
		return -ENOENT;
	place->way += 1 + entry.len;
	return 0;
}

static int step(const struct tree_call *call, struct place *place, const struct line *name)
{
	int r = step_check(call, place, name);
	int fd;

	if (r < 0)
		return r;
	memcpy(place->name, name->start, name->len);
	place->name[name->len] = '\0';
	fd = file_open_beneath(place->fd, place->name, O_PATH);
	if (fd < 0)
		return fd == -ELOOP ? -ENOENT : fd; /* cgroup file systems have no links */
	cleanup_close(&place->parent);
	place->parent = place->fd;
	place->fd = fd;
	return fstat(fd, &place->st) < 0 ? -errno : 0;
}

int place_find(const struct tree_call *call, const char *path, struct place *ret)
{
	AUTO_PLACE struct place place = PLACE_NONE;
	struct line name;
	int r = 0;

	if (*path && call->flags & LXCFS_NO_CGROUP)
		return -ENOENT;
	while (r == 0 && *path) {
		r = component_take(&path, &name);
		if (r == 0)
			r = place.hierarchy ? step(call, &place, &name)
					    : hierarchy_enter(call, &name, &place);
	}
	if (r < 0)
		return r;
	*ret = place;
	place = PLACE_NONE;
	return 0;
}

int place_find_parent(const struct tree_call *call, const char *path, struct place *ret,
		      const char **ret_name)
{
	const char *last = strrchr(path, '/'), *end = last;
	AUTO_FREE char *parent = NULL;
	struct line name;
	int r;

	if (!last)
		return -EACCES;
	r = component_take(&end, &name);
	if (r < 0)
		return r;
	parent = strndup(path, (size_t)(last - path));
	if (!parent)
		return -ENOMEM;
	r = place_find(call, parent, ret);
	if (r < 0)
		return r;
	*ret_name = last + 1;
	return 0;
}
