/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Storage volumes: making, copying, renaming, deleting. */
#include "core/volume.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/volume_job.h"
#include "core/volume_make.h"
#include "daemon.h"
#include "util/error.h"
#include "util/json.h"

/* --- new ones ------------------------------------------------------------------------- */

gboolean volume_make_begin(struct volume_job *job, GError **error)
{
	g_autoptr(json_t) row = db_volume_get(job->daemon->db, &job->key, NULL);

	if (row || storage_volume_exists(job->pool, &job->volume))
		return fail(error, 409, "Volume by that name already exists");
	return job->pool->driver->volume_delete(job->pool, &job->fresh, error);
}

struct publish {
	struct volume_job *job;
	const struct volume_new *what;
	const char *const *snapshots;
};

static gboolean publish_work(struct db *db, void *data, GError **error)
{
	const struct publish *p = data;
	gint64 id = db_volume_insert(db, &p->job->key, p->what->description, p->what->config,
				     error);

	if (id < 0)
		return FALSE;
	for (const char *const *name = p->snapshots; name && *name; name++)
		if (db_volume_insert_snapshot(db, id, *name, p->what->description, p->what->config,
					      NULL, error) < 0)
			return FALSE;
	return !p->what->commit.work || p->what->commit.work(db, p->what->commit.data, error);
}

/* Instances' volumes are passed through by their owner alone, who is set at their first start. */
static gboolean set_mode(struct volume_job *job, GError **error)
{
	g_autofree char *path = storage_volume_path(job->pool, &job->fresh);
	mode_t mode = job->volume.type == VOLUME_CUSTOM ? 0711 : 0100;

	if (chmod(path, mode) == 0)
		return TRUE;
	return fail_errno(error, errno, "Failed to change the mode of \"%s\"", path);
}

gboolean volume_make_end(struct volume_job *job, const struct volume_new *what,
			 const char *const *snapshots, GError **error)
{
	struct publish publish = { job, what, snapshots };

	if (!db_transaction(job->daemon->db, publish_work, &publish, error)) {
		volume_make_undo(job);
		return FALSE;
	}
	/* From here it exists: what a kill leaves undone the next start does. */
	if (!job->pool->driver->volume_rename(job->pool, &job->fresh, &job->volume, error))
		return FALSE;
	volume_job_link(job);
	return TRUE;
}

void volume_make_undo(struct volume_job *job)
{
	job->pool->driver->volume_delete(job->pool, &job->fresh, NULL);
}

static GCancellable *cancel_of(const struct volume_new *what)
{
	return what->watch ? what->watch->cancel : NULL;
}

static gboolean fill_fresh(struct volume_job *job, const struct volume_new *what, volume_fill fill,
			   void *data, GError **error)
{
	const struct storage_driver *driver = job->pool->driver;
	g_autofree char *path = storage_volume_path(job->pool, &job->fresh);

	return driver->volume_create(job->pool, &job->fresh, error) && chmod(path, 0700) == 0 &&
	       (!what->size || driver->volume_resize(job->pool, &job->fresh, what->size, error)) &&
	       driver->volume_mount(job->pool, &job->fresh, error) &&
	       (!fill || fill(path, cancel_of(what), data, error)) && set_mode(job, error) &&
	       driver->volume_unmount(job->pool, &job->fresh, error);
}

static gboolean create_in(struct volume_job *job, const struct volume_new *what, volume_fill fill,
			  void *data, GError **error)
{
	if (!volume_make_begin(job, error))
		return FALSE;
	if (fill_fresh(job, what, fill, data, error))
		return volume_make_end(job, what, NULL, error);
	volume_make_undo(job);
	return FALSE;
}

gboolean volume_create(struct daemon *daemon, const struct volume_ref *ref,
		       const struct volume_new *what, volume_fill fill, void *data, GError **error)
{
	AUTO_VOLUME_JOB struct volume_job job = { 0 };

	return volume_job_open(&job, daemon, ref, TRUE, error) &&
	       create_in(&job, what, fill, data, error);
}

/* --- from images ------------------------------------------------------------------------- */

