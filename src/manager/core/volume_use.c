/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Storage volumes that are there: where they are, what they are, their streams. */
#include <string.h>

#include "core/volume_make.h"
#include "daemon.h"
#include "util/error.h"
#include "util/json.h"

static struct storage_volume referred(const struct volume_job *job)
{
	struct storage_volume volume = job->volume;

	volume.snapshot = job->snapshot;
	return volume;
}

char *volume_path(struct daemon *daemon, const struct volume_ref *ref)
{
	g_autofree char *disk = volume_disk_name(ref->type, ref->project, ref->name);

	return daemon_path(daemon, "storage-pools", ref->pool,
			   storage_volume_dir(ref->type, ref->snapshot != NULL), disk,
			   ref->snapshot, NULL);
}

char *volume_mount(struct daemon *daemon, const struct volume_ref *ref, GError **error)
{
	AUTO_VOLUME_JOB struct volume_job job = { 0 };
	struct storage_volume volume;

	if (!volume_job_open(&job, daemon, ref, FALSE, error))
		return NULL;
	volume = referred(&job);
	return job.pool->driver->volume_mount(job.pool, &volume, error)
		       ? storage_volume_path(job.pool, &volume)
		       : NULL;
}

gboolean volume_unmount(struct daemon *daemon, const struct volume_ref *ref, GError **error)
{
	AUTO_VOLUME_JOB struct volume_job job = { 0 };
	struct storage_volume volume;

	if (!volume_job_open(&job, daemon, ref, FALSE, error))
		return FALSE;
	volume = referred(&job);
	return job.pool->driver->volume_unmount(job.pool, &volume, error);
}

gboolean volume_exists(struct daemon *daemon, const struct volume_ref *ref)
{
	AUTO_VOLUME_JOB struct volume_job job = { 0 };
	g_autoptr(json_t) row = NULL;
	struct storage_volume volume;

	if (!volume_job_open(&job, daemon, ref, FALSE, NULL))
		return FALSE;
	row = volume_job_row(&job, NULL);
	volume = referred(&job);
	return row && storage_volume_exists(job.pool, &volume);
}

gboolean volume_resize(struct daemon *daemon, const struct volume_ref *ref, guint64 size,
		       GError **error)
{
	AUTO_VOLUME_JOB struct volume_job job = { 0 };

	return volume_job_open(&job, daemon, ref, TRUE, error) &&
	       job.pool->driver->volume_resize(job.pool, &job.volume, size, error);
}

gboolean volume_usage(struct daemon *daemon, const struct volume_ref *ref, guint64 *ret,
		      GError **error)
{
	AUTO_VOLUME_JOB struct volume_job job = { 0 };
	struct storage_volume volume;

	if (!volume_job_open(&job, daemon, ref, FALSE, error))
		return FALSE;
	volume = referred(&job);
	return job.pool->driver->volume_usage(job.pool, &volume, ret, error);
}

json_t *volume_snapshots(struct daemon *daemon, const struct volume_ref *ref, GError **error)
{
	AUTO_VOLUME_JOB struct volume_job job = { 0 };
	gint64 id;

	if (!volume_job_open(&job, daemon, ref, FALSE, error))
		return NULL;
	id = volume_job_id(&job, error);
	return id < 0 ? NULL : db_volume_snapshots(daemon->db, id, error);
}

json_t *volume_config(struct daemon *daemon, const struct volume_ref *ref, GError **error)
{
	AUTO_VOLUME_JOB struct volume_job job = { 0 };
	g_autoptr(json_t) row = NULL;

	if (!volume_job_open(&job, daemon, ref, FALSE, error))
		return NULL;
	row = volume_job_row(&job, error);
	return row ? json_incref(json_object_get(row, "config")) : NULL;
}

gboolean volume_update(struct daemon *daemon, const struct volume_ref *ref, const char *description,
		       const json_t *config, GError **error)
{
	AUTO_VOLUME_JOB struct volume_job job = { 0 };
	gint64 id;

	if (!volume_job_open(&job, daemon, ref, TRUE, error))
		return FALSE;
	id = volume_job_id(&job, error);
	return id >= 0 && db_volume_update(daemon->db, id, description, config, error);
}

/* --- as the API shows them ----------------------------------------------------------------- */

static const char *const type_names[] = { "container", "image", "custom" };

/* The URL of what uses it, or NULL. */
static char *user_of(const json_t *row)
{
	const char *project = json_text(row, "project"), *name = json_text(row, "name");
	const char *slash = strchr(name, '/');
	g_autofree char *volume = slash ? g_strndup(name, (gsize)(slash - name)) : g_strdup(name);
	g_autofree char *query = strcmp(project, "default") == 0
					 ? g_strdup("")
					 : g_strconcat("?project=", project, NULL);

	switch (json_integer_value(json_object_get(row, "type"))) {
	case DB_VOLUME_CONTAINER:
		return slash ? g_strdup_printf("/1.0/instances/%s/snapshots/%s%s", volume,
					       slash + 1, query)
			     : g_strdup_printf("/1.0/instances/%s%s", volume, query);
	case DB_VOLUME_IMAGE:
		return g_strdup_printf("/1.0/images/%s%s", volume, query);
	default:
		return NULL;
	}
}

