/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lines, words and keyed fields of kernel files. */
#include "base/line.h"

#include <string.h>

#include "base/number.h"

bool line_next(const char **cursor, struct line *ret)
{
	const char *start = *cursor, *end;

	if (!*start)
		return false;
	end = strchrnul(start, '\n');
	*ret = (struct line){ start, (size_t)(end - start) };
	*cursor = *end ? end + 1 : end;
	return true;
}

bool line_starts(const struct line *line, const char *prefix)
{
	size_t n = strlen(prefix);

	return line->len >= n && memcmp(line->start, prefix, n) == 0;
}

bool line_is(const struct line *line, const char *s)
{
	return line->len == strlen(s) && memcmp(line->start, s, line->len) == 0;
}

bool line_word(struct line *line, struct line *ret)
{
	const char *p = line->start, *end = p + line->len, *start;

	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	start = p;
	while (p < end && *p != ' ' && *p != '\t')
		p++;
	*line = (struct line){ p, (size_t)(end - p) };
	if (p == start)
		return false;
	*ret = (struct line){ start, (size_t)(p - start) };
	return true;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The field whose key the text begins with, looked for from `from` on and around; count if none. */
static size_t field_find(const struct field *fields, size_t count, size_t from, const char *text,
			 const char **ret_rest)
{
	size_t at = from;

	for (size_t i = 0; i < count; i++) {
		const char *rest = key_skip(text, fields[at].key);

		if (rest) {
			*ret_rest = rest;
			return at;
		}
		at = at + 1 < count ? at + 1 : 0;
	}
	return count;
}

/* Called for tens of keys with every read: looks at each byte of the text about once. */
size_t fields_parse(const char *text, const struct field *fields, size_t count, void *out)
{
	size_t filled = 0, next = 0;
	struct line line;

	while (filled < count && line_next(&text, &line)) {
		const char *key = line.start, *value;
		uint64_t number;
		size_t at;

		while (is_blank(*key))
			key++;
		at = field_find(fields, count, next, key, &value);
		if (at == count)
			continue;
		while (is_blank(*value))
			value++;
		if (number_take(&value, &number) < 0)
			continue;
		memcpy((char *)out + fields[at].offset, &number, sizeof number);
		filled++;
		next = at + 1 < count ? at + 1 : 0;
	}
	return filled;
}
