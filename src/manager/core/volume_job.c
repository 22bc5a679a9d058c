/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A volume that is being worked on, and the order after a kill. */
#include "core/volume_job.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon.h"
#include "util/error.h"
#include "util/json.h"

char *volume_disk_name(enum volume_type type, const char *project, const char *name)
{
	if (type == VOLUME_IMAGE || (type == VOLUME_CONTAINER && strcmp(project, "default") == 0))
		return g_strdup(name);
	return g_strdup_printf("%s_%s", project, name);
}

static void hold(struct volume_job *job)
{
	struct pools *pools = job->daemon->pools;

	job->held = g_strdup_printf("%s/%d/%s", job->pool->name, job->volume.type, job->disk);
	g_mutex_lock(&pools->lock);
	while (!g_hash_table_add(pools->held, g_strdup(job->held)))
		g_cond_wait(&pools->freed, &pools->lock);
	g_mutex_unlock(&pools->lock);
}

gboolean volume_job_open(struct volume_job *job, struct daemon *daemon,
			 const struct volume_ref *ref, gboolean lock, GError **error)
{
	memset(job, 0, sizeof(*job));
	job->daemon = daemon;
	job->pool = pool_open(daemon, ref->pool, &job->key.pool, error);
	if (!job->pool)
		return FALSE;
	job->key.project = ref->type == VOLUME_IMAGE ? "default" : ref->project;
	job->key.type = (int)ref->type;
	job->key.name = ref->name;
	job->snapshot = ref->snapshot;
	job->disk = volume_disk_name(ref->type, ref->project, ref->name);
	job->mark = storage_mark("new", job->disk);
	job->volume = (struct storage_volume){ ref->type, job->disk, NULL, NULL };
	job->fresh = (struct storage_volume){ ref->type, job->mark, NULL, NULL };
	if (lock)
		hold(job);
	return TRUE;
}

void volume_job_close(struct volume_job *job)
{
	struct pools *pools = job->daemon ? job->daemon->pools : NULL;

	if (job->held) {
		g_mutex_lock(&pools->lock);
		g_hash_table_remove(pools->held, job->held);
		g_cond_broadcast(&pools->freed);
		g_mutex_unlock(&pools->lock);
	}
	g_free(job->held);
	g_free(job->disk);
	g_free(job->mark);
	storage_pool_free(job->pool);
}

json_t *volume_job_row(struct volume_job *job, GError **error)
{
	return job->snapshot
		       ? db_volume_get_snapshot(job->daemon->db, &job->key, job->snapshot, error)
		       : db_volume_get(job->daemon->db, &job->key, error);
}

gint64 volume_job_id(struct volume_job *job, GError **error)
{
	g_autoptr(json_t) row = db_volume_get(job->daemon->db, &job->key, error);

	return row ? json_integer_value(json_object_get(row, "id")) : -1;
}

/* --- links --------------------------------------------------------------------------- */

static void link_to(const char *link, const char *target)
{
	g_autofree char *dir = g_path_get_dirname(link), *now = NULL;

	if (access(target, F_OK) < 0) {
		unlink(link);
		return;
	}
	mkdir(dir, 0711);
	now = g_file_read_link(link, NULL);
	if (now && strcmp(now, target) == 0)
		return;
	unlink(link);
	if (symlink(target, link) < 0)
		return; /* a convenience for people: nothing of ours goes through it */
}

void volume_job_link(struct volume_job *job)
{
	g_autofree char *volume = NULL, *snapshots = NULL, *link = NULL, *snapshots_link = NULL;

	if (job->volume.type != VOLUME_CONTAINER)
		return;
	volume = storage_volume_path(job->pool, &job->volume);
	snapshots = g_build_filename(job->pool->path, storage_volume_dir(VOLUME_CONTAINER, TRUE),
				     job->disk, NULL);
	link = daemon_path(job->daemon, "containers", job->disk, NULL);
	snapshots_link = daemon_path(job->daemon, "snapshots", job->disk, NULL);
	link_to(link, volume);
	link_to(snapshots_link, snapshots);
}

/* --- after a kill ----------------------------------------------------------------------- */

/* What the rows of a pool say: names on disk of volumes ("TYPE/NAME") and snapshots
 * ("TYPE/NAME/SNAP"). */
static GHashTable *rows_of(struct daemon *daemon, gint64 pool, GError **error)
{
	g_autoptr(json_t) rows = db_volume_list(daemon->db, pool, NULL, error);
	GHashTable *names;
	json_t *row;
	size_t i;

	if (!rows)
		return NULL;
	names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	json_array_foreach(rows, i, row)
	{
		enum volume_type type =
			(enum volume_type)json_integer_value(json_object_get(row, "type"));
		g_autofree char *disk = volume_disk_name(type, json_text(row, "project"),
							 json_text(row, "name"));

		g_hash_table_add(names, g_strdup_printf("%d/%s", (int)type, disk));
	}
	return names;
}

