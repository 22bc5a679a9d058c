/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The language of templates, run as it is read: a loop's body is read again for each item. */
#include <string.h>

#include "core/template.h"

struct reader {
	const char *text, *at;
	json_t *values; /* a shallow copy: loops put their variables into it */
	GString *output;
	unsigned depth, steps;
	GError *error;
};

#define STEPS_MAX 1000000 /* of tags run: loops in loops end */

static gboolean broken(struct reader *reader, const char *what)
{
	unsigned line = 1;

	for (const char *c = reader->text; c < reader->at; c++)
		line += *c == '\n';
	if (!reader->error)
		fail(&reader->error, 400, "line %u: %s", line, what);
	return FALSE;
}

/* --- expressions -------------------------------------------------------------------------- */

static json_t *read_or(struct reader *reader);

static void skip_space(struct reader *reader)
{
	while (g_ascii_isspace(*reader->at))
		reader->at++;
}

static gboolean is_word(char c)
{
	return g_ascii_isalnum(c) || c == '_';
}

/* Takes the sign or the whole word TOKEN when it is next. */
static gboolean take(struct reader *reader, const char *token)
{
	gsize len = strlen(token);

	skip_space(reader);
	if (strncmp(reader->at, token, len) != 0 || (is_word(*token) && is_word(reader->at[len])))
		return FALSE;
	reader->at += len;
	return TRUE;
}

static char *read_word(struct reader *reader)
{
	const char *start;

	skip_space(reader);
	start = reader->at;
	while (is_word(*reader->at))
		reader->at++;
	return g_strndup(start, (gsize)(reader->at - start));
}

static json_t *read_string(struct reader *reader)
{
	g_autoptr(GString) text = g_string_new(NULL);
	char quote = *reader->at++;

	while (*reader->at && *reader->at != quote) {
		if (*reader->at == '\\' && reader->at[1]) {
			reader->at++;
			g_string_append_c(text, *reader->at == 'n' ? '\n' : *reader->at);
		} else {
			g_string_append_c(text, *reader->at);
		}
		reader->at++;
	}
	if (!*reader->at) {
		broken(reader, "a string does not end");
		return NULL;
	}
	reader->at++;
	return json_string(text->str);
}

static gboolean is_true(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_STRING:
		return *json_string_value(value) != '\0';
	case JSON_ARRAY:
		return json_array_size(value) > 0;
	case JSON_OBJECT:
		return json_object_size(value) > 0;
	case JSON_INTEGER:
	case JSON_REAL:
		return json_number_value(value) != 0;
	default:
		return json_is_true(value);
	}
}

static char *as_text(const json_t *value)
{
	if (json_is_string(value))
		return g_strdup(json_string_value(value));
	if (!value || json_is_null(value))
		return g_strdup("");
	if (json_is_boolean(value))
		return g_strdup(json_is_true(value) ? "True" : "False");
	return json_print(value);
}

/* What has no value is null, as an absent key is. */
static json_t *member(const json_t *of, const char *name)
{
	json_t *value = json_is_array(of)
				? json_array_get(of, (size_t)g_ascii_strtoull(name, NULL, 10))
				: json_object_get(of, name);

	return value ? json_incref(value) : json_null();
}

/* config_get(KEY, WITHOUT), the one function there is. */
static json_t *read_call(struct reader *reader, const char *name)
{
	g_autoptr(json_t) key = NULL;
	g_autoptr(json_t) without = NULL;
	const json_t *found;

	if (strcmp(name, "config_get") != 0) {
		broken(reader, "there is no such function");
		return NULL;
	}
	key = read_or(reader);
	if (key && take(reader, ","))
		without = read_or(reader);
	if (!key || reader->error || !take(reader, ")")) {
		broken(reader, "a call does not end");
		return NULL;
	}
	found = json_object_get(json_object_get(reader->values, "config"),
				json_is_string(key) ? json_string_value(key) : "");
	if (found)
		return json_incref((json_t *)found);
	return without ? g_steal_pointer(&without) : json_string("");
}

