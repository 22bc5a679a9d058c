/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The devices of an instance together. */
#include "core/device.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

#include "core/instances_private.h"
#include "util/names.h"

char *devices_dir(const struct instance *inst)
{
	return daemon_path(inst->daemon, "devices", inst->id_on_host, NULL);
}

/* --- checks ----------------------------------------------------------------------------- */

static gboolean check_one(const char *name, const json_t *config, GError **error)
{
	const struct device_kind *kind = device_kind_of(config);

	if (!kind)
		return fail(error, 400, "Failed loading device \"%s\": Unsupported device type",
			    name);
	return device_check_options(kind, config, error) &&
	       (!kind->check || kind->check(name, config, FALSE, error));
}

gboolean devices_check(const json_t *devices, GError **error)
{
	const char *name;
	json_t *config;

	json_object_foreach((json_t *)devices, name, config)
	{
		g_autofree char *prefix = g_strdup_printf(
			"Invalid devices: Device validation failed for \"%s\": ", name);

		if (!name_check_device(name, error) || !check_one(name, config, error)) {
			g_prefix_error(error, "%s", prefix);
			return FALSE;
		}
	}
	return TRUE;
}

gboolean devices_check_host(const struct instance *inst, const json_t *devices, GError **error)
{
	const char *name;
	json_t *config;

	(void)inst;
	json_object_foreach((json_t *)devices, name, config)
	{
		const struct device_kind *kind = device_kind_of(config);

		if (!kind || !kind->check || kind->check(name, config, TRUE, error))
			continue;
		g_prefix_error(error, "Failed add validation for device \"%s\": ", name);
		return FALSE;
	}
	return TRUE;
}

/* --- order ------------------------------------------------------------------------------ */

struct entry {
	char *name;
	const json_t *config;
};

static int rank(const struct entry *entry)
{
	const char *type = json_text(entry->config, "type");

	return strcmp(type, "nic") == 0 ? 0 : strcmp(type, "disk") == 0 ? 1 : 2;
}

static int compare(const void *left, const void *right)
{
	const struct entry *a = left, *b = right;
	int by_rank = rank(a) - rank(b);
	int by_path = strcmp(json_text(a->config, "path"), json_text(b->config, "path"));
	int by_type = strcmp(json_text(b->config, "type"), json_text(a->config, "type"));

	if (by_rank)
		return by_rank;
	if (rank(a) == 1 && by_path)
		return by_path;
	if (rank(a) == 2 && by_type)
		return by_type;
	return strcmp(a->name, b->name);
}

GPtrArray *devices_sorted(const json_t *devices)
{
	g_autoptr(GArray) entries = g_array_new(FALSE, FALSE, sizeof(struct entry));
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
	const char *name;
	json_t *config;

	json_object_foreach((json_t *)devices, name, config)
	{
		struct entry entry = { g_strdup(name), config };

		g_array_append_val(entries, entry);
	}
	g_array_sort(entries, compare);
	for (guint i = 0; i < entries->len; i++)
		g_ptr_array_add(names, g_array_index(entries, struct entry, i).name);
	return names;
}

/* --- one of them ------------------------------------------------------------------------- */

/* What volatile.<name>.* says. */
static json_t *last_of(const struct instance *inst, const char *name)
{
	g_autofree char *prefix = g_strdup_printf("volatile.%s.", name);
	json_t *last = json_object();
	const char *key;
	json_t *value;

	json_object_foreach(inst->config, key, value)
	{
		if (g_str_has_prefix(key, prefix))
			json_object_set(last, key + strlen(prefix), value);
	}
	return last;
}

json_t *device_filled(const struct instance *inst, const char *name, const json_t *config)
{
	static const char *const filled[] = { "hwaddr", "name" };
	json_t *copy = json_map_copy(config);
	g_autoptr(json_t) last = last_of(inst, name);

	if (strcmp(json_text(config, "type"), "nic") != 0)
		return copy;
	for (gsize i = 0; i < G_N_ELEMENTS(filled); i++)
		if (!*json_text(copy, filled[i]))
			json_map_set(copy, filled[i], json_text(last, filled[i]));
	return copy;
}

/* A device and what its pointers are to. */
struct holder {
	struct device device;
	const struct device_kind *kind;
	json_t *config, *last;
	char *dir, *source;
};

static void holder_clear(struct holder *holder)
{
	json_decref(holder->config);
	json_decref(holder->last);
	g_free(holder->dir);
	g_free(holder->source);
}
#define AUTO_HOLDER __attribute__((cleanup(holder_clear))) struct holder

static void holder_set(struct holder *holder, const struct instance *inst, const char *name,
		       const json_t *config, const struct idmap *idmap)
{
	holder->config = device_filled(inst, name, config);
	holder->last = last_of(inst, name);
	holder->dir = devices_dir(inst);
	holder->kind = device_kind_of(config);
	holder->device = (struct device){ .name = name,
					  .config = holder->config,
					  .last = holder->last,
					  .instance = inst->id_on_host,
					  .dir = holder->dir,
					  .idmap = idmap };
}

