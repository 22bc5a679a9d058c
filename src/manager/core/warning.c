/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Warnings in the words of the API. */
#include "core/warning.h"

#include <string.h>

#include "db/warning.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/json.h"

#define RESOLVED_KEPT (24 * 60 * 60) /* seconds */

static const struct {
	const char *name, *severity;
} types[] = {
	[WARNING_UNDEFINED] = { "Undefined warning", "low" },
	[WARNING_CGROUP_BLKIO] = { "Couldn't find the CGroup blkio", "low" },
	[WARNING_CGROUP_BLKIO_WEIGHT] = { "Couldn't find the CGroup blkio.weight", "low" },
	[WARNING_CGROUP_CPU] = { "Couldn't find the CGroup CPU controller", "low" },
	[WARNING_CGROUP_CPUS] = { "Couldn't find the CGroup CPUset controller", "low" },
	[WARNING_CGROUP_CPUACCT] = { "Couldn't find the CGroup CPUacct controller", "low" },
	[WARNING_CGROUP_CPUSET] = { "Couldn't find the CGroup CPUset controller", "low" },
	[WARNING_CGROUP_DEVICES] = { "Couldn't find the CGroup devices controller", "low" },
	[WARNING_CGROUP_FREEZER] = { "Couldn't find the CGroup freezer controller", "low" },
	[WARNING_CGROUP_HUGETLB] = { "Couldn't find the CGroup hugetlb controller", "low" },
	[WARNING_CGROUP_MEMORY] = { "Couldn't find the CGroup memory controller", "low" },
	[WARNING_CGROUP_NETWORK] = { "Couldn't find the CGroup network priority controller",
				     "low" },
	[WARNING_CGROUP_PIDS] = { "Couldn't find the CGroup pids controller", "low" },
	[WARNING_CGROUP_SWAP] = { "Couldn't find the CGroup memory swap accounting", "low" },
	[WARNING_CLUSTER_TIME] = { "Time skew detected between leader and local", "low" },
	[WARNING_AUTOSTART] = { "Failed to start instance on boot", "low" },
	[WARNING_APPARMOR] = { "AppArmor support has been disabled", "low" },
	[WARNING_BRIDGE_NETFILTER] = { "Missing brige netfilter", "low" },
	[WARNING_PROXY_NETFILTER] = { "Proxy bridge netfilter not enabled", "low" },
	[WARNING_NETWORK_STARTUP] = { "Network unavailable", "high" },
	[WARNING_OFFLINE_MEMBER] = { "Offline cluster member", "low" },
	[WARNING_INSTANCE_AUTOSTART] = { "Failed to autostart instance", "low" },
	[WARNING_INSTANCE_TYPE] = { "Instance type not operational", "low" },
	[WARNING_STORAGE_UNAVAILABLE] = { "Storage pool unavailable", "high" },
	[WARNING_LARGER_IP_RANGE] = { "Unable to update cluster certificate", "low" },
};

static struct db_warning to_row(const struct warning *warning)
{
	return (struct db_warning){
		.project = warning->project,
		.entity_type = warning->entity,
		.entity_id = warning->entity == WARNING_OF_NOTHING ? -1 : warning->entity_id,
		.type = warning->type,
	};
}

gboolean warning_raise(struct db *db, const struct warning *warning, const char *message,
		       GError **error)
{
	struct db_warning row = to_row(warning);
	char now[CLOCK_TEXT];

	return db_warning_raise(db, &row, message, clock_text(clock_now(), now), error);
}

gboolean warning_resolve(struct db *db, const struct warning *warning, GError **error)
{
	struct db_warning row = to_row(warning);
	char now[CLOCK_TEXT];

	return db_warning_resolve(db, &row, clock_text(clock_now(), now), error);
}

gboolean warning_forget(struct db *db, enum warning_entity entity, gint64 entity_id, GError **error)
{
	return db_warning_forget(db, entity, entity_id, error);
}

gboolean warning_prune(struct db *db, GError **error)
{
	struct timespec before = clock_now();
	char text[CLOCK_TEXT];

	before.tv_sec -= RESOLVED_KEPT;
	return db_warning_prune(db, clock_text(before, text), error);
}

/* --- as the API shows them -------------------------------------------------------------------- */

