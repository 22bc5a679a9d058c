/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* /1.0/instances: lists, one instance, its configuration and its end. */
#include <string.h>

#include "api/instance_copy.h"
#include "api/instances_post.h"
#include "api/request.h"
#include "core/instance.h"
#include "core/snapshot.h"
#include "util/filter.h"
#include "util/names.h"

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

static const json_t *body_of(const struct request *request, GError **error)
{
	if (json_is_object(request->body))
		return request->body;
	fail(error, 400, request->body ? "json: cannot unmarshal into an object" : "EOF");
	return NULL;
}

/* --- lists -------------------------------------------------------------------------------- */

static json_t *url_of(const struct instance *inst)
{
	g_autofree char *url = instance_url(inst);

	if (strcmp(inst->project, "default") == 0)
		return json_string(url);
	return json_sprintf("%s?project=%s", url, inst->project);
}

static json_t *show_for_list(const struct instance *inst, int recursion, GError **error)
{
	return recursion >= 2 ? instance_show_full(inst, error) : instance_show(inst);
}

static gboolean add_to_list(json_t *list, const struct instance *inst, int recursion,
			    const struct filter *filter, GError **error)
{
	g_autoptr(json_t) shown = NULL;

	if (recursion > 0 || filter) {
		shown = show_for_list(inst, recursion, error);
		if (!shown)
			return FALSE;
	}
	if (filter && !filter_matches(filter, shown))
		return TRUE;
	json_array_append_new(list, recursion > 0 ? g_steal_pointer(&shown) : url_of(inst));
	return TRUE;
}

static gboolean is_of_no_type(const struct request *request)
{
	const char *type = request_query(request, "instance-type");

	return strcmp(request->base, "virtual-machines") == 0 ||
	       g_strcmp0(type, "virtual-machine") == 0;
}

static json_t *make_list(struct request *request, const struct filter *filter, GError **error)
{
	const char *project = request->all_projects ? NULL : request->project;
	g_autoptr(GPtrArray) all = instance_load_all(request->daemon, project, error);
	g_autoptr(json_t) list = json_array();

	if (!all)
		return NULL;
	for (guint i = 0; i < all->len; i++) {
		struct instance *inst = all->pdata[i];
		g_autoptr(GError) why = NULL;

		inst->legacy_url = strcmp(request->base, "containers") == 0;
		/* One that is deleted meanwhile is in the list no more. */
		if (!add_to_list(list, inst, request->recursion, filter, &why) &&
		    error_status(why) != 404) {
			g_propagate_error(error, g_steal_pointer(&why));
			return NULL;
		}
	}
	return g_steal_pointer(&list);
}

static struct reply *instances_get(struct request *request, GError **error)
{
	g_autoptr(filter_t) filter = NULL;
	const char *text = request_query(request, "filter");
	GError *why = NULL;
	json_t *list;

	if (request->all_projects && request_query(request, "project")) {
		fail(error, 400, "Cannot specify a project when requesting all projects");
		return NULL;
	}
	filter = filter_parse(text, &why);
	if (why) {
		g_propagate_prefixed_error(error, why, "Invalid filter: ");
		return NULL;
	}
	list = is_of_no_type(request) ? json_array() : make_list(request, filter, error);
	return list ? reply_sync(list) : NULL;
}

/* --- one ---------------------------------------------------------------------------------- */

static struct reply *instance_get(struct request *request, GError **error)
{
	g_autoptr(instance_t) inst = find(request, error);
	json_t *shown;

	if (!inst)
		return NULL;
	shown = request->recursion > 0 ? instance_show_full(inst, error) : instance_show(inst);
	return shown ? reply_sync_etag(shown, instance_etag(inst)) : NULL;
}

static struct reply *state_get(struct request *request, GError **error)
{
	g_autoptr(instance_t) inst = find(request, error);
	json_t *shown = inst ? instance_show_state(inst, error) : NULL;

	return shown ? reply_sync(shown) : NULL;
}

/* --- operations on one ---------------------------------------------------------------------- */