/* The pool's volume of an image: made by whoever needs it first, the others wait. */
static gboolean have_image(struct daemon *daemon, const char *pool, const char *fingerprint,
			   const struct volume_new *for_what, volume_fill fill, void *data,
			   GError **error)
{
	struct volume_ref ref = { pool, "default", VOLUME_IMAGE, fingerprint, NULL };
	struct volume_new what = { .watch = for_what->watch };
	AUTO_VOLUME_JOB struct volume_job job = { 0 };
	g_autoptr(json_t) row = NULL;

	if (!volume_job_open(&job, daemon, &ref, TRUE, error))
		return FALSE;
	row = db_volume_get(daemon->db, &job.key, NULL);
	if (row && storage_volume_exists(job.pool, &job.volume))
		return TRUE;
	if (row &&
	    !db_volume_delete(daemon->db, json_integer_value(json_object_get(row, "id")), error))
		return FALSE;
	if (!job.pool->driver->volume_delete(job.pool, &job.volume, error))
		return FALSE;
	return create_in(&job, &what, fill, data, error);
}

static gboolean clone_fresh(struct volume_job *job, const struct storage_volume *source,
			    const struct volume_new *what, GError **error)
{
	const struct storage_driver *driver = job->pool->driver;

	return driver->volume_clone(job->pool, source, &job->fresh, what->watch, error) &&
	       (!what->size || driver->volume_resize(job->pool, &job->fresh, what->size, error));
}

gboolean volume_create_from_image(struct daemon *daemon, const struct volume_ref *ref,
				  const char *fingerprint, const struct volume_new *what,
				  volume_fill fill, void *data, GError **error)
{
	struct storage_volume image = { VOLUME_IMAGE, fingerprint, NULL, NULL };
	AUTO_VOLUME_JOB struct volume_job job = { 0 };

	if (!volume_job_open(&job, daemon, ref, TRUE, error))
		return FALSE;
	if (!job.pool->driver->cheap_clones)
		return create_in(&job, what, fill, data, error);
	if (!have_image(daemon, ref->pool, fingerprint, what, fill, data, error) ||
	    !volume_make_begin(&job, error))
		return FALSE;
	if (clone_fresh(&job, &image, what, error))
		return volume_make_end(&job, what, NULL, error);
	volume_make_undo(&job);
	return FALSE;
}

static gboolean forget_in(struct daemon *daemon, const char *pool, const char *fingerprint,
			  GError **error)
{
	struct volume_ref ref = { pool, "default", VOLUME_IMAGE, fingerprint, NULL };
	g_autoptr(GError) none = NULL;

	if (volume_delete(daemon, &ref, NULL, &none) || error_status(none) == 404)
		return TRUE;
	g_propagate_error(error, g_steal_pointer(&none));
	return FALSE;
}

gboolean volume_forget_image(struct daemon *daemon, const char *fingerprint, GError **error)
{
	g_autoptr(json_t)
		pools = db_select(daemon->db, error,
				  "SELECT s.name FROM storage_pools s JOIN storage_volumes v ON "
				  "v.storage_pool_id = s.id WHERE v.type = 1 AND v.name = ?1",
				  "s", fingerprint);
	json_t *row;
	size_t i;

	json_array_foreach(pools, i, row) if (!forget_in(daemon, json_text(row, "name"),
							 fingerprint, error)) return FALSE;
	return pools != NULL;
}

/* --- deletion ------------------------------------------------------------------------------ */

struct removal {
	struct volume_job *job;
	const struct volume_commit *commit;
};

static gboolean delete_work(struct db *db, void *data, GError **error)
{
	const struct removal *r = data;
	g_autoptr(json_t) row = db_volume_get(db, &r->job->key, NULL);
	gint64 id = row ? json_integer_value(json_object_get(row, "id")) : -1;

	if (row && !(r->job->snapshot ? db_volume_delete_snapshot(db, id, r->job->snapshot, error)
				      : db_volume_delete(db, id, error)))
		return FALSE;
	return !r->commit || !r->commit->work || r->commit->work(db, r->commit->data, error);
}

