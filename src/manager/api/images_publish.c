/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Publication as an operation. */
#include "api/images_publish.h"

#include <string.h>

#include "core/image.h"
#include "core/publish.h"

struct publication {
	char *project; /* of the source */
	json_t *body;
};

static void publication_free(void *data)
{
	struct publication *publication = data;

	g_free(publication->project);
	json_decref(publication->body);
	g_free(publication);
}

gboolean images_publish_wanted(const json_t *body)
{
	static const char *const types[] = { "instance", "container", "snapshot", NULL };

	return g_strv_contains(types, json_text(json_object_get(body, "source"), "type"));
}

static struct instance *find_source(struct daemon *daemon, const struct publication *publication,
				    GError **error)
{
	const json_t *source = json_object_get(publication->body, "source");
	gboolean wants_snapshot = strcmp(json_text(source, "type"), "snapshot") == 0;
	const char *name = json_text(source, "name");

	if (!*name) {
		fail(error, 400, "No source provided");
		return NULL;
	}
	if (wants_snapshot && !strchr(name, '/')) {
		fail(error, 400, "Not a snapshot");
		return NULL;
	}
	if (!wants_snapshot && strchr(name, '/')) {
		fail(error, 400, "This is a snapshot");
		return NULL;
	}
	return instance_load_any(daemon, publication->project, name, error);
}

static json_t *size_of(struct daemon *daemon, const char *project, const char *fingerprint)
{
	g_autoptr(json_t) image = image_find(daemon, project, fingerprint, NULL);

	return json_sprintf("%" JSON_INTEGER_FORMAT,
			    json_integer_value(json_object_get(image, "size")));
}

static gboolean run_publish(struct operation *op, void *data, GError **error)
{
	const struct publication *publication = data;
	struct daemon *daemon = operation_daemon(op);
	const char *project = operation_project(op);
	g_autoptr(instance_t) source = find_source(daemon, publication, error);
	g_autofree char *fingerprint =
		source ? publish_instance(source, project, publication->body, op, error) : NULL;

	if (!fingerprint)
		return FALSE;
	operation_extend(op, json_pack("{s:s, s:o}", "fingerprint", fingerprint, "size",
				       size_of(daemon, project, fingerprint)));
	return TRUE;
}

struct reply *images_publish(struct request *request, const json_t *body, GError **error)
{
	const char *project = json_text(json_object_get(body, "source"), "project");
	struct publication *publication;
	struct operation_spec spec;

	if (!json_is_object(json_object_get(body, "source"))) {
		fail(error, 400, "Invalid images JSON");
		return NULL;
	}
	publication = g_new0(struct publication, 1);
	publication->project = g_strdup(*project ? project : request->project);
	publication->body = json_incref((json_t *)body);
	spec = (struct operation_spec){
		.class = OPERATION_TASK,
		.project = request->project,
		.description = "Downloading image",
		.run = run_publish,
		.who = &request->who,
		.data = publication,
		.free_data = publication_free,
	};
	return reply_operation(operation_start(request->daemon, &spec));
}
