/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The machine's hardware: the whole, and the reads that all its parts have in common. */
#include "core/resources.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "core/resources_private.h"

json_t *resources_show(const char *root)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "cpu", resources_cpu(root),
			 "memory", resources_memory(root), "gpu", resources_gpu(root), "network",
			 resources_network(root), "storage", resources_storage(root), "usb",
			 resources_usb(root), "pci", resources_pci(root), "system",
			 resources_system(root));
}

/* --- small files ------------------------------------------------------------------------ */

char *sys_text(const char *dir, const char *name)
{
	g_autofree char *path = g_build_filename(dir, name, NULL);
	char *text = NULL;

	if (!g_file_get_contents(path, &text, NULL, NULL) || !g_utf8_validate(text, -1, NULL)) {
		g_free(text);
		return g_strdup("");
	}
	return g_strstrip(text);
}

gint64 sys_number(const char *dir, const char *name, gint64 otherwise)
{
	g_autofree char *text = sys_text(dir, name);
	char *end;
	gint64 value = g_ascii_strtoll(text, &end, 0);

	return end != text ? value : otherwise;
}

char *sys_link(const char *dir, const char *name)
{
	g_autofree char *path = g_build_filename(dir, name, NULL);
	g_autofree char *target = g_file_read_link(path, NULL);

	return target ? g_path_get_basename(target) : g_strdup("");
}

char *sys_real(const char *dir, const char *name)
{
	g_autofree char *path = g_build_filename(dir, name, NULL);
	char *real = realpath(path, NULL);
	char *copy = g_strdup(real);

	free(real);
	return copy;
}

gboolean sys_exists(const char *dir, const char *name)
{
	g_autofree char *path = g_build_filename(dir, name, NULL);

	return g_file_test(path, G_FILE_TEST_EXISTS);
}

static int by_version(const void *a, const void *b)
{
	return strverscmp(*(const char *const *)a, *(const char *const *)b);
}

GPtrArray *sys_names(const char *dir)
{
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
	GDir *stream = g_dir_open(dir, 0, NULL);
	const char *name;

	while (stream && (name = g_dir_read_name(stream)))
		g_ptr_array_add(names, g_strdup(name));
	if (stream)
		g_dir_close(stream);
	g_ptr_array_sort(names, by_version);
	return names;
}

guint64 sys_meminfo(const char *text, const char *prefix, const char *key)
{
	g_autofree char *start = g_strdup_printf("%s%s:", prefix, key);
	gsize len = strlen(start);

	for (const char *line = text; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, start, len) == 0)
			return g_ascii_strtoull(line + len, NULL, 10);
	}
	return 0;
}

void sys_set(json_t *object, const char *key, const char *value)
{
	if (*value)
		json_object_set_new(object, key, json_string(value));
}

json_t *sys_list(const char *key, json_t *list)
{
	gint64 total = (gint64)json_array_size(list);

	return json_pack("{s:o, s:I}", key, list, "total", total);
}

/* --- devices ------------------------------------------------------------------------------ */

char *sys_id(const char *dir, const char *name)
{
	g_autofree char *text = sys_text(dir, name);

	return g_strdup(g_str_has_prefix(text, "0x") ? text + 2 : text);
}

/* A driver without a version of its own has the kernel's. */
void sys_driver(const char *root, const char *device, gboolean always, json_t *object)
{
	g_autofree char *driver = sys_link(device, "driver");
	g_autofree char *version = sys_text(device, "driver/module/version");
	struct utsname uts = { 0 };

	if (!*version && *driver && *root == '\0' && uname(&uts) == 0) {
		g_free(version);
		version = g_strdup(uts.release);
	}
	if (always || *driver)
		json_object_set_new(object, "driver", json_string(driver));
	if (always || *version)
		json_object_set_new(object, "driver_version", json_string(version));
}

/* The name after "ID  " on a line that starts with INDENT, from TEXT to the end of its block. */
static char *find_name(const char *text, const char *indent, const char *id, const char **ret_rest)
{
	g_autofree char *start = g_strdup_printf("\n%s%s  ", indent, id);
	const char *line = text ? strstr(text, start) : NULL;
	const char *end;

	*ret_rest = NULL;
	if (!line)
		return g_strdup("");
	line += strlen(start);
	end = line + strcspn(line, "\n");
	*ret_rest = end;
	return g_strndup(line, end - line);
}

/* Cuts off what follows the lines of one vendor, which all start with a tab. */
static char *block_of(const char *rest)
{
	const char *end = rest;

	while (end && *end == '\n' && end[1] == '\t')
		end += 1 + strcspn(end + 1, "\n");
	return rest ? g_strndup(rest, end - rest) : NULL;
}

static char *read_names(const char *root, const char *list)
{
	static const char *const dirs[] = { "/usr/share/misc", "/usr/share/hwdata" };

	for (gsize i = 0; i < G_N_ELEMENTS(dirs); i++) {
		g_autofree char *path = g_strdup_printf("%s%s/%s.ids", root, dirs[i], list);
		char *text;

		if (g_file_get_contents(path, &text, NULL, NULL))
			return text;
	}
	return NULL;
}

void sys_names_of(const char *root, const char *list, const char *vendor, const char *product,
		  gboolean always, json_t *object)
{
	g_autofree char *text = *vendor ? read_names(root, list) : NULL;
	const char *rest;
	g_autofree char *vendor_name = find_name(text, "", vendor, &rest);
	g_autofree char *block = block_of(rest);
	g_autofree char *product_name = find_name(block, "\t", product, &rest);
	const char *const pairs[][2] = { { "vendor", vendor_name },
					 { "vendor_id", vendor },
					 { "product", product_name },
					 { "product_id", product } };

	for (gsize i = 0; i < G_N_ELEMENTS(pairs); i++)
		if (always || *pairs[i][1])
			json_object_set_new(object, pairs[i][0], json_string(pairs[i][1]));
}

/* The nearest directory at or above REAL whose subsystem is SUBSYSTEM and that has FILE. */
static char *above(const char *real, const char *subsystem, const char *file)
{
	g_autofree char *dir = g_strdup(real);

	while (dir && strlen(dir) > 1) {
		g_autofree char *name = sys_link(dir, "subsystem");
		char *up;

		if (strcmp(name, subsystem) == 0 && sys_exists(dir, file))
			return g_steal_pointer(&dir);
		up = g_path_get_dirname(dir);
		g_free(dir);
		dir = up;
	}
	return NULL;
}

char *sys_pci_of(const char *real)
{
	return above(real, "pci", "vendor");
}

char *sys_usb_of(const char *real)
{
	return above(real, "usb", "busnum");
}

void sys_addresses(const char *real, json_t *object)
{
	g_autofree char *pci = sys_pci_of(real);
	g_autofree char *usb = sys_usb_of(real);
	g_autofree char *name = pci ? g_path_get_basename(pci) : NULL;

	if (name)
		json_object_set_new(object, "pci_address", json_string(name));
	if (usb)
		json_object_set_new(object, "usb_address",
				    json_sprintf("%" G_GINT64_FORMAT ":%" G_GINT64_FORMAT,
						 sys_number(usb, "busnum", 0),
						 sys_number(usb, "devnum", 0)));
}
