/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Taking a fuzzer's input apart. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void fuzz_fail(const char *file, int line, const char *condition)
{
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, condition);
	abort();
}

void input_fill(struct input *input, void *to, size_t len)
{
	size_t n = input->len < len ? input->len : len;

	memset(to, 0, len);
	if (n)
		memcpy(to, input->data, n);
	input->data += n;
	input->len -= n;
}

uint64_t input_number(struct input *input, unsigned bytes)
{
	uint8_t b[8];
	uint64_t n = 0;

	input_fill(input, b, bytes);
	while (bytes--)
		n = n << 8 | b[bytes];
	return n;
}

static char *copy(struct input *input, size_t len)
{
	char *s = malloc(len + 1);

	FUZZ_REQUIRE(s != NULL);
	input_fill(input, s, len);
	s[len] = '\0';
	return s;
}

char *input_string(struct input *input)
{
	const uint8_t *end = input->len ? memchr(input->data, '\0', input->len) : NULL;
	char *s = copy(input, end ? (size_t)(end - input->data) : input->len);

	if (end)
		input_byte(input);
	return s;
}

char *input_rest(struct input *input, size_t *ret_len)
{
	*ret_len = input->len;
	return copy(input, input->len);
}
