/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rows of storage pools. */
#include "db/pool.h"

#include "util/error.h"
#include "util/json.h"

/* Keys that belong to the one node here, as they would to each of a cluster. */
#define NODE_KEYS "'source', 'size', 'volatile.initial_source'"

json_t *db_pool_names(struct db *db, GError **error)
{
	g_autoptr(json_t) rows = db_select(
		db, error, "SELECT name FROM storage_pools WHERE state = 1 ORDER BY name", "");
	json_t *names, *row;
	size_t i;

	if (!rows)
		return NULL;
	names = json_array();
	json_array_foreach(rows, i, row) json_array_append(names, json_object_get(row, "name"));
	return names;
}

json_t *db_pool_states(struct db *db, GError **error)
{
	return db_select(db, error, "SELECT name, state FROM storage_pools ORDER BY name", "");
}

json_t *db_pool_get(struct db *db, const char *name, GError **error)
{
	g_autoptr(GError) none = NULL;
	g_autoptr(json_t) row = db_row(db, &none,
				       "SELECT id, name, driver, description, state "
				       "FROM storage_pools WHERE name = ?1",
				       "s", name);
	json_t *config;

	if (!row) {
		if (none)
			g_propagate_error(error, g_steal_pointer(&none));
		else
			fail(error, 404, "Storage pool not found");
		return NULL;
	}
	config = db_config_get(db, "storage_pools_config", "storage_pool",
			       json_integer_value(json_object_get(row, "id")), error);
	if (!config)
		return NULL;
	json_object_set_new(row, "config", config);
	return g_steal_pointer(&row);
}

static gboolean put_config(struct db *db, gint64 id, const json_t *config, GError **error)
{
	return db_config_put(db, "storage_pools_config", "storage_pool", id, config, error) &&
	       db_run(db, error, NULL,
		      "UPDATE storage_pools_config SET node_id = 1 "
		      "WHERE storage_pool_id = ?1 AND key IN (" NODE_KEYS ")",
		      "i", id);
}

struct insert {
	const char *name, *driver, *description;
	const json_t *config;
	gint64 id;
};

static gboolean insert_work(struct db *db, void *data, GError **error)
{
	struct insert *in = data;
	g_autoptr(json_t) row = db_row(db, error, "SELECT id FROM storage_pools WHERE name = ?1",
				       "s", in->name);

	if (row)
		return fail(error, 409,
			    "The storage pool already exists: The record already exists");
	in->id = db_insert(db, error,
			   "INSERT INTO storage_pools (name, driver, description, state) "
			   "VALUES (?1, ?2, ?3, 0)",
			   "sss", in->name, in->driver, in->description);
	return in->id >= 0 &&
	       db_insert(db, error,
			 "INSERT INTO storage_pools_nodes (storage_pool_id, node_id, state) "
			 "VALUES (?1, 1, 0)",
			 "i", in->id) >= 0 &&
	       put_config(db, in->id, in->config, error);
}

gint64 db_pool_insert(struct db *db, const char *name, const char *driver, const char *description,
		      const json_t *config, GError **error)
{
	struct insert in = { name, driver, description, config, -1 };

	return db_transaction(db, insert_work, &in, error) ? in.id : -1;
}

struct update {
	gint64 id;
	const char *description;
	const json_t *config;
	int state;
};

static gboolean update_work(struct db *db, void *data, GError **error)
{
	const struct update *u = data;

	if (u->description &&
	    !db_run(db, error, NULL, "UPDATE storage_pools SET description = ?2 WHERE id = ?1",
		    "is", u->id, u->description))
		return FALSE;
	return !u->config || put_config(db, u->id, u->config, error);
}

gboolean db_pool_update(struct db *db, gint64 id, const char *description, const json_t *config,
			GError **error)
{
	struct update u = { id, description, config, 0 };

	return db_transaction(db, update_work, &u, error);
}

static gboolean state_work(struct db *db, void *data, GError **error)
{
	const struct update *u = data;

	return db_run(db, error, NULL, "UPDATE storage_pools SET state = ?2 WHERE id = ?1", "ii",
		      u->id, (gint64)u->state) &&
	       db_run(db, error, NULL,
		      "UPDATE storage_pools_nodes SET state = ?2 WHERE storage_pool_id = ?1", "ii",
		      u->id, (gint64)u->state) &&
	       update_work(db, data, error);
}

gboolean db_pool_set_state(struct db *db, gint64 id, int state, const json_t *config,
			   GError **error)
{
	struct update u = { id, NULL, config, state };

	return db_transaction(db, state_work, &u, error);
}

gboolean db_pool_delete(struct db *db, gint64 id, GError **error)
{
	return db_run(db, error, NULL, "DELETE FROM storage_pools WHERE id = ?1", "i", id);
}

/* Volumes of one type that are somebody's, with their project. */
static json_t *users_of_type(struct db *db, gint64 id, int type, GError **error)
{
	return db_select(db, error,
			 "SELECT v.name, p.name AS project FROM storage_volumes v "
			 "JOIN projects p ON p.id = v.project_id "
			 "WHERE v.storage_pool_id = ?1 AND v.type = ?2 ORDER BY v.name, p.name",
			 "ii", id, (gint64)type);
}

static json_t *users_images(struct db *db, gint64 id, GError **error)
{
	return db_select(db, error,
			 "SELECT DISTINCT v.name, p.name AS project FROM storage_volumes v "
			 "JOIN images i ON i.fingerprint = v.name "
			 "JOIN projects p ON p.id = i.project_id "
			 "WHERE v.storage_pool_id = ?1 AND v.type = 1 ORDER BY v.name, p.name",
			 "i", id);
}

static json_t *users_profiles(struct db *db, const char *name, GError **error)
{
	return db_select(db, error,
			 "SELECT DISTINCT f.name, p.name AS project FROM profiles f "
			 "JOIN projects p ON p.id = f.project_id "
			 "JOIN profiles_devices d ON d.profile_id = f.id "
			 "JOIN profiles_devices_config c ON c.profile_device_id = d.id "
			 "WHERE d.type = 2 AND c.key = 'pool' AND c.value = ?1 "
			 "ORDER BY f.name, p.name",
			 "s", name);
}

static json_t *users_instances(struct db *db, gint64 id, GError **error)
{
	return db_select(
		db, error,
		"SELECT v.name, p.name AS project FROM storage_volumes v "
		"JOIN projects p ON p.id = v.project_id "
		"WHERE v.storage_pool_id = ?1 AND v.type IN (0, 3) ORDER BY v.name, p.name",
		"i", id);
}

json_t *db_pool_users(struct db *db, gint64 id, const char *name, GError **error)
{
	g_autoptr(json_t) instances = users_instances(db, id, error), images = NULL;
	g_autoptr(json_t) profiles = NULL, custom = NULL;

	if (!instances)
		return NULL;
	images = users_images(db, id, error);
	if (!images)
		return NULL;
	profiles = users_profiles(db, name, error);
	if (!profiles)
		return NULL;
	custom = users_of_type(db, id, 2, error);
	if (!custom)
		return NULL;
	return json_pack("{s:O, s:O, s:O, s:O}", "instances", instances, "images", images,
			 "profiles", profiles, "custom", custom);
}
