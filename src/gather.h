/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fills a snapshot: the only place between a request and the host's files. */
#pragma once

#include "container.h"
#include "history.h"
#include "host.h"
#include "snapshot.h"

/*
 * Reads what `needs` (enum need) asks for. What the kernel does not tell for this
 * container is left out of snapshot->have; only a lack of memory is an error.
 * `why` may be NULL. The snapshot is to be released with snapshot_free(), also
 * after an error.
 */
int gather(const struct host *host, struct history *history, const struct container *container,
	   unsigned flags, unsigned needs, struct origins *why, struct snapshot *ret);
