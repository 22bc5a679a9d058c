/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Containers that brought workers down, or got their threads stuck: what they did it with is
 * answered EIO for a while, without a look at it, and everything of those that do it in
 * several ways. Others must not wait because of them.
 */
#pragma once

#include <linux/fuse.h>
#include <stdbool.h>

#include "shared.h"

/* Remembers the request against its sender (owner.h), from now on for a minute. 0 is nobody. */
void offence_record(struct shared_header *header, const struct fuse_in_header *request,
		    uint64_t sender);

enum offence {
	OFFENCE_NONE,  /* nothing is known against the sender */
	OFFENCE_OTHER, /* something is, but not this */
	OFFENCE_SAME,  /* not to be tried now */
};

/* ret_sender is set with OFFENCE_OTHER. */
enum offence offence_judge(struct shared_header *header, const struct fuse_in_header *request,
			   uint64_t *ret_sender);
