/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A part of the file system whose files are not rows of a table but found on the
 * host: the CPU directory of sysfs and the cgroup hierarchies. Paths are what follows
 * the prefix: "" for the tree's own directory, "/cpu0/topology".
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "container.h"
#include "host.h"
#include "lxcfs.h"

/* Who asks, and what of the host counts. */
struct tree_call {
	const struct host *host;
	const struct lxcfs_caller *caller;
	const struct container *container; /* NULL: the host's view, or the caller is unknown */
	unsigned flags;			   /* enum lxcfs_flags */
};

/* Functions left NULL: the whole tree cannot do that, -EPERM. Errors as in lxcfs.h. */
struct tree {
	const char *prefix;
	int (*stat)(const struct tree_call *call, const char *path, struct stat *ret);
	int (*list)(const struct tree_call *call, const char *path,
		    int (*each)(void *arg, const char *name, mode_t type), void *arg);
	int (*access)(const struct tree_call *call, const char *path, int mask);
	int (*read)(const struct tree_call *call, const char *path, struct text *text);
	int (*readlink)(const struct tree_call *call, const char *path, struct text *target);
	int (*write)(const struct tree_call *call, const char *path, const char *data, size_t len);
	int (*mkdir)(const struct tree_call *call, const char *path);
	int (*rmdir)(const struct tree_call *call, const char *path);
	int (*chmod)(const struct tree_call *call, const char *path, mode_t mode);
	int (*chown)(const struct tree_call *call, const char *path, uid_t uid, gid_t gid);

	/* Node numbers below 1 << 62, and back; see lxcfs_node(). */
	int (*node)(const struct host *host, const char *path, uint64_t *ret);
	int (*node_path)(const struct host *host, uint64_t node, struct text *path);

	/* May entries and attributes be cached for all callers? */
	bool (*is_fixed)(const char *path);
};

extern const struct tree sys_cpu_tree; /* sys/cpu.c */
extern const struct tree cgroup_tree;  /* cgroup/view.c */
