/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * YAML by libyaml, with the rules of YAML 1.1 for what a plain scalar is: they decide how one is
 * read, and whether a string needs quotes when it is written.
 */
#include "util/yaml.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "util/error.h"
#include "util/json.h"

#define DEPTH_MAX 100
#define ALIASES_MAX 10000 /* nodes that aliases may add, beyond twice what is written */

/* --- plain scalars --------------------------------------------------------------------- */

enum scalar {
	SCALAR_STRING,
	SCALAR_NULL,
	SCALAR_TRUE,
	SCALAR_FALSE,
	SCALAR_INT,
	SCALAR_REAL,
	SCALAR_TIME,
	SCALAR_MERGE,
};

static const struct {
	const char *word;
	enum scalar scalar;
} words[] = {
	{ "", SCALAR_NULL },	   { "~", SCALAR_NULL },      { "null", SCALAR_NULL },
	{ "Null", SCALAR_NULL },   { "NULL", SCALAR_NULL },   { "y", SCALAR_TRUE },
	{ "Y", SCALAR_TRUE },	   { "yes", SCALAR_TRUE },    { "Yes", SCALAR_TRUE },
	{ "YES", SCALAR_TRUE },	   { "true", SCALAR_TRUE },   { "True", SCALAR_TRUE },
	{ "TRUE", SCALAR_TRUE },   { "on", SCALAR_TRUE },     { "On", SCALAR_TRUE },
	{ "ON", SCALAR_TRUE },	   { "n", SCALAR_FALSE },     { "N", SCALAR_FALSE },
	{ "no", SCALAR_FALSE },	   { "No", SCALAR_FALSE },    { "NO", SCALAR_FALSE },
	{ "false", SCALAR_FALSE }, { "False", SCALAR_FALSE }, { "FALSE", SCALAR_FALSE },
	{ "off", SCALAR_FALSE },   { "Off", SCALAR_FALSE },   { "OFF", SCALAR_FALSE },
	{ ".nan", SCALAR_REAL },   { ".NaN", SCALAR_REAL },   { ".NAN", SCALAR_REAL },
	{ ".inf", SCALAR_REAL },   { ".Inf", SCALAR_REAL },   { ".INF", SCALAR_REAL },
	{ "+.inf", SCALAR_REAL },  { "+.Inf", SCALAR_REAL },  { "+.INF", SCALAR_REAL },
	{ "-.inf", SCALAR_REAL },  { "-.Inf", SCALAR_REAL },  { "-.INF", SCALAR_REAL },
	{ "<<", SCALAR_MERGE },
};

static const char *digits(const char *at)
{
	while (g_ascii_isdigit(*at))
		at++;
	return at;
}

/* 1, -1.5, .5e3: without underscores. */
static gboolean is_real(const char *text)
{
	const char *at = text + (*text == '-' || *text == '+');
	const char *end = digits(at);

	if (*end == '.' && (end > at || g_ascii_isdigit(end[1])))
		end = digits(end + 1);
	else if (end == at)
		return FALSE;
	if (*end == 'e' || *end == 'E') {
		at = end + 1 + (end[1] == '-' || end[1] == '+');
		end = digits(at);
		if (end == at)
			return FALSE;
	}
	return !*end && g_ascii_strtod(text, NULL) <= G_MAXDOUBLE &&
	       g_ascii_strtod(text, NULL) >= -G_MAXDOUBLE;
}

/* Decimal, 0x, 0b, 0o or a leading 0 for octal; what fits in 64 bits, with or without a sign. */
static gboolean to_int(const char *text, gint64 *ret)
{
	gboolean negative = *text == '-';
	const char *at = text + (negative || *text == '+');
	char *end;
	guint64 value;
	int base = 10;

	if (at[0] == '0' && at[1]) {
		char kind = g_ascii_tolower(at[1]);

		base = kind == 'x' ? 16 : kind == 'b' ? 2 : 8;
		at += kind == 'x' || kind == 'b' || kind == 'o' ? 2 : 1;
	}
	if (!g_ascii_isxdigit(*at))
		return FALSE;
	errno = 0;
	value = g_ascii_strtoull(at, &end, (guint)base);
	if (*end || errno || (negative && value > (guint64)G_MAXINT64 + 1))
		return FALSE;
	*ret = negative ? (gint64)(0 - value) : (gint64)value;
	return TRUE;
}

