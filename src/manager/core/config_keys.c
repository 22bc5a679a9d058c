/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tables of keys, and the checks that go beyond one value. */
#include "core/config_keys.h"

#include <string.h>

#include "core/config_values.h"
#include "util/cron.h"
#include "util/error.h"
#include "util/expiry.h"
#include "util/json.h"

#define C CONFIG_CONTAINER
#define V CONFIG_VM
#define LIVE CONFIG_LIVE
#define IDMAP CONFIG_IDMAP

const struct config_key config_keys_instance[] = {
	{ "agent.nic_config", value_bool, V, "false" },
	{ "boot.autostart", value_bool, C | V | LIVE, NULL },
	{ "boot.autostart.delay", value_int64, C | V | LIVE, "0" },
	{ "boot.autostart.priority", value_int64, C | V | LIVE, "0" },
	{ "boot.host_shutdown_timeout", value_int64, C | V | LIVE, "30" },
	{ "boot.stop.priority", value_int64, C | V | LIVE, "0" },
	{ "cloud-init.network-config", value_yaml, C | V, NULL },
	{ "cloud-init.user-data", value_cloud_config, C | V, NULL },
	{ "cloud-init.vendor-data", value_cloud_config, C | V, NULL },
	{ "cluster.evacuate", value_evacuate, C | V | LIVE, "auto" },
	{ "environment.*", NULL, C | V | LIVE, NULL },
	{ "image.*", NULL, C | V | LIVE, NULL },
	{ "limits.cpu", value_cpu, C | V | LIVE, NULL },
	{ "limits.cpu.allowance", value_allowance, C | LIVE, "100%" },
	{ "limits.cpu.priority", value_priority, C | LIVE, "10" },
	{ "limits.disk.priority", value_priority, C | LIVE, "5" },
	{ "limits.hugepages.1GB", value_size, C | LIVE, NULL },
	{ "limits.hugepages.1MB", value_size, C | LIVE, NULL },
	{ "limits.hugepages.2MB", value_size, C | LIVE, NULL },
	{ "limits.hugepages.64KB", value_size, C | LIVE, NULL },
	{ "limits.kernel.*", NULL, C, NULL },
	{ "limits.memory", value_memory, C | V | LIVE, NULL },
	{ "limits.memory.enforce", value_enforce, C | LIVE, "hard" },
	{ "limits.memory.hugepages", value_bool, V, "false" },
	{ "limits.memory.swap", value_bool, C | LIVE, "true" },
	{ "limits.memory.swap.priority", value_priority, C | LIVE, "10" },
	{ "limits.network.priority", value_priority, C | LIVE, "0" },
	{ "limits.processes", value_int64, C | LIVE, NULL },
	{ "linux.kernel_modules", NULL, C | LIVE, NULL },
	{ "linux.sysctl.*", NULL, C, NULL },
	{ "migration.incremental.memory", value_bool, C | LIVE, "false" },
	{ "migration.incremental.memory.goal", value_uint32, C | LIVE, "70" },
	{ "migration.incremental.memory.iterations", value_uint32, C | LIVE, "10" },
	{ "migration.stateful", value_bool, V, "false" },
	{ "nvidia.driver.capabilities", NULL, C, "compute,utility" },
	{ "nvidia.require.cuda", NULL, C, NULL },
	{ "nvidia.require.driver", NULL, C, NULL },
	{ "nvidia.runtime", value_bool, C, "false" },
	{ "raw.apparmor", NULL, C | V | LIVE, NULL },
	{ "raw.idmap", NULL, C | IDMAP, NULL },
	{ "raw.lxc", value_raw_lxc, C, NULL },
	{ "raw.qemu", NULL, V, NULL },
	{ "raw.qemu.conf", NULL, V, NULL },
	{ "raw.seccomp", NULL, C, NULL },
	{ "security.agent.metrics", value_bool, V, "true" },
	{ "security.devlxd", value_bool, C | V, "true" },
	{ "security.devlxd.images", value_bool, C | V, "false" },
	{ "security.idmap.base", value_uint32, C | IDMAP, NULL },
	{ "security.idmap.isolated", value_bool, C | IDMAP, "false" },
	{ "security.idmap.size", value_uint32, C | IDMAP, NULL },
	{ "security.nesting", value_bool, C | LIVE, "false" },
	{ "security.privileged", value_bool, C | IDMAP, "false" },
	{ "security.protection.delete", value_bool, C | V | LIVE, "false" },
	{ "security.protection.shift", value_bool, C | LIVE, "false" },
	{ "security.secureboot", value_bool, V, "true" },
	{ "security.syscalls.allow", NULL, C, NULL },
	{ "security.syscalls.blacklist", NULL, C, NULL },
	{ "security.syscalls.blacklist_compat", value_bool, C, "false" },
	{ "security.syscalls.blacklist_default", value_bool, C, "true" },
	{ "security.syscalls.deny", NULL, C, NULL },
	{ "security.syscalls.deny_compat", value_bool, C, "false" },
	{ "security.syscalls.deny_default", value_bool, C, "true" },
	{ "security.syscalls.intercept.bpf", value_bool, C, "false" },
	{ "security.syscalls.intercept.bpf.devices", value_bool, C, "false" },
	{ "security.syscalls.intercept.mknod", value_bool, C, "false" },
	{ "security.syscalls.intercept.mount", value_bool, C, "false" },
	{ "security.syscalls.intercept.mount.allowed", NULL, C | LIVE, NULL },
	{ "security.syscalls.intercept.mount.fuse", NULL, C | LIVE, NULL },
	{ "security.syscalls.intercept.mount.shift", value_bool, C | LIVE, "false" },
	{ "security.syscalls.intercept.sched_setscheduler", value_bool, C, "false" },
	{ "security.syscalls.intercept.setxattr", value_bool, C, "false" },
	{ "security.syscalls.whitelist", NULL, C, NULL },
	{ "snapshots.expiry", expiry_check, C | V | LIVE, NULL },
	{ "snapshots.pattern", NULL, C | V | LIVE, "snap%d" },
	{ "snapshots.schedule", cron_check, C | V | LIVE, NULL },
	{ "snapshots.schedule.stopped", value_bool, C | V | LIVE, "false" },
	{ "user.*", NULL, C | V | LIVE, NULL },
	{ "volatile.apply_nvram", value_bool, V | LIVE, NULL },
	{ "volatile.apply_template", NULL, C | V | LIVE, NULL },
	{ "volatile.base_image", NULL, C | V | LIVE, NULL },
	{ "volatile.cloud-init.instance-id", value_uuid, C | V | LIVE, NULL },
	{ "volatile.evacuate.origin", NULL, C | V | LIVE, NULL },
	{ "volatile.idmap.base", NULL, C | LIVE, NULL },
	{ "volatile.idmap.current", NULL, C | LIVE, NULL },
	{ "volatile.idmap.next", NULL, C | LIVE, NULL },
	{ "volatile.last_state.idmap", NULL, C | LIVE, NULL },
	{ "volatile.last_state.power", NULL, C | V | LIVE, NULL },
	{ "volatile.uuid", value_uuid, C | V | LIVE, NULL },
	{ "volatile.vsock_id", value_int64, V | LIVE, NULL },
	{ "volatile.*.apply_quota", NULL, C | V | LIVE, NULL },
	{ "volatile.*.ceph_rbd", NULL, C | V | LIVE, NULL },
	{ "volatile.*.driver", NULL, C | V | LIVE, NULL },
	{ "volatile.*.host_name", NULL, C | V | LIVE, NULL },
	{ "volatile.*.hwaddr", NULL, C | V | LIVE, NULL },
	{ "volatile.*.id", NULL, C | V | LIVE, NULL },
	{ "volatile.*.last_state.created", NULL, C | V | LIVE, NULL },
	{ "volatile.*.last_state.hwaddr", NULL, C | V | LIVE, NULL },
	{ "volatile.*.last_state.ip_addresses", NULL, C | V | LIVE, NULL },
	{ "volatile.*.last_state.mtu", NULL, C | V | LIVE, NULL },
	{ "volatile.*.last_state.pci.driver", NULL, C | V | LIVE, NULL },
	{ "volatile.*.last_state.pci.parent", NULL, C | V | LIVE, NULL },
	{ "volatile.*.last_state.pci.slot.name", NULL, C | V | LIVE, NULL },
	{ "volatile.*.last_state.vf.hwaddr", NULL, C | V | LIVE, NULL },
	{ "volatile.*.last_state.vf.id", NULL, C | V | LIVE, NULL },
	{ "volatile.*.last_state.vf.parent", NULL, C | V | LIVE, NULL },
	{ "volatile.*.last_state.vf.spoofcheck", NULL, C | V | LIVE, NULL },
	{ "volatile.*.last_state.vf.vlan", NULL, C | V | LIVE, NULL },
	{ "volatile.*.mig.uuid", NULL, C | V | LIVE, NULL },
	{ "volatile.*.name", NULL, C | V | LIVE, NULL },
	{ "volatile.*.uuid", NULL, C | V | LIVE, NULL },
	{ "volatile.*.vgpu.uuid", NULL, C | V | LIVE, NULL },
	{ NULL, NULL, 0, NULL },
};

