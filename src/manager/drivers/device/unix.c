/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Device nodes: a node of the instance's own is made on the host and bound into it. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "drivers/device/device.h"
#include "util/error.h"
#include "util/json.h"

static gboolean check_absolute(const char *value, GError **error)
{
	if (*value == '/' && !strstr(value, "/../") && !g_str_has_suffix(value, "/.."))
		return TRUE;
	return fail(error, 400, "Not an absolute path");
}

static const struct device_option options[] = {
	{ "source", check_absolute, 0 },
	{ "path", check_absolute, 0 },
	{ "major", device_check_number, 0 },
	{ "minor", device_check_number, 0 },
	{ "uid", device_check_number, 0 },
	{ "gid", device_check_number, 0 },
	{ "mode", device_check_mode, 0 },
	{ "required", device_check_bool, 0 },
	{ 0 },
};

static gboolean is_block(const json_t *config)
{
	return strcmp(json_text(config, "type"), "unix-block") == 0;
}

static const char *source_of(const json_t *config)
{
	return json_text_or(config, "source", json_text(config, "path"));
}

static const char *target_of(const json_t *config)
{
	return json_text_or(config, "path", json_text(config, "source"));
}

/* Its numbers: given, or the host's node's; FALSE: there is none. */
static gboolean find_numbers(const json_t *config, int *ret_major, int *ret_minor)
{
	const char *major = json_text(config, "major"), *minor = json_text(config, "minor");
	struct stat st;

	if (*major && *minor) {
		*ret_major = atoi(major);
		*ret_minor = atoi(minor);
		return TRUE;
	}
	if (stat(source_of(config), &st) < 0)
		return FALSE;
	if (is_block(config) ? !S_ISBLK(st.st_mode) : !S_ISCHR(st.st_mode))
		return FALSE;
	*ret_major = (int)major(st.st_rdev);
	*ret_minor = (int)minor(st.st_rdev);
	return TRUE;
}

static gboolean is_required(const json_t *config)
{
	return !*json_text(config, "required") || json_map_true(config, "required");
}

static gboolean check(const char *name, const json_t *config, gboolean host, GError **error)
{
	int major, minor;

	(void)name;
	if (!*json_text(config, "source") && !*json_text(config, "path"))
		return fail(error, 400,
			    "Unix device entry is missing the required \"source\" or"
			    " \"path\" property");
	if (!*json_text(config, "major") != !*json_text(config, "minor"))
		return fail(error, 400, "Both major and minor must be supplied for device");
	if (host && is_required(config) && !find_numbers(config, &major, &minor))
		return fail(error, 400,
			    "The required device path doesn't exist and the major and"
			    " minor settings are not specified");
	return TRUE;
}

static gint64 id_of(const json_t *config, const char *key)
{
	return g_ascii_strtoll(json_text(config, key), NULL, 10);
}

static gboolean make_node(const struct device *device, const char *at, int major, int minor,
			  GError **error)
{
	const json_t *config = device->config;
	mode_t mode = (mode_t)strtoul(json_text_or(config, "mode", "0660"), NULL, 8);
	gint64 uid = id_of(config, "uid"), gid = id_of(config, "gid");

	if (device->idmap && device->idmap->count) {
		uid = idmap_uid_to_host(device->idmap, uid);
		gid = idmap_gid_to_host(device->idmap, gid);
	}
	if (uid < 0 || gid < 0)
		return fail(error, 400, "Owner of device \"%s\" is not mapped", device->name);
	unlink(at);
	if (g_mkdir_with_parents(device->dir, 0711) < 0 ||
	    mknod(at, (is_block(config) ? S_IFBLK : S_IFCHR) | 0600,
		  makedev((unsigned)major, (unsigned)minor)) < 0 ||
	    chown(at, (uid_t)uid, (gid_t)gid) < 0 || chmod(at, mode) < 0)
		return fail_errno(error, errno, "Failed to create device %s", at);
	return TRUE;
}

static void tell(const struct device *device, struct device_run *run, int major, int minor)
{
	struct instance_device node = { is_block(device->config) ? 'b' : 'c', major, minor, "rwm" };

	g_array_append_val(run->devices, node);
}

static gboolean start(const struct device *device, struct device_run *run, GError **error)
{
	const char *target = target_of(device->config);
	g_autofree char *at = device_file(device, "unix", target);
	int major, minor;

	if (!find_numbers(device->config, &major, &minor)) {
		if (!is_required(device->config))
			return TRUE;
		return fail(error, 400,
			    "The required device path doesn't exist and the major and"
			    " minor settings are not specified");
	}
	if (!make_node(device, at, major, minor, error))
		return FALSE;
	tell(device, run, major, minor);
	device_run_mount(run, at, target, "bind,create=file", FALSE);
	return TRUE;
}

/* The numbers are those of the node that was made: the host's may be gone or another by now. */
static gboolean stop(const struct device *device, struct device_run *run, GError **error)
{
	const char *target = target_of(device->config);
	g_autofree char *at = device_file(device, "unix", target);
	struct stat st;

	(void)error;
	if (lstat(at, &st) < 0)
		return TRUE;
	tell(device, run, (int)major(st.st_rdev), (int)minor(st.st_rdev));
	device_run_mount(run, "none", target, DEVICE_OWN_TARGET, FALSE);
	return TRUE;
}

static void clean(const struct device *device)
{
	g_autofree char *at = device_file(device, "unix", target_of(device->config));

	unlink(at);
}

const struct device_kind device_unix_char = {
	.type = "unix-char",
	.options = options,
	.hotplug = TRUE,
	.check = check,
	.start = start,
	.stop = stop,
	.clean = clean,
};

const struct device_kind device_unix_block = {
	.type = "unix-block",
	.options = options,
	.hotplug = TRUE,
	.check = check,
	.start = start,
	.stop = stop,
	.clean = clean,
};
