/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a project allows its instances: how many, how much together, and which keys and devices.
 * An "instance" here is {"name", "config", "devices"}, expanded.
 */
#include <string.h>

#include "core/config_keys.h"
#include "core/profile.h"
#include "core/project.h"
#include "db/project.h"
#include "util/error.h"
#include "util/json.h"
#include "util/units.h"

/* --- its instances -------------------------------------------------------------------------------
 */

static json_t *profile_names(struct db *db, gint64 id, GError **error)
{
	g_autoptr(json_t) rows =
		db_select(db, error,
			  "SELECT p.name FROM instances_profiles ip"
			  " JOIN profiles p ON p.id = ip.profile_id WHERE ip.instance_id = ?1"
			  " ORDER BY ip.apply_order",
			  "i", id);
	json_t *names, *row;
	size_t i;

	if (!rows)
		return NULL;
	names = json_array();
	json_array_foreach(rows, i, row) json_array_append(names, json_object_get(row, "name"));
	return names;
}

static json_t *expand_row(struct db *db, const char *project, const json_t *row, GError **error)
{
	gint64 id = json_integer_value(json_object_get(row, "id"));
	g_autoptr(json_t) names = profile_names(db, id, error);
	g_autoptr(json_t) config =
		names ? db_config_get(db, "instances_config", "instance", id, error) : NULL;
	g_autoptr(json_t) devices = config ? db_devices_get(db, "instances", "instance", id, error)
					   : NULL;
	json_t *all, *all_devices;

	if (!devices ||
	    !profile_expand(db, project, names, config, devices, &all, &all_devices, error))
		return NULL;
	return json_pack("{s:s, s:o, s:o}", "name", json_text(row, "name"), "config", all,
			 "devices", all_devices);
}

/* All of PROJECT but EXCEPT (may be NULL). */
static json_t *instances_of(struct db *db, const char *project, const char *except, GError **error)
{
	g_autoptr(json_t) rows = db_select(
		db, error,
		"SELECT i.id, i.name FROM instances i JOIN projects p ON p.id = i.project_id"
		" WHERE p.name = ?1 AND (?2 IS NULL OR i.name <> ?2) ORDER BY i.name",
		"ss", project, except);
	g_autoptr(json_t) list = NULL;
	json_t *row;
	size_t i;

	if (!rows)
		return NULL;
	list = json_array();
	json_array_foreach(rows, i, row)
	{
		json_t *instance = expand_row(db, project, row, error);

		if (!instance)
			return NULL;
		json_array_append_new(list, instance);
	}
	return g_steal_pointer(&list);
}

/* --- limits -------------------------------------------------------------------------------------
 */

static gboolean read_count(const char *text, gint64 *ret)
{
	guint32 count;

	if (!units_uint32(text, &count))
		return FALSE;
	*ret = count;
	return TRUE;
}

static gboolean read_size(const char *text, gint64 *ret)
{
	return units_size(text, ret, NULL);
}

static const struct sum {
	const char *key, *resource;
	gboolean (*read)(const char *text, gint64 *ret);
	gboolean bytes;
} sums[] = {
	{ "limits.memory", "memory", read_size, TRUE },
	{ "limits.processes", "processes", read_count, FALSE },
	{ "limits.cpu", "cpu", read_count, FALSE },
	{ "limits.disk", "disk", read_size, TRUE },
};

static const char *root_size(const json_t *devices)
{
	const char *name;
	json_t *device;

	json_object_foreach((json_t *)devices, name,
			    device) if (!strcmp(json_text(device, "type"), "disk") &&
					!strcmp(json_text(device, "path"),
						"/")) return json_text(device, "size");
	return "";
}

/* What an instance adds to SUM. STRICT: it must say so itself. */
static gboolean amount(const struct sum *sum, const char *project, const json_t *instance,
		       gboolean strict, gint64 *ret, GError **error)
{
	gboolean disk = !strcmp(sum->resource, "disk");
	const char *text = disk ? root_size(json_object_get(instance, "devices"))
				: json_text(json_object_get(instance, "config"), sum->key);
	const char *name = json_text(instance, "name");

	*ret = 0;
	if (!*text && disk && strict)
		return fail(error, 500,
			    "Instance \"%s\" in project \"%s\" has no \"size\" config set on the"
			    " root device either directly or via a profile",
			    name, project);
	if (!*text && strict)
		return fail(
			error, 500,
			"Instance \"%s\" in project \"%s\" has no \"%s\" config, either directly"
			" or via a profile",
			name, project, sum->key);
	if (!*text || sum->read(text, ret))
		return TRUE;
	*ret = 0;
	return !strict || fail(error, 500,
			       "Failed parsing \"%s\" for instance \"%s\" in project"
			       " \"%s\"",
			       sum->key, name, project);
}

