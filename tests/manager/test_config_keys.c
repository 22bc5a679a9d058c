/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tables of configuration keys, each row of them, and the words of what is wrong. */
#include <string.h>

#include "core/config_keys.h"
#include "support.h"
#include "util/error.h"
#include "util/json.h"

static const struct config_key *const tables[] = {
	config_keys_instance, config_keys_project, config_keys_server,
	config_keys_pool,     config_keys_volume,
};

/* Each row can be found, and its default is a value that it takes. */
START_TEST(tables_are_sound)
{
	for (const struct config_key *key = tables[_i]; key->name; key++) {
		g_auto(GStrv) parts = g_strsplit(key->name, "*", -1);
		g_autofree char *name = g_strjoinv("eth0", parts);
		g_autoptr(GError) error = NULL;

		ck_assert_msg(config_keys_find(tables[_i], name) == key, "%s", key->name);
		if (key->check && key->without)
			ck_assert_msg(key->check(key->without, &error), "%s", key->name);
	}
	ck_assert_ptr_null(config_keys_find(tables[_i], "nothing"));
	ck_assert_ptr_null(config_keys_find(tables[_i], ""));
}
END_TEST

typedef gboolean (*check)(const json_t *map, GError **error);

static gboolean instance(const json_t *map, GError **error)
{
	return config_keys_check_instance(map, FALSE, error);
}

static gboolean pool_dir(const json_t *map, GError **error)
{
	return config_keys_check_pool(map, "dir", error);
}

static gboolean pool_btrfs(const json_t *map, GError **error)
{
	return config_keys_check_pool(map, "btrfs", error);
}

static gboolean volume(const json_t *map, GError **error)
{
	return config_keys_check_volume(map, "dir", error);
}

static const struct {
	check check;
	const char *map, *problem; /* NULL: fine */
} rows[] = {
	{ instance, "{'limits.cpu':'0-3','limits.memory':'50%','user.x':'y','environment.A':'b'}",
	  NULL },
	{ instance, "{'limits.foo':'1'}", "Unknown configuration key: limits.foo" },
	{ instance, "{'volatile.eth0.hwaddr':'x','image.os':'y'}", NULL },
	{ instance, "{'volatile.foo':'x'}", "Unknown configuration key: volatile.foo" },
	{ instance, "{'boot.autostart':'foo'}", "Invalid value for a boolean \"foo\"" },
	{ instance, "{'limits.processes':'5.5'}", "Invalid value for an integer \"5.5\"" },
	{ instance, "{'limits.cpu.priority':'11'}",
	  "Invalid value for a limit \"11\". Must be between 0 and 10" },
	{ instance, "{'limits.cpu':'1,,2'}", "Invalid CPU limit syntax" },
	{ instance, "{'limits.cpu':'1-2-3'}", "Invalid CPU limit syntax" },
	{ instance, "{'limits.cpu.allowance':'50'}", "Invalid allowance: 50" },
	{ instance, "{'limits.memory':'1k'}", "Invalid value: 1k" },
	{ instance, "{'limits.memory':'0%'}", "Memory limit can't be 0%" },
	{ instance, "{'limits.memory.enforce':'x'}",
	  "Invalid value \"x\" (not one of [soft hard])" },
	{ instance, "{'security.idmap.base':'-1'}",
	  "Invalid value for uint32 \"-1\": strconv.ParseUint: parsing \"-1\": invalid syntax" },
	{ instance, "{'security.idmap.base':'4294967296'}",
	  "Invalid value for uint32 \"4294967296\": strconv.ParseUint: parsing \"4294967296\": "
	  "value"
	  " out of range" },
	{ instance, "{'raw.lxc':'# c\\n\\n  lxc.hook.pre-start = x\\nlxc.net.0.ipv4.gateway=1'}",
	  NULL },
	{ instance, "{'raw.lxc':'LXC.LOG.FILE=x'}", "Setting lxc.logfile is not allowed" },
	{ instance, "{'raw.lxc':'lxc.net.0.name=x'}",
	  "Only interface-specific ipv4/ipv6 lxc.net. keys are allowed" },
	{ instance, "{'raw.lxc':'a=1\\nb'}", "Invalid raw.lxc line: b" },
	{ instance, "{'cloud-init.user-data':'#cloud-config\\na: b'}", NULL },
	{ instance, "{'cloud-init.user-data':'anything: ['}", NULL },
	{ instance, "{'cloud-init.network-config':'- a'}",
	  "yaml: unmarshal errors:\n  line 1: cannot unmarshal !!seq into struct {}" },
	{ instance, "{'security.syscalls.intercept.sysinfo':'true'}",
	  "Unknown configuration key: security.syscalls.intercept.sysinfo" },
	{ instance, "{'raw.seccomp':'x','security.syscalls.deny':'a'}",
	  "raw.seccomp is mutually exclusive with security.syscalls*" },
	{ instance, "{'security.syscalls.allow':'x','security.syscalls.deny_compat':'true'}",
	  "security.syscalls.allow is mutually exclusive with security.syscalls.deny*" },
	{ instance, "{'security.syscalls.deny':'x','security.syscalls.blacklist':'y'}",
	  "Mutually exclusive keys security.syscalls.deny and security.syscalls.blacklist are "
	  "set" },
	{ instance, "{'security.privileged':'true','nvidia.runtime':'yes'}",
	  "nvidia.runtime is incompatible with privileged containers" },
	{ instance,
	  "{'security.syscalls.intercept.mount':'true','security.syscalls.intercept.mount.fuse':"
	  "'ext4=a','security.syscalls.intercept.mount.allowed':'xfs,ext4'}",
	  "Filesystem ext4 cannot appear in security.syscalls.intercept.mount.allowed and"
	  " security.syscalls.intercept.mount.fuse" },
	{ config_keys_check_profile, "{'volatile.uuid':'x'}",
	  "Volatile keys can only be set on instances" },
	{ config_keys_check_profile, "{'image.os':'x'}",
	  "Image keys can only be set on instances" },
	{ config_keys_check_project, "{'user.a':'b','limits.memory':'1GB','restricted':'true'}",
	  NULL },
	{ config_keys_check_project, "{'features.foo':'1'}",
	  "Invalid project configuration key \"features.foo\"" },
	{ config_keys_check_project, "{'restricted.devices.disk':'x'}",
	  "Invalid project configuration key \"restricted.devices.disk\" value: Invalid value \"x\""
	  " (not one of [block allow managed])" },
	{ config_keys_check_project, "{'restricted.devices.disk.paths':'/a, b'}",
	  "Invalid project configuration key \"restricted.devices.disk.paths\" value: Item \"b\":"
	  " Must be absolute file path" },
	{ config_keys_check_project, "{'restricted.idmap.uid':'5-x'}",
	  "Invalid project configuration key \"restricted.idmap.uid\" value: Item \"5-x\": Invalid"
	  " number \"x\"" },
	{ config_keys_check_server, "{'images.compression_algorithm':'gzip -9','user.a':'b'}",
	  NULL },
	{ config_keys_check_server, "{'foo':'bar'}", "cannot set 'foo' to 'bar': unknown key" },
	{ config_keys_check_server, "{'core.shutdown_timeout':'x'}",
	  "cannot set 'core.shutdown_timeout' to 'x': invalid integer" },
	{ config_keys_check_server, "{'storage.images_volume':'x'}",
	  "Failed validation of \"storage.images_volume\": Invalid syntax for volume, must be"
	  " <pool>/<volume>" },
	{ pool_dir, "{'size':'5GB'}", "Invalid option \"size\"" },
	{ pool_dir, "{'foo':'5GB'}", "Invalid option \"foo\"" },
	{ pool_dir, "{'rsync.bwlimit':'x'}",
	  "Invalid value for option \"rsync.bwlimit\": Invalid value: x" },
	{ pool_dir, "{'btrfs.mount_options':'x'}", "Invalid option \"btrfs.mount_options\"" },
	{ pool_btrfs, "{'btrfs.mount_options':'x','size':'5GB'}", NULL },
	{ volume, "{'size':'1GB','snapshots.schedule':'@daily'}", NULL },
	{ volume, "{'block.filesystem':'ext4'}", "Invalid option \"block.filesystem\"" },
};

