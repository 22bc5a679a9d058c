/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Disks of containers: the root disk is a volume and only has options here; any other binds a file
 * or directory of the host, or the file system on one of its block devices, into the instance.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/device/device.h"
#include "util/error.h"
#include "util/json.h"
#include "util/mount.h"

static gboolean is_root(const json_t *config)
{
	return strcmp(json_text(config, "path"), "/") == 0 && !*json_text(config, "source");
}

static gboolean is_required(const json_t *config)
{
	return !*json_text(config, "required") || json_map_true(config, "required");
}

static gboolean check_path(const char *value, GError **error)
{
	g_auto(GStrv) parts = g_strsplit(value, "/", -1);

	for (char **part = parts; *part; part++)
		if (strcmp(*part, "..") == 0)
			return fail(error, 400, "Invalid path \"%s\"", value);
	return strpbrk(value, "\n") ? fail(error, 400, "Invalid path \"%s\"", value) : TRUE;
}

static gboolean check_propagation(const char *value, GError **error)
{
	static const char *const words[] = { "private",	 "shared",  "slave",  "unbindable",
					     "rprivate", "rshared", "rslave", "runbindable" };

	for (gsize i = 0; i < G_N_ELEMENTS(words); i++)
		if (strcmp(words[i], value) == 0)
			return TRUE;
	return fail(error, 400,
		    "Invalid value \"%s\" (not one of [private shared slave unbindable"
		    " rshared rslave runbindable rprivate])",
		    value);
}

static gboolean check_size(const char *value, GError **error)
{
	return g_ascii_isdigit(*value) ? TRUE : fail(error, 400, "Invalid value: %s", value);
}

static const struct device_option options[] = {
	{ "path", check_path, 0 },
	{ "source", NULL, 0 },
	{ "pool", NULL, 0 },
	{ "readonly", device_check_bool, 0 },
	{ "recursive", device_check_bool, 0 },
	{ "required", device_check_bool, 0 },
	{ "optional", device_check_bool, 0 },
	{ "shift", device_check_bool, 0 },
	{ "propagation", check_propagation, 0 },
	{ "raw.mount.options", NULL, 0 },
	{ "size", check_size, DEVICE_LIVE },
	{ "size.state", check_size, DEVICE_LIVE },
	{ "boot.priority", device_check_number, DEVICE_LIVE },
	{ 0 },
};

static gboolean check(const char *name, const json_t *config, gboolean host, GError **error)
{
	const char *source = json_text(config, "source"), *pool = json_text(config, "pool");
	const char *path = json_text(config, "path");

	if (strcmp(path, "/") == 0 && *source)
		return fail(error, 400, "Root disk entry may not have a \"source\" property set");
	if (strcmp(path, "/") == 0 && !*pool)
		return fail(error, 400, "Root disk entry must have a \"pool\" property set");
	if (strcmp(path, "/") == 0)
		return TRUE;
	if (!*source)
		return fail(error, 400,
			    "Disk entry is missing the required \"source\" or \"path\" property");
	if (!*path)
		return fail(error, 400, "Disk entry is missing the required \"path\" property");
	if (*json_text(config, "size"))
		return fail(error, 400, "Only the root disk may have a size quota");
	if (json_map_true(config, "recursive") && json_map_true(config, "readonly"))
		return fail(error, 400,
			    "Recursive read-only bind-mounts aren't currently supported by"
			    " the kernel");
	if (!*pool && *source != '/')
		return fail(error, 400, "Source path must be absolute for local sources");
	if (host && !*pool && is_required(config) && access(source, F_OK) < 0)
		return fail(error, 400, "Missing source path \"%s\" for disk \"%s\"", source, name);
	return TRUE;
}

static char *mount_options(const json_t *config, gboolean is_dir)
{
	const char *raw = json_text(config, "raw.mount.options");
	const char *propagation = json_text(config, "propagation");
	GString *text = g_string_new(json_map_true(config, "recursive") ? "rbind" : "bind");

	g_string_append(text, is_dir ? ",create=dir" : ",create=file");
	if (json_map_true(config, "readonly"))
		g_string_append(text, ",ro");
	if (!is_required(config))
		g_string_append(text, ",optional");
	if (*propagation)
		g_string_append_printf(text, ",%s", propagation);
	if (*raw)
		g_string_append_printf(text, ",%s", raw);
	return g_string_free(text, FALSE);
}

/* A block device's file system is mounted on the host; what is below a namespace cannot. */
static char *mount_block(const struct device *device, const char *source, GError **error)
{
	g_autofree char *at = device_file(device, "disk", json_text(device->config, "path"));
	const char *readonly = json_map_true(device->config, "readonly") ? "ro" : NULL;
	static const char *const types[] = {
		"ext4", "xfs", "btrfs", "vfat", "squashfs", "iso9660"
	};
	GError *why = NULL;

	if (g_mkdir_with_parents(at, 0711) < 0) {
		fail_errno(error, errno, "Failed to create \"%s\"", at);
		return NULL;
	}
	mount_remove(at, TRUE, NULL);
	for (gsize i = 0; i < G_N_ELEMENTS(types); i++) {
		g_clear_error(&why);
		if (mount_fs(types[i], source, at, readonly, &why))
			return g_steal_pointer(&at);
	}
	g_propagate_error(error, why);
	return NULL;
}

static gboolean start(const struct device *device, struct device_run *run, GError **error)
{
	const json_t *config = device->config;
	const char *source = device->source ? device->source : json_text(config, "source");
	g_autofree char *mounted = NULL, *how = NULL;
	struct stat st;

	if (is_root(config)) {
		run->readonly_root |= json_map_true(config, "readonly");
		return TRUE;
	}
	if (stat(source, &st) < 0) {
		if (!is_required(config))
			return TRUE;
		return fail(error, 400, "Missing source path \"%s\" for disk \"%s\"", source,
			    device->name);
	}
	if (S_ISBLK(st.st_mode)) {
		mounted = mount_block(device, source, error);
		if (!mounted)
			return FALSE;
		source = mounted;
	}
	how = mount_options(config, S_ISDIR(st.st_mode) || mounted);
	device_run_mount(run, source, json_text(config, "path"), how,
			 json_map_true(config, "shift"));
	return TRUE;
}

static gboolean stop(const struct device *device, struct device_run *run, GError **error)
{
	if (is_root(device->config))
		return fail(error, 400, "Device cannot be stopped when instance is running");
	device_run_mount(run, "none", json_text(device->config, "path"), "", FALSE);
	return TRUE;
}

static void clean(const struct device *device)
{
	g_autofree char *at = device_file(device, "disk", json_text(device->config, "path"));

	if (is_root(device->config) || access(at, F_OK) < 0)
		return;
	mount_remove(at, TRUE, NULL);
	rmdir(at);
}

/* A root disk's size is the volume's affair; nothing here has to change. */
static gboolean update(const struct device *device, const json_t *old, GError **error)
{
	(void)device, (void)old, (void)error;
	return TRUE;
}

const struct device_kind device_disk = {
	.type = "disk",
	.options = options,
	.hotplug = TRUE,
	.check = check,
	.start = start,
	.stop = stop,
	.clean = clean,
	.update = update,
};
