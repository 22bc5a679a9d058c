/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The state that outlives a worker: one memfd, held by the keeper, mapped by
 * keeper and worker. Header, a journal slot per device fd, pressure triggers,
 * the texts that readers are in the middle of, and the engine's history.
 *
 * Other versions of both programs read it, as mounts outlive them all: the slots never
 * change, the header's fields are only ever appended, below SHARED_HEADER_MAX, parts
 * are found by the offsets and sizes in the header. Where `version` differs, a
 * worker uses the header, the slots and, as long as they have the same size, the texts,
 * and leaves the other parts alone.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SHARED_VERSION 1
#define SHARED_SLOTS_MAX 16
#define SHARED_TRIGGERS 1024
#define SHARED_ANSWERS 4096
#define SHARED_OFFENCES 16
#define SHARED_TEXT_MAX 65536 /* sparse memory: what is not used costs nothing */

/* The largest write a request carries, and the request with its headers. */
#define SHARED_MAX_WRITE 16384
#define SHARED_REQUEST_MAX (SHARED_MAX_WRITE + 4096)

/* What a worker's death costs the request it was handling, and when that is too much. */
#define SHARED_BLAME_KILLED 1
#define SHARED_BLAME_CRASHED 4
#define SHARED_BLAME_LIMIT 8

/* What brought workers down; see offence.h. */
struct shared_offence {
	_Atomic uint64_t until; /* CLOCK_MONOTONIC ns, 0: none; stored last */
	uint64_t pid_ns;	/* inode of the sender's pid namespace */
	uint64_t nodeid;
	uint32_t opcode;
	uint32_t reserved;
};

/* A header of the first version, after which an appended field is 0, and room for more. */
#define SHARED_HEADER_MIN 912
#define SHARED_HEADER_MAX 4096

struct shared_header {
	char magic[8];
	uint32_t version;
	uint32_t header_size;
	uint64_t size; /* of the whole */
	uint64_t slots_offset;
	uint32_t slots;
	uint32_t slot_size;
	uint64_t triggers_offset;
	uint32_t triggers;
	uint32_t trigger_size;
	uint64_t history_offset;
	uint64_t history_size;
	uint32_t init_size;
	/* The FUSE_INIT request as the kernel sent it, played to every worker. */
	_Alignas(8) unsigned char init[512];
	/* The first answer that any worker gave: later ones must not want more. */
	_Atomic uint32_t reply_size;
	_Alignas(8) unsigned char reply[256];
	_Atomic uint32_t host_view;
	_Atomic uint32_t instance;  /* of the worker, counted up by each */
	_Atomic uint64_t heartbeat; /* CLOCK_MONOTONIC in nanoseconds, set by the worker */
	_Atomic uint32_t lock_byte; /* which byte's lock makes a worker the one that serves */
	uint32_t answers;
	uint32_t answer_size;
	uint64_t answers_offset;
	uint64_t texts_offset;
	uint64_t text_size;		 /* room for the text of one answer */
	_Atomic uint64_t offended_until; /* the latest of the offences */
	struct shared_offence offences[SHARED_OFFENCES];
};

/* The request that a thread of the worker has taken from its device fd and not yet answered. */
struct shared_slot {
	_Atomic uint64_t since; /* CLOCK_MONOTONIC ns when its handler began, 0: not begun */
	_Atomic uint32_t blame; /* of the workers that died handling it */
	uint32_t reserved;
	/* struct fuse_in_header first; its length, the first 4 bytes, is 0 when there is none. */
	_Alignas(8) unsigned char request[SHARED_REQUEST_MAX];
};

/* What a reader of an open file is in the middle of; its text has a place of its own. */
struct shared_answer {
	_Atomic uint64_t handle; /* of the open file, 0: free; stored last */
	uint64_t used;		 /* when, by a clock of the user's */
	uint64_t request;	 /* the `unique` of the one that had the text made */
	uint64_t len;		 /* of the text */
	_Atomic uint32_t kept;	 /* is the text in its place? */
	uint32_t pid;		 /* of who had it made, 0: not known */
};

/* A pressure trigger: what it takes to arm it again. */
struct shared_trigger {
	_Atomic uint64_t handle;   /* of the open file, 0: free; stored last */
	_Atomic uint64_t poll_key; /* the kernel's `kh` of that file, 0: never polled */
	uint64_t pid_ns;	   /* inode of the writer's pid namespace, 0: not known */
	int32_t pid;
	uint32_t uid, gid;
	_Atomic uint32_t fired; /* and nobody told yet */
	char path[48];
	char text[60]; /* as it was written, with the NUL or newline that the kernel cuts off */
	uint32_t text_size;
	uint64_t owner; /* see owner.h */
};

struct shared {
	struct shared_header *header;
	size_t size;
	unsigned slots;
	unsigned triggers;	       /* 0 where this version cannot read them */
	void *history;		       /* NULL likewise */
	struct shared_answer *answers; /* SHARED_ANSWERS of them, NULL likewise */
	char *texts;		       /* SHARED_TEXT_MAX bytes for each */
	size_t history_size;
	int fd; /* not owned */
};

/* Makes the memfd with a saved FUSE_INIT and room for so many slots. An fd or negative errno. */
int shared_create(const void *init, size_t init_size, unsigned slots, size_t history_size);

/*
 * Maps the state. -EPROTO where it is not one or does not hold together. With
 * `populate` the slots are made present, so that the kernel never faults while
 * it copies a request into them: a kill at that instant would lose the request.
 */
int shared_map(int fd, bool populate, struct shared *ret);
void shared_unmap(struct shared *shared);

struct shared_slot *shared_slot(const struct shared *shared, unsigned index);
struct shared_trigger *shared_trigger(const struct shared *shared, unsigned index);

/* The length of the request in a slot, 0 when there is none. */
uint32_t shared_slot_pending(const struct shared_slot *slot);

/* Marks the slot empty. */
void shared_slot_clear(struct shared_slot *slot);

/* Charges the requests that a dead worker was handling. */
void shared_blame(const struct shared *shared, uint32_t blame);

/* When the longest-running handler began (CLOCK_MONOTONIC ns), UINT64_MAX when none runs. */
uint64_t shared_oldest(const struct shared *shared);

/* Since when every slot has been in one and the same request; UINT64_MAX when one is free. */
uint64_t shared_stuck_since(const struct shared *shared);

/* No other worker is to try what has been handled since before then. */
void shared_give_up(const struct shared *shared, uint64_t before);

/*
 * At most one keeper and one worker hold a state: a lock on a byte of the memfd
 * that the kernel drops at the holder's death. No holder may close another fd of
 * the memfd (POSIX locks). lock: 0, -EAGAIN when held and not `wait`.
 * holder: the pid that has it, 0 when nobody.
 */
#define SHARED_LOCK_KEEPER 0
int shared_lock(int fd, off_t byte, bool wait);
pid_t shared_lock_holder(int fd, off_t byte);

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t shared_now(void);
