/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the daemon does by itself at its times. One timer waits for the next moment that anything
 * is due; nothing runs and nothing wakes before. Jobs run one after the other on a thread that
 * lives only as long as there is something to do.
 */
#pragma once

#include <glib.h>
#include <time.h>

struct daemon;
struct schedule;

struct schedule_job {
	const char *name; /* for the log: "expire images" */
	gboolean (*run)(struct daemon *daemon, GError **error);
	gboolean at_start; /* is done once as the schedule begins, too */
	/* When it is due for the first time after AFTER (Unix seconds); -1: no time is known. */
	time_t (*next)(struct daemon *daemon, time_t after);
};

typedef void (*schedule_failed)(const struct schedule_job *job, const GError *error);

/*
 * JOBS, ended by one without a name, outlive it. The timer belongs to the main thread's loop.
 * FAILED (may be NULL) hears of a job that did not work; it is due again at its next time.
 */
struct schedule *schedule_new(struct daemon *daemon, const struct schedule_job *jobs,
			      schedule_failed failed);

/* On any thread: NEXT may say something else now. */
void schedule_changed(struct schedule *schedule);

/* Waits for a job that runs. On the main thread. NULL is allowed. */
void schedule_free(struct schedule *schedule);
