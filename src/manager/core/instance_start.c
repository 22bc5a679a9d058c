/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Starting: what the driver is told, and what must be true before and after. */
#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "core/balance.h"
#include "core/device.h"
#include "core/instances_private.h"
#include "core/snapshot.h"
#include "core/template.h"
#include "db/instance.h"
#include "util/clock.h"
#include "util/mount.h"

/* --- what the driver is told ------------------------------------------------------------- */

/* The specification and all that its pointers are to. */
struct owned_spec {
	struct instance_spec spec;
	struct idmap *idmap;
	json_t *config;
	char *cpus;
};

static guint64 host_memory(void)
{
	struct sysinfo info;

	return sysinfo(&info) == 0 ? (guint64)info.totalram * info.mem_unit : 0;
}

struct instance_spec *instance_spec_new(struct instance *inst, GError **error)
{
	struct idmap *idmap = instance_idmap_next(inst, error);
	struct owned_spec *owned;

	if (!idmap)
		return NULL;
	owned = g_new0(struct owned_spec, 1);
	owned->idmap = idmap;
	owned->config = json_incref(inst->expanded_config);
	owned->spec = (struct instance_spec){
		.place = instance_place(inst),
		.name = inst->name,
		.project = inst->project,
		.lxd_dir = inst->daemon->dir,
		.socket = inst->daemon->socket,
		.architecture = inst->architecture,
		.rootfs = inst->rootfs,
		.config = owned->config,
		.idmap = idmap,
		.memory_total = host_memory(),
	};
	return &owned->spec;
}

void instance_spec_free(struct instance_spec *spec)
{
	struct owned_spec *owned = (struct owned_spec *)(void *)spec;

	if (!owned)
		return;
	idmap_free(owned->idmap);
	json_decref(owned->config);
	g_free(owned->cpus);
	g_free(owned);
}

static void use_run(struct instance_spec *spec, const struct device_run *run)
{
	spec->mounts = (const struct instance_mount *)(void *)run->mounts->data;
	spec->n_mounts = run->mounts->len;
	spec->devices = (const struct instance_device *)(void *)run->devices->data;
	spec->n_devices = run->devices->len;
	spec->nics = (const struct instance_nic *)(void *)run->nics->data;
	spec->n_nics = run->nics->len;
	spec->rootfs_readonly = run->readonly_root;
}

/* --- whose the files are -------------------------------------------------------------------- */

/*
 * Makes the files on disk fit NEXT: through an idmapped mount, for which they have the
 * owners of the namespace itself, where the kernel can; else by changing all their owners.
 */
static gboolean shift(struct instance *inst, const struct idmap *next, gboolean *ret_mapped,
		      GError **error)
{
	g_autoptr(idmap_t) disk = instance_idmap_disk(inst, error);
	gboolean mapped = next->count > 0 && idmap_mount_possible(inst->rootfs);
	g_autofree char *text = idmap_print(mapped ? NULL : next);

	if (!disk)
		return FALSE;
	*ret_mapped = mapped;
	if (idmap_equal(disk, mapped ? NULL : next))
		return TRUE;
	if (json_map_true(inst->expanded_config, "security.protection.shift"))
		return fail(error, 400, "Container is protected against filesystem shifting");
	return idmap_shift(inst->rootfs, disk, mapped ? NULL : next, NULL, error) &&
	       instance_set(inst, "volatile.last_state.idmap", text, error);
}

/* Nobody but the instance's root gets below the volume: so LXD has it, too. */
static gboolean guard(const struct instance *inst, const struct idmap *next, GError **error)
{
	gint64 root = next->count ? idmap_uid_to_host(next, 0) : 0;
	struct stat st;

	if (stat(inst->path, &st) < 0)
		return fail_errno(error, errno, "Failed to look at %s", inst->path);
	if (root >= 0 && st.st_uid != (uid_t)root && chown(inst->path, (uid_t)root, 0) < 0)
		return fail_errno(error, errno, "Failed to change the owner of %s", inst->path);
	if ((st.st_mode & 07777) != 0100 && chmod(inst->path, 0100) < 0)
		return fail_errno(error, errno, "Failed to change the mode of %s", inst->path);
	return TRUE;
}

/* --- templates ----------------------------------------------------------------------------- */

static gboolean apply_templates(struct instance *inst, const struct idmap *next, gboolean mapped,
				GError **error)
{
	const char *due = json_text(inst->config, "volatile.apply_template");
	const struct idmap *disk = mapped ? NULL : next;

	if (*due && !template_apply(inst, due, disk, error))
		return FALSE;
	return template_apply(inst, "start", disk, error);
}

/* --- the start ------------------------------------------------------------------------------ */

static gboolean make_directories(const struct instance *inst, GError **error)
{
	if (g_mkdir_with_parents(inst->log_dir, 0700) < 0)
		return fail_errno(error, errno, "Failed to create %s", inst->log_dir);
	return instance_link(inst, error);
}

static gboolean run_driver(struct instance *inst, const struct idmap *next, gboolean mapped,
			   GError **error)
{
	g_autoptr(device_run_t) run = device_run_new();
	struct instance_spec *spec;
	g_autofree char *cpus = NULL;
	gboolean ok;

	if (!devices_start(inst, next, run, error))
		return FALSE;
	spec = instance_spec_new(inst, error);
	if (!spec)
		return FALSE;
	use_run(spec, run);
	spec->rootfs_shifted = mapped;
	cpus = balance_choose(inst);
	spec->cpus = cpus;
	ok = inst->driver->start(spec, error);
	instance_spec_free(spec);
	return ok;
}

