/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Spans as "1M 2H 3d 4w 5m 6y": minutes, hours, days, weeks, months, years. Errors are 400. */
#pragma once

#include <glib.h>
#include <time.h>

/* "" is fine: never. */
gboolean expiry_check(const char *text, GError **error);

/* *ret is 0 (never) for "". */
gboolean expiry_after(const char *text, time_t from, time_t *ret, GError **error);