/* A disk with a pool and a source is a volume of that pool. */
static gboolean find_volume(struct holder *holder, const struct instance *inst, GError **error)
{
	const json_t *config = holder->config;
	struct volume_ref ref = { .pool = json_text(config, "pool"),
				  .project = inst->project,
				  .type = VOLUME_CUSTOM,
				  .name = json_text(config, "source") };

	if (strcmp(json_text(config, "type"), "disk") != 0 || !*ref.pool || !*ref.name)
		return TRUE;
	if (!volume_exists(inst->daemon, &ref))
		return fail(error, 404, "Storage volume not found");
	holder->source = volume_path(inst->daemon, &ref);
	holder->device.source = holder->source;
	return TRUE;
}

static gboolean start_one(struct holder *holder, struct instance *inst, struct device_run *run,
			  GError **error)
{
	return find_volume(holder, inst, error) && holder->kind->start(&holder->device, run, error);
}

static void clean_one(struct instance *inst, const char *name, const json_t *config)
{
	AUTO_HOLDER holder = { 0 };

	holder_set(&holder, inst, name, config, NULL);
	if (holder.kind)
		holder.kind->clean(&holder.device);
}

static gboolean unsupported(const char *name, GError **error)
{
	return fail(error, 400, "Failed loading device \"%s\": Unsupported device type", name);
}

/* Keeps what a start or stop said of "volatile.". */
static gboolean keep(struct instance *inst, const struct device_run *run, GError **error)
{
	g_autoptr(json_t) values = json_object();
	const char *key;
	json_t *value;

	json_object_foreach(run->last, key, value)
	{
		g_autofree char *name = g_strdup_printf("volatile.%s", key);

		json_object_set(values, name, value);
	}
	return instance_set_map(inst, values, error);
}

/* --- all of them -------------------------------------------------------------------------- */

gboolean devices_start(struct instance *inst, const struct idmap *idmap, struct device_run *run,
		       GError **error)
{
	g_autoptr(GPtrArray) names = devices_sorted(inst->expanded_devices);
	g_autofree char *dir = devices_dir(inst);

	if (g_mkdir_with_parents(dir, 0711) < 0)
		return fail_errno(error, errno, "Failed to create %s", dir);
	for (guint i = 0; i < names->len; i++) {
		const char *name = names->pdata[i];
		AUTO_HOLDER holder = { 0 };

		holder_set(&holder, inst, name, json_object_get(inst->expanded_devices, name),
			   idmap);
		if (holder.kind ? start_one(&holder, inst, run, error) : unsupported(name, error))
			continue;
		g_prefix_error(error, "Failed to start device \"%s\": ", name);
		keep(inst, run, NULL);
		devices_clean(inst, inst->expanded_devices);
		return FALSE;
	}
	return keep(inst, run, error);
}

void devices_clean(struct instance *inst, const json_t *devices)
{
	g_autoptr(GPtrArray) names = devices_sorted(devices);
	g_autoptr(json_t) values = json_object();
	g_autofree char *dir = devices_dir(inst);

	for (guint i = names->len; i-- > 0;) {
		const char *name = names->pdata[i];
		g_autofree char *key = g_strdup_printf("volatile.%s.host_name", name);

		clean_one(inst, name, json_object_get(devices, name));
		if (json_object_get(inst->config, key))
			json_object_set_new(values, key, json_string(""));
	}
	instance_set_map(inst, values, NULL);
	g_rmdir(dir);
}

/* --- while it runs -------------------------------------------------------------------------- */

static gboolean put_in(struct instance *inst, const struct device_run *run, GError **error)
{
	const struct instance_driver *driver = inst->driver;
	struct instance_place place = instance_place(inst);

	for (guint i = 0; i < run->devices->len; i++)
		if (!driver->device_add(
			    &place, &g_array_index(run->devices, struct instance_device, i), error))
			return FALSE;
	for (guint i = 0; i < run->mounts->len; i++)
		if (!driver->mount_add(
			    &place, &g_array_index(run->mounts, struct instance_mount, i), error))
			return FALSE;
	for (guint i = 0; i < run->nics->len; i++)
		if (!driver->nic_add(&place, &g_array_index(run->nics, struct instance_nic, i),
				     error))
			return FALSE;
	return TRUE;
}

