/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the daemon does by itself: the table for its schedule, and what it looks at as it starts. */
#pragma once

#include "core/schedule.h"

/* All jobs, ended by one without a name. */
extern const struct schedule_job chores[];

/* Makes daemon->schedule of them, and keeps it in step with what clients change. */
void chores_start(struct daemon *daemon, schedule_failed failed);
/* Waits for the one that runs; can be called without a start. */
void chores_stop(struct daemon *daemon);

/*
 * Raises a warning for each thing that the host lacks and resolves those of what it has now.
 * ROOT stands before /proc and /sys: "" but in tests.
 */
gboolean chores_warn_of_host(struct daemon *daemon, const char *root, gboolean apparmor,
			     GError **error);
