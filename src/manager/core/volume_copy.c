/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Storage volumes from others: copies, refreshes, snapshots, restores. */
#include <string.h>

#include "core/volume_make.h"
#include "daemon.h"
#include "util/error.h"
#include "util/json.h"

/* What is copied from, and how it is watched. */
struct origin {
	struct volume_job *job;
	const struct storage_watch *watch;
};

static struct storage_volume of(const struct storage_volume *volume, const char *snapshot)
{
	struct storage_volume that = *volume;

	that.snapshot = snapshot;
	return that;
}

static gboolean same_pool(const struct volume_job *a, const struct volume_job *b)
{
	return strcmp(a->pool->name, b->pool->name) == 0;
}

/* The files of the origin's SNAPSHOT (NULL: of itself), whatever its pool, into TARGET. */
static gboolean copy_files(const struct origin *from, const char *snapshot, struct volume_job *to,
			   const struct storage_volume *target, GError **error)
{
	struct storage_volume source = of(&from->job->volume, snapshot);
	g_autofree char *a = storage_volume_path(from->job->pool, &source);
	g_autofree char *b = storage_volume_path(to->pool, target);
	struct copy_options options = { .refresh = TRUE };

	if (from->watch) {
		options.cancel = from->watch->cancel;
		options.progress = from->watch->progress;
		options.data = from->watch->data;
	}
	return copy_tree(a, b, &options, error);
}

/*
 * The origin's SNAPSHOT becomes STAGED, a snapshot of CARRIER. In another pool with cheap clones
 * CARRIER, a volume in the making, becomes each snapshot in turn, so that they share what is equal.
 */
static gboolean bring_snapshot(const struct origin *from, const char *snapshot,
			       struct volume_job *to, const struct storage_volume *carrier,
			       const struct storage_volume *staged, GError **error)
{
	const struct storage_driver *driver = to->pool->driver;
	struct storage_volume source = of(&from->job->volume, snapshot);

	if (same_pool(from->job, to))
		return driver->volume_clone(to->pool, &source, staged, from->watch, error);
	if (driver->cheap_clones)
		return copy_files(from, snapshot, to, carrier, error) &&
		       driver->volume_clone(to->pool, carrier, staged, from->watch, error);
	return driver->volume_create(to->pool, staged, error) &&
	       copy_files(from, snapshot, to, staged, error);
}

static gboolean bring(const struct origin *from, const char *const *snapshots,
		      struct volume_job *to, guint64 size, GError **error)
{
	const struct storage_driver *driver = to->pool->driver;
	gboolean near = same_pool(from->job, to);
	struct storage_volume source = of(&from->job->volume, from->job->snapshot);

	if (!near && !driver->volume_create(to->pool, &to->fresh, error))
		return FALSE;
	for (const char *const *name = snapshots; name && *name; name++) {
		struct storage_volume staged = of(&to->fresh, *name);

		if (!bring_snapshot(from, *name, to, &to->fresh, &staged, error))
			return FALSE;
	}
	if (near ? !driver->volume_clone(to->pool, &source, &to->fresh, from->watch, error)
		 : !copy_files(from, from->job->snapshot, to, &to->fresh, error))
		return FALSE;
	return !size || driver->volume_resize(to->pool, &to->fresh, size, error);
}

gboolean volume_copy(struct daemon *daemon, const struct volume_ref *source,
		     const struct volume_ref *target, const char *const *snapshots,
		     const struct volume_new *what, GError **error)
{
	AUTO_VOLUME_JOB struct volume_job from = { 0 }, to = { 0 };
	struct origin origin = { &from, what->watch };

	if (!volume_job_open(&from, daemon, source, FALSE, error) ||
	    !volume_job_open(&to, daemon, target, TRUE, error) || !volume_make_begin(&to, error))
		return FALSE;
	if (bring(&origin, snapshots, &to, what->size, error))
		return volume_make_end(&to, what, snapshots, error);
	volume_make_undo(&to);
	return FALSE;
}

/* --- snapshots --------------------------------------------------------------------------- */

struct rows {
	struct volume_job *job;
	const struct volume_new *what;
	const char *const *drop, *const *add;
	const char *expiry;
};