const struct config_key config_keys_project[] = {
	{ "backups.compression_algorithm", value_compression, 0, NULL },
	{ "features.images", value_bool, 0, "false" },
	{ "features.networks", value_bool, 0, "false" },
	{ "features.profiles", value_bool, 0, "false" },
	{ "features.storage.volumes", value_bool, 0, "false" },
	{ "images.auto_update_cached", value_bool, 0, NULL },
	{ "images.auto_update_interval", value_int64, 0, NULL },
	{ "images.compression_algorithm", value_compression, 0, NULL },
	{ "images.default_architecture", value_architecture, 0, NULL },
	{ "images.remote_cache_expiry", value_int64, 0, NULL },
	{ "limits.containers", value_uint32, 0, NULL },
	{ "limits.cpu", value_uint32, 0, NULL },
	{ "limits.disk", value_size, 0, NULL },
	{ "limits.instances", value_uint32, 0, NULL },
	{ "limits.memory", value_size, 0, NULL },
	{ "limits.networks", value_uint32, 0, NULL },
	{ "limits.processes", value_uint32, 0, NULL },
	{ "limits.virtual-machines", value_uint32, 0, NULL },
	{ "restricted", value_bool, 0, "false" },
	{ "restricted.backups", value_block_allow, 0, "block" },
	{ "restricted.cluster.groups", NULL, 0, NULL },
	{ "restricted.cluster.target", value_block_allow, 0, "block" },
	{ "restricted.containers.interception", value_interception, 0, "block" },
	{ "restricted.containers.lowlevel", value_block_allow, 0, "block" },
	{ "restricted.containers.nesting", value_block_allow, 0, "block" },
	{ "restricted.containers.privilege", value_privilege, 0, "unprivileged" },
	{ "restricted.devices.disk", value_managed, 0, "managed" },
	{ "restricted.devices.disk.paths", value_paths, 0, NULL },
	{ "restricted.devices.gpu", value_block_allow, 0, "block" },
	{ "restricted.devices.infiniband", value_block_allow, 0, "block" },
	{ "restricted.devices.nic", value_managed, 0, "managed" },
	{ "restricted.devices.pci", value_block_allow, 0, "block" },
	{ "restricted.devices.proxy", value_block_allow, 0, "block" },
	{ "restricted.devices.unix-block", value_block_allow, 0, "block" },
	{ "restricted.devices.unix-char", value_block_allow, 0, "block" },
	{ "restricted.devices.unix-hotplug", value_block_allow, 0, "block" },
	{ "restricted.devices.usb", value_block_allow, 0, "block" },
	{ "restricted.idmap.gid", value_id_ranges, 0, NULL },
	{ "restricted.idmap.uid", value_id_ranges, 0, NULL },
	{ "restricted.networks.access", NULL, 0, NULL },
	{ "restricted.networks.subnets", NULL, 0, NULL },
	{ "restricted.networks.uplinks", NULL, 0, NULL },
	{ "restricted.networks.zones", NULL, 0, NULL },
	{ "restricted.snapshots", value_block_allow, 0, "block" },
	{ "restricted.virtual-machines.lowlevel", value_block_allow, 0, "block" },
	{ "user.*", NULL, 0, NULL },
	{ NULL, NULL, 0, NULL },
};

