/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Snapshots: made, renamed, dated, deleted. */
#include "core/snapshot.h"

#include <string.h>
#include <unistd.h>

#include "core/instances_private.h"
#include "core/project.h"
#include "core/snapshot_name.h"
#include "db/instance.h"
#include "db/volume.h"
#include "util/clock.h"
#include "util/cron.h"
#include "util/expiry.h"
#include "util/names.h"

/* --- names ------------------------------------------------------------------------------- */

gboolean snapshot_check_name(const char *name, GError **error)
{
	if (strchr(name, '/'))
		return fail(error, 400, "Invalid snapshot name: Cannot contain \"/\"");
	if (strpbrk(name, " \t\n"))
		return fail(error, 400,
			    "Invalid instance snapshot name: Cannot contain space or / characters");
	return name_check_snapshot(name, error);
}

static json_t *names_of(const struct instance *inst, GError **error)
{
	g_autoptr(json_t) rows = db_snapshot_rows(inst->daemon->db, inst->id, error);
	json_t *names, *row;
	size_t i;

	if (!rows)
		return NULL;
	names = json_array();
	json_array_foreach(rows, i, row) json_array_append(names, json_object_get(row, "name"));
	return names;
}

char *snapshot_next_name(const struct instance *inst, GError **error)
{
	const char *pattern = json_text_or(inst->expanded_config, "snapshots.pattern", "snap%d");
	g_autoptr(GDateTime) now = g_date_time_new_now_local();
	g_autoptr(json_t) taken = names_of(inst, error);
	g_autofree char *text = taken ? snapshot_pattern(pattern, now, error) : NULL;

	return text ? snapshot_number(text, taken, error) : NULL;
}

/* --- who runs is held still --------------------------------------------------------------- */

static char *mark_of(const struct instance *inst)
{
	return g_build_filename(inst->log_dir, ".frozen", NULL);
}

gboolean snapshot_freeze(const struct instance *inst)
{
	struct instance_place place = instance_place(inst);
	g_autofree char *mark = mark_of(inst);

	if (inst->snapshot || inst->driver->state(&place, NULL) != INSTANCE_RUNNING)
		return FALSE;
	g_mkdir_with_parents(inst->log_dir, 0700);
	if (!g_file_set_contents(mark, "", 0, NULL))
		return FALSE;
	if (inst->driver->freeze(&place, NULL))
		return TRUE;
	inst->driver->unfreeze(&place, NULL);
	unlink(mark);
	return FALSE;
}

void snapshot_thaw(const struct instance *inst, gboolean frozen)
{
	struct instance_place place = instance_place(inst);
	g_autofree char *mark = mark_of(inst);

	if (!frozen)
		return;
	inst->driver->unfreeze(&place, NULL);
	unlink(mark);
}

void snapshot_startup(struct daemon *daemon)
{
	g_autoptr(GPtrArray) all = instance_load_all(daemon, NULL, NULL);

	for (guint i = 0; all && i < all->len; i++) {
		struct instance *inst = all->pdata[i];
		g_autofree char *mark = mark_of(inst);

		snapshot_restore_again(inst);
		if (access(mark, F_OK) < 0)
			continue;
		snapshot_thaw(inst, instance_is_running(inst));
		unlink(mark);
	}
}

/* --- making ------------------------------------------------------------------------------- */

struct making {
	const struct instance *inst;
	const char *name, *created, *expires; /* as the tables have them */
};

static gboolean insert_rows(struct db *db, void *data, GError **error)
{
	const struct making *making = data;
	const struct instance *inst = making->inst;
	struct db_instance row = {
		.name = making->name,
		.description = inst->description,
		.created = making->created,
		.expires = making->expires,
		.config = inst->config,
		.devices = inst->devices,
	};

	return db_snapshot_insert(db, inst->id, &row, error) >= 0;
}

static gboolean is_taken(const struct instance *inst, const char *name, GError **error)
{
	g_autoptr(json_t)
		row = db_snapshot_row(inst->daemon->db, inst->project, inst->name, name, NULL);

	if (row)
		fail(error, 409,
		     "Add snapshot info to the database: This \"instances_snapshots\" entry"
		     " already exists");
	return row != NULL;
}

/* *ret is RFC 3339, or NULL for never; g_free. */
static gboolean expiry_of(const struct instance *inst, const char *asked, char **ret,
			  GError **error)
{
	const char *span = json_text(inst->expanded_config, "snapshots.expiry");
	struct timespec now = clock_now();
	char text[CLOCK_TEXT];
	time_t when = 0;

	*ret = NULL;
	if (asked && g_str_has_prefix(asked, "0001-01-01T00:00:00"))
		return TRUE;
	if (asked) {
		*ret = g_strdup(asked);
		return TRUE;
	}
	if (!expiry_after(span, now.tv_sec, &when, error))
		return FALSE;
	if (when)
		*ret = g_strdup(clock_text((struct timespec){ when, now.tv_nsec }, text));
	return TRUE;
}

