/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lxcfs: reads the options, then is a keeper or, started by one, a worker. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "handoff.h"
#include "keeper.h"
#include "lxcfs.h"
#include "options.h"
#include "reattach.h"
#include "worker.h"

#define EXIT_USAGE 2 /* systemd need not try again */

static int serve(const struct options *options, char **args, enum handoff_role role,
		 const struct handoff *handoff)
{
	struct program program;
	int status, r = program_init(&program, args);

	if (r < 0) {
		log_line("cannot find the program itself below /proc: %s", strerror(-r));
		return EXIT_FAILURE;
	}
	if (role == HANDOFF_WORKER)
		status = worker_run(options, &program, handoff);
	else
		status = keeper_run(options, &program, role == HANDOFF_KEEPER ? handoff : NULL);
	program_free(&program);
	return status;
}

static int act(const struct options *options, char **args, enum handoff_role role,
	       const struct handoff *handoff)
{
	switch (options->action) {
	case OPTIONS_HELP:
		fputs(options_help(), stdout);
		return EXIT_SUCCESS;
	case OPTIONS_VERSION:
		puts(lxcfs_version());
		return EXIT_SUCCESS;
	case OPTIONS_REATTACH:
		return reattach_run(options);
	default:
		return serve(options, args, role, handoff);
	}
}

int main(int argc, char **argv)
{
	struct handoff handoff;
	enum handoff_role role = handoff_parse(argc > 1 ? argv[1] : NULL, &handoff);
	int skip = role == HANDOFF_NONE ? 0 : 1;
	struct options options;
	char **args;
	int status = EXIT_FAILURE;
	int r;

	/* getopt reorders its vector; what is handed on to the next program is the original. */
	args = calloc((size_t)argc + 1, sizeof(*args));
	if (!args)
		return EXIT_FAILURE;
	if (argc > 0)
		memcpy(args, argv + 1 + skip, (size_t)(argc - skip) * sizeof(*args));
	r = options_parse(argc - skip, argv + skip, &options);
	if (r == 0) {
		status = act(&options, args, role, &handoff);
	} else {
		log_line("%s", r == -EINVAL ? options.problem : strerror(-r));
		status = EXIT_USAGE;
	}
	options_free(&options);
	free(args);
	return status;
}
