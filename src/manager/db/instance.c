/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SQL of instances: rows one by one, and of all at once for lists. */
#include "db/instance.h"

#include <string.h>

#include "util/error.h"
#include "util/json.h"

#define COLUMNS                                                                             \
	"i.id, i.name, p.name AS project, i.type, i.architecture, i.ephemeral, i.stateful," \
	" i.creation_date, i.last_use_date, i.description, i.expiry_date"                   \
	" FROM instances i JOIN projects p ON p.id = i.project_id"

json_t *db_instance_row(struct db *db, const char *project, const char *name, GError **error)
{
	return db_row(db, error, "SELECT " COLUMNS " WHERE p.name = ?1 AND i.name = ?2", "ss",
		      project, name);
}

json_t *db_instance_row_by_id(struct db *db, gint64 id, GError **error)
{
	return db_row(db, error, "SELECT " COLUMNS " WHERE i.id = ?1", "i", id);
}

json_t *db_instance_rows(struct db *db, const char *project, GError **error)
{
	return db_select(db, error,
			 "SELECT " COLUMNS " WHERE ?1 IS NULL OR p.name = ?1"
			 " ORDER BY p.name, i.name",
			 "s", project);
}

json_t *db_instance_profiles(struct db *db, gint64 id, GError **error)
{
	g_autoptr(json_t) rows = db_select(db, error,
					   "SELECT q.name FROM instances_profiles x"
					   " JOIN profiles q ON q.id = x.profile_id"
					   " WHERE x.instance_id = ?1 ORDER BY x.apply_order",
					   "i", id);
	json_t *names, *row;
	size_t i;

	if (!rows)
		return NULL;
	names = json_array();
	json_array_foreach(rows, i, row) json_array_append(names, json_object_get(row, "name"));
	return names;
}

/* --- of all at once -------------------------------------------------------------------- */

/* The value at the row's "id" in ALL, which MAKE makes the first time. */
static json_t *of_id(json_t *all, const json_t *row, json_t *(*make)(void))
{
	char key[24];
	json_t *value;

	g_snprintf(key, sizeof key, "%" JSON_INTEGER_FORMAT,
		   json_integer_value(json_object_get(row, "id")));
	value = json_object_get(all, key);
	if (!value) {
		value = make();
		json_object_set_new(all, key, value);
	}
	return value;
}

#define OF_PROJECT                                                                         \
	" JOIN instances i ON i.id = x.instance_id JOIN projects p ON p.id = i.project_id" \
	" WHERE ?1 IS NULL OR p.name = ?1"

json_t *db_instance_configs(struct db *db, const char *project, GError **error)
{
	g_autoptr(json_t) rows = db_select(db, error,
					   "SELECT i.id AS id, x.key AS key, x.value AS value"
					   " FROM instances_config x" OF_PROJECT,
					   "s", project);
	json_t *all, *row;
	size_t i;

	if (!rows)
		return NULL;
	all = json_object();
	json_array_foreach(rows, i, row) json_map_set(
		of_id(all, row, json_object), json_text(row, "key"), json_text(row, "value"));
	return all;
}

json_t *db_instance_all_devices(struct db *db, const char *project, GError **error)
{
	g_autoptr(json_t) rows = db_select(
		db, error, "SELECT DISTINCT i.id AS id FROM instances_devices x" OF_PROJECT, "s",
		project);
	json_t *all, *row;
	size_t i;

	if (!rows)
		return NULL;
	all = json_object();
	json_array_foreach(rows, i, row)
	{
		gint64 id = json_integer_value(json_object_get(row, "id"));
		g_autofree char *key = g_strdup_printf("%" G_GINT64_FORMAT, id);
		json_t *devices = db_devices_get(db, "instances", "instance", id, error);

		if (!devices) {
			json_decref(all);
			return NULL;
		}
		json_object_set_new(all, key, devices);
	}
	return all;
}

json_t *db_instance_all_profiles(struct db *db, const char *project, GError **error)
{
	g_autoptr(json_t)
		rows = db_select(db, error,
				 "SELECT i.id AS id, q.name AS name FROM instances_profiles x"
				 " JOIN profiles q ON q.id = x.profile_id" OF_PROJECT
				 " ORDER BY x.instance_id, x.apply_order",
				 "s", project);
	json_t *all, *row;
	size_t i;

	if (!rows)
		return NULL;
	all = json_object();
	json_array_foreach(rows, i, row)
		json_array_append(of_id(all, row, json_array), json_object_get(row, "name"));
	return all;
}