/* A number of one or two digits from LOW to HIGH, and then TAIL (0: anything). */
static const char *two_digits(const char *at, int low, int high, char tail)
{
	const char *end = digits(at);
	int number = atoi(at);

	if (end == at || end - at > 2 || number < low || number > high || (tail && *end != tail))
		return NULL;
	return end;
}

/* "Z" or "-05:00" to the end. */
static gboolean is_zone(const char *at)
{
	if (*at == 'Z')
		return !at[1];
	return (*at == '+' || *at == '-') && digits(at + 1) == at + 3 && at[3] == ':' &&
	       digits(at + 4) == at + 6 && !at[6];
}

/* 2001-12-14, 2001-12-14 21:59:43.1, 2001-12-14t21:59:43.10-05:00 */
static gboolean is_time(const char *text)
{
	const char *at = digits(text), *month;
	gboolean has_zone;

	if (at - text != 4 || *at != '-' || !(month = two_digits(at + 1, 1, 12, '-')) ||
	    !(at = two_digits(month + 1, 1, 31, 0)) ||
	    !g_date_valid_dmy((GDateDay)atoi(month + 1), (GDateMonth)atoi(text + 5),
			      (GDateYear)atoi(text)))
		return FALSE;
	if (!*at)
		return TRUE;
	if (!strchr("Tt ", *at))
		return FALSE;
	has_zone = *at != ' ';
	if (!(at = two_digits(at + 1, 0, 23, ':')) || !(at = two_digits(at + 1, 0, 59, ':')) ||
	    !(at = two_digits(at + 1, 0, 59, 0)))
		return FALSE;
	if (*at == '.')
		at = digits(at + 1);
	return has_zone ? is_zone(at) : !*at;
}

static enum scalar numeric(const char *text, gint64 *ret_int)
{
	g_auto(GStrv) parts = g_strsplit(text, "_", -1);
	g_autofree char *plain = g_strjoinv("", parts);

	if (to_int(plain, ret_int))
		return SCALAR_INT;
	return is_real(plain) ? SCALAR_REAL : SCALAR_STRING;
}

/* What a reader takes TEXT for when it stands there without quotes. */
static enum scalar scalar_of(const char *text, gint64 *ret_int)
{
	for (gsize i = 0; i < G_N_ELEMENTS(words); i++)
		if (strcmp(words[i].word, text) == 0)
			return words[i].scalar;
	if (is_time(text))
		return SCALAR_TIME;
	if (!g_ascii_isdigit(*text) && !strchr("+-.", *text))
		return SCALAR_STRING;
	return numeric(text, ret_int);
}

/* --- reading ------------------------------------------------------------------------------ */

struct reading {
	yaml_document_t *document;
	enum yaml_types types;
	gint64 left; /* how many nodes may still be made */
};

static json_t *value_of(struct reading *reading, const yaml_node_t *node, int depth,
			GError **error);

static json_t *real_of(const char *text)
{
	g_auto(GStrv) parts = g_strsplit(text, "_", -1);
	g_autofree char *plain = g_strjoinv("", parts);

	/* JSON has no infinity: it stays the word. */
	return is_real(plain) ? json_real(g_ascii_strtod(plain, NULL)) : json_string(text);
}

