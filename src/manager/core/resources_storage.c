/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Disks and their partitions. */
#include <stdlib.h>
#include <string.h>

#include "core/resources_private.h"

#define SECTOR 512 /* of "size" in /sys, whatever the disk's own are */

/* A property that udev found, "" without. g_free. */
static char *udev(const char *root, const char *number, const char *key)
{
	g_autofree char *dir = g_strconcat(root, "/run/udev/data", NULL);
	g_autofree char *name = g_strconcat("b", number, NULL);
	g_autofree char *text = sys_text(dir, name);
	g_autofree char *start = g_strdup_printf("E:%s=", key);
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

	for (char **line = lines; *line; line++)
		if (g_str_has_prefix(*line, start))
			return g_strdup(*line + strlen(start));
	return g_strdup("");
}

/* The first name below /dev/disk/KIND that leads to the disk, "" without. g_free. */
static char *name_by(const char *root, const char *kind, const char *disk)
{
	g_autofree char *dir = g_strdup_printf("%s/dev/disk/%s", root, kind);
	g_autoptr(GPtrArray) names = sys_names(dir);

	for (guint i = 0; i < names->len; i++) {
		g_autofree char *target = sys_link(dir, names->pdata[i]);

		if (strcmp(target, disk) == 0)
			return g_strdup(names->pdata[i]);
	}
	return g_strdup("");
}

static json_t *partition_show(const char *dir, const char *name)
{
	g_autofree char *device = sys_text(dir, "dev");

	return json_pack("{s:s, s:s, s:b, s:I, s:I}", "id", name, "device", device, "read_only",
			 (int)(sys_number(dir, "ro", 0) == 1), "size",
			 (json_int_t)sys_number(dir, "size", 0) * SECTOR, "partition",
			 (json_int_t)sys_number(dir, "partition", 0));
}

static json_t *partitions(const char *disk)
{
	g_autoptr(GPtrArray) names = sys_names(disk);
	json_t *list = json_array();

	for (guint i = 0; i < names->len; i++) {
		g_autofree char *dir = g_build_filename(disk, names->pdata[i], NULL);

		if (sys_exists(dir, "partition"))
			json_array_append_new(list, partition_show(dir, names->pdata[i]));
	}
	return list;
}

/* What it hangs on. */
static char *type_of(const char *disk, const char *real)
{
	g_autofree char *usb = sys_usb_of(real);
	gboolean is_cd = sys_number(disk, "device/type", -1) == 5; /* of SCSI */

	if (is_cd)
		return g_strdup("cdrom");
	return usb ? g_strdup("usb") : sys_link(disk, "device/subsystem");
}

static void set_identity(const char *root, const char *disk, const char *name, json_t *shown)
{
	g_autofree char *number = sys_text(disk, "dev");
	g_autofree char *model = sys_text(disk, "device/model");
	g_autofree char *wwn = sys_text(disk, "wwid"),
			*serial = udev(root, number, "ID_SERIAL_SHORT");
	g_autofree char *firmware = sys_text(disk, "device/firmware_rev");
	g_autofree char *id = name_by(root, "by-id", name), *path = name_by(root, "by-path", name);

	if (!*wwn) {
		g_free(wwn);
		wwn = udev(root, number, "ID_WWN");
	}
	if (!*firmware) {
		g_free(firmware);
		firmware = sys_text(disk, "device/rev");
	}
	json_object_set_new(shown, "device", json_string(number));
	json_object_set_new(shown, "device_id", json_string(id));
	sys_set(shown, "model", model);
	sys_set(shown, "wwn", wwn);
	sys_set(shown, "serial", serial);
	sys_set(shown, "firmware_version", firmware);
	sys_set(shown, "device_path", path);
}

static json_t *disk_show(const char *root, const char *disk, const char *name)
{
	g_autofree char *real = sys_real(disk, "device");
	g_autofree char *pci = sys_pci_of(real), *type = type_of(disk, real);
	json_t *shown = json_pack("{s:s, s:b, s:I, s:b, s:I, s:I, s:I, s:o}", "id", name,
				  "read_only", (int)(sys_number(disk, "ro", 0) == 1), "size",
				  (json_int_t)sys_number(disk, "size", 0) * SECTOR, "removable",
				  (int)(sys_number(disk, "removable", 0) == 1), "numa_node",
				  (json_int_t)MAX(sys_number(pci ? pci : real, "numa_node", 0), 0),
				  "block_size",
				  (json_int_t)sys_number(disk, "queue/physical_block_size", 0),
				  "rpm", (json_int_t)sys_number(disk, "queue/rotational", 0),
				  "partitions", partitions(disk));

	sys_set(shown, "type", type);
	set_identity(root, disk, name, shown);
	sys_addresses(real, shown);
	return shown;
}

/* A disk that is made of others or of a file has no device. */
json_t *resources_storage(const char *root)
{
	g_autofree char *dir = g_strconcat(root, "/sys/class/block", NULL);
	g_autoptr(GPtrArray) names = sys_names(dir);
	json_t *disks = json_array();
	gint64 total = 0;
	const json_t *disk;
	size_t i;

	for (guint n = 0; n < names->len; n++) {
		g_autofree char *path = g_build_filename(dir, names->pdata[n], NULL);

		if (sys_exists(path, "device") && !sys_exists(path, "partition"))
			json_array_append_new(disks, disk_show(root, path, names->pdata[n]));
	}
	json_array_foreach(disks, i, disk)
		total += 1 + (gint64)json_array_size(json_object_get(disk, "partitions"));
	return json_pack("{s:o, s:I}", "disks", disks, "total", (json_int_t)total);
}
