/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of the kinds of devices, and what they have in common. */
#include "drivers/device/device.h"

#include <string.h>

#include "util/error.h"
#include "util/json.h"

static gboolean no_start(const struct device *device, struct device_run *run, GError **error)
{
	(void)device, (void)run, (void)error;
	return TRUE;
}

static void no_clean(const struct device *device)
{
	(void)device;
}

/* Hides a profile's device of the same name. */
const struct device_kind device_none = {
	.type = "none",
	.options = (const struct device_option[]){ { 0 } },
	.hotplug = TRUE,
	.start = no_start,
	.stop = no_start,
	.clean = no_clean,
};

const struct device_kind *const device_kinds[] = {
	&device_none, &device_disk, &device_unix_char, &device_unix_block, &device_nic_p2p, NULL,
};

const struct device_kind *device_kind_of(const json_t *config)
{
	const char *type = json_text(config, "type"), *subtype = json_text(config, "nictype");

	for (const struct device_kind *const *kind = device_kinds; *kind; kind++)
		if (strcmp((*kind)->type, type) == 0 &&
		    (!(*kind)->subtype || strcmp((*kind)->subtype, subtype) == 0))
			return *kind;
	return NULL;
}

static const struct device_option *find_option(const struct device_kind *kind, const char *name)
{
	for (const struct device_option *option = kind->options; option->name; option++)
		if (strcmp(option->name, name) == 0)
			return option;
	return NULL;
}

static gboolean is_selector(const struct device_kind *kind, const char *key)
{
	return strcmp(key, "type") == 0 || (kind->subtype && strcmp(key, "nictype") == 0);
}

gboolean device_check_options(const struct device_kind *kind, const json_t *config, GError **error)
{
	const struct device_option *option;
	const char *key;
	json_t *value;

	for (option = kind->options; option->name; option++) {
		const char *text = json_text(config, option->name);

		if (!*text && option->flags & DEVICE_REQUIRED)
			return fail(error, 400,
				    "Invalid value for device option \"%s\": Required value",
				    option->name);
		if (*text && option->check && !option->check(text, error)) {
			g_prefix_error(error,
				       "Invalid value for device option \"%s\": ", option->name);
			return FALSE;
		}
	}
	json_object_foreach((json_t *)config, key, value)
	{
		if (!is_selector(kind, key) && !find_option(kind, key))
			return fail(error, 400, "Invalid device option \"%s\"", key);
	}
	return TRUE;
}

static gboolean differs_dead(const struct device_kind *kind, const json_t *a, const json_t *b)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)a, key, value)
	{
		const struct device_option *option = find_option(kind, key);

		if (strcmp(json_text(a, key), json_text(b, key)) != 0 &&
		    !(option && option->flags & DEVICE_LIVE))
			return TRUE;
	}
	return FALSE;
}

gboolean device_is_live_change(const struct device_kind *kind, const json_t *old, const json_t *new)
{
	return kind->update && !differs_dead(kind, old, new) && !differs_dead(kind, new, old);
}

/* --- what a start comes to ------------------------------------------------------------- */

struct device_run *device_run_new(void)
{
	struct device_run *run = g_new0(struct device_run, 1);

	run->mounts = g_array_new(FALSE, FALSE, sizeof(struct instance_mount));
	run->devices = g_array_new(FALSE, FALSE, sizeof(struct instance_device));
	run->nics = g_array_new(FALSE, FALSE, sizeof(struct instance_nic));
	run->strings = g_ptr_array_new_with_free_func(g_free);
	run->last = json_object();
	return run;
}

void device_run_free(struct device_run *run)
{
	if (!run)
		return;
	g_array_unref(run->mounts);
	g_array_unref(run->devices);
	g_array_unref(run->nics);
	g_ptr_array_unref(run->strings);
	json_decref(run->last);
	g_free(run);
}

const char *device_run_keep(struct device_run *run, char *text)
{
	g_ptr_array_add(run->strings, text);
	return text;
}

void device_run_mount(struct device_run *run, const char *source, const char *target,
		      const char *options, gboolean shifted)
{
	while (*target == '/')
		target++;
	struct instance_mount mount = {
		.source = device_run_keep(run, g_strdup(source)),
		.target = device_run_keep(run, g_strdup(target)),
		.type = "none",
		.options = device_run_keep(run, g_strdup(options)),
		.shifted = shifted,
	};

	g_array_append_val(run->mounts, mount);
}

static void append_escaped(GString *to, const char *text)
{
	for (; *text; text++) {
		if (*text == '/')
			g_string_append_c(to, '-');
		else if (*text == '-')
			g_string_append(to, "--");
		else
			g_string_append_c(to, *text);
	}
}

char *device_file(const struct device *device, const char *kind, const char *path)
{
	GString *name = g_string_new(device->dir);

	g_string_append_printf(name, "/%s.", kind);
	append_escaped(name, device->name);
	g_string_append_c(name, '.');
	while (*path == '/')
		path++;
	append_escaped(name, path);
	return g_string_free(name, FALSE);
}

/* --- checks ----------------------------------------------------------------------------- */

gboolean device_check_bool(const char *value, GError **error)
{
	static const char *const words[] = { "true", "1", "yes", "on", "false", "0", "no", "off" };

	for (gsize i = 0; i < G_N_ELEMENTS(words); i++)
		if (g_ascii_strcasecmp(words[i], value) == 0)
			return TRUE;
	return fail(error, 400, "Invalid value for a boolean \"%s\"", value);
}

gboolean device_check_number(const char *value, GError **error)
{
	guint64 number;

	if (g_ascii_string_to_unsigned(value, 10, 0, G_MAXUINT32, &number, NULL))
		return TRUE;
	return fail(error, 400, "Invalid value for uint32 \"%s\": invalid syntax", value);
}

gboolean device_check_mode(const char *value, GError **error)
{
	guint64 number;

	if (g_ascii_string_to_unsigned(value, 8, 0, 07777, &number, NULL))
		return TRUE;
	return fail(error, 400, "Invalid value for an octal number \"%s\"", value);
}