START_TEST(checks)
{
	g_autofree char *text = g_strdup(rows[_i].map);
	g_autoptr(json_t) map = NULL;
	g_autoptr(GError) error = NULL;
	gboolean good;

	for (char *p = text; *p; p++)
		if (*p == '\'')
			*p = '"';
	map = json_parse(text, strlen(text), NULL);
	ck_assert_ptr_nonnull(map);
	good = rows[_i].check(map, &error);
	if (rows[_i].problem) {
		ck_assert_str_eq(error ? error->message : "fine", rows[_i].problem);
		ck_assert_int_eq(error_status(error), 400);
	} else {
		ck_assert_msg(good, "%s: %s", text, error->message);
	}
}
END_TEST

START_TEST(defaults_and_changes)
{
	g_autoptr(json_t) old = json_pack("{s:s, s:s, s:s}", "a", "1", "b", "2", "d", "4");
	g_autoptr(json_t) new = json_pack("{s:s, s:s, s:s}", "a", "1", "b", "3", "c", "1");
	g_autoptr(GPtrArray) names = config_keys_changed(old, new);

	ck_assert_uint_eq(names->len, 3);
	ck_assert_str_eq(names->pdata[0], "b");
	ck_assert_str_eq(names->pdata[2], "d");
	ck_assert_str_eq(config_keys_value(config_keys_instance, old, "limits.memory.swap"),
			 "true");
	ck_assert_str_eq(config_keys_value(config_keys_instance, old, "a"), "1");
	ck_assert_str_eq(config_keys_value(config_keys_instance, NULL, "limits.cpu"), "");
	ck_assert(config_keys_find(config_keys_instance, "limits.cpu")->flags & CONFIG_LIVE);
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_loop_test(tests, tables_are_sound, 0, G_N_ELEMENTS(tables));
	tcase_add_loop_test(tests, checks, 0, G_N_ELEMENTS(rows));
	tcase_add_test(tests, defaults_and_changes);
}

int main(void)
{
	return test_run("config_keys", fill);
}
