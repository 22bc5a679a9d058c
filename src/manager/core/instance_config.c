/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an instance's configuration must be like, and what the daemon adds to it. */
#include <string.h>

#include "core/config_keys.h"
#include "core/device.h"
#include "core/instances_private.h"
#include "core/profile.h"
#include "core/project.h"
#include "db/instance.h"

#define MAC_PREFIX "00:16:3e" /* of all virtual interfaces that the daemon names */

const json_t *instance_root_disk(const json_t *devices, const char **ret_name, GError **error)
{
	const json_t *root = NULL;
	const char *name;
	json_t *device;

	json_object_foreach((json_t *)devices, name, device)
	{
		if (strcmp(json_text(device, "type"), "disk") != 0 ||
		    strcmp(json_text(device, "path"), "/") != 0 || *json_text(device, "source"))
			continue;
		if (root) {
			fail(error, 400, "More than one disk device has \"/\" as its path");
			return NULL;
		}
		root = device;
		if (ret_name)
			*ret_name = name;
	}
	if (!root)
		fail(error, 400, "No root device could be found");
	return root;
}

/* What a running or existing instance needs of its root disk cannot go away under it. */
static gboolean check_root(const struct instance *inst, const struct instance *old, GError **error)
{
	const json_t *root = instance_root_disk(inst->expanded_devices, NULL, error);

	if (!root) {
		g_prefix_error(error, "Failed getting root disk: ");
		return FALSE;
	}
	if (!*json_text(root, "pool"))
		return fail(error, 400, "Root disk entry must have a \"pool\" property set");
	if (old && old->pool && strcmp(old->pool, json_text(root, "pool")) != 0)
		return fail(error, 400,
			    "The storage pool of the root disk can only be changed through"
			    " move");
	return TRUE;
}

static gboolean check_devices(const struct instance *inst, const struct instance *old,
			      GError **error)
{
	g_autoptr(json_t) fresh = json_object();
	const char *name;
	json_t *device;

	if (!devices_check(inst->expanded_devices, error))
		return FALSE;
	json_object_foreach(inst->expanded_devices, name, device)
	{
		const json_t *was = old ? json_object_get(old->expanded_devices, name) : NULL;

		if (!was || !json_equal(was, device))
			json_object_set(fresh, name, device);
	}
	return devices_check_host(inst, fresh, error);
}

gboolean instance_check(const struct instance *inst, const struct instance *old, GError **error)
{
	return config_keys_check_instance(inst->config, FALSE, error) &&
	       config_keys_check_instance(inst->expanded_config, TRUE, error) &&
	       check_root(inst, old, error) && check_devices(inst, old, error) &&
	       project_check_instance(inst->daemon->db, inst->project, inst->name,
				      inst->expanded_config, inst->expanded_devices, error);
}

/* --- ids ------------------------------------------------------------------------------- */

static gint64 number_of(const json_t *map, const char *key, gint64 without)
{
	const char *text = json_text(map, key);

	return *text ? g_ascii_strtoll(text, NULL, 10) : without;
}

/* What the other isolated instances have; NULL is an error. */
static GArray *taken_by_others(const struct instance *inst, GError **error)
{
	g_autoptr(GPtrArray) all = instance_load_all(inst->daemon, NULL, error);
	GArray *taken;

	if (!all)
		return NULL;
	taken = g_array_new(FALSE, FALSE, sizeof(struct idmap_taken));
	for (guint i = 0; i < all->len; i++) {
		const struct instance *other = all->pdata[i];
		struct idmap_taken part = {
			.base = number_of(other->config, "volatile.idmap.base", 0),
			.size = number_of(other->expanded_config, "security.idmap.size",
					  IDMAP_ISOLATED_SIZE),
		};

		if (other->id != inst->id && part.base > 0 &&
		    json_map_true(other->expanded_config, "security.idmap.isolated"))
			g_array_append_val(taken, part);
	}
	return taken;
}

