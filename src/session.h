/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One thread's FUSE session: a device fd, its journal slot, libfuse between
 * them. A request is in shared memory from the instant the kernel regards it as
 * delivered until it is answered, so whoever dies meanwhile, the next worker
 * carries it out.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "fs.h"
#include "shared.h"

struct session {
	struct fs_link link; /* first: what the operations find in their userdata */
	struct fuse_session *fuse;
	const struct shared *shared;
	struct shared_slot *slot;
	int fd;	      /* the device fd that the slot's requests come from; fuse closes it */
	int init_fd;  /* the one that FUSE_INIT came from */
	int ended_fd; /* eventfd, told when the thread ends; not owned */
	pthread_t thread;
	atomic_bool stop, ended;
	bool started;
};

/* Makes the session and plays FUSE_INIT to it. `fd` is the session's from then on. */
int session_open(struct session *session, struct fs *fs, const struct shared *shared,
		 unsigned index, int fd, int init_fd, bool psi_poll, bool debug);
void session_close(struct session *session);

/* Is there a request of an earlier worker in the slot, and did it bring one down? */
bool session_is_suspect(const struct session *session);

/* Carries out what is in the slot, or answers EIO where that cost two workers. */
void session_replay(struct session *session);

/* Starts a thread that replays the slot and then serves until session_stop(). */
int session_start(struct session *session, int ended_fd);

/* Asks the thread to end after its request, and waits for at most the time given. True if it did.
 */
bool session_stop(struct session *session, int timeout_ms);
