/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pools that are directories of any file system: every copy is a full one. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "drivers/storage/drivers.h"
#include "util/error.h"
#include "util/json.h"
#include "util/mount.h"

static char *dir_version(void)
{
	return g_strdup("1");
}

static gboolean dir_usable(GError **error)
{
	(void)error;
	return TRUE;
}

/* --- pools --------------------------------------------------------------------------- */

static gboolean is_empty(const char *path)
{
	GDir *dir = g_dir_open(path, 0, NULL);
	gboolean empty = dir && !g_dir_read_name(dir);

	if (dir)
		g_dir_close(dir);
	return empty;
}

static gboolean make_pool_dir(struct storage_pool *pool, GError **error)
{
	if (mkdir(pool->path, 0711) == 0)
		return TRUE;
	return fail(error, 500,
		    errno == EEXIST ? "Storage pool directory \"%s\" already exists"
				    : "Failed to create storage pool directory \"%s\"",
		    pool->path);
}

static gboolean check_source(const struct storage_pool *pool, const char *source, GError **error)
{
	g_autofree char *all = g_path_get_dirname(pool->path), *clean = NULL;

	if (!g_path_is_absolute(source) || !g_file_test(source, G_FILE_TEST_EXISTS))
		return fail(error, 500, "Source path '%s' doesn't exist", source);
	clean = realpath(source, NULL);
	if (clean && g_str_has_prefix(clean, all))
		return fail(error, 500, "Source path '%s' is within the LXD directory", source);
	if (!is_empty(source))
		return fail(error, 500, "Source path '%s' isn't empty", source);
	return TRUE;
}

/* Whether what the pool holds is somewhere else and only bound below LXD_DIR. */
static gboolean is_bound(const struct storage_pool *pool)
{
	return strcmp(json_text(pool->config, "source"), pool->path) != 0;
}

static gboolean dir_mount(struct storage_pool *pool, GError **error)
{
	const char *source = json_text(pool->config, "source");

	if (!is_bound(pool) || mount_is_point(pool->path))
		return TRUE;
	return mount_bind(source, pool->path, FALSE, FALSE, error);
}

static gboolean dir_unmount(struct storage_pool *pool, GError **error)
{
	return !is_bound(pool) || mount_remove(pool->path, FALSE, error);
}

static gboolean dir_create(struct storage_pool *pool, GError **error)
{
	const char *source = json_text(pool->config, "source");

	if (*source && strcmp(source, pool->path) != 0 && !check_source(pool, source, error))
		return FALSE;
	if (!make_pool_dir(pool, error))
		return FALSE;
	if (!*source)
		json_map_set(pool->config, "source", pool->path);
	if (dir_mount(pool, error) && storage_pool_layout(pool, error))
		return TRUE;
	dir_unmount(pool, NULL);
	rmdir(pool->path);
	return FALSE;
}

static gboolean dir_delete(struct storage_pool *pool, GError **error)
{
	if (is_bound(pool) && !mount_is_point(pool->path) &&
	    g_file_test(pool->path, G_FILE_TEST_IS_DIR) && !dir_mount(pool, error))
		return FALSE;
	return storage_pool_clear(pool, error) && dir_unmount(pool, error) &&
	       copy_delete(pool->path, NULL, error);
}

static gboolean dir_abandon(struct storage_pool *pool, GError **error)
{
	if (!*json_text(pool->config, "source"))
		return copy_delete(pool->path, NULL, error);
	if (!dir_unmount(pool, error))
		return FALSE;
	rmdir(pool->path); /* empty, unless it is somebody's */
	return TRUE;
}

static gboolean dir_update(struct storage_pool *pool, const json_t *changed, GError **error)
{
	(void)pool;
	(void)changed;
	(void)error;
	return TRUE;
}

gboolean storage_space_of(const char *path, struct storage_space *ret, GError **error)
{
	struct statvfs st;

	if (statvfs(path, &st) < 0)
		return fail_errno(error, errno, "Failed to look at \"%s\"", path);
	ret->total = (guint64)st.f_blocks * st.f_frsize;
	ret->used = (guint64)(st.f_blocks - st.f_bfree) * st.f_frsize;
	ret->inodes_total = st.f_files;
	ret->inodes_used = st.f_files - st.f_ffree;
	return TRUE;
}

static gboolean dir_space(struct storage_pool *pool, struct storage_space *ret, GError **error)
{
	return storage_space_of(pool->path, ret, error);
}

/* --- volumes ---------------------------------------------------------------------------- */

static gboolean dir_volume_create(struct storage_pool *pool, const struct storage_volume *volume,
				  GError **error)
{
	g_autofree char *path = storage_volume_path(pool, volume);

	if (!storage_parent(pool, volume, error))
		return FALSE;
	if (mkdir(path, 0700) == 0)
		return TRUE;
	return fail_errno(error, errno, "Failed to create directory \"%s\"", path);
}

static gboolean dir_volume_clone(struct storage_pool *pool, const struct storage_volume *source,
				 const struct storage_volume *target,
				 const struct storage_watch *watch, GError **error)
{
	g_autofree char *from = storage_volume_path(pool, source);
	g_autofree char *to = storage_volume_path(pool, target);
	struct copy_options options = { 0 };

	if (watch) {
		options.cancel = watch->cancel;
		options.progress = watch->progress;
		options.data = watch->data;
	}
	return dir_volume_create(pool, target, error) && copy_tree(from, to, &options, error);
}

/* The directory of its snapshots goes with a volume, or with the last of them. */
static gboolean dir_volume_delete(struct storage_pool *pool, const struct storage_volume *volume,
				  GError **error)
{
	g_autofree char *path = storage_volume_path(pool, volume);
	g_autofree char *snapshots = storage_snapshots_path(pool, volume);

	if (!copy_delete(path, NULL, error))
		return FALSE;
	if (volume->snapshot)
		rmdir(snapshots);
	else if (volume->type != VOLUME_IMAGE)
		return copy_delete(snapshots, NULL, error);
	return TRUE;
}

static gboolean dir_volume_resize(struct storage_pool *pool, const struct storage_volume *volume,
				  guint64 size, GError **error)
{
	(void)pool;
	(void)volume;
	(void)size;
	(void)error;
	return TRUE; /* nothing limits a directory's size here */
}

static gboolean dir_volume_usage(struct storage_pool *pool, const struct storage_volume *volume,
				 guint64 *ret, GError **error)
{
	(void)pool;
	(void)volume;
	(void)ret;
	return fail(error, 500, "Not supported");
}

const struct storage_driver storage_dir = {
	.name = "dir",
	.version = dir_version,
	.usable = dir_usable,
	.pool_create = dir_create,
	.pool_delete = dir_delete,
	.pool_abandon = dir_abandon,
	.pool_mount = dir_mount,
	.pool_unmount = dir_unmount,
	.pool_update = dir_update,
	.pool_space = dir_space,
	.volume_create = dir_volume_create,
	.volume_clone = dir_volume_clone,
	.volume_rename = storage_dirs_rename,
	.volume_exchange = storage_dirs_exchange,
	.volume_delete = dir_volume_delete,
	.volume_mount = storage_dirs_mounted,
	.volume_unmount = storage_dirs_unmounted,
	.volume_resize = dir_volume_resize,
	.volume_usage = dir_volume_usage,
};
