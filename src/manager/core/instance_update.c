/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Changes of an instance: in its rows and in what runs, or in neither. */
#include <string.h>

#include "core/balance.h"
#include "core/config_keys.h"
#include "core/device.h"
#include "core/instances_private.h"
#include "db/instance.h"
#include "util/units.h"

/* What only the daemon knows rightly: a client that sends back what it read must not undo it. */
static gboolean is_owned(const char *key)
{
	static const char *const prefixes[] = { "volatile.idmap.", "volatile.last_state.",
						"volatile.uuid" };

	for (gsize i = 0; i < G_N_ELEMENTS(prefixes); i++)
		if (g_str_has_prefix(key, prefixes[i]))
			return TRUE;
	return g_str_has_prefix(key, "volatile.") && g_str_has_suffix(key, ".host_name");
}

static json_t *merge_owned(const json_t *wanted, const json_t *now)
{
	json_t *map = json_object();
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)wanted, key, value)
	{
		if (!is_owned(key))
			json_object_set(map, key, value);
	}
	json_object_foreach((json_t *)now, key, value)
	{
		if (is_owned(key))
			json_object_set(map, key, value);
	}
	return map;
}

static json_t *check_devices_shape(const json_t *devices, GError **error)
{
	json_t *copy = json_object(), *device;
	const char *name;

	if (devices && !json_is_null(devices) && !json_is_object(devices)) {
		json_decref(copy);
		fail(error, 400, "devices must be a map");
		return NULL;
	}
	json_object_foreach((json_t *)devices, name, device)
	{
		json_t *map = json_map_check(device, "device", error);

		if (!map) {
			json_decref(copy);
			return NULL;
		}
		json_object_set_new(copy, name, map);
	}
	return copy;
}

static gboolean replace(json_t **to, json_t *value)
{
	if (!value)
		return FALSE;
	json_decref(*to);
	*to = value;
	return TRUE;
}

static void replace_text(char **to, const json_t *wanted, const char *key)
{
	const char *text = json_string_value(json_object_get(wanted, key));

	if (!text)
		return;
	g_free(*to);
	*to = g_strdup(text);
}

static gboolean take_config(struct instance *inst, const json_t *wanted, gboolean user,
			    GError **error)
{
	const json_t *config = json_object_get(wanted, "config");
	g_autoptr(json_t) map = json_map_check(config, "config", error);

	if (!map)
		return FALSE;
	return replace(&inst->config, user ? merge_owned(map, inst->config) : json_incref(map));
}

/* What WANTED says goes into the picture. */
static gboolean take_wanted(struct instance *inst, const json_t *wanted, gboolean user,
			    GError **error)
{
	const json_t *profiles = json_object_get(wanted, "profiles");
	const json_t *devices = json_object_get(wanted, "devices");
	const char *architecture = json_text(wanted, "architecture");

	if (*architecture && !db_architecture(architecture))
		return fail(error, 400, "Architecture isn't supported: %s", architecture);
	if (*architecture)
		replace_text(&inst->architecture, wanted, "architecture");
	replace_text(&inst->description, wanted, "description");
	if (json_is_boolean(json_object_get(wanted, "ephemeral")))
		inst->ephemeral = json_is_true(json_object_get(wanted, "ephemeral"));
	if (json_is_boolean(json_object_get(wanted, "stateful")))
		inst->stateful = json_is_true(json_object_get(wanted, "stateful"));
	if (profiles && !json_is_null(profiles) && !json_is_array(profiles))
		return fail(error, 400, "profiles must be a list");
	if (json_is_array(profiles))
		replace(&inst->profiles, json_deep_copy(profiles));
	if (json_object_get(wanted, "config") && !take_config(inst, wanted, user, error))
		return FALSE;
	if (devices && !replace(&inst->devices, check_devices_shape(devices, error)))
		return FALSE;
	return instance_expand(inst, error);
}

/* --- what follows from it ---------------------------------------------------------------- */

/* Keys of which one begins with PREFIX. */
static gboolean any_begins(const GPtrArray *keys, const char *const *prefixes)
{
	for (guint i = 0; i < keys->len; i++)
		for (const char *const *prefix = prefixes; *prefix; prefix++)
			if (g_str_has_prefix(keys->pdata[i], *prefix))
				return TRUE;
	return FALSE;
}

static gboolean has_flag(const GPtrArray *keys, unsigned flag, const char **ret_key)
{
	for (guint i = 0; i < keys->len; i++) {
		const struct config_key *key = config_keys_find(config_keys_instance,
								keys->pdata[i]);

		if (key && key->flags & flag) {
			if (ret_key)
				*ret_key = keys->pdata[i];
			return TRUE;
		}
	}
	return FALSE;
}

