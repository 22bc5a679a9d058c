/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The FUSE operations on top of the engine. Every one can be run again by
 * another worker: node ids are the engine's, file handles of an earlier worker
 * mean "make the text anew", and every reply is sent before the operation ends.
 */
#pragma once

#include <fuse_lowlevel.h>
#include <stdbool.h>
#include <stdint.h>

#include "lxcfs.h"
#include "shared.h"

struct fs;

/* What a session's userdata begins with. */
struct fs_link {
	struct fs *fs;
	const unsigned char *request; /* the raw message, struct fuse_in_header first */
	bool replayed;		      /* an earlier worker may have carried it out already */
};

struct fs_options {
	struct lxcfs *engine;
	const struct shared *shared;
	uint32_t instance; /* of this worker, different from all others of the mount */
	int notify_fd;	   /* the device fd that the kernel is told things on unasked */
	bool psi_poll;
};

/* To be released with fs_close(). The engine and the state stay the caller's. */
int fs_open(const struct fs_options *options, struct fs **ret);
void fs_close(struct fs *fs);

/* The operations for fuse_session_new(); `poll` only where it is wanted. */
struct fuse_lowlevel_ops fs_operations(bool psi_poll);

/* Makes the engine show what SIGUSR2 last asked for. Before every request. */
void fs_follow_host_view(struct fs *fs);
