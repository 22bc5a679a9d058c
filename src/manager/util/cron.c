/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Schedules as sets of bits, one for each minute, hour, day, month and weekday. */
#include "util/cron.h"

#include <string.h>

#include "util/error.h"
#include "util/units.h"

#define FORM "Schedule must be of the form: <minute> <hour> <day-of-month> <month> <day-of-week>"
#define MINUTES_MAX (5LL * 366 * 24 * 60) /* how far ahead a match is looked for */

static const char *const month_names[] = { "jan", "feb", "mar", "apr", "may", "jun", "jul",
					   "aug", "sep", "oct", "nov", "dec", NULL };
static const char *const weekday_names[] = {
	"sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL
};

struct field {
	guint64 min, max;
	const char *const *names; /* of MIN, MIN + 1 ...; NULL: none */
};

static const struct field fields[] = {
	{ 0, 59, NULL },	{ 0, 23, NULL },	 { 1, 31, NULL },
	{ 1, 12, month_names }, { 0, 6, weekday_names },
};

/* --- parsing ---------------------------------------------------------------------------- */

static gboolean parse_number(const struct field *field, const char *text, guint64 *ret,
			     GError **error)
{
	gint64 value;

	for (guint64 i = 0; field->names && field->names[i]; i++) {
		if (!g_ascii_strcasecmp(field->names[i], text)) {
			*ret = field->min + i;
			return TRUE;
		}
	}
	if (!units_int64(text, &value))
		return fail(error, 400,
			    "Error parsing schedule: failed to parse int from %s: strconv.Atoi:"
			    " parsing \"%s\": invalid syntax",
			    text, text);
	if (value < 0)
		return fail(error, 400,
			    "Error parsing schedule: negative number (%s) not allowed: %s", text,
			    text);
	*ret = (guint64)value;
	return TRUE;
}

static gboolean is_star(const char *text)
{
	return !strcmp(text, "*") || !strcmp(text, "?");
}

/* "*", "5" or "1-5"; *ret_single when it is one number, which "/step" continues to the end. */
static gboolean parse_bounds(const struct field *field, char *text, guint64 *low, guint64 *high,
			     gboolean *ret_single, GError **error)
{
	char *dash = strchr(text, '-');

	*ret_single = FALSE;
	if (dash && strchr(dash + 1, '-'))
		return fail(error, 400, "Error parsing schedule: too many hyphens: %s", text);
	if (dash) {
		*dash = '\0';
		if (is_star(text)) {
			*low = field->min;
			*high = field->max;
			return TRUE;
		}
		return parse_number(field, text, low, error) &&
		       parse_number(field, dash + 1, high, error);
	}
	*low = field->min;
	*high = field->max;
	if (is_star(text))
		return TRUE;
	if (!parse_number(field, text, low, error))
		return FALSE;
	*high = *low;
	*ret_single = TRUE;
	return TRUE;
}

static gboolean check_range(const struct field *field, const char *text, guint64 low, guint64 high,
			    guint64 step, GError **error)
{
	if (low < field->min)
		return fail(error, 400,
			    "Error parsing schedule: beginning of range (%" G_GUINT64_FORMAT
			    ") below minimum (%" G_GUINT64_FORMAT "): %s",
			    low, field->min, text);
	if (high > field->max)
		return fail(error, 400,
			    "Error parsing schedule: end of range (%" G_GUINT64_FORMAT
			    ") above maximum (%" G_GUINT64_FORMAT "): %s",
			    high, field->max, text);
	if (low > high)
		return fail(error, 400,
			    "Error parsing schedule: beginning of range (%" G_GUINT64_FORMAT
			    ") beyond end of range (%" G_GUINT64_FORMAT "): %s",
			    low, high, text);
	if (step == 0)
		return fail(error, 400,
			    "Error parsing schedule: step of range should be a positive number: %s",
			    text);
	return TRUE;
}

static gboolean parse_range(const struct field *field, const char *text, guint64 *bits,
			    GError **error)
{
	static const struct field any_number = { 0, G_MAXUINT64, NULL };
	g_auto(GStrv) parts = g_strsplit(text, "/", 3);
	guint64 low, high, step = 1;
	gboolean single;

	if (!parts[0] || (parts[1] && parts[2]))
		return fail(error, 400, "Error parsing schedule: too many slashes: %s", text);
	if (!parse_bounds(field, parts[0], &low, &high, &single, error))
		return FALSE;
	if (parts[1]) {
		if (!parse_number(&any_number, parts[1], &step, error))
			return FALSE;
		if (single)
			high = field->max;
	}
	if (!check_range(field, text, low, high, step, error))
		return FALSE;
	for (guint64 i = low; i <= high; i += MIN(step, 64))
		*bits |= G_GUINT64_CONSTANT(1) << i;
	return TRUE;
}

static gboolean parse_field(const struct field *field, const char *text, guint64 *ret,
			    GError **error)
{
	g_auto(GStrv) ranges = g_strsplit(text, ",", -1);
	guint64 bits = 0;

	for (char **range = ranges; *range; range++)
		if (**range && !parse_range(field, *range, &bits, error))
			return FALSE;
	*ret = bits;
	return TRUE;
}

