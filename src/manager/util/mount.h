/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The mounts that the manager makes, with the kernel's descriptor based calls (Linux 5.2). */
#pragma once

#include <glib.h>

/*
 * Mounts the file system TYPE of SOURCE ("/dev/loop0", "none") at TARGET. OPTIONS is a list with
 * commas in it ("ro,nosuid,user_subvol_rm_allowed"); may be NULL. The error has the kernel's words.
 */
gboolean mount_fs(const char *type, const char *source, const char *target, const char *options,
		  GError **error);

/* Binds SOURCE (a directory or a file) at TARGET; TARGET is not made. */
gboolean mount_bind(const char *source, const char *target, gboolean recursive, gboolean readonly,
		    GError **error);

/* A detached copy of the mount below PATH with owners as USERNS_FD has them (-1: as they are). */
int mount_detached(const char *path, gboolean recursive, gboolean readonly, int userns_fd,
		   GError **error);

/* Puts a detached mount at TARGET. */
gboolean mount_attach(int mount_fd, const char *target, GError **error);

/* Makes TARGET a mount of its own that is "shared", "slave" or "private". */
gboolean mount_propagation(const char *target, const char *how, GError **error);

/* Whether PATH is the root of a mount. */
gboolean mount_is_point(const char *path);

/* Unmounts what is mounted at PATH, all layers of it; success when nothing is. LAZY: detaches. */
gboolean mount_remove(const char *path, gboolean lazy, GError **error);

/* statfs's name for the file system that PATH is on: "btrfs", "ext4", ... or its number in hex. */
char *mount_fs_name(const char *path);