static gboolean take(struct instance *inst, const char *name, const char *expires, GError **error)
{
	char now[CLOCK_TEXT];
	g_autofree char *created = db_time_write(clock_text(clock_now(), now));
	g_autofree char *expiry = expires ? db_time_write(expires) : NULL;
	struct making making = { inst, name, created, expiry };
	struct volume_new what = { .commit = { insert_rows, &making } };
	struct volume_ref ref = instance_volume(inst);
	gboolean frozen, ok;

	ref.snapshot = name;
	frozen = snapshot_freeze(inst);
	ok = volume_snapshot(inst->daemon, &ref, expiry, &what, error);
	snapshot_thaw(inst, frozen);
	return ok;
}

static void tell(const struct instance *inst, const char *name, const char *action,
		 const json_t *context, const struct requestor *who)
{
	g_autoptr(instance_t)
		snap = instance_load_snapshot(inst->daemon, inst->project, inst->name, name, NULL);

	if (snap)
		instance_event(snap, action, context, who);
}

/* Nobody else makes one of this name meanwhile. */
static gboolean create_held(struct instance *inst, const char *name, const char *expires,
			    const struct requestor *who, GError **error)
{
	if (!inst->pool)
		return fail(error, 400, "Failed getting root disk: No root device could be found");
	if (is_taken(inst, name, error) || !take(inst, name, expires, error))
		return FALSE;
	instance_write_backup(inst, NULL);
	tell(inst, name, "instance-snapshot-created", NULL, who);
	return TRUE;
}

gboolean snapshot_create(struct instance *inst, const char *name, const char *expires,
			 const struct requestor *who, GError **error)
{
	g_autofree char *expiry = NULL, *whole = g_strdup_printf("%s/%s", inst->name, name);
	GError *why = NULL;
	gboolean ok = FALSE;

	if (snapshot_check_name(name, &why) &&
	    project_check_snapshots(inst->daemon->db, inst->project, &why) &&
	    expiry_of(inst, expires, &expiry, &why) &&
	    instance_lock(inst->daemon, inst->project, whole, "create", NULL, &why)) {
		ok = create_held(inst, name, expiry, who, &why);
		instance_unlock(inst->daemon, inst->project, whole, why);
	}
	if (why) {
		g_prefix_error(&why, "Failed creating instance snapshot record \"%s\": ", name);
		g_propagate_error(error, why);
	}
	return ok;
}

gboolean snapshot_at_start(struct instance *inst, GError **error)
{
	g_autofree char *name = NULL;

	if (!cron_has_startup(json_text(inst->expanded_config, "snapshots.schedule")))
		return TRUE;
	name = snapshot_next_name(inst, error);
	return name && snapshot_create(inst, name, NULL, NULL, error);
}

/* --- another name, another end -------------------------------------------------------------- */

struct renaming {
	const struct instance *snap;
	const char *name;
};

static gboolean rename_rows(struct db *db, void *data, GError **error)
{
	const struct renaming *renaming = data;

	return db_snapshot_rename(db, renaming->snap->id, renaming->name, error);
}

static void write_parents_backup(const struct instance *snap)
{
	g_autoptr(instance_t) inst = instance_load(snap->daemon, snap->project, snap->name, NULL);

	if (inst)
		instance_write_backup(inst, NULL);
}

gboolean snapshot_rename(struct instance *snap, const char *name, const struct requestor *who,
			 GError **error)
{
	g_autoptr(json_t) context = json_pack("{s:s}", "old_name", snap->snapshot);
	struct renaming renaming = { snap, name };
	struct volume_commit commit = { rename_rows, &renaming };
	struct volume_ref ref = instance_volume(snap);

	if (!snapshot_check_name(name, error) ||
	    !volume_rename(snap->daemon, &ref, name, &commit, error))
		return FALSE;
	write_parents_backup(snap);
	tell(snap, name, "instance-snapshot-renamed", context, who);
	return TRUE;
}

static gboolean delete_rows(struct db *db, void *data, GError **error)
{
	const struct instance *snap = data;

	return db_snapshot_delete(db, snap->id, error);
}

gboolean snapshot_delete(struct instance *snap, const struct requestor *who, GError **error)
{
	struct volume_commit commit = { delete_rows, snap };
	struct volume_ref ref = instance_volume(snap);

	if (!volume_delete(snap->daemon, &ref, &commit, error))
		return FALSE;
	write_parents_backup(snap);
	instance_event(snap, "instance-snapshot-deleted", NULL, who);
	return TRUE;
}

gboolean snapshot_set_expiry(struct instance *snap, const char *expires,
			     const struct requestor *who, GError **error)
{
	g_free(snap->expires_at);
	snap->expires_at = g_strdup(expires);
	if (!instance_save(snap, error))
		return FALSE;
	write_parents_backup(snap);
	instance_event(snap, "instance-snapshot-updated", NULL, who);
	return TRUE;
}
