/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The host below one directory fd: its /proc and /sys files, read afresh every time. */
#pragma once

#include "base/cpulist.h"
#include "cgroup/cgroup.h"
#include "snapshot.h"
#include "task.h"

struct host {
	int rootfd; /* "/" or a fixture */
	int procfd; /* its /proc */
	struct cgroups *cgroups;
	struct task_files *tasks;
	int file[HOST_FILES]; /* open files, -1 where the host has none */
	int online;	      /* open sys/devices/system/cpu/online, likewise */
};

/* NULL root is "/". -ENOENT without a /proc, -ENODEV without a cgroup file system. */
int host_open(const char *root, struct host *ret);
void host_close(struct host *host);

/* Appends one of the host's files to the text. -ENOENT where the host has none. */
int host_read(const struct host *host, enum host_file file, struct text *t);

/* The host's online CPUs. */
int host_cpus(const struct host *host, struct cpulist *ret);
