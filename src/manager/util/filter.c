/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Filters of lists. Strings are compared as anchored patterns without regard to case; a pattern
 * that is none is compared as it stands.
 */
#include "util/filter.h"

#include <string.h>

#include "util/error.h"

#define VALUE_MAX 1024 /* longer values are no patterns */
#define CLAUSES_MAX 256
/* What a pattern may cost before it counts as not matching: PCRE's own limits are seconds. */
#define PATTERN_LIMITS "(*LIMIT_MATCH=20000)(*LIMIT_DEPTH=2000)"

struct clause {
	gboolean or, not, differs;
	char *field, *value;
	GRegex *pattern; /* NULL: VALUE is no pattern */
};

struct filter {
	GArray *clauses; /* of struct clause */
};

static void clause_clear(gpointer data)
{
	struct clause *clause = data;

	g_free(clause->field);
	g_free(clause->value);
	g_clear_pointer(&clause->pattern, g_regex_unref);
}

void filter_free(struct filter *filter)
{
	if (!filter)
		return;
	g_array_unref(filter->clauses);
	g_free(filter);
}

/* --- words ------------------------------------------------------------------------------ */

/* The next word, NULL at the end or with an error; what stands in quotes belongs to it. */
static char *next_word(const char **text, GError **error)
{
	g_autoptr(GString) word = NULL;
	const char *p = *text;
	char quote = '\0';

	while (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')
		p++;
	if (!*p) {
		*text = p;
		return NULL;
	}
	word = g_string_new(NULL);
	for (; *p && (quote || !strchr(" \t\n\r", *p)); p++) {
		if (quote ? *p == quote : *p == '"')
			quote = quote ? '\0' : *p;
		else
			g_string_append_c(word, *p);
	}
	*text = p;
	if (quote) {
		fail(error, 400, "Invalid filter: unterminated quote");
		return NULL;
	}
	return g_strdup(word->str);
}

static GPtrArray *split_words(const char *text, GError **error)
{
	g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);
	GError *problem = NULL;
	char *word;

	while ((word = next_word(&text, &problem)))
		g_ptr_array_add(words, word);
	if (problem) {
		g_propagate_error(error, problem);
		return NULL;
	}
	return g_steal_pointer(&words);
}

static gboolean word_is(const GPtrArray *words, guint i, const char *what)
{
	return i < words->len && !g_ascii_strcasecmp(words->pdata[i], what);
}

/* --- clauses ------------------------------------------------------------------------------ */

static GRegex *compile(const char *value)
{
	g_autofree char *pattern = NULL;
	gboolean anchored = strpbrk(value, "^$") != NULL;

	if (strlen(value) > VALUE_MAX || !g_utf8_validate(value, -1, NULL))
		return NULL;
	pattern = g_strdup_printf(PATTERN_LIMITS "%s%s%s", anchored ? "" : "^(?:", value,
				  anchored ? "" : ")$");
	return g_regex_new(pattern, G_REGEX_CASELESS, 0, NULL);
}

/* Reads FIELD OPERATOR VALUE at *I, with "not" before it or without. */
static gboolean parse_clause(const GPtrArray *words, guint *i, gboolean or, GArray *clauses,
			     GError **error)
{
	struct clause clause = { .or = or };

	if (word_is(words, *i, "not")) {
		clause.not = TRUE;
		if (++*i >= words->len)
			return fail(error, 400, "Invalid filter: incomplete not clause");
	}
	if (*i + 1 >= words->len)
		return fail(error, 400, "Invalid filter: clause has no operator");
	if (*i + 2 >= words->len)
		return fail(error, 400, "Invalid filter: clause has no value");
	if (clauses->len >= CLAUSES_MAX)
		return fail(error, 400, "Invalid filter: too many clauses");
	clause.differs = word_is(words, *i + 1, "ne");
	clause.field = g_strdup(words->pdata[*i]);
	clause.value = g_strdup(words->pdata[*i + 2]);
	clause.pattern = compile(clause.value);
	g_array_append_val(clauses, clause);
	*i += 3;
	return TRUE;
}

static gboolean parse_clauses(const GPtrArray *words, GArray *clauses, GError **error)
{
	gboolean or = FALSE;

	for (guint i = 0; i < words->len;) {
		if (!parse_clause(words, &i, or, clauses, error))
			return FALSE;
		if (i == words->len)
			break;
		or = word_is(words, i, "or");
		if (! or &&!word_is(words, i, "and"))
			return fail(error, 400, "Invalid filter: invalid clause composition");
		if (++i == words->len)
			return fail(error, 400, "Invalid filter: unterminated compound clause");
	}
	return TRUE;
}

struct filter *filter_parse(const char *text, GError **error)
{
	g_autoptr(GPtrArray) words = NULL;
	g_autoptr(filter_t) filter = NULL;

	if (!text)
		return NULL;
	words = split_words(text, error);
	if (!words || words->len == 0)
		return NULL;
	filter = g_new0(struct filter, 1);
	filter->clauses = g_array_new(FALSE, FALSE, sizeof(struct clause));
	g_array_set_clear_func(filter->clauses, clause_clear);
	if (!parse_clauses(words, filter->clauses, error))
		return NULL;
	return g_steal_pointer(&filter);
}

/* --- matching ------------------------------------------------------------------------------- */

/* Keys may have dots themselves: the whole rest is tried before its first part. */
static const json_t *value_at(const json_t *object, const char *field)
{
	while (json_is_object(object)) {
		const json_t *value = json_object_get(object, field);
		const char *dot = strchr(field, '.');
		g_autofree char *first = NULL;

		if (value || !dot)
			return value;
		first = g_strndup(field, (gsize)(dot - field));
		object = json_object_get(object, first);
		field = dot + 1;
	}
	return NULL;
}

static gboolean value_matches(const struct clause *clause, const json_t *value)
{
	g_autofree char *number = NULL;

	switch (value ? json_typeof(value) : JSON_NULL) {
	case JSON_STRING:
		if (clause->pattern)
			return g_regex_match(clause->pattern, json_string_value(value), 0, NULL);
		return !strcmp(json_string_value(value), clause->value);
	case JSON_TRUE:
	case JSON_FALSE:
		return !g_ascii_strcasecmp(clause->value, json_is_true(value) ? "true" : "false");
	case JSON_INTEGER:
		number = g_strdup_printf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
		return !strcmp(clause->value, number);
	default:
		return FALSE;
	}
}

gboolean filter_matches(const struct filter *filter, const json_t *object)
{
	gboolean match = TRUE;

	for (guint i = 0; filter && i < filter->clauses->len; i++) {
		const struct clause *clause = &g_array_index(filter->clauses, struct clause, i);
		gboolean one = value_matches(clause, value_at(object, clause->field));

		if (clause->differs)
			one = !one;
		if (clause->not )
			one = !one;
		match = clause->or ? match || one : match && one;
	}
	return match;
}
