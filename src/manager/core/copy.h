/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Instances from others: copies, what brings a copy up to date, and moves, in which rows and volume
 * come to another pool, project or name at once.
 */
#pragma once

#include "core/instance.h"

/*
 * A new instance with SOURCE's (an instance's or a snapshot's picture) content. What NEW's config
 * and devices lack is SOURCE's. SNAPSHOTS: they come along.
 */
struct instance *copy_create(struct instance *source, struct instance_new *new, gboolean snapshots,
			     GError **error);

/* Makes TARGET's content, which is stopped, and with SNAPSHOTS its snapshots what SOURCE's are. */
gboolean copy_refresh(struct instance *source, struct instance *target, gboolean snapshots,
		      GCancellable *cancel, GError **error);

/* Where an instance is to be; NULL: as it is. */
struct copy_place {
	const char *project, *name, *pool;
};

/* Stopped ones only, with their snapshots and backups. */
gboolean copy_move(struct instance *inst, const struct copy_place *to, GCancellable *cancel,
		   const struct requestor *who, GError **error);

/* Takes away the volumes that moves have left; for the daemon's start. */
void copy_startup(struct daemon *daemon);
