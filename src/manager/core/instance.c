/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pictures of instances and of their snapshots: from the rows, and back into them. */
#include "core/instance.h"

#include <string.h>

#include "core/instances_private.h"
#include "core/profile.h"
#include "core/project.h"
#include "db/instance.h"
#include "util/clock.h"

void instance_free(struct instance *inst)
{
	if (!inst)
		return;
	g_free(inst->project);
	g_free(inst->name);
	g_free(inst->snapshot);
	g_free(inst->description);
	g_free(inst->architecture);
	g_free(inst->created_at);
	g_free(inst->last_used_at);
	g_free(inst->expires_at);
	json_decref(inst->config);
	json_decref(inst->devices);
	json_decref(inst->profiles);
	json_decref(inst->expanded_config);
	json_decref(inst->expanded_devices);
	g_free(inst->pool);
	g_free(inst->id_on_host);
	g_free(inst->dir);
	g_free(inst->log_dir);
	g_free(inst->path);
	g_free(inst->rootfs);
	g_free(inst);
}

/* --- reading --------------------------------------------------------------------------- */

static void replace(char **to, char *text)
{
	g_free(*to);
	*to = text;
}

static void replace_json(json_t **to, json_t *value)
{
	json_decref(*to);
	*to = value;
}

static gboolean is_true(const json_t *row, const char *column)
{
	return json_integer_value(json_object_get(row, column)) != 0;
}

static char *moment(const json_t *row, const char *column, const char *never)
{
	const char *text = json_string_value(json_object_get(row, column));

	return text && *text ? db_time_read(text) : g_strdup(never);
}

static void set_paths(struct instance *inst)
{
	gboolean is_default = strcmp(inst->project, "default") == 0;
	g_autofree char *volume = NULL;

	replace(&inst->id_on_host, is_default
					   ? g_strdup(inst->name)
					   : g_strdup_printf("%s_%s", inst->project, inst->name));
	replace(&inst->dir, daemon_path(inst->daemon, "containers", NULL));
	replace(&inst->log_dir, daemon_path(inst->daemon, "logs", inst->id_on_host, NULL));
	replace(&inst->path, NULL);
	replace(&inst->rootfs, NULL);
	if (inst->pool) {
		struct volume_ref ref = instance_volume(inst);

		inst->path = volume_path(inst->daemon, &ref);
		inst->rootfs = g_strdup_printf("%s/rootfs", inst->path);
	}
}

static void set_row(struct instance *inst, const json_t *row)
{
	const char *architecture =
		db_architecture_name((int)json_integer_value(json_object_get(row, "architecture")));
	const char *never = inst->snapshot ? CLOCK_ZERO : CLOCK_EPOCH;

	inst->id = json_integer_value(json_object_get(row, "id"));
	replace(&inst->project, g_strdup(json_text(row, "project")));
	replace(&inst->name, g_strdup(json_text(row, inst->snapshot ? "instance" : "name")));
	if (inst->snapshot)
		replace(&inst->snapshot, g_strdup(json_text(row, "name")));
	replace(&inst->description, g_strdup(json_text(row, "description")));
	replace(&inst->architecture, g_strdup(architecture ? architecture : ""));
	inst->ephemeral = is_true(row, "ephemeral");
	inst->stateful = is_true(row, "stateful");
	replace(&inst->created_at, moment(row, "creation_date", CLOCK_ZERO));
	replace(&inst->last_used_at, moment(row, "last_use_date", never));
	replace(&inst->expires_at, moment(row, "expiry_date", CLOCK_ZERO));
}

gboolean instance_expand(struct instance *inst, GError **error)
{
	json_t *config = NULL, *devices = NULL;
	const json_t *root;

	if (!profile_expand(inst->daemon->db, inst->project, inst->profiles, inst->config,
			    inst->devices, &config, &devices, error))
		return FALSE;
	replace_json(&inst->expanded_config, config);
	replace_json(&inst->expanded_devices, devices);
	root = instance_root_disk(devices, NULL, NULL);
	replace(&inst->pool, root ? g_strdup(json_text(root, "pool")) : NULL);
	set_paths(inst);
	return TRUE;
}

