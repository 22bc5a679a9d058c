/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PCI devices, and those among them (or elsewhere) that draw pictures. */
#include <string.h>

#include "core/resources_private.h"

#define CLASS_DISPLAY 0x03
#define VPD_MAX 32768
#define VPD_NAME 0x82	  /* of a large resource: the product's name */
#define VPD_FIELDS 0x90	  /* read-only fields */
#define VPD_FIELDS_W 0x91 /* writable ones */

static gint64 group_of(const char *device)
{
	g_autofree char *group = sys_link(device, "iommu_group");

	return g_ascii_strtoll(group, NULL, 10);
}

/* --- vital product data ----------------------------------------------------------------- */

static char *vpd_text(const guint8 *bytes, gsize len)
{
	g_autofree char *text = g_strndup((const char *)bytes, len);

	return g_utf8_validate(text, -1, NULL) ? g_strdup(g_strchomp(text)) : g_strdup("");
}

/* Two letters, a length, a value; the checksum and what is free for writing is of no interest. */
static void vpd_fields(const guint8 *bytes, gsize len, json_t *entries)
{
	for (gsize at = 0; at + 3 <= len && at + 3 + bytes[at + 2] <= len;
	     at += 3 + bytes[at + 2]) {
		g_autofree char *key = vpd_text(bytes + at, 2);
		g_autofree char *value = vpd_text(bytes + at + 3, bytes[at + 2]);

		if (*key && strcmp(key, "RV") != 0 && strcmp(key, "RW") != 0)
			json_object_set_new(entries, key, json_string(value));
	}
}

static json_t *vpd(const char *device)
{
	g_autofree char *path = g_build_filename(device, "vpd", NULL), *bytes = NULL;
	g_autoptr(json_t) entries = json_object();
	json_t *all = json_object();
	gsize len = 0, size;

	/* a device that has none fails to be read */
	if (!g_file_get_contents(path, &bytes, &len, NULL))
		return all;
	len = MIN(len, VPD_MAX);
	for (gsize at = 0; at + 3 <= len; at += 3 + size) {
		const guint8 *tag = (const guint8 *)bytes + at;

		size = tag[1] | tag[2] << 8;
		if (at + 3 + size > len)
			break;
		if (*tag == VPD_NAME) {
			g_autofree char *name = vpd_text(tag + 3, size);

			sys_set(all, "product_name", name);
		} else if (*tag == VPD_FIELDS || *tag == VPD_FIELDS_W) {
			vpd_fields(tag + 3, size, entries);
		} else {
			break; /* the end, or nothing that the standard knows */
		}
	}
	if (json_object_size(entries) > 0)
		json_object_set(all, "entries", entries);
	return all;
}

/* --- all of them --------------------------------------------------------------------------- */

static json_t *pci_show(const char *root, const char *device, const char *address)
{
	json_t *shown = json_object();
	g_autofree char *vendor = sys_id(device, "vendor"), *product = sys_id(device, "device");

	sys_driver(root, device, TRUE, shown);
	json_object_set_new(shown, "numa_node",
			    json_integer(MAX(sys_number(device, "numa_node", 0), 0)));
	json_object_set_new(shown, "pci_address", json_string(address));
	sys_names_of(root, "pci", vendor, product, TRUE, shown);
	json_object_set_new(shown, "iommu_group", json_integer(group_of(device)));
	json_object_set_new(shown, "vpd", vpd(device));
	return shown;
}

json_t *resources_pci(const char *root)
{
	g_autofree char *dir = g_strconcat(root, "/sys/bus/pci/devices", NULL);
	g_autoptr(GPtrArray) names = sys_names(dir);
	json_t *devices = json_array();

	for (guint i = 0; i < names->len; i++) {
		g_autofree char *device = g_build_filename(dir, names->pdata[i], NULL);

		json_array_append_new(devices, pci_show(root, device, names->pdata[i]));
	}
	return sys_list("devices", devices);
}

/* --- graphics -------------------------------------------------------------------------------- */

static void set_node(json_t *drm, const char *dir, const char *name, const char *kind)
{
	g_autofree char *file = g_build_filename(name, "dev", NULL);
	g_autofree char *device = sys_text(dir, file);
	g_autofree char *key = g_strconcat(kind, "_name", NULL);
	g_autofree char *device_key = g_strconcat(kind, "_device", NULL);

	json_object_set_new(drm, key, json_string(name));
	json_object_set_new(drm, device_key, json_string(device));
}

/* NULL when the device has no nodes. */
static json_t *drm(const char *device)
{
	g_autofree char *dir = g_build_filename(device, "drm", NULL);
	g_autoptr(GPtrArray) names = sys_names(dir);
	json_t *all = json_pack("{s:i, s:s, s:s}", "id", 0, "card_name", "", "card_device", "");

	for (guint i = 0; i < names->len; i++) {
		const char *name = names->pdata[i];

		if (g_str_has_prefix(name, "card")) {
			set_node(all, dir, name, "card");
			json_object_set_new(all, "id",
					    json_integer(g_ascii_strtoll(name + 4, NULL, 10)));
		} else if (g_str_has_prefix(name, "controlD")) {
			set_node(all, dir, name, "control");
		} else if (g_str_has_prefix(name, "render")) {
			set_node(all, dir, name, "render");
		}
	}
	if (names->len > 0)
		return all;
	json_decref(all);
	return NULL;
}

static json_t *card_show(const char *root, const char *device)
{
	json_t *card = json_object(), *nodes = drm(device);
	g_autofree char *vendor = sys_id(device, "vendor"), *product = sys_id(device, "device");

	sys_driver(root, device, FALSE, card);
	if (nodes)
		json_object_set_new(card, "drm", nodes);
	json_object_set_new(card, "numa_node",
			    json_integer(MAX(sys_number(device, "numa_node", 0), 0)));
	sys_addresses(device, card);
	sys_names_of(root, "pci", vendor, product, FALSE, card);
	return card;
}

/* Those on the PCI bus, also without a driver; then those elsewhere that have a card's node. */
json_t *resources_gpu(const char *root)
{
	g_autofree char *pci = g_strconcat(root, "/sys/bus/pci/devices", NULL);
	g_autofree char *class = g_strconcat(root, "/sys/class/drm", NULL);
	g_autoptr(GPtrArray) devices = sys_names(pci), cards = sys_names(class);
	json_t *list = json_array();

	for (guint i = 0; i < devices->len; i++) {
		g_autofree char *device = sys_real(pci, devices->pdata[i]);

		if (device && sys_number(device, "class", 0) >> 16 == CLASS_DISPLAY)
			json_array_append_new(list, card_show(root, device));
	}
	for (guint i = 0; i < cards->len; i++) {
		g_autofree char *link = g_build_filename(cards->pdata[i], "device", NULL);
		g_autofree char *device = sys_real(class, link);
		g_autofree char *on_pci = device ? sys_pci_of(device) : NULL;

		/* "card0" has the nodes, "card0-HDMI-A-1" is a plug */
		if (device && g_str_has_prefix(cards->pdata[i], "card") &&
		    !strchr(cards->pdata[i], '-') && g_strcmp0(device, on_pci) != 0)
			json_array_append_new(list, card_show(root, device));
	}
	return sys_list("cards", list);
}