static gboolean total(const struct sum *sum, const char *project, const json_t *instances,
		      gboolean strict, gint64 *ret, GError **error)
{
	gint64 all = 0, one;
	json_t *instance;
	size_t i;

	json_array_foreach(instances, i, instance)
	{
		if (!amount(sum, project, instance, strict, &one, error))
			return FALSE;
		if (__builtin_add_overflow(all, one, &all))
			all = G_MAXINT64;
	}
	*ret = all;
	return TRUE;
}

/* The sums that are limited must be known of each before any is compared. */
static gboolean check_sums(const char *project, const json_t *config, const json_t *instances,
			   GError **error)
{
	gint64 totals[G_N_ELEMENTS(sums)] = { 0 }, limit;

	for (gsize i = G_N_ELEMENTS(sums); i-- > 0;) {
		if (*json_text(config, sums[i].key) &&
		    !total(&sums[i], project, instances, TRUE, &totals[i], error)) {
			g_prefix_error(error, "Failed getting usage of project entities: ");
			return FALSE;
		}
	}
	for (gsize i = 0; i < G_N_ELEMENTS(sums); i++) {
		const char *text = json_text(config, sums[i].key);

		if (*text && sums[i].read(text, &limit) && totals[i] > limit)
			return fail(error, 500,
				    "Reached maximum aggregate value \"%s\" for \"%s\" in project"
				    " \"%s\"",
				    text, sums[i].key, project);
	}
	return TRUE;
}

/* A new one more than there may be? Its type is container. */
static gboolean check_counts(struct db *db, const char *project, const json_t *config,
			     GError **error)
{
	gint64 id = project_id(db, project, error), containers, machines, limit;

	if (id < 0)
		return FALSE;
	containers = db_project_instances(db, id, 0, NULL, error);
	machines = containers >= 0 ? db_project_instances(db, id, 1, NULL, error) : -1;
	if (machines < 0)
		return FALSE;
	if (read_count(json_text(config, "limits.containers"), &limit) && containers >= limit)
		return fail(error, 500,
			    "Reached maximum number of instances of type \"container\" in project"
			    " \"%s\"",
			    project);
	if (read_count(json_text(config, "limits.instances"), &limit) &&
	    containers + machines >= limit)
		return fail(error, 500, "Reached maximum number of instances in project \"%s\"",
			    project);
	return TRUE;
}

/* --- restrictions
 * --------------------------------------------------------------------------------- */

static const char *restriction(const json_t *config, const char *key)
{
	return config_keys_value(config_keys_project, config, key);
}

static gboolean allows(const json_t *config, const char *key)
{
	return !strcmp(restriction(config, key), "allow");
}

static gboolean is_lowlevel(const char *key)
{
	static const char *const keys[] = {
		"boot.host_shutdown_timeout",
		"limits.memory.swap.priority",
		"linux.kernel_modules",
		"raw.apparmor",
		"raw.lxc",
		"raw.seccomp",
		"security.devlxd.images",
		"security.idmap.base",
		"security.idmap.size",
		NULL,
	};

	return g_strv_contains(keys, key) || g_str_has_prefix(key, "security.guestapi.images");
}

/* Those whose outcome cannot hurt the host, which "allow" lets pass and "full" is not needed for.
 */
static gboolean is_safe_interception(const char *key)
{
	static const char *const keys[] = {
		"security.syscalls.intercept.mknod",
		"security.syscalls.intercept.setxattr",
		"security.syscalls.intercept.mount.fuse",
		NULL,
	};

	return g_strv_contains(keys, key);
}

