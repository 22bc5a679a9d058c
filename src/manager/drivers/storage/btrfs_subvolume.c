/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Subvolumes of btrfs, with those that are in them. */
#include <btrfsutil.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "drivers/storage/btrfs.h"
#include "util/error.h"

static gboolean btrfs_fail(GError **error, enum btrfs_util_error code, const char *what,
			   const char *path)
{
	int saved = errno;

	return fail_errno(error, saved, "Failed to %s subvolume \"%s\": %s", what, path,
			  btrfs_util_strerror(code));
}

gboolean btrfs_is_subvolume(const char *path)
{
	return btrfs_util_is_subvolume(path) == BTRFS_UTIL_OK;
}

gboolean btrfs_subvolume_create(const char *path, GError **error)
{
	enum btrfs_util_error code = btrfs_util_create_subvolume(path, 0, NULL, NULL);

	return code == BTRFS_UTIL_OK || btrfs_fail(error, code, "create", path);
}

/* Calls WORK for PATH and each subvolume in it, those that hold others first or last. */
typedef enum btrfs_util_error (*subvolume_work)(const char *path, guint64 id, void *data);

static enum btrfs_util_error each(const char *path, int flags, subvolume_work work, void *data)
{
	struct btrfs_util_subvolume_iterator *iterator = NULL;
	enum btrfs_util_error code;
	char *below;
	uint64_t top, id;

	code = btrfs_util_subvolume_id(path, &top);
	if (code == BTRFS_UTIL_OK && !(flags & BTRFS_UTIL_SUBVOLUME_ITERATOR_POST_ORDER))
		code = work(path, top, data);
	if (code == BTRFS_UTIL_OK)
		code = btrfs_util_create_subvolume_iterator(path, top, flags, &iterator);
	while (code == BTRFS_UTIL_OK && (code = btrfs_util_subvolume_iterator_next(
						 iterator, &below, &id)) == BTRFS_UTIL_OK) {
		g_autofree char *full = g_build_filename(path, below, NULL);

		free(below);
		code = work(full, id, data);
	}
	if (iterator)
		btrfs_util_destroy_subvolume_iterator(iterator);
	if (code == BTRFS_UTIL_ERROR_STOP_ITERATION)
		code = BTRFS_UTIL_OK;
	if (code == BTRFS_UTIL_OK && flags & BTRFS_UTIL_SUBVOLUME_ITERATOR_POST_ORDER)
		code = work(path, top, data);
	return code;
}

static enum btrfs_util_error set_read_only(const char *path, guint64 id, void *data)
{
	(void)id;
	return btrfs_util_set_subvolume_read_only(path, *(gboolean *)data);
}

gboolean btrfs_subvolume_snapshot(const char *source, const char *target, gboolean readonly,
				  GError **error)
{
	enum btrfs_util_error code = btrfs_util_create_snapshot(
		source, target, BTRFS_UTIL_CREATE_SNAPSHOT_RECURSIVE, NULL, NULL);

	if (code != BTRFS_UTIL_OK)
		return btrfs_fail(error, code, "snapshot", source);
	if (readonly)
		code = each(target, BTRFS_UTIL_SUBVOLUME_ITERATOR_POST_ORDER, set_read_only,
			    &readonly);
	return code == BTRFS_UTIL_OK || btrfs_fail(error, code, "make read-only the", target);
}

static enum btrfs_util_error delete_one(const char *path, guint64 id, void *data)
{
	enum btrfs_util_error code = btrfs_util_delete_subvolume(path, 0);
	int saved = errno;

	if (code == BTRFS_UTIL_OK)
		btrfs_quota_forget(data, id);
	errno = saved;
	return code;
}

gboolean btrfs_subvolume_delete(const char *path, GError **error)
{
	g_autofree char *parent = g_path_get_dirname(path);
	gboolean readonly = FALSE;
	enum btrfs_util_error code;
	struct stat st;

	if (lstat(path, &st) < 0 || !btrfs_is_subvolume(path))
		return copy_delete(path, NULL, error);
	/* Nothing is taken out of what is read-only. */
	code = each(path, 0, set_read_only, &readonly);
	if (code == BTRFS_UTIL_OK)
		code = each(path, BTRFS_UTIL_SUBVOLUME_ITERATOR_POST_ORDER, delete_one, parent);
	return code == BTRFS_UTIL_OK || btrfs_fail(error, code, "delete", path);
}
