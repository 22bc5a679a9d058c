/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* /1.0/instances/{}/backups. */
#include <string.h>

#include "api/request.h"
#include "core/backup.h"
#include "core/instance.h"

static struct instance *find(struct request *request, GError **error)
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

/* --- what there is ------------------------------------------------------------------------------
 */

static json_t *url_of(const struct instance *inst, const char *name)
{
	gboolean plain = strcmp(inst->project, "default") == 0;
	g_autofree char *url = instance_url(inst);

	return json_sprintf("%s/backups/%s%s%s", url, name,
			    plain ? "" : "?project=", plain ? "" : inst->project);
}

static struct reply *list_get(struct request *request, GError **error)
{
	g_autoptr(instance_t) inst = find(request, error);
	g_autoptr(json_t) all = inst ? backup_list(inst, error) : NULL;
	json_t *urls, *one;
	size_t i;

	if (!all)
		return NULL;
	if (request->recursion)
		return reply_sync(g_steal_pointer(&all));
	urls = json_array();
	json_array_foreach(all, i, one)
		json_array_append_new(urls, url_of(inst, json_text(one, "name")));
	return reply_sync(urls);
}

static struct reply *get(struct request *request, GError **error)
{
	g_autoptr(instance_t) inst = find(request, error);
	json_t *shown = inst ? backup_show(inst, request->arg[1], error) : NULL;

	return shown ? reply_sync(shown) : NULL;
}

static struct reply *export_get(struct request *request, GError **error)
{
	g_autoptr(instance_t) inst = find(request, error);
	int fd = inst ? backup_open(inst, request->arg[1], error) : -1;

	return fd < 0 ? NULL : reply_file(fd, "application/octet-stream", "");
}

/* --- operations --------------------------------------------------------------------------------
 */

struct job {
	struct instance *inst;
	char *name, *to, *expires, *compressor;
	gboolean instance_only;
};

static void job_free(void *data)
{
	struct job *job = data;

	instance_free(job->inst);
	g_free(job->name);
	g_free(job->to);
	g_free(job->expires);
	g_free(job->compressor);
	g_free(job);
}

static struct reply *start_job(struct request *request, struct job *job, json_t *resources,
			       const char *description, operation_run run)
{
	struct operation_spec spec = {
		.class = OPERATION_TASK,
		.project = request->project,
		.description = description,
		.resources = resources,
		.run = run,
		.who = &request->who,
		.data = job,
		.free_data = job_free,
	};

	return reply_operation(operation_start(request->daemon, &spec));
}

static gboolean run_create(struct operation *op, void *data, GError **error)
{
	const struct job *job = data;
	struct backup_wish wish = { job->name, job->expires, job->compressor, job->instance_only };

	return backup_create(job->inst, &wish, operation_cancellable(op), operation_requestor(op),
			     error);
}

/* Never: nothing or the first moment of all. FALSE: no moment. */
static gboolean take_expiry(const json_t *body, char **ret, GError **error)
{
	const char *text = json_text(body, "expires_at");
	g_autoptr(GDateTime) when = *text ? g_date_time_new_from_iso8601(text, NULL) : NULL;
	g_autoptr(GDateTime) utc = when ? g_date_time_to_utc(when) : NULL;

	if (*text && !when)
		return fail(error, 400, "parsing time \"%s\" as RFC 3339: cannot parse", text);
	if (utc && g_date_time_get_year(utc) > 1)
		*ret = g_date_time_format(utc, "%Y-%m-%dT%H:%M:%SZ");
	return TRUE;
}

static struct job *job_of(struct instance *inst, const json_t *body, GError **error)
{
	struct job *job = g_new0(struct job, 1);

	job->inst = inst;
	job->instance_only = json_is_true(json_object_get(body, "instance_only")) ||
			     json_is_true(json_object_get(body, "container_only"));
	job->compressor = g_strdup(json_text(body, "compression_algorithm"));
	job->name = *json_text(body, "name") ? g_strdup(json_text(body, "name"))
					     : backup_next_name(inst, error);
	if (job->name && backup_check_name(job->name, error) &&
	    take_expiry(body, &job->expires, error))
		return job;
	job_free(job);
	return NULL;
}

static struct reply *list_post(struct request *request, GError **error)
{
	struct instance *inst = find(request, error);
	struct job *job = inst ? job_of(inst, request->body, error) : NULL;
	json_t *resources;

	if (!job)
		return NULL;
	resources = instance_resources(inst->project, inst->name);
	json_object_set_new(resources, "backups", json_pack("[s+]", "/1.0/backups/", job->name));
	return start_job(request, job, resources, "Backing up instance", run_create);
}

static gboolean run_rename(struct operation *op, void *data, GError **error)
{
	const struct job *job = data;

	return backup_rename(job->inst, job->name, job->to, operation_requestor(op), error);
}

/* With the backup there already. */
static struct job *job_on(struct request *request, GError **error)
{
	g_autoptr(instance_t) inst = find(request, error);
	g_autoptr(json_t) shown = inst ? backup_show(inst, request->arg[1], error) : NULL;
	struct job *job;

	if (!shown)
		return NULL;
	job = g_new0(struct job, 1);
	job->inst = g_steal_pointer(&inst);
	job->name = g_strdup(request->arg[1]);
	return job;
}

static struct reply *post(struct request *request, GError **error)
{
	const char *to = json_text(request->body, "name");
	struct job *job;

	if (!backup_check_name(to, error))
		return NULL;
	job = job_on(request, error);
	if (!job)
		return NULL;
	job->to = g_strdup(to);
	return start_job(request, job, instance_resources(job->inst->project, job->inst->name),
			 "Renaming instance backup", run_rename);
}

static gboolean run_delete(struct operation *op, void *data, GError **error)
{
	const struct job *job = data;

	return backup_delete(job->inst, job->name, operation_requestor(op), error);
}

static struct reply *delete (struct request *request, GError **error)
{
	struct job *job = job_on(request, error);

	if (!job)
		return NULL;
	return start_job(request, job,
			 json_pack("{s:[s+]}", "container", "/1.0/container/", request->arg[0]),
			 "Removing instance backup", run_delete);
}

const struct route routes_backups[] = {
	{ "1.0/instances/{}/backups", 0, .get = list_get, .post = list_post },
	{ "1.0/instances/{}/backups/{}", 0, .get = get, .post = post, .delete = delete },
	{ "1.0/instances/{}/backups/{}/export", 0, .get = export_get },
	{ 0 },
};
