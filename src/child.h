/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A worker as its keeper sees it: a process, how far it has come, how it ended. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "handoff.h"

enum child_end {
	CHILD_KILLED,  /* SIGKILL from outside, or not our own child and so not known */
	CHILD_CRASHED, /* another signal, or an exit other than 0 while it served */
	CHILD_EXITED,  /* by itself before it ever served */
	CHILD_DONE,    /* exit 0 */
};

struct child {
	pid_t pid;
	int pidfd;	   /* -1: no process */
	int ready;	   /* its ready pipe, -1: closed */
	bool proven;	   /* it said that it can serve */
	uint64_t started;  /* CLOCK_MONOTONIC ns */
	uint64_t deadline; /* for what it was asked, 0: nothing */
	bool condemned;	   /* killed because it hung */
};

#define CHILD_NONE ((struct child){ .pidfd = -1, .ready = -1 })

static inline bool child_runs(const struct child *child)
{
	return child->pidfd >= 0;
}

/* Starts a worker. The handoff's `ready` is filled in here. */
int child_start(const struct program *program, struct handoff *handoff, struct child *ret);

/* Takes a process over that somebody else started and that already serves. */
int child_adopt(pid_t pid, struct child *ret);

/* Reads the ready pipe; true once, when the child says that it can serve. */
bool child_take_ready(struct child *child);

void child_signal(const struct child *child, int signal);

/* Asks it to end (SIGTERM), kills it after the time, waits until it is gone. */
void child_stop(struct child *child, int timeout_ms);

/* After its pidfd signalled: how it ended. The child is CHILD_NONE afterwards. */
enum child_end child_reap(struct child *child, int *ret_status);

/* What to say of it: "crashed". */
const char *child_end_name(enum child_end end);

/* Gives a process up that does not die, blocked in the kernel. */
void child_forget(struct child *child);