const struct config_key config_keys_server[] = {
	{ "backups.compression_algorithm", value_compression, 0, "gzip" },
	{ "core.bgp_address", NULL, 0, NULL },
	{ "core.bgp_asn", value_server_int, 0, NULL },
	{ "core.bgp_routerid", NULL, 0, NULL },
	{ "core.debug_address", NULL, 0, NULL },
	{ "core.dns_address", NULL, 0, NULL },
	{ "core.https_address", NULL, 0, NULL },
	{ "core.https_allowed_credentials", value_server_bool, 0, "false" },
	{ "core.https_allowed_headers", NULL, 0, NULL },
	{ "core.https_allowed_methods", NULL, 0, NULL },
	{ "core.https_allowed_origin", NULL, 0, NULL },
	{ "core.https_trusted_proxy", NULL, 0, NULL },
	{ "core.metrics_address", NULL, 0, NULL },
	{ "core.metrics_authentication", value_server_bool, 0, "true" },
	{ "core.proxy_http", NULL, 0, NULL },
	{ "core.proxy_https", NULL, 0, NULL },
	{ "core.proxy_ignore_hosts", NULL, 0, NULL },
	{ "core.remote_token_expiry", expiry_check, 0, NULL },
	{ "core.shutdown_timeout", value_server_int, 0, "5" },
	{ "core.trust_ca_certificates", value_server_bool, 0, "false" },
	{ "core.trust_password", NULL, CONFIG_HIDDEN, NULL },
	{ "images.auto_update_cached", value_server_bool, 0, "true" },
	{ "images.auto_update_interval", value_server_int, 0, "6" },
	{ "images.compression_algorithm", value_compression, 0, "gzip" },
	{ "images.default_architecture", value_architecture, 0, NULL },
	{ "images.remote_cache_expiry", value_server_int, 0, "10" },
	{ "storage.backups_volume", value_pool_volume, 0, NULL },
	{ "storage.images_volume", value_pool_volume, 0, NULL },
	{ "user.*", NULL, 0, NULL },
	{ NULL, NULL, 0, NULL },
};

