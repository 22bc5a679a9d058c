/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Instances from backups that anybody may have written: names are checked before they name
 * anything, and what is unpacked stays below the volume.
 */
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "core/backup.h"
#include "core/instances_private.h"
#include "core/profile.h"
#include "core/snapshot.h"
#include "core/volume_import.h"
#include "db/instance.h"
#include "db/pool.h"
#include "util/archive.h"
#include "util/clock.h"
#include "util/yaml.h"

#define BLOCK (256 * 1024)
#define INDEX_MAX (16 * 1024 * 1024)
#define SNAPSHOTS_MAX 10000

struct backup_import {
	struct daemon *daemon;
	int fd; /* of a file without a name */
	json_t *index;
};

/* --- taking it in ------------------------------------------------------------------------------
 */

static gboolean write_all(int fd, const char *data, gsize len, GError **error)
{
	while (len > 0) {
		gssize n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail_errno(error, errno, "Failed to write the backup");
		data += n;
		len -= (gsize)n;
	}
	return TRUE;
}

static gboolean take_all(int fd, GInputStream *input, GError **error)
{
	g_autofree char *block = g_malloc(BLOCK);
	gssize n;

	while ((n = g_input_stream_read(input, block, BLOCK, NULL, error)) > 0)
		if (!write_all(fd, block, (gsize)n, error))
			return FALSE;
	return n == 0;
}

static gboolean check_names(const json_t *index, GError **error)
{
	const json_t *names = json_object_get(index, "snapshots");
	json_t *name;
	size_t i;

	if (names && !json_is_array(names) && !json_is_null(names))
		return fail(error, 400, "Backup has a broken list of snapshots");
	if (json_array_size(names) > SNAPSHOTS_MAX)
		return fail(error, 400, "Backup has too many snapshots");
	json_array_foreach(names, i, name)
	{
		if (!json_is_string(name))
			return fail(error, 400, "Backup has a broken list of snapshots");
		if (!snapshot_check_name(json_string_value(name), error))
			return FALSE;
	}
	return TRUE;
}

static gboolean check_index(const json_t *index, GError **error)
{
	const json_t *config = json_object_get(index, "config");

	if (!json_is_object(json_object_get(config, "container")))
		return fail(error, 400, "Backup is missing its configuration");
	if (*json_text(index, "type") && strcmp(json_text(index, "type"), "container") != 0)
		return fail(error, 400, "Instance type \"%s\" is not supported on this server",
			    json_text(index, "type"));
	if (json_is_true(json_object_get(index, "optimized")))
		return fail(error, 400,
			    "Optimized backup storage is not supported; export it without");
	return check_names(index, error);
}

static gboolean read_index(struct backup_import *import, GError **error)
{
	g_autofree char *text = NULL;
	gsize len;

	if (!archive_read_member(import->fd, "backup/index.yaml", INDEX_MAX, &text, &len, NULL))
		return fail(error, 400, "Backup is missing at \"backup/index.yaml\"");
	import->index = yaml_parse(text, len, YAML_TEXTS, NULL);
	if (!import->index)
		return fail(error, 400, "Backup's \"backup/index.yaml\" cannot be read");
	return check_index(import->index, error);
}

static int nameless_file(struct daemon *daemon, GError **error)
{
	g_autofree char *dir = daemon_path(daemon, "backups", NULL);
	g_autofree char *path = g_build_filename(dir, ".import-XXXXXX", NULL);
	int fd;

	g_mkdir_with_parents(dir, 0700);
	fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0) { /* a file system without them */
		fd = g_mkstemp_full(path, O_RDWR | O_CLOEXEC, 0600);
		if (fd >= 0)
			unlink(path);
	}
	if (fd < 0)
		fail_errno(error, errno, "Failed to create a file in %s", dir);
	return fd;
}

struct backup_import *backup_import_new(struct daemon *daemon, GInputStream *input, GError **error)
{
	struct backup_import *import = g_new0(struct backup_import, 1);