static gboolean has_row(GHashTable *rows, const struct storage_volume *volume)
{
	g_autofree char *key = volume->snapshot
				       ? g_strdup_printf("%d/%s/%s", (int)volume->type,
							 volume->name, volume->snapshot)
				       : g_strdup_printf("%d/%s", (int)volume->type, volume->name);

	return g_hash_table_contains(rows, key);
}

/*
 * MARKED is what was in the making or went, FINAL what it is without its mark. The rows decide:
 * with one and nothing in its place the volume is completed or brought back, else it is of no use.
 */
static gboolean settle(struct storage_pool *pool, GHashTable *rows,
		       const struct storage_volume *marked, const struct storage_volume *final,
		       GError **error)
{
	if (has_row(rows, final) && !storage_volume_exists(pool, final))
		return pool->driver->volume_rename(pool, marked, final, error);
	return pool->driver->volume_delete(pool, marked, error);
}

/* A rename that was announced: ".mv-OLD" is a symlink to the new name. */
static gboolean settle_rename(struct storage_pool *pool, GHashTable *rows, const char *link,
			      const struct storage_volume *before, GError **error)
{
	g_autofree char *name = g_file_read_link(link, NULL);
	struct storage_volume after = *before;

	if (!name)
		return copy_delete(link, NULL, error);
	if (before->snapshot)
		after.snapshot = name;
	else
		after.name = name;
	if (has_row(rows, before) && !has_row(rows, &after) &&
	    storage_volume_exists(pool, &after) && !storage_volume_exists(pool, before) &&
	    !pool->driver->volume_rename(pool, &after, before, error))
		return FALSE;
	if (has_row(rows, &after) && !has_row(rows, before) &&
	    storage_volume_exists(pool, before) && !storage_volume_exists(pool, &after) &&
	    !pool->driver->volume_rename(pool, before, &after, error))
		return FALSE;
	return copy_delete(link, NULL, error);
}

static gboolean settle_one(struct storage_pool *pool, GHashTable *rows,
			   const struct storage_volume *marked, GError **error)
{
	const char *name = marked->snapshot ? marked->snapshot : marked->name;
	const char *final = storage_marked("new", name);
	const char *moved = storage_marked("mv", name);
	struct storage_volume volume = *marked;

	if (!final)
		final = storage_marked("del", name);
	if (!final && !moved)
		return TRUE;
	*(marked->snapshot ? &volume.snapshot : &volume.name) = final ? final : moved;
	if (final)
		return settle(pool, rows, marked, &volume, error);

	g_autofree char *link = storage_volume_path(pool, marked);

	return settle_rename(pool, rows, link, &volume, error);
}

static gboolean recover_snapshots(struct storage_pool *pool, GHashTable *rows,
				  const struct storage_volume *volume, GError **error)
{
	g_auto(GStrv) marked = storage_snapshots_marked(pool, volume);

	for (char **name = marked; *name; name++) {
		struct storage_volume snapshot = *volume;

		snapshot.snapshot = *name;
		if (!settle_one(pool, rows, &snapshot, error))
			return FALSE;
	}
	return TRUE;
}

/* Directories of snapshots whose volume was never made or is gone. */
static gboolean recover_orphans(struct storage_pool *pool, enum volume_type type, GError **error)
{
	g_autofree char *path = g_build_filename(pool->path, storage_volume_dir(type, TRUE), NULL);
	GDir *dir = type == VOLUME_IMAGE ? NULL : g_dir_open(path, 0, NULL);
	gboolean ok = TRUE;
	const char *name;

	while (ok && dir && (name = g_dir_read_name(dir))) {
		struct storage_volume volume = { type, name, NULL, NULL };

		if (*name == '.' && !storage_volume_exists(pool, &volume))
			ok = pool->driver->volume_delete(pool, &volume, error);
	}
	if (dir)
		g_dir_close(dir);
	return ok;
}

static gboolean recover_type(struct storage_pool *pool, GHashTable *rows, enum volume_type type,
			     GError **error)
{
	g_auto(GStrv) marked = storage_volumes_marked(pool, type);
	g_auto(GStrv) names = NULL;

	for (char **name = marked; *name; name++)
		if (!settle_one(pool, rows, &(struct storage_volume){ type, *name, NULL, NULL },
				error))
			return FALSE;
	names = storage_volumes(pool, type);
	for (char **name = names; *name; name++)
		if (!recover_snapshots(pool, rows,
				       &(struct storage_volume){ type, *name, NULL, NULL }, error))
			return FALSE;
	return recover_orphans(pool, type, error);
}

gboolean volume_recover(struct daemon *daemon, struct storage_pool *pool, gint64 id, GError **error)
{
	g_autoptr(GHashTable) rows = rows_of(daemon, id, error);

	return rows && recover_type(pool, rows, VOLUME_CONTAINER, error) &&
	       recover_type(pool, rows, VOLUME_IMAGE, error) &&
	       recover_type(pool, rows, VOLUME_CUSTOM, error);
}
