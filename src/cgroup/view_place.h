/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where a path of the cgroup view leads, as far as the caller may go: its own
 * cgroup and all below, and the way down to it.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "base/line.h"
#include "tree.h"

struct place {
	const struct cgroup_hierarchy *hierarchy; /* NULL: the directory of all of them */
	size_t index;				  /* of the hierarchy */
	/* What follows the hierarchy's name; borrowed. */
	const char *path;
	/* O_PATH, what the path names and the directory it is in; -1: none. */
	int fd, parent;
	char name[NAME_MAX + 1]; /* in that directory */
	struct stat st;		 /* as the host has it */
	/*
	 * What is left of the way to the caller's cgroup, "" once there. NULL: the
	 * caller has no cgroup in this hierarchy.
	 */
	const char *way;
};

#define PLACE_NONE ((struct place){ .fd = -1, .parent = -1 })

/*
 * Follows a path below "/cgroup" ("" or "/memory/a/tasks"), from directory fd to
 * directory fd, so that what was checked is what is used. -ENOENT for what the
 * caller may not know of, -EACCES behind a directory it may not search. To be
 * released with place_close().
 */
int place_find(const struct tree_call *call, const char *path, struct place *ret);
void place_close(struct place *place);

/*
 * The same for the directory that a path's last component is in, and that
 * component (borrowed from the path). -EACCES for the tree's own directory.
 */
int place_find_parent(const struct tree_call *call, const char *path, struct place *ret,
		      const char **ret_name);

/* Is it a directory above the caller's cgroup, or of the hierarchies: the same for everybody? */
bool place_is_way(const struct place *place);

/* The only entry of a directory on the way; length 0: none. */
struct line place_way_entry(const struct place *place);

/* The caller's cgroup in the hierarchy: "" is the root, NULL none. */
const char *place_own(const struct tree_call *call, size_t index);

#define AUTO_PLACE __attribute__((cleanup(place_close)))

/*
 * What a hierarchy's directory is called: its controllers, "cpu,cpuacct"; of a named one
 * without controllers the name alone, "systemd", as LXCFS 5.0 has it. It is also found
 * as /proc/PID/cgroup writes it, "name=systemd".
 */
const char *place_hierarchy_name(const struct cgroup_hierarchy *hierarchy);
bool place_is_hierarchy(const struct line *name, const struct cgroup_hierarchy *hierarchy);
