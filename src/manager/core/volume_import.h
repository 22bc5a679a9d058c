/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A volume with its snapshots from outside. */
#pragma once

#include "core/volume.h"

/* Fills PATH, an empty directory, with SNAPSHOT's files (NULL: the volume's). */
typedef gboolean (*volume_fill_part)(const char *path, const char *snapshot, GCancellable *cancel,
				     void *data, GError **error);

/* SNAPSHOTS: names, oldest first, ended by NULL. 409 when the volume exists. */
gboolean volume_import(struct daemon *daemon, const struct volume_ref *ref,
		       const char *const *snapshots, const struct volume_new *what,
		       volume_fill_part fill, void *data, GError **error);
