/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Short ways to jansson's values. */
#include "util/json.h"

#include <stdlib.h>

#include "util/error.h"

const char *json_text(const json_t *object, const char *key)
{
	return json_text_or(object, key, "");
}

const char *json_text_or(const json_t *object, const char *key, const char *without)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : without;
}

gboolean json_map_true(const json_t *map, const char *key)
{
	static const char *const words[] = { "true", "1", "yes", "on" };
	const char *text = json_text(map, key);

	for (gsize i = 0; i < G_N_ELEMENTS(words); i++)
		if (g_ascii_strcasecmp(text, words[i]) == 0)
			return TRUE;
	return FALSE;
}

void json_map_set(json_t *map, const char *key, const char *value)
{
	if (value && *value)
		json_object_set_new(map, key, json_string(value));
	else
		json_object_del(map, key);
}

json_t *json_map_copy(const json_t *map)
{
	return json_is_object(map) ? json_deep_copy(map) : json_object();
}

json_t *json_map_check(const json_t *value, const char *name, GError **error)
{
	g_autoptr(json_t) map = json_object();
	const char *key;
	json_t *item;

	if (!value || json_is_null(value))
		return g_steal_pointer(&map);
	if (!json_is_object(value)) {
		fail(error, 400, "%s must be a map of strings", name);
		return NULL;
	}
	json_object_foreach((json_t *)value, key, item)
	{ /* jansson's macro knows no const */
		if (!json_is_string(item)) {
			fail(error, 400, "%s must be a map of strings", name);
			return NULL;
		}
		json_map_set(map, key, json_string_value(item));
	}
	return g_steal_pointer(&map);
}

json_t *json_parse(const char *text, gsize len, GError **error)
{
	json_error_t why;
	json_t *value;

	if (len == 0) {
		fail(error, 400, "EOF");
		return NULL;
	}
	value = json_loadb(text, len, JSON_DECODE_ANY, &why);
	if (!value)
		fail(error, 400, "invalid JSON at offset %d: %s", why.position, why.text);
	return value;
}

char *json_print(const json_t *value)
{
	/* jansson allocates with malloc, callers free with g_free: the same since GLib 2.46. */
	return json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
}
