/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* New instances: their volume and rows become true at once. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/image.h"
#include "core/instances_private.h"
#include "core/profile.h"
#include "core/project.h"
#include "db/instance.h"
#include "util/clock.h"
#include "util/names.h"
#include "util/units.h"

static const char *host_architecture(void)
{
#if defined(__aarch64__)
	return "aarch64";
#elif defined(__i386__)
	return "i686";
#elif defined(__arm__)
	return "armv7l";
#elif defined(__powerpc64__)
	return "ppc64le";
#elif defined(__s390x__)
	return "s390x";
#elif defined(__riscv)
	return "riscv64";
#else
	return "x86_64";
#endif
}

/* --- the picture of what is to be ---------------------------------------------------------- */

static json_t *default_profiles(void)
{
	return json_pack("[s]", "default");
}

static void set_unless(json_t *map, const char *key, const char *value)
{
	if (!*json_text(map, key))
		json_map_set(map, key, value);
}

/* The volatile keys of a new one. */
static void set_volatile(struct instance *inst, const struct instance_new *new)
{
	g_autofree char *uuid = new_uuid(), *cloud = new_uuid();

	if (new->template)
		json_map_set(inst->config, "volatile.apply_template", new->template);
	set_unless(inst->config, "volatile.uuid", uuid);
	set_unless(inst->config, "volatile.cloud-init.instance-id", cloud);
	set_unless(inst->config, "volatile.last_state.idmap", "[]");
}

static struct instance *picture_of(struct daemon *daemon, const struct instance_new *new,
				   GError **error)
{
	g_autoptr(instance_t) inst = g_new0(struct instance, 1);
	char now[CLOCK_TEXT];

	inst->daemon = daemon;
	inst->driver = instances_driver(daemon);
	inst->project = g_strdup(new->project);
	inst->name = g_strdup(new->name);
	inst->description = g_strdup(new->description ? new->description : "");
	inst->architecture = g_strdup(new->architecture &&*new->architecture ? new->architecture
									     : host_architecture());
	inst->ephemeral = new->ephemeral;
	inst->stateful = new->stateful;
	inst->created_at = g_strdup(new->created_at ? new->created_at
						    : clock_text(clock_now(), now));
	inst->last_used_at = g_strdup(CLOCK_EPOCH);
	inst->expires_at = g_strdup(CLOCK_ZERO);
	inst->config = new->keep_volatile ? json_map_copy(new->config)
					  : instance_config_for_copy(new->config, TRUE);
	inst->devices = json_map_copy(new->devices);
	inst->profiles = new->profiles ? json_deep_copy(new->profiles) : default_profiles();
	if (!instance_expand(inst, error))
		return NULL;
	return g_steal_pointer(&inst);
}

static gboolean check_architecture(const char *name, GError **error)
{
	if (!name || !*name || db_architecture(name))
		return TRUE;
	return fail(error, 500, "Architecture isn't supported: %s", name);
}

static gboolean check_profiles(struct daemon *daemon, const struct instance_new *new,
			       GError **error)
{
	json_t *name;
	size_t i;

	json_array_foreach(new->profiles, i, name)
	{
		const char *text = json_string_value(name);

		if (!text)
			return fail(error, 400, "Invalid profile name");
		if (profile_id(daemon->db, new->project, text, NULL) < 0)
			return fail(error, 500, "Requested profile \"%s\" doesn't exist", text);
	}
	return TRUE;
}

gboolean instance_check_new(struct daemon *daemon, const struct instance_new *new, GError **error)
{
	if (!name_check_instance(new->name, error)) {
		g_prefix_error(error, "Invalid instance name: ");
		return FALSE;
	}
	return check_architecture(new->architecture, error) && check_profiles(daemon, new, error);
}

/* --- rows ---------------------------------------------------------------------------------- */

struct making {
	struct instance *inst;
	struct instance_new *new;
};

/*
 * The project's limits and a free range of ids are looked for again where nobody else can take
 * them meanwhile.
 */
static gboolean insert_rows(struct db *db, void *data, GError **error)
{
	const struct making *making = data;
	struct instance *inst = making->inst;
	g_autofree char *created = db_time_write(inst->created_at);
	struct db_instance row;

	if (!instance_allocate_idmap(inst, making->new->keep_volatile, error) ||
	    !project_check_instance(db, inst->project, inst->name, inst->expanded_config,
				    inst->expanded_devices, error))
		return FALSE;
	row = (struct db_instance){
		.name = inst->name,
		.description = inst->description,
		.architecture = db_architecture(inst->architecture),
		.ephemeral = inst->ephemeral,
		.stateful = inst->stateful,
		.created = created,
		.config = inst->config,
		.devices = inst->devices,
		.profiles = inst->profiles,
	};
	inst->id = db_instance_insert(db, inst->project, &row, error);
	making->new->row = inst->id;
	return inst->id >= 0 &&
	       (!making->new->also || making->new->also(db, making->new->also_data, error));
}

/* --- making it ------------------------------------------------------------------------------ */