static json_t *scalar_value(const struct reading *reading, const yaml_node_t *node)
{
	const char *text = (const char *)node->data.scalar.value;
	enum scalar scalar = SCALAR_STRING;
	gint64 number = 0;

	if (strlen(text) != node->data.scalar.length)
		return NULL;
	if (node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
		scalar = scalar_of(text, &number);
	if (scalar == SCALAR_NULL)
		return json_null();
	if (reading->types == YAML_TYPED && (scalar == SCALAR_TRUE || scalar == SCALAR_FALSE))
		return json_boolean(scalar == SCALAR_TRUE);
	if (reading->types == YAML_TYPED && scalar == SCALAR_INT)
		return json_integer(number);
	if (reading->types == YAML_TYPED && scalar == SCALAR_REAL)
		return real_of(text);
	return json_stringn(text, node->data.scalar.length);
}

static json_t *sequence_value(struct reading *reading, const yaml_node_t *node, int depth,
			      GError **error)
{
	g_autoptr(json_t) array = json_array();

	for (yaml_node_item_t *item = node->data.sequence.items.start;
	     item < node->data.sequence.items.top; item++) {
		json_t *value = value_of(reading, yaml_document_get_node(reading->document, *item),
					 depth, error);

		if (!value)
			return NULL;
		json_array_append_new(array, value);
	}
	return g_steal_pointer(&array);
}

/* "<<: *other" brings other's keys where the mapping has none of its own. */
static gboolean merge(json_t *object, const json_t *from)
{
	const json_t *value;
	size_t i;

	if (json_is_object(from))
		return json_object_update_missing(object, (json_t *)from) == 0;
	json_array_foreach(from, i,
			   value) if (!json_is_object(value) || !merge(object, value)) return FALSE;
	return json_is_array(from);
}

static gboolean is_merge(const yaml_node_t *key)
{
	return key->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	       strcmp((const char *)key->data.scalar.value, "<<") == 0;
}

static gboolean add_pair(struct reading *reading, const yaml_node_pair_t *pair, json_t *object,
			 json_t *merged, int depth, GError **error)
{
	const yaml_node_t *key = yaml_document_get_node(reading->document, pair->key);
	const yaml_node_t *node = yaml_document_get_node(reading->document, pair->value);
	g_autoptr(json_t) value = NULL;
	gsize line = key->start_mark.line + 1;

	if (key->type != YAML_SCALAR_NODE ||
	    strlen((const char *)key->data.scalar.value) != key->data.scalar.length)
		return fail(error, 400, "yaml: line %" G_GSIZE_FORMAT ": invalid map key", line);
	value = value_of(reading, node, depth, error);
	if (!value)
		return FALSE;
	if (is_merge(key))
		return merge(merged, value) ||
		       fail(error, 400,
			    "yaml: map merge requires map or sequence of maps as the value");
	if (json_object_setn(object, (const char *)key->data.scalar.value, key->data.scalar.length,
			     value) < 0)
		return fail(error, 400, "yaml: line %" G_GSIZE_FORMAT ": invalid map key", line);
	return TRUE;
}

static json_t *mapping_value(struct reading *reading, const yaml_node_t *node, int depth,
			     GError **error)
{
	g_autoptr(json_t) object = json_object();
	g_autoptr(json_t) merged = json_object();

	for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
	     pair < node->data.mapping.pairs.top; pair++)
		if (!add_pair(reading, pair, object, merged, depth, error))
			return NULL;
	json_object_update_missing(object, merged);
	return g_steal_pointer(&object);
}

static json_t *value_of(struct reading *reading, const yaml_node_t *node, int depth, GError **error)
{
	json_t *value;

	if (depth > DEPTH_MAX || --reading->left < 0) {
		fail(error, 400, "yaml: document contains excessive aliasing");
		return NULL;
	}
	if (node->type == YAML_MAPPING_NODE)
		return mapping_value(reading, node, depth + 1, error);
	if (node->type == YAML_SEQUENCE_NODE)
		return sequence_value(reading, node, depth + 1, error);
	value = scalar_value(reading, node);
	if (!value)
		fail(error, 400, "yaml: line %zu: invalid UTF-8 or a zero byte",
		     node->start_mark.line + 1);
	return value;
}

