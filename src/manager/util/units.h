/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sizes, rates, percentages and sets of CPUs as configurations have them. Errors are 400. */
#pragma once

#include <glib.h>

/* "10", "10B", "5kB" (1000), "5KiB" (1024) ... EB, EiB; "" is 0. In bytes. */
gboolean units_size(const char *text, gint64 *ret, GError **error);

/* "10Mbit" (10^6), "10Mibit" (2^20) ...; "" is 0. In bits. */
gboolean units_bits(const char *text, gint64 *ret, GError **error);

/* "50%" of WHOLE, or a size. */
gboolean units_size_or_percent(const char *text, gint64 whole, gint64 *ret, GError **error);

/* Whether TEXT is a whole number of percents, as "50%"; *ret (may be NULL) is 50. */
gboolean units_percent(const char *text, int *ret);

/* In decimal units, as progress is shown: "1.23MB". Free with g_free. */
char *units_show(gint64 bytes, int decimals);

gboolean units_int64(const char *text, gint64 *ret);
gboolean units_uint32(const char *text, guint32 *ret);
/* true, 1, yes, on and false, 0, no, off, in any case; ret may be NULL. */
gboolean units_bool(const char *text, gboolean *ret);

#define UNITS_CPUS 4096 /* no CPU's number is as high */

/* "0-3,7": the CPUs' numbers in order (guint), or NULL. Free with g_array_unref. */
GArray *units_cpu_set(const char *text, GError **error);

/* limits.cpu: "4" sets *ret_count and *ret_set NULL; "0-3" sets the set and its size. */
gboolean units_cpu_limit(const char *text, unsigned *ret_count, GArray **ret_set, GError **error);

/* limits.cpu.allowance. */
struct units_allowance {
	gboolean hard; /* quota and period, else percent: a weight */
	int percent;
	gint64 quota, period; /* microseconds */
};
gboolean units_allowance(const char *text, struct units_allowance *ret, GError **error);