/* A volume or snapshot is first renamed, then has no row any more, then goes from the disk. */
static gboolean delete_in(struct volume_job *job, const struct storage_volume *volume,
			  const struct storage_volume *going, const struct volume_commit *commit,
			  GError **error)
{
	const struct storage_driver *driver = job->pool->driver;
	struct removal removal = { job, commit };
	gboolean there = storage_volume_exists(job->pool, volume);

	if (!driver->volume_delete(job->pool, going, error) ||
	    (there && !driver->volume_unmount(job->pool, volume, error)) ||
	    (there && !driver->volume_rename(job->pool, volume, going, error)))
		return FALSE;
	if (!db_transaction(job->daemon->db, delete_work, &removal, error)) {
		if (there)
			driver->volume_rename(job->pool, going, volume, NULL);
		return FALSE;
	}
	if (!driver->volume_delete(job->pool, going, error))
		return FALSE;
	volume_job_link(job);
	return TRUE;
}

gboolean volume_delete(struct daemon *daemon, const struct volume_ref *ref,
		       const struct volume_commit *commit, GError **error)
{
	AUTO_VOLUME_JOB struct volume_job job = { 0 };
	g_autofree char *mark = NULL;
	struct storage_volume volume, going;

	if (!volume_job_open(&job, daemon, ref, TRUE, error))
		return FALSE;
	mark = storage_mark("del", ref->snapshot ? ref->snapshot : job.disk);
	volume = going = job.volume;
	volume.snapshot = ref->snapshot;
	*(ref->snapshot ? &going.snapshot : &going.name) = mark;
	return delete_in(&job, &volume, &going, commit, error);
}

/* --- new names ---------------------------------------------------------------------------------
 */

struct renaming {
	struct volume_job *job;
	const char *name;
	const struct volume_commit *commit;
};

static gboolean rename_work(struct db *db, void *data, GError **error)
{
	const struct renaming *r = data;
	gint64 id = volume_job_id(r->job, error);

	if (id < 0 ||
	    !(r->job->snapshot ? db_volume_rename_snapshot(db, id, r->job->snapshot, r->name, error)
			       : db_volume_rename(db, id, r->name, error)))
		return FALSE;
	return !r->commit || !r->commit->work || r->commit->work(db, r->commit->data, error);
}

/* Announced by a symlink, so that a start after a kill finds both names. */
static gboolean rename_in(struct renaming *r, const struct storage_volume *from,
			  const struct storage_volume *to, GError **error)
{
	struct volume_job *job = r->job;
	const char *old = from->snapshot ? from->snapshot : from->name;
	g_autofree char *mark = storage_mark("mv", old), *link = NULL;
	struct storage_volume announced = *from;
	gboolean ok;

	*(from->snapshot ? &announced.snapshot : &announced.name) = mark;
	link = storage_volume_path(job->pool, &announced);
	if (symlink(to->snapshot ? to->snapshot : to->name, link) < 0 && errno != EEXIST)
		return fail_errno(error, errno, "Failed to create \"%s\"", link);
	ok = job->pool->driver->volume_rename(job->pool, from, to, error);
	if (ok && !db_transaction(job->daemon->db, rename_work, r, error)) {
		job->pool->driver->volume_rename(job->pool, to, from, NULL);
		ok = FALSE;
	}
	unlink(link);
	return ok;
}

gboolean volume_rename(struct daemon *daemon, const struct volume_ref *ref, const char *name,
		       const struct volume_commit *commit, GError **error)
{
	AUTO_VOLUME_JOB struct volume_job job = { 0 };
	struct renaming renaming = { &job, name, commit };
	g_autofree char *disk = NULL;
	struct storage_volume from, to;

	if (!volume_job_open(&job, daemon, ref, TRUE, error))
		return FALSE;
	disk = volume_disk_name(ref->type, ref->project, name);
	from = to = job.volume;
	from.snapshot = to.snapshot = ref->snapshot;
	*(ref->snapshot ? &to.snapshot : &to.name) = ref->snapshot ? name : disk;
	if (storage_volume_exists(job.pool, &to))
		return fail(error, 409, "Volume by that name already exists");
	if (!rename_in(&renaming, &from, &to, error))
		return FALSE;
	volume_job_link(&job);
	if (!ref->snapshot) { /* the links of the new name too */
		g_free(job.disk);
		job.disk = g_steal_pointer(&disk);
		job.volume.name = job.disk;
		volume_job_link(&job);
	}
	return TRUE;
}