static json_t *document_value(yaml_document_t *document, enum yaml_types types, GError **error)
{
	struct reading reading = { .document = document, .types = types };
	const yaml_node_t *root = yaml_document_get_root_node(document);

	reading.left = 2 * (document->nodes.top - document->nodes.start) + ALIASES_MAX;
	return root ? value_of(&reading, root, 0, error) : json_null();
}

json_t *yaml_parse(const char *text, gsize len, enum yaml_types types, GError **error)
{
	yaml_parser_t parser;
	yaml_document_t document;
	json_t *value = NULL;

	if (!yaml_parser_initialize(&parser)) {
		fail(error, 500, "Out of memory");
		return NULL;
	}
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	if (yaml_parser_load(&parser, &document)) {
		value = document_value(&document, types, error);
		yaml_document_delete(&document);
	} else {
		fail(error, 400, "yaml: line %zu: %s", parser.problem_mark.line + 1,
		     parser.problem ? parser.problem : "out of memory");
	}
	yaml_parser_delete(&parser);
	return value;
}

/* --- writing ------------------------------------------------------------------------------- */

/* Digits as numbers, letters after everything else. */
static int compare_keys(const void *one, const void *other)
{
	const char *a = *(const char *const *)one, *b = *(const char *const *)other;
	gsize i = 0;

	while (a[i] && a[i] == b[i])
		i++;
	if (!a[i] || !b[i])
		return (a[i] != 0) - (b[i] != 0);
	if (g_ascii_isdigit(a[i]) && g_ascii_isdigit(b[i])) {
		gint64 left, right;

		while (i > 0 && g_ascii_isdigit(a[i - 1]))
			i--;
		left = g_ascii_strtoll(a + i, NULL, 10);
		right = g_ascii_strtoll(b + i, NULL, 10);
		if (left != right)
			return left < right ? -1 : 1;
		return digits(a + i) - (a + i) < digits(b + i) - (b + i) ? -1 : 1;
	}
	if (g_ascii_isalpha(a[i]) != g_ascii_isalpha(b[i]))
		return g_ascii_isalpha(a[i]) ? 1 : -1;
	return (int)(guint8)a[i] - (int)(guint8)b[i];
}

/* "1:30" is a number to base 60 for some readers. */
static gboolean is_base60(const char *text)
{
	const char *at = text + (*text == '-' || *text == '+');

	if (!g_ascii_isdigit(*at))
		return FALSE;
	at += strspn(at, "0123456789_");
	if (*at != ':')
		return FALSE;
	while (*at == ':')
		if (!(at = two_digits(at + 1, 0, 59, 0)))
			return FALSE;
	if (*at == '.')
		at += 1 + strspn(at + 1, "0123456789_");
	return !*at;
}

static yaml_scalar_style_t style_of(const char *key, const char *text)
{
	gint64 number;
	enum scalar scalar = scalar_of(text, &number);

	if (strchr(text, '\n'))
		return YAML_LITERAL_SCALAR_STYLE;
	if (scalar == SCALAR_TIME && key && g_str_has_suffix(key, "_at") && !strchr(key, '.'))
		return YAML_PLAIN_SCALAR_STYLE;
	if (scalar == SCALAR_MERGE)
		return YAML_PLAIN_SCALAR_STYLE; /* a merge as a key alone */
	if (scalar != SCALAR_STRING || is_base60(text))
		return YAML_DOUBLE_QUOTED_SCALAR_STYLE;
	return YAML_PLAIN_SCALAR_STYLE; /* or single quotes, when the emitter finds it needs them */
}

struct writing {
	yaml_emitter_t emitter;
	enum yaml_order order;
	GString *text;
};

static gboolean emit(struct writing *writing, yaml_event_t *event, int made)
{
	return made && yaml_emitter_emit(&writing->emitter, event);
}

static gboolean emit_text(struct writing *writing, const char *text, yaml_scalar_style_t style)
{
	yaml_event_t event;

	return emit(writing, &event,
		    yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)text,
						 (int)strlen(text), 1, 1, style));
}

static gboolean emit_value(struct writing *writing, const char *key, const json_t *value);

