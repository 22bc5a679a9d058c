/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Volumes with snapshots, made part by part and true at once. */
#include "core/volume_import.h"

#include <errno.h>
#include <sys/stat.h>

#include "core/volume_make.h"
#include "util/error.h"

struct source {
	volume_fill_part fill;
	void *data;
	GCancellable *cancel;
};

/* An empty one that is filled and, as a snapshot or not, stays unmounted. */
static gboolean make_part(struct volume_job *job, const struct storage_volume *part,
			  const char *snapshot, const struct source *source, GError **error)
{
	const struct storage_driver *driver = job->pool->driver;
	g_autofree char *path = storage_volume_path(job->pool, part);

	return driver->volume_create(job->pool, part, error) &&
	       driver->volume_mount(job->pool, part, error) &&
	       source->fill(path, snapshot, source->cancel, source->data, error) &&
	       driver->volume_unmount(job->pool, part, error);
}

/* Where clones are cheap a snapshot is one of a volume, which is in the way no longer. */
static gboolean make_snapshot(struct volume_job *job, const char *name, const struct source *source,
			      GError **error)
{
	const struct storage_driver *driver = job->pool->driver;
	g_autofree char *mark = storage_mark("new", job->fresh.name);
	struct storage_volume carrier = { job->fresh.type, mark, NULL, NULL };
	struct storage_volume staged = job->fresh;
	gboolean ok;

	staged.snapshot = name;
	if (!driver->cheap_clones)
		return make_part(job, &staged, name, source, error);
	ok = driver->volume_delete(job->pool, &carrier, error) &&
	     make_part(job, &carrier, name, source, error) &&
	     driver->volume_clone(job->pool, &carrier, &staged, NULL, error);
	driver->volume_delete(job->pool, &carrier, NULL);
	return ok;
}

static gboolean make_all(struct volume_job *job, const char *const *snapshots,
			 const struct volume_new *what, const struct source *source, GError **error)
{
	const struct storage_driver *driver = job->pool->driver;
	g_autofree char *path = storage_volume_path(job->pool, &job->fresh);

	for (const char *const *name = snapshots; *name; name++)
		if (!make_snapshot(job, *name, source, error))
			return FALSE;
	if (!make_part(job, &job->fresh, NULL, source, error))
		return FALSE;
	if (chmod(path, 0100) < 0)
		return fail_errno(error, errno, "Failed to change the mode of \"%s\"", path);
	return !what->size || driver->volume_resize(job->pool, &job->fresh, what->size, error);
}

gboolean volume_import(struct daemon *daemon, const struct volume_ref *ref,
		       const char *const *snapshots, const struct volume_new *what,
		       volume_fill_part fill, void *data, GError **error)
{
	AUTO_VOLUME_JOB struct volume_job job = { 0 };
	struct source source = { fill, data, what->watch ? what->watch->cancel : NULL };

	if (!volume_job_open(&job, daemon, ref, TRUE, error) || !volume_make_begin(&job, error))
		return FALSE;
	if (make_all(&job, snapshots, what, &source, error))
		return volume_make_end(&job, what, snapshots, error);
	volume_make_undo(&job);
	return FALSE;
}
