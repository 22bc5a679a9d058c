/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who brought workers down or got them stuck, in a table of the latest. */
#include "offence.h"

#include "owner.h"

#define SENTENCE 60000000000ull /* ns */
#define WAYS_MAX 3		/* so many, and nothing is tried any more */

/* What only ends or undoes something is always carried out. */
static bool is_harmless(uint32_t opcode)
{
	return opcode == FUSE_FORGET || opcode == FUSE_BATCH_FORGET || opcode == FUSE_RELEASE ||
	       opcode == FUSE_RELEASEDIR || opcode == FUSE_INTERRUPT || opcode == FUSE_DESTROY;
}

static bool is_same(const struct shared_offence *o, const struct fuse_in_header *in,
		    uint64_t sender)
{
	return o->pid_ns == sender && o->nodeid == in->nodeid && o->opcode == in->opcode;
}

/* The place of the same offence, else of the oldest one. */
static struct shared_offence *find_place(struct shared_header *h, const struct fuse_in_header *in,
					 uint64_t sender)
{
	struct shared_offence *oldest = &h->offences[0];

	for (unsigned i = 0; i < SHARED_OFFENCES; i++) {
		struct shared_offence *o = &h->offences[i];

		if (is_same(o, in, sender))
			return o;
		if (atomic_load(&o->until) < atomic_load(&oldest->until))
			oldest = o;
	}
	return oldest;
}

void offence_record(struct shared_header *h, const struct fuse_in_header *in, uint64_t sender)
{
	struct shared_offence *o = find_place(h, in, sender);

	if (sender == 0)
		return;
	if (!is_same(o, in, sender)) {
		atomic_store(&o->until, 0);
		o->pid_ns = sender;
		o->nodeid = in->nodeid;
		o->opcode = in->opcode;
	}
	atomic_store(&o->until, shared_now() + SENTENCE);
	if (atomic_load(&h->offended_until) < atomic_load(&o->until))
		atomic_store(&h->offended_until, atomic_load(&o->until));
}

enum offence offence_judge(struct shared_header *h, const struct fuse_in_header *in,
			   uint64_t *ret_sender)
{
	uint64_t last = atomic_load(&h->offended_until), now, sender;
	unsigned ways = 0;

	/* Nearly always. */
	if (last == 0)
		return OFFENCE_NONE;
	now = shared_now();
	if (last < now || is_harmless(in->opcode))
		return OFFENCE_NONE;
	sender = owner_of((pid_t)in->pid);
	for (unsigned i = 0; i < SHARED_OFFENCES; i++) {
		const struct shared_offence *o = &h->offences[i];

		if (atomic_load(&o->until) < now || o->pid_ns != sender)
			continue;
		if (is_same(o, in, sender))
			return OFFENCE_SAME;
		ways++;
	}
	/* The host's own processes have not much to do with each other. */
	if (ways == 0 || owner_is_host(sender))
		return OFFENCE_NONE;
	*ret_sender = sender;
	return ways >= WAYS_MAX ? OFFENCE_SAME : OFFENCE_OTHER;
}