json_t *db_instance_values(struct db *db, const char *key, GError **error)
{
	g_autoptr(json_t) rows = db_select(
		db, error, "SELECT instance_id, value FROM instances_config WHERE key = ?1", "s",
		key);
	json_t *all, *row;
	size_t i;

	if (!rows)
		return NULL;
	all = json_object();
	json_array_foreach(rows, i, row)
	{
		g_autofree char *id =
			g_strdup_printf("%" JSON_INTEGER_FORMAT,
					json_integer_value(json_object_get(row, "instance_id")));

		json_object_set(all, id, json_object_get(row, "value"));
	}
	return all;
}

json_t *db_instance_of_profile(struct db *db, const char *project, const char *profile,
			       GError **error)
{
	return db_select(db, error,
			 "SELECT i.name AS name, p.name AS project FROM instances_profiles x"
			 " JOIN instances i ON i.id = x.instance_id"
			 " JOIN projects p ON p.id = i.project_id"
			 " JOIN profiles q ON q.id = x.profile_id"
			 " JOIN projects o ON o.id = q.project_id"
			 " WHERE o.name = ?1 AND q.name = ?2 ORDER BY p.name, i.name",
			 "ss", project, profile);
}

/* --- writing --------------------------------------------------------------------------- */

/* Profiles are the project's own where it has features.profiles, else the default project's. */
#define PROFILE_PROJECT                                                                      \
	"(SELECT id FROM projects WHERE name = CASE WHEN EXISTS (SELECT 1 FROM"              \
	" projects_config c JOIN projects o ON o.id = c.project_id WHERE o.name = ?2"        \
	" AND c.key = 'features.profiles' AND lower(c.value) IN ('true', '1', 'yes', 'on'))" \
	" THEN ?2 ELSE 'default' END)"

static gboolean put_profiles(struct db *db, gint64 id, const char *project, const json_t *profiles,
			     GError **error)
{
	json_t *name;
	size_t i;

	if (!db_run(db, error, NULL, "DELETE FROM instances_profiles WHERE instance_id = ?1", "i",
		    id))
		return FALSE;
	json_array_foreach(profiles, i, name)
	{
		gint64 changes = 0;

		if (!db_run(db, error, &changes,
			    "INSERT INTO instances_profiles (instance_id, profile_id, apply_order)"
			    " SELECT ?1, id, ?4 FROM profiles WHERE name = ?3 AND project_id ="
			    " " PROFILE_PROJECT,
			    "issi", id, project, json_string_value(name), (gint64)i + 1))
			return FALSE;
		if (changes == 0)
			return fail(error, 404, "Profile not found");
	}
	return TRUE;
}

static gboolean put_parts(struct db *db, gint64 id, const char *project,
			  const struct db_instance *inst, GError **error)
{
	return (!inst->config ||
		db_config_put(db, "instances_config", "instance", id, inst->config, error)) &&
	       (!inst->devices ||
		db_devices_put(db, "instances", "instance", id, inst->devices, error)) &&
	       (!inst->profiles || put_profiles(db, id, project, inst->profiles, error));
}

struct put {
	const char *project;
	const struct db_instance *inst;
	gint64 id;
};

static gboolean insert(struct db *db, void *data, GError **error)
{
	struct put *put = data;
	const struct db_instance *inst = put->inst;
	GError *why = NULL;

	put->id = db_insert(db, &why,
			    "INSERT INTO instances (node_id, name, architecture, type, ephemeral,"
			    " creation_date, stateful, last_use_date, description, project_id,"
			    " expiry_date) SELECT 1, ?1, ?2, 0, ?3, ?4, ?5, ?6, ?7, id, ?8"
			    " FROM projects WHERE name = ?9",
			    "sibsbssss", inst->name, (gint64)inst->architecture, inst->ephemeral,
			    inst->created, inst->stateful, inst->last_used,
			    inst->description ? inst->description : "", inst->expires,
			    put->project);
	if (put->id < 0 && error_status(why) == 409) {
		g_error_free(why);
		return fail(error, 409, "Instance \"%s\" already exists", inst->name);
	}
	if (put->id < 0) {
		g_propagate_error(error, why);
		return FALSE;
	}
	return put_parts(db, put->id, put->project, inst, error);
}

gint64 db_instance_insert(struct db *db, const char *project, const struct db_instance *inst,
			  GError **error)
{
	struct put put = { project, inst, -1 };

	return db_transaction(db, insert, &put, error) ? put.id : -1;
}

