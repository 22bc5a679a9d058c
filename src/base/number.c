/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Strict decimal parsing and saturating arithmetic. */
#include "base/number.h"

#include <errno.h>

int number_take(const char **s, uint64_t *ret)
{
	const char *p = *s;
	uint64_t value = 0;
	bool overflow = false;

	if (*p < '0' || *p > '9')
		return -EINVAL;
	for (; *p >= '0' && *p <= '9'; p++)
		overflow |= __builtin_mul_overflow(value, 10, &value) ||
			    __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value);
	*s = p;
	if (overflow)
		return -ERANGE;
	*ret = value;
	return 0;
}

int number_parse(const char *s, uint64_t *ret)
{
	uint64_t value;
	int r = number_take(&s, &value);

	if (r < 0)
		return r;
	while (*s == ' ' || *s == '\t' || *s == '\n')
		s++;
	if (*s)
		return -EINVAL;
	*ret = value;
	return 0;
}

uint64_t number_scale(uint64_t a, uint64_t b, uint64_t c)
{
	unsigned __int128 scaled = (unsigned __int128)a * b / c;

	return scaled > UINT64_MAX ? UINT64_MAX : (uint64_t)scaled;
}
