/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files as block devices, for pools without a disk of their own. */
#pragma once

#include <glib.h>

/*
 * Makes PATH of SIZE bytes, none of them allocated; 0: a fifth of what is free below it, but
 * 5 GiB at least and 30 GiB at most. *ret_size is what it got. PATH must not exist.
 */
gboolean loop_create(const char *path, guint64 size, guint64 *ret_size, GError **error);

/*
 * Attaches PATH to a free device, "/dev/loop7" in *ret_device (free with g_free). The device lets
 * go of the file when it was mounted and the returned descriptor is closed. -1 and an error.
 */
int loop_attach(const char *path, char **ret_device, GError **error);

/* Tells the device behind a mount's source that its file has a new size. */
gboolean loop_resize(const char *device, GError **error);
