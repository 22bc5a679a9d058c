/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Storage pools: their life, their configuration, who uses them. */
#pragma once

#include "core/event.h"
#include "drivers/storage/storage.h"

struct daemon;
struct pools; /* what this process knows of them: who works on which volume */

/*
 * Mounts every pool and takes away or completes what a killed daemon left half done in them.
 * A pool that cannot be mounted does not keep the others from it: its error is given to WARN.
 * Called once, before anything else of pool.h and volume.h, with the database open.
 */
gboolean pool_startup(struct daemon *daemon, void (*warn)(const char *pool, const GError *error),
		      GError **error);

/* Unmounts them, when no instance runs any more. */
void pool_shutdown(struct daemon *daemon);

/* Forgets what pool_startup made; unmounts nothing. */
void pools_free(struct pools *pools);

/* The pool as its driver wants it, mounted. Free with storage_pool_free. 404, 503. */
struct storage_pool *pool_open(struct daemon *daemon, const char *name, gint64 *ret_id,
			       GError **error);

/* The object as the API shows it, with used_by; an array of them, sorted by name. */
json_t *pool_show(struct daemon *daemon, const char *name, GError **error);
json_t *pool_list(struct daemon *daemon, GError **error);

/* CONFIG may be NULL. */
gboolean pool_create(struct daemon *daemon, const char *name, const char *driver,
		     const char *description, const json_t *config, const struct requestor *who,
		     GError **error);
/* Replaces (patch: merges) configuration and description (NULL: stays). */
gboolean pool_update(struct daemon *daemon, const char *name, const char *description,
		     const json_t *config, gboolean patch, const struct requestor *who,
		     GError **error);
gboolean pool_delete(struct daemon *daemon, const char *name, const struct requestor *who,
		     GError **error);

/* {"space": {"used", "total"}, "inodes": {...}} */
json_t *pool_resources(struct daemon *daemon, const char *name, GError **error);

/*
 * For GET /1.0: {"storage": "btrfs | dir", "storage_version": "6.2 | 1",
 * "storage_supported_drivers": [{"Name", "Version", "Remote"}]}
 */
json_t *pool_environment(struct daemon *daemon, GError **error);
