/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Load averages of the containers whose loadavg somebody reads: counts their
 * running and blocked tasks every LXCFS_TICK_SECONDS, averages as the kernel does.
 */
#pragma once

#include "container.h"
#include "history.h"
#include "host.h"

struct load;

int load_open(const struct host *host, struct history *history, struct load **ret);
void load_close(struct load *load);

/* This container's load was read: sample it from now on, until nobody has asked for a while. */
void load_want(struct load *load, const struct container *container);

/* Takes one sample of every wanted container; those that are gone are dropped. */
void load_tick(struct load *load);
