/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The sessions of a worker, and how it is told that one is stuck. */
#include "pool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/line.h"
#include "base/log.h"
#include "base/number.h"
#include "base/text.h"
#include "offence.h"
#include "session.h"

#define MS 1000000ull /* in nanoseconds */
#define LOOK_MS 250   /* between two looks */
#define STILL_LOOKS \
	4 /* without a sign of life, while all threads are one's: asleep in the kernel */
#define LONG_LOOKS 40 /* in one request, whatever it does */
#define BUSY_LOOKS 40 /* after that: it will never end */

/* Threads that may be left behind. Of more the keeper rids us, by another worker. */
#define LOST_MAX (2 * SHARED_SLOTS_MAX)

/* What was seen of a thread. Counted in looks, so that a worker that was stopped has no past. */
struct sight {
	uint64_t turn;
	uint64_t switches;
	unsigned looks, still;
};

struct pool {
	struct pool_options options;
	struct session_bell bell;
	struct session *serving[SHARED_SLOTS_MAX];
	struct sight seen[SHARED_SLOTS_MAX];
	struct session *lost[LOST_MAX];
	unsigned lost_busy[LOST_MAX]; /* looks at which it was running */
	unsigned lost_count;
	uint64_t looked; /* CLOCK_MONOTONIC ns */
};

static unsigned count(const struct pool *p)
{
	return p->options.device->count;
}

static int open_session(struct pool *p, unsigned i, struct session **ret)
{
	struct session_options o = {
		.fs = p->options.fs,
		.shared = p->options.shared,
		.bell = &p->bell,
		.index = i,
		.fd = p->options.device->fds[i],
		.init_fd = p->options.device->fds[0],
		.psi_poll = p->options.psi_poll,
		.debug = p->options.debug,
	};

	return session_open(&o, ret);
}

int pool_open(const struct pool_options *options, struct pool **ret)
{
	struct pool *p = calloc(1, sizeof(*p));
	int r = 0;

	if (!p)
		return -ENOMEM;
	p->options = *options;
	p->bell.threads = count(p);
	p->bell.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (p->bell.fd < 0)
		r = -errno;
	for (unsigned i = 0; i < count(p) && r == 0; i++)
		r = open_session(p, i, &p->serving[i]);
	if (r < 0) {
		pool_close(p);
		return r;
	}
	*ret = p;
	return 0;
}

void pool_close(struct pool *p)
{
	if (!p)
		return;
	for (unsigned i = 0; i < count(p); i++)
		session_close(p->serving[i]);
	cleanup_close(&p->bell.fd);
	free(p);
}

int pool_start(struct pool *p)
{
	int r = 0;

	/*
	 * What was being handled when a worker crashed goes first and alone, so
	 * that if it happens again only the cause is blamed.
	 */
	for (unsigned i = 0; i < count(p); i++)
		if (session_is_suspect(p->serving[i]))
			session_replay(p->serving[i]);
	for (unsigned i = 0; i < count(p) && r == 0; i++)
		r = session_start(p->serving[i]);
	return r;
}

int pool_fd(const struct pool *p)
{
	return p->bell.fd;
}

bool pool_has_ended(const struct pool *p)
{
	for (unsigned i = 0; i < count(p); i++)
		if (!atomic_load(&p->serving[i]->ended))
			return false;
	return true;
}

bool pool_is_spoiled(const struct pool *p)
{
	for (unsigned i = 0; i < p->lost_count; i++)
		if (p->lost_busy[i] > BUSY_LOOKS)
			return true;
	return false;
}

/* "voluntary_ctxt_switches:" and "nonvoluntary_ctxt_switches:", and the state before them. */
static uint64_t parse_switches(const char *status)
{
	uint64_t sum = 0, n;
	struct line line;

	while (line_next(&status, &line)) {
		const char *colon = memchr(line.start, ':', line.len);

		if (line_starts(&line, "State:\tR"))
			return 0;
		if (!colon || colon - line.start < 15 || memcmp(colon - 14, "_ctxt_switches", 14))
			continue;
		colon += 1 + strspn(colon + 1, "\t ");
		if (number_take(&colon, &n) == 0)
			sum += n;
	}
	return sum;
}