static GPtrArray *keys_of(const struct writing *writing, const json_t *object)
{
	GPtrArray *keys = g_ptr_array_new();
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)object, key, value) g_ptr_array_add(keys, (char *)key);
	if (writing->order == YAML_SORTED)
		g_ptr_array_sort(keys, compare_keys);
	return keys;
}

static gboolean emit_object(struct writing *writing, const json_t *object)
{
	g_autoptr(GPtrArray) keys = keys_of(writing, object);
	yaml_event_t event;

	if (!emit(writing, &event,
		  yaml_mapping_start_event_initialize(&event, NULL, NULL, 1,
						      YAML_BLOCK_MAPPING_STYLE)))
		return FALSE;
	for (guint i = 0; i < keys->len; i++) {
		const char *key = keys->pdata[i];

		if (!emit_text(writing, key, style_of(NULL, key)) ||
		    !emit_value(writing, key, json_object_get(object, key)))
			return FALSE;
	}
	return emit(writing, &event, yaml_mapping_end_event_initialize(&event));
}

static gboolean emit_array(struct writing *writing, const json_t *array)
{
	yaml_event_t event;
	const json_t *value;
	size_t i;

	if (!emit(writing, &event,
		  yaml_sequence_start_event_initialize(&event, NULL, NULL, 1,
						       YAML_BLOCK_SEQUENCE_STYLE)))
		return FALSE;
	json_array_foreach(array, i, value) if (!emit_value(writing, NULL, value)) return FALSE;
	return emit(writing, &event, yaml_sequence_end_event_initialize(&event));
}

static gboolean emit_value(struct writing *writing, const char *key, const json_t *value)
{
	char number[64];

	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return emit_object(writing, value);
	case JSON_ARRAY:
		return emit_array(writing, value);
	case JSON_STRING:
		return emit_text(writing, json_string_value(value),
				 style_of(key, json_string_value(value)));
	case JSON_INTEGER:
		g_snprintf(number, sizeof number, "%" G_GINT64_FORMAT,
			   (gint64)json_integer_value(value));
		return emit_text(writing, number, YAML_PLAIN_SCALAR_STYLE);
	case JSON_REAL:
		g_ascii_dtostr(number, sizeof number, json_real_value(value));
		return emit_text(writing, number, YAML_PLAIN_SCALAR_STYLE);
	case JSON_TRUE:
		return emit_text(writing, "true", YAML_PLAIN_SCALAR_STYLE);
	case JSON_FALSE:
		return emit_text(writing, "false", YAML_PLAIN_SCALAR_STYLE);
	default:
		return emit_text(writing, "null", YAML_PLAIN_SCALAR_STYLE);
	}
}

static int append(void *data, unsigned char *bytes, size_t len)
{
	g_string_append_len(data, (const char *)bytes, (gssize)len);
	return 1;
}

static gboolean emit_document(struct writing *writing, const json_t *value)
{
	yaml_event_t event;

	return emit(writing, &event,
		    yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING)) &&
	       emit(writing, &event,
		    yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1)) &&
	       emit_value(writing, NULL, value) &&
	       emit(writing, &event, yaml_document_end_event_initialize(&event, 1)) &&
	       emit(writing, &event, yaml_stream_end_event_initialize(&event));
}

char *yaml_print(const json_t *value, enum yaml_order order)
{
	struct writing writing = { .order = order, .text = g_string_new(NULL) };

	if (!yaml_emitter_initialize(&writing.emitter))
		g_error("out of memory");
	yaml_emitter_set_output(&writing.emitter, append, writing.text);
	yaml_emitter_set_unicode(&writing.emitter, 1);
	if (!emit_document(&writing, value))
		g_error("out of memory"); /* the one way in which valid UTF-8 can fail */
	yaml_emitter_delete(&writing.emitter);
	/* What ends with blank lines is closed by a mark, that its readers do not expect. */
	if (g_str_has_suffix(writing.text->str, "\n...\n"))
		g_string_truncate(writing.text, writing.text->len - 4);
	return g_string_free(writing.text, FALSE);
}