static gboolean rows_work(struct db *db, void *data, GError **error)
{
	const struct rows *r = data;
	g_autoptr(json_t) row = db_volume_get(db, &r->job->key, error);
	gint64 id = row ? json_integer_value(json_object_get(row, "id")) : -1;
	const json_t *config = r->what->config;

	if (!row)
		return FALSE;
	if (!config)
		config = json_object_get(row, "config");
	for (const char *const *name = r->drop; name && *name; name++)
		if (!db_volume_delete_snapshot(db, id, *name, error))
			return FALSE;
	for (const char *const *name = r->add; name && *name; name++)
		if (db_volume_insert_snapshot(db, id, *name,
					      r->what->description ? r->what->description
								   : json_text(row, "description"),
					      config, r->expiry, error) < 0)
			return FALSE;
	return !r->what->commit.work || r->what->commit.work(db, r->what->commit.data, error);
}

/* Each of NAMES between its own name and a marked one; what is not there is passed over. */
static gboolean move_all(struct volume_job *job, const char *const *names, const char *mark,
			 gboolean to_mark, GError **error)
{
	for (const char *const *name = names; name && *name; name++) {
		g_autofree char *marked = storage_mark(mark, *name);
		struct storage_volume plain = of(&job->volume, *name);
		struct storage_volume aside = of(&job->volume, marked);

		if (storage_volume_exists(job->pool, to_mark ? &plain : &aside) &&
		    !job->pool->driver->volume_rename(job->pool, to_mark ? &plain : &aside,
						      to_mark ? &aside : &plain, error))
			return FALSE;
	}
	return TRUE;
}

static gboolean delete_marked(struct volume_job *job, const char *const *names, const char *mark,
			      GError **error)
{
	for (const char *const *name = names; name && *name; name++) {
		g_autofree char *marked = storage_mark(mark, *name);
		struct storage_volume aside = of(&job->volume, marked);

		if (!job->pool->driver->volume_delete(job->pool, &aside, error))
			return FALSE;
	}
	return TRUE;
}

/* Those in ADD are there under their marks: now rows and names follow. */
static gboolean change_snapshots(struct rows *rows, GError **error)
{
	struct volume_job *job = rows->job;

	if (!move_all(job, rows->drop, "del", TRUE, error) ||
	    !db_transaction(job->daemon->db, rows_work, rows, error)) {
		move_all(job, rows->drop, "del", FALSE, NULL);
		delete_marked(job, rows->add, "new", NULL);
		return FALSE;
	}
	return move_all(job, rows->add, "new", FALSE, error) &&
	       delete_marked(job, rows->drop, "del", error);
}

static gboolean have_volume(struct volume_job *job, GError **error)
{
	return storage_volume_exists(job->pool, &job->volume) ||
	       fail(error, 404, "Storage pool volume not found");
}

gboolean volume_snapshot(struct daemon *daemon, const struct volume_ref *ref, const char *expiry,
			 const struct volume_new *what, GError **error)
{
	AUTO_VOLUME_JOB struct volume_job job = { 0 };
	const char *const names[] = { ref->snapshot, NULL };
	struct rows rows = { &job, what, NULL, names, expiry };
	g_autofree char *mark = storage_mark("new", ref->snapshot);
	struct storage_volume snapshot, staged;

	if (!volume_job_open(&job, daemon, ref, TRUE, error) || !have_volume(&job, error))
		return FALSE;
	snapshot = of(&job.volume, ref->snapshot);
	staged = of(&job.volume, mark);
	if (storage_volume_exists(job.pool, &snapshot))
		return fail(error, 409, "Snapshot by that name already exists");
	if (!job.pool->driver->volume_delete(job.pool, &staged, error))
		return FALSE;
	if (!job.pool->driver->volume_clone(job.pool, &job.volume, &staged, what->watch, error)) {
		job.pool->driver->volume_delete(job.pool, &staged, NULL);
		return FALSE;
	}
	if (!change_snapshots(&rows, error))
		return FALSE;
	volume_job_link(&job);
	return TRUE;
}

/* --- another content ------------------------------------------------------------------------ */