static struct idmap *allocate(const struct instance *inst, gboolean keep_base, gint64 *ret_base,
			      GError **error)
{
	const json_t *config = inst->expanded_config;
	gboolean isolated = json_map_true(config, "security.idmap.isolated");
	gint64 kept = keep_base ? number_of(inst->config, "volatile.idmap.base", 0) : 0;
	g_autoptr(GArray) taken = isolated ? taken_by_others(inst, error) : NULL;
	struct idmap_host host = { 0 };
	struct idmap_request request = {
		.isolated = isolated,
		.base = number_of(config, "security.idmap.base", kept > 0 ? kept : -1),
		.size = number_of(config, "security.idmap.size", 0),
		.raw = json_text(config, "raw.idmap"),
	};

	if (isolated && !taken)
		return NULL;
	if (taken) {
		request.taken = (const struct idmap_taken *)(void *)taken->data;
		request.n_taken = taken->len;
	}
	idmap_host_read("", &host);
	return idmap_allocate(&host, &request, ret_base, error);
}

gboolean instance_allocate_idmap(struct instance *inst, gboolean keep_base, GError **error)
{
	g_autoptr(idmap_t) idmap = NULL;
	g_autofree char *text = NULL;
	char base_text[24];
	gint64 base = 0;

	if (!instance_is_privileged(inst)) {
		idmap = allocate(inst, keep_base, &base, error);
		if (!idmap)
			return FALSE;
	}
	text = idmap_print(idmap);
	g_snprintf(base_text, sizeof base_text, "%" G_GINT64_FORMAT, base);
	json_map_set(inst->config, "volatile.idmap.base", base_text);
	json_map_set(inst->config, "volatile.idmap.next", text);
	json_map_set(inst->expanded_config, "volatile.idmap.base", base_text);
	json_map_set(inst->expanded_config, "volatile.idmap.next", text);
	return TRUE;
}

/* --- network interfaces ------------------------------------------------------------------ */

static gboolean is_name_taken(const struct instance *inst, const char *name)
{
	const char *device;
	json_t *config;

	json_object_foreach(inst->expanded_devices, device, config)
	{
		g_autoptr(json_t) filled = device_filled(inst, device, config);

		if (strcmp(json_text(config, "type"), "nic") == 0 &&
		    strcmp(json_text(filled, "name"), name) == 0)
			return TRUE;
	}
	return FALSE;
}

static char *free_name(const struct instance *inst)
{
	for (guint i = 0;; i++) {
		char *name = g_strdup_printf("eth%u", i);

		if (!is_name_taken(inst, name))
			return name;
		g_free(name);
	}
}

static void fill(struct instance *inst, const char *device, const char *what, char *value)
{
	g_autofree char *key = g_strdup_printf("volatile.%s.%s", device, what);

	json_map_set(inst->config, key, value);
	json_map_set(inst->expanded_config, key, value);
	g_free(value);
}

gboolean instance_fill_nics(struct instance *inst, GError **error)
{
	g_autoptr(GPtrArray) names = devices_sorted(inst->expanded_devices);

	(void)error;
	for (guint i = 0; i < names->len; i++) {
		const json_t *config = json_object_get(inst->expanded_devices, names->pdata[i]);
		g_autoptr(json_t) filled = device_filled(inst, names->pdata[i], config);
		guint32 random = g_random_int();

		if (strcmp(json_text(config, "type"), "nic") != 0)
			continue;
		if (!*json_text(filled, "hwaddr"))
			fill(inst, names->pdata[i], "hwaddr",
			     g_strdup_printf(MAC_PREFIX ":%02x:%02x:%02x", random & 255,
					     random >> 8 & 255, random >> 16 & 255));
		if (!*json_text(filled, "name"))
			fill(inst, names->pdata[i], "name", free_name(inst));
	}
	return TRUE;
}

/* --- what a copy keeps -------------------------------------------------------------------- */

json_t *instance_config_for_copy(const json_t *config, gboolean local)
{
	json_t *copy = json_object();
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)config, key, value)
	{
		if (!g_str_has_prefix(key, "volatile.") ||
		    strcmp(key, "volatile.base_image") == 0 ||
		    (local && strcmp(key, "volatile.last_state.idmap") == 0))
			json_object_set(copy, key, value);
	}
	return copy;
}