/* How often the thread went to sleep or had to wait; 0: it runs, or nothing is known. */
static uint64_t switches_of(int tid)
{
	AUTO_TEXT struct text status = { 0 };
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/task/%d/status", tid);
	if (tid == 0 || file_read_at(AT_FDCWD, path, &status) < 0)
		return 0;
	return parse_switches(text_str(&status));
}

/* Looks at what a thread does. True when it has a request. */
static bool watch(struct sight *seen, struct session *s)
{
	uint64_t turn = atomic_load(&s->turn), switches;

	if (turn % 2 == 0) {
		*seen = (struct sight){ 0 };
		return false;
	}
	switches = switches_of(atomic_load(&s->tid));
	if (turn != seen->turn) {
		*seen = (struct sight){ .turn = turn, .switches = switches };
		return true;
	}
	seen->looks++;
	seen->still = switches && switches == seen->switches ? seen->still + 1 : 0;
	seen->switches = switches;
	return true;
}

/*
 * Do all threads sleep for one and the same sender, so that nobody else is served? Where they
 * sleep for several it is the kernel that is slow, and nobody's fault.
 */
static bool has_one_all(const struct pool *p)
{
	uint64_t first = 0;

	for (unsigned i = 0; i < count(p); i++) {
		uint64_t sender;

		if (p->seen[i].still < STILL_LOOKS)
			return false;
		sender = session_sender(p->serving[i]);
		if (sender == 0 || (i > 0 && sender != first))
			return false;
		first = sender;
	}
	return true;
}

/* Another session in the place of one that is stuck; without it the keeper has to help. */
static void replace(struct pool *p, unsigned i)
{
	struct session *old = p->serving[i], *new;
	int r = open_session(p, i, &new);

	if (r < 0)
		return;
	if (!session_give_up(old, p->seen[i].turn)) {
		session_close(new);
		return;
	}
	p->seen[i] = (struct sight){ 0 };
	p->lost_busy[p->lost_count] = 0;
	p->lost[p->lost_count++] = old;
	p->serving[i] = new;
	r = session_start(new);
	if (r < 0)
		log_line("a thread is missing from now on: %s", strerror(-r));
}

/* Ends those that came back. The others are woken, and who got them stuck is not forgiven. */
static void settle_lost(struct pool *p)
{
	for (unsigned i = p->lost_count; i-- > 0;) {
		struct session *s = p->lost[i];

		if (!atomic_load(&s->ended)) {
			session_wake(s);
			offence_record(p->options.shared->header, &s->stuck, s->sender);
			if (!switches_of(atomic_load(&s->tid)))
				p->lost_busy[i]++;
			continue;
		}
		session_join(s);
		session_close(s);
		p->lost_count--;
		p->lost[i] = p->lost[p->lost_count];
		p->lost_busy[i] = p->lost_busy[p->lost_count];
	}
}

int pool_look(struct pool *p)
{
	uint64_t now = shared_now(), next = p->looked + LOOK_MS * MS;
	bool any = false, all;

	if (now < next)
		return (int)((next - now) / MS) + 1;
	p->looked = now;
	atomic_store(&p->bell.heard, false);
	settle_lost(p);
	for (unsigned i = 0; i < count(p); i++)
		any |= watch(&p->seen[i], p->serving[i]);
	all = has_one_all(p);
	for (unsigned i = 0; i < count(p) && p->lost_count < LOST_MAX; i++)
		if (all || p->seen[i].looks >= LONG_LOOKS)
			replace(p, i);
	any |= p->lost_count > 0;
	atomic_store(&p->bell.heard, any);
	return any ? LOOK_MS : -1;
}

bool pool_stop(struct pool *p, int timeout_ms)
{
	bool ended = p->lost_count == 0;

	for (unsigned i = 0; i < count(p); i++)
		atomic_store(&p->serving[i]->stop, true);
	for (unsigned i = 0; i < count(p); i++)
		ended = session_stop(p->serving[i], timeout_ms) && ended;
	return ended;
}