static json_t *read_name(struct reader *reader)
{
	g_autofree char *name = read_word(reader);
	json_t *value;

	if (take(reader, "("))
		return read_call(reader, name);
	if (strcmp(name, "true") == 0 || strcmp(name, "True") == 0)
		return json_true();
	if (strcmp(name, "false") == 0 || strcmp(name, "False") == 0)
		return json_false();
	value = member(reader->values, name);
	for (;;) {
		g_autofree char *next = NULL;
		json_t *old = value;

		if (*reader->at == '.') {
			reader->at++;
			next = read_word(reader);
		} else if (take(reader, "[")) {
			g_autoptr(json_t) index = read_or(reader);

			next = as_text(index);
			if (!index || !take(reader, "]"))
				broken(reader, "an index does not end");
		} else {
			return value;
		}
		value = member(old, next);
		json_decref(old);
	}
}

static json_t *read_primary(struct reader *reader)
{
	json_t *value;

	skip_space(reader);
	if (reader->error)
		return NULL;
	if (*reader->at == '"' || *reader->at == '\'')
		return read_string(reader);
	if (g_ascii_isdigit(*reader->at) ||
	    (*reader->at == '-' && g_ascii_isdigit(reader->at[1]))) {
		char *end;
		gint64 number = g_ascii_strtoll(reader->at, &end, 10);

		reader->at = end;
		return json_integer(number);
	}
	if (take(reader, "(")) {
		if (++reader->depth > TEMPLATE_DEPTH) {
			broken(reader, "nested too deeply");
			return NULL;
		}
		value = read_or(reader);
		reader->depth--;
		if (value && !take(reader, ")"))
			broken(reader, "a bracket is not closed");
		return value;
	}
	if (is_word(*reader->at))
		return read_name(reader);
	broken(reader, "a value is missing");
	return NULL;
}

/* --- filters ---------------------------------------------------------------------------------- */

static json_t *filter_length(const json_t *value)
{
	if (json_is_string(value))
		return json_integer((json_int_t)g_utf8_strlen(json_string_value(value), -1));
	return json_integer((json_int_t)(json_is_array(value) ? json_array_size(value)
							      : json_object_size(value)));
}

static json_t *filter_join(const json_t *value, const char *between)
{
	g_autoptr(GString) text = g_string_new(NULL);
	json_t *item;
	size_t i;

	json_array_foreach(value, i, item)
	{
		g_autofree char *part = as_text(item);

		g_string_append_printf(text, "%s%s", i ? between : "", part);
	}
	return json_string(text->str);
}

static json_t *text_filter(const char *name, const char *text)
{
	g_autofree char *made = NULL;

	if (strcmp(name, "lower") == 0)
		made = g_utf8_strdown(text, -1);
	else if (strcmp(name, "upper") == 0)
		made = g_utf8_strup(text, -1);
	else if (strcmp(name, "trim") == 0)
		made = g_strstrip(g_strdup(text));
	else if (strcmp(name, "safe") == 0)
		made = g_strdup(text);
	else
		return NULL;
	return json_string(made);
}

/* Takes over VALUE. */
static json_t *apply_filter(struct reader *reader, const char *name, json_t *value,
			    const json_t *argument)
{
	g_autoptr(json_t) old = value;
	g_autofree char *text = as_text(value), *with = as_text(argument);
	json_t *made = NULL;

	if (strcmp(name, "default") == 0)
		return is_true(old) ? json_incref(old) : json_incref((json_t *)argument);
	if (strcmp(name, "length") == 0)
		return filter_length(old);
	if (strcmp(name, "join") == 0)
		return filter_join(old, with);
	made = text_filter(name, text);
	if (!made)
		broken(reader, "there is no such filter");
	return made;
}

static json_t *read_filtered(struct reader *reader)
{
	json_t *value = read_primary(reader);

	skip_space(reader);
	while (value && *reader->at == '|' && reader->at[1] != '|') {
		g_autofree char *name = NULL;
		g_autoptr(json_t) argument = NULL;

		reader->at++;
		name = read_word(reader);
		argument = take(reader, ":") ? read_primary(reader) : json_string("");
		if (!argument) {
			json_decref(value);
			return NULL;
		}
		value = apply_filter(reader, name, value, argument);
		skip_space(reader);
	}
	return value;
}

/* --- comparisons --------------------------------------------------------------------------------
 */