static json_t *parents_profiles(const struct instance *snapshot, GError **error)
{
	gint64 id = db_snapshot_instance(snapshot->daemon->db, snapshot->id, error);

	return id < 0 ? NULL : db_instance_profiles(snapshot->daemon->db, id, error);
}

static gboolean read_parts(struct instance *inst, GError **error)
{
	const char *owner = inst->snapshot ? "instance_snapshot" : "instance";
	const char *prefix = inst->snapshot ? "instances_snapshots" : "instances";
	const char *table = inst->snapshot ? "instances_snapshots_config" : "instances_config";
	struct db *db = inst->daemon->db;
	json_t *config = db_config_get(db, table, owner, inst->id, error);
	json_t *devices = config ? db_devices_get(db, prefix, owner, inst->id, error) : NULL;
	json_t *profiles = NULL;

	if (devices && inst->snapshot) /* it has its instance's */
		profiles = parents_profiles(inst, error);
	else if (devices)
		profiles = db_instance_profiles(db, inst->id, error);
	if (!profiles) {
		json_decref(config);
		json_decref(devices);
		return FALSE;
	}
	replace_json(&inst->config, config);
	replace_json(&inst->devices, devices);
	replace_json(&inst->profiles, profiles);
	return instance_expand(inst, error);
}

static struct instance *new_picture(struct daemon *daemon, gboolean is_snapshot)
{
	struct instance *inst = g_new0(struct instance, 1);

	inst->daemon = daemon;
	inst->driver = instances_driver(daemon);
	inst->snapshot = is_snapshot ? g_strdup("") : NULL;
	return inst;
}

static struct instance *from_row(struct daemon *daemon, const json_t *row, gboolean is_snapshot,
				 GError **error)
{
	g_autoptr(instance_t) inst = new_picture(daemon, is_snapshot);

	set_row(inst, row);
	if (!read_parts(inst, error))
		return NULL;
	return g_steal_pointer(&inst);
}

struct reading {
	struct daemon *daemon;
	const char *project, *name, *snapshot;
	struct instance *ret;
};

/* In one transaction, so that row and parts are of the same moment. */
static gboolean read_one(struct db *db, void *data, GError **error)
{
	struct reading *reading = data;
	GError *why = NULL;
	g_autoptr(json_t)
		row = reading->snapshot
			      ? db_snapshot_row(db, reading->project, reading->name,
						reading->snapshot, &why)
			      : db_instance_row(db, reading->project, reading->name, &why);

	if (why) {
		g_propagate_error(error, why);
		return FALSE;
	}
	if (!row)
		return fail(error, 404,
			    reading->snapshot ? "Instance snapshot not found"
					      : "Instance not found");
	reading->ret = from_row(reading->daemon, row, reading->snapshot != NULL, error);
	return reading->ret != NULL;
}

struct instance *instance_load_snapshot(struct daemon *daemon, const char *project,
					const char *name, const char *snapshot, GError **error)
{
	struct reading reading = { daemon, project, name, snapshot, NULL };

	if (!db_transaction(daemon->db, read_one, &reading, error))
		return NULL;
	return reading.ret;
}

struct instance *instance_load(struct daemon *daemon, const char *project, const char *name,
			       GError **error)
{
	return instance_load_snapshot(daemon, project, name, NULL, error);
}

struct instance *instance_load_any(struct daemon *daemon, const char *project, const char *name,
				   GError **error)
{
	g_auto(GStrv) parts = g_strsplit(name, "/", 2);

	return instance_load_snapshot(daemon, project, parts[0] ? parts[0] : "",
				      parts[0] ? parts[1] : NULL, error);
}

gboolean instance_reload(struct instance *inst, GError **error)
{
	struct instance *fresh = instance_load_snapshot(inst->daemon, inst->project, inst->name,
							inst->snapshot, error);
	struct instance old = *inst;

	if (!fresh)
		return FALSE;
	fresh->legacy_url = inst->legacy_url;
	*inst = *fresh;
	*fresh = old;
	instance_free(fresh);
	return TRUE;
}

/* --- reading all ----------------------------------------------------------------------- */

/* Everything of all of a project, read with few statements. */
struct bulk {
	struct daemon *daemon;
	const char *project;
	json_t *rows, *configs, *devices, *profiles;
	GPtrArray *ret;
};

