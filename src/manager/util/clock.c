/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Moments as the API writes them. */
#include "util/clock.h"

const char *clock_text(struct timespec moment, char text[CLOCK_TEXT])
{
	struct tm tm;

	gmtime_r(&moment.tv_sec, &tm);
	g_snprintf(text, CLOCK_TEXT, "%04d-%02d-%02dT%02d:%02d:%02d.%09ldZ", tm.tm_year + 1900,
		   tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, moment.tv_nsec);
	return text;
}

struct timespec clock_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now;
}
