/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The daemon itself: up and down in order. */
#pragma once

#include <glib.h>

struct serve_options {
	char *group, *logfile; /* NULL: none */
	gboolean syslog, debug, verbose;
};

/* Runs until it is told to stop; returns main's exit status. */
int serve(const struct serve_options *options);

/* $LXD_DIR and the socket's path, from the environment; free with g_free. */
char *serve_dir(void);
char *serve_socket(void);