struct started {
	struct instance *inst;
	const char *idmap;
};

static gboolean write_started(struct db *db, void *data, GError **error)
{
	const struct started *started = data;
	struct instance *inst = started->inst;
	g_autofree char *when = NULL;
	char now[CLOCK_TEXT];

	when = db_time_write(clock_text(clock_now(), now));
	return instance_set_many(inst, error, "volatile.apply_template", "",
				 "volatile.idmap.current", started->idmap,
				 "volatile.last_state.power", "RUNNING", NULL) &&
	       db_instance_used(db, inst->id, when, error);
}

static gboolean start_mounted(struct instance *inst, GError **error)
{
	g_autoptr(idmap_t) next = NULL;
	g_autofree char *text = NULL;
	struct started started;
	gboolean mapped;

	if (!instance_is_privileged(inst) && !*json_text(inst->config, "volatile.idmap.next") &&
	    !(instance_allocate_idmap(inst, TRUE, error) && instance_save(inst, error)))
		return FALSE;
	next = instance_idmap_next(inst, error);
	if (!next || !make_directories(inst, error) || !shift(inst, next, &mapped, error) ||
	    !guard(inst, next, error) || !apply_templates(inst, next, mapped, error) ||
	    !run_driver(inst, next, mapped, error))
		return FALSE;
	text = idmap_print(next);
	started = (struct started){ inst, text };
	return db_transaction(inst->daemon->db, write_started, &started, error);
}

static gboolean fill_nics(struct instance *inst, GError **error)
{
	g_autoptr(json_t) before = json_deep_copy(inst->config);

	if (!instance_fill_nics(inst, error))
		return FALSE;
	return json_equal(before, inst->config) || instance_set_map(inst, inst->config, error);
}

static gboolean check_startable(struct instance *inst, GError **error)
{
	enum instance_state state = instance_state(inst);

	if (g_atomic_int_get(&inst->daemon->stopping))
		return fail(error, 503, "LXD is shutting down");
	if (state == INSTANCE_FROZEN)
		return fail(error, 400, "The instance is already running");
	if (state != INSTANCE_STOPPED && state != INSTANCE_ERROR)
		return fail(error, 400, "The instance is already running");
	if (!inst->pool)
		return fail(error, 400, "Failed getting root disk: No root device could be found");
	return TRUE;
}

gboolean instance_start_locked(struct instance *inst, const struct requestor *who, GError **error)
{
	if (!instance_reload(inst, error) || !check_startable(inst, error))
		return FALSE;
	instance_clean(inst); /* of a start that a killed daemon did not end */
	if (!fill_nics(inst, error) || !snapshot_at_start(inst, error) ||
	    !instance_mount(inst, error))
		return FALSE;
	if (!start_mounted(inst, error)) {
		struct instance_place place = instance_place(inst);

		inst->driver->stop(&place, NULL);
		instance_clean(inst);
		instance_unmount(inst, NULL);
		return FALSE;
	}
	if (*json_text(inst->expanded_config, "limits.cpu"))
		balance_apply(inst->daemon);
	instance_event(inst, "instance-started", NULL, who);
	return TRUE;
}

gboolean instance_start(struct instance *inst, const struct requestor *who, GError **error)
{
	GError *why = NULL;
	gboolean done, ok;

	if (!instance_lock(inst->daemon, inst->project, inst->name, "start", &done, error))
		return FALSE;
	if (done)
		return TRUE;
	ok = instance_start_locked(inst, who, &why);
	instance_unlock(inst->daemon, inst->project, inst->name, why);
	if (why)
		g_propagate_error(error, why);
	return ok;
}

/* --- its volume ------------------------------------------------------------------------------ */

gboolean instance_mount(struct instance *inst, GError **error)
{
	struct volume_ref ref = instance_volume(inst);
	g_autofree char *path = NULL;

	if (!inst->pool)
		return fail(error, 400, "Failed getting root disk: No root device could be found");
	path = volume_mount(inst->daemon, &ref, error);
	return path != NULL;
}

gboolean instance_unmount(struct instance *inst, GError **error)
{
	struct volume_ref ref = instance_volume(inst);

	return !inst->pool || volume_unmount(inst->daemon, &ref, error);
}

/* --- its name in containers/ ------------------------------------------------------------------ */

gboolean instance_link(const struct instance *inst, GError **error)
{
	g_autofree char *link = g_strdup_printf("%s/%s", inst->dir, inst->id_on_host);
	g_autofree char *temporary = g_strdup_printf("%s/.%s", inst->dir, inst->id_on_host);
	g_autofree char *now = g_file_read_link(link, NULL);

	if (now && inst->path && strcmp(now, inst->path) == 0)
		return TRUE;
	if (!inst->path)
		return TRUE;
	if (g_mkdir_with_parents(inst->dir, 0711) < 0)
		return fail_errno(error, errno, "Failed to create %s", inst->dir);
	g_unlink(temporary);
	if (symlink(inst->path, temporary) < 0 || g_rename(temporary, link) < 0)
		return fail_errno(error, errno, "Failed to create %s", link);
	return TRUE;
}

void instance_unlink(const struct instance *inst)
{
	g_autofree char *link = g_strdup_printf("%s/%s", inst->dir, inst->id_on_host);

	g_unlink(link);
}
