/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rows again for volumes that have none. */
#include "core/recover.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "core/config_keys.h"
#include "core/instances_private.h"
#include "core/pool.h"
#include "core/profile.h"
#include "core/project.h"
#include "core/volume_job.h"
#include "db/instance.h"
#include "db/pool.h"
#include "util/clock.h"
#include "util/names.h"
#include "util/yaml.h"

#define BACKUP_MAX (16 * 1024 * 1024) /* bytes of a backup.yaml */

/* A pool that is looked through, mounted. */
struct lost_pool {
	struct daemon *daemon;
	const json_t *wanted;
	struct storage_pool *pool;
	gboolean known; /* has a row */
	json_t *found;	/* array of what backup.yaml of each unknown instance says */
};

static void lost_pool_clear(struct lost_pool *lost)
{
	if (lost->pool)
		storage_pool_free(lost->pool);
	json_decref(lost->found);
}
#define AUTO_LOST_POOL __attribute__((cleanup(lost_pool_clear))) struct lost_pool

/* --- the pools ---------------------------------------------------------------------------- */

/* One without a row is mounted as what it was said to be; nothing is made in it. */
static struct storage_pool *mount_unknown(struct daemon *daemon, const json_t *wanted,
					  GError **error)
{
	const char *name = json_text(wanted, "name");
	const struct storage_driver *driver = storage_driver(json_text(wanted, "driver"));
	g_autoptr(json_t) map = json_map_copy(json_object_get(wanted, "config"));
	g_autoptr(storage_pool_t) pool = NULL;

	if (!name_check_pool(name, error) || *name == '.')
		return NULL;
	if (!driver) {
		fail(error, 400, "Unknown driver");
		return NULL;
	}
	if (!driver->usable(error) ||
	    !config_keys_check_pool(map, json_text(wanted, "driver"), error))
		return NULL;
	pool = storage_pool_new(daemon->dir, name, driver, map);
	if (g_mkdir_with_parents(pool->path, 0711) < 0) {
		fail_errno(error, errno, "Failed to create %s", pool->path);
		return NULL;
	}
	if (!driver->pool_mount(pool, error)) {
		g_prefix_error(error, "Failed mounting pool \"%s\": ", name);
		return NULL;
	}
	return g_steal_pointer(&pool);
}

static gboolean open_pool(struct lost_pool *lost, GError **error)
{
	const char *name = json_text(lost->wanted, "name");
	g_autoptr(json_t) row = db_pool_get(lost->daemon->db, name, NULL);

	lost->known = row != NULL;
	lost->pool = row ? pool_open(lost->daemon, name, NULL, error)
			 : mount_unknown(lost->daemon, lost->wanted, error);
	return lost->pool != NULL;
}

/* --- what is in them ------------------------------------------------------------------------- */

