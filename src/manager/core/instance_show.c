/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Instances as the API shows them. */
#include <string.h>

#include "core/instances_private.h"
#include "core/profile.h"
#include "db/instance.h"
#include "util/clock.h"

static const struct {
	enum instance_state state;
	const char *name;
} states[] = {
	{ INSTANCE_STOPPED, "Stopped" },   { INSTANCE_RUNNING, "Running" },
	{ INSTANCE_STARTING, "Starting" }, { INSTANCE_STOPPING, "Stopping" },
	{ INSTANCE_ABORTING, "Aborting" }, { INSTANCE_FREEZING, "Freezing" },
	{ INSTANCE_FROZEN, "Frozen" },	   { INSTANCE_THAWED, "Thawed" },
	{ INSTANCE_ERROR, "Error" },
};

const char *instance_state_name(enum instance_state state)
{
	for (gsize i = 0; i < G_N_ELEMENTS(states); i++)
		if (states[i].state == state)
			return states[i].name;
	return "Unknown";
}

static json_t *show(const struct instance *inst, enum instance_state state)
{
	json_t *all = json_pack("{s:s, s:s, s:s, s:s, s:b, s:b, s:s, s:s, s:s, s:s, s:s, s:i}",
				"name", inst->name, "project", inst->project, "description",
				inst->description, "architecture", inst->architecture, "ephemeral",
				inst->ephemeral, "stateful", inst->stateful, "created_at",
				inst->created_at, "last_used_at", inst->last_used_at, "location",
				"none", "type", "container", "status", instance_state_name(state),
				"status_code", (int)state);

	json_object_set(all, "config", inst->config);
	json_object_set(all, "devices", inst->devices);
	json_object_set(all, "profiles", inst->profiles);
	json_object_set(all, "expanded_config", inst->expanded_config);
	json_object_set(all, "expanded_devices", inst->expanded_devices);
	return all;
}

static json_t *show_snapshot(const struct instance *inst)
{
	json_t *all = json_pack("{s:s, s:s, s:b, s:b, s:s, s:s, s:s, s:i}", "name", inst->snapshot,
				"architecture", inst->architecture, "ephemeral", inst->ephemeral,
				"stateful", inst->stateful, "created_at", inst->created_at,
				"last_used_at", inst->last_used_at, "expires_at", inst->expires_at,
				"size", -1);

	json_object_set(all, "config", inst->config);
	json_object_set(all, "devices", inst->devices);
	json_object_set(all, "profiles", inst->profiles);
	json_object_set(all, "expanded_config", inst->expanded_config);
	json_object_set(all, "expanded_devices", inst->expanded_devices);
	return all;
}

json_t *instance_show(const struct instance *inst)
{
	return inst->snapshot ? show_snapshot(inst) : show(inst, instance_state(inst));
}

/* --- state -------------------------------------------------------------------------------- */

static json_t *number(gint64 value)
{
	return json_integer(MAX(value, 0));
}

static json_t *show_disk(const struct instance *inst)
{
	const char *name = NULL;
	json_t *disk = json_object();
	guint64 used;

	if (!instance_root_disk(inst->expanded_devices, &name, NULL))
		return disk;
	struct volume_ref ref = instance_volume(inst);

	if (volume_usage(inst->daemon, &ref, &used, NULL))
		json_object_set_new(disk, name, json_pack("{s:I}", "usage", (json_int_t)used));
	return disk;
}

static json_t *show_usage(const struct instance *inst, const struct instance_usage *usage,
			  enum instance_state state, pid_t init)
{
	json_t *memory = json_pack("{s:o, s:o, s:o, s:o}", "usage", number(usage->memory),
				   "usage_peak", number(usage->memory_peak), "swap_usage",
				   number(usage->swap), "swap_usage_peak",
				   number(usage->swap_peak));

	return json_pack("{s:s, s:i, s:o, s:o, s:o, s:i, s:o, s:n}", "status",
			 instance_state_name(state), "status_code", (int)state, "cpu",
			 json_pack("{s:o}", "usage", number(usage->cpu_ns)), "memory", memory,
			 "disk", show_disk(inst), "pid", (int)init, "processes",
			 number(usage->processes), "network");
}