/* "allow" lets the safe ones pass, "full" all of them. */
static gboolean intercepts(const json_t *project, const char *key)
{
	const char *level = restriction(project, "restricted.containers.interception");

	return !strcmp(level, "full") || (!strcmp(level, "allow") && is_safe_interception(key));
}

/* Why KEY must not have VALUE, "" when it is low-level, NULL when it may. */
static const char *key_problem(const json_t *project, const char *key, const char *value)
{
	g_autoptr(json_t) map = json_pack("{s:s}", key, value);
	gboolean on = json_map_true(map, key);
	const char *privilege = restriction(project, "restricted.containers.privilege");

	if (!strcmp(key, "security.nesting"))
		return on && !allows(project, "restricted.containers.nesting")
			       ? "Container nesting is forbidden"
			       : NULL;
	if (!strcmp(key, "security.privileged"))
		return on && strcmp(privilege, "allow") ? "Privileged containers are forbidden"
							: NULL;
	if (!strcmp(key, "security.idmap.isolated"))
		return !on && !strcmp(privilege, "isolated")
			       ? "Non-isolated containers are forbidden"
			       : NULL;
	if (g_str_has_prefix(key, "security.syscalls.intercept.") &&
	    strcmp(key, "security.syscalls.intercept.mount.allowed"))
		return (on || g_str_has_suffix(key, ".fuse")) && !intercepts(project, key)
			       ? "Container syscall interception is forbidden"
			       : NULL;
	if (!strcmp(key, "security.syscalls.intercept.mount.allowed"))
		return !strcmp(restriction(project, "restricted.containers.interception"),
			       "full") ||
				       allows(project, "restricted.containers.lowlevel")
			       ? NULL
			       : "";
	return is_lowlevel(key) && !allows(project, "restricted.containers.lowlevel") ? "" : NULL;
}

/* "both 1000-1001 5": the host's ids must be among those of the project. */
static gboolean range_allowed(const char *allowed, const char *range)
{
	g_auto(GStrv) items = g_strsplit(allowed, ",", -1);
	guint64 from, to, low, high;
	char *end;

	from = g_ascii_strtoull(range, &end, 10);
	to = *end == '-' ? g_ascii_strtoull(end + 1, NULL, 10) : from;
	for (char **item = items; *item; item++) {
		low = g_ascii_strtoull(g_strstrip(*item), &end, 10);
		high = *end == '-' ? g_ascii_strtoull(end + 1, NULL, 10) : low;
		if (**item && from >= low && to <= high)
			return TRUE;
	}
	return FALSE;
}

static gboolean idmap_allowed(const json_t *project, const char *line)
{
	g_auto(GStrv) words = g_strsplit_set(line, " \t", -1);
	gboolean both;

	if (g_strv_length(words) < 2)
		return !*g_strstrip(words[0] ? words[0] : "");
	both = !strcmp(words[0], "both");
	if ((both || !strcmp(words[0], "uid")) &&
	    !range_allowed(json_text(project, "restricted.idmap.uid"), words[1]))
		return FALSE;
	if ((both || !strcmp(words[0], "gid")) &&
	    !range_allowed(json_text(project, "restricted.idmap.gid"), words[1]))
		return FALSE;
	return TRUE;
}

static gboolean check_idmap(const char *name, const json_t *project, const char *instance,
			    const char *value, GError **error)
{
	g_auto(GStrv) lines = g_strsplit(value, "\n", -1);

	if (allows(project, "restricted.containers.lowlevel"))
		return TRUE;
	for (guint i = 0; lines[i]; i++)
		if (!idmap_allowed(project, lines[i]))
			return fail(
				error, 500,
				"Use of low-level \"raw.idmap\" element %u on container \"%s\" of"
				" project \"%s\" is forbidden",
				i, instance, name);
	return TRUE;
}