struct job {
	struct instance *inst;
	json_t *body; /* may be NULL */
	char *name;   /* may be NULL */
};

static void job_free(void *data)
{
	struct job *job = data;

	instance_free(job->inst);
	json_decref(job->body);
	g_free(job->name);
	g_free(job);
}

/* Takes over INST and BODY. */
static struct reply *start_job(struct request *request, struct instance *inst, json_t *body,
			       const char *name, const char *description, operation_run run)
{
	struct job *job = g_new0(struct job, 1);
	struct operation_spec spec = {
		.class = OPERATION_TASK,
		.project = inst->project,
		.description = description,
		.resources = instance_resources(inst->project, inst->name),
		.run = run,
		.who = &request->who,
		.data = job,
		.free_data = job_free,
	};

	job->inst = inst;
	job->body = body;
	job->name = g_strdup(name);
	return reply_operation(operation_start(request->daemon, &spec));
}

static gboolean run_update(struct operation *op, void *data, GError **error)
{
	struct job *job = data;

	return instance_update(job->inst, job->body, TRUE, operation_requestor(op), error);
}

static gboolean check_etag(const struct request *request, const struct instance *inst,
			   GError **error)
{
	g_autofree char *etag = instance_etag(inst);

	return request_if_match(request, etag, error);
}

static gboolean run_restore(struct operation *op, void *data, GError **error)
{
	struct job *job = data;

	return snapshot_restore(job->inst, job->name, operation_requestor(op), error);
}

/* PUT: what is absent is taken away. */
static json_t *as_whole(const json_t *body)
{
	json_t *whole = json_copy((json_t *)body);

	if (!json_is_object(json_object_get(whole, "config")))
		json_object_set_new(whole, "config", json_object());
	if (!json_is_object(json_object_get(whole, "devices")))
		json_object_set_new(whole, "devices", json_object());
	if (!json_object_get(whole, "description"))
		json_object_set_new(whole, "description", json_string(""));
	if (!json_object_get(whole, "ephemeral"))
		json_object_set_new(whole, "ephemeral", json_false());
	if (json_is_null(json_object_get(whole, "profiles")) || !json_object_get(whole, "profiles"))
		json_object_set_new(whole, "profiles", json_pack("[s]", "default"));
	return whole;
}

static struct reply *instance_put(struct request *request, GError **error)
{
	g_autoptr(instance_t) inst = find(request, error);
	const json_t *body = inst ? body_of(request, error) : NULL;

	if (!body || !check_etag(request, inst, error))
		return NULL;
	if (*json_text(body, "restore"))
		return start_job(request, g_steal_pointer(&inst), NULL, json_text(body, "restore"),
				 "Restoring snapshot", run_restore);
	return start_job(request, g_steal_pointer(&inst), as_whole(body), NULL, "Updating instance",
			 run_update);
}

/* The values of PART that are sent go over those that are there. */
static void merge(json_t *wanted, const json_t *body, const char *part, const json_t *now)
{
	const json_t *sent = json_object_get(body, part);
	json_t *merged;

	if (!json_is_object(sent))
		return;
	merged = json_copy((json_t *)now);
	json_object_update(merged, (json_t *)sent);
	json_object_set_new(wanted, part, merged);
}

static struct reply *instance_patch(struct request *request, GError **error)
{
	g_autoptr(instance_t) inst = find(request, error);
	const json_t *body = inst ? body_of(request, error) : NULL;
	g_autoptr(json_t) wanted = NULL;

	if (!body || !check_etag(request, inst, error))
		return NULL;
	wanted = json_copy((json_t *)body);
	merge(wanted, body, "config", inst->config);
	merge(wanted, body, "devices", inst->devices);
	if (!instance_update(inst, wanted, TRUE, &request->who, error))
		return NULL;
	return reply_sync(NULL);
}

static gboolean run_rename(struct operation *op, void *data, GError **error)
{
	struct job *job = data;

	return instance_rename(job->inst, job->name, operation_requestor(op), error);
}

static struct reply *instance_post(struct request *request, GError **error)
{
	g_autoptr(instance_t) inst = find(request, error);
	const json_t *body = inst ? body_of(request, error) : NULL;
	g_autoptr(instance_t) other = NULL;
	const char *name;

