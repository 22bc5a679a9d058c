/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The names of snapshots that nobody names: what snapshots.pattern makes of a moment. */
#pragma once

#include <glib.h>
#include <jansson.h>

/*
 * PATTERN with {{ creation_date }} and {{ creation_date|date:'2006-01-02_15-04-05' }} in place of
 * WHEN, in local time. The layout shows the moment Mon Jan 2 15:04:05 2006. 400 for anything else
 * in braces. Free with g_free.
 */
char *snapshot_pattern(const char *pattern, GDateTime *when, GError **error);

/*
 * The next name after those in TAKEN (an array of strings): "%d" in PATTERN counts up, and a name
 * without it that is taken gets "-0", "-1" ... Free with g_free.
 */
char *snapshot_number(const char *pattern, const json_t *taken, GError **error);
