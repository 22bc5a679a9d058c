/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rows of storage pools: storage_pools, storage_pools_config, storage_pools_nodes. */
#pragma once

#include "db/db.h"

/* The names, sorted, as an array of strings. */
json_t *db_pool_names(struct db *db, GError **error);

/* {"id", "name", "driver", "description", "state", "config": {}}; 404 "Storage pool not found". */
json_t *db_pool_get(struct db *db, const char *name, GError **error);

/* Returns the new row's id, or -1: 409 "The storage pool already exists". */
gint64 db_pool_insert(struct db *db, const char *name, const char *driver, const char *description,
		      const json_t *config, GError **error);

gboolean db_pool_update(struct db *db, gint64 id, const char *description, const json_t *config,
			GError **error);
gboolean db_pool_delete(struct db *db, gint64 id, GError **error);

/*
 * Who uses the pool: {"instances": [{"name", "project"}...], "images": [{"name", "project"}...],
 * "custom": [...], "profiles": [...]}: containers' volumes and custom ones by their rows, profiles by
 * their disk devices, images by their volumes.
 */
json_t *db_pool_users(struct db *db, gint64 id, const char *name, GError **error);
