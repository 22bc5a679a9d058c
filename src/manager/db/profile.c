/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rows of profiles, each written with its configuration and devices at once. */
#include "db/profile.h"

#include "util/json.h"

json_t *db_profiles(struct db *db, const char *project, const char *name, GError **error)
{
	return db_select(
		db, error,
		"SELECT p.id, p.name, p.description FROM profiles p"
		" JOIN projects ON projects.id = p.project_id"
		" WHERE projects.name = ?1 AND (?2 IS NULL OR p.name = ?2) ORDER BY p.name",
		"ss", project, name);
}

gboolean db_profile_fill(struct db *db, json_t *row, GError **error)
{
	gint64 id = json_integer_value(json_object_get(row, "id"));
	json_t *config = db_config_get(db, "profiles_config", "profile", id, error);
	json_t *devices = config ? db_devices_get(db, "profiles", "profile", id, error) : NULL;

	if (!devices) {
		json_decref(config);
		return FALSE;
	}
	json_object_set_new(row, "config", config);
	json_object_set_new(row, "devices", devices);
	return TRUE;
}

struct writing {
	gint64 id; /* below 0: a new row's, set by the work */
	const char *project, *name, *description;
	const json_t *config, *devices;
};

static gboolean write_parts(struct db *db, const struct writing *writing, GError **error)
{
	return db_config_put(db, "profiles_config", "profile", writing->id, writing->config,
			     error) &&
	       db_devices_put(db, "profiles", "profile", writing->id, writing->devices, error);
}

static gboolean add(struct db *db, void *data, GError **error)
{
	struct writing *writing = data;

	writing->id = db_insert(db, error,
				"INSERT INTO profiles (name, description, project_id) VALUES"
				" (?1, ?2, (SELECT id FROM projects WHERE name = ?3))",
				"sss", writing->name, writing->description, writing->project);
	return writing->id >= 0 && write_parts(db, writing, error);
}

static gboolean set(struct db *db, void *data, GError **error)
{
	const struct writing *writing = data;

	return db_run(db, error, NULL, "UPDATE profiles SET description = ?2 WHERE id = ?1", "is",
		      writing->id, writing->description) &&
	       write_parts(db, writing, error);
}

gint64 db_profile_add(struct db *db, const char *project, const char *name, const char *description,
		      const json_t *config, const json_t *devices, GError **error)
{
	struct writing writing = { -1, project, name, description, config, devices };

	return db_transaction(db, add, &writing, error) ? writing.id : -1;
}

gboolean db_profile_set(struct db *db, gint64 id, const char *description, const json_t *config,
			const json_t *devices, GError **error)
{
	struct writing writing = { id, NULL, NULL, description, config, devices };

	return db_transaction(db, set, &writing, error);
}

gboolean db_profile_rename(struct db *db, gint64 id, const char *name, GError **error)
{
	return db_run(db, error, NULL, "UPDATE profiles SET name = ?2 WHERE id = ?1", "is", id,
		      name);
}

gboolean db_profile_delete(struct db *db, gint64 id, GError **error)
{
	return db_run(db, error, NULL, "DELETE FROM profiles WHERE id = ?1", "i", id);
}

json_t *db_profile_users(struct db *db, gint64 id, GError **error)
{
	return db_select(db, error,
			 "SELECT i.id, i.name, projects.name AS project FROM instances_profiles ip"
			 " JOIN instances i ON i.id = ip.instance_id"
			 " JOIN projects ON projects.id = i.project_id"
			 " WHERE ip.profile_id = ?1 ORDER BY projects.name, i.name",
			 "i", id);
}
