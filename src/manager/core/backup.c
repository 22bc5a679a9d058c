/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Backups: made, shown, renamed, deleted. */
#include "core/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "core/instances_private.h"
#include "core/pool.h"
#include "core/profile.h"
#include "core/project.h"
#include "core/server_config.h"
#include "core/snapshot_name.h"
#include "db/backup.h"
#include "db/instance.h"
#include "util/archive.h"
#include "util/clock.h"
#include "util/copy.h"
#include "util/yaml.h"

/* --- names --------------------------------------------------------------------------------- */

gboolean backup_check_name(const char *name, GError **error)
{
	if (strchr(name, '/'))
		return fail(error, 400, "Backup names may not contain slashes");
	if (!*name || *name == '.' || strlen(name) > 128)
		return fail(error, 400, "Invalid backup name \"%s\"", name);
	return TRUE;
}

/* By its row, which stays the same when it gets another name. */
static char *dir_of(const struct instance *inst)
{
	g_autofree char *id = g_strdup_printf("%" G_GINT64_FORMAT, inst->id);

	return daemon_path(inst->daemon, "backups", "instances", id, NULL);
}

static char *path_of(const struct instance *inst, const char *name)
{
	g_autofree char *dir = dir_of(inst);

	return g_build_filename(dir, name, NULL);
}

/* As the rows have it. */
static char *whole_name(const struct instance *inst, const char *name)
{
	return g_strdup_printf("%s/%s", inst->name, name);
}

static const char *short_name(const char *whole)
{
	const char *slash = strchr(whole, '/');

	return slash ? slash + 1 : whole;
}

char *backup_next_name(const struct instance *inst, GError **error)
{
	g_autoptr(json_t) rows = db_instance_backups(inst->daemon->db, inst->id, error);
	g_autoptr(json_t) taken = json_array();
	json_t *row;
	size_t i;

	if (!rows)
		return NULL;
	json_array_foreach(rows, i, row)
		json_array_append_new(taken, json_string(short_name(json_text(row, "name"))));
	return snapshot_number("backup%d", taken, error);
}

/* --- index.yaml ------------------------------------------------------------------------------ */

static json_t *without_users(json_t *shown)
{
	if (!shown)
		return json_null();
	json_object_set_new(shown, "used_by", json_array());
	return shown;
}

static json_t *profiles_of(const struct instance *inst)
{
	json_t *list = json_array(), *name;
	size_t i;

	json_array_foreach(inst->profiles, i, name)
	{
		json_t *profile = profile_show(inst->daemon->db, inst->project,
					       json_string_value(name), NULL);

		if (profile)
			json_array_append_new(list, without_users(profile));
	}
	return list;
}

static json_t *volume_snapshot_of(const struct instance *snap)
{
	return json_pack("{s:s, s:s, s:s, s:{}, s:s, s:s}", "description", "", "expires_at",
			 CLOCK_ZERO, "name", snap->snapshot, "config", "content_type", "filesystem",
			 "created_at", CLOCK_ZERO);
}

static json_t *index_of(const struct instance *inst, const GPtrArray *snapshots)
{
	struct volume_ref ref = instance_volume(inst);
	json_t *names = json_array(), *shown = json_array(), *volumes = json_array();
	json_t *pool = pool_show(inst->daemon, inst->pool, NULL);
	const char *backend = json_text_or(pool, "driver", "dir");
	json_t *index;

	for (guint i = 0; i < snapshots->len; i++) {
		const struct instance *snap = snapshots->pdata[i];

		json_array_append_new(names, json_string(snap->snapshot));
		json_array_append_new(shown, instance_show(snap));
		json_array_append_new(volumes, volume_snapshot_of(snap));
	}
	index = json_pack("{s:s, s:s, s:s, s:o, s:b, s:b, s:s, s:{s:o, s:o, s:o, s:o, s:o, s:o}}",
			  "name", inst->name, "backend", backend, "pool", inst->pool, "snapshots",
			  names, "optimized", FALSE, "optimized_header", FALSE, "type", "container",
			  "config", "container", instance_show(inst), "snapshots", shown, "pool",
			  json_incref(pool), "profiles", profiles_of(inst), "volume",
			  without_users(volume_show(inst->daemon, &ref, NULL)), "volume_snapshots",
			  volumes);
	without_users(json_object_get(json_object_get(index, "config"), "pool"));
	json_decref(pool);
	return index;
}

/* --- making ----------------------------------------------------------------------------------- */