static json_t *at_id(json_t *all, gint64 id, json_t *without)
{
	g_autofree char *key = g_strdup_printf("%" G_GINT64_FORMAT, id);
	json_t *value = json_object_get(all, key);

	if (!value)
		return without;
	json_decref(without);
	return json_incref(value);
}

static gboolean add_picture(struct bulk *bulk, const json_t *row, GError **error)
{
	struct instance *inst = new_picture(bulk->daemon, FALSE);

	g_ptr_array_add(bulk->ret, inst);
	set_row(inst, row);
	inst->config = at_id(bulk->configs, inst->id, json_object());
	inst->devices = at_id(bulk->devices, inst->id, json_object());
	inst->profiles = at_id(bulk->profiles, inst->id, json_array());
	return instance_expand(inst, error);
}

static gboolean read_all(struct db *db, void *data, GError **error)
{
	struct bulk *bulk = data;
	json_t *row;
	size_t i;

	bulk->rows = db_instance_rows(db, bulk->project, error);
	bulk->configs = bulk->rows ? db_instance_configs(db, bulk->project, error) : NULL;
	bulk->devices = bulk->configs ? db_instance_all_devices(db, bulk->project, error) : NULL;
	bulk->profiles = bulk->devices ? db_instance_all_profiles(db, bulk->project, error) : NULL;
	if (!bulk->profiles)
		return FALSE;
	json_array_foreach(bulk->rows, i, row)
	{
		if (!add_picture(bulk, row, error))
			return FALSE;
	}
	return TRUE;
}

static void free_picture(void *inst)
{
	instance_free(inst);
}

GPtrArray *instance_load_all(struct daemon *daemon, const char *project, GError **error)
{
	g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(free_picture);
	struct bulk bulk = { .daemon = daemon, .project = project, .ret = list };
	gboolean done = db_transaction(daemon->db, read_all, &bulk, error);

	json_decref(bulk.rows);
	json_decref(bulk.configs);
	json_decref(bulk.devices);
	json_decref(bulk.profiles);
	return done ? g_steal_pointer(&list) : NULL;
}

GPtrArray *instance_load_snapshots(struct daemon *daemon, const char *project, const char *name,
				   GError **error)
{
	g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(free_picture);
	g_autoptr(json_t) parent = db_instance_row(daemon->db, project, name, error);
	g_autoptr(json_t) rows = NULL;
	json_t *row;
	size_t i;

	if (!parent) {
		if (error && !*error)
			fail(error, 404, "Instance not found");
		return NULL;
	}
	rows = db_snapshot_rows(daemon->db, json_integer_value(json_object_get(parent, "id")),
				error);
	if (!rows)
		return NULL;
	json_array_foreach(rows, i, row)
	{
		struct instance *inst = from_row(daemon, row, TRUE, error);

		if (!inst)
			return NULL;
		g_ptr_array_add(list, inst);
	}
	return g_steal_pointer(&list);
}

/* --- writing --------------------------------------------------------------------------- */

static gboolean write_rows(struct db *db, void *data, GError **error)
{
	struct instance *inst = data;
	g_autofree char *expires = strcmp(inst->expires_at, CLOCK_ZERO) == 0
					   ? NULL
					   : db_time_write(inst->expires_at);
	struct db_instance row = {
		.description = inst->description,
		.architecture = db_architecture(inst->architecture),
		.ephemeral = inst->ephemeral,
		.stateful = inst->stateful,
		.expires = expires,
		.config = inst->config,
		.devices = inst->devices,
		.profiles = inst->profiles,
	};

	if (inst->snapshot)
		return db_snapshot_update(db, inst->id, &row, error);
	return db_instance_update(db, inst->id, inst->project, &row, error);
}

gboolean instance_save(struct instance *inst, GError **error)
{
	if (!db_transaction(inst->daemon->db, write_rows, inst, error))
		return FALSE;
	instance_write_backup(inst, NULL);
	return TRUE;
}

struct setting {
	struct instance *inst;
	const json_t *values; /* a map; "" takes a key away */
};

static gboolean write_settings(struct db *db, void *data, GError **error)
{
	struct setting *setting = data;
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)setting->values, key, value)
	{
		if (!db_instance_set(db, setting->inst->id, key, json_string_value(value), error))
			return FALSE;
	}
	return TRUE;
}

