/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lxd-container: what the daemon does in or beside a container, each in a process of its own that
 * is as small as can be. Functions return 0 or a negative errno unless they say otherwise; a
 * command returns what the process exits with.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/* What a container cannot reach any more when the command itself cannot be run in it. */
#define EXIT_CANNOT_RUN 126
#define EXIT_NOT_FOUND 127

struct lxc_container;

/* A container and its configuration; CONF may be "" for none. NULL when either cannot be had. */
struct lxc_container *container_open(const char *name, const char *lxcpath, const char *conf);
void container_close(struct lxc_container **c);

/* The descriptors from FIRST on are closed: a process has what it was given and no more. */
void container_close_from(int first);

/*
 * Runs the same command again from a sealed copy of this program in memory, unless it is one: a
 * container that gets hold of /proc/PID/exe of a process that entered it cannot write to it
 * (CVE-2019-5736). Returns when there is nothing to do or it cannot be done.
 */
int container_seal(char **argv);

/* Joins the user (if it is another) and mount namespaces of PIDFD's process, as their root. */
int container_enter(int pidfd);

/* Makes ROOT (a directory of a stopped container) the root; USERNS -1: of a privileged one. */
int container_enter_rootfs(const char *root, int userns, bool shifted);

/* Keeps no capability but those that managing files takes, for good. */
int container_drop_capabilities(void);

/* The commands; argv[0] is the command's name. */
int command_start(int argc, char **argv);
int command_exec(int argc, char **argv);
int command_hook(int argc, char **argv);
int command_files(int argc, char **argv);
int command_mount(int argc, char **argv);
int command_umount(int argc, char **argv);

/* Says on stderr what failed and why; ERROR is an errno, negated or not. Returns 1. */
int complain(const char *what, int error);
