/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Snapshots of instances: what was in the volume and in the rows at one moment, and the way back
 * there. Volume and rows of one always come, change and go together.
 */
#pragma once

#include "core/instance.h"

/*
 * Makes INST's snapshot NAME. EXPIRES: RFC 3339, CLOCK_ZERO for never, or NULL: as
 * snapshots.expiry says. One that runs is frozen meanwhile.
 */
gboolean snapshot_create(struct instance *inst, const char *name, const char *expires,
			 const struct requestor *who, GError **error);

/* The name that snapshots.pattern gives the next one ("snap%d" without); g_free. */
char *snapshot_next_name(const struct instance *inst, GError **error);

/* 400 unless a snapshot may be called so. */
gboolean snapshot_check_name(const char *name, GError **error);

/* SNAP is a picture of a snapshot in these. */
gboolean snapshot_rename(struct instance *snap, const char *name, const struct requestor *who,
			 GError **error);
gboolean snapshot_delete(struct instance *snap, const struct requestor *who, GError **error);

/* EXPIRES: RFC 3339 or CLOCK_ZERO. */
gboolean snapshot_set_expiry(struct instance *snap, const char *expires,
			     const struct requestor *who, GError **error);

/*
 * Makes INST what its snapshot NAME ("s0" or "c1/s0") is. One that runs is stopped and started
 * again.
 */
gboolean snapshot_restore(struct instance *inst, const char *name, const struct requestor *who,
			  GError **error);

/* Makes one when snapshots.schedule has @startup; holds INST's lock or not. */
gboolean snapshot_at_start(struct instance *inst, GError **error);

/*
 * Keeps what runs in INST from writing until snapshot_thaw(), which gets what this returned. A
 * daemon that was killed in between lets it go on by snapshot_startup().
 */
gboolean snapshot_freeze(const struct instance *inst);
void snapshot_thaw(const struct instance *inst, gboolean frozen);
void snapshot_startup(struct daemon *daemon);

/* Completes a restore in which a daemon was killed; the same start calls it. */
void snapshot_restore_again(struct instance *inst);