	if (!body)
		return NULL;
	name = json_text(body, "name");
	if (instance_move_wanted(body))
		return instance_move(request, g_steal_pointer(&inst), error);
	if (json_is_true(json_object_get(body, "migration"))) {
		fail(error, 501, "not implemented");
		return NULL;
	}
	if (!name_check_instance(name, error)) {
		g_prefix_error(error, "Invalid instance name: ");
		return NULL;
	}
	other = instance_load(request->daemon, request->project, name, NULL);
	if (other) {
		fail(error, 409, "Name \"%s\" already in use", name);
		return NULL;
	}
	return start_job(request, g_steal_pointer(&inst), NULL, name, "Renaming instance",
			 run_rename);
}

static gboolean run_delete(struct operation *op, void *data, GError **error)
{
	struct job *job = data;

	return instance_delete(job->inst, operation_requestor(op), error);
}

static struct reply *instance_remove(struct request *request, GError **error)
{
	g_autoptr(instance_t) inst = find(request, error);

	if (!inst)
		return NULL;
	if (instance_is_running(inst)) {
		fail(error, 400, "Instance is running");
		return NULL;
	}
	return start_job(request, g_steal_pointer(&inst), NULL, NULL, "Deleting instance",
			 run_delete);
}

/* --- its state -------------------------------------------------------------------------------- */

struct action {
	const char *word, *description;
	gboolean on_running; /* in bulk: of those that run; else of those that do not */
	gboolean (*run)(struct instance *inst, const json_t *body, const struct requestor *who,
			GError **error);
};

static gboolean do_start(struct instance *inst, const json_t *body, const struct requestor *who,
			 GError **error)
{
	(void)body;
	return instance_start(inst, who, error);
}

/* No time at all is as good as force. */
static gboolean is_forced(const json_t *body)
{
	return json_is_true(json_object_get(body, "force")) ||
	       json_integer_value(json_object_get(body, "timeout")) == 0;
}

static int timeout_of(const json_t *body)
{
	json_int_t seconds = json_integer_value(json_object_get(body, "timeout"));

	return (int)CLAMP(seconds, -1, G_MAXINT);
}

static gboolean do_stop(struct instance *inst, const json_t *body, const struct requestor *who,
			GError **error)
{
	return instance_stop(inst, is_forced(body), timeout_of(body), who, error);
}

static gboolean do_restart(struct instance *inst, const json_t *body, const struct requestor *who,
			   GError **error)
{
	return instance_restart(inst, is_forced(body), timeout_of(body), who, error);
}

static gboolean do_freeze(struct instance *inst, const json_t *body, const struct requestor *who,
			  GError **error)
{
	(void)body;
	return instance_freeze(inst, who, error);
}

static gboolean do_unfreeze(struct instance *inst, const json_t *body, const struct requestor *who,
			    GError **error)
{
	(void)body;
	return instance_unfreeze(inst, who, error);
}

static const struct action actions[] = {
	{ "start", "Starting instance", FALSE, do_start },
	{ "stop", "Stopping instance", TRUE, do_stop },
	{ "restart", "Restarting instance", TRUE, do_restart },
	{ "freeze", "Freezing instance", TRUE, do_freeze },
	{ "unfreeze", "Unfreezing instance", TRUE, do_unfreeze },
};

static const struct action *find_action(const json_t *body, GError **error)
{
	const char *word = json_text(body, "action");

	for (gsize i = 0; i < G_N_ELEMENTS(actions); i++)
		if (strcmp(actions[i].word, word) == 0)
			return &actions[i];
	fail(error, 400, "Unknown action: '%s'", word);
	return NULL;
}

static gboolean run_action(struct operation *op, void *data, GError **error)
{
	struct job *job = data;
	const struct action *action = find_action(job->body, error);

	return action && action->run(job->inst, job->body, operation_requestor(op), error);
}

