/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The steps in which a volume comes to be, for all the ways to fill one. */
#pragma once

#include "core/volume_job.h"

/* 409 when the volume is there; takes away what an earlier try left of job->fresh. */
gboolean volume_make_begin(struct volume_job *job, GError **error);

/* job->fresh, which is whole, becomes the volume, with the rows of it and of SNAPSHOTS (or NULL).
 */
gboolean volume_make_end(struct volume_job *job, const struct volume_new *what,
			 const char *const *snapshots, GError **error);

/* It does not. */
void volume_make_undo(struct volume_job *job);
