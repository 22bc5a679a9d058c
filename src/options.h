/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The command line of lxcfs: every option of LXCFS 5.0, 6.0 and 7.0, before or
 * after the mount point.
 */
#pragma once

#include <stdbool.h>

enum options_action {
	OPTIONS_SERVE,
	OPTIONS_HELP,
	OPTIONS_VERSION,
	OPTIONS_REATTACH,
};

struct options {
	enum options_action action;
	char *mountpoint;	   /* as given */
	char *reattach_devices;	   /* of the views to reattach, NULL: of all that are dead */
	char *pidfile;		   /* RUNTIME_DIR/lxcfs.pid when not given */
	char *source;		   /* what /proc/mounts shows first: "lxcfs" or -o fsname= */
	char *mount_data;	   /* what else the kernel is told, "context=..." or "" */
	unsigned long mount_flags; /* MS_* of mount(2) */
	unsigned engine_flags;	   /* enum lxcfs_flags */
	bool debug;
	char problem[256]; /* what is wrong, after a failure */
};

/*
 * Reads a command line. -EINVAL with a line in ->problem that says what to do,
 * or -ENOMEM. To be released with options_free() in any case.
 */
int options_parse(int argc, char **argv, struct options *options);

void options_free(struct options *options);

/* The text of --help. */
const char *options_help(void);
