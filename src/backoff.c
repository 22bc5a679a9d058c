/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How long to wait before the next worker. */
#include "backoff.h"

#define MS 1000000ull /* in nanoseconds */

/* So many in a row are answered at once; after that each wait is twice as long. */
#define CRASHES_FREE 3
#define EARLY_KILLS_FREE 30
#define FIRST (10 * MS)
#define CRASH_LIMIT (5000 * MS)
#define KILL_LIMIT (50 * MS) /* who kills will stop some day; a start costs 2 ms of CPU */
#define SETTLED (10000 * MS) /* a worker that served so long ends the row */

void backoff_count(struct backoff *b, enum child_end end, bool served, uint64_t age_ns)
{
	if (served && age_ns > SETTLED)
		b->crashes = b->early_kills = 0;
	if (end == CHILD_CRASHED || end == CHILD_EXITED)
		b->crashes++;
	else if (end == CHILD_KILLED)
		b->early_kills = served ? 0 : b->early_kills + 1;
}

/* Doubles with every death beyond those that are free. */
static uint64_t delay_after(unsigned deaths, unsigned free, uint64_t limit)
{
	unsigned late = deaths > free ? deaths - free : 0;
	uint64_t delay;

	if (late == 0)
		return 0;
	delay = FIRST << (late < 10 ? late - 1 : 9);
	return delay < limit ? delay : limit;
}

uint64_t backoff_delay(const struct backoff *b)
{
	uint64_t crashes = delay_after(b->crashes, CRASHES_FREE, CRASH_LIMIT);
	uint64_t kills = delay_after(b->early_kills, EARLY_KILLS_FREE, KILL_LIMIT);

	return crashes > kills ? crashes : kills;
}
