/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pools on btrfs: volumes are subvolumes, copies and snapshots share their data. */
#include "drivers/storage/btrfs.h"

#include <string.h>
#include <unistd.h>

#include "util/error.h"
#include "util/json.h"
#include "util/run.h"

/* "btrfs-progs v6.2" */
static char *btrfs_version(void)
{
	static const char *const argv[] = { "btrfs", "version", NULL };
	struct run spec = { .argv = argv, .timeout_s = 10 };
	g_autofree char *text = NULL;
	const char *v;

	if (!run(&spec, &text, NULL, NULL))
		return g_strdup("");
	v = strstr(text, " v");
	return g_strndup(v ? v + 2 : text, strcspn(v ? v + 2 : text, " \n"));
}

static gboolean btrfs_usable(GError **error)
{
	static const char *const programs[] = { "btrfs", "mkfs.btrfs" };

	for (gsize i = 0; i < G_N_ELEMENTS(programs); i++) {
		g_autofree char *path = g_find_program_in_path(programs[i]);

		if (!path)
			return fail(error, 500, "Required tool '%s' is missing", programs[i]);
	}
	return TRUE;
}

static gboolean btrfs_space(struct storage_pool *pool, struct storage_space *ret, GError **error)
{
	return storage_space_of(pool->path, ret, error);
}

/* --- volumes --------------------------------------------------------------------------- */

static gboolean btrfs_volume_create(struct storage_pool *pool, const struct storage_volume *volume,
				    GError **error)
{
	g_autofree char *path = storage_volume_path(pool, volume);

	return storage_parent(pool, volume, error) && btrfs_subvolume_create(path, error);
}

static gboolean btrfs_volume_clone(struct storage_pool *pool, const struct storage_volume *source,
				   const struct storage_volume *target,
				   const struct storage_watch *watch, GError **error)
{
	g_autofree char *from = storage_volume_path(pool, source);
	g_autofree char *to = storage_volume_path(pool, target);

	if (watch && g_cancellable_set_error_if_cancelled(watch->cancel, error))
		return FALSE;
	return storage_parent(pool, target, error) &&
	       btrfs_subvolume_snapshot(from, to, target->snapshot != NULL, error);
}

/* A limit belongs to the name, not to the subvolume that is behind it. */
static gboolean btrfs_volume_exchange(struct storage_pool *pool, const struct storage_volume *a,
				      const struct storage_volume *b, GError **error)
{
	g_autofree char *x = storage_volume_path(pool, a), *y = storage_volume_path(pool, b);
	guint64 limit, used;

	if (btrfs_quota_get(y, &limit, &used) && limit && !btrfs_quota_set(x, limit, error))
		return FALSE;
	return storage_dirs_exchange(pool, a, b, error);
}

static gboolean delete_snapshots(struct storage_pool *pool, const struct storage_volume *volume,
				 char **names, GError **error)
{
	for (char **name = names; *name; name++) {
		struct storage_volume snapshot = { volume->type, volume->name, *name, NULL };
		g_autofree char *path = storage_volume_path(pool, &snapshot);

		if (!btrfs_subvolume_delete(path, error))
			return FALSE;
	}
	return TRUE;
}

static gboolean btrfs_volume_delete(struct storage_pool *pool, const struct storage_volume *volume,
				    GError **error)
{
	g_autofree char *path = storage_volume_path(pool, volume);
	g_autofree char *snapshots = storage_snapshots_path(pool, volume);

	if (!btrfs_subvolume_delete(path, error))
		return FALSE;
	if (volume->type == VOLUME_IMAGE)
		return TRUE;
	if (!volume->snapshot) {
		g_auto(GStrv) whole = storage_snapshots(pool, volume);
		g_auto(GStrv) marked = storage_snapshots_marked(pool, volume);

		return delete_snapshots(pool, volume, whole, error) &&
		       delete_snapshots(pool, volume, marked, error) &&
		       copy_delete(snapshots, NULL, error);
	}
	rmdir(snapshots); /* after the last of them */
	return TRUE;
}

static gboolean btrfs_volume_resize(struct storage_pool *pool, const struct storage_volume *volume,
				    guint64 size, GError **error)
{
	g_autofree char *path = storage_volume_path(pool, volume);

	return btrfs_quota_set(path, size, error);
}

static gboolean btrfs_volume_usage(struct storage_pool *pool, const struct storage_volume *volume,
				   guint64 *ret, GError **error)
{
	g_autofree char *path = storage_volume_path(pool, volume);
	guint64 limit;

	return btrfs_quota_get(path, &limit, ret) || fail(error, 500, "Not supported");
}

const struct storage_driver storage_btrfs = {
	.name = "btrfs",
	.cheap_clones = TRUE,
	.streams = TRUE,
	.version = btrfs_version,
	.usable = btrfs_usable,
	.pool_create = btrfs_pool_create,
	.pool_delete = btrfs_pool_delete,
	.pool_abandon = btrfs_pool_abandon,
	.pool_mount = btrfs_pool_mount,
	.pool_unmount = btrfs_pool_unmount,
	.pool_update = btrfs_pool_update,
	.pool_space = btrfs_space,
	.volume_create = btrfs_volume_create,
	.volume_clone = btrfs_volume_clone,
	.volume_rename = storage_dirs_rename,
	.volume_exchange = btrfs_volume_exchange,
	.volume_delete = btrfs_volume_delete,
	.volume_mount = storage_dirs_mounted,
	.volume_unmount = storage_dirs_unmounted,
	.volume_resize = btrfs_volume_resize,
	.volume_usage = btrfs_volume_usage,
	.volume_send = btrfs_volume_send,
	.volume_receive = btrfs_volume_receive,
};
