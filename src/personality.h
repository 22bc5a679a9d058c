/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A thread reads as its caller would where the kernel asks for the reader's personality:
 * on arm64 /proc/cpuinfo tells 32-bit programs (setarch linux32) other features than
 * 64-bit ones, c_show() in arch/arm64/kernel/cpuinfo.c.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/personality.h>
#include <sys/types.h>

#include "base/file.h"
#include "base/text.h"

#if defined(__aarch64__)
#define PERSONALITY_MATTERS true
#else
#define PERSONALITY_MATTERS false
#endif

#define PERSONALITY_KEPT (-1)

/*
 * Takes on a 32-bit caller's personality, which is per thread. Returns the one to go
 * back to, PERSONALITY_KEPT where nothing was changed: the caller's is ours, or it may
 * not be asked for (Yama).
 */
static inline int personality_adopt(int procfd, pid_t caller)
{
	AUTO_TEXT struct text text = { 0 };
	char path[64];

	snprintf(path, sizeof path, "%d/personality", caller);
	if (caller <= 0 || file_read_at(procfd, path, &text) < 0)
		return PERSONALITY_KEPT;
	if ((strtoul(text_str(&text), NULL, 16) & PER_MASK) != PER_LINUX32)
		return PERSONALITY_KEPT;
	return personality(PER_LINUX32);
}

static inline void personality_restore(const int *before)
{
	if (*before != PERSONALITY_KEPT)
		personality((unsigned long)*before);
}

#define AUTO_PERSONALITY __attribute__((cleanup(personality_restore)))