static int compare(const json_t *left, const json_t *right)
{
	g_autofree char *a = as_text(left), *b = as_text(right);
	double difference;

	if (!json_is_number(left) || !json_is_number(right))
		return strcmp(a, b);
	difference = json_number_value(left) - json_number_value(right);
	return (difference > 0) - (difference < 0);
}

static gboolean contains(const json_t *all, const json_t *value)
{
	g_autofree char *text = as_text(value);
	json_t *item;
	size_t i;

	if (json_is_string(all))
		return strstr(json_string_value(all), text) != NULL;
	json_array_foreach(all, i, item)
	{
		if (compare(item, value) == 0)
			return TRUE;
	}
	return json_object_get(all, text) != NULL;
}

static const char *const signs[] = { "==", "!=", "<>", "<=", ">=", "<", ">", "in", NULL };

static gboolean holds(const char *sign, const json_t *left, const json_t *right)
{
	int order = compare(left, right);

	if (strcmp(sign, "in") == 0)
		return contains(right, left);
	if (strcmp(sign, "==") == 0)
		return order == 0;
	if (strcmp(sign, "!=") == 0 || strcmp(sign, "<>") == 0)
		return order != 0;
	if (sign[1] == '=' && order == 0)
		return TRUE;
	return *sign == '<' ? order < 0 : order > 0;
}

static json_t *read_comparison(struct reader *reader)
{
	json_t *left = read_filtered(reader);

	for (const char *const *sign = signs; left && *sign; sign++) {
		g_autoptr(json_t) right = NULL;
		json_t *result;

		if (!take(reader, *sign))
			continue;
		right = read_filtered(reader);
		result = right ? json_boolean(holds(*sign, left, right)) : NULL;
		json_decref(left);
		return result;
	}
	return left;
}

static json_t *read_not(struct reader *reader)
{
	gboolean negated = FALSE;
	json_t *value, *result;

	while (take(reader, "not") || (strncmp(reader->at, "!=", 2) != 0 && take(reader, "!")))
		negated = !negated;
	value = read_comparison(reader);
	if (!negated || !value)
		return value;
	result = json_boolean(!is_true(value));
	json_decref(value);
	return result;
}

static json_t *read_chain(struct reader *reader, const char *word, const char *sign,
			  json_t *(*part)(struct reader *reader), gboolean all)
{
	json_t *left = part(reader);

	while (left && (take(reader, word) || take(reader, sign))) {
		g_autoptr(json_t) right = part(reader);
		gboolean result;

		if (!right) {
			json_decref(left);
			return NULL;
		}
		result = all ? is_true(left) && is_true(right) : is_true(left) || is_true(right);
		json_decref(left);
		left = json_boolean(result);
	}
	return left;
}

static json_t *read_and(struct reader *reader)
{
	return read_chain(reader, "and", "&&", read_not, TRUE);
}

static json_t *read_or(struct reader *reader)
{
	json_t *value = read_chain(reader, "or", "||", read_and, FALSE);

	if (value && reader->error)
		g_clear_pointer(&value, json_decref);
	return value;
}

/* --- text and tags
 * -------------------------------------------------------------------------------- */

static gboolean run_block(struct reader *reader, const char *const *ends, gboolean live,
			  const char **ret_end);

static gboolean end_tag(struct reader *reader)
{
	return take(reader, "%}") || take(reader, "-%}") || broken(reader, "a tag does not end");
}

static gboolean run_value(struct reader *reader, gboolean live)
{
	g_autoptr(json_t) value = read_or(reader);
	g_autofree char *text = value ? as_text(value) : NULL;

	if (!value || (!take(reader, "}}") && !take(reader, "-}}")))
		return broken(reader, "a value does not end");
	if (live)
		g_string_append(reader->output, text);
	return TRUE;
}

static gboolean run_if(struct reader *reader, gboolean live)
{
	static const char *const ends[] = { "elif", "else", "endif", NULL };
	const char *end = "elif";
	gboolean done = FALSE;

	while (strcmp(end, "elif") == 0) {
		g_autoptr(json_t) value = read_or(reader);
		gboolean now = value && is_true(value) && !done;

		if (!value || !end_tag(reader) || !run_block(reader, ends, live && now, &end))
			return FALSE;
		done |= now;
	}
	if (strcmp(end, "else") == 0 &&
	    (!end_tag(reader) || !run_block(reader, ends, live && !done, &end)))
		return FALSE;
	if (strcmp(end, "endif") != 0)
		return broken(reader, "{% endif %} is missing");
	return end_tag(reader);
}