/* What one alias stands for; NULL: none. "@startup" and "@never" stand for no moment. */
static const char *alias_fields(const char *text)
{
	static const struct {
		const char *alias, *fields;
	} aliases[] = {
		{ "@hourly", "0 * * * *" },   { "@daily", "0 0 * * *" },
		{ "@midnight", "0 0 * * *" }, { "@weekly", "0 0 * * 0" },
		{ "@monthly", "0 0 1 * *" },  { "@annually", "0 0 1 1 *" },
		{ "@yearly", "0 0 1 1 *" },
	};

	for (gsize i = 0; i < G_N_ELEMENTS(aliases); i++)
		if (!g_ascii_strcasecmp(text, aliases[i].alias))
			return aliases[i].fields;
	return NULL;
}

gboolean cron_parse(const char *text, struct cron *ret, GError **error)
{
	const char *alias = alias_fields(text);
	g_autofree char *lower = g_ascii_strdown(alias ? alias : text, -1);
	g_auto(GStrv) parts = g_strsplit(lower, " ", 6);
	guint64 bits[G_N_ELEMENTS(fields)];

	if (g_strv_length(parts) != G_N_ELEMENTS(fields) || strstr(lower, ", "))
		return fail(error, 400, FORM);
	if (*lower == '@')
		return fail(error, 400, "Error parsing schedule: unrecognized descriptor: %s",
			    text);
	for (gsize i = 0; i < G_N_ELEMENTS(fields); i++) {
		if (!*parts[i])
			return fail(error, 400, FORM);
		if (!parse_field(&fields[i], parts[i], &bits[i], error))
			return FALSE;
	}
	*ret = (struct cron){
		.minutes = bits[0],
		.hours = (guint32)bits[1],
		.days = (guint32)bits[2],
		.months = (guint32)bits[3],
		.weekdays = (guint32)bits[4],
		.any_day = is_star(parts[2]),
		.any_weekday = is_star(parts[4]),
	};
	return TRUE;
}

/* --- matching ----------------------------------------------------------------------------- */

static gboolean day_matches(const struct cron *cron, const struct tm *when)
{
	gboolean day = cron->days >> when->tm_mday & 1;
	gboolean weekday = cron->weekdays >> when->tm_wday & 1;

	if (!(cron->months >> (when->tm_mon + 1) & 1))
		return FALSE;
	return cron->any_day || cron->any_weekday ? day && weekday : day || weekday;
}

gboolean cron_matches(const struct cron *cron, const struct tm *when)
{
	return day_matches(cron, when) && cron->hours >> when->tm_hour & 1 &&
	       cron->minutes >> when->tm_min & 1;
}

/* Steps by whole minutes of real time, in which every local minute that exists occurs. */
time_t cron_next(const struct cron *cron, time_t after)
{
	time_t when = after - after % 60 + 60;
	time_t last = after + MINUTES_MAX * 60;
	struct tm tm;

	while (when < last && localtime_r(&when, &tm)) {
		if (cron_matches(cron, &tm))
			return when;
		/* Up to the next hour when this one is out; hours begin at whole minutes. */
		if (day_matches(cron, &tm) && cron->hours >> tm.tm_hour & 1)
			when += 60;
		else
			when += (60 - tm.tm_min) * 60;
	}
	return -1;
}

/* --- what snapshots.schedule holds ----------------------------------------------------------- */

static gboolean is_alias(const char *text)
{
	return alias_fields(text) || !g_ascii_strcasecmp(text, "@startup") ||
	       !g_ascii_strcasecmp(text, "@never");
}

/* The aliases of a list; NULL when TEXT is none. */
static char **alias_list(const char *text)
{
	g_auto(GStrv) parts = g_strsplit(text, ", ", -1);

	for (char **part = parts; *part; part++)
		if (!is_alias(*part))
			return NULL;
	return *parts ? g_steal_pointer(&parts) : NULL;
}

gboolean cron_check(const char *text, GError **error)
{
	g_auto(GStrv) aliases = alias_list(text);
	struct cron cron;

	return !*text || aliases || cron_parse(text, &cron, error);
}

/* Each object does it at another minute, so that not all do it at once; always the same one. */
static gboolean alias_due(const char *alias, gint64 id, const struct tm *now)
{
	guint64 spread = (guint64)id * G_GUINT64_CONSTANT(11400714819323198485);
	struct cron cron;

	if (!alias_fields(alias) || !cron_parse(alias, &cron, NULL))
		return FALSE;
	cron.minutes = G_GUINT64_CONSTANT(1) << (spread >> 32) % 60;
	if (g_ascii_strcasecmp(alias, "@hourly") && g_ascii_strcasecmp(alias, "@midnight"))
		cron.hours = 1U << (spread >> 40) % 24;
	return cron_matches(&cron, now);
}

gboolean cron_due(const char *schedule, gint64 id, time_t now)
{
	g_auto(GStrv) aliases = alias_list(schedule);
	struct cron cron;
	struct tm tm;

	if (!*schedule || !localtime_r(&now, &tm))
		return FALSE;
	for (char **alias = aliases; alias && *alias; alias++)
		if (alias_due(*alias, id, &tm))
			return TRUE;
	return !aliases && cron_parse(schedule, &cron, NULL) && cron_matches(&cron, &tm);
}

gboolean cron_has_startup(const char *schedule)
{
	g_auto(GStrv) aliases = alias_list(schedule);

	for (char **alias = aliases; alias && *alias; alias++)
		if (!g_ascii_strcasecmp(*alias, "@startup"))
			return TRUE;
	return FALSE;
}
