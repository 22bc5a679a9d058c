/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The other name of an instance, and its end. */
#include <glib/gstdio.h>
#include <string.h>

#include "core/backup.h"
#include "core/device.h"
#include "core/instances_private.h"
#include "core/warning.h"
#include "db/instance.h"
#include "util/copy.h"
#include "util/names.h"

struct change {
	struct instance *inst;
	const char *name; /* the new one */
};

/* --- rename ------------------------------------------------------------------------------- */

static gboolean rename_rows(struct db *db, void *data, GError **error)
{
	const struct change *change = data;
	const struct instance *inst = change->inst;
	const char *due = json_text(inst->config, "volatile.apply_template");
	g_autofree char *id = new_uuid();

	/* One that was never started is still to get its first templates. */
	return db_instance_rename(db, inst->id, change->name, error) &&
	       backup_renamed(db, inst->id, change->name, error) &&
	       db_instance_set(db, inst->id, "volatile.cloud-init.instance-id", id, error) &&
	       db_instance_set(db, inst->id, "volatile.apply_template", *due ? due : "rename",
			       error);
}

/* What is named after it on the host. */
static void drop_files(struct instance *inst)
{
	struct instance_spec *spec = instance_spec_new(inst, NULL);
	g_autofree char *devices = devices_dir(inst);

	if (spec)
		inst->driver->forget(spec);
	instance_spec_free(spec);
	g_rmdir(devices);
}

static gboolean check_name(const struct instance *inst, const char *name, GError **error)
{
	g_autoptr(json_t) row = NULL;

	if (!name_check_instance(name, error)) {
		g_prefix_error(error, "Invalid instance name: ");
		return FALSE;
	}
	row = db_instance_row(inst->daemon->db, inst->project, name, NULL);
	return row ? fail(error, 409, "Name \"%s\" already in use", name) : TRUE;
}

static gboolean rename_locked(struct instance *inst, const char *name, const struct requestor *who,
			      GError **error)
{
	g_autofree char *old_name = NULL, *old_log = NULL;
	g_autoptr(json_t) context = NULL;
	struct change change = { inst, name };
	struct volume_commit commit = { rename_rows, &change };
	struct volume_ref ref;

	if (!instance_reload(inst, error) || !check_name(inst, name, error))
		return FALSE;
	if (instance_is_running(inst))
		return fail(error, 400, "Renaming of running container not allowed");
	ref = instance_volume(inst);
	if (!volume_rename(inst->daemon, &ref, name, &commit, error))
		return FALSE;
	drop_files(inst);
	instance_unlink(inst);
	old_name = g_strdup(inst->name);
	old_log = g_strdup(inst->log_dir);
	g_free(inst->name);
	inst->name = g_strdup(name);
	if (!instance_reload(inst, error) || !instance_link(inst, error))
		return FALSE;
	g_rename(old_log, inst->log_dir);
	instance_write_backup(inst, NULL);
	context = json_pack("{s:s}", "old_name", old_name);
	instance_event(inst, "instance-renamed", context, who);
	return TRUE;
}

gboolean instance_rename(struct instance *inst, const char *name, const struct requestor *who,
			 GError **error)
{
	g_autofree char *old_name = g_strdup(inst->name);
	struct daemon *daemon = inst->daemon;
	GError *why = NULL;
	gboolean ok = FALSE;

	if (!instance_lock(daemon, inst->project, old_name, "rename", NULL, error))
		return FALSE;
	if (instance_lock(daemon, inst->project, name, "create", NULL, &why)) {
		ok = rename_locked(inst, name, who, &why);
		instance_unlock(daemon, inst->project, name, why);
	}
	instance_unlock(daemon, inst->project, old_name, why);
	if (why)
		g_propagate_error(error, why);
	return ok;
}

/* --- delete ------------------------------------------------------------------------------- */

static gboolean delete_rows(struct db *db, void *data, GError **error)
{
	const struct instance *inst = data;

	return warning_forget(db, WARNING_OF_INSTANCE, inst->id, error) &&
	       db_instance_delete(db, inst->id, error);
}

gboolean instance_delete_locked(struct instance *inst, const struct requestor *who, GError **error)
{
	struct volume_commit commit = { delete_rows, inst };
	struct volume_ref ref = instance_volume(inst);

	if (inst->pool ? !volume_delete(inst->daemon, &ref, &commit, error)
		       : !db_transaction(inst->daemon->db, delete_rows, inst, error))
		return FALSE;
	drop_files(inst);
	instance_unlink(inst);
	copy_delete(inst->log_dir, NULL, NULL);
	backup_forget(inst);
	instance_event(inst, "instance-deleted", NULL, who);
	return TRUE;
}

static gboolean delete_checked(struct instance *inst, const struct requestor *who, GError **error)
{
	if (!instance_reload(inst, error))
		return FALSE;
	if (json_map_true(inst->expanded_config, "security.protection.delete"))
		return fail(error, 400, "Instance is protected");
	if (instance_is_running(inst))
		return fail(error, 400, "Instance is running");
	instance_clean(inst);
	return instance_delete_locked(inst, who, error);
}

gboolean instance_delete(struct instance *inst, const struct requestor *who, GError **error)
{
	GError *why = NULL;
	gboolean done, ok;

	if (!instance_lock(inst->daemon, inst->project, inst->name, "delete", &done, error)) {
		g_prefix_error(error, "Failed to create instance delete operation: ");
		return FALSE;
	}
	if (done)
		return TRUE;
	ok = delete_checked(inst, who, &why);
	instance_unlock(inst->daemon, inst->project, inst->name, why);
	if (why)
		g_propagate_error(error, why);
	return ok;
}
