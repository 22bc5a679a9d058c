/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A set of CPUs in the kernel's two notations: the list "0-3,8" (bitmap_print_to_pagebuf)
 * and the hexadecimal mask "00000000,0000010f" that sysfs and procfs use.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

/* The largest NR_CPUS any architecture configures. */
#define CPULIST_MAX 8192

struct cpulist {
	uint64_t bits[CPULIST_MAX / 64];
};

/*
 * Reads a list as the kernel prints it, with or without the newline; "" is the
 * empty set. -EINVAL on anything else, -ERANGE on a CPU past CPULIST_MAX.
 */
int cpulist_parse(const char *s, struct cpulist *ret);

/* Prints the list without a newline: "0-3,8"; nothing for the empty set. */
void cpulist_print(const struct cpulist *list, struct text *t);

/* Reads a mask of comma-separated 32-bit words. -EINVAL, -ERANGE as above. */
int cpulist_parse_mask(const char *s, struct cpulist *ret);

/* Prints a mask with as many digits as cover `cpus` CPUs, grouped as the kernel does. */
void cpulist_print_mask(const struct cpulist *list, size_t cpus, struct text *t);

static inline bool cpulist_has(const struct cpulist *list, size_t cpu)
{
	return cpu < CPULIST_MAX && (list->bits[cpu / 64] >> (cpu % 64) & 1);
}

static inline void cpulist_add(struct cpulist *list, size_t cpu)
{
	if (cpu < CPULIST_MAX)
		list->bits[cpu / 64] |= (uint64_t)1 << (cpu % 64);
}

size_t cpulist_count(const struct cpulist *list);

/* The lowest CPU at or above `from`, CPULIST_MAX when there is none. */
size_t cpulist_next(const struct cpulist *list, size_t from);

/* Keeps of `list` only what is in `with`. */
void cpulist_and(struct cpulist *list, const struct cpulist *with);

/* Keeps only the first `count` CPUs. */
void cpulist_truncate(struct cpulist *list, size_t count);

#define cpulist_each(cpu, list)                                       \
	for (size_t cpu = cpulist_next(list, 0); (cpu) < CPULIST_MAX; \
	     (cpu) = cpulist_next(list, (cpu) + 1))