static gboolean update(struct db *db, void *data, GError **error)
{
	struct put *put = data;
	const struct db_instance *inst = put->inst;

	return db_run(db, error, NULL,
		      "UPDATE instances SET architecture = ?2, ephemeral = ?3, stateful = ?4,"
		      " description = ?5, expiry_date = ?6 WHERE id = ?1",
		      "iibbss", put->id, (gint64)inst->architecture, inst->ephemeral,
		      inst->stateful, inst->description ? inst->description : "", inst->expires) &&
	       put_parts(db, put->id, put->project, inst, error);
}

gboolean db_instance_update(struct db *db, gint64 id, const char *project,
			    const struct db_instance *inst, GError **error)
{
	struct put put = { project, inst, id };

	return db_transaction(db, update, &put, error);
}

gboolean db_instance_rename(struct db *db, gint64 id, const char *name, GError **error)
{
	return db_run(db, error, NULL, "UPDATE instances SET name = ?2 WHERE id = ?1", "is", id,
		      name);
}

gboolean db_instance_move(struct db *db, gint64 id, gint64 project, const char *name,
			  GError **error)
{
	return db_run(db, error, NULL,
		      "UPDATE instances SET name = ?2, project_id = ?3 WHERE id = ?1", "isi", id,
		      name, project);
}

gboolean db_instance_delete(struct db *db, gint64 id, GError **error)
{
	return db_run(db, error, NULL, "DELETE FROM instances WHERE id = ?1", "i", id);
}

gboolean db_instance_used(struct db *db, gint64 id, const char *when, GError **error)
{
	return db_run(db, error, NULL, "UPDATE instances SET last_use_date = ?2 WHERE id = ?1",
		      "is", id, when);
}

gboolean db_instance_set(struct db *db, gint64 id, const char *key, const char *value,
			 GError **error)
{
	if (!value || !*value)
		return db_run(db, error, NULL,
			      "DELETE FROM instances_config WHERE instance_id = ?1 AND key = ?2",
			      "is", id, key);
	return db_run(db, error, NULL,
		      "INSERT INTO instances_config (instance_id, key, value) VALUES (?1, ?2, ?3)"
		      " ON CONFLICT (instance_id, key) DO UPDATE SET value = excluded.value",
		      "iss", id, key, value);
}

/* --- snapshots ------------------------------------------------------------------------- */

#define SNAPSHOT_COLUMNS                                                                    \
	"s.id, s.instance_id, s.name, i.name AS instance, p.name AS project, i.type,"       \
	" i.architecture, i.ephemeral, s.stateful, s.creation_date, NULL AS last_use_date," \
	" s.description, s.expiry_date FROM instances_snapshots s"                          \
	" JOIN instances i ON i.id = s.instance_id JOIN projects p ON p.id = i.project_id"

json_t *db_snapshot_row(struct db *db, const char *project, const char *name, const char *snapshot,
			GError **error)
{
	return db_row(db, error,
		      "SELECT " SNAPSHOT_COLUMNS
		      " WHERE p.name = ?1 AND i.name = ?2 AND s.name = ?3",
		      "sss", project, name, snapshot);
}

json_t *db_snapshot_rows(struct db *db, gint64 instance, GError **error)
{
	return db_select(db, error,
			 "SELECT " SNAPSHOT_COLUMNS " WHERE s.instance_id = ?1"
			 " ORDER BY s.creation_date, s.id",
			 "i", instance);
}

json_t *db_snapshot_rows_all(struct db *db, const char *project, GError **error)
{
	return db_select(db, error,
			 "SELECT " SNAPSHOT_COLUMNS " WHERE ?1 IS NULL OR p.name = ?1"
			 " ORDER BY s.instance_id, s.creation_date, s.id",
			 "s", project);
}

gint64 db_snapshot_instance(struct db *db, gint64 id, GError **error)
{
	g_autoptr(json_t) row = db_row(
		db, error, "SELECT instance_id FROM instances_snapshots WHERE id = ?1", "i", id);

	return row ? json_integer_value(json_object_get(row, "instance_id")) : -1;
}

json_t *db_snapshots_expired(struct db *db, const char *now, GError **error)
{
	return db_select(db, error, "SELECT " SNAPSHOT_COLUMNS " WHERE s.expiry_date < ?1", "s",
			 now);
}

static gboolean any(struct db *db, const char *sql, const char *value)
{
	g_autoptr(json_t) row = db_row(db, NULL, sql, "s", value);

	return row != NULL;
}

gboolean db_any_expired(struct db *db, const char *now)
{
	return any(db,
		   "SELECT 1 FROM instances_snapshots WHERE expiry_date < ?1 UNION ALL"
		   " SELECT 1 FROM instances_backups WHERE expiry_date < ?1 LIMIT 1",
		   now);
}