static json_t *parse_backup(const char *path, GError **error)
{
	g_autofree char *text = NULL;
	struct stat st;
	gsize len;

	if (lstat(path, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > BACKUP_MAX ||
	    !g_file_get_contents(path, &text, &len, NULL)) {
		fail(error, 500, "Failed reading backup file \"%s\"", path);
		return NULL;
	}
	return yaml_parse(text, len, YAML_TYPED, error);
}

/* The backup's instance and its project must be those by whose names the volume goes. */
static gboolean check_backup(const json_t *backup, const char *disk, GError **error)
{
	const json_t *inst = json_object_get(backup, "container");
	const char *project = json_text_or(inst, "project", "default");
	g_autofree char *expected = volume_disk_name(VOLUME_CONTAINER, project,
						     json_text(inst, "name"));

	if (!json_is_object(inst) || strcmp(expected, disk) != 0)
		return fail(error, 500,
			    "Instance %s in project %s has a different name in its"
			    " backup file (%s)",
			    disk, project, json_text(inst, "name"));
	return TRUE;
}

/* What is on the disk of its snapshots must be what it says. */
static gboolean check_snapshots(const struct storage_pool *pool, const json_t *backup,
				const struct storage_volume *volume, GError **error)
{
	g_auto(GStrv) there = storage_snapshots(pool, volume);
	const json_t *list = json_object_get(backup, "snapshots"), *snapshot;
	size_t i;

	if (g_strv_length(there) != json_array_size(list))
		return fail(error, 500,
			    "Instance %s snapshot inconsistency: Snapshot count in backup"
			    " config and storage device are different",
			    volume->name);
	json_array_foreach(list, i, snapshot)
	{
		const char *name = json_text(snapshot, "name"), *slash = strrchr(name, '/');

		if (!g_strv_contains((const char *const *)there, slash ? slash + 1 : name))
			return fail(error, 500,
				    "Instance %s snapshot inconsistency: Snapshot \"%s\" "
				    "is missing on storage device",
				    volume->name, name);
	}
	return TRUE;
}

static gboolean add_one(struct lost_pool *lost, const char *disk, GError **error)
{
	struct storage_volume volume = { VOLUME_CONTAINER, disk, NULL, NULL };
	g_autofree char *path = storage_volume_path(lost->pool, &volume);
	g_autofree char *file = g_build_filename(path, "backup.yaml", NULL);
	g_autoptr(json_t) backup = NULL, row = NULL;
	const json_t *inst;

	if (!lost->pool->driver->volume_mount(lost->pool, &volume, error))
		return FALSE;
	backup = parse_backup(file, error);
	lost->pool->driver->volume_unmount(lost->pool, &volume, NULL);
	if (!backup || !check_backup(backup, disk, error) ||
	    !check_snapshots(lost->pool, backup, &volume, error))
		return FALSE;
	inst = json_object_get(backup, "container");
	row = db_instance_row(lost->daemon->db, json_text_or(inst, "project", "default"),
			      json_text(inst, "name"), NULL);
	return row || json_array_append(lost->found, backup) == 0;
}

/* Volumes that have a row are known, whatever their backup says. */
static gboolean is_known(struct lost_pool *lost, const char *disk)
{
	g_autoptr(json_t) rows = db_select(
		lost->daemon->db, NULL,
		"SELECT v.name, p.name AS project FROM storage_volumes v JOIN projects p ON "
		"p.id = v.project_id JOIN storage_pools s ON s.id = v.storage_pool_id "
		"WHERE v.type = 0 AND s.name = ?1",
		"s", lost->pool->name);
	const json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		g_autofree char *name = volume_disk_name(
			VOLUME_CONTAINER, json_text(row, "project"), json_text(row, "name"));

		if (strcmp(name, disk) == 0)
			return TRUE;
	}
	return FALSE;
}

static gboolean look_through(struct lost_pool *lost, GError **error)
{
	g_auto(GStrv) names = NULL;

	if (!open_pool(lost, error))
		return FALSE;
	lost->found = json_array();
	names = storage_volumes(lost->pool, VOLUME_CONTAINER);
	for (char **name = names; *name; name++)
		if (!is_known(lost, *name) && !add_one(lost, *name, error))
			return FALSE;
	return TRUE;
}

/* --- what they need --------------------------------------------------------------------------- */

static void add_error(json_t *errors, char *words)
{
	g_autofree char *own = words;
	const json_t *each;
	size_t i;

	json_array_foreach(errors, i, each) if (strcmp(json_string_value(each), own) == 0) return;
	json_array_append_new(errors, json_string(own));
}

static void add_missing(struct db *db, const json_t *inst, json_t *errors)
{
	const char *project = json_text_or(inst, "project", "default");
	const json_t *name;
	size_t i;

	if (project_id(db, project, NULL) < 0) {
		add_error(errors, g_strdup_printf("Project \"%s\"", project));
		return;
	}
	json_array_foreach(json_object_get(inst, "profiles"), i, name)
	{
		const char *text = json_is_string(name) ? json_string_value(name) : "";

		if (profile_id(db, project, text, NULL) < 0)
			add_error(errors, g_strdup_printf("Profile \"%s\" in project \"%s\"", text,
							  project));
	}
}

static void report(const struct lost_pool *lost, json_t *volumes, json_t *errors)
{
	const json_t *backup;
	size_t i;

	json_array_foreach(lost->found, i, backup)
	{
		const json_t *inst = json_object_get(backup, "container");
		gint64 snapshots = (gint64)json_array_size(json_object_get(backup, "snapshots"));

		json_array_append_new(volumes,
				      json_pack("{s:s, s:s, s:I, s:s, s:s}", "name",
						json_text(inst, "name"), "type", "container",
						"snapshotCount", (json_int_t)snapshots, "project",
						json_text_or(inst, "project", "default"), "pool",
						lost->pool->name));
		add_missing(lost->daemon->db, inst, errors);
	}
}