static gboolean check_keys(const char *name, const json_t *project, const char *instance,
			   const json_t *config, GError **error)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)config, key, value)
	{
		const char *text = json_string_value(value);
		const char *problem = key_problem(project, key, text);

		if (!strcmp(key, "raw.idmap") && !check_idmap(name, project, instance, text, error))
			return FALSE;
		if (!problem)
			continue;
		if (!*problem)
			return fail(error, 500,
				    "Use of low-level config \"%s\" on container \"%s\" of project"
				    " \"%s\" is forbidden",
				    key, instance, name);
		return fail(error, 500,
			    "Invalid value \"%s\" for config \"%s\" on container \"%s\" of project"
			    " \"%s\": %s",
			    text, key, instance, name, problem);
	}
	if (!strcmp(restriction(project, "restricted.containers.privilege"), "isolated") &&
	    !json_object_get(config, "security.idmap.isolated"))
		return fail(error, 500,
			    "Invalid value \"\" for config \"security.idmap.isolated\" on container"
			    " \"%s\" of project \"%s\": Non-isolated containers are forbidden",
			    instance, name);
	return TRUE;
}

static gboolean path_allowed(const char *paths, const char *source)
{
	g_auto(GStrv) items = g_strsplit(paths, ",", -1);
	g_autofree char *clean = g_canonicalize_filename(source, "/");

	for (char **item = items; *item; item++) {
		g_autofree char *base = g_canonicalize_filename(g_strstrip(*item), "/");
		gsize len = strlen(base);

		if (**item && !strncmp(clean, base, len) &&
		    (!clean[len] || clean[len] == '/' || len == 1))
			return TRUE;
	}
	return FALSE;
}

static const char *disk_problem(const json_t *project, const json_t *device)
{
	const char *level = restriction(project, "restricted.devices.disk");
	const char *paths = json_text(project, "restricted.devices.disk.paths");
	const char *source = json_text(device, "source");

	if (!strcmp(json_text(device, "path"), "/") && *json_text(device, "pool"))
		return NULL; /* the root disk is the instance itself */
	if (!strcmp(level, "allow"))
		return !*paths || *json_text(device, "pool") || path_allowed(paths, source)
			       ? NULL
			       : "Disk source path not allowed";
	if (!strcmp(level, "block"))
		return "Disk devices are forbidden";
	return *json_text(device, "pool") ? NULL
					  : "Attaching disks not backed by a pool is forbidden";
}

static const char *nic_problem(const json_t *project, const json_t *device)
{
	const char *level = restriction(project, "restricted.devices.nic");
	const char *access = json_text(project, "restricted.networks.access");
	const char *network = json_text(device, "network");
	g_auto(GStrv) networks = NULL;

	if (!strcmp(level, "block"))
		return "Network devices are forbidden";
	if (!strcmp(level, "managed") && !*network)
		return "Only managed network devices are allowed";
	if (!*access)
		return NULL;
	networks = g_strsplit(access, ",", -1);
	for (char **item = networks; *item; item++)
		g_strstrip(*item);
	if (!*network)
		network = json_text(device, "parent");
	return g_strv_contains((const char *const *)networks, network)
		       ? NULL
		       : "Network not allowed in project";
}

static const char *device_problem(const json_t *project, const json_t *device)
{
	static const struct {
		const char *type, *key, *problem;
	} types[] = {
		{ "unix-char", "restricted.devices.unix-char",
		  "Unix character devices are forbidden" },
		{ "unix-block", "restricted.devices.unix-block",
		  "Unix block devices are forbidden" },
		{ "unix-hotplug", "restricted.devices.unix-hotplug",
		  "Unix hotplug devices are forbidden" },
		{ "infiniband", "restricted.devices.infiniband",
		  "Infiniband devices are forbidden" },
		{ "gpu", "restricted.devices.gpu", "GPU devices are forbidden" },
		{ "usb", "restricted.devices.usb", "USB devices are forbidden" },
		{ "pci", "restricted.devices.pci", "PCI devices are forbidden" },
		{ "proxy", "restricted.devices.proxy", "Proxy devices are forbidden" },
	};
	const char *type = json_text(device, "type");

	if (!strcmp(type, "disk"))
		return disk_problem(project, device);
	if (!strcmp(type, "nic"))
		return nic_problem(project, device);
	for (gsize i = 0; i < G_N_ELEMENTS(types); i++)
		if (!strcmp(type, types[i].type))
			return allows(project, types[i].key) ? NULL : types[i].problem;
	return NULL;
}

static gboolean check_devices(const char *name, const json_t *project, const char *instance,
			      const json_t *devices, GError **error)
{
	const char *device_name;
	json_t *device;

	json_object_foreach((json_t *)devices, device_name, device)
	{
		const char *problem = device_problem(project, device);

		if (problem)
			return fail(
				error, 500,
				"Invalid device \"%s\" on container \"%s\" of project \"%s\": %s",
				device_name, instance, name, problem);
	}
	return TRUE;
}

