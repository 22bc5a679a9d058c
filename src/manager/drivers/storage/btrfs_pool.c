/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where a btrfs pool is: in a file, on a disk, or in a subvolume of a file system that is there. */
#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "drivers/storage/btrfs.h"
#include "drivers/storage/loop.h"
#include "util/error.h"
#include "util/json.h"
#include "util/mount.h"
#include "util/run.h"
#include "util/units.h"

#define OPTIONS "user_subvol_rm_allowed"

static char *loop_file(const struct storage_pool *pool)
{
	g_autofree char *name = g_strconcat(pool->name, ".img", NULL);

	return g_build_filename(pool->disks, name, NULL);
}

static gboolean in_loop_file(const struct storage_pool *pool)
{
	g_autofree char *file = loop_file(pool);

	return strcmp(json_text(pool->config, "source"), file) == 0;
}

static gboolean is_block(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISBLK(st.st_mode);
}

/* --- mounts ---------------------------------------------------------------------------- */

static char *options_of(const struct storage_pool *pool)
{
	const char *more = json_text(pool->config, "btrfs.mount_options");

	return *more ? g_strdup(more) : g_strdup(OPTIONS);
}

static gboolean mount_loop(struct storage_pool *pool, const char *options, GError **error)
{
	g_autofree char *file = loop_file(pool), *device = NULL;
	AUTO_CLOSE int fd = loop_attach(file, &device, error);

	return fd >= 0 && mount_fs("btrfs", device, pool->path, options, error);
}

/* A disk is known by its file system's UUID, wherever it was first. */
static char *device_of(const struct storage_pool *pool)
{
	const char *source = json_text(pool->config, "source");
	g_autofree char *link = g_strconcat("/dev/disk/by-uuid/", source, NULL);

	if (is_block(source))
		return g_strdup(source);
	if (is_block(link))
		return g_steal_pointer(&link);
	return g_strdup(json_text(pool->config, "volatile.initial_source"));
}

gboolean btrfs_pool_mount(struct storage_pool *pool, GError **error)
{
	const char *source = json_text(pool->config, "source");
	g_autofree char *options = options_of(pool), *device = NULL;

	if (mount_is_point(pool->path))
		return TRUE;
	if (in_loop_file(pool))
		return mount_loop(pool, options, error);
	if (strcmp(source, pool->path) == 0)
		return TRUE; /* a subvolume at its very place */
	if (g_file_test(source, G_FILE_TEST_IS_DIR))
		return mount_bind(source, pool->path, FALSE, FALSE, error);
	device = device_of(pool);
	return mount_fs("btrfs", device, pool->path, options, error);
}

gboolean btrfs_pool_unmount(struct storage_pool *pool, GError **error)
{
	return mount_remove(pool->path, FALSE, error);
}

/* --- making one --------------------------------------------------------------------------- */

static gboolean make_file(struct storage_pool *pool, GError **error)
{
	g_autofree char *file = loop_file(pool);
	g_autoptr(GError) cause = NULL;
	gint64 wanted;
	guint64 size;

	if (!units_size(json_text(pool->config, "size"), &wanted, error) ||
	    !loop_create(file, (guint64)wanted, &size, error))
		return FALSE;
	if (!run_words(NULL, &cause, "mkfs.btrfs", "-L", pool->name, file, NULL)) {
		unlink(file);
		return fail(error, 500, "Failed to format sparse file: %s", cause->message);
	}
	json_map_set(pool->config, "source", file);
	if (!*json_text(pool->config, "size")) {
		g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT "GiB", size >> 30);

		json_map_set(pool->config, "size", text);
	}
	return TRUE;
}

static gboolean make_disk(struct storage_pool *pool, const char *device, GError **error)
{
	g_autofree char *uuid = g_uuid_string_random();
	g_autoptr(GError) cause = NULL;

	if (*json_text(pool->config, "size"))
		return fail(error, 500, "Cannot specify size when using an existing block device");
	if (!run_words(NULL, &cause, "mkfs.btrfs", "-L", pool->name, "-U", uuid, device, NULL))
		return fail(error, 500, "Failed to format block device: %s", cause->message);
	json_map_set(pool->config, "volatile.initial_source", device);
	json_map_set(pool->config, "source", uuid);
	return TRUE;
}

static gboolean has_children(const char *path)
{
	GDir *dir = g_dir_open(path, 0, NULL);
	gboolean any = dir && g_dir_read_name(dir);

	if (dir)
		g_dir_close(dir);
	return any;
}

static gboolean make_subvolume(struct storage_pool *pool, const char *source, GError **error)
{
	g_autofree char *parent = g_path_get_dirname(source), *fs = NULL;
	gboolean there = g_file_test(source, G_FILE_TEST_EXISTS);

	if (*json_text(pool->config, "size"))
		return fail(error, 500,
			    "Cannot specify size when using an existing directory or subvolume");
	fs = mount_fs_name(there ? source : parent);
	if (!g_path_is_absolute(source) || strcmp(fs, "btrfs") != 0)
		return fail(error, 500, "Provided path does not reside on a btrfs filesystem");
	if (!there)
		return btrfs_subvolume_create(source, error);
	if (!btrfs_is_subvolume(source))
		return fail(error, 500, "Requested path exists and is no btrfs subvolume");
	if (has_children(source))
		return fail(error, 500, "Requested btrfs subvolume exists but is not empty");
	return TRUE;
}