/* The URL of what a row is about, "" when that is nothing or gone. */
static char *entity_url(struct db *db, const json_t *row)
{
	static const struct {
		enum warning_entity entity;
		const char *path, *sql;
	} tables[] = {
		{ WARNING_OF_CONTAINER, "instances", "SELECT name FROM instances WHERE id = ?1" },
		{ WARNING_OF_INSTANCE, "instances", "SELECT name FROM instances WHERE id = ?1" },
		{ WARNING_OF_PROFILE, "profiles", "SELECT name FROM profiles WHERE id = ?1" },
		{ WARNING_OF_PROJECT, "projects", "SELECT name FROM projects WHERE id = ?1" },
		{ WARNING_OF_NETWORK, "networks", "SELECT name FROM networks WHERE id = ?1" },
		{ WARNING_OF_POOL, "storage-pools",
		  "SELECT name FROM storage_pools WHERE id = ?1" },
		{ WARNING_OF_IMAGE, "images",
		  "SELECT fingerprint AS name FROM images WHERE id = ?1" },
	};
	gint64 entity = json_integer_value(json_object_get(row, "entity_type_code"));
	gint64 id = json_integer_value(json_object_get(row, "entity_id"));
	const char *project = json_text(row, "project");

	for (gsize i = 0; i < G_N_ELEMENTS(tables); i++) {
		g_autoptr(json_t) found = NULL;

		if ((gint64)tables[i].entity != entity)
			continue;
		found = db_row(db, NULL, tables[i].sql, "i", id);
		if (!found)
			break;
		if (!*project || !strcmp(project, "default"))
			return g_strdup_printf("/1.0/%s/%s", tables[i].path,
					       json_text(found, "name"));
		return g_strdup_printf("/1.0/%s/%s?project=%s", tables[i].path,
				       json_text(found, "name"), project);
	}
	return g_strdup("");
}

static json_t *show(struct db *db, const json_t *row)
{
	static const char *const statuses[] = { "", "new", "acknowledged", "resolved" };
	gint64 status = json_integer_value(json_object_get(row, "status"));
	gint64 type = json_integer_value(json_object_get(row, "type_code"));
	g_autofree char *url = entity_url(db, row);

	if (type < 0 || type >= (gint64)G_N_ELEMENTS(types))
		type = WARNING_UNDEFINED;
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:O, s:s, s:s, s:s, s:s, s:s}", "status",
			 statuses[CLAMP(status, 0, 3)], "uuid", json_text(row, "uuid"), "location",
			 "none", "project", json_text(row, "project"), "type", types[type].name,
			 "count", json_object_get(row, "count"), "first_seen_at",
			 json_text(row, "first_seen_date"), "last_seen_at",
			 json_text(row, "last_seen_date"), "last_message",
			 json_text(row, "last_message"), "severity", types[type].severity,
			 "entity_url", url);
}

json_t *warning_list(struct db *db, const char *project, GError **error)
{
	g_autoptr(json_t) rows = db_warnings(db, NULL, project, error);
	json_t *list, *row;
	size_t i;

	if (!rows)
		return NULL;
	list = json_array();
	json_array_foreach(rows, i, row) json_array_append_new(list, show(db, row));
	return list;
}

json_t *warning_show(struct db *db, const char *uuid, GError **error)
{
	g_autoptr(json_t) rows = db_warnings(db, uuid, NULL, error);

	if (!rows)
		return NULL;
	if (json_array_size(rows) == 0) {
		fail(error, 404, "Warning not found");
		return NULL;
	}
	return show(db, json_array_get(rows, 0));
}

static void announce(struct daemon *daemon, const char *action, const char *uuid,
		     const struct requestor *who)
{
	g_autofree char *source = g_strdup_printf("/1.0/warnings/%s", uuid);

	if (daemon->events)
		event_lifecycle(daemon->events, "default", action, source, NULL, who);
}

gboolean warning_set_status(struct daemon *daemon, const char *uuid, const char *status,
			    const struct requestor *who, GError **error)
{
	gboolean acknowledged = !strcmp(status, "acknowledged");
	char now[CLOCK_TEXT];
	gint64 changes;

	if (!acknowledged && strcmp(status, "new"))
		return fail(error, 400, "Status may only be set to \"acknowledge\" or \"new\"");
	if (!db_warning_set_status(daemon->db, uuid,
				   acknowledged ? DB_WARNING_ACKNOWLEDGED : DB_WARNING_NEW,
				   clock_text(clock_now(), now), &changes, error))
		return FALSE;
	if (changes == 0)
		return fail(error, 404, "Warning not found");
	announce(daemon, acknowledged ? "warning-acknowledged" : "warning-reset", uuid, who);
	return TRUE;
}

gboolean warning_delete(struct daemon *daemon, const char *uuid, const struct requestor *who,
			GError **error)
{
	gint64 changes;

	if (!db_warning_delete(daemon->db, uuid, &changes, error))
		return FALSE;
	if (changes == 0)
		return fail(error, 404, "Warning not found");
	announce(daemon, "warning-deleted", uuid, who);
	return TRUE;
}