static gboolean set_all(struct instance *inst, const json_t *values, GError **error)
{
	struct setting setting = { inst, values };
	const char *key;
	json_t *value;

	if (!db_transaction(inst->daemon->db, write_settings, &setting, error))
		return FALSE;
	json_object_foreach((json_t *)values, key, value)
	{
		json_map_set(inst->config, key, json_string_value(value));
		json_map_set(inst->expanded_config, key, json_string_value(value));
	}
	return TRUE;
}

gboolean instance_set(struct instance *inst, const char *key, const char *value, GError **error)
{
	return instance_set_many(inst, error, key, value ? value : "", NULL);
}

gboolean instance_set_many(struct instance *inst, GError **error, ...)
{
	g_autoptr(json_t) values = json_object();
	const char *key;
	va_list args;

	va_start(args, error);
	while ((key = va_arg(args, const char *))) {
		const char *value = va_arg(args, const char *);

		json_object_set_new(values, key, json_string(value ? value : ""));
	}
	va_end(args);
	return set_all(inst, values, error);
}

gboolean instance_set_map(struct instance *inst, const json_t *values, GError **error)
{
	return json_object_size(values) == 0 || set_all(inst, values, error);
}

/* --- what it is ------------------------------------------------------------------------ */

struct instance_place instance_place(const struct instance *inst)
{
	return (struct instance_place){ inst->id_on_host, inst->dir, inst->log_dir };
}

struct volume_ref instance_volume(const struct instance *inst)
{
	return (struct volume_ref){ .pool = inst->pool,
				    .project = inst->project,
				    .type = VOLUME_CONTAINER,
				    .name = inst->name,
				    .snapshot = inst->snapshot };
}

enum instance_state instance_state(const struct instance *inst)
{
	struct instance_place place = instance_place(inst);

	return inst->snapshot ? INSTANCE_STOPPED : inst->driver->state(&place, NULL);
}

gboolean instance_is_running(const struct instance *inst)
{
	enum instance_state state = instance_state(inst);

	return state != INSTANCE_STOPPED && state != INSTANCE_ERROR;
}

gboolean instance_is_privileged(const struct instance *inst)
{
	return json_map_true(inst->expanded_config, "security.privileged");
}

char *instance_url(const struct instance *inst)
{
	const char *base = inst->legacy_url ? "containers" : "instances";
	g_autofree char *name = g_uri_escape_string(inst->name, NULL, FALSE);
	g_autofree char *snapshot = inst->snapshot
					    ? g_uri_escape_string(inst->snapshot, NULL, FALSE)
					    : NULL;

	if (snapshot)
		return g_strdup_printf("/1.0/%s/%s/snapshots/%s", base, name, snapshot);
	return g_strdup_printf("/1.0/%s/%s", base, name);
}

json_t *instance_resources(const char *project, const char *name)
{
	gboolean is_default = !project || strcmp(project, "default") == 0;
	g_autofree char *query = is_default ? g_strdup("")
					    : g_strconcat("?project=", project, NULL);

	return json_pack("{s:[s+++], s:[s+++]}", "instances", "/1.0/instances/", name, query, "",
			 "containers", "/1.0/containers/", name, query, "");
}

void instance_event(const struct instance *inst, const char *action, const json_t *context,
		    const struct requestor *who)
{
	g_autofree char *url = instance_url(inst);

	event_lifecycle(inst->daemon->events, inst->project, action, url, context, who);
}

/* --- ids ------------------------------------------------------------------------------- */

static struct idmap *idmap_of(const struct instance *inst, const char *key, GError **error)
{
	return idmap_parse(json_text(inst->config, key), error);
}

struct idmap *instance_idmap_disk(const struct instance *inst, GError **error)
{
	return idmap_of(inst, "volatile.last_state.idmap", error);
}

struct idmap *instance_idmap_next(const struct instance *inst, GError **error)
{
	if (instance_is_privileged(inst))
		return idmap_new();
	return idmap_of(inst, "volatile.idmap.next", error);
}

struct idmap *instance_idmap_current(const struct instance *inst, GError **error)
{
	if (!*json_text(inst->config, "volatile.idmap.current"))
		return instance_idmap_next(inst, error);
	return idmap_of(inst, "volatile.idmap.current", error);
}