static gboolean make_source(struct storage_pool *pool, GError **error)
{
	g_autofree char *source = g_strdup(json_text(pool->config, "source"));
	g_autofree char *file = loop_file(pool);

	if (!*source || strcmp(source, file) == 0)
		return make_file(pool, error);
	if (is_block(source))
		return make_disk(pool, source, error);
	return make_subvolume(pool, source, error);
}

gboolean btrfs_pool_create(struct storage_pool *pool, GError **error)
{
	g_autofree char *file = loop_file(pool);

	if (mkdir(pool->path, 0711) < 0)
		return fail(error, 500, "Storage pool directory \"%s\" already exists", pool->path);
	mkdir(pool->disks, 0700);
	if (!make_source(pool, error)) {
		rmdir(pool->path);
		return FALSE;
	}
	if (btrfs_pool_mount(pool, error) && storage_pool_layout(pool, error))
		return TRUE;
	mount_remove(pool->path, TRUE, NULL);
	rmdir(pool->path);
	if (in_loop_file(pool))
		unlink(file);
	return FALSE;
}

/* --- and taking it away ------------------------------------------------------------------------
 */

static gboolean delete_volumes(struct storage_pool *pool, enum volume_type type, char **names,
			       GError **error)
{
	for (char **name = names; *name; name++) {
		struct storage_volume volume = { type, *name, NULL, NULL };

		if (!pool->driver->volume_delete(pool, &volume, error))
			return FALSE;
	}
	return TRUE;
}

static gboolean delete_content(struct storage_pool *pool, GError **error)
{
	for (int type = VOLUME_CONTAINER; type <= VOLUME_CUSTOM; type++) {
		enum volume_type t = (enum volume_type)type;
		g_auto(GStrv) names = storage_volumes(pool, t);
		g_auto(GStrv) marked = storage_volumes_marked(pool, t);

		if (!delete_volumes(pool, t, names, error) ||
		    !delete_volumes(pool, t, marked, error))
			return FALSE;
	}
	return storage_pool_clear(pool, error);
}

gboolean btrfs_pool_delete(struct storage_pool *pool, GError **error)
{
	g_autofree char *file = loop_file(pool);
	gboolean loop = in_loop_file(pool);

	/* What is in a file of our own goes with the file. */
	if (!loop && g_file_test(pool->path, G_FILE_TEST_IS_DIR) &&
	    (!btrfs_pool_mount(pool, error) || !delete_content(pool, error)))
		return FALSE;
	if (!btrfs_pool_unmount(pool, error) || !copy_delete(pool->path, NULL, error))
		return FALSE;
	if (loop && unlink(file) < 0 && errno != ENOENT)
		return fail_errno(error, errno, "Failed to remove \"%s\"", file);
	return TRUE;
}

gboolean btrfs_pool_abandon(struct storage_pool *pool, GError **error)
{
	g_autofree char *file = loop_file(pool);
	const char *source = json_text(pool->config, "source");

	if (!btrfs_pool_unmount(pool, error))
		return FALSE;
	rmdir(pool->path);
	if (!*source || in_loop_file(pool))
		unlink(file);
	return TRUE;
}

/* --- changes -----------------------------------------------------------------------------------
 */

static gboolean grow_fs(const char *path, GError **error)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct btrfs_ioctl_vol_args args = { .name = "max" };

	if (fd >= 0 && ioctl(fd, BTRFS_IOC_RESIZE, &args) >= 0)
		return TRUE;
	return fail_errno(error, errno, "Failed to resize \"%s\"", path);
}

/* The device that PATH's file system is on. */
static char *backing_device(const char *path)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct btrfs_ioctl_dev_info_args info = { .devid = 1 };

	if (fd < 0 || ioctl(fd, BTRFS_IOC_DEV_INFO, &info) < 0)
		return NULL;
	return g_strdup((const char *)info.path);
}

static gboolean resize(struct storage_pool *pool, const char *text, GError **error)
{
	g_autofree char *file = loop_file(pool), *device = backing_device(pool->path);
	struct stat st;
	gint64 size;

	if (!units_size(text, &size, error))
		return FALSE;
	if (!in_loop_file(pool))
		return fail(error, 500, "Cannot resize non-loopback pools");
	if (!device || stat(file, &st) < 0)
		return fail_errno(error, errno, "Failed to look at \"%s\"", file);
	if (size < (gint64)st.st_size)
		return fail(error, 500, "Pool shrinking is not supported");
	if (truncate(file, (off_t)size) < 0)
		return fail_errno(error, errno, "Failed to resize \"%s\"", file);
	return loop_resize(device, error) && grow_fs(pool->path, error);
}

/* Not every option can change while it is mounted; those that count do after the next mount. */
static gboolean remount(struct storage_pool *pool, const char *options, GError **error)
{
	g_autofree char *all = g_strconcat("remount,", *options ? options : OPTIONS, NULL);

	return run_words(NULL, error, "mount", "-o", all, pool->path, NULL);
}

gboolean btrfs_pool_update(struct storage_pool *pool, const json_t *changed, GError **error)
{
	const char *size = json_text(changed, "size");
	const json_t *options = json_object_get(changed, "btrfs.mount_options");

	if (*size && !resize(pool, size, error))
		return FALSE;
	return !options || remount(pool, json_text(changed, "btrfs.mount_options"), error);
}