static json_t *volume_object(const json_t *row)
{
	gint64 type = json_integer_value(json_object_get(row, "type"));
	g_autofree char *user = user_of(row);
	json_t *users = json_array();

	if (user)
		json_array_append_new(users, json_string(user));
	return json_pack("{s:O, s:O, s:O, s:s, s:o, s:s, s:s, s:O, s:s}", "config",
			 json_object_get(row, "config"), "description",
			 json_object_get(row, "description"), "name", json_object_get(row, "name"),
			 "type", type_names[CLAMP(type, 0, 2)], "used_by", users, "location",
			 "none", "content_type", "filesystem", "project",
			 json_object_get(row, "project"), "created_at", "0001-01-01T00:00:00Z");
}

json_t *volume_show(struct daemon *daemon, const struct volume_ref *ref, GError **error)
{
	AUTO_VOLUME_JOB struct volume_job job = { 0 };
	g_autoptr(json_t) row = NULL;

	if (!volume_job_open(&job, daemon, ref, FALSE, error))
		return NULL;
	row = volume_job_row(&job, error);
	return row ? volume_object(row) : NULL;
}

json_t *volume_list(struct daemon *daemon, const char *pool, const char *project, GError **error)
{
	g_autoptr(storage_pool_t) open = NULL;
	g_autoptr(json_t) rows = NULL;
	json_t *list, *row;
	gint64 id;
	size_t i;

	open = pool_open(daemon, pool, &id, error);
	rows = open ? db_volume_list(daemon->db, id, NULL, error) : NULL;
	if (!rows)
		return NULL;
	list = json_array();
	json_array_foreach(rows, i, row)
	{
		gboolean image = json_integer_value(json_object_get(row, "type")) ==
				 DB_VOLUME_IMAGE;

		/* Images are everybody's, whatever project they came with. */
		if (!project || image || strcmp(json_text(row, "project"), project) == 0)
			json_array_append_new(list, volume_object(row));
	}
	return list;
}

/* --- streams --------------------------------------------------------------------------------- */

gboolean volume_can_stream(struct daemon *daemon, const char *pool)
{
	g_autoptr(storage_pool_t) open = pool_open(daemon, pool, NULL, NULL);

	return open && open->driver->streams;
}

/* A volume itself is sent as a snapshot that is made for that alone. */
static gboolean send_volume(struct volume_job *job, const struct storage_volume *parent, int fd,
			    const struct storage_watch *watch, GError **error)
{
	const struct storage_driver *driver = job->pool->driver;
	struct storage_volume still = job->volume;
	gboolean ok;

	still.snapshot = ".new-send";
	ok = driver->volume_delete(job->pool, &still, error) &&
	     driver->volume_clone(job->pool, &job->volume, &still, watch, error) &&
	     driver->volume_send(job->pool, &still, parent, fd, watch, error);
	driver->volume_delete(job->pool, &still, NULL);
	return ok;
}

gboolean volume_send(struct daemon *daemon, const struct volume_ref *ref, const char *parent,
		     int fd, const struct storage_watch *watch, GError **error)
{
	AUTO_VOLUME_JOB struct volume_job job = { 0 };
	struct storage_volume volume, from;

	if (!volume_job_open(&job, daemon, ref, TRUE, error))
		return FALSE;
	if (!job.pool->driver->streams)
		return fail(error, 500, "Storage driver has no optimized streams");
	volume = referred(&job);
	from = job.volume;
	from.snapshot = parent;
	if (!ref->snapshot)
		return send_volume(&job, parent ? &from : NULL, fd, watch, error);
	return job.pool->driver->volume_send(job.pool, &volume, parent ? &from : NULL, fd, watch,
					     error);
}

static gboolean receive_one(struct volume_job *job, const char *snapshot,
			    const struct volume_new *what,
			    int (*next)(const char *snapshot, void *data, GError **error),
			    void *data, GError **error)
{
	struct storage_volume target = job->fresh;
	int fd = next(snapshot, data, error);

	target.snapshot = snapshot;
	return fd >= 0 &&
	       job->pool->driver->volume_receive(job->pool, &target, fd, what->watch, error);
}

gboolean volume_receive(struct daemon *daemon, const struct volume_ref *ref,
			const char *const *snapshots, const struct volume_new *what,
			int (*next)(const char *snapshot, void *data, GError **error), void *data,
			GError **error)
{
	AUTO_VOLUME_JOB struct volume_job job = { 0 };
	gboolean ok = TRUE;

	if (!volume_job_open(&job, daemon, ref, TRUE, error) || !volume_make_begin(&job, error))
		return FALSE;
	if (!job.pool->driver->streams)
		return fail(error, 500, "Storage driver has no optimized streams");
	for (const char *const *name = snapshots; ok && name && *name; name++)
		ok = receive_one(&job, *name, what, next, data, error);
	ok = ok && receive_one(&job, NULL, what, next, data, error) &&
	     (!what->size ||
	      job.pool->driver->volume_resize(job.pool, &job.fresh, what->size, error));
	if (ok)
		return volume_make_end(&job, what, snapshots, error);
	volume_make_undo(&job);
	return FALSE;
}
