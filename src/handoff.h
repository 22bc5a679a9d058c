/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a keeper and a worker give each other when one starts the other: the fds,
 * by number, in a first argument that users never write:
 * "--worker=STATE,READY,PROVE,FD,FD..." or "--keeper=...".
 */
#pragma once

#include <stdbool.h>

#include "device.h"

enum handoff_role {
	HANDOFF_NONE, /* started by a user */
	HANDOFF_WORKER,
	HANDOFF_KEEPER,
};

struct handoff {
	int state;  /* the memfd */
	int ready;  /* a worker writes one byte to it when it can serve; -1: nobody listens */
	bool prove; /* the worker tests itself before it says so */
	struct device device;
};

/* The program that runs and how it was called, for starting it again. */
struct program {
	char *path;  /* absolute, where the installed file is */
	char **args; /* without argv[0] and without a handoff, NULL-terminated */
};

/* Finds the path of the running program. args are borrowed. */
int program_init(struct program *program, char **args);
void program_free(struct program *program);

/* Reads a first argument; HANDOFF_NONE when it is none. The fds get FD_CLOEXEC. */
enum handoff_role handoff_parse(const char *arg, struct handoff *ret);

/*
 * Forks and runs the installed program in the role, with the fds of the handoff
 * and no others, no signal blocked. Its pid, or negative errno. That the program
 * cannot be run shows as its exit with status 127.
 */
int handoff_start(const struct program *program, enum handoff_role role,
		  const struct handoff *handoff);
