/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rows of storage volumes and of their snapshots. TYPE is the database's number. */
#pragma once

#include "db/db.h"

enum { DB_VOLUME_CONTAINER, DB_VOLUME_IMAGE, DB_VOLUME_CUSTOM, DB_VOLUME_VM };

/* A volume's key; images are of the default project whoever uses them. */
struct db_volume_key {
	gint64 pool;
	const char *project;
	int type;
	const char *name;
};

/* {"id", "name", "type", "description", "content_type", "project", "config": {}}; or NULL and 404.
 */
json_t *db_volume_get(struct db *db, const struct db_volume_key *key, GError **error);

/* The same of a snapshot, with "expiry_date" (text or null). */
json_t *db_volume_get_snapshot(struct db *db, const struct db_volume_key *key, const char *snapshot,
			       GError **error);

/* All of a pool in order of type and name, snapshots after their volume. PROJECT NULL: of all. */
json_t *db_volume_list(struct db *db, gint64 pool, const char *project, GError **error);

/* Those of containers in all pools: {"name", "project", "pool"}. */
json_t *db_volumes_of_containers(struct db *db, GError **error);

/* The names of the snapshots in the order in which they were made. */
json_t *db_volume_snapshots(struct db *db, gint64 id, GError **error);

gint64 db_volume_insert(struct db *db, const struct db_volume_key *key, const char *description,
			const json_t *config, GError **error);
gint64 db_volume_insert_snapshot(struct db *db, gint64 id, const char *snapshot,
				 const char *description, const json_t *config, const char *expiry,
				 GError **error);
gboolean db_volume_update(struct db *db, gint64 id, const char *description, const json_t *config,
			  GError **error);
gboolean db_volume_rename(struct db *db, gint64 id, const char *name, GError **error);
gboolean db_volume_rename_snapshot(struct db *db, gint64 id, const char *snapshot, const char *name,
				   GError **error);
gboolean db_volume_delete(struct db *db, gint64 id, GError **error);
gboolean db_volume_delete_snapshot(struct db *db, gint64 id, const char *snapshot, GError **error);
