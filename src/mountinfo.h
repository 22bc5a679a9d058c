/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One line of /proc/PID/mountinfo. What stands in it may be a container's doing. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* The texts lie in the line that was parsed, with the kernel's octal escapes undone. */
struct mountinfo {
	uint64_t id, parent;
	unsigned major, minor; /* of the file system's device number */
	const char *root;      /* which of its files is mounted, "/proc/meminfo" */
	const char *point;     /* where, as the reader of mountinfo sees it */
	const char *options;   /* of this mount: "ro,nosuid" */
	const char *type;
};

/* Cuts the line up. False where it is not one. */
bool mountinfo_parse(char *line, struct mountinfo *ret);

/* Is the word among the mount's options? */
bool mountinfo_has_option(const struct mountinfo *mount, const char *word);
