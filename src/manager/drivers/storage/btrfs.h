/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the parts of the btrfs driver share: subvolumes, quotas, streams. */
#pragma once

#include "drivers/storage/drivers.h"

/* --- subvolumes by path ------------------------------------------------------------- */

gboolean btrfs_subvolume_create(const char *path, GError **error);

/* With those in it; READONLY: all of them. */
gboolean btrfs_subvolume_snapshot(const char *source, const char *target, gboolean readonly,
				  GError **error);

/* With those in it and their quota groups; a plain directory too. It need not exist. */
gboolean btrfs_subvolume_delete(const char *path, GError **error);

gboolean btrfs_is_subvolume(const char *path);

/* --- quota groups --------------------------------------------------------------------- */

/* Limits what the subvolume refers to; enables quotas when they are not. 0: no limit. */
gboolean btrfs_quota_set(const char *path, guint64 size, GError **error);

/* The limit in force (0: none) and what is used. FALSE when quotas are off. */
gboolean btrfs_quota_get(const char *path, guint64 *ret_limit, guint64 *ret_used);

/* Forgets the group of a subvolume that is gone; POOL_PATH is anything of the file system. */
void btrfs_quota_forget(const char *pool_path, guint64 id);

/* --- streams ----------------------------------------------------------------------------- */

gboolean btrfs_volume_send(struct storage_pool *pool, const struct storage_volume *snapshot,
			   const struct storage_volume *parent, int fd,
			   const struct storage_watch *watch, GError **error);
gboolean btrfs_volume_receive(struct storage_pool *pool, const struct storage_volume *target,
			      int fd, const struct storage_watch *watch, GError **error);

/* --- pools ------------------------------------------------------------------------------- */

gboolean btrfs_pool_create(struct storage_pool *pool, GError **error);
gboolean btrfs_pool_delete(struct storage_pool *pool, GError **error);
gboolean btrfs_pool_abandon(struct storage_pool *pool, GError **error);
gboolean btrfs_pool_mount(struct storage_pool *pool, GError **error);
gboolean btrfs_pool_unmount(struct storage_pool *pool, GError **error);
gboolean btrfs_pool_update(struct storage_pool *pool, const json_t *changed, GError **error);
