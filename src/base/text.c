/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The growing buffer of text.h: capacity doubles, one byte is kept for the NUL. */
#include "base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* No view comes near this; a text that wants more is an attack or a defect. */
#define TEXT_MAX ((size_t)64 << 20)
#define TEXT_FIRST ((size_t)512)

void text_free(struct text *t)
{
	if (!t->borrowed)
		free(t->data);
	*t = (struct text){ 0 };
}

void text_clear(struct text *t)
{
	t->len = 0;
	t->error = 0;
	if (t->data)
		t->data[0] = '\0';
}

static int text_resize(struct text *t, size_t need)
{
	size_t cap = t->cap > TEXT_FIRST ? t->cap : TEXT_FIRST;
	char *data;

	while (cap < need)
		cap *= 2;
	data = realloc(t->borrowed ? NULL : t->data, cap);
	if (!data)
		return -ENOMEM;
	if (t->borrowed)
		memcpy(data, t->data, t->len);
	data[t->len] = '\0';
	t->data = data;
	t->cap = cap;
	t->borrowed = false;
	return 0;
}

char *text_grow(struct text *t, size_t more)
{
	if (t->error)
		return NULL;
	if (more >= TEXT_MAX - t->len) {
		t->error = -EFBIG;
		return NULL;
	}
	if (t->len + more + 1 > t->cap)
		t->error = text_resize(t, t->len + more + 1);
	return t->error ? NULL : t->data + t->len;
}

void text_u64(struct text *t, uint64_t value, unsigned width)
{
	text_row(t, "", 0, value, 0, width);
}

void text_row(struct text *t, const char *label, size_t len, uint64_t value, size_t from,
	      size_t end)
{
	char digits[20], *digit = digits + sizeof digits, *to;
	size_t n;

	do {
		*--digit = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	n = (size_t)(digits + sizeof digits - digit);
	if (end < from + n)
		end = from + n;
	to = text_reserve(t, end);
	if (!to)
		return;
	memcpy(to, label, len);
	memset(to + len, ' ', end - n - len);
	memcpy(to + end - n, digit, n);
	to[end] = '\0';
	t->len += end;
}

void text_printf(struct text *t, const char *format, ...)
{
	va_list args;
	char *to = text_reserve(t, 128);
	int n;

	if (!to)
		return;
	va_start(args, format);
	n = vsnprintf(to, t->cap - t->len, format, args);
	va_end(args);
	if (n < 0) {
		t->error = -EINVAL;
		return;
	}
	if ((size_t)n >= t->cap - t->len) {
		to = text_reserve(t, (size_t)n);
		if (!to)
			return;
		va_start(args, format);
		vsnprintf(to, t->cap - t->len, format, args);
		va_end(args);
	}
	t->len += (size_t)n;
}

const char *text_str(const struct text *t)
{
	return t->data ? t->data : "";
}
