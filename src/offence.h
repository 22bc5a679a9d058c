/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Containers that brought workers down: what they did it with is answered EIO for a
 * while, without a look at it, and everything of those that do it in several ways. Others
 * must not wait for a worker because of them.
 */
#pragma once

#include <linux/fuse.h>
#include <stdbool.h>

#include "shared.h"

/* Remembers who sent the request, if the process still is there. */
void offence_record(struct shared_header *header, const struct fuse_in_header *request);

/* Is the request one that must not be tried again now? */
bool offence_forbids(struct shared_header *header, const struct fuse_in_header *request);
