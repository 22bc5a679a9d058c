/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rows of storage pools: storage_pools, storage_pools_config, storage_pools_nodes. */
#pragma once

#include "db/db.h"

/*
 * States: pending while a pool is made, created, and errored while it is deleted. A start after a
 * kill finds the first and the last and undoes the one and completes the other.
 */
enum { DB_POOL_PENDING, DB_POOL_CREATED, DB_POOL_ERRORED };

/* The names of those that are created, sorted, as an array of strings. */
json_t *db_pool_names(struct db *db, GError **error);

/* All of them: array of {"name", "state"}. */
json_t *db_pool_states(struct db *db, GError **error);

/* {"id", "name", "driver", "description", "state", "config": {}}; 404 "Storage pool not found". */
json_t *db_pool_get(struct db *db, const char *name, GError **error);

/* Returns the id of the new row, which is pending, or -1: 409 "The storage pool already exists". */
gint64 db_pool_insert(struct db *db, const char *name, const char *driver, const char *description,
		      const json_t *config, GError **error);

gboolean db_pool_update(struct db *db, gint64 id, const char *description, const json_t *config,
			GError **error);

/* CONFIG (may be NULL) is what the driver made of it. */
gboolean db_pool_set_state(struct db *db, gint64 id, int state, const json_t *config,
			   GError **error);
gboolean db_pool_delete(struct db *db, gint64 id, GError **error);

/*
 * Who uses the pool: {"instances": [{"name", "project"}...], "images": [{"name", "project"}...],
 * "custom": [...], "profiles": [...]}: containers' volumes and custom ones by their rows, profiles
 * by their disk devices, images by their volumes.
 */
json_t *db_pool_users(struct db *db, gint64 id, const char *name, GError **error);
