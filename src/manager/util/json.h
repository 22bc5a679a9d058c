/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Short ways to what the manager does with jansson's values all day. A "map" is an object whose
 * values are all strings, as configurations are; "devices" is an object of maps.
 */
#pragma once

#include <glib.h>
#include <jansson.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(json_t, json_decref)

/* The string at KEY, or "" when it is absent or no string. Belongs to OBJECT. */
const char *json_text(const json_t *object, const char *key);

/* The same, with WITHOUT in place of "". */
const char *json_text_or(const json_t *object, const char *key, const char *without);

/* Whether the configuration value at KEY is true, 1, yes or on, in any case. */
gboolean json_map_true(const json_t *map, const char *key);

/* Sets a string; "" or NULL removes the key, as the API has it for configurations. */
void json_map_set(json_t *map, const char *key, const char *value);

/* A deep copy that is never NULL: an empty object for NULL or JSON null. */
json_t *json_map_copy(const json_t *map);

/*
 * Checks that VALUE is an object of strings and copies it without its empty values; NULL and
 * JSON null give an empty map. NAME is for the error: "config must be a map of strings".
 */
json_t *json_map_check(const json_t *value, const char *name, GError **error);

/* Parses a body of LEN bytes; 400 with what is wrong with it. */
json_t *json_parse(const char *text, gsize len, GError **error);

/* One line, keys sorted, as Go's encoder has it; free with g_free. */
char *json_print(const json_t *value);