static char *compressor_of(const struct instance *inst, const char *asked)
{
	g_autoptr(json_t) config = NULL;
	const char *own;
	char *value;

	if (asked && *asked)
		return g_strdup(asked);
	config = project_config(inst->daemon->db, inst->project, NULL);
	own = json_text(config, "backups.compression_algorithm");
	value = *own ? g_strdup(own)
		     : server_config_value(inst->daemon->db, "backups.compression_algorithm");
	if (value && *value)
		return value;
	g_free(value);
	return g_strdup("gzip");
}

/* What goes into it: directories that are open, and their names there. */
struct packing {
	GArray *trees; /* of struct archive_tree */
	GPtrArray *names, *mounted;
};

static gboolean add_tree(struct packing *packing, struct instance *inst, GError **error)
{
	struct archive_tree tree = { .dir = -1 };

	if (!instance_mount(inst, error))
		return FALSE;
	g_ptr_array_add(packing->mounted, inst);
	tree.dir = open(inst->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (tree.dir < 0)
		return fail_errno(error, errno, "Failed to open %s", inst->path);
	tree.name = inst->snapshot ? g_strdup_printf("backup/snapshots/%s", inst->snapshot)
				   : g_strdup("backup/container");
	g_ptr_array_add(packing->names, (void *)tree.name);
	g_array_append_val(packing->trees, tree);
	return TRUE;
}

static void packing_clear(struct packing *packing)
{
	for (guint i = 0; i < packing->trees->len; i++)
		close(g_array_index(packing->trees, struct archive_tree, i).dir);
	for (guint i = 0; i < packing->mounted->len; i++)
		instance_unmount(packing->mounted->pdata[i], NULL);
	g_array_unref(packing->trees);
	g_ptr_array_unref(packing->names);
	g_ptr_array_unref(packing->mounted);
}

static gboolean pack_all(struct packing *packing, struct instance *inst, GPtrArray *snapshots,
			 const struct archive_pack *how, int fd, GError **error)
{
	struct archive_pack pack = *how;

	for (guint i = 0; i < snapshots->len; i++)
		if (!add_tree(packing, snapshots->pdata[i], error))
			return FALSE;
	if (!add_tree(packing, inst, error))
		return FALSE;
	pack.trees = (const struct archive_tree *)(void *)packing->trees->data;
	pack.n_trees = packing->trees->len;
	return archive_pack(fd, &pack, error) &&
	       (fsync(fd) == 0 || fail_errno(error, errno, "Failed to write the backup"));
}

static gboolean write_archive(struct instance *inst, const struct backup_wish *wish, int fd,
			      GCancellable *cancel, GError **error)
{
	g_autoptr(GPtrArray) snapshots =
		wish->instance_only
			? g_ptr_array_new()
			: instance_load_snapshots(inst->daemon, inst->project, inst->name, error);
	g_autofree char *compressor = compressor_of(inst, wish->compressor);
	g_autoptr(json_t) index = snapshots ? index_of(inst, snapshots) : NULL;
	g_autofree char *text = index ? yaml_print(index, YAML_AS_GIVEN) : NULL;
	struct archive_member member = { "backup/index.yaml", text, text ? strlen(text) : 0, 0 };
	struct archive_pack how = {
		.compressor = compressor, .members = &member, .n_members = 1, .cancel = cancel
	};
	struct packing packing = {
		g_array_new(FALSE, FALSE, sizeof(struct archive_tree)),
		g_ptr_array_new_with_free_func(g_free),
		g_ptr_array_new(),
	};
	gboolean ok = text && archive_check_compressor(compressor, error) &&
		      pack_all(&packing, inst, snapshots, &how, fd, error);

	packing_clear(&packing);
	return ok;
}

struct making {
	const struct instance *inst;
	const struct backup_wish *wish;
	const char *from, *to;
};

/* The file has its name before the row is true, and the row is true only if it has. */
static gboolean insert_row(struct db *db, void *data, GError **error)
{
	const struct making *making = data;
	char now[CLOCK_TEXT];
	g_autofree char *created = db_time_write(clock_text(clock_now(), now));
	g_autofree char *expires = making->wish->expires ? db_time_write(making->wish->expires)
							 : NULL;
	g_autofree char *whole = whole_name(making->inst, making->wish->name);
	struct db_backup row = { whole, created, expires, making->wish->instance_only };

	if (db_backup_insert(db, making->inst->id, &row, error) < 0)
		return FALSE;
	return g_rename(making->from, making->to) == 0 ||
	       fail_errno(error, errno, "Failed to create %s", making->to);
}

static void tell(const struct instance *inst, const char *name, const char *action,
		 const json_t *context, const struct requestor *who)
{
	g_autofree char *own = instance_url(inst);
	g_autofree char *escaped = g_uri_escape_string(name, NULL, FALSE);
	g_autofree char *url = g_strdup_printf("%s/backups/%s", own, escaped);

	event_lifecycle(inst->daemon->events, inst->project, action, url, context, who);
}

static gboolean create_held(struct instance *inst, const struct backup_wish *wish,
			    GCancellable *cancel, GError **error)
{
	g_autofree char *dir = dir_of(inst), *path = path_of(inst, wish->name);
	g_autofree char *hidden = g_strdup_printf("%s/.%s", dir, wish->name);
	struct making making = { inst, wish, hidden, path };
	gboolean ok;
	int fd;

	if (!inst->pool)
		return fail(error, 400, "Failed getting root disk: No root device could be found");
	if (g_mkdir_with_parents(dir, 0700) < 0)
		return fail_errno(error, errno, "Failed to create %s", dir);
	fd = open(hidden, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail_errno(error, errno, "Failed to create %s", hidden);
	ok = write_archive(inst, wish, fd, cancel, error) &&
	     db_transaction(inst->daemon->db, insert_row, &making, error);
	close(fd);
	unlink(hidden);
	if (!ok)
		g_rmdir(dir);
	return ok;
}

gboolean backup_create(struct instance *inst, const struct backup_wish *wish, GCancellable *cancel,
		       const struct requestor *who, GError **error)
{
	g_autofree char *whole = whole_name(inst, wish->name);
	g_autofree char *held = g_strdup_printf("%s/backups/%s", inst->name, wish->name);
	g_autoptr(json_t) row = db_backup_row(inst->daemon->db, inst->id, whole, NULL);
	GError *why = NULL;
	gboolean ok = FALSE;

	if (row)
		fail(&why, 409, "Backup \"%s\" already exists", whole);
	else if (backup_check_name(wish->name, &why) &&
		 project_check_backups(inst->daemon->db, inst->project, &why) &&
		 instance_lock(inst->daemon, inst->project, held, "create", NULL, &why)) {
		ok = create_held(inst, wish, cancel, &why);
		instance_unlock(inst->daemon, inst->project, held, why);
	}
	if (why) {
		g_prefix_error(&why, "Create backup: ");
		g_propagate_error(error, why);
		return FALSE;
	}
	tell(inst, wish->name, "instance-backup-created", NULL, who);
	return ok;
}

/* --- what there is
 * --------------------------------------------------------------------------------- */

static json_t *show(const json_t *row)
{
	const char *expiry = json_string_value(json_object_get(row, "expiry_date"));
	g_autofree char *created = db_time_read(json_text(row, "creation_date"));
	g_autofree char *expires = expiry ? db_time_read(expiry) : g_strdup(CLOCK_ZERO);
	gboolean only = json_integer_value(json_object_get(row, "container_only")) != 0;
	gboolean optimized = json_integer_value(json_object_get(row, "optimized_storage")) != 0;

	return json_pack("{s:s, s:s, s:s, s:b, s:b, s:b}", "name",
			 short_name(json_text(row, "name")), "created_at", created, "expires_at",
			 expires, "instance_only", only, "container_only", only,
			 "optimized_storage", optimized);
}

static json_t *row_of(const struct instance *inst, const char *name, GError **error)
{
	g_autofree char *whole = whole_name(inst, name);
	GError *why = NULL;
	json_t *row = db_backup_row(inst->daemon->db, inst->id, whole, &why);

	if (why)
		g_propagate_error(error, why);
	else if (!row)
		fail(error, 404, "Instance backup not found");
	return row;
}

json_t *backup_show(const struct instance *inst, const char *name, GError **error)
{
	g_autoptr(json_t) row = row_of(inst, name, error);

	return row ? show(row) : NULL;
}

json_t *backup_list(const struct instance *inst, GError **error)
{
	g_autoptr(json_t) rows = db_instance_backups(inst->daemon->db, inst->id, error);
	json_t *list, *row;
	size_t i;

	if (!rows)
		return NULL;
	list = json_array();
	json_array_foreach(rows, i, row) json_array_append_new(list, show(row));
	return list;
}

int backup_open(const struct instance *inst, const char *name, GError **error)
{
	g_autoptr(json_t) row = row_of(inst, name, error);
	g_autofree char *path = path_of(inst, name);
	int fd = row ? open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC) : -1;

	if (row && fd < 0)
		fail_errno(error, errno, "Failed to open %s", path);
	return fd;
}

/* --- changes
 * ---------------------------------------------------------------------------------------- */

struct changing {
	gint64 id;
	const char *name; /* the new whole one */
	const char *from, *to;
};

static gboolean rename_row(struct db *db, void *data, GError **error)
{
	const struct changing *changing = data;

	return db_backup_rename(db, changing->id, changing->name, error) &&
	       (g_rename(changing->from, changing->to) == 0 ||
		fail_errno(error, errno, "Failed to rename %s", changing->from));
}

gboolean backup_rename(const struct instance *inst, const char *name, const char *to,
		       const struct requestor *who, GError **error)
{
	g_autoptr(json_t) row = row_of(inst, name, error);
	g_autoptr(json_t) context = json_pack("{s:s}", "old_name", name);
	g_autofree char *whole = whole_name(inst, to);
	g_autofree char *old_path = path_of(inst, name), *new_path = path_of(inst, to);
	struct changing changing;

	if (!row || !backup_check_name(to, error))
		return FALSE;
	if (strcmp(name, to) == 0)
		return TRUE;
	changing = (struct changing){ json_integer_value(json_object_get(row, "id")), whole,
				      old_path, new_path };
	if (!db_transaction(inst->daemon->db, rename_row, &changing, error))
		return FALSE;
	tell(inst, to, "instance-backup-renamed", context, who);
	return TRUE;
}

gboolean backup_delete(const struct instance *inst, const char *name, const struct requestor *who,
		       GError **error)
{
	g_autoptr(json_t) row = row_of(inst, name, error);
	g_autofree char *path = path_of(inst, name), *dir = dir_of(inst);

	if (!row || !db_backup_delete(inst->daemon->db,
				      json_integer_value(json_object_get(row, "id")), error))
		return FALSE;
	unlink(path);
	g_rmdir(dir);
	tell(inst, name, "instance-backup-deleted", NULL, who);
	return TRUE;
}

void backup_expire(struct daemon *daemon)
{
	char text[CLOCK_TEXT];
	g_autofree char *now = db_time_write(clock_text(clock_now(), text));
	g_autoptr(json_t) rows = db_backups_expired(daemon->db, now, NULL);
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		g_autoptr(instance_t) inst = instance_load(daemon, json_text(row, "project"),
							   json_text(row, "instance"), NULL);

		if (inst)
			backup_delete(inst, short_name(json_text(row, "name")), NULL, NULL);
	}
}