static gboolean take_out(struct instance *inst, const struct device_run *run, GError **error)
{
	const struct instance_driver *driver = inst->driver;
	struct instance_place place = instance_place(inst);

	for (guint i = 0; i < run->nics->len; i++)
		if (!driver->nic_remove(&place, &g_array_index(run->nics, struct instance_nic, i),
					error))
			return FALSE;
	for (guint i = 0; i < run->mounts->len; i++) {
		const struct instance_mount *mount = &g_array_index(run->mounts,
								    struct instance_mount, i);

		if (!driver->mount_remove(&place, mount->target,
					  strcmp(mount->options, DEVICE_OWN_TARGET) == 0, error))
			return FALSE;
	}
	for (guint i = 0; i < run->devices->len; i++)
		if (!driver->device_remove(
			    &place, &g_array_index(run->devices, struct instance_device, i), error))
			return FALSE;
	return TRUE;
}

static gboolean plug(struct instance *inst, const char *name, const json_t *config, GError **error)
{
	g_autoptr(idmap_t) idmap = instance_idmap_current(inst, error);
	g_autoptr(device_run_t) run = device_run_new();
	g_autofree char *dir = devices_dir(inst);
	AUTO_HOLDER holder = { 0 };

	if (!idmap)
		return FALSE;
	holder_set(&holder, inst, name, config, idmap);
	if (!holder.kind)
		return unsupported(name, error);
	if (!holder.kind->hotplug)
		return fail(error, 400, "Device cannot be started when instance is running");
	if (g_mkdir_with_parents(dir, 0711) < 0)
		return fail_errno(error, errno, "Failed to create %s", dir);
	if (start_one(&holder, inst, run, error) && keep(inst, run, error) &&
	    put_in(inst, run, error))
		return TRUE;
	clean_one(inst, name, config);
	g_prefix_error(error, "Failed to start device \"%s\": ", name);
	return FALSE;
}

static gboolean unplug(struct instance *inst, const char *name, const json_t *config,
		       GError **error)
{
	g_autoptr(device_run_t) run = device_run_new();
	AUTO_HOLDER holder = { 0 };

	holder_set(&holder, inst, name, config, NULL);
	if (!holder.kind)
		return TRUE;
	if (!holder.kind->hotplug)
		return fail(error, 400, "Device cannot be stopped when instance is running");
	if (!holder.kind->stop(&holder.device, run, error) || !take_out(inst, run, error)) {
		g_prefix_error(error, "Failed to stop device \"%s\": ", name);
		return FALSE;
	}
	clean_one(inst, name, config);
	return keep(inst, run, error);
}

static gboolean update_one(struct instance *inst, const char *name, const json_t *old,
			   const json_t *new, GError **error)
{
	AUTO_HOLDER holder = { 0 };

	holder_set(&holder, inst, name, new, NULL);
	return holder.kind->update(&holder.device, old, error);
}

/* Whether a device stays in place, with at most a change of live options. */
static gboolean stays(const json_t *old, const json_t *new)
{
	const struct device_kind *kind = new ? device_kind_of(new) : NULL;

	if (!old || !kind || kind != device_kind_of(old))
		return FALSE;
	return json_equal(old, new) || device_is_live_change(kind, old, new);
}

static gboolean remove_gone(struct instance *inst, const json_t *old, const json_t *new,
			    GPtrArray *done, GError **error)
{
	g_autoptr(GPtrArray) names = devices_sorted(old);

	for (guint i = names->len; i-- > 0;) {
		const char *name = names->pdata[i];
		const json_t *config = json_object_get(old, name);

		if (stays(config, json_object_get(new, name)))
			continue;
		if (!unplug(inst, name, config, error))
			return FALSE;
		g_ptr_array_add(done, g_strdup(name));
	}
	return TRUE;
}

static gboolean add_new(struct instance *inst, const json_t *old, const json_t *new,
			GPtrArray *done, GError **error)
{
	g_autoptr(GPtrArray) names = devices_sorted(new);

	for (guint i = 0; i < names->len; i++) {
		const char *name = names->pdata[i];
		const json_t *was = json_object_get(old, name), *is = json_object_get(new, name);

		if (stays(was, is)) {
			if (!json_equal(was, is) && !update_one(inst, name, was, is, error))
				return FALSE;
			continue;
		}
		if (!plug(inst, name, is, error))
			return FALSE;
		g_ptr_array_add(done, g_strdup(name));
	}
	return TRUE;
}

gboolean devices_change(struct instance *inst, const json_t *old, const json_t *new, GError **error)
{
	g_autoptr(GPtrArray) removed = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GPtrArray) added = g_ptr_array_new_with_free_func(g_free);

	if (remove_gone(inst, old, new, removed, error) && add_new(inst, old, new, added, error))
		return TRUE;
	for (guint i = added->len; i-- > 0;)
		unplug(inst, added->pdata[i], json_object_get(new, added->pdata[i]), NULL);
	for (guint i = removed->len; i-- > 0;)
		plug(inst, removed->pdata[i], json_object_get(old, removed->pdata[i]), NULL);
	return FALSE;
}
