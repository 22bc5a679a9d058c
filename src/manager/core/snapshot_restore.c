/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Back to a snapshot: the volume's content and the rows at once. */
#include <string.h>

#include "core/instances_private.h"
#include "core/project.h"
#include "core/snapshot.h"
#include "db/instance.h"

/*
 * Names the snapshot from the moment at which the rows are its own until the volume is, too: a
 * start that finds it does what a killed daemon did not.
 */
#define UNFINISHED "volatile.restore"

struct restoring {
	struct instance *inst; /* as it is to be */
	const char *snapshot;
};

static gboolean write_rows(struct db *db, void *data, GError **error)
{
	const struct restoring *restoring = data;
	struct instance *inst = restoring->inst;
	struct db_instance row = {
		.description = inst->description,
		.architecture = db_architecture(inst->architecture),
		.ephemeral = inst->ephemeral,
		.stateful = inst->stateful,
		.config = inst->config,
		.devices = inst->devices,
	};

	return instance_allocate_idmap(inst, TRUE, error) &&
	       project_check_instance(db, inst->project, inst->name, inst->expanded_config,
				      inst->expanded_devices, error) &&
	       db_instance_update(db, inst->id, inst->project, &row, error) &&
	       db_instance_set(db, inst->id, UNFINISHED, restoring->snapshot, error);
}

/* What tells of the present and not of the moment of the snapshot. */
static gboolean is_present(const char *key)
{
	return strcmp(key, "volatile.last_state.power") == 0 ||
	       strcmp(key, "volatile.idmap.base") == 0 ||
	       strcmp(key, "volatile.idmap.current") == 0 ||
	       (g_str_has_prefix(key, "volatile.") && g_str_has_suffix(key, ".host_name"));
}

static json_t *config_after(const json_t *then, const json_t *now)
{
	json_t *config = json_object(), *value;
	const char *key;

	json_object_foreach((json_t *)then, key, value)
	{
		if (!is_present(key))
			json_object_set(config, key, value);
	}
	json_object_foreach((json_t *)now, key, value)
	{
		if (is_present(key))
			json_object_set(config, key, value);
	}
	return config;
}

/* Where its volume is now stays: the snapshot may be older than a move to another pool. */
static json_t *devices_after(const struct instance *snap, const struct instance *inst)
{
	json_t *devices = json_deep_copy(snap->devices);
	const char *name = NULL;

	if (g_strcmp0(snap->pool, inst->pool) == 0)
		return devices;
	if (instance_root_disk(devices, &name, NULL))
		json_object_set_new(json_object_get(devices, name), "pool",
				    json_string(inst->pool));
	return devices;
}

static gboolean restore_stopped(struct instance *inst, const struct instance *snap, GError **error)
{
	struct restoring restoring = { inst, snap->snapshot };
	struct volume_new what = { .commit = { write_rows, &restoring } };
	json_t *config = config_after(snap->config, inst->config);
	json_t *devices = devices_after(snap, inst);
	struct volume_ref ref;
	gboolean ok;

	json_decref(inst->config);
	inst->config = config;
	json_decref(inst->devices);
	inst->devices = devices;
	g_free(inst->description);
	inst->description = g_strdup(snap->description);
	if (!instance_expand(inst, error))
		return FALSE;
	ref = instance_volume(inst);
	ref.snapshot = snap->snapshot;
	ok = volume_restore(inst->daemon, &ref, &what, error);
	instance_set(inst, UNFINISHED, NULL, NULL);
	return ok;
}

void snapshot_restore_again(struct instance *inst)
{
	const char *snapshot = json_text(inst->config, UNFINISHED);
	struct volume_ref ref = instance_volume(inst);
	struct volume_new what = { 0 };

	if (!*snapshot)
		return;
	ref.snapshot = snapshot;
	if (volume_restore(inst->daemon, &ref, &what, NULL) &&
	    instance_set(inst, UNFINISHED, NULL, NULL))
		instance_write_backup(inst, NULL);
}

static gboolean restore_locked(struct instance *inst, const struct instance *snap,
			       const struct requestor *who, GError **error)
{
	g_autoptr(json_t) context = json_pack("{s:s}", "snapshot", snap->snapshot);
	struct instance_place place;
	gboolean running, ok;

	if (!instance_reload(inst, error))
		return FALSE;
	place = instance_place(inst);
	running = instance_is_running(inst);
	if (running && !(inst->driver->stop(&place, error) &&
			 instance_stopped(inst, "instance-stopped", TRUE, who, error)))
		return FALSE;
	ok = restore_stopped(inst, snap, error);
	if (ok) {
		instance_write_backup(inst, NULL);
		instance_event(inst, "instance-restored", context, who);
	}
	/* What ran runs again, be it as it was. */
	if (running && !instance_start_locked(inst, who, ok ? error : NULL))
		return FALSE;
	return ok;
}

gboolean snapshot_restore(struct instance *inst, const char *name, const struct requestor *who,
			  GError **error)
{
	const char *slash = strchr(name, '/');
	const char *short_name = slash ? slash + 1 : name;
	g_autoptr(instance_t) snap = instance_load_snapshot(inst->daemon, inst->project, inst->name,
							    short_name, NULL);
	GError *why = NULL;
	gboolean ok;

	if (!snap)
		return fail(error, 404, "Snapshot %s/%s does not exist", inst->name, short_name);
	if (!instance_lock(inst->daemon, inst->project, inst->name, "restore", NULL, error))
		return FALSE;
	ok = restore_locked(inst, snap, who, &why);
	instance_unlock(inst->daemon, inst->project, inst->name, why);
	if (why)
		g_propagate_error(error, why);
	return ok;
}