static gboolean check_restrictions(const char *name, const json_t *project, const json_t *instances,
				   GError **error)
{
	json_t *instance;
	size_t i;

	if (!json_map_true(project, "restricted"))
		return TRUE;
	json_array_foreach(instances, i, instance)
	{
		const char *text = json_text(instance, "name");

		if (!check_keys(name, project, text, json_object_get(instance, "config"), error) ||
		    !check_devices(name, project, text, json_object_get(instance, "devices"),
				   error))
			return FALSE;
	}
	return TRUE;
}

/* --- what the core asks --------------------------------------------------------------------------
 */

/* Most projects, and "default" nearly always, limit nothing. */
static gboolean is_free(const json_t *project)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)project, key,
			    value) if (g_str_has_prefix(key, "limits.") ||
				       (!strcmp(key, "restricted") &&
					json_map_true(project, key))) return FALSE;
	return TRUE;
}

static gboolean check_one(struct db *db, const char *project, const json_t *config,
			  const char *name, const json_t *instance_config,
			  const json_t *instance_devices, GError **error)
{
	g_autoptr(json_t) others = instances_of(db, project, name, error);
	g_autoptr(json_t) one = NULL, alone = NULL;

	if (!others)
		return FALSE;
	one = json_pack("{s:s, s:O, s:O}", "name", name, "config", instance_config, "devices",
			instance_devices);
	alone = json_pack("[O]", one);
	json_array_append(others, one);
	return check_restrictions(project, config, alone, error) &&
	       check_sums(project, config, others, error);
}

gboolean project_check_instance(struct db *db, const char *project, const char *instance,
				const json_t *expanded_config, const json_t *expanded_devices,
				GError **error)
{
	g_autoptr(json_t) config = project_config(db, project, error);
	g_autoptr(json_t) row = NULL;

	if (!config)
		return FALSE;
	if (is_free(config))
		return TRUE;
	row = db_row(db, NULL,
		     "SELECT i.id FROM instances i JOIN projects p ON p.id = i.project_id"
		     " WHERE p.name = ?1 AND i.name = ?2",
		     "ss", project, instance);
	if (!row && !check_counts(db, project, config, error))
		return FALSE;
	if (check_one(db, project, config, instance, expanded_config, expanded_devices, error))
		return TRUE;
	g_prefix_error(error,
		       "Failed checking if instance %s allowed: ", row ? "update" : "creation");
	return FALSE;
}

/* What PROJECT's own instances would be if the profile became this. */
static gboolean check_with_profile(struct db *db, const char *project, const char *profile,
				   const json_t *config, const json_t *devices, GError **error);

struct trial {
	const char *project, *profile;
	const json_t *config, *devices;
	GError *problem;
};

/* Written, looked at and always taken back. */
static gboolean try_profile(struct db *db, void *data, GError **error)
{
	struct trial *trial = data;

	if (check_with_profile(db, trial->project, trial->profile, trial->config, trial->devices,
			       &trial->problem))
		g_clear_error(&trial->problem);
	return fail(error, 500, "taken back");
}

static gboolean check_all(struct db *db, const char *project, GError **error)
{
	g_autoptr(json_t) config = project_config(db, project, error);
	g_autoptr(json_t) instances = NULL;

	if (!config)
		return FALSE;
	if (is_free(config))
		return TRUE;
	instances = instances_of(db, project, NULL, error);
	return instances && check_restrictions(project, config, instances, error) &&
	       check_sums(project, config, instances, error);
}

static gboolean check_with_profile(struct db *db, const char *project, const char *profile,
				   const json_t *config, const json_t *devices, GError **error)
{
	gint64 id = profile_id(db, project, profile, error);
	g_autoptr(json_t) users = NULL;
	json_t *row;
	size_t i;

	if (id < 0 || !db_config_put(db, "profiles_config", "profile", id, config, error) ||
	    !db_devices_put(db, "profiles", "profile", id, devices, error))
		return FALSE;
	users = db_select(db, error,
			  "SELECT DISTINCT p.name FROM instances_profiles ip"
			  " JOIN instances i ON i.id = ip.instance_id"
			  " JOIN projects p ON p.id = i.project_id WHERE ip.profile_id = ?1"
			  " ORDER BY p.name",
			  "i", id);
	if (!users)
		return FALSE;
	json_array_foreach(users, i,
			   row) if (!check_all(db, json_text(row, "name"), error)) return FALSE;
	return TRUE;
}