const struct config_key config_keys_pool[] = {
	{ "btrfs.mount_options", NULL, 0, "user_subvol_rm_allowed" },
	{ "rsync.bwlimit", value_size, 0, "0" },
	{ "rsync.compression", value_bool, 0, "true" },
	{ "size", value_size, 0, NULL },
	{ "source", NULL, 0, NULL },
	{ "user.*", NULL, 0, NULL },
	{ "volatile.initial_source", NULL, 0, NULL },
	{ "volume.security.shifted", value_bool, 0, "false" },
	{ "volume.security.unmapped", value_bool, 0, "false" },
	{ "volume.size", value_size, 0, NULL },
	{ "volume.snapshots.expiry", expiry_check, 0, NULL },
	{ "volume.snapshots.pattern", NULL, 0, "snap%d" },
	{ "volume.snapshots.schedule", cron_check, 0, NULL },
	{ NULL, NULL, 0, NULL },
};

const struct config_key config_keys_volume[] = {
	{ "security.shifted", value_bool, 0, "false" },
	{ "security.unmapped", value_bool, 0, "false" },
	{ "size", value_size, 0, NULL },
	{ "snapshots.expiry", expiry_check, 0, NULL },
	{ "snapshots.pattern", NULL, 0, "snap%d" },
	{ "snapshots.schedule", cron_check, 0, NULL },
	{ "user.*", NULL, 0, NULL },
	{ "volatile.idmap.last", NULL, 0, NULL },
	{ "volatile.idmap.next", NULL, 0, NULL },
	{ NULL, NULL, 0, NULL },
};

/* --- looking up --------------------------------------------------------------------------- */

static gboolean row_covers(const char *pattern, const char *name)
{
	const char *star = strchr(pattern, '*');
	gsize before;

	if (!star)
		return !strcmp(pattern, name);
	before = (gsize)(star - pattern);
	return !strncmp(pattern, name, before) && strlen(name) >= strlen(pattern) - 1 &&
	       g_str_has_suffix(name + before, star + 1);
}

