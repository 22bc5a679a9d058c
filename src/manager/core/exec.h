/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Commands in running instances: with a terminal, with pipes or with files, until they end. */
#pragma once

#include "core/instance.h"

struct exec;

struct exec_spec {
	const json_t *command;	   /* array of strings; the first is looked up in PATH */
	const json_t *environment; /* map: exec_environment() */
	gboolean terminal;	   /* else three pipes, or FILES */
	int width, height;	   /* of the terminal; 0: as it comes */
	const int *files;	   /* stdin, stdout, stderr: borrowed; NULL: none */
	const int *gate;	   /* see struct instance_command; NULL: none */
	uid_t uid;		   /* inside */
	gid_t gid;
	const char *cwd; /* "": the user's home */
};

/* 400 in words for people unless a command can be run in INST now. */
gboolean exec_possible(const struct instance *inst, GError **error);

/* The environment of a command of UID: the instance's own, then ASKED (may be NULL), then defaults.
 */
json_t *exec_environment(const struct instance *inst, const json_t *asked, uid_t uid);

struct exec *exec_start(const struct instance *inst, const struct exec_spec *spec, GError **error);

/* What the client writes to and reads from (0, 1, 2; a terminal has 0 alone); -1: none. */
int exec_fd(const struct exec *exec, int number);
void exec_close_fd(struct exec *exec, int number);

/* Becomes readable when the command has ended. */
int exec_ended_fd(const struct exec *exec);

/* From any thread while it was not freed. What has ended gets none. */
void exec_signal(const struct exec *exec, int number);
void exec_resize(const struct exec *exec, int width, int height);

/* Waits for the end: what it exited with, or 128 and the signal. It is killed when cancelled. */
int exec_wait(struct exec *exec, GCancellable *cancel);

/* What a client is told of 126 and 127, which are errors; TRUE for all others. */
gboolean exec_check_status(int status, GError **error);

/* Kills it if it was not waited for. NULL is allowed. */
void exec_free(struct exec *exec);
typedef struct exec exec_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(exec_t, exec_free) /* g_autoptr (exec_t) exec */