gboolean recover_validate(struct daemon *daemon, const json_t *pools, json_t **ret, GError **error)
{
	g_autoptr(json_t) volumes = json_array(), errors = json_array();
	const json_t *wanted;
	size_t i;

	json_array_foreach(pools, i, wanted)
	{
		AUTO_LOST_POOL lost = { .daemon = daemon, .wanted = wanted };

		if (!look_through(&lost, error))
			return FALSE;
		report(&lost, volumes, errors);
	}
	*ret = json_pack("{s:O, s:O}", "UnknownVolumes", volumes, "DependencyErrors", errors);
	return TRUE;
}

/* --- rows ------------------------------------------------------------------------------------ */

/* A row's columns from an object of the API; the strings that are made are put into KEEP. */
static struct db_instance row_of(const json_t *shown, const char *name, GPtrArray *keep)
{
	char *created = db_time_write(json_text_or(shown, "created_at", CLOCK_EPOCH));
	char *used = db_time_write(json_text_or(shown, "last_used_at", CLOCK_EPOCH));
	char *expires = db_time_write(json_text_or(shown, "expires_at", CLOCK_ZERO));

	g_ptr_array_add(keep, created);
	g_ptr_array_add(keep, used);
	g_ptr_array_add(keep, expires);
	return (struct db_instance){
		.name = name,
		.description = json_text(shown, "description"),
		.architecture = db_architecture(json_text(shown, "architecture")),
		.ephemeral = json_is_true(json_object_get(shown, "ephemeral")),
		.stateful = json_is_true(json_object_get(shown, "stateful")),
		.created = created,
		.last_used = used,
		.expires = expires,
		.config = json_object_get(shown, "config"),
		.devices = json_object_get(shown, "devices"),
		.profiles = json_object_get(shown, "profiles"),
	};
}

/*
 * A profile that gave the root disk may be lost, or now name another pool: then the instance gets
 * one of its own, as it had it. NULL: it has one in this pool.
 */
static json_t *lacking_root(const struct lost_pool *lost, const json_t *shown,
			    const struct instance *inst)
{
	const json_t *root = instance_root_disk(inst->expanded_devices, NULL, NULL);
	const json_t *old = instance_root_disk(json_object_get(shown, "expanded_devices"), NULL,
					       NULL);
	json_t *disk;

	if (root && strcmp(json_text(root, "pool"), lost->pool->name) == 0)
		return NULL;
	disk = json_map_copy(old);
	json_map_set(disk, "type", "disk");
	json_map_set(disk, "path", "/");
	json_map_set(disk, "pool", lost->pool->name);
	return disk;
}

/* DEVICES with ROOT (may be NULL) unless they have one, under a name that is free. */
static json_t *with_root(const json_t *devices, json_t *root)
{
	json_t *all = json_map_copy(devices);
	g_autofree char *name = g_strdup("root");

	for (int i = 0; json_object_get(all, name); i++) {
		g_free(name);
		name = g_strdup_printf("root%d", i);
	}
	if (root && !instance_root_disk(all, NULL, NULL))
		json_object_set(all, name, root);
	return all;
}

/* The rows are checked as those of a client's change are, by what the database then says. */
static gboolean settle_instance(const struct lost_pool *lost, const json_t *shown,
				struct db_instance *row, gint64 id, json_t **ret_root,
				GError **error)
{
	const char *project = json_text_or(shown, "project", "default");
	g_autoptr(instance_t) inst = instance_load(lost->daemon, project, row->name, error);
	g_autoptr(json_t) root = inst ? lacking_root(lost, shown, inst) : NULL, devices = NULL;

	if (!inst)
		return FALSE;
	row->devices = devices = with_root(inst->devices, root);
	if (!db_instance_update(lost->daemon->db, id, project, row, error) ||
	    !instance_reload(inst, error) || !instance_check(inst, NULL, error))
		return FALSE;
	*ret_root = g_steal_pointer(&root);
	return TRUE;
}

/* With ROOT (may be NULL) in each, as its instance has it. */
static gboolean insert_snapshots(struct db *db, const json_t *backup, gint64 volume,
				 gint64 instance, json_t *root, GError **error)
{
	const json_t *shown;
	size_t i;

	json_array_foreach(json_object_get(backup, "snapshots"), i, shown)
	{
		g_autoptr(GPtrArray) keep = g_ptr_array_new_with_free_func(g_free);
		const char *name = json_text(shown, "name"), *slash = strrchr(name, '/');
		struct db_instance row = row_of(shown, slash ? slash + 1 : name, keep);
		g_autoptr(json_t) devices = with_root(row.devices, root);

		row.devices = devices;
		if (db_volume_insert_snapshot(db, volume, row.name, "", NULL, NULL, error) < 0 ||
		    db_snapshot_insert(db, instance, &row, error) < 0)
			return FALSE;
	}
	return TRUE;
}

