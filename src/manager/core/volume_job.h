/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A volume that is being worked on: found, locked, with what it is called where. */
#pragma once

#include "core/pool.h"
#include "core/volume.h"
#include "db/volume.h"

struct pools {
	GMutex lock;
	GCond freed;
	GHashTable *held; /* volumes that a thread works on: "POOL/TYPE/NAME ON DISK" */
};

struct volume_job {
	struct daemon *daemon;
	struct storage_pool *pool;
	struct db_volume_key key;
	char *disk, *mark; /* its name on disk, and that of the new one */
	struct storage_volume volume, fresh;
	const char *snapshot; /* the reference's */
	char *held;	      /* in pools->held; NULL: not locked */
};

/* Opens the pool and, when LOCK is set, waits until nobody else works on the volume. */
gboolean volume_job_open(struct volume_job *job, struct daemon *daemon,
			 const struct volume_ref *ref, gboolean lock, GError **error);
void volume_job_close(struct volume_job *job);
#define AUTO_VOLUME_JOB __attribute__((cleanup(volume_job_close)))

/* NAME in PROJECT as it is called on disk; free with g_free. */
char *volume_disk_name(enum volume_type type, const char *project, const char *name);

/* Its row, or NULL and 404. */
json_t *volume_job_row(struct volume_job *job, GError **error);
gint64 volume_job_id(struct volume_job *job, GError **error); /* -1: none */

/* LXD_DIR/containers/NAME and LXD_DIR/snapshots/NAME, as what is there demands. */
void volume_job_link(struct volume_job *job);

/* Puts in order what a kill left of the volumes of one pool. */
gboolean volume_recover(struct daemon *daemon, struct storage_pool *pool, gint64 id,
			GError **error);
