/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The pid file: locked for as long as its process lives, removed by it alone. */
#pragma once

/*
 * Makes, locks and fills the file. An fd to keep open, -EAGAIN where another
 * process has it locked (its file stays as it is), or negative errno.
 */
int pidfile_take(const char *path);

/* Removes the file, if it is still the one that is locked through fd, and closes fd. */
void pidfile_drop(const char *path, int fd);
