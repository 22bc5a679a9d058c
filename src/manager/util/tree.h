/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Walks through trees that somebody else may have filled, or is changing meanwhile: everything is
 * reached by descriptors, no symlink is followed and no mount entered.
 */
#pragma once

#include <gio/gio.h>
#include <sys/stat.h>

/* Opens the directory NAME in DIR_FD: -1 with errno, EXDEV when it is a mount. */
int tree_open_entry(int dir_fd, const char *name);

/* The same for a path of several names below ROOT_FD. */
int tree_open(int root_fd, const char *path);

struct tree_entry {
	int dir_fd;	  /* the directory that it is in */
	const char *name; /* there; "." for the root */
	const char *path; /* from the root, for messages */
	const struct stat *st;
};

/*
 * Calls VISIT for PATH and all below it, a directory after what is in it, until it returns FALSE.
 * What vanishes meanwhile is passed over.
 */
typedef gboolean (*tree_visit)(const struct tree_entry *entry, void *data, GError **error);
gboolean tree_walk(const char *path, GCancellable *cancel, tree_visit visit, void *data,
		   GError **error);

/* Deletes NAME in DIR_FD with all below it, however deep; it need not exist. See copy_delete. */
gboolean tree_remove(int dir_fd, const char *name, GCancellable *cancel, GError **error);
