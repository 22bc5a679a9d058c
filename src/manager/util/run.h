/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs another program and waits for it: arguments go as they are (there is never a shell), what
 * it says is kept within bounds, and it is killed with all its children when it takes too long
 * or is no longer wanted.
 */
#pragma once

#include <gio/gio.h>

struct run {
	const char *const *argv; /* ends with NULL; argv[0] is looked up in PATH */
	const char *const *env; /* the whole environment; NULL: the daemon's, with LC_ALL=C.UTF-8 */
	const char *dir;	/* working directory; NULL: the daemon's */
	const char *beneath;	/* may write nowhere but below this directory; NULL: anywhere. Needs
				   a kernel with Landlock, else it is not enforced */
	gboolean has_in, has_out; /* in and out are set */
	int in, out;		  /* borrowed; without: /dev/null, and an output that is kept */
	gsize output_max;	  /* of the kept output; 0: 1 MiB. More of it is an error */
	guint64 file_max;	  /* bytes of a file that it writes (RLIMIT_FSIZE); 0: unlimited */
	unsigned timeout_s;	  /* 0: for ever */
	GCancellable *cancel;	  /* may be NULL */
};

/*
 * TRUE when it ended with 0. *ret_output (may be NULL; ends with a NUL that *ret_len does not
 * count; free with g_free) is what it wrote to its standard output. The error's words are
 * "Failed to run: NAME ARGS: exit status 1 (LAST LINE OF STDERR)"; G_IO_ERROR_CANCELLED and
 * G_IO_ERROR_TIMED_OUT keep their codes.
 */
gboolean run(const struct run *spec, char **ret_output, gsize *ret_len, GError **error);

/* run() of the words that follow, ended by NULL, for what it does alone. */
gboolean run_words(GCancellable *cancel, GError **error, const char *program,
		   ...) G_GNUC_NULL_TERMINATED;

/* The same in two steps, for a caller who feeds or reads it meanwhile; run_end() waits, frees. */
struct running;
struct running *run_begin(const struct run *spec, GError **error);
gboolean run_end(struct running *running, char **ret_output, gsize *ret_len, GError **error);

/* Kills it and what it started, and frees it. */
void run_kill(struct running *running);
