/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * YAML to and from jansson's values, in the dialect in which LXD's files are written: YAML 1.1
 * scalars, JSON taken as the YAML it is, strings quoted exactly where a reader might take them
 * for something else. Depth and the size that aliases expand to are bounded.
 */
#pragma once

#include <glib.h>
#include <jansson.h>

enum yaml_types {
	YAML_TYPED, /* plain scalars become numbers, booleans and null; a time stays its text */
	YAML_TEXTS, /* every plain scalar but null stays the text it is: "22.04", "yes", "0123" */
};

/* The first document of TEXT; json_null() for an empty one. 400 with the line of what is wrong. */
json_t *yaml_parse(const char *text, gsize len, enum yaml_types types, GError **error);

enum yaml_order {
	YAML_AS_GIVEN, /* keys as they were set: for what is a structure to its readers */
	YAML_SORTED,   /* keys sorted, numbers in them by value, at every level */
};

/*
 * A block document that ends with a newline; free with g_free. A string at a key that ends in
 * "_at" and has no dot is written as a time, without quotes, when it is one.
 */
char *yaml_print(const json_t *value, enum yaml_order order);
