/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copies, imports and moves as operations. */
#include "api/instance_copy.h"

#include <string.h>

#include "core/backup.h"
#include "core/copy.h"

/* --- copies -------------------------------------------------------------------------------------
 */

static const char *source_project(const struct creation *creation)
{
	const char *project = json_text(json_object_get(creation->body, "source"), "project");

	return *project ? project : creation->project;
}

static struct instance *find_source(struct daemon *daemon, const struct creation *creation,
				    GError **error)
{
	const json_t *source = json_object_get(creation->body, "source");
	const char *project = source_project(creation);
	g_auto(GStrv) parts = g_strsplit(json_text(source, "source"), "/", 2);
	GError *why = NULL;
	struct instance *inst;

	if (!parts[0] || !*parts[0]) {
		fail(error, 400, "Must specify a source instance");
		return NULL;
	}
	inst = instance_load_snapshot(daemon, project, parts[0], parts[1], &why);
	if (inst)
		return inst;
	if (error_status(why) != 404)
		g_propagate_error(error, g_steal_pointer(&why));
	else if (parts[1])
		fail(error, 404,
		     "Failed to fetch snapshot \"%s\" of instance \"%s\" in project \"%s\":"
		     " InstanceSnapshot not found",
		     parts[1], parts[0], project);
	else
		fail(error, 404,
		     "Failed to fetch instance \"%s\" in project \"%s\": Instance not found",
		     parts[0], project);
	g_clear_error(&why);
	return NULL;
}

static gboolean is_set(const json_t *source, const char *key)
{
	return json_is_true(json_object_get(source, key));
}

static gboolean run_copy(struct operation *op, void *data, GError **error)
{
	const struct creation *creation = data;
	const json_t *wish = json_object_get(creation->body, "source");
	struct daemon *daemon = operation_daemon(op);
	gboolean snapshots = !is_set(wish, "instance_only") && !is_set(wish, "container_only");
	g_autoptr(instance_t) source = find_source(daemon, creation, error);
	g_autoptr(instance_t) target = NULL;
	struct instance_new new = creation_new(creation, op);

	if (!source)
		return FALSE;
	if (is_set(wish, "refresh"))
		target = instance_load(daemon, creation->project, creation->name, NULL);
	if (target)
		return copy_refresh(source, target, snapshots, operation_cancellable(op), error);
	if (!new.architecture || !*new.architecture)
		new.architecture = source->architecture;
	if (!*new.description)
		new.description = source->description;
	target = copy_create(source, &new, snapshots, error);
	return target != NULL;
}

operation_run instance_copy_run(struct request *request, const struct creation *creation,
				GError **error)
{
	g_autoptr(instance_t) source = find_source(request->daemon, creation, error);

	return source ? run_copy : NULL;
}

void instance_copy_name(json_t *resources, const struct creation *creation)
{
	const json_t *source = json_object_get(creation->body, "source");
	const char *project = source_project(creation);
	g_autoptr(json_t) more = NULL;
	const char *kind;
	json_t *list;

	if (!*json_text(source, "source"))
		return;
	more = instance_resources(project, json_text(source, "source"));
	json_object_foreach(more, kind, list)
		json_array_extend(json_object_get(resources, kind), list);
}

/* --- imports -------------------------------------------------------------------------------------
 */

struct arrival {
	struct backup_import *import;
	char *name, *pool;
};

static void arrival_free(void *data)
{
	struct arrival *arrival = data;

	backup_import_free(arrival->import);
	g_free(arrival->name);
	g_free(arrival->pool);
	g_free(arrival);
}

static gboolean run_import(struct operation *op, void *data, GError **error)
{
	const struct arrival *arrival = data;

	if (backup_import_run(arrival->import, operation_project(op), arrival->name, arrival->pool,
			      operation_cancellable(op), operation_requestor(op), error))
		return TRUE;
	g_prefix_error(error, "Create instance from backup: ");
	return FALSE;
}

struct reply *instance_import(struct request *request, GError **error)
{
	const char *name = request_header(request, "X-LXD-name");
	struct backup_import *import = backup_import_new(request->daemon, request->input, error);
	struct arrival *arrival;
	struct operation_spec spec;

	if (!import)
		return NULL;
	arrival = g_new0(struct arrival, 1);
	arrival->import = import;
	arrival->name = g_strdup(name && *name ? name : backup_import_name(import));
	arrival->pool = g_strdup(request_header(request, "X-LXD-pool"));
	spec = (struct operation_spec){
		.class = OPERATION_TASK,
		.project = request->project,
		.description = "Restoring backup",
		.resources = instance_resources(request->project, arrival->name),
		.run = run_import,
		.who = &request->who,
		.data = arrival,
		.free_data = arrival_free,
	};
	return reply_operation(operation_start(request->daemon, &spec));
}

/* --- moves
 * ------------------------------------------------------------------------------------------ */

struct departure {
	struct instance *inst;
	json_t *body;
};

static void departure_free(void *data)
{
	struct departure *departure = data;

	instance_free(departure->inst);
	json_decref(departure->body);
	g_free(departure);
}

static const char *text_or_null(const json_t *body, const char *key)
{
	const char *text = json_text(body, key);

	return *text ? text : NULL;
}

static gboolean run_move(struct operation *op, void *data, GError **error)
{
	const struct departure *departure = data;
	const json_t *body = departure->body;
	struct copy_place to = { text_or_null(body, "project"), text_or_null(body, "name"),
				 text_or_null(body, "pool") };

	return copy_move(departure->inst, &to, operation_cancellable(op), operation_requestor(op),
			 error);
}

gboolean instance_move_wanted(const json_t *body)
{
	return *json_text(body, "pool") || *json_text(body, "project");
}

struct reply *instance_move(struct request *request, struct instance *inst, GError **error)
{
	struct departure *departure;
	struct operation_spec spec;

	if (instance_is_running(inst)) {
		fail(error, 400, "Instance must not be running to move between %s",
		     *json_text(request->body, "pool") ? "pools" : "projects");
		instance_free(inst);
		return NULL;
	}
	departure = g_new0(struct departure, 1);
	departure->inst = inst;
	departure->body = json_incref(request->body);
	spec = (struct operation_spec){
		.class = OPERATION_TASK,
		.project = request->project,
		.description = "Migrating instance",
		.resources = instance_resources(inst->project, inst->name),
		.run = run_move,
		.who = &request->who,
		.data = departure,
		.free_data = departure_free,
	};
	return reply_operation(operation_start(request->daemon, &spec));
}
