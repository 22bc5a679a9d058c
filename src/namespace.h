/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pid namespaces: whose init is it, when did that start, what does its clock say,
 * and in which cgroups is it now. Found once, remembered while init lives.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/text.h"

#define NAMESPACE_LINK_MAX 64 /* "pid:[4026531836]" */

/* What does not change as long as the namespace lives. */
struct pid_namespace {
	char link[NAMESPACE_LINK_MAX];
	pid_t init;	   /* as the engine's pid namespace numbers it */
	uint64_t start_us; /* when init started, since the host's boot */
	bool own_timens;
	int64_t boottime_offset_us;
};

/* Those that were met; shared by all threads, each holds one fd. */
struct pid_namespaces;

/* `procfd` is the host's /proc and must stay open. Keeps at most so many files open. */
int pid_namespaces_open(int procfd, unsigned files_max, struct pid_namespaces **ret);
void pid_namespaces_close(struct pid_namespaces *namespaces);

/* Is the namespace of this link the host's? */
bool pid_namespace_is_host(const struct pid_namespaces *namespaces, const char *link);

/*
 * The namespace that `member` lives in, whose link is known, and the present text of its
 * init's /proc/PID/cgroup, appended to `cgroup`. -ESRCH when no init is to be found.
 */
int pid_namespace_of(struct pid_namespaces *namespaces, pid_t member, const char *link,
		     struct pid_namespace *ret, struct text *cgroup);

/* When a process started, in microseconds since the host's boot. */
int process_start_us(int procfd, pid_t pid, uint64_t *ret);

#define PIDNS_LEVELS 33 /* MAX_PID_NS_LEVEL of kernel/pid_namespace.c and the first one */

/*
 * The numbers of a process or thread ("12", "12/task/13") in the pid namespaces from the
 * engine's inwards, "NSpid:" of its status; how many these are, 0 where they are not known.
 */
unsigned process_numbers(int procfd, const char *process, pid_t numbers[PIDNS_LEVELS]);

/* Is the process about to end, or gone? */
bool process_is_ending(int procfd, pid_t pid);
