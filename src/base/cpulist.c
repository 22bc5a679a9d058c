/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* CPU sets: a fixed bitmap, parsed and printed in the kernel's notations. */
#include "base/cpulist.h"

#include <errno.h>
#include <string.h>

#include "base/number.h"

static bool at_end(const char *s)
{
	return *s == '\0' || (*s == '\n' && s[1] == '\0');
}

static int range_take(const char **s, struct cpulist *list)
{
	uint64_t first, last;
	int r = number_take(s, &first);

	if (r < 0)
		return r;
	last = first;
	if (**s == '-') {
		(*s)++;
		r = number_take(s, &last);
		if (r < 0)
			return r;
	}
	if (last < first)
		return -EINVAL;
	if (last >= CPULIST_MAX)
		return -ERANGE;
	for (uint64_t cpu = first; cpu <= last; cpu++)
		cpulist_add(list, cpu);
	return 0;
}

int cpulist_parse(const char *s, struct cpulist *ret)
{
	struct cpulist list = { { 0 } };

	while (!at_end(s)) {
		int r = range_take(&s, &list);

		if (r < 0)
			return r;
		if (*s == ',' && !at_end(s + 1))
			s++;
		else if (!at_end(s))
			return -EINVAL;
	}
	*ret = list;
	return 0;
}

void cpulist_print(const struct cpulist *list, struct text *t)
{
	bool first = true;

	for (size_t cpu = cpulist_next(list, 0); cpu < CPULIST_MAX;) {
		size_t last = cpu;

		while (cpulist_has(list, last + 1))
			last++;
		if (!first)
			text_putc(t, ',');
		first = false;
		text_u64(t, cpu, 0);
		if (last > cpu) {
			text_putc(t, '-');
			text_u64(t, last, 0);
		}
		cpu = cpulist_next(list, last + 1);
	}
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int cpulist_parse_mask(const char *s, struct cpulist *ret)
{
	struct cpulist list = { { 0 } };
	size_t cpu = 0, len = strcspn(s, "\n");

	if (!len || !at_end(s + len))
		return -EINVAL;
	for (size_t i = len; i-- > 0;) {
		int digit = hex_digit(s[i]);

		if (s[i] == ',')
			continue;
		if (digit < 0)
			return -EINVAL;
		for (int bit = 0; bit < 4; bit++, cpu++) {
			if (!(digit >> bit & 1))
				continue;
			if (cpu >= CPULIST_MAX)
				return -ERANGE;
			cpulist_add(&list, cpu);
		}
	}
	*ret = list;
	return 0;
}

void cpulist_print_mask(const struct cpulist *list, size_t cpus, struct text *t)
{
	size_t digits = (cpus + 3) / 4;

	for (size_t d = digits; d-- > 0;) {
		unsigned digit = (unsigned)(list->bits[d / 16] >> (d % 16 * 4)) & 15;

		text_putc(t, "0123456789abcdef"[digit]);
		if (d && d % 8 == 0)
			text_putc(t, ',');
	}
}

size_t cpulist_count(const struct cpulist *list)
{
	size_t count = 0;

	/* Nearly all words are empty, and a popcount is a call on most builds. */
	for (size_t i = 0; i < CPULIST_MAX / 64; i++) {
		if (list->bits[i])
			count += (size_t)__builtin_popcountll(list->bits[i]);
	}
	return count;
}

size_t cpulist_next(const struct cpulist *list, size_t from)
{
	size_t word = from / 64;
	uint64_t bits;

	if (from >= CPULIST_MAX)
		return CPULIST_MAX;
	bits = list->bits[word] & ~(uint64_t)0 << (from % 64);
	while (!bits && ++word < CPULIST_MAX / 64)
		bits = list->bits[word];
	return bits ? word * 64 + (size_t)__builtin_ctzll(bits) : CPULIST_MAX;
}

void cpulist_and(struct cpulist *list, const struct cpulist *with)
{
	for (size_t i = 0; i < CPULIST_MAX / 64; i++)
		list->bits[i] &= with->bits[i];
}

void cpulist_truncate(struct cpulist *list, size_t count)
{
	cpulist_each(cpu, list) {
		if (count)
			count--;
		else
			list->bits[cpu / 64] &= ~((uint64_t)1 << (cpu % 64));
	}
}
