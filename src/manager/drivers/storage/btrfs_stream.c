/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Subvolumes as streams: what btrfs(8) sends and receives. */
#include <btrfsutil.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "drivers/storage/btrfs.h"
#include "util/error.h"
#include "util/run.h"

gboolean btrfs_volume_send(struct storage_pool *pool, const struct storage_volume *snapshot,
			   const struct storage_volume *parent, int fd,
			   const struct storage_watch *watch, GError **error)
{
	g_autofree char *path = storage_volume_path(pool, snapshot);
	g_autofree char *from = parent ? storage_volume_path(pool, parent) : NULL;
	const char *const whole[] = { "btrfs", "send", path, NULL };
	const char *const difference[] = { "btrfs", "send", "-p", from, path, NULL };
	struct run spec = { .argv = from ? difference : whole,
			    .has_out = TRUE,
			    .out = fd,
			    .cancel = watch ? watch->cancel : NULL };

	return run(&spec, NULL, NULL, error);
}

/* The one entry of a directory. */
static char *only_child(const char *path)
{
	GDir *dir = g_dir_open(path, 0, NULL);
	const char *name = dir ? g_dir_read_name(dir) : NULL;
	char *child = name ? g_build_filename(path, name, NULL) : NULL;

	if (dir)
		g_dir_close(dir);
	return child;
}

static gboolean receive_in(struct storage_pool *pool, const struct storage_volume *target,
			   const char *place, int fd, const struct storage_watch *watch,
			   GError **error)
{
	const char *const argv[] = { "btrfs", "receive", "-e", place, NULL };
	struct run spec = {
		.argv = argv, .has_in = TRUE, .in = fd, .cancel = watch ? watch->cancel : NULL
	};
	g_autofree char *received = NULL, *path = storage_volume_path(pool, target);

	if (!run(&spec, NULL, NULL, error))
		return FALSE;
	received = only_child(place);
	if (!received)
		return fail(error, 500, "The stream holds no subvolume");
	/* A snapshot stays what was received: the next difference is found by that. */
	if (!target->snapshot)
		return btrfs_subvolume_snapshot(received, path, FALSE, error);
	if (!storage_parent(pool, target, error))
		return FALSE;
	/* What is read-only cannot leave its directory. */
	if (btrfs_util_set_subvolume_read_only(received, false) == BTRFS_UTIL_OK &&
	    rename(received, path) == 0 &&
	    btrfs_util_set_subvolume_read_only(path, true) == BTRFS_UTIL_OK)
		return TRUE;
	return fail_errno(error, errno, "Failed to rename \"%s\"", received);
}

gboolean btrfs_volume_receive(struct storage_pool *pool, const struct storage_volume *target,
			      int fd, const struct storage_watch *watch, GError **error)
{
	g_autofree char *mark = storage_mark("new", "receive-XXXXXX");
	g_autofree char *place =
		g_build_filename(pool->path, storage_volume_dir(target->type, FALSE), mark, NULL);
	g_autofree char *rest = NULL;
	gboolean ok;

	if (!g_mkdtemp(place))
		return fail_errno(error, errno, "Failed to create directory \"%s\"", place);
	ok = receive_in(pool, target, place, fd, watch, error);
	while ((rest = only_child(place)) && btrfs_subvolume_delete(rest, NULL))
		g_clear_pointer(&rest, g_free);
	copy_delete(place, NULL, NULL);
	return ok;
}
