/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* /1.0/projects */
#include "api/request.h"
#include "core/project.h"

/* The body's object; 400 for anything else. */
static const json_t *body_of(const struct request *request, GError **error)
{
	if (json_is_object(request->body))
		return request->body;
	fail(error, 400, request->body ? "json: cannot unmarshal into an object" : "EOF");
	return NULL;
}

/* Hash over what a client can write. */
static char *etag_for(const json_t *shown)
{
	return etag_of(json_object_get(shown, "description"), json_object_get(shown, "config"),
		       NULL);
}

static char *url_of(const char *name)
{
	g_autofree char *segment = g_uri_escape_string(name, NULL, FALSE);

	return g_strdup_printf("/1.0/projects/%s", segment);
}

static json_t *urls_of(const json_t *projects)
{
	json_t *urls = json_array();
	const json_t *project;
	size_t i;

	json_array_foreach(projects, i, project)
	{
		g_autofree char *url = url_of(json_text(project, "name"));

		json_array_append_new(urls, json_string(url));
	}
	return urls;
}

static struct reply *projects_get(struct request *request, GError **error)
{
	g_autoptr(json_t) all = project_list(request->daemon->db, error);

	if (!all)
		return NULL;
	return reply_sync(request->recursion ? g_steal_pointer(&all) : urls_of(all));
}

static struct reply *projects_post(struct request *request, GError **error)
{
	const json_t *body = body_of(request, error);
	g_autofree char *url = NULL;

	if (!body || !project_create(request->daemon, body, &request->who, error))
		return NULL;
	url = url_of(json_text(body, "name"));
	return reply_created("%s", url);
}

static struct reply *project_get(struct request *request, GError **error)
{
	json_t *shown = project_show(request->daemon->db, request->arg[0], error);

	return shown ? reply_sync_etag(shown, etag_for(shown)) : NULL;
}

/* What the project is now, when the client has seen just that. */
static json_t *current(struct request *request, GError **error)
{
	g_autoptr(json_t) shown = project_show(request->daemon->db, request->arg[0], error);
	g_autofree char *etag = shown ? etag_for(shown) : NULL;

	if (!shown || !request_if_match(request, etag, error))
		return NULL;
	return g_steal_pointer(&shown);
}

static struct reply *write_to(struct request *request, const json_t *wanted, GError **error)
{
	if (!project_update(request->daemon, request->arg[0], wanted, &request->who, error))
		return NULL;
	return reply_sync(NULL);
}

static struct reply *project_put(struct request *request, GError **error)
{
	const json_t *body = body_of(request, error);
	g_autoptr(json_t) shown = body ? current(request, error) : NULL;

	return shown ? write_to(request, body, error) : NULL;
}

static struct reply *project_patch(struct request *request, GError **error)
{
	const json_t *body = body_of(request, error);
	g_autoptr(json_t) shown = body ? current(request, error) : NULL;
	json_t *config = json_object_get(body, "config");

	if (!shown)
		return NULL;
	if (json_is_object(config))
		json_object_update(json_object_get(shown, "config"), config);
	else if (config && !json_is_null(config))
		json_object_set(shown, "config", config);
	if (json_object_get(body, "description"))
		json_object_set(shown, "description", json_object_get(body, "description"));
	return write_to(request, shown, error);
}

struct renaming {
	char *name, *to;
};

static void renaming_free(void *data)
{
	struct renaming *renaming = data;

	g_free(renaming->name);
	g_free(renaming->to);
	g_free(renaming);
}

static gboolean run_rename(struct operation *op, void *data, GError **error)
{
	const struct renaming *renaming = data;

	return project_rename(operation_daemon(op), renaming->name, renaming->to,
			      operation_requestor(op), error);
}

static struct reply *project_post(struct request *request, GError **error)
{
	const json_t *body = body_of(request, error);
	struct operation_spec spec = {
		.class = OPERATION_TASK,
		.project = request->project,
		.description = "Renaming project",
		.run = run_rename,
		.who = &request->who,
		.free_data = renaming_free,
	};
	struct renaming *renaming;

	if (!body)
		return NULL;
	if (!g_strcmp0(request->arg[0], PROJECT_DEFAULT)) {
		fail(error, 403, "The 'default' project cannot be renamed");
		return NULL;
	}
	renaming = g_new(struct renaming, 1);
	renaming->name = g_strdup(request->arg[0]);
	renaming->to = g_strdup(json_text(body, "name"));
	spec.data = renaming;
	return reply_operation(operation_start(request->daemon, &spec));
}

static struct reply *remove_it(struct request *request, GError **error)
{
	if (!project_delete(request->daemon, request->arg[0], &request->who, error))
		return NULL;
	return reply_sync(NULL);
}

static struct reply *state_get(struct request *request, GError **error)
{
	json_t *state = project_show_state(request->daemon->db, request->arg[0], error);

	return state ? reply_sync(state) : NULL;
}

const struct route routes_projects[] = {
	{ "1.0/projects", 0, .get = projects_get, .post = projects_post },
	{ "1.0/projects/{}", 0, .get = project_get, .put = project_put, .patch = project_patch,
	  .post = project_post, .delete = remove_it },
	{ "1.0/projects/{}/state", 0, .get = state_get },
	{ 0 },
};
