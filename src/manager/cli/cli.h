/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The commands of `lxd` that talk to a daemon: each gets its arguments and gives an exit status. */
#pragma once

#include <glib.h>

int cli_activateifneeded(int argc, char **argv);
int cli_init(int argc, char **argv);
int cli_recover(int argc, char **argv);
int cli_shutdown(int argc, char **argv);
int cli_sql(int argc, char **argv);
int cli_version(int argc, char **argv);
int cli_waitready(int argc, char **argv);

/* Takes the options out of the arguments; FALSE after it has said what is wrong. */
gboolean cli_parse(int *argc, char ***argv, const char *arguments, const char *description,
		   const GOptionEntry *entries);

/* Prints "Error: ..." and gives the exit status 1. */
int cli_fail(const GError *error);
