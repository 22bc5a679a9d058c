/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* /1.0/instances/{}/snapshots. */
#include <string.h>

#include "api/request.h"
#include "core/instance.h"
#include "core/snapshot.h"
#include "util/clock.h"

/* --- finding ------------------------------------------------------------------------------ */

static struct instance *find_instance(struct request *request, GError **error)
{
	struct instance *inst;

	if (strcmp(request->base, "virtual-machines") == 0) {
		fail(error, 404, "Instance not found");
		return NULL;
	}
	inst = instance_load(request->daemon, request->project, request->arg[0], error);
	if (inst)
		inst->legacy_url = strcmp(request->base, "containers") == 0;
	return inst;
}

static struct instance *find(struct request *request, GError **error)
{
	GError *why = NULL;
	struct instance *snap = instance_load_snapshot(request->daemon, request->project,
						       request->arg[0], request->arg[1], &why);

	if (snap) {
		snap->legacy_url = strcmp(request->base, "containers") == 0;
		return snap;
	}
	if (error_status(why) == 404)
		fail(error, 404,
		     "Failed to fetch snapshot \"%s\" of instance \"%s\" in project \"%s\":"
		     " InstanceSnapshot not found",
		     request->arg[1], request->arg[0], request->project);
	else
		g_propagate_error(error, g_steal_pointer(&why));
	g_clear_error(&why);
	return NULL;
}

static const json_t *body_of(const struct request *request, GError **error)
{
	if (json_is_object(request->body))
		return request->body;
	fail(error, 400, request->body ? "json: cannot unmarshal into an object" : "EOF");
	return NULL;
}

static json_t *url_of(const struct instance *snap)
{
	g_autofree char *url = instance_url(snap);

	if (strcmp(snap->project, "default") == 0)
		return json_string(url);
	return json_sprintf("%s?project=%s", url, snap->project);
}

static struct reply *list_get(struct request *request, GError **error)
{
	g_autoptr(instance_t) inst = find_instance(request, error);
	g_autoptr(GPtrArray) all = NULL;
	json_t *list;

	if (!inst)
		return NULL;
	all = instance_load_snapshots(request->daemon, inst->project, inst->name, error);
	if (!all)
		return NULL;
	list = json_array();
	for (guint i = 0; i < all->len; i++) {
		struct instance *snap = all->pdata[i];

		snap->legacy_url = inst->legacy_url;
		json_array_append_new(list,
				      request->recursion ? instance_show(snap) : url_of(snap));
	}
	return reply_sync(list);
}

static char *etag(const struct instance *snap)
{
	g_autoptr(json_t) expires = json_string(snap->expires_at);

	return etag_of(expires, NULL);
}

static struct reply *get(struct request *request, GError **error)
{
	g_autoptr(instance_t) snap = find(request, error);

	return snap ? reply_sync_etag(instance_show(snap), etag(snap)) : NULL;
}

/* --- operations --------------------------------------------------------------------------- */

struct job {
	struct instance *inst; /* or a snapshot's picture */
	char *name, *expires;  /* may be NULL */
};

static void job_free(void *data)
{
	struct job *job = data;

	instance_free(job->inst);
	g_free(job->name);
	g_free(job->expires);
	g_free(job);
}

/* Takes over INST. SUBJECT is what the operation's resources name. */
static struct reply *start_job(struct request *request, struct instance *inst, const char *subject,
			       const struct job *with, const char *description, operation_run run)
{
	struct job *job = g_new0(struct job, 1);
	struct operation_spec spec = {
		.class = OPERATION_TASK,
		.project = inst->project,
		.description = description,
		.resources = instance_resources(inst->project, subject),
		.run = run,
		.who = &request->who,
		.data = job,
		.free_data = job_free,
	};

	job->inst = inst;
	job->name = g_strdup(with->name);
	job->expires = g_strdup(with->expires);
	return reply_operation(operation_start(request->daemon, &spec));
}

static gboolean run_create(struct operation *op, void *data, GError **error)
{
	const struct job *job = data;

	return snapshot_create(job->inst, job->name, job->expires, operation_requestor(op), error);
}