/* Every virtual interface with the name that its other end has on the host. */
static void add_host_names(const struct instance *inst, json_t *network)
{
	const char *device;
	json_t *config;

	json_object_foreach(inst->expanded_devices, device, config)
	{
		g_autofree char *key = g_strdup_printf("volatile.%s.host_name", device);
		g_autofree char *name_key = g_strdup_printf("volatile.%s.name", device);
		const char *name = json_text_or(config, "name", json_text(inst->config, name_key));
		json_t *nic = json_object_get(network, name);

		if (nic && *json_text(inst->config, key))
			json_object_set(nic, "host_name", json_object_get(inst->config, key));
	}
}

static json_t *show_state(const struct instance *inst, enum instance_state state, pid_t init)
{
	struct instance_place place = instance_place(inst);
	struct instance_usage usage = { 0 };
	json_t *all, *network = NULL;

	if (init > 0) {
		inst->driver->usage(&place, &usage, NULL);
		network = inst->driver->network(&place, NULL);
	}
	all = show_usage(inst, &usage, state, init);
	if (network) {
		add_host_names(inst, network);
		json_object_set_new(all, "network", network);
	}
	return all;
}

json_t *instance_show_state(const struct instance *inst, GError **error)
{
	struct instance_place place = instance_place(inst);
	pid_t init = 0;
	enum instance_state state = inst->driver->state(&place, &init);

	(void)error;
	return show_state(inst, state, init);
}

/* --- everything ----------------------------------------------------------------------------- */

static json_t *show_snapshots(const struct instance *inst, GError **error)
{
	g_autoptr(GPtrArray)
		snapshots = instance_load_snapshots(inst->daemon, inst->project, inst->name, error);
	json_t *list;

	if (!snapshots)
		return NULL;
	if (snapshots->len == 0)
		return json_null();
	list = json_array();
	for (guint i = 0; i < snapshots->len; i++)
		json_array_append_new(list, show_snapshot(snapshots->pdata[i]));
	return list;
}

static json_t *show_backups(const struct instance *inst, GError **error)
{
	g_autoptr(json_t) rows = db_instance_backups(inst->daemon->db, inst->id, error);
	json_t *list, *row;
	size_t i;

	if (!rows)
		return NULL;
	if (json_array_size(rows) == 0)
		return json_null();
	list = json_array();
	json_array_foreach(rows, i, row)
	{
		const char *name = json_text(row, "name");
		g_autofree char *created = db_time_read(json_text(row, "creation_date"));
		g_autofree char *expires = db_time_read(json_text(row, "expiry_date"));
		gboolean only = json_integer_value(json_object_get(row, "container_only")) != 0;

		json_array_append_new(
			list, json_pack("{s:s, s:s, s:s, s:b, s:b, s:b}", "name",
					strchr(name, '/') ? strchr(name, '/') + 1 : name,
					"created_at", created, "expires_at",
					*expires ? expires : CLOCK_ZERO, "container_only", only,
					"instance_only", only, "optimized_storage",
					json_integer_value(
						json_object_get(row, "optimized_storage")) != 0));
	}
	return list;
}

json_t *instance_show_full(const struct instance *inst, GError **error)
{
	struct instance_place place = instance_place(inst);
	pid_t init = 0;
	enum instance_state state = inst->driver->state(&place, &init);
	json_t *snapshots = show_snapshots(inst, error);
	json_t *backups = snapshots ? show_backups(inst, error) : NULL;
	json_t *all;

	if (!backups) {
		json_decref(snapshots);
		return NULL;
	}
	all = show(inst, state);
	json_object_set_new(all, "state", show_state(inst, state, init));
	json_object_set_new(all, "snapshots", snapshots);
	json_object_set_new(all, "backups", backups);
	return all;
}

/* --- etag ------------------------------------------------------------------------------------ */

/* Over what a client can write and what its profiles make of it. */
char *instance_etag(const struct instance *inst)
{
	g_autoptr(json_t)
		all = json_pack("{s:s, s:b, s:s, s:O, s:O, s:O, s:O}", "architecture",
				inst->architecture, "ephemeral", inst->ephemeral, "description",
				inst->description, "config", inst->config, "devices", inst->devices,
				"profiles", inst->profiles, "expanded", inst->expanded_devices);
	g_autofree char *text = json_print(all);

	return g_compute_checksum_for_string(G_CHECKSUM_SHA256, text, -1);
}
