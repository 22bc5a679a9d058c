/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a thread does and since when, from its /proc/TID/stat. Opening that costs more than
 * reading it, so those that were looked at lately are kept open.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

struct task_stat {
	char state;	/* R, S, D, ...: proc(5) */
	uint64_t start; /* clock ticks since the host's boot */
};

/* Open files of threads; shared by all threads of ours. */
struct task_files;

/* `procfd` is the host's /proc and must stay open. Nothing is kept before task_files_keep(). */
int task_files_open(int procfd, struct task_files **ret);
void task_files_close(struct task_files *files);

/* Keeps at most so many files open; to be called before the first read. */
void task_files_keep(struct task_files *files, unsigned max);

/* -ENOENT or -ESRCH when there is no such thread, -EINVAL when its file makes no sense. */
int task_stat_read(struct task_files *files, pid_t tid, struct task_stat *ret);