gboolean db_any_scheduled(struct db *db)
{
	return any(db,
		   "SELECT 1 FROM instances_config WHERE key = ?1 UNION ALL"
		   " SELECT 1 FROM profiles_config WHERE key = ?1 LIMIT 1",
		   "snapshots.schedule");
}

static gboolean put_snapshot_parts(struct db *db, const struct put *put, GError **error)
{
	return (!put->inst->config ||
		db_config_put(db, "instances_snapshots_config", "instance_snapshot", put->id,
			      put->inst->config, error)) &&
	       (!put->inst->devices ||
		db_devices_put(db, "instances_snapshots", "instance_snapshot", put->id,
			       put->inst->devices, error));
}

static gboolean insert_snapshot(struct db *db, void *data, GError **error)
{
	struct put *put = data;
	const struct db_instance *snapshot = put->inst;
	gint64 instance = put->id;

	put->id = db_insert(db, error,
			    "INSERT INTO instances_snapshots (instance_id, name, creation_date,"
			    " stateful, description, expiry_date) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
			    "issbss", instance, snapshot->name, snapshot->created,
			    snapshot->stateful, snapshot->description ? snapshot->description : "",
			    snapshot->expires);
	return put->id >= 0 && put_snapshot_parts(db, put, error);
}

gint64 db_snapshot_insert(struct db *db, gint64 instance, const struct db_instance *snapshot,
			  GError **error)
{
	struct put put = { NULL, snapshot, instance };

	return db_transaction(db, insert_snapshot, &put, error) ? put.id : -1;
}

static gboolean update_snapshot(struct db *db, void *data, GError **error)
{
	struct put *put = data;

	return db_run(db, error, NULL,
		      "UPDATE instances_snapshots SET stateful = ?2, description = ?3,"
		      " expiry_date = ?4 WHERE id = ?1",
		      "ibss", put->id, put->inst->stateful,
		      put->inst->description ? put->inst->description : "", put->inst->expires) &&
	       put_snapshot_parts(db, put, error);
}

gboolean db_snapshot_update(struct db *db, gint64 id, const struct db_instance *snapshot,
			    GError **error)
{
	struct put put = { NULL, snapshot, id };

	return db_transaction(db, update_snapshot, &put, error);
}

gboolean db_snapshot_rename(struct db *db, gint64 id, const char *name, GError **error)
{
	return db_run(db, error, NULL, "UPDATE instances_snapshots SET name = ?2 WHERE id = ?1",
		      "is", id, name);
}

gboolean db_snapshot_delete(struct db *db, gint64 id, GError **error)
{
	return db_run(db, error, NULL, "DELETE FROM instances_snapshots WHERE id = ?1", "i", id);
}

json_t *db_instance_backups(struct db *db, gint64 instance, GError **error)
{
	return db_select(db, error,
			 "SELECT id, name, creation_date, expiry_date, container_only,"
			 " optimized_storage FROM instances_backups WHERE instance_id = ?1"
			 " ORDER BY creation_date, id",
			 "i", instance);
}

/* --- how the tables write things --------------------------------------------------------- */

char *db_time_write(const char *rfc3339)
{
	gsize len = rfc3339 ? strlen(rfc3339) : 0;
	char *text;

	if (!rfc3339)
		return NULL;
	if (len < 20 || rfc3339[len - 1] != 'Z')
		return g_strdup(rfc3339);
	text = g_strdup_printf("%.*s+00:00", (int)len - 1, rfc3339);
	text[10] = ' ';
	return text;
}

char *db_time_read(const char *column)
{
	char *text;

	if (!column)
		return NULL;
	if (!g_str_has_suffix(column, "+00:00") || strlen(column) < 20 || column[10] != ' ')
		return g_strdup(column);
	text = g_strdup_printf("%.*sZ", (int)(strlen(column) - strlen("+00:00")), column);
	text[10] = 'T';
	return text;
}

static const char *const architectures[] = {
	[1] = "i686", [2] = "x86_64",  [3] = "armv7l",	 [4] = "aarch64",
	[5] = "ppc",  [6] = "ppc64",   [7] = "ppc64le",	 [8] = "s390x",
	[9] = "mips", [10] = "mips64", [11] = "riscv32", [12] = "riscv64",
};

int db_architecture(const char *name)
{
	for (unsigned i = 1; i < G_N_ELEMENTS(architectures); i++)
		if (name && strcmp(architectures[i], name) == 0)
			return (int)i;
	return 0;
}

const char *db_architecture_name(int number)
{
	return number > 0 && number < (int)G_N_ELEMENTS(architectures) ? architectures[number]
								       : NULL;
}
