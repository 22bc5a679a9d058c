/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The views in one mount namespace: those of a dead lxcfs give way to the same ones
 * of the lxcfs that serves now. The namespace may be a hostile container's: nothing in
 * it is followed by name, nothing is replaced that is not a dead lxcfs' mount, and who
 * calls gives a process of its own to it, which may be killed when it takes too long.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define REBIND_DEVICES 64

enum rebind_state {
	REBIND_UNKNOWN,
	REBIND_DEAD,
	REBIND_ALIVE,
};

/* A file system called fuse.lxcfs. */
struct rebind_device {
	_Atomic uint64_t number; /* from rebind_number(), 0: none */
	_Atomic uint32_t state;	 /* enum rebind_state */
	_Atomic uint32_t wanted; /* its views are asked for */
};

/* What is found out and done, in memory shared by all the processes. */
struct rebind_ledger {
	struct rebind_device devices[REBIND_DEVICES];
	_Atomic uint32_t views;	     /* bound again */
	_Atomic uint32_t namespaces; /* in which there were some */
	_Atomic uint32_t failed;     /* views that could not be */
};

struct rebind {
	int proc;	  /* the host's /proc */
	int home;	  /* the mount namespace that lxcfs is mounted in */
	int lxcfs;	  /* O_PATH fd of its root */
	uint64_t number;  /* of its device */
	bool only_wanted; /* no views of other devices */
	struct rebind_ledger *ledger;
};

static inline uint64_t rebind_number(uint32_t major, uint32_t minor)
{
	return (uint64_t)major << 32 | minor;
}

/* Finds a device, or adds it. NULL when there are too many. */
struct rebind_device *rebind_device(struct rebind_ledger *ledger, uint64_t number);

/*
 * Enters the namespace and binds what must be bound. Negative errno when it could not
 * look; a view that cannot be bound is counted in the ledger and the others go on. The
 * process is in the other namespace afterwards.
 */
int rebind_namespace(const struct rebind *rebind, int ns);
