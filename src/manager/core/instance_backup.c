/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* backup.yaml: all that is known of an instance, kept in its volume for a recovery without rows. */
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "core/instances_private.h"
#include "core/pool.h"
#include "core/profile.h"
#include "util/yaml.h"

static json_t *show_profiles(const struct instance *inst)
{
	json_t *list = json_array(), *name;
	size_t i;

	json_array_foreach(inst->profiles, i, name)
	{
		json_t *profile = profile_show(inst->daemon->db, inst->project,
					       json_string_value(name), NULL);

		if (profile)
			json_array_append_new(list, profile);
	}
	return list;
}

static json_t *show_snapshots(const struct instance *inst)
{
	g_autoptr(GPtrArray)
		snapshots = instance_load_snapshots(inst->daemon, inst->project, inst->name, NULL);
	json_t *list = json_array();

	for (guint i = 0; snapshots && i < snapshots->len; i++)
		json_array_append_new(list, instance_show(snapshots->pdata[i]));
	return list;
}

static json_t *content(const struct instance *inst)
{
	struct volume_ref ref = instance_volume(inst);
	json_t *all = json_object(), *container = instance_show(inst);
	json_t *snapshots = show_snapshots(inst);
	json_t *pool = pool_show(inst->daemon, inst->pool, NULL);
	json_t *volume = volume_show(inst->daemon, &ref, NULL);

	json_object_set_new(all, "container", container);
	if (json_array_size(snapshots) > 0)
		json_object_set(all, "snapshots", snapshots);
	json_decref(snapshots);
	json_object_set_new(all, "pool", pool ? pool : json_null());
	json_object_set_new(all, "profiles", show_profiles(inst));
	json_object_set_new(all, "volume", volume ? volume : json_null());
	return all;
}

/* Under a name that is always the same until it is whole: a kill leaves at most that one behind. */
static gboolean write_file(const char *dir, const char *text, GError **error)
{
	g_autofree char *path = g_strdup_printf("%s/backup.yaml", dir);
	g_autofree char *aside = g_strdup_printf("%s/.backup.yaml", dir);
	gsize len = strlen(text);
	gboolean ok;
	int fd;

	g_unlink(aside);
	fd = open(aside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400);
	if (fd < 0)
		return fail_errno(error, errno, "Failed to create %s", aside);
	ok = (gsize)write(fd, text, len) == len;
	close(fd);
	return (ok && g_rename(aside, path) == 0) ||
	       fail_errno(error, errno, "Failed to write %s", path);
}

gboolean instance_write_backup(struct instance *inst, GError **error)
{
	g_autoptr(json_t) all = NULL;
	g_autofree char *text = NULL;
	gboolean ok;

	if (inst->snapshot || !inst->pool || !instance_mount(inst, error))
		return inst->snapshot || !inst->pool;
	all = content(inst);
	text = yaml_print(all, YAML_AS_GIVEN);
	ok = write_file(inst->path, text, error);
	instance_unmount(inst, NULL);
	return ok;
}
