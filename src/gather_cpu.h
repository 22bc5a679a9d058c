/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The CPU part of gathering: which CPUs a container has, and what their counters show. */
#pragma once

#include "container.h"
#include "history.h"
#include "host.h"
#include "snapshot.h"

/* Fills cpus, cpu_count and quota of the snapshot. */
int gather_cpus(const struct host *host, const struct container *container, unsigned flags,
		struct origins *why, struct snapshot *ret);

/* Fills cpu_times and cpu_total; after gather_cpus() and with now and start known. */
int gather_cpu_times(const struct host *host, struct history *history,
		     const struct container *container, struct origins *why, struct snapshot *ret);