static void note_nics(GString *names, const struct instance *inst)
{
	g_autoptr(GPtrArray) devices = devices_sorted(inst->expanded_devices);

	for (guint i = 0; i < devices->len; i++) {
		const json_t *config = json_object_get(inst->expanded_devices, devices->pdata[i]);
		g_autoptr(json_t) filled = device_filled(inst, devices->pdata[i], config);

		if (strcmp(json_text(config, "type"), "nic") == 0)
			g_string_append_printf(names, "%s,", json_text(filled, "name"));
	}
}

/* cloud-init takes it for another instance when what it is told has changed. */
static void renew_cloud_id(struct instance *inst, const struct instance *old,
			   const GPtrArray *changed)
{
	static const char *const prefixes[] = { "cloud-init.", "user.user-data", "user.vendor-data",
						"user.network-config", NULL };
	g_autoptr(GString) before = g_string_new(NULL);
	g_autoptr(GString) after = g_string_new(NULL);
	g_autofree char *id = new_uuid();

	note_nics(before, old);
	note_nics(after, inst);
	if (!any_begins(changed, prefixes) && g_string_equal(before, after))
		return;
	json_map_set(inst->config, "volatile.cloud-init.instance-id", id);
	json_map_set(inst->expanded_config, "volatile.cloud-init.instance-id", id);
}

/* volatile.<device>.* of devices that there are no more. */
static void forget_devices(struct instance *inst, const struct instance *old)
{
	const char *name, *key;
	json_t *device, *value;
	void *next;

	json_object_foreach(old->expanded_devices, name, device)
	{
		g_autofree char *prefix = g_strdup_printf("volatile.%s.", name);
		const json_t *now = json_object_get(inst->expanded_devices, name);

		if (now && strcmp(json_text(now, "type"), json_text(device, "type")) == 0)
			continue;
		json_object_foreach_safe(inst->config, next, key, value)
		{
			if (g_str_has_prefix(key, prefix)) {
				json_object_del(inst->expanded_config, key);
				json_object_del(inst->config, key);
			}
		}
	}
}

static gboolean settle(struct instance *inst, const struct instance *old, gboolean running,
		       const GPtrArray *changed, GError **error)
{
	const char *key = NULL;

	if (running && has_flag(changed, CONFIG_RESTART, &key))
		return fail(error, 400,
			    "Key \"%s\" cannot be changed while the instance is running", key);
	forget_devices(inst, old);
	if (!instance_fill_nics(inst, error) || !instance_check(inst, old, error))
		return FALSE;
	renew_cloud_id(inst, old, changed);
	return !has_flag(changed, CONFIG_IDMAP, NULL) || instance_allocate_idmap(inst, TRUE, error);
}

/* --- what runs ------------------------------------------------------------------------------ */

static gboolean apply_key(struct instance *inst, const char *key, GError **error)
{
	struct instance_spec *spec = instance_spec_new(inst, error);
	g_autofree char *cpus = NULL;
	gboolean ok;

	if (!spec)
		return FALSE;
	cpus = balance_choose(inst);
	spec->cpus = cpus;
	ok = inst->driver->limit(spec, key, error);
	instance_spec_free(spec);
	return ok;
}

static gboolean is_limit(const char *key)
{
	const struct config_key *row = config_keys_find(config_keys_instance, key);

	return row && row->flags & CONFIG_LIVE && g_str_has_prefix(key, "limits.");
}

/* The limits of NEW; those of OLD again when one cannot be had. */
static gboolean apply_limits(struct instance *old, struct instance *new, const GPtrArray *changed,
			     GError **error)
{
	for (guint i = 0; i < changed->len; i++) {
		if (!is_limit(changed->pdata[i]) || apply_key(new, changed->pdata[i], error))
			continue;
		for (guint j = i + 1; j-- > 0;)
			if (is_limit(changed->pdata[j]))
				apply_key(old, changed->pdata[j], NULL);
		return FALSE;
	}
	return TRUE;
}

static void undo_limits(struct instance *old, const GPtrArray *changed)
{
	for (guint i = changed->len; i-- > 0;)
		if (is_limit(changed->pdata[i]))
			apply_key(old, changed->pdata[i], NULL);
}

static gboolean resize_root(struct instance *inst, const struct instance *old, GError **error)
{
	const json_t *now = instance_root_disk(inst->expanded_devices, NULL, NULL);
	const json_t *was = instance_root_disk(old->expanded_devices, NULL, NULL);
	struct volume_ref ref = instance_volume(inst);
	gint64 size = 0;

	if (strcmp(json_text(now, "size"), json_text(was, "size")) == 0)
		return TRUE;
	return units_size(json_text(now, "size"), &size, error) &&
	       volume_resize(inst->daemon, &ref, (guint64)size, error);
}

/* What a hot-plugged device made the daemon remember is in the rows already, but not in INST. */
static gboolean change_devices(struct instance *inst, struct instance *old, GError **error)
{
	const char *key;
	json_t *value;

	if (!devices_change(old, old->expanded_devices, inst->expanded_devices, error))
		return FALSE;
	json_object_foreach(old->config, key, value)
	{
		if (g_str_has_suffix(key, ".host_name"))
			json_object_set(inst->config, key, value);
	}
	return TRUE;
}

