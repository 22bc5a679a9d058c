/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A growing buffer of text. Printing into it never fails on the spot: the first
 * error sticks, later prints do nothing, and who needs the text asks once.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
	char *data; /* NUL-terminated once anything was printed; NULL before */
	size_t len; /* bytes, without the NUL */
	size_t cap;
	int error; /* 0 or the first error, negative errno */
};

/* Releases the memory; the text is empty and usable again afterwards. */
void text_free(struct text *t);

/* Empties the text and forgets its error, keeping the memory for reuse. */
void text_clear(struct text *t);

/* Makes room for `more` further bytes and returns where they go, NULL on error. */
char *text_reserve(struct text *t, size_t more);

void text_append(struct text *t, const void *data, size_t len);
void text_puts(struct text *t, const char *s);
void text_putc(struct text *t, char c);

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
