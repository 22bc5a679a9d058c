/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One thread's FUSE session: a device fd, its journal slot, libfuse between
 * them. A request is in shared memory from the instant the kernel regards it as
 * delivered until it is answered, so whoever dies meanwhile, the next worker
 * carries it out.
 */
#pragma once

#include <linux/fuse.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "fs.h"
#include "shared.h"

/* How the threads of all sessions call the one that looks after them. */
struct session_bell {
	int fd; /* eventfd: rung when a thread ends, and when the last free one is taken */
	unsigned threads;  /* that serve */
	atomic_uint busy;  /* of them */
	atomic_bool heard; /* somebody looks already: no need to ring */
};

struct session_options {
	struct fs *fs;
	const struct shared *shared;
	struct session_bell *bell;
	unsigned index; /* of the slot */
	int fd;		/* the device fd that the slot's requests come from; stays the caller's */
	int init_fd;	/* the one that FUSE_INIT came from */
	bool psi_poll, debug;
};

struct session {
	struct fs_link link; /* first: what the operations find in their userdata */
	struct session_options options;
	struct fuse_session *fuse;
	struct shared_slot *slot;
	pthread_t thread;
	atomic_int tid;	       /* 0: it does not run yet */
	_Atomic uint64_t turn; /* counts up; odd while there is a request, SESSION_LOST: given up */
	atomic_bool stop, ended;
	bool started;
	/* Of one that was given up: what it is stuck in, and whose that is. */
	struct fuse_in_header stuck;
	uint64_t sender;
};

#define SESSION_LOST UINT64_MAX

/* Makes the session and plays FUSE_INIT to it. To be released with session_close(). */
int session_open(const struct session_options *options, struct session **ret);
void session_close(struct session *session);

/* Is there a request of an earlier worker in the slot, and did it bring one down? */
bool session_is_suspect(const struct session *session);

/* Carries out what is in the slot, or answers EIO where that cost two workers. */
void session_replay(struct session *session);

/* Starts a thread that replays the slot and then serves until session_stop(). */
int session_start(struct session *session);

/* Whose request the thread has, or had last: owner_of() its process. */
uint64_t session_sender(const struct session *session);

/*
 * The thread is stuck in the request of this turn: answers that with EIO and takes slot and
 * device fd away from the thread, which ends when it comes back. For another session then.
 * False when it just went on.
 */
bool session_give_up(struct session *session, uint64_t turn);

/* Interrupts the system call that a given up thread is in, for those that let themselves be. */
void session_wake(struct session *session);

/* Waits for a thread that has ended. */
void session_join(struct session *session);

/* Asks the thread to end after its request, and waits for at most the time given. True if it did.
 */
bool session_stop(struct session *session, int timeout_ms);
