/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Copies of trees with everything kept: owners, modes, times, extended attributes (ACLs and
 * capabilities with them), hard links, holes, devices, sockets and fifos. Data is shared with the
 * source where the file system can. No symlink is followed, no mount entered (a directory that is
 * one is made) and nothing outside of the two trees touched, whatever the source holds or whoever
 * changes it meanwhile.
 */
#pragma once

#include <gio/gio.h>

struct copy_progress {
	guint64 files, bytes; /* so far */
};

struct copy_options {
	gboolean refresh;     /* files of the same kind, size and time stay; what SOURCE lacks is
				 deleted */
	GCancellable *cancel; /* may be NULL */
	void (*progress)(const struct copy_progress *progress, void *data); /* may be NULL */
	void *data;
};

/*
 * Copies what the directory SOURCE holds, and its own owner, mode and times, to the directory
 * TARGET, which must exist and be empty unless refresh is set. OPTIONS may be NULL.
 */
gboolean copy_tree(const char *source, const char *target, const struct copy_options *options,
		   GError **error);

/* The same between directories that are open. */
gboolean copy_tree_at(int source_fd, int target_fd, const struct copy_options *options,
		      GError **error);

/*
 * Deletes PATH and all below it; it need not exist. Immutable and append-only marks are taken off,
 * subvolumes are emptied and removed, no symlink is followed, no mount below is entered.
 */
gboolean copy_delete(const char *path, GCancellable *cancel, GError **error);

/* The bytes that the files below PATH take, each hard link once; -1 and an error. */
gint64 copy_usage(const char *path, GError **error);