const struct config_key *config_keys_find(const struct config_key *table, const char *name)
{
	const struct config_key *best = NULL;

	/* "volatile.*.last_state.hwaddr" says more of a name than "volatile.*.hwaddr". */
	for (; table->name; table++)
		if (row_covers(table->name, name) &&
		    (!best || strlen(table->name) > strlen(best->name)))
			best = table;
	return best;
}

const char *config_keys_value(const struct config_key *table, const json_t *map, const char *name)
{
	const struct config_key *key = config_keys_find(table, name);
	const char *value = json_text(map, name);

	return *value || !key || !key->without ? value : key->without;
}

static int compare_names(gconstpointer a, gconstpointer b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

GPtrArray *config_keys_changed(const json_t *old, const json_t *new)
{
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)old, key,
			    value) if (strcmp(json_text(old, key), json_text(new, key)))
		g_ptr_array_add(names, g_strdup(key));
	json_object_foreach((json_t *)new, key,
			    value) if (!json_object_get(old, key) && *json_text(new, key))
		g_ptr_array_add(names, g_strdup(key));
	g_ptr_array_sort(names, compare_names);
	return names;
}

/* The map's keys, sorted: of several problems always the same one is told. */
static GPtrArray *sorted_keys(const json_t *map)
{
	g_autoptr(json_t) nothing = json_object();

	return config_keys_changed(nothing, map);
}

/* --- instances and profiles ------------------------------------------------------------------ */

static gboolean check_instance_key(const char *name, const char *value, gboolean profile,
				   GError **error)
{
	const struct config_key *key;

	if (profile && g_str_has_prefix(name, "volatile."))
		return fail(error, 400, "Volatile keys can only be set on instances");
	if (profile && g_str_has_prefix(name, "image."))
		return fail(error, 400, "Image keys can only be set on instances");
	key = config_keys_find(config_keys_instance, name);
	if (!key)
		return fail(error, 400, "Unknown configuration key: %s", name);
	return !key->check || key->check(value, error);
}

static gboolean not_both(const json_t *map, const char *new, const char *old, GError **error)
{
	if (json_object_get(map, new) && json_object_get(map, old))
		return fail(error, 400, "Mutually exclusive keys %s and %s are set", new, old);
	return TRUE;
}

static gboolean has_any(const json_t *map, const char *const *names)
{
	for (; *names; names++)
		if (json_object_get(map, *names))
			return TRUE;
	return FALSE;
}

static gboolean check_syscalls(const json_t *map, GError **error)
{
	static const char *const denies[] = {
		"security.syscalls.deny",
		"security.syscalls.blacklist",
		"security.syscalls.deny_default",
		"security.syscalls.blacklist_default",
		"security.syscalls.deny_compat",
		"security.syscalls.blacklist_compat",
		NULL,
	};
	static const char *const allows[] = { "security.syscalls.allow",
					      "security.syscalls.whitelist", NULL };
	gboolean allow = has_any(map, allows), deny = has_any(map, denies);

	if (!not_both(map, allows[0], allows[1], error))
		return FALSE;
	for (gsize i = 0; denies[i]; i += 2)
		if (!not_both(map, denies[i], denies[i + 1], error))
			return FALSE;
	if (json_object_get(map, "raw.seccomp") && (allow || deny))
		return fail(error, 400,
			    "raw.seccomp is mutually exclusive with security.syscalls*");
	if (allow && deny)
		return fail(error, 400,
			    "security.syscalls.allow is mutually exclusive with"
			    " security.syscalls.deny*");
	return TRUE;
}

/* A file system is mounted by the host or by a FUSE program. */
static gboolean check_mounts(const json_t *map, GError **error)
{
	const char *allowed = json_text(map, "security.syscalls.intercept.mount.allowed");
	const char *fuse = json_text(map, "security.syscalls.intercept.mount.fuse");
	g_auto(GStrv) names = g_strsplit(allowed, ",", -1);
	g_auto(GStrv) programs = g_strsplit(fuse, ",", -1);

	if (!json_map_true(map, "security.syscalls.intercept.mount"))
		return TRUE;
	for (char **program = programs; *program; program++) {
		char *equals = strchr(*program, '=');

		if (!equals)
			return fail(error, 400,
				    "security.syscalls.intercept.mount.fuse is not of"
				    " the form 'filesystem=fuse-binary': %s",
				    *program);
		*equals = '\0';
		if (g_strv_contains((const char *const *)names, *program))
			return fail(error, 400,
				    "Filesystem %s cannot appear in"
				    " security.syscalls.intercept.mount.allowed and"
				    " security.syscalls.intercept.mount.fuse",
				    *program);
	}
	return TRUE;
}