static gboolean exists(struct daemon *daemon, const struct instance_new *new, GError **error)
{
	g_autoptr(json_t) row = db_instance_row(daemon->db, new->project, new->name, NULL);

	if (!row)
		return FALSE;
	fail(error, 409,
	     "Add instance info to the database: This \"instances\" entry already exists");
	return TRUE;
}

static gboolean prepare(struct instance *inst, const struct instance_new *new, GError **error)
{
	GError *why = NULL;

	set_volatile(inst, new);
	if (!instance_expand(inst, error) || !instance_fill_nics(inst, error))
		return FALSE;
	if (instance_check(inst, NULL, &why))
		return TRUE;
	if (strstr(why->message, "device") || strstr(why->message, "root disk"))
		g_prefix_error(&why, "Failed initialising instance: ");
	g_propagate_error(error, why);
	return FALSE;
}

static gboolean make(struct instance *inst, struct instance_new *new, instance_content content,
		     void *data, GError **error)
{
	const json_t *root = instance_root_disk(inst->expanded_devices, NULL, NULL);
	struct making making = { inst, new };
	struct storage_watch watch = { .cancel = new->cancel };
	struct volume_new what = { .watch = &watch, .commit = { insert_rows, &making } };
	struct volume_ref ref;
	gint64 size = 0;

	if (new->pool) {
		g_free(inst->pool);
		inst->pool = g_strdup(new->pool);
	}
	if (!units_size(json_text(root, "size"), &size, error))
		return FALSE;
	what.size = (guint64)size;
	ref = instance_volume(inst);
	return content(inst, &ref, &what, data, error);
}

static struct instance *create_locked(struct daemon *daemon, struct instance_new *new,
				      instance_content content, void *data, GError **error)
{
	g_autoptr(instance_t) inst = NULL;

	if (exists(daemon, new, error))
		return NULL;
	inst = picture_of(daemon, new, error);
	if (!inst || !prepare(inst, new, error) || !make(inst, new, content, data, error) ||
	    !instance_reload(inst, error) || !instance_link(inst, error))
		return NULL;
	instance_write_backup(inst, NULL);
	instance_event(inst, new->action ? new->action : "instance-created", NULL, new->who);
	return g_steal_pointer(&inst);
}

struct instance *instance_create(struct daemon *daemon, struct instance_new *new,
				 instance_content content, void *data, GError **error)
{
	struct instance *inst;
	GError *why = NULL;

	if (!instance_check_new(daemon, new, error) ||
	    !instance_lock(daemon, new->project, new->name, "create", NULL, error))
		return NULL;
	inst = create_locked(daemon, new, content, data, &why);
	instance_unlock(daemon, new->project, new->name, why);
	if (why) {
		g_prefix_error(&why, "Failed creating instance record: ");
		g_propagate_error(error, why);
	}
	return inst;
}

/* --- what is in it --------------------------------------------------------------------------- */

struct filling {
	struct daemon *daemon;
	const struct instance_image *image;
	gint64 began;
};

static void tell_progress(gint64 done, gint64 total, void *data)
{
	const struct filling *filling = data;
	gint64 micros = MAX(g_get_monotonic_time() - filling->began, 1);
	int percent = total > 0 ? (int)(done * 100 / total) : -1;

	if (filling->image->op)
		operation_progress(filling->image->op, "create_instance_from_image_unpack",
				   "Unpack", percent, done,
				   (gint64)((double)done * G_USEC_PER_SEC / (double)micros));
}

static gboolean fill_from_image(const char *path, GCancellable *cancel, void *data, GError **error)
{
	const struct filling *filling = data;
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct image_unpack spec = {
		.progress = tell_progress,
		.progress_data = data,
		.cancel = cancel,
	};
	gboolean ok;

	if (dir < 0)
		return fail_errno(error, errno, "Failed to open %s", path);
	ok = image_unpack(filling->daemon, filling->image->fingerprint, dir, &spec, error);
	close(dir);
	return ok;
}

gboolean instance_content_image(const struct instance *inst, const struct volume_ref *ref,
				const struct volume_new *what, void *data, GError **error)
{
	const struct instance_image *image = data;
	struct filling filling = { inst->daemon, image, g_get_monotonic_time() };

	return volume_create_from_image(inst->daemon, ref, image->fingerprint, what,
					fill_from_image, &filling, error) &&
	       (image_touch(inst->daemon, image->fingerprint, NULL) || TRUE);
}

static gboolean fill_empty(const char *path, GCancellable *cancel, void *data, GError **error)
{
	g_autofree char *rootfs = g_strdup_printf("%s/rootfs", path);

	(void)cancel, (void)data;
	if (mkdir(rootfs, 0755) < 0 && errno != EEXIST)
		return fail_errno(error, errno, "Failed to create %s", rootfs);
	return TRUE;
}

gboolean instance_content_none(const struct instance *inst, const struct volume_ref *ref,
			       const struct volume_new *what, void *data, GError **error)
{
	(void)data;
	return volume_create(inst->daemon, ref, what, fill_empty, NULL, error);
}
