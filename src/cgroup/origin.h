/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where a number came from: a list that is only filled when somebody wants to know. */
#pragma once

#include <stdint.h>

#include "base/text.h"

struct origins {
	struct text lines; /* "what: value from file", one a line */
};

/* Notes that `what` is `value`, read from this file. Does nothing when why is NULL. */
void origin_note(struct origins *why, const char *what, const char *value, const char *file);

/* The same for a number; CGROUP_NO_LIMIT is told as "no limit". */
void origin_note_u64(struct origins *why, const char *what, uint64_t value, const char *file);
