/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A 64-bit hash of a string (FNV-1a), the same on every machine and in every version. */
#pragma once

#include <stdint.h>

static inline uint64_t hash_string(const char *s)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (; *s; s++)
		hash = (hash ^ (unsigned char)*s) * 0x100000001b3;
	return hash;
}