gboolean project_check_profile(struct db *db, const char *project, const char *profile,
			       const json_t *config, const json_t *devices, GError **error)
{
	struct trial trial = { project, profile, config, devices, NULL };

	db_transaction(db, try_profile, &trial, NULL);
	if (!trial.problem)
		return TRUE;
	g_propagate_error(error, trial.problem);
	return FALSE;
}

static gboolean check_new_count(struct db *db, const char *project, const json_t *new,
				GError **error)
{
	gint64 id = project_id(db, project, error), containers, machines, limit;

	if (id < 0)
		return FALSE;
	containers = db_project_instances(db, id, 0, NULL, error);
	machines = containers >= 0 ? db_project_instances(db, id, 1, NULL, error) : -1;
	if (machines < 0)
		return FALSE;
	if (read_count(json_text(new, "limits.instances"), &limit) && containers + machines > limit)
		return fail(
			error, 500,
			"Can't change limits.instances in project \"%s\": \"limits.instances\" is"
			" too low: there currently are %" G_GINT64_FORMAT
			" total instances in project \"%s\"",
			project, containers + machines, project);
	if (read_count(json_text(new, "limits.containers"), &limit) && containers > limit)
		return fail(
			error, 500,
			"Can't change \"limits.containers\" in project \"%s\":"
			" \"limits.containers\" is too low: there currently are %" G_GINT64_FORMAT
			" instances of type container in project \"%s\"",
			project, containers, project);
	return TRUE;
}

