/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Moves: the volume is copied, then rows and name follow in one transaction, then the old volume
 * goes. What a kill leaves is one volume too many, whose instance is elsewhere by its rows.
 */
#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

#include "core/backup.h"
#include "core/copy_private.h"
#include "core/instances_private.h"
#include "core/project.h"
#include "db/instance.h"
#include "db/volume.h"
#include "util/names.h"

struct moving {
	struct instance *inst;	/* as it was */
	struct instance *after; /* as it is to be */
	GPtrArray *snapshots;
};

/* --- rows --------------------------------------------------------------------------------- */

static gboolean move_snapshot(struct db *db, const struct instance *snap, const json_t *devices,
			      GError **error)
{
	g_autoptr(json_t) own = copy_snapshot_devices(snap, devices);
	g_autofree char *expires = g_str_has_prefix(snap->expires_at, "0001-")
					   ? NULL
					   : db_time_write(snap->expires_at);
	struct db_instance row = {
		.description = snap->description,
		.stateful = snap->stateful,
		.expires = expires,
		.devices = own,
	};

	return db_snapshot_update(db, snap->id, &row, error);
}

static gboolean move_rows(struct db *db, void *data, GError **error)
{
	const struct moving *moving = data;
	struct instance *after = moving->after;
	gint64 project = project_id(db, after->project, error);
	struct db_instance row = {
		.description = after->description,
		.architecture = db_architecture(after->architecture),
		.ephemeral = after->ephemeral,
		.stateful = after->stateful,
		.config = after->config,
		.devices = after->devices,
		.profiles = after->profiles,
	};

	if (project < 0 || !db_instance_move(db, after->id, project, after->name, error) ||
	    !db_instance_update(db, after->id, after->project, &row, error) ||
	    !backup_renamed(db, after->id, after->name, error))
		return FALSE;
	for (guint i = 0; i < moving->snapshots->len; i++)
		if (!move_snapshot(db, moving->snapshots->pdata[i], after->devices, error))
			return FALSE;
	return TRUE;
}

/* --- what it will be ------------------------------------------------------------------------- */

static void replace(char **text, const char *with)
{
	if (!with || !*with)
		return;
	g_free(*text);
	*text = g_strdup(with);
}

/* Its root disk becomes its own, so that a profile does not say otherwise. */
static void set_pool(struct instance *inst, const char *pool)
{
	const char *name = NULL;
	const json_t *root = instance_root_disk(inst->expanded_devices, &name, NULL);
	json_t *own;

	if (!root || !pool || !*pool || strcmp(json_text(root, "pool"), pool) == 0)
		return;
	own = json_deep_copy(root);
	json_object_set_new(own, "pool", json_string(pool));
	json_object_set_new(inst->devices, name, own);
}

static struct instance *picture_after(const struct instance *inst, const struct copy_place *to,
				      GError **error)
{
	g_autoptr(instance_t) after = instance_load(inst->daemon, inst->project, inst->name, error);
	g_autoptr(json_t) row = NULL;

	if (!after)
		return NULL;
	replace(&after->name, to->name);
	replace(&after->project, to->project);
	if (project_id(inst->daemon->db, after->project, error) < 0 ||
	    !name_check_instance(after->name, error))
		return NULL;
	row = db_instance_row(inst->daemon->db, after->project, after->name, NULL);
	if (row && json_integer_value(json_object_get(row, "id")) != inst->id) {
		fail(error, 409, "Name \"%s\" already in use", after->name);
		return NULL;
	}
	set_pool(after, to->pool);
	if (!instance_expand(after, error) || !instance_check(after, NULL, error))
		return NULL;
	return g_steal_pointer(&after);
}

/* --- the move ------------------------------------------------------------------------------- */

/* What is named after it on the host. */
static void move_files(struct instance *inst, struct instance *after)
{
	struct instance_spec *spec = instance_spec_new(inst, NULL);

	if (spec)
		inst->driver->forget(spec);
	instance_spec_free(spec);
	if (strcmp(inst->id_on_host, after->id_on_host) == 0)
		return;
	instance_unlink(inst);
	g_rename(inst->log_dir, after->log_dir);
}

static gboolean move_volume(struct moving *moving, GCancellable *cancel, GError **error)
{
	g_autoptr(GPtrArray) names = copy_names(moving->snapshots);
	struct storage_watch watch = { .cancel = cancel };
	struct volume_new what = { .watch = &watch, .commit = { move_rows, moving } };
	struct volume_ref from = instance_volume(moving->inst), to = instance_volume(moving->after);

	return volume_copy(moving->inst->daemon, &from, &to, (const char *const *)names->pdata,
			   &what, error);
}