	import->daemon = daemon;
	import->fd = nameless_file(daemon, error);
	if (import->fd >= 0 && take_all(import->fd, input, error) &&
	    lseek(import->fd, 0, SEEK_SET) == 0 && read_index(import, error))
		return import;
	backup_import_free(import);
	return NULL;
}

void backup_import_free(struct backup_import *import)
{
	if (!import)
		return;
	if (import->fd >= 0)
		close(import->fd);
	json_decref(import->index);
	g_free(import);
}

const char *backup_import_name(const struct backup_import *import)
{
	return json_text(import->index, "name");
}

/* --- what it is to be --------------------------------------------------------------------------
 */

/* YAML_TEXTS leaves booleans as words. */
static gboolean is_true(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key)) ||
	       strcmp(json_text(object, key), "true") == 0;
}

static gboolean has_pool(struct daemon *daemon, const char *name)
{
	g_autoptr(json_t) names = db_pool_names(daemon->db, NULL);
	json_t *one;
	size_t i;

	json_array_foreach(names, i, one)
	{
		if (strcmp(json_string_value(one), name) == 0)
			return TRUE;
	}
	return FALSE;
}

/* Keys that tell what runs: nothing of it does. */
static json_t *config_of(const json_t *container, GError **error)
{
	json_t *config = json_map_check(json_object_get(container, "config"), "config", error);
	const char *key;
	json_t *value;
	void *next;

	json_object_foreach_safe(config, next, key, value)
	{
		if (strcmp(key, "volatile.last_state.power") == 0 ||
		    strcmp(key, "volatile.idmap.current") == 0 ||
		    (g_str_has_prefix(key, "volatile.") && g_str_has_suffix(key, ".host_name")))
			json_object_del(config, key);
	}
	return config;
}