/* Runs the body once for each item of LIST; once without output when there is none. */
static gboolean run_items(struct reader *reader, const char *name, const json_t *list,
			  gboolean live)
{
	static const char *const ends[] = { "endfor", NULL };
	g_autoptr(json_t) shadowed = member(reader->values, name);
	gboolean was_set = json_object_get(reader->values, name) != NULL;
	size_t n = live ? json_array_size(list) : 0;
	const char *body = reader->at, *end;
	size_t i = 0;

	do {
		reader->at = body;
		if (i < n)
			json_object_set(reader->values, name, json_array_get(list, i));
		if (!run_block(reader, ends, i < n, &end))
			return FALSE;
	} while (++i < n);
	if (was_set)
		json_object_set(reader->values, name, shadowed);
	else
		json_object_del(reader->values, name);
	return end_tag(reader);
}

/* Of an object its keys, as the language has it. */
static gboolean run_for(struct reader *reader, gboolean live)
{
	g_autofree char *name = read_word(reader);
	g_autoptr(json_t) list = NULL;
	const char *key;
	json_t *value;

	if (!*name || !take(reader, "in"))
		return broken(reader, "a loop without \"in\"");
	list = read_or(reader);
	if (!list || !end_tag(reader))
		return FALSE;
	if (json_is_object(list)) {
		json_t *keys = json_array();

		json_object_foreach(list, key, value) json_array_append_new(keys, json_string(key));
		json_decref(list);
		list = keys;
	}
	return run_items(reader, name, list, live);
}

/* TRUE with *ret_end set when the tag is one of ENDS. */
static gboolean run_tag(struct reader *reader, const char *const *ends, gboolean live,
			const char **ret_end)
{
	for (; ends && *ends; ends++) {
		if (take(reader, *ends)) {
			*ret_end = *ends;
			return TRUE;
		}
	}
	if (take(reader, "if"))
		return run_if(reader, live);
	if (take(reader, "for"))
		return run_for(reader, live);
	return broken(reader, "there is no such tag");
}

static gboolean skip_comment(struct reader *reader)
{
	const char *end = strstr(reader->at, "#}");

	if (!end)
		return broken(reader, "a comment does not end");
	reader->at = end + 2;
	return TRUE;
}

static gboolean run_one(struct reader *reader, const char *const *ends, gboolean live,
			const char **ret_end)
{
	if (++reader->steps > STEPS_MAX || reader->output->len > TEMPLATE_MAX)
		return broken(reader, "it becomes too long");
	if (take(reader, "{{-") || take(reader, "{{"))
		return run_value(reader, live);
	if (take(reader, "{%-") || take(reader, "{%"))
		return run_tag(reader, ends, live, ret_end);
	reader->at += 2;
	return skip_comment(reader);
}

static gboolean starts_tag(const char *at)
{
	return *at == '{' && (at[1] == '{' || at[1] == '%' || at[1] == '#');
}

static gboolean run_block(struct reader *reader, const char *const *ends, gboolean live,
			  const char **ret_end)
{
	gboolean ok = TRUE;

	*ret_end = NULL;
	if (++reader->depth > TEMPLATE_DEPTH)
		return broken(reader, "nested too deeply");
	while (ok && !*ret_end && *reader->at) {
		const char *start = reader->at;

		while (*reader->at && !starts_tag(reader->at))
			reader->at++;
		if (live)
			g_string_append_len(reader->output, start, reader->at - start);
		if (*reader->at)
			ok = run_one(reader, ends, live, ret_end);
	}
	reader->depth--;
	if (ok && ends && !*ret_end)
		return broken(reader, "a block does not end");
	return ok;
}

char *template_render(const char *text, const json_t *values, GError **error)
{
	struct reader reader = { .text = text,
				 .at = text,
				 .values = json_copy((json_t *)values),
				 .output = g_string_new(NULL) };
	const char *end;
	gboolean ok = run_block(&reader, NULL, TRUE, &end) && !reader.error;

	json_decref(reader.values);
	if (reader.error)
		g_propagate_error(error, reader.error);
	return g_string_free(reader.output, !ok);
}