static struct reply *state_put(struct request *request, GError **error)
{
	g_autoptr(instance_t) inst = find(request, error);
	const json_t *body = inst ? body_of(request, error) : NULL;
	const struct action *action = body ? find_action(body, error) : NULL;

	if (!action)
		return NULL;
	if (json_is_true(json_object_get(body, "stateful"))) {
		fail(error, 501, "not implemented");
		return NULL;
	}
	return start_job(request, g_steal_pointer(&inst), json_incref((json_t *)body), NULL,
			 action->description, run_action);
}

/* --- the state of all ------------------------------------------------------------------------- */

#define AT_ONCE 4

struct bulk {
	GPtrArray *instances;
	json_t *body;
	const struct action *action;
	const struct requestor *who; /* the operation's */
	GMutex mutex;
	GString *failures;
};

static void bulk_free(void *data)
{
	struct bulk *bulk = data;

	g_ptr_array_unref(bulk->instances);
	json_decref(bulk->body);
	g_string_free(bulk->failures, TRUE);
	g_mutex_clear(&bulk->mutex);
	g_free(bulk);
}

static void run_one(void *item, void *data)
{
	struct instance *inst = item;
	struct bulk *bulk = data;
	g_autoptr(GError) why = NULL;

	if (bulk->action->run(inst, bulk->body, bulk->who, &why))
		return;
	g_mutex_lock(&bulk->mutex);
	g_string_append_printf(bulk->failures, " - Instance: %s: %s\n", inst->name, why->message);
	g_mutex_unlock(&bulk->mutex);
}

static gboolean run_bulk(struct operation *op, void *data, GError **error)
{
	struct bulk *bulk = data;
	GThreadPool *pool;

	bulk->who = operation_requestor(op);
	pool = g_thread_pool_new(run_one, bulk, AT_ONCE, FALSE, NULL);
	for (guint i = 0; i < bulk->instances->len; i++)
		g_thread_pool_push(pool, bulk->instances->pdata[i], NULL);
	g_thread_pool_free(pool, FALSE, TRUE);
	return bulk->failures->len == 0 ||
	       fail(error, 500, "The following instances failed to update state:\n%s",
		    bulk->failures->str);
}

/* Those that are in the wanted state already are left out. */
static json_t *choose(GPtrArray *all, const struct action *action)
{
	json_t *urls = json_array();

	for (guint i = all->len; i-- > 0;)
		if (instance_is_running(all->pdata[i]) != action->on_running)
			g_ptr_array_remove_index(all, i);
	for (guint i = 0; i < all->len; i++)
		json_array_append_new(urls, url_of(all->pdata[i]));
	return urls;
}

static struct reply *instances_put(struct request *request, GError **error)
{
	const json_t *body = body_of(request, error);
	const json_t *state = body ? json_object_get(body, "state") : NULL;
	const struct action *action = body ? find_action(state, error) : NULL;
	g_autoptr(GPtrArray)
		all = action ? instance_load_all(request->daemon, request->project, error) : NULL;
	struct operation_spec spec;
	struct bulk *bulk;

	if (!all)
		return NULL;
	bulk = g_new0(struct bulk, 1);
	g_mutex_init(&bulk->mutex);
	bulk->failures = g_string_new(NULL);
	bulk->action = action;
	bulk->body = json_incref((json_t *)state);
	spec = (struct operation_spec){
		.class = OPERATION_TASK,
		.project = request->project,
		.description = action->description,
		.resources = json_pack("{s:o}", "instances", choose(all, action)),
		.run = run_bulk,
		.who = &request->who,
		.data = bulk,
		.free_data = bulk_free,
	};
	bulk->instances = g_steal_pointer(&all);
	return reply_operation(operation_start(request->daemon, &spec));
}

const struct route routes_instances[] = {
	{ "1.0/instances", ROUTE_STREAM, .get = instances_get, .post = instances_post,
	  .put = instances_put },
	{ "1.0/instances/{}", 0, .get = instance_get, .put = instance_put, .patch = instance_patch,
	  .post = instance_post, .delete = instance_remove },
	{ "1.0/instances/{}/state", 0, .get = state_get, .put = state_put },
	{ 0 },
};
