/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The task part of gathering: how many tasks a container has, and in which state. */
#pragma once

#include "container.h"
#include "history.h"
#include "host.h"
#include "snapshot.h"

/* Fills tasks of the snapshot. */
int gather_tasks(const struct host *host, struct history *history,
		 const struct container *container, struct snapshot *ret);
