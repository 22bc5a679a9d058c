/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rows of storage volumes and of their snapshots. */
#include "db/volume.h"

#include <string.h>

#include "util/error.h"
#include "util/json.h"

#define VOLUME                                                                           \
	"SELECT v.id, v.name, v.type, v.description, v.content_type, p.name AS project " \
	"FROM storage_volumes v JOIN projects p ON p.id = v.project_id "
#define SNAPSHOT                                                                             \
	"SELECT s.id, v.name || '/' || s.name AS name, v.type, s.description, "              \
	"v.content_type, p.name AS project, s.expiry_date FROM storage_volumes_snapshots s " \
	"JOIN storage_volumes v ON v.id = s.storage_volume_id "                              \
	"JOIN projects p ON p.id = v.project_id "

static gboolean add_config(struct db *db, json_t *row, gboolean snapshot, GError **error)
{
	json_t *config = db_config_get(
		db, snapshot ? "storage_volumes_snapshots_config" : "storage_volumes_config",
		snapshot ? "storage_volume_snapshot" : "storage_volume",
		json_integer_value(json_object_get(row, "id")), error);

	return config && json_object_set_new(row, "config", config) == 0;
}

/* ROW (taken over) with its configuration; PROBLEM (taken over) or 404 when there is none. */
static json_t *whole(struct db *db, json_t *row, GError *problem, gboolean snapshot, GError **error)
{
	g_autoptr(json_t) own = row;

	if (problem)
		g_propagate_error(error, problem);
	else if (!own)
		fail(error, 404, "Storage pool volume not found");
	return own && add_config(db, own, snapshot, error) ? g_steal_pointer(&own) : NULL;
}

json_t *db_volume_get(struct db *db, const struct db_volume_key *key, GError **error)
{
	GError *problem = NULL;
	json_t *row = db_row(db, &problem,
			     VOLUME "WHERE v.storage_pool_id = ?1 AND p.name = ?2 AND v.type = ?3 "
				    "AND v.name = ?4",
			     "isis", key->pool, key->project, (gint64)key->type, key->name);

	return whole(db, row, problem, FALSE, error);
}

json_t *db_volume_get_snapshot(struct db *db, const struct db_volume_key *key, const char *snapshot,
			       GError **error)
{
	GError *problem = NULL;
	json_t *row = db_row(db, &problem,
			     SNAPSHOT "WHERE v.storage_pool_id = ?1 AND p.name = ?2 AND "
				      "v.type = ?3 AND v.name = ?4 AND s.name = ?5",
			     "isiss", key->pool, key->project, (gint64)key->type, key->name,
			     snapshot);

	return whole(db, row, problem, TRUE, error);
}

json_t *db_volume_list(struct db *db, gint64 pool, const char *project, GError **error)
{
	g_autoptr(json_t) rows =
		db_select(db, error,
			  "SELECT * FROM (" VOLUME "WHERE v.storage_pool_id = ?1), "
			  "(SELECT NULL AS expiry_date) WHERE ?2 IS NULL OR project = ?2 UNION ALL "
			  "SELECT * FROM (" SNAPSHOT "WHERE v.storage_pool_id = ?1) "
			  "WHERE ?2 IS NULL OR project = ?2 ORDER BY type, name, project",
			  "is", pool, project);
	json_t *row;
	size_t i;

	if (!rows)
		return NULL;
	json_array_foreach(
		rows, i, row) if (!add_config(db, row, strchr(json_text(row, "name"), '/') != NULL,
					      error)) return NULL;
	return g_steal_pointer(&rows);
}

json_t *db_volume_snapshots(struct db *db, gint64 id, GError **error)
{
	g_autoptr(json_t) rows = db_select(db, error,
					   "SELECT name FROM storage_volumes_snapshots "
					   "WHERE storage_volume_id = ?1 ORDER BY id",
					   "i", id);
	json_t *names, *row;
	size_t i;

	if (!rows)
		return NULL;
	names = json_array();
	json_array_foreach(rows, i, row) json_array_append(names, json_object_get(row, "name"));
	return names;
}