static gboolean check_instance_map(const json_t *map, gboolean profile, GError **error)
{
	g_autoptr(GPtrArray) names = sorted_keys(map);

	for (guint i = 0; i < names->len; i++)
		if (!check_instance_key(names->pdata[i], json_text(map, names->pdata[i]), profile,
					error))
			return FALSE;
	if (!check_syscalls(map, error) || !check_mounts(map, error))
		return FALSE;
	if (json_map_true(map, "security.privileged") && json_map_true(map, "nvidia.runtime"))
		return fail(error, 400,
			    "nvidia.runtime is incompatible with privileged containers");
	return TRUE;
}

gboolean config_keys_check_instance(const json_t *map, gboolean expanded, GError **error)
{
	(void)expanded; /* what may not be set locally may not come from a profile either */
	return check_instance_map(map, FALSE, error);
}

gboolean config_keys_check_profile(const json_t *map, GError **error)
{
	return check_instance_map(map, TRUE, error);
}

/* --- the others ---------------------------------------------------------------------------------
 */

/* UNKNOWN and WRONG are formats of one name; what is wrong with the value follows WRONG. */
static gboolean check_rows(const struct config_key *table, const json_t *map, const char *unknown,
			   const char *wrong, GError **error)
{
	g_autoptr(GPtrArray) names = sorted_keys(map);

	for (guint i = 0; i < names->len; i++) {
		const char *name = names->pdata[i];
		const struct config_key *key = config_keys_find(table, name);

		if (!key)
			return fail(error, 400, "%s \"%s\"", unknown, name);
		if (key->check && !key->check(json_text(map, name), error)) {
			g_prefix_error(error, "%s \"%s\"%s: ", wrong, name,
				       table == config_keys_project ? " value" : "");
			return FALSE;
		}
	}
	return TRUE;
}

gboolean config_keys_check_project(const json_t *map, GError **error)
{
	return check_rows(config_keys_project, map, "Invalid project configuration key",
			  "Invalid project configuration key", error);
}

gboolean config_keys_check_server(const json_t *map, GError **error)
{
	g_autoptr(GPtrArray) names = sorted_keys(map);

	for (guint i = 0; i < names->len; i++) {
		const char *name = names->pdata[i], *value = json_text(map, name);
		const struct config_key *key = config_keys_find(config_keys_server, name);

		if (!key)
			return fail(error, 400, "cannot set '%s' to '%s': unknown key", name,
				    value);
		if (!key->check || key->check(value, error))
			continue;
		if (key->check == value_pool_volume)
			g_prefix_error(error, "Failed validation of \"%s\": ", name);
		else
			g_prefix_error(error, "cannot set '%s' to '%s': ", name, value);
		return FALSE;
	}
	return TRUE;
}

/* Keys that belong to one driver begin with its name; only loop files have a size. */
static gboolean check_pool_driver(const json_t *map, const char *driver, GError **error)
{
	if (json_object_get(map, "btrfs.mount_options") && strcmp(driver, "btrfs"))
		return fail(error, 400, "Invalid option \"btrfs.mount_options\"");
	if (json_object_get(map, "size") && !strcmp(driver, "dir"))
		return fail(error, 400, "Invalid option \"size\"");
	return TRUE;
}

gboolean config_keys_check_pool(const json_t *map, const char *driver, GError **error)
{
	return check_pool_driver(map, driver, error) &&
	       check_rows(config_keys_pool, map, "Invalid option", "Invalid value for option",
			  error);
}

gboolean config_keys_check_volume(const json_t *map, const char *driver, GError **error)
{
	(void)driver; /* dir and btrfs have none of their own */
	return check_rows(config_keys_volume, map, "Invalid option", "Invalid value for option",
			  error);
}
