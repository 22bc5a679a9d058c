/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Numbers out of kernel files, read as if an attacker wrote them: no sign, no
 * locale, no silent overflow.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Reads decimal digits at *s, moves *s behind them and stores the value.
 * -EINVAL where no digit stands, -ERANGE where it does not fit (with *s behind
 * the digits, so that a reader of a table can skip the cell).
 */
int number_take(const char **s, uint64_t *ret);

/* The whole of a file that holds one number: digits, then white space or the end. */
int number_parse(const char *s, uint64_t *ret);

/* a * b / c without overflow in between; UINT64_MAX where the result does not fit. c > 0. */
uint64_t number_scale(uint64_t a, uint64_t b, uint64_t c);

static inline uint64_t number_min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t number_max(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* a - b, and 0 where b is larger: usage may exceed a limit that was lowered. */
static inline uint64_t number_sub(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/* a + b, and UINT64_MAX where that overflows. */
static inline uint64_t number_add(uint64_t a, uint64_t b)
{
	return a + b < a ? UINT64_MAX : a + b;
}