static json_t *devices_of(const json_t *container, GError **error)
{
	const json_t *devices = json_object_get(container, "devices");
	json_t *copy = json_object(), *device;
	const char *name;

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

/*
 * The root disk as the profiles of here and DEVICES make it; when it is elsewhere than POOL, or
 * POOL is not here and nobody asked for it, DEVICES are changed.
 */
static gboolean settle_pool(struct daemon *daemon, const char *project, const json_t *profiles,
			    json_t *devices, const char *asked, const char *was, GError **error)
{
	g_autoptr(json_t) config = NULL, expanded = NULL;
	const char *name = NULL, *pool = asked && *asked ? asked : was;
	const json_t *root;
	json_t *own;

	if (!profile_expand(daemon->db, project, profiles, NULL, devices, &config, &expanded,
			    error))
		return FALSE;
	root = instance_root_disk(expanded, &name, NULL);
	if (!has_pool(daemon, pool) && (!asked || !*asked) &&
	    has_pool(daemon, json_text(root, "pool")))
		return TRUE;
	if (!has_pool(daemon, pool))
		return fail(error, 404, "Storage pool not found");
	if (root && strcmp(json_text(root, "pool"), pool) == 0)
		return TRUE;
	own = root ? json_deep_copy(root) : json_pack("{s:s, s:s}", "type", "disk", "path", "/");
	json_object_set_new(own, "pool", json_string(pool));
	json_object_set_new(devices, name ? name : "root", own);
	return TRUE;
}

/* --- making it ---------------------------------------------------------------------------------
 */

struct importing {
	struct backup_import *import;
	struct instance_new *new;
	GPtrArray *names; /* of the snapshots, ended by NULL */
};

static gboolean fill_part(const char *path, const char *snapshot, GCancellable *cancel, void *data,
			  GError **error)
{
	static const char *const except[] = { "backup.yaml", NULL };
	const struct importing *importing = data;
	g_autofree char *only = snapshot ? g_strdup_printf("backup/snapshots/%s", snapshot)
					 : g_strdup("backup/container");
	struct archive_unpack spec = { .only = only, .except = except, .cancel = cancel };
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	gboolean ok;

	if (dir < 0)
		return fail_errno(error, errno, "Failed to open %s", path);
	ok = lseek(importing->import->fd, 0, SEEK_SET) == 0 &&
	     archive_unpack(importing->import->fd, dir, &spec, error);
	/* Whoever wrote it, an instance has a root file system. */
	if (ok && mkdirat(dir, "rootfs", 0755) < 0 && errno != EEXIST)
		ok = fail_errno(error, errno, "Failed to create the root file system");
	close(dir);
	return ok;
}

static gboolean content(const struct instance *inst, const struct volume_ref *ref,
			const struct volume_new *what, void *data, GError **error)
{
	const struct importing *importing = data;

	return volume_import(inst->daemon, ref, (const char *const *)importing->names->pdata, what,
			     fill_part, data, error);
}

static const json_t *find_snapshot(const json_t *index, const char *name)
{
	const json_t *all = json_object_get(json_object_get(index, "config"), "snapshots");
	json_t *one;
	size_t i;

	json_array_foreach(all, i, one)
	{
		const char *text = json_text(one, "name"), *slash = strchr(text, '/');

		if (strcmp(slash ? slash + 1 : text, name) == 0)
			return one;
	}
	return NULL;
}

/* Without its time of expiry: an old backup's snapshots would go at once. */
static gboolean insert_snapshot(struct db *db, const struct importing *importing, const char *name,
				GError **error)
{
	const json_t *known = find_snapshot(importing->import->index, name);
	const char *root_name = NULL, *when = json_text(known, "created_at");
	const json_t *root = instance_root_disk(importing->new->devices, &root_name, NULL);
	g_autoptr(json_t) config = config_of(known, error);
	g_autoptr(json_t) devices = config ? devices_of(known, error) : NULL;
	g_autofree char *created = NULL;
	struct db_instance row = { .name = name, .config = config, .devices = devices };
	char now[CLOCK_TEXT];

	if (!devices)
		return FALSE;
	if (root)
		json_object_set_new(devices, root_name, json_deep_copy(root));
	created = db_time_write(*when ? when : clock_text(clock_now(), now));
	row.created = created;
	return db_snapshot_insert(db, importing->new->row, &row, error) >= 0;
}

static gboolean insert_snapshots(struct db *db, void *data, GError **error)
{
	const struct importing *importing = data;

	for (guint i = 0; importing->names->pdata[i]; i++)
		if (!insert_snapshot(db, importing, importing->names->pdata[i], error))
			return FALSE;
	return TRUE;
}

static GPtrArray *names_of(const json_t *index)
{
	GPtrArray *names = g_ptr_array_new();
	json_t *name;
	size_t i;

	json_array_foreach(json_object_get(index, "snapshots"), i, name)
		g_ptr_array_add(names, (void *)json_string_value(name));
	g_ptr_array_add(names, NULL);
	return names;
}

gboolean backup_import_run(struct backup_import *import, const char *project, const char *name,
			   const char *pool, GCancellable *cancel, const struct requestor *who,
			   GError **error)
{
	const json_t *container = json_object_get(json_object_get(import->index, "config"),
						  "container");
	const json_t *profiles = json_object_get(container, "profiles");
	const char *when = json_text(container, "created_at");
	g_autoptr(GPtrArray) names = names_of(import->index);
	g_autoptr(json_t) config = config_of(container, error);
	g_autoptr(json_t) devices = config ? devices_of(container, error) : NULL;
	g_autoptr(json_t) own = json_is_array(profiles) ? json_deep_copy(profiles) : json_array();
	struct instance_new new = {
		.project = project,
		.name = name,
		.architecture = json_text(container, "architecture"),
		.description = json_text(container, "description"),
		.ephemeral = is_true(container, "ephemeral"),
		.config = config,
		.devices = devices,
		.profiles = own,
		.keep_volatile = TRUE,
		.created_at = *when ? when : NULL,
		.who = who,
		.cancel = cancel,
		.also = insert_snapshots,
	};
	struct importing importing = { import, &new, names };
	g_autoptr(instance_t) inst = NULL;

	new.also_data = &importing;
	if (!devices || !instance_check_new(import->daemon, &new, error) ||
	    !settle_pool(import->daemon, project, own, devices, pool,
			 json_text(import->index, "pool"), error))
		return FALSE;
	inst = instance_create(import->daemon, &new, content, &importing, error);
	return inst != NULL;
}