static gboolean apply(struct instance *inst, struct instance *old, const GPtrArray *changed,
		      GError **error)
{
	if (!apply_limits(old, inst, changed, error))
		return FALSE;
	/* Devices are plugged with the volatile names that they are to have. */
	json_object_update_missing(old->config, inst->config);
	if (change_devices(inst, old, error))
		return TRUE;
	undo_limits(old, changed);
	return FALSE;
}

static gboolean update_locked(struct instance *inst, const json_t *wanted, gboolean user,
			      const struct requestor *who, GError **error)
{
	g_autoptr(instance_t) old = NULL;
	g_autoptr(GPtrArray) changed = NULL;
	gboolean running;

	if (!instance_reload(inst, error))
		return FALSE;
	old = instance_load(inst->daemon, inst->project, inst->name, error);
	if (!old || !take_wanted(inst, wanted, user, error))
		return FALSE;
	running = instance_is_running(inst);
	changed = config_keys_changed(old->expanded_config, inst->expanded_config);
	if (!settle(inst, old, running, changed, error) || !resize_root(inst, old, error) ||
	    (running && !apply(inst, old, changed, error)))
		return FALSE;
	if (!instance_save(inst, error)) {
		if (running) {
			undo_limits(old, changed);
			devices_change(old, inst->expanded_devices, old->expanded_devices, NULL);
		}
		return FALSE;
	}
	if (running && strcmp(json_text(old->expanded_config, "limits.cpu"),
			      json_text(inst->expanded_config, "limits.cpu")) != 0)
		balance_apply(inst->daemon);
	instance_event(inst, "instance-updated", NULL, who);
	return TRUE;
}

gboolean instance_update(struct instance *inst, const json_t *wanted, gboolean user,
			 const struct requestor *who, GError **error)
{
	GError *why = NULL;
	gboolean ok;

	if (!instance_lock(inst->daemon, inst->project, inst->name, "update", NULL, error))
		return FALSE;
	ok = update_locked(inst, wanted, user, who, &why);
	instance_unlock(inst->daemon, inst->project, inst->name, why);
	if (why)
		g_propagate_error(error, why);
	return ok;
}

/* --- profiles --------------------------------------------------------------------------------- */

/* The rows of the profile are new already: OLD is what INST was made of with the old ones. */
static gboolean follow_profile(struct instance *old, GError **error)
{
	g_autoptr(instance_t) inst = instance_load(old->daemon, old->project, old->name, error);
	g_autoptr(GPtrArray) changed = NULL;
	gboolean running;

	if (!inst)
		return FALSE;
	running = instance_is_running(inst);
	changed = config_keys_changed(old->expanded_config, inst->expanded_config);
	if (!settle(inst, old, FALSE, changed, error) || !resize_root(inst, old, error) ||
	    (running && !apply(inst, old, changed, error)) || !instance_save(inst, error))
		return FALSE;
	if (running && strcmp(json_text(old->expanded_config, "limits.cpu"),
			      json_text(inst->expanded_config, "limits.cpu")) != 0)
		balance_apply(inst->daemon);
	return TRUE;
}

GPtrArray *instance_profile_users(struct daemon *daemon, const char *project, const char *profile,
				  GError **error)
{
	g_autoptr(json_t) rows = db_instance_of_profile(daemon->db, project, profile, error);
	g_autoptr(GPtrArray) list = NULL;
	json_t *row;
	size_t i;

	if (!rows)
		return NULL;
	list = g_ptr_array_new_with_free_func((GDestroyNotify)instance_free);
	json_array_foreach(rows, i, row)
	{
		struct instance *inst = instance_load(daemon, json_text(row, "project"),
						      json_text(row, "name"), error);

		if (!inst)
			return NULL;
		g_ptr_array_add(list, inst);
	}
	return g_steal_pointer(&list);
}

gboolean instance_profile_changed(GPtrArray *users, GError **error)
{
	GString *failures = g_string_new(NULL);
	gboolean ok;

	for (guint i = 0; i < users->len; i++) {
		struct instance *old = users->pdata[i];
		GError *why = NULL;

		instance_lock_wait(old->daemon, old->project, old->name, "update");
		if (!follow_profile(old, &why))
			g_string_append_printf(failures, "%s - Project: %s, Instance: %s: %s",
					       failures->len ? "\n" : "", old->project, old->name,
					       why->message);
		instance_unlock(old->daemon, old->project, old->name, why);
		g_clear_error(&why);
	}
	ok = failures->len == 0 ||
	     fail(error, 500,
		  "The following instances failed to update (profile change still saved):"
		  "\n%s\n",
		  failures->str);
	g_string_free(failures, TRUE);
	return ok;
}