/* --- with the instance
 * --------------------------------------------------------------------------------- */

gboolean backup_renamed(struct db *db, gint64 instance, const char *name, GError **error)
{
	return db_backups_follow(db, instance, name, error);
}

void backup_forget(const struct instance *inst)
{
	g_autofree char *dir = dir_of(inst);

	copy_delete(dir, NULL, NULL);
}

/* --- after a kill
 * --------------------------------------------------------------------------------------- */

static GHashTable *known_paths(struct daemon *daemon)
{
	g_autoptr(json_t) rows = db_backups(daemon->db, NULL);
	GHashTable *known = rows ? g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL)
				 : NULL;
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		gint64 id = json_integer_value(json_object_get(row, "instance_id"));

		g_hash_table_add(known, g_strdup_printf("%" G_GINT64_FORMAT "/%s", id,
							short_name(json_text(row, "name"))));
	}
	return known;
}

/* Of one directory: what no row knows; then itself, when nothing is left in it. */
static void sweep(const char *base, const char *id, GHashTable *known)
{
	g_autofree char *path = g_build_filename(base, id, NULL);
	GDir *dir = g_dir_open(path, 0, NULL);
	const char *name;

	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *key = g_strdup_printf("%s/%s", id, name);
		g_autofree char *file = g_build_filename(path, name, NULL);

		if (!g_hash_table_contains(known, key))
			copy_delete(file, NULL, NULL);
	}
	if (dir)
		g_dir_close(dir);
	g_rmdir(path);
}

void backup_startup(struct daemon *daemon)
{
	g_autofree char *base = daemon_path(daemon, "backups", "instances", NULL);
	g_autoptr(GHashTable) known = known_paths(daemon);
	GDir *dir = known ? g_dir_open(base, 0, NULL) : NULL;
	const char *name;

	while (dir && (name = g_dir_read_name(dir)))
		sweep(base, name, known);
	if (dir)
		g_dir_close(dir);
}
