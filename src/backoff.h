/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How long to wait before the next worker: not at all, unless they keep dying young. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "child.h"

struct backoff {
	unsigned crashes;     /* in a row */
	unsigned early_kills; /* before they served, in a row */
};

/* Counts a death. `age_ns`: how long it lived; `served`: it was able to serve. */
void backoff_count(struct backoff *backoff, enum child_end end, bool served, uint64_t age_ns);

/* Nanoseconds, 0 while deaths are few. */
uint64_t backoff_delay(const struct backoff *backoff);
