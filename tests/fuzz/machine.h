/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A machine made of plain files in a temporary directory: a host, a container
 * ("box") with a cgroup below its own, one nested in it, and others beside it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Its processes. */
enum machine_pid {
	MACHINE_INIT = 1,     /* of the host */
	MACHINE_SESSION = 50, /* of the host's pid namespace, in a cgroup */
	MACHINE_BOX = 100,    /* init of the container */
	MACHINE_APP = 101,    /* in a cgroup below the container's */
	MACHINE_NESTED = 200, /* init of a container in the container */
	MACHINE_USER = 300,  /* init of one with a user namespace: root is uid 100000, owns /user */
	MACHINE_OTHER = 400, /* init of a container beside it */
	MACHINE_BARE = 500,  /* like the container, but without capabilities */
	MACHINE_GONE = 999,  /* no such process */
};

extern const int machine_pids[];
extern const size_t machine_pids_count;

/*
 * Makes the machine with cgroup v1 (and v2 without controllers beside it) or with v2
 * alone. Returns its directory, which is removed when the program ends.
 */
const char *machine_make(int version);

/* Puts a file with this content below the machine's directory, in place of what was there. */
void machine_write(const char *machine, const char *path, const void *content, size_t len);

/* Removes the machine now, to make another. */
void machine_forget(const char *machine);
