/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Walking the lines and the keys of kernel files: "key value" lines read into a
 * struct by a table of fields.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A line without its newline; not NUL-terminated. */
struct line {
	const char *start;
	size_t len;
};

/* Takes the next line from *cursor (a C string) and moves on. False at the end. */
bool line_next(const char **cursor, struct line *ret);

/* Does the line begin with this C string? */
bool line_starts(const struct line *line, const char *prefix);

/* Takes the next blank-separated word of the line, moving its start. False at its end. */
bool line_word(struct line *line, struct line *ret);

/* Is the line or word exactly this C string? */
bool line_is(const struct line *line, const char *s);

/* What follows the key when the text begins with it and a blank after it; else NULL. */
static inline const char *key_skip(const char *text, const char *key)
{
	while (*key && *text == *key) {
		text++;
		key++;
	}
	return *key || (*text != ' ' && *text != '\t') ? NULL : text;
}

/* One key of a "key value" file and where its number goes in a struct. */
struct field {
	const char *key;
	size_t offset; /* of a uint64_t */
};

/*
 * Reads every "key value" line of the text whose key is in the table into the
 * struct at `out`; unknown keys and unreadable values are passed over, and so is
 * what follows when as many fields as there are were filled. Fast when the table
 * has the file's order. Returns how many were filled.
 */
size_t fields_parse(const char *text, const struct field *fields, size_t count, void *out);
