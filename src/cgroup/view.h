/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The operations of the cgroup view that have a file of their own; see tree.h for what they do. */
#pragma once

#include "tree.h"

/*
 * May the caller change anything at all? The host's root only where it has
 * CAP_SYS_ADMIN, without which the kernel lets nobody mount a cgroup file system:
 * a container whose root lost it gets no way around that here. 0 or -EACCES.
 */
int cgroup_view_may_change(const struct tree_call *call);

int cgroup_view_mkdir(const struct tree_call *call, const char *path);
int cgroup_view_rmdir(const struct tree_call *call, const char *path);
int cgroup_view_chmod(const struct tree_call *call, const char *path, mode_t mode);
int cgroup_view_chown(const struct tree_call *call, const char *path, uid_t uid, gid_t gid);

int cgroup_view_node(const struct host *host, const char *path, uint64_t *ret);
int cgroup_view_node_path(const struct host *host, uint64_t node, struct text *path);
