/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the fuzzers share: the entry that libFuzzer calls (replay.c calls it with a
 * corpus), taking an input apart, and saying what must hold.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the program with the condition when it does not hold. */
#define FUZZ_REQUIRE(condition)                                    \
	do {                                                       \
		if (!(condition))                                  \
			fuzz_fail(__FILE__, __LINE__, #condition); \
	} while (0)

_Noreturn void fuzz_fail(const char *file, int line, const char *condition);

/* What is left of an input; everything taken from an empty one is 0 or "". */
struct input {
	const uint8_t *data;
	size_t len;
};

uint64_t input_number(struct input *input, unsigned bytes); /* little-endian */

static inline uint8_t input_byte(struct input *input)
{
	return (uint8_t)input_number(input, 1);
}

/* Fills the memory; with zeros where the input ends. */
void input_fill(struct input *input, void *to, size_t len);

/* A string up to the next NUL or the end, to be freed. */
char *input_string(struct input *input);

/* What is left as a string, with its NULs; to be freed. */
char *input_rest(struct input *input, size_t *ret_len);
