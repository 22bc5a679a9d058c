/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Spans of time by the calendar: a month later is the same day of the next month. */
#include "util/expiry.h"

#include <string.h>

#include "util/error.h"
#include "util/units.h"

#define YEARS_MAX 100000 /* so that a sum fits a time_t and its struct tm */

static const char unit_letters[] = "MHdwmy";

struct span {
	gint64 count[sizeof(unit_letters) - 1];
};

static gboolean parse_part(const char *part, struct span *span, GError **error)
{
	gsize digits = strspn(part, "0123456789");
	const char *unit = part[digits] ? strchr(unit_letters, part[digits]) : NULL;
	g_autofree char *number = g_strndup(part, digits);
	gint64 *count;

	if (digits == 0 || !unit || part[digits + 1])
		return fail(error, 400, "Invalid expiry expression");
	count = &span->count[unit - unit_letters];
	if (*count >= 0)
		return fail(error, 400, "Invalid expiry expression");
	if (!units_int64(number, count))
		return fail(error, 400, "strconv.Atoi: parsing \"%s\": value out of range", number);
	return TRUE;
}

static gboolean parse(const char *text, struct span *ret, GError **error)
{
	g_autofree char *copy = g_strdup(text);
	g_auto(GStrv) parts = g_strsplit(g_strstrip(copy), " ", 16);

	for (gsize i = 0; i < G_N_ELEMENTS(ret->count); i++)
		ret->count[i] = -1;
	for (char **part = parts; *part; part++)
		if (!parse_part(*part, ret, error))
			return FALSE;
	for (gsize i = 0; i < G_N_ELEMENTS(ret->count); i++)
		ret->count[i] = MAX(ret->count[i], 0);
	return TRUE;
}

gboolean expiry_check(const char *text, GError **error)
{
	struct span span;

	return !*text || parse(text, &span, error);
}

/* Cut to what fits an int of a struct tm; nobody waits that long. */
static int cut(gint64 value, gint64 most)
{
	return (int)MIN(value, most);
}

gboolean expiry_after(const char *text, time_t from, time_t *ret, GError **error)
{
	struct span span;
	struct tm tm;

	if (!*text) {
		*ret = 0;
		return TRUE;
	}
	if (!parse(text, &span, error))
		return FALSE;
	if (!gmtime_r(&from, &tm))
		return fail(error, 400, "Invalid expiry expression");
	tm.tm_min += cut(span.count[0], YEARS_MAX * 1000);
	tm.tm_hour += cut(span.count[1], YEARS_MAX * 1000);
	tm.tm_mday += cut(span.count[2], YEARS_MAX * 365) + cut(span.count[3], YEARS_MAX * 52) * 7;
	tm.tm_mon += cut(span.count[4], YEARS_MAX * 12);
	tm.tm_year += cut(span.count[5], YEARS_MAX);
	*ret = timegm(&tm);
	return TRUE;
}