gint64 db_volume_insert(struct db *db, const struct db_volume_key *key, const char *description,
			const json_t *config, GError **error)
{
	g_autoptr(json_t) empty = json_object();
	gint64 id = db_insert(db, error,
			      "INSERT INTO storage_volumes (name, storage_pool_id, node_id, type, "
			      "description, project_id, content_type) SELECT ?1, ?2, 1, ?3, ?4, "
			      "id, 0 FROM projects WHERE name = ?5",
			      "siiss", key->name, key->pool, (gint64)key->type,
			      description ? description : "", key->project);

	if (id < 0 || !db_config_put(db, "storage_volumes_config", "storage_volume", id,
				     config ? config : empty, error))
		return -1;
	return id;
}

/* Snapshots have their ids from the sequence of the volumes. */
static gint64 next_id(struct db *db, GError **error)
{
	g_autoptr(json_t) row = NULL;

	if (!db_run(db, error, NULL,
		    "UPDATE sqlite_sequence SET seq = seq + 1 WHERE name = 'storage_volumes'", ""))
		return -1;
	row = db_row(db, error, "SELECT seq FROM sqlite_sequence WHERE name = 'storage_volumes'",
		     "");
	return row ? json_integer_value(json_object_get(row, "seq")) : -1;
}

gint64 db_volume_insert_snapshot(struct db *db, gint64 volume, const char *snapshot,
				 const char *description, const json_t *config, const char *expiry,
				 GError **error)
{
	g_autoptr(json_t) empty = json_object();
	gint64 id = next_id(db, error);

	if (id < 0 ||
	    db_insert(db, error,
		      "INSERT INTO storage_volumes_snapshots (id, storage_volume_id, name, "
		      "description, expiry_date) VALUES (?1, ?2, ?3, ?4, ?5)",
		      "iisss", id, volume, snapshot, description ? description : "", expiry) < 0 ||
	    !db_config_put(db, "storage_volumes_snapshots_config", "storage_volume_snapshot", id,
			   config ? config : empty, error))
		return -1;
	return id;
}

gboolean db_volume_update(struct db *db, gint64 id, const char *description, const json_t *config,
			  GError **error)
{
	return (!description ||
		db_run(db, error, NULL, "UPDATE storage_volumes SET description = ?2 WHERE id = ?1",
		       "is", id, description)) &&
	       (!config ||
		db_config_put(db, "storage_volumes_config", "storage_volume", id, config, error));
}

gboolean db_volume_rename(struct db *db, gint64 id, const char *name, GError **error)
{
	return db_run(db, error, NULL, "UPDATE storage_volumes SET name = ?2 WHERE id = ?1", "is",
		      id, name);
}

gboolean db_volume_rename_snapshot(struct db *db, gint64 id, const char *snapshot, const char *name,
				   GError **error)
{
	return db_run(db, error, NULL,
		      "UPDATE storage_volumes_snapshots SET name = ?3 "
		      "WHERE storage_volume_id = ?1 AND name = ?2",
		      "iss", id, snapshot, name);
}

gboolean db_volume_delete(struct db *db, gint64 id, GError **error)
{
	return db_run(db, error, NULL, "DELETE FROM storage_volumes WHERE id = ?1", "i", id);
}

gboolean db_volume_delete_snapshot(struct db *db, gint64 id, const char *snapshot, GError **error)
{
	return db_run(db, error, NULL,
		      "DELETE FROM storage_volumes_snapshots WHERE storage_volume_id = ?1 AND "
		      "name = ?2",
		      "is", id, snapshot);
}

json_t *db_volumes_of_containers(struct db *db, GError **error)
{
	return db_select(db, error,
			 "SELECT v.name AS name, p.name AS project, s.name AS pool"
			 " FROM storage_volumes v JOIN projects p ON p.id = v.project_id"
			 " JOIN storage_pools s ON s.id = v.storage_pool_id WHERE v.type = 0",
			 "");
}