static void tell(const struct instance *inst, const struct instance *after,
		 const struct requestor *who)
{
	g_autoptr(json_t) context = json_pack("{s:s}", "old_name", inst->name);
	gboolean renamed = strcmp(inst->name, after->name) != 0;

	instance_event(after, renamed ? "instance-renamed" : "instance-updated",
		       renamed ? context : NULL, who);
}

static gboolean move_stopped(struct instance *inst, const struct copy_place *to,
			     GCancellable *cancel, const struct requestor *who, GError **error)
{
	g_autoptr(instance_t) after = picture_after(inst, to, error);
	g_autoptr(GPtrArray) snapshots =
		after ? instance_load_snapshots(inst->daemon, inst->project, inst->name, error)
		      : NULL;
	struct moving moving = { inst, after, snapshots };
	struct volume_ref old = instance_volume(inst);

	if (!snapshots || !move_volume(&moving, cancel, error))
		return FALSE;
	move_files(inst, after);
	/* The rows are at the new place: what is left of the old one the next start takes away. */
	volume_delete(inst->daemon, &old, NULL, NULL);
	if (!instance_reload(after, error) || !instance_link(after, error))
		return FALSE;
	instance_write_backup(after, NULL);
	tell(inst, after, who);
	return TRUE;
}

static gboolean move_locked(struct instance *inst, const struct copy_place *to,
			    GCancellable *cancel, const struct requestor *who, GError **error)
{
	if (!instance_reload(inst, error))
		return FALSE;
	if (instance_is_running(inst))
		return fail(error, 400, "Instance must not be running to move between %s",
			    to->project ? "projects" : "pools");
	if (!inst->pool)
		return fail(error, 400, "Failed getting root disk: No root device could be found");
	return move_stopped(inst, to, cancel, who, error);
}

static gboolean is_elsewhere(const struct instance *inst, const struct copy_place *to)
{
	return (to->project && strcmp(to->project, inst->project) != 0) ||
	       (to->pool && g_strcmp0(to->pool, inst->pool) != 0);
}

gboolean copy_move(struct instance *inst, const struct copy_place *to, GCancellable *cancel,
		   const struct requestor *who, GError **error)
{
	/* INST's own are others once it is read again. */
	g_autofree char *old_project = g_strdup(inst->project), *old_name = g_strdup(inst->name);
	const char *project = to->project ? to->project : old_project;
	const char *name = to->name && *to->name ? to->name : old_name;
	gboolean other = strcmp(project, old_project) != 0 || strcmp(name, old_name) != 0;
	struct daemon *daemon = inst->daemon;
	GError *why = NULL;
	gboolean ok = FALSE;

	if (!is_elsewhere(inst, to))
		return other ? instance_rename(inst, name, who, error)
			     : fail(error, 400, "The instance is there already");
	if (!instance_lock(daemon, old_project, old_name, "migrate", NULL, error))
		return FALSE;
	if (!other) {
		ok = move_locked(inst, to, cancel, who, &why);
	} else if (instance_lock(daemon, project, name, "create", NULL, &why)) {
		ok = move_locked(inst, to, cancel, who, &why);
		instance_unlock(daemon, project, name, why);
	}
	instance_unlock(daemon, old_project, old_name, why);
	if (why)
		g_propagate_error(error, why);
	return ok;
}

/* --- after a kill ------------------------------------------------------------------------------
 */

/* A volume whose instance is elsewhere, and whole there. */
static gboolean is_left(struct daemon *daemon, const struct volume_ref *ref)
{
	g_autoptr(GError) why = NULL;
	g_autoptr(instance_t) inst = instance_load(daemon, ref->project, ref->name, &why);
	struct volume_ref now;

	if (!inst)
		return error_status(why) == 404;
	now = instance_volume(inst);
	return inst->pool && strcmp(inst->pool, ref->pool) != 0 && volume_exists(daemon, &now);
}

void copy_startup(struct daemon *daemon)
{
	g_autoptr(json_t) rows = db_volumes_of_containers(daemon->db, NULL);
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		struct volume_ref ref = { json_text(row, "pool"), json_text(row, "project"),
					  VOLUME_CONTAINER, json_text(row, "name"), NULL };

		if (is_left(daemon, &ref))
			volume_delete(daemon, &ref, NULL, NULL);
	}
}
