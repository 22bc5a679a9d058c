/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Moments as the API writes them: RFC 3339, UTC, with nanoseconds. */
#pragma once

#include <glib.h>
#include <time.h>

#define CLOCK_TEXT 40
#define CLOCK_ZERO "0001-01-01T00:00:00Z"  /* never, of snapshots and volumes */
#define CLOCK_EPOCH "1970-01-01T00:00:00Z" /* never, of an instance's last use and of images */

/* Writes "2026-11-23T06:17:44.810749267Z" to TEXT and returns it. */
const char *clock_text(struct timespec moment, char text[CLOCK_TEXT]);

struct timespec clock_now(void);
