/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copies of instances, and how they are brought up to date. */
#include "core/copy.h"

#include <string.h>

#include "core/copy_private.h"
#include "core/instances_private.h"
#include "core/snapshot.h"
#include "db/instance.h"

/* --- snapshots that come along -----------------------------------------------------------------
 */

GPtrArray *copy_names(const GPtrArray *snapshots)
{
	GPtrArray *names = g_ptr_array_new();

	for (guint i = 0; i < snapshots->len; i++)
		g_ptr_array_add(names, ((struct instance *)snapshots->pdata[i])->snapshot);
	g_ptr_array_add(names, NULL);
	return names;
}

/* A snapshot's root disk is where its instance's is: DEVICES are the instance's own. */
json_t *copy_snapshot_devices(const struct instance *snap, const json_t *devices)
{
	json_t *copy = json_deep_copy(snap->devices);
	const char *name = NULL;
	const json_t *root = instance_root_disk(devices, &name, NULL);

	if (!root)
		return copy;
	if (!json_object_get(copy, name))
		json_object_set_new(copy, name, json_deep_copy(root));
	else
		json_object_set(json_object_get(copy, name), "pool", json_object_get(root, "pool"));
	return copy;
}

static gboolean insert_snapshot(struct db *db, gint64 id, const struct instance *snap,
				const json_t *devices, GError **error)
{
	g_autoptr(json_t) own = copy_snapshot_devices(snap, devices);
	g_autofree char *created = db_time_write(snap->created_at);
	g_autofree char *expires = g_str_has_prefix(snap->expires_at, "0001-")
					   ? NULL
					   : db_time_write(snap->expires_at);
	struct db_instance row = {
		.name = snap->snapshot,
		.description = snap->description,
		.created = created,
		.expires = expires,
		.config = snap->config,
		.devices = own,
	};

	return db_snapshot_insert(db, id, &row, error) >= 0;
}

/* --- new ones ----------------------------------------------------------------------------------
 */

struct copying {
	struct instance *source;
	GPtrArray *snapshots;
	struct instance_new *new;
};

static gboolean insert_snapshots(struct db *db, void *data, GError **error)
{
	const struct copying *copying = data;

	for (guint i = 0; i < copying->snapshots->len; i++)
		if (!insert_snapshot(db, copying->new->row, copying->snapshots->pdata[i],
				     copying->new->devices, error))
			return FALSE;
	return TRUE;
}

static gboolean content_copy(const struct instance *inst, const struct volume_ref *ref,
			     const struct volume_new *what, void *data, GError **error)
{
	const struct copying *copying = data;
	struct volume_ref from = instance_volume(copying->source);
	g_autoptr(GPtrArray) names = copy_names(copying->snapshots);
	gboolean frozen = snapshot_freeze(copying->source);
	gboolean ok = volume_copy(inst->daemon, &from, ref, (const char *const *)names->pdata, what,
				  error);

	snapshot_thaw(copying->source, frozen);
	return ok;
}

/* The files have the owners of the source's, whatever was asked for. */
static json_t *config_of(const struct instance *source, const json_t *asked)
{
	g_autoptr(json_t) own = instance_config_for_copy(asked, FALSE);
	json_t *config = instance_config_for_copy(source->config, TRUE);

	json_object_update(config, own);
	json_map_set(config, "volatile.last_state.idmap",
		     json_text(source->config, "volatile.last_state.idmap"));
	return config;
}

static json_t *devices_of(const struct instance *source, const json_t *asked)
{
	json_t *devices = json_map_copy(asked);

	json_object_update_missing(devices, source->devices);
	return devices;
}

static GPtrArray *snapshots_of(const struct instance *source, gboolean wanted, GError **error)
{
	if (wanted && !source->snapshot)
		return instance_load_snapshots(source->daemon, source->project, source->name,
					       error);
	return g_ptr_array_new();
}

struct instance *copy_create(struct instance *source, struct instance_new *new, gboolean snapshots,
			     GError **error)
{
	g_autoptr(GPtrArray) along = snapshots_of(source, snapshots, error);
	g_autoptr(json_t) config = config_of(source, new->config);
	g_autoptr(json_t) devices = devices_of(source, new->devices);
	struct instance_new changed = *new;
	struct copying copying = { source, along, &changed };

	if (!along)
		return NULL;
	if (!source->pool) {
		fail(error, 400, "Failed getting root disk: No root device could be found");
		return NULL;
	}
	changed.config = config;
	changed.devices = devices;
	changed.profiles = new->profiles ? new->profiles : source->profiles;
	changed.template = "copy";
	changed.also = insert_snapshots;
	changed.also_data = &copying;
	return instance_create(source->daemon, &changed, content_copy, &copying, error);
}

