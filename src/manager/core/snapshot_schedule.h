/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Snapshots that are due by their schedules, and the end of snapshots and backups. */
#pragma once

#include <time.h>

#include "daemon.h"

/*
 * What the minute of NOW asks for. A failure of one is logged and keeps none of the others. When
 * nothing is due it is two short queries.
 */
void snapshot_schedule_run(struct daemon *daemon, time_t now);

/* The same of this minute, for the daemon's schedule. Never fails. */
gboolean snapshot_schedule(struct daemon *daemon, GError **error);