/* 1000000000 bytes are "953.7MiB" in this message. */
static char *show_total(const struct sum *sum, gint64 value)
{
	static const char *const names[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double shown = (double)value;
	unsigned i = 0;

	if (!sum->bytes)
		return g_strdup_printf("%" G_GINT64_FORMAT, value);
	for (; shown >= 1024 && i + 1 < G_N_ELEMENTS(names); i++)
		shown /= 1024;
	return g_strdup_printf("%.*f%s", i ? 1 : 0, shown, names[i]);
}

gboolean project_check_limits(struct db *db, const char *project, const json_t *new, GError **error)
{
	g_autoptr(json_t) instances = NULL;
	gint64 all, limit;

	if (is_free(new))
		return TRUE;
	instances = instances_of(db, project, NULL, error);
	if (!instances || !check_new_count(db, project, new, error))
		return FALSE;
	for (gsize i = 0; i < G_N_ELEMENTS(sums); i++) {
		const char *text = json_text(new, sums[i].key);
		g_autofree char *shown = NULL;

		if (!*text || !sums[i].read(text, &limit))
			continue;
		if (!total(&sums[i], project, instances, TRUE, &all, error))
			return FALSE;
		shown = show_total(&sums[i], all);
		if (all > limit)
			return fail(error, 500, "\"%s\" is too low: current total is \"%s\"",
				    sums[i].key, shown);
	}
	return TRUE;
}

static gboolean check_allowed(struct db *db, const char *project, const char *key, const char *what,
			      GError **error)
{
	g_autoptr(json_t) config = project_config(db, project, error);

	if (!config)
		return FALSE;
	if (json_map_true(config, "restricted") && !allows(config, key))
		return fail(error, 403, "Project \"%s\" doesn't allow for %s creation", project,
			    what);
	return TRUE;
}

gboolean project_check_snapshots(struct db *db, const char *project, GError **error)
{
	return check_allowed(db, project, "restricted.snapshots", "snapshot", error);
}

gboolean project_check_backups(struct db *db, const char *project, GError **error)
{
	return check_allowed(db, project, "restricted.backups", "backup", error);
}

/* What custom volumes have together; -1 and an error. */
static gint64 volumes_total(struct db *db, const char *project, GError **error)
{
	g_autoptr(json_t) rows = db_select(
		db, error,
		"SELECT c.value FROM storage_volumes v JOIN projects p ON p.id = v.project_id"
		" JOIN storage_volumes_config c ON c.storage_volume_id = v.id AND c.key = 'size'"
		" WHERE p.name = ?1 AND v.type = 2",
		"s", project);
	gint64 all = 0, one;
	json_t *row;
	size_t i;

	if (!rows)
		return -1;
	json_array_foreach(rows, i, row) if (!units_size(json_text(row, "value"), &one, NULL) ||
					     __builtin_add_overflow(all, one, &all))
		all = G_MAXINT64;
	return all;
}

gboolean project_check_volume(struct db *db, const char *project, gint64 size, GError **error)
{
	g_autoptr(json_t) config = project_config(db, project, error);
	g_autoptr(json_t) instances = NULL;
	gint64 limit, all, volumes;

	if (!config)
		return FALSE;
	if (!*json_text(config, "limits.disk") ||
	    !read_size(json_text(config, "limits.disk"), &limit))
		return TRUE;
	if (size <= 0)
		return fail(error, 500,
			    "Failed checking if volume creation allowed: No size given in project"
			    " \"%s\", which limits it",
			    project);
	instances = instances_of(db, project, NULL, error);
	volumes = instances ? volumes_total(db, project, error) : -1;
	if (volumes < 0 || !total(&sums[3], project, instances, FALSE, &all, error))
		return FALSE;
	if (__builtin_add_overflow(all, volumes, &all) || __builtin_add_overflow(all, size, &all) ||
	    all > limit)
		return fail(error, 500,
			    "Reached maximum aggregate value \"%s\" for \"limits.disk\" in project"
			    " \"%s\"",
			    json_text(config, "limits.disk"), project);
	return TRUE;
}

/* --- the state -----------------------------------------------------------------------------------
 */

static void add_resource(json_t *resources, const json_t *config, const char *key,
			 const char *resource, gboolean (*read)(const char *, gint64 *),
			 gint64 usage)
{
	gint64 limit = -1;
	const char *text = json_text(config, key);

	if (!*text || !read(text, &limit))
		limit = -1;
	json_object_set_new(
		resources, resource,
		json_pack("{s:I, s:I}", "Limit", (json_int_t)limit, "Usage", (json_int_t)usage));
}

static gboolean add_counts(struct db *db, gint64 id, const json_t *config, json_t *resources,
			   GError **error)
{
	g_autoptr(json_t) row = NULL;
	gint64 containers = db_project_instances(db, id, 0, NULL, error);
	gint64 machines = containers >= 0 ? db_project_instances(db, id, 1, NULL, error) : -1;

	if (machines < 0)
		return FALSE;
	row = db_row(db, error, "SELECT COUNT(*) AS count FROM networks WHERE project_id = ?1", "i",
		     id);
	if (!row)
		return FALSE;
	add_resource(resources, config, "limits.containers", "containers", read_count, containers);
	add_resource(resources, config, "limits.virtual-machines", "virtual-machines", read_count,
		     machines);
	add_resource(resources, config, "limits.instances", "instances", read_count,
		     containers + machines);
	add_resource(resources, config, "limits.networks", "networks", read_count,
		     json_integer_value(json_object_get(row, "count")));
	return TRUE;
}

json_t *project_show_state(struct db *db, const char *name, GError **error)
{
	g_autoptr(json_t) config = project_config(db, name, error);
	g_autoptr(json_t) instances = NULL, resources = NULL;
	gint64 usage, volumes;

	if (!config) {
		g_prefix_error(error, "Fetch project database object: ");
		return NULL;
	}
	instances = instances_of(db, name, NULL, error);
	volumes = instances ? volumes_total(db, name, error) : -1;
	resources = json_object();
	if (volumes < 0 || !add_counts(db, project_id(db, name, error), config, resources, error))
		return NULL;
	for (gsize i = 0; i < G_N_ELEMENTS(sums); i++) {
		if (!total(&sums[i], name, instances, FALSE, &usage, error))
			return NULL;
		if (!strcmp(sums[i].resource, "disk"))
			usage += volumes;
		add_resource(resources, config, sums[i].key, sums[i].resource, sums[i].read, usage);
	}
	return json_pack("{s:O}", "resources", resources);
}