/* --- up to date again
 * ----------------------------------------------------------------------------- */

struct refreshing {
	struct instance *source, *target;
	GPtrArray *drop, *add; /* pictures */
};

static gboolean refresh_rows(struct db *db, void *data, GError **error)
{
	const struct refreshing *r = data;

	for (guint i = 0; i < r->drop->len; i++)
		if (!db_snapshot_delete(db, ((struct instance *)r->drop->pdata[i])->id, error))
			return FALSE;
	for (guint i = 0; i < r->add->len; i++)
		if (!insert_snapshot(db, r->target->id, r->add->pdata[i], r->target->devices,
				     error))
			return FALSE;
	return db_instance_set(db, r->target->id, "volatile.last_state.idmap",
			       json_text(r->source->config, "volatile.last_state.idmap"), error);
}

/* Of A those that are not in B: by name and by the moment at which they were made. */
static GPtrArray *without(const GPtrArray *a, const GPtrArray *b)
{
	GPtrArray *list = g_ptr_array_new();

	for (guint i = 0; i < a->len; i++) {
		const struct instance *left = a->pdata[i];
		gboolean found = FALSE;

		for (guint j = 0; j < b->len && !found; j++) {
			const struct instance *right = b->pdata[j];

			found = strcmp(left->snapshot, right->snapshot) == 0 &&
				strcmp(left->created_at, right->created_at) == 0;
		}
		if (!found)
			g_ptr_array_add(list, a->pdata[i]);
	}
	return list;
}

static gboolean refresh_volume(const struct refreshing *r, GCancellable *cancel, GError **error)
{
	g_autoptr(GPtrArray) drop = copy_names(r->drop);
	g_autoptr(GPtrArray) add = copy_names(r->add);
	struct storage_watch watch = { .cancel = cancel };
	struct volume_new what = { .watch = &watch, .commit = { refresh_rows, (void *)r } };
	struct volume_ref from = instance_volume(r->source), to = instance_volume(r->target);
	gboolean frozen = snapshot_freeze(r->source);
	gboolean ok = volume_refresh(r->source->daemon, &from, &to,
				     (const char *const *)drop->pdata,
				     (const char *const *)add->pdata, &what, error);

	snapshot_thaw(r->source, frozen);
	return ok;
}

static gboolean refresh_locked(struct instance *source, struct instance *target, gboolean snapshots,
			       GCancellable *cancel, GError **error)
{
	g_autoptr(GPtrArray) theirs = NULL, ours = NULL, drop = NULL, add = NULL;
	struct refreshing refreshing;
	gboolean ok;

	if (!instance_reload(target, error))
		return FALSE;
	if (instance_is_running(target))
		return fail(error, 400,
			    "Failed getting exclusive access to instance: Instance is running");
	theirs = snapshots_of(source, snapshots, error);
	ours = theirs ? snapshots_of(target, snapshots, error) : NULL;
	if (!ours)
		return FALSE;
	drop = without(ours, theirs);
	add = without(theirs, ours);
	refreshing = (struct refreshing){ source, target, drop, add };
	ok = refresh_volume(&refreshing, cancel, error) && instance_reload(target, error);
	if (ok)
		instance_write_backup(target, NULL);
	return ok;
}

gboolean copy_refresh(struct instance *source, struct instance *target, gboolean snapshots,
		      GCancellable *cancel, GError **error)
{
	GError *why = NULL;
	gboolean ok;

	if (strcmp(source->project, target->project) == 0 &&
	    strcmp(source->name, target->name) == 0)
		return fail(error, 400, "Source and target are the same");
	if (!instance_lock(target->daemon, target->project, target->name, "refresh", NULL, error))
		return FALSE;
	ok = refresh_locked(source, target, snapshots, cancel, &why);
	instance_unlock(target->daemon, target->project, target->name, why);
	if (why)
		g_propagate_error(error, why);
	return ok;
}
