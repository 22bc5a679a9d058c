/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tables images, images_properties, images_profiles, images_source and images_aliases. */
#include "db/image.h"

#include "util/error.h"
#include "util/json.h"

#define ID_OF_PROJECT "(SELECT id FROM projects WHERE name = ?1)"

static gboolean put_properties(struct db *db, gint64 id, const json_t *properties, GError **error)
{
	const char *key;
	json_t *value;

	if (!db_run(db, error, NULL, "DELETE FROM images_properties WHERE image_id = ?1", "i", id))
		return FALSE;
	json_object_foreach(
		(json_t *)properties, key,
		value) if (!db_run(db, error, NULL,
				   "INSERT INTO images_properties (image_id, type, key, value)"
				   " VALUES (?1, 0, ?2, ?3)",
				   "iss", id, key, json_string_value(value))) return FALSE;
	return TRUE;
}

/* A name without a profile is left out, as the original does. */
static gboolean put_profile(struct db *db, gint64 id, const char *project, const char *name,
			    GError **error)
{
	return db_run(
		db, error, NULL,
		"INSERT OR IGNORE INTO images_profiles (image_id, profile_id)"
		" SELECT ?2, id FROM profiles WHERE name = ?3 AND project_id = " ID_OF_PROJECT,
		"sis", project, id, name);
}

static gboolean put_profiles(struct db *db, gint64 id, const char *project, const json_t *profiles,
			     GError **error)
{
	const json_t *name;
	size_t i;

	if (!db_run(db, error, NULL, "DELETE FROM images_profiles WHERE image_id = ?1", "i", id))
		return FALSE;
	json_array_foreach(profiles, i,
			   name) if (!put_profile(db, id, project, json_string_value(name),
						  error)) return FALSE;
	return TRUE;
}

/* --- images ------------------------------------------------------------------------- */

struct insert {
	const char *project;
	const struct db_image *image;
	gint64 id;
};

static gboolean insert(struct db *db, void *data, GError **error)
{
	struct insert *what = data;
	const struct db_image *image = what->image;
	g_autoptr(json_t) profiles = image->profiles ? json_incref((json_t *)image->profiles)
						     : json_pack("[s]", "default");

	what->id = db_insert(
		db, error,
		"INSERT INTO images (project_id, fingerprint, filename, size, public, architecture,"
		" creation_date, expiry_date, upload_date, cached, auto_update, type)"
		" VALUES (" ID_OF_PROJECT ", ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
		"sssibisssbbi", what->project, image->fingerprint, image->filename, image->size,
		image->public, (gint64)image->architecture, image->created, image->expires,
		image->uploaded, image->cached, image->auto_update, (gint64)image->type);
	return what->id >= 0 && put_properties(db, what->id, image->properties, error) &&
	       put_profiles(db, what->id, what->project, profiles, error) &&
	       db_run(db, error, NULL,
		      "INSERT INTO images_nodes (image_id, node_id)"
		      " SELECT ?1, id FROM nodes ORDER BY id LIMIT 1",
		      "i", what->id);
}

gint64 db_image_insert(struct db *db, const char *project, const struct db_image *image,
		       GError **error)
{
	struct insert what = { .project = project, .image = image };

	return db_transaction(db, insert, &what, error) ? what.id : -1;
}

json_t *db_image_rows(struct db *db, const char *project, const char *prefix, gboolean public_only,
		      GError **error)
{
	return db_select(db, error,
			 "SELECT images.*, projects.name AS project FROM images"
			 " JOIN projects ON projects.id = images.project_id"
			 " WHERE (?1 IS NULL OR projects.name = ?1)"
			 " AND (?2 IS NULL OR substr(fingerprint, 1, length(?2)) = ?2)"
			 " AND (NOT ?3 OR public) ORDER BY images.id",
			 "ssb", project, prefix, public_only);
}

json_t *db_image_properties(struct db *db, gint64 id, GError **error)
{
	g_autoptr(json_t) rows = db_select(
		db, error,
		"SELECT key, value FROM images_properties WHERE image_id = ?1 ORDER BY key", "i",
		id);
	g_autoptr(json_t) map = json_object();
	const json_t *row;
	size_t i;

	if (!rows)
		return NULL;
	json_array_foreach(rows, i, row) json_object_set_new(map, json_text(row, "key"),
							     json_string(json_text(row, "value")));
	return g_steal_pointer(&map);
}

