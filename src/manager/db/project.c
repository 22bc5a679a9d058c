/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rows of projects, each written with its configuration at once. */
#include "db/project.h"

#include "util/json.h"

json_t *db_projects(struct db *db, const char *name, GError **error)
{
	return db_select(db, error,
			 "SELECT id, name, description FROM projects"
			 " WHERE ?1 IS NULL OR name = ?1 ORDER BY name",
			 "s", name);
}

struct writing {
	gint64 id; /* below 0: a new row's, set by the work */
	const char *name, *description;
	const json_t *config;
};

static gboolean add(struct db *db, void *data, GError **error)
{
	struct writing *writing = data;

	writing->id = db_insert(db, error,
				"INSERT INTO projects (name, description) VALUES (?1, ?2)", "ss",
				writing->name, writing->description);
	return writing->id >= 0 &&
	       db_config_put(db, "projects_config", "project", writing->id, writing->config, error);
}

static gboolean set(struct db *db, void *data, GError **error)
{
	const struct writing *writing = data;

	return db_run(db, error, NULL, "UPDATE projects SET description = ?2 WHERE id = ?1", "is",
		      writing->id, writing->description) &&
	       db_config_put(db, "projects_config", "project", writing->id, writing->config, error);
}

gint64 db_project_add(struct db *db, const char *name, const char *description,
		      const json_t *config, GError **error)
{
	struct writing writing = { -1, name, description, config };

	return db_transaction(db, add, &writing, error) ? writing.id : -1;
}

gboolean db_project_set(struct db *db, gint64 id, const char *description, const json_t *config,
			GError **error)
{
	struct writing writing = { id, NULL, description, config };

	return db_transaction(db, set, &writing, error);
}

gboolean db_project_rename(struct db *db, gint64 id, const char *name, GError **error)
{
	return db_run(db, error, NULL, "UPDATE projects SET name = ?2 WHERE id = ?1", "is", id,
		      name);
}

gboolean db_project_delete(struct db *db, gint64 id, GError **error)
{
	return db_run(db, error, NULL, "DELETE FROM projects WHERE id = ?1", "i", id);
}

/* Volumes of type 2 are custom ones; the others belong to what is in the list already. */
json_t *db_project_users(struct db *db, gint64 id, GError **error)
{
	g_autoptr(json_t) rows = db_select(
		db, error,
		"SELECT '/1.0/images/' || fingerprint AS url FROM images WHERE project_id = ?1"
		" UNION SELECT '/1.0/instances/' || name FROM instances WHERE project_id = ?1"
		" UNION SELECT '/1.0/networks/' || name FROM networks WHERE project_id = ?1"
		" UNION SELECT '/1.0/network-acls/' || name FROM networks_acls WHERE project_id = "
		"?1"
		" UNION SELECT '/1.0/profiles/' || name FROM profiles WHERE project_id = ?1"
		" UNION SELECT '/1.0/storage-pools/' || p.name || '/volumes/custom/' || v.name"
		"  FROM storage_volumes v JOIN storage_pools p ON p.id = v.storage_pool_id"
		"  WHERE v.project_id = ?1 AND v.type = 2 ORDER BY url",
		"i", id);
	json_t *urls, *row;
	size_t i;

	if (!rows)
		return NULL;
	urls = json_array();
	json_array_foreach(rows, i, row) json_array_append(urls, json_object_get(row, "url"));
	return urls;
}

gint64 db_project_instances(struct db *db, gint64 id, int type, const char *except, GError **error)
{
	g_autoptr(json_t)
		row = db_row(db, error,
			     "SELECT COUNT(*) AS count FROM instances WHERE"
			     " project_id = ?1 AND type = ?2 AND (?3 IS NULL OR name <> ?3)",
			     "iis", id, (gint64)type, except);

	return row ? json_integer_value(json_object_get(row, "count")) : -1;
}
