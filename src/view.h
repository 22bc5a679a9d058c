/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a virtual file is: a row of a table. Adding a file is a row in views.c
 * and a file in proc/ or sys/ with its render function.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "snapshot.h"

struct view {
	const char *path; /* below the mount point: "/proc/meminfo" */
	mode_t mode;	  /* type and permissions; a host file's own permissions come first */
	const char *host; /* the host's file below its root; without it the view is hidden */
	unsigned needs;	  /* enum need: what shall be gathered */
	unsigned must;	  /* those of them without which the host's file is shown */
	void (*render)(const struct snapshot *snapshot, struct text *text);
	/* What the lines are made of, for lxcfs-inspect --explain; the gathered numbers follow. */
	const char *explain;
};

extern const struct view views[];
extern const size_t views_count;

/* The row of a path, NULL if none. */
const struct view *view_find(const char *path);

/* Render functions, one file each in proc/ and sys/. */
void cpuinfo_render(const struct snapshot *snapshot, struct text *text);
void diskstats_render(const struct snapshot *snapshot, struct text *text);
void loadavg_render(const struct snapshot *snapshot, struct text *text);
void meminfo_render(const struct snapshot *snapshot, struct text *text);
void pressure_render(const struct snapshot *snapshot, struct text *text);
void slabinfo_render(const struct snapshot *snapshot, struct text *text);
void stat_render(const struct snapshot *snapshot, struct text *text);
void swaps_render(const struct snapshot *snapshot, struct text *text);
void uptime_render(const struct snapshot *snapshot, struct text *text);
void cpu_online_render(const struct snapshot *snapshot, struct text *text);
void cpu_offline_render(const struct snapshot *snapshot, struct text *text);
void cpu_isolated_render(const struct snapshot *snapshot, struct text *text);
