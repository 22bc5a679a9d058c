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

/* The index of the key in the table, looked for from `from` on and around; count if none. */
static size_t field_find(const struct field *fields, size_t count, size_t from,
			 const struct line *key)
{
	for (size_t i = 0; i < count; i++) {
		size_t at = from + i < count ? from + i : from + i - count;

		if (line_is(key, fields[at].key))
			return at;
	}
	return count;
}

size_t fields_parse(const char *text, const struct field *fields, size_t count, void *out)
{
	size_t filled = 0, next = 0;
	struct line line, key;

	while (line_next(&text, &line)) {
		const char *value;
		uint64_t number;
		size_t at;

		if (!line_word(&line, &key))
			continue;
		at = field_find(fields, count, next, &key);
		if (at == count)
			continue;
		value = line.start + strspn(line.start, " \t");
		if (number_take(&value, &number) < 0)
			continue;
		memcpy((char *)out + fields[at].offset, &number, sizeof number);
		filled++;
		next = at + 1 < count ? at + 1 : 0;
	}
	return filled;
}