/* A moment as a body has it: *ret NULL for none. */
static gboolean moment_of(const json_t *body, const char **ret, GError **error)
{
	const json_t *value = json_object_get(body, "expires_at");
	const char *text = json_string_value(value);
	g_autoptr(GDateTime) when = text ? g_date_time_new_from_iso8601(text, NULL) : NULL;

	if (value && !json_is_null(value) && !when)
		return fail(error, 400, "parsing time \"%s\" as RFC 3339: cannot parse",
			    text ? text : "");
	*ret = text;
	return TRUE;
}

static struct reply *list_post(struct request *request, GError **error)
{
	g_autoptr(instance_t) inst = find_instance(request, error);
	const json_t *body = inst ? body_of(request, error) : NULL;
	g_autofree char *name = NULL;
	const char *expires = NULL;
	struct job with;

	if (!body || !moment_of(body, &expires, error))
		return NULL;
	if (json_is_true(json_object_get(body, "stateful"))) {
		fail(error, 400,
		     "Unable to create a stateful snapshot. The instance isn't running"
		     " or its state cannot be saved");
		return NULL;
	}
	name = *json_text(body, "name") ? g_strdup(json_text(body, "name"))
					: snapshot_next_name(inst, error);
	if (!name)
		return NULL;
	if (strchr(name, '/')) {
		snapshot_check_name(name, error);
		return NULL;
	}
	with = (struct job){ .name = name, .expires = (char *)expires };
	return start_job(request, g_steal_pointer(&inst), request->arg[0], &with,
			 "Snapshotting instance", run_create);
}

static gboolean run_expiry(struct operation *op, void *data, GError **error)
{
	const struct job *job = data;

	return snapshot_set_expiry(job->inst, job->expires, operation_requestor(op), error);
}

static struct reply *change(struct request *request, gboolean patch, GError **error)
{
	g_autoptr(instance_t) snap = find(request, error);
	const json_t *body = snap ? body_of(request, error) : NULL;
	g_autofree char *tag = body ? etag(snap) : NULL;
	g_autofree char *kept = NULL;
	const char *expires = NULL;
	struct job with;

	if (!body || !request_if_match(request, tag, error) || !moment_of(body, &expires, error))
		return NULL;
	kept = g_strdup(expires ? expires : patch ? snap->expires_at : CLOCK_ZERO);
	with = (struct job){ .expires = kept };
	return start_job(request, g_steal_pointer(&snap), request->arg[1], &with,
			 "Updating snapshot", run_expiry);
}

static struct reply *put(struct request *request, GError **error)
{
	return change(request, FALSE, error);
}

static struct reply *patch(struct request *request, GError **error)
{
	return change(request, TRUE, error);
}

static gboolean run_rename(struct operation *op, void *data, GError **error)
{
	const struct job *job = data;

	return snapshot_rename(job->inst, job->name, operation_requestor(op), error);
}

static struct reply *post(struct request *request, GError **error)
{
	g_autoptr(instance_t) snap = find(request, error);
	const json_t *body = snap ? body_of(request, error) : NULL;
	const char *name = body ? json_text(body, "name") : NULL;
	g_autoptr(instance_t) other = NULL;
	struct job with = { .name = (char *)name };

	if (!body || !snapshot_check_name(name, error))
		return NULL;
	if (json_is_true(json_object_get(body, "migration"))) {
		fail(error, 501, "not implemented");
		return NULL;
	}
	other = instance_load_snapshot(request->daemon, snap->project, snap->name, name, NULL);
	if (other) {
		fail(error, 409, "Name '%s/%s' already in use", snap->name, name);
		return NULL;
	}
	return start_job(request, g_steal_pointer(&snap), request->arg[0], &with,
			 "Renaming snapshot", run_rename);
}

static gboolean run_delete(struct operation *op, void *data, GError **error)
{
	const struct job *job = data;

	return snapshot_delete(job->inst, operation_requestor(op), error);
}

static struct reply *delete (struct request *request, GError **error)
{
	g_autoptr(instance_t) snap = find(request, error);
	g_autofree char *subject = g_strdup_printf("%s/%s", request->arg[0], request->arg[1]);
	struct job with = { 0 };

	if (!snap)
		return NULL;
	return start_job(request, g_steal_pointer(&snap), subject, &with, "Deleting snapshot",
			 run_delete);
}

const struct route routes_snapshots[] = {
	{ "1.0/instances/{}/snapshots", 0, .get = list_get, .post = list_post },
	{ "1.0/instances/{}/snapshots/{}", 0, .get = get, .put = put, .patch = patch, .post = post,
	  .delete = delete },
	{ 0 },
};