static gboolean insert_instance(struct lost_pool *lost, gint64 pool, const json_t *backup,
				GError **error)
{
	struct db *db = lost->daemon->db;
	const json_t *shown = json_object_get(backup, "container");
	const json_t *volume = json_object_get(backup, "volume");
	const char *project = json_text_or(shown, "project", "default");
	const char *name = json_text(shown, "name");
	g_autoptr(json_t) config = NULL, root = NULL;
	g_autoptr(GPtrArray) keep = g_ptr_array_new_with_free_func(g_free);
	struct db_instance row = row_of(shown, name, keep);
	struct db_volume_key key = { pool, project, DB_VOLUME_CONTAINER, name };
	gint64 id, volume_id;

	if (!name_check_instance(name, error))
		return FALSE;
	config = json_map_check(json_object_get(volume, "config"), "config", error);
	if (!config)
		return FALSE;
	volume_id = db_volume_insert(db, &key, json_text(volume, "description"), config, error);
	id = volume_id < 0 ? -1 : db_instance_insert(db, project, &row, error);
	return id >= 0 && settle_instance(lost, shown, &row, id, &root, error) &&
	       insert_snapshots(db, backup, volume_id, id, root, error);
}

static gint64 insert_pool(const struct lost_pool *lost, struct db *db, GError **error)
{
	gint64 id = db_pool_insert(db, lost->pool->name, lost->pool->driver->name,
				   json_text(lost->wanted, "description"), lost->pool->config,
				   error);

	return id >= 0 && db_pool_set_state(db, id, DB_POOL_CREATED, lost->pool->config, error)
		       ? id
		       : -1;
}

static gboolean insert_all(struct db *db, void *data, GError **error)
{
	struct lost_pool *lost = data;
	g_autoptr(json_t) row = lost->known ? db_pool_get(db, lost->pool->name, error) : NULL;
	gint64 id = row ? json_integer_value(json_object_get(row, "id"))
			: insert_pool(lost, db, error);
	const json_t *backup;
	size_t i;

	if (id < 0)
		return FALSE;
	json_array_foreach(lost->found, i, backup) if (!insert_instance(lost, id, backup, error))
	{
		g_prefix_error(error, "Failed recovering instance \"%s\": ",
			       json_text(json_object_get(backup, "container"), "name"));
		return FALSE;
	}
	return TRUE;
}

/* --- done --------------------------------------------------------------------------------------
 */

/* The names by which the host knows them; the next start does it where this fails. */
static void link_all(const struct lost_pool *lost, const struct requestor *who)
{
	const json_t *backup;
	size_t i;

	json_array_foreach(lost->found, i, backup)
	{
		const json_t *shown = json_object_get(backup, "container");
		const char *project = json_text_or(shown, "project", "default");
		struct volume_ref ref = { lost->pool->name, project, VOLUME_CONTAINER,
					  json_text(shown, "name"), NULL };
		AUTO_VOLUME_JOB struct volume_job job = { 0 };
		g_autoptr(instance_t) inst = instance_load(lost->daemon, project, ref.name, NULL);

		if (volume_job_open(&job, lost->daemon, &ref, TRUE, NULL))
			volume_job_link(&job);
		if (inst)
			instance_event(inst, "instance-created", NULL, who);
	}
}

static gboolean import_one(struct lost_pool *lost, const struct requestor *who, GError **error)
{
	g_autoptr(json_t) volumes = json_array(), missing = json_array();

	if (!look_through(lost, error))
		return FALSE;
	report(lost, volumes, missing);
	if (json_array_size(missing) > 0)
		return fail(error, 500, "Dependency error: %s",
			    json_string_value(json_array_get(missing, 0)));
	if (!storage_pool_layout(lost->pool, error) ||
	    !db_transaction(lost->daemon->db, insert_all, lost, error))
		return FALSE;
	link_all(lost, who);
	return TRUE;
}

gboolean recover_import(struct daemon *daemon, const json_t *pools, const struct requestor *who,
			GError **error)
{
	const json_t *wanted;
	size_t i;

	json_array_foreach(pools, i, wanted)
	{
		AUTO_LOST_POOL lost = { .daemon = daemon, .wanted = wanted };

		if (!import_one(&lost, who, error))
			return FALSE;
	}
	return TRUE;
}
