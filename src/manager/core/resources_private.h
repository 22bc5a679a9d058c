/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of core/resources share: short reads of small files, and names of devices. */
#pragma once

#include <glib.h>

#include "util/json.h"

/* The words of a small file without the space around them, "" when there are none. g_free. */
char *sys_text(const char *dir, const char *name);
/* A number of any base, OTHERWISE when there is none. */
gint64 sys_number(const char *dir, const char *name, gint64 otherwise);
/* The last part of what a link leads to, "" without one. g_free. */
char *sys_link(const char *dir, const char *name);
/* Where a link leads in the end, NULL without one. g_free. */
char *sys_real(const char *dir, const char *name);
gboolean sys_exists(const char *dir, const char *name);
/* The names in a directory in the order of the numbers in them. g_ptr_array_unref. */
GPtrArray *sys_names(const char *dir);
/* The number after "KEY:" in a file like /proc/meminfo; LINE starts with PREFIX. */
guint64 sys_meminfo(const char *text, const char *prefix, const char *key);

/* Sets a text unless it is "". */
void sys_set(json_t *object, const char *key, const char *value);

/* The id of a device in /sys ("0x8086") as it is shown ("8086"). g_free. */
char *sys_id(const char *dir, const char *name);

/* "driver" and "driver_version" of a device; ALWAYS: also when they are empty. */
void sys_driver(const char *root, const char *device, gboolean always, json_t *object);

/* "vendor", "vendor_id", "product", "product_id" by a list of names ("pci", "usb"). */
void sys_names_of(const char *root, const char *list, const char *vendor, const char *product,
		  gboolean always, json_t *object);

/* The nearest PCI device at or above a device's real path; NULL for none. g_free. */
char *sys_pci_of(const char *real);
/* The same of a USB device: its directory. */
char *sys_usb_of(const char *real);
/* Sets "pci_address" and "usb_address" of what is at a real path. */
void sys_addresses(const char *real, json_t *object);

/* {"total", KEY} of a list, which is taken over. */
json_t *sys_list(const char *key, json_t *list);

json_t *resources_cpu(const char *root);
json_t *resources_memory(const char *root);
json_t *resources_gpu(const char *root);
json_t *resources_network(const char *root);
json_t *resources_storage(const char *root);
json_t *resources_usb(const char *root);
json_t *resources_pci(const char *root);
json_t *resources_system(const char *root);