json_t *db_image_aliases_of(struct db *db, gint64 id, GError **error)
{
	return db_select(db, error,
			 "SELECT name, description FROM images_aliases WHERE image_id = ?1"
			 " ORDER BY id",
			 "i", id);
}

json_t *db_image_profiles(struct db *db, gint64 id, GError **error)
{
	g_autoptr(json_t) rows = db_select(db, error,
					   "SELECT name FROM profiles JOIN images_profiles"
					   " ON profile_id = profiles.id WHERE image_id = ?1"
					   " ORDER BY images_profiles.rowid",
					   "i", id);
	g_autoptr(json_t) names = json_array();
	const json_t *row;
	size_t i;

	if (!rows)
		return NULL;
	json_array_foreach(rows, i, row) json_array_append(names, json_object_get(row, "name"));
	return g_steal_pointer(&names);
}

json_t *db_image_source(struct db *db, gint64 id, GError **error)
{
	GError *bad = NULL;
	json_t *row = db_row(db, &bad,
			     "SELECT server, protocol, certificate, alias FROM images_source"
			     " WHERE image_id = ?1",
			     "i", id);

	if (bad) {
		g_propagate_error(error, bad);
		return NULL;
	}
	return row ? row : json_null();
}

struct update {
	gint64 id;
	gboolean public, auto_update;
	const char *expires, *project;
	const json_t *properties, *profiles;
};

static gboolean update(struct db *db, void *data, GError **error)
{
	const struct update *to = data;

	return db_run(db, error, NULL,
		      "UPDATE images SET public = ?2, auto_update = ?3, expiry_date = ?4"
		      " WHERE id = ?1",
		      "ibbs", to->id, to->public, to->auto_update, to->expires) &&
	       put_properties(db, to->id, to->properties, error) &&
	       (!to->profiles || put_profiles(db, to->id, to->project, to->profiles, error));
}

gboolean db_image_update(struct db *db, gint64 id, gboolean public, gboolean auto_update,
			 const char *expires, const json_t *properties, const char *project,
			 const json_t *profiles, GError **error)
{
	struct update to = { id, public, auto_update, expires, project, properties, profiles };

	return db_transaction(db, update, &to, error);
}

gboolean db_image_delete(struct db *db, gint64 id, GError **error)
{
	return db_run(db, error, NULL, "DELETE FROM images WHERE id = ?1", "i", id);
}

gboolean db_image_touch(struct db *db, const char *fingerprint, const char *when, GError **error)
{
	return db_run(db, error, NULL,
		      "UPDATE images SET last_use_date = ?2 WHERE fingerprint = ?1", "ss",
		      fingerprint, when);
}

/* --- aliases ---------------------------------------------------------------------------- */

#define ALIASES                                                                           \
	"SELECT images_aliases.id AS id, images_aliases.name AS name, fingerprint, type," \
	" description FROM images_aliases JOIN images ON images.id = image_id"            \
	" WHERE images_aliases.project_id = " ID_OF_PROJECT

json_t *db_alias_row(struct db *db, const char *project, const char *name, GError **error)
{
	return db_row(db, error, ALIASES " AND images_aliases.name = ?2", "ss", project, name);
}

json_t *db_alias_rows(struct db *db, const char *project, GError **error)
{
	return db_select(db, error, ALIASES " ORDER BY images_aliases.id", "s", project);
}

gboolean db_alias_insert(struct db *db, const char *project, const char *name, gint64 image,
			 const char *description, GError **error)
{
	return db_insert(db, error,
			 "INSERT INTO images_aliases (project_id, name, image_id, description)"
			 " VALUES (" ID_OF_PROJECT ", ?2, ?3, ?4)",
			 "ssis", project, name, image, description) >= 0;
}

gboolean db_alias_update(struct db *db, gint64 id, gint64 image, const char *description,
			 GError **error)
{
	return db_run(db, error, NULL,
		      "UPDATE images_aliases SET image_id = ?2, description = ?3 WHERE id = ?1",
		      "iis", id, image, description);
}

gboolean db_alias_rename(struct db *db, gint64 id, const char *name, GError **error)
{
	return db_run(db, error, NULL, "UPDATE images_aliases SET name = ?2 WHERE id = ?1", "is",
		      id, name);
}

gboolean db_alias_delete(struct db *db, gint64 id, GError **error)
{
	return db_run(db, error, NULL, "DELETE FROM images_aliases WHERE id = ?1", "i", id);
}
