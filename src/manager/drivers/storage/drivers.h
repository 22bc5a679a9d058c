/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The drivers themselves, and what those share whose volumes are directories of one file system. */
#pragma once

#include "drivers/storage/storage.h"

extern const struct storage_driver storage_btrfs, storage_dir;

/* Removes what storage_pool_layout made, with all of its content; nothing else. */
gboolean storage_pool_clear(struct storage_pool *pool, GError **error);

/* Where a volume's snapshots are; free with g_free. */
char *storage_snapshots_path(const struct storage_pool *pool, const struct storage_volume *volume);

/* Makes the directory of a snapshot's siblings. */
gboolean storage_parent(const struct storage_pool *pool, const struct storage_volume *volume,
			GError **error);

/* volume_rename, volume_exchange, volume_mount and volume_unmount. */
gboolean storage_dirs_rename(struct storage_pool *pool, const struct storage_volume *from,
			     const struct storage_volume *to, GError **error);
gboolean storage_dirs_exchange(struct storage_pool *pool, const struct storage_volume *a,
			       const struct storage_volume *b, GError **error);
gboolean storage_dirs_mounted(struct storage_pool *pool, const struct storage_volume *volume,
			      GError **error);
gboolean storage_dirs_unmounted(struct storage_pool *pool, const struct storage_volume *volume,
				GError **error);

/* statvfs() of PATH. */
gboolean storage_space_of(const char *path, struct storage_space *ret, GError **error);
