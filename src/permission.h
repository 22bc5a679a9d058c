/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * May this caller do that with a file of this mode and owner? As the kernel
 * decides in fs/namei.c, for callers in any user namespace.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "lxcfs.h"

/*
 * `mask` is R_OK | W_OK | X_OK (F_OK: 0). The owner's bits count for the owner,
 * the group's for the caller's group, else the others'; root of a user namespace
 * in which owner and group are mapped may read and write regardless. 0 or -EACCES.
 */
int permission_check(int procfd, const struct lxcfs_caller *caller, mode_t mode, uid_t uid,
		     gid_t gid, int mask);

/*
 * Is the caller root (uid 0) of a user namespace in which the uid is mapped? The
 * host's root is so over every uid.
 */
bool permission_is_root_over(int procfd, const struct lxcfs_caller *caller, uid_t uid);

/* Is the gid mapped in the caller's user namespace? */
bool permission_knows_group(int procfd, const struct lxcfs_caller *caller, gid_t gid);

/*
 * Does the caller hold CAP_SYS_ADMIN in the host's user namespace? The host's root
 * in a container that took the capability away does not, and may not get it back
 * by a user namespace of its own.
 */
bool permission_is_admin(int procfd, const struct lxcfs_caller *caller);
