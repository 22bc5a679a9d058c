/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Containers that brought workers down, by their pid namespace. */
#include "offence.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define SENTENCE 60000000000ull /* ns */
#define WAYS_MAX 3		/* so many, and nothing is tried any more */

/* 0 where the process is gone or not to be seen from here. */
static uint64_t pid_namespace(uint32_t pid)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%u/ns/pid", pid);
	return pid > 0 && stat(path, &st) == 0 ? st.st_ino : 0;
}

/* What only ends or undoes something is always carried out. */
static bool is_harmless(uint32_t opcode)
{
	return opcode == FUSE_FORGET || opcode == FUSE_BATCH_FORGET || opcode == FUSE_RELEASE ||
	       opcode == FUSE_RELEASEDIR || opcode == FUSE_INTERRUPT || opcode == FUSE_DESTROY;
}

void offence_record(struct shared_header *h, const struct fuse_in_header *in)
{
	uint64_t owner = pid_namespace(in->pid);
	struct shared_offence *oldest = &h->offences[0];

	if (owner == 0)
		return;
	for (unsigned i = 1; i < SHARED_OFFENCES; i++)
		if (atomic_load(&h->offences[i].until) < atomic_load(&oldest->until))
			oldest = &h->offences[i];
	atomic_store(&oldest->until, 0);
	oldest->pid_ns = owner;
	oldest->nodeid = in->nodeid;
	oldest->opcode = in->opcode;
	atomic_store(&oldest->until, shared_now() + SENTENCE);
	if (atomic_load(&h->offended_until) < atomic_load(&oldest->until))
		atomic_store(&h->offended_until, atomic_load(&oldest->until));
}

bool offence_forbids(struct shared_header *h, const struct fuse_in_header *in)
{
	uint64_t last = atomic_load(&h->offended_until), now, sender;
	unsigned ways = 0;

	/* Nearly always. */
	if (last == 0)
		return false;
	now = shared_now();
	if (last < now || is_harmless(in->opcode))
		return false;
	sender = pid_namespace(in->pid);
	for (unsigned i = 0; i < SHARED_OFFENCES; i++) {
		const struct shared_offence *o = &h->offences[i];

		if (atomic_load(&o->until) < now || o->pid_ns != sender)
			continue;
		if (o->nodeid == in->nodeid && o->opcode == in->opcode)
			return true;
		ways++;
	}
	/* The host's own processes have not much to do with each other. */
	return ways >= WAYS_MAX && sender != pid_namespace((uint32_t)getpid());
}
