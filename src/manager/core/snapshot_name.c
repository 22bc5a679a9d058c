/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Patterns for names: a moment in the layout of an example, then a number. */
#include "core/snapshot_name.h"

#include <string.h>

#include "util/error.h"

/* Longer ones come before those that they begin with. FORMAT is g_date_time_format()'s. */
static const struct {
	const char *example, *format;
} layout[] = {
	{ "2006", "%Y" },  { "January", "%B" }, { "Jan", "%b" }, { "Monday", "%A" },
	{ "Mon", "%a" },   { "MST", "%Z" },	{ "01", "%m" },	 { "02", "%d" },
	{ "03", "%I" },	   { "04", "%M" },	{ "05", "%S" },	 { "06", "%y" },
	{ "15", "%H" },	   { "PM", "%p" },	{ "pm", "%P" },	 { "-07:00", "%:z" },
	{ "-0700", "%z" }, { "_2", "%e" },	{ "1", "%-m" },	 { "2", "%-d" },
	{ "3", "%-I" },	   { "4", "%-M" },	{ "5", "%-S" },
};

static char *format_date(GDateTime *when, const char *example)
{
	GString *format = g_string_new(NULL);
	char *text;

	while (*example) {
		gsize i = 0;

		while (i < G_N_ELEMENTS(layout) && !g_str_has_prefix(example, layout[i].example))
			i++;
		if (i < G_N_ELEMENTS(layout)) {
			g_string_append(format, layout[i].format);
			example += strlen(layout[i].example);
		} else if (*example == '%') {
			g_string_append(format, "%%");
			example++;
		} else {
			g_string_append_c(format, *example++);
		}
	}
	text = g_date_time_format(when, format->str);
	g_string_free(format, TRUE);
	return text;
}

/* What stands between the braces; NULL: nothing that is known. */
static char *expand(const char *inside, GDateTime *when)
{
	g_autofree char *word = g_strstrip(g_strdup(inside));
	const char *rest = word;
	gsize len;

	if (!g_str_has_prefix(word, "creation_date"))
		return NULL;
	rest += strlen("creation_date");
	while (*rest == ' ')
		rest++;
	if (!*rest)
		return g_date_time_format(when, "%Y-%m-%d %H:%M:%S %z");
	if (*rest++ != '|')
		return NULL;
	while (*rest == ' ')
		rest++;
	if (!g_str_has_prefix(rest, "date:"))
		return NULL;
	rest += strlen("date:");
	len = strlen(rest);
	if (len < 2 || (*rest != '\'' && *rest != '"') || rest[len - 1] != *rest)
		return NULL;
	word[strlen(word) - 1] = '\0';
	return format_date(when, rest + 1);
}

char *snapshot_pattern(const char *pattern, GDateTime *when, GError **error)
{
	g_autoptr(GString) text = g_string_new(NULL);

	for (;;) {
		const char *open = strstr(pattern, "{{");
		const char *close = open ? strstr(open, "}}") : NULL;
		g_autofree char *inside = close ? g_strndup(open + 2, (gsize)(close - open - 2))
						: NULL;
		g_autofree char *value = inside ? expand(inside, when) : NULL;

		if (!open)
			break;
		if (!value) {
			fail(error, 400, "Invalid snapshot pattern: %s", open);
			return NULL;
		}
		g_string_append_len(text, pattern, open - pattern);
		g_string_append(text, value);
		pattern = close + 2;
	}
	g_string_append(text, pattern);
	return g_strdup(text->str);
}

static gboolean is_taken(const json_t *taken, const char *name)
{
	json_t *one;
	size_t i;

	json_array_foreach(taken, i, one)
	{
		if (g_strcmp0(json_string_value(one), name) == 0)
			return TRUE;
	}
	return FALSE;
}

/* One more than the highest number that a name of this form has. */
static guint64 next_number(const char *before, const char *after, const json_t *taken)
{
	guint64 next = 0;
	json_t *one;
	size_t i;

	json_array_foreach(taken, i, one)
	{
		const char *name = json_string_value(one), *digits;
		char *end;
		guint64 number;

		if (!g_str_has_prefix(name, before))
			continue;
		digits = name + strlen(before);
		if (!g_ascii_isdigit(*digits))
			continue;
		number = g_ascii_strtoull(digits, &end, 10);
		if (strcmp(end, after) == 0 && number < G_MAXUINT32)
			next = MAX(next, number + 1);
	}
	return next;
}

char *snapshot_number(const char *pattern, const json_t *taken, GError **error)
{
	const char *mark = strstr(pattern, "%d");
	g_autofree char *before = NULL;

	if (mark && strstr(mark + 2, "%d")) {
		fail(error, 400, "Snapshot pattern may contain '%%d' only once");
		return NULL;
	}
	if (!mark && !is_taken(taken, pattern))
		return g_strdup(pattern);
	before = mark ? g_strndup(pattern, (gsize)(mark - pattern))
		      : g_strdup_printf("%s-", pattern);
	return g_strdup_printf("%s%" G_GUINT64_FORMAT "%s", before,
			       next_number(before, mark ? mark + 2 : "", taken),
			       mark ? mark + 2 : "");
}
