/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Schedules: five fields (minute, hour, day of the month, month, day of the week) or aliases as
 * "@daily, @startup", in local time. Errors are 400.
 */
#pragma once

#include <glib.h>
#include <time.h>

struct cron {
	guint64 minutes; /* a bit for each that matches */
	guint32 hours, days, months, weekdays;
	gboolean any_day, any_weekday; /* their field was "*": when none was, either may match */
};

/* One list of five fields, or one alias that stands for one. */
gboolean cron_parse(const char *text, struct cron *ret, GError **error);

gboolean cron_matches(const struct cron *cron, const struct tm *when);

/* The first matching minute after AFTER, local time; -1 when there is none in five years. */
time_t cron_next(const struct cron *cron, time_t after);

/* The value of snapshots.schedule: "" too, also a comma separated list of aliases. */
gboolean cron_check(const char *text, GError **error);

/* Whether SCHEDULE (valid or not) is due in the minute of NOW. ID spreads aliases over the hour. */
gboolean cron_due(const char *schedule, gint64 id, time_t now);

/* Whether @startup is in SCHEDULE. */
gboolean cron_has_startup(const char *schedule);
