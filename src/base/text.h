/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A growing buffer of text. Printing into it never fails on the spot: the first
 * error sticks, later prints do nothing, and who needs the text asks once.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct text {
	char *data; /* NUL-terminated once anything was printed; NULL before */
	size_t len; /* bytes, without the NUL */
	size_t cap;
	int error;     /* 0 or the first error, negative errno */
	bool borrowed; /* data is somebody's array, and given up for memory when it is too small */
};

/* A text that begins in an array of the caller's, for what is short: then none is allocated. */
#define TEXT_IN(array) ((struct text){ .data = (array), .cap = sizeof(array), .borrowed = true })

/* Releases the memory; the text is empty and usable again afterwards. */
void text_free(struct text *t);

/* Empties the text and forgets its error, keeping the memory for reuse. */
void text_clear(struct text *t);

/* text_reserve() for when there is no room. */
char *text_grow(struct text *t, size_t more);

/* Makes room for `more` further bytes and returns where they go, NULL on error. */
static inline char *text_reserve(struct text *t, size_t more)
{
	if (!t->error && more < t->cap - t->len)
		return t->data + t->len;
	return text_grow(t, more);
}

static inline void text_append(struct text *t, const void *data, size_t len)
{
	char *to = text_reserve(t, len);

	if (!to)
		return;
	memcpy(to, data, len);
	to[len] = '\0';
	t->len += len;
}

static inline void text_puts(struct text *t, const char *s)
{
	text_append(t, s, strlen(s));
}

static inline void text_putc(struct text *t, char c)
{
	text_append(t, &c, 1);
}

/* Decimal, right-aligned in `width` columns with spaces (0: as wide as it is). */
void text_u64(struct text *t, uint64_t value, unsigned width);

/*
 * A label, blanks, and a number that ends in column `end` counted from the label's start;
 * behind it where it would begin before column `from`.
 */
void text_row(struct text *t, const char *label, size_t len, uint64_t value, size_t from,
	      size_t end);

void text_printf(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The text as a C string, "" when nothing was printed. Valid until the next print. */
const char *text_str(const struct text *t);

#define AUTO_TEXT __attribute__((cleanup(text_free)))