/* job->fresh takes the volume's place, and what was there goes. */
static gboolean replace(struct volume_job *job, GError **error)
{
	const struct storage_driver *driver = job->pool->driver;

	if (!driver->volume_exchange(job->pool, &job->fresh, &job->volume, error)) {
		driver->volume_delete(job->pool, &job->fresh, NULL);
		return FALSE;
	}
	return driver->volume_delete(job->pool, &job->fresh, error);
}

static gboolean commit_alone(struct volume_job *job, const struct volume_new *what, GError **error)
{
	struct rows rows = { job, what, NULL, NULL, NULL };

	return !what->commit.work || db_transaction(job->daemon->db, rows_work, &rows, error);
}

gboolean volume_restore(struct daemon *daemon, const struct volume_ref *ref,
			const struct volume_new *what, GError **error)
{
	AUTO_VOLUME_JOB struct volume_job job = { 0 };
	const struct storage_driver *driver;
	struct storage_volume snapshot;

	if (!volume_job_open(&job, daemon, ref, TRUE, error) || !have_volume(&job, error))
		return FALSE;
	driver = job.pool->driver;
	snapshot = of(&job.volume, ref->snapshot);
	if (!storage_volume_exists(job.pool, &snapshot))
		return fail(error, 404, "Storage pool volume not found");
	if (!driver->volume_delete(job.pool, &job.fresh, error))
		return FALSE;
	if (!driver->volume_clone(job.pool, &snapshot, &job.fresh, what->watch, error) ||
	    !commit_alone(&job, what, error)) {
		driver->volume_delete(job.pool, &job.fresh, NULL);
		return FALSE;
	}
	return replace(&job, error);
}

/* A clone of what is there takes the changes where clones are cheap: a kill leaves the old one. */
static gboolean refresh_volume(const struct origin *from, struct volume_job *to, GError **error)
{
	const struct storage_driver *driver = to->pool->driver;
	gboolean near = same_pool(from->job, to);
	struct storage_volume source = of(&from->job->volume, from->job->snapshot);

	if (!driver->cheap_clones)
		return copy_files(from, from->job->snapshot, to, &to->volume, error);
	if (!driver->volume_clone(to->pool, near ? &source : &to->volume, &to->fresh, from->watch,
				  error) ||
	    (!near && !copy_files(from, from->job->snapshot, to, &to->fresh, error))) {
		driver->volume_delete(to->pool, &to->fresh, NULL);
		return FALSE;
	}
	return replace(to, error);
}

static gboolean stage_snapshots(const struct origin *from, const char *const *names,
				struct volume_job *to, GError **error)
{
	const struct storage_driver *driver = to->pool->driver;
	gboolean carried = !same_pool(from->job, to) && driver->cheap_clones && names && *names;

	if (carried && !driver->volume_clone(to->pool, &to->volume, &to->fresh, NULL, error))
		return FALSE;
	for (const char *const *name = names; name && *name; name++) {
		g_autofree char *mark = storage_mark("new", *name);
		struct storage_volume staged = of(&to->volume, mark);

		if (!driver->volume_delete(to->pool, &staged, error) ||
		    !bring_snapshot(from, *name, to, &to->fresh, &staged, error))
			return FALSE;
	}
	return !carried || driver->volume_delete(to->pool, &to->fresh, error);
}

gboolean volume_refresh(struct daemon *daemon, const struct volume_ref *source,
			const struct volume_ref *target, const char *const *drop,
			const char *const *add, const struct volume_new *what, GError **error)
{
	AUTO_VOLUME_JOB struct volume_job from = { 0 }, to = { 0 };
	struct origin origin = { &from, what->watch };
	struct rows rows = { &to, what, drop, add, NULL };

	if (!volume_job_open(&from, daemon, source, FALSE, error) ||
	    !volume_job_open(&to, daemon, target, TRUE, error) || !have_volume(&to, error) ||
	    !to.pool->driver->volume_delete(to.pool, &to.fresh, error))
		return FALSE;
	if (!stage_snapshots(&origin, add, &to, error) || !refresh_volume(&origin, &to, error)) {
		delete_marked(&to, add, "new", NULL);
		to.pool->driver->volume_delete(to.pool, &to.fresh, NULL);
		return FALSE;
	}
	if (!change_snapshots(&rows, error))
		return FALSE;
	volume_job_link(&to);
	return TRUE;
}
