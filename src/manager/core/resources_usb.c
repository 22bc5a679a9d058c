/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* USB devices. */
#include <stdlib.h>
#include <string.h>

#include "core/resources_private.h"

#define CLASS_HUB 9

static const char *class_name(gint64 class)
{
	static const struct {
		gint64 class;
		const char *name;
	} names[] = {
		{ 0x00, "(Defined at Interface level)" },
		{ 0x01, "Audio" },
		{ 0x02, "Communications" },
		{ 0x03, "Human Interface Device" },
		{ 0x05, "Physical Interface Device" },
		{ 0x06, "Imaging" },
		{ 0x07, "Printer" },
		{ 0x08, "Mass Storage" },
		{ 0x09, "Hub" },
		{ 0x0a, "CDC Data" },
		{ 0x0b, "Chip/SmartCard" },
		{ 0x0d, "Content Security" },
		{ 0x0e, "Video" },
		{ 0x0f, "Personal Healthcare" },
		{ 0x10, "Audio/Video" },
		{ 0xdc, "Diagnostic" },
		{ 0xe0, "Wireless" },
		{ 0xef, "Miscellaneous Device" },
		{ 0xfe, "Application Specific Interface" },
		{ 0xff, "Vendor Specific Class" },
	};

	for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
		if (names[i].class == class)
			return names[i].name;
	return "";
}

static gint64 hex(const char *dir, const char *name)
{
	g_autofree char *text = sys_text(dir, name);

	return g_ascii_strtoll(text, NULL, 16);
}

static json_t *interface_show(const char *root, const char *dir)
{
	gint64 class = hex(dir, "bInterfaceClass");
	json_t *shown = json_pack("{s:s, s:I}", "class", class_name(class), "class_id",
				  (json_int_t) class);

	sys_driver(root, dir, TRUE, shown);
	json_object_set_new(shown, "number", json_integer(hex(dir, "bInterfaceNumber")));
	json_object_set_new(shown, "subclass", json_string(""));
	json_object_set_new(shown, "subclass_id", json_integer(hex(dir, "bInterfaceSubClass")));
	return shown;
}

/* "1-2:1.0" is below "1-2". */
static json_t *interfaces(const char *root, const char *dir, const char *name)
{
	g_autoptr(GPtrArray) names = sys_names(dir);
	g_autofree char *start = g_strconcat(name, ":", NULL);
	json_t *list = json_array();

	for (guint i = 0; i < names->len; i++) {
		g_autofree char *interface = g_build_filename(dir, names->pdata[i], NULL);

		if (g_str_has_prefix(names->pdata[i], start) &&
		    sys_exists(interface, "bInterfaceClass"))
			json_array_append_new(list, interface_show(root, interface));
	}
	return list;
}

/* The device's own words stand where the list of names has none. */
static void set_names(const char *root, const char *dir, json_t *shown)
{
	static const char *const own[][2] = { { "vendor", "manufacturer" },
					      { "product", "product" } };
	g_autofree char *vendor = sys_id(dir, "idVendor"), *product = sys_id(dir, "idProduct");

	sys_names_of(root, "usb", vendor, product, TRUE, shown);
	for (gsize i = 0; i < G_N_ELEMENTS(own); i++) {
		g_autofree char *text = sys_text(dir, own[i][1]);

		if (!*json_text(shown, own[i][0]))
			json_object_set_new(shown, own[i][0], json_string(text));
	}
}

static json_t *device_show(const char *root, const char *dir, const char *name)
{
	g_autofree char *speed = sys_text(dir, "speed");
	json_t *shown = json_pack(
		"{s:I, s:I, s:o, s:f}", "bus_address", (json_int_t)sys_number(dir, "busnum", 0),
		"device_address", (json_int_t)sys_number(dir, "devnum", 0), "interfaces",
		interfaces(root, dir, name), "speed", g_ascii_strtod(speed, NULL));

	set_names(root, dir, shown);
	return shown;
}

json_t *resources_usb(const char *root)
{
	g_autofree char *base = g_strconcat(root, "/sys/bus/usb/devices", NULL);
	g_autoptr(GPtrArray) names = sys_names(base);
	json_t *devices = json_array();

	for (guint i = 0; i < names->len; i++) {
		g_autofree char *dir = g_build_filename(base, names->pdata[i], NULL);

		if (sys_exists(dir, "bDeviceClass") && hex(dir, "bDeviceClass") != CLASS_HUB)
			json_array_append_new(devices, device_show(root, dir, names->pdata[i]));
	}
	return sys_list("devices", devices);
}
