/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* POST /1.0/instances: new instances from an image or from nothing. */
#include <string.h>

#include "api/instance_copy.h"
#include "api/instances_post.h"
#include "core/image.h"
#include "core/instance.h"
#include "core/instance_type.h"

/* --- names for those who give none ------------------------------------------------------------ */

static const char *const moods[] = {
	"able",	  "brave", "calm",  "clear",  "bright", "eager", "fair",   "fond",
	"gentle", "glad",  "grand", "honest", "keen",	"kind",	 "lively", "lucky",
	"merry",  "mild",  "neat",  "noble",  "proud",	"quick", "quiet",  "sound",
	"steady", "sunny", "swift", "tidy",   "true",	"warm",	 "wise",   "witty",
};
static const char *const beasts[] = {
	"badger", "beaver", "bison", "crane", "deer", "dove",  "eagle",	 "falcon",
	"finch",  "fox",    "goose", "hare",  "hawk", "heron", "horse",	 "ibex",
	"jay",	  "koala",  "lark",  "lemur", "lynx", "mole",  "moose",	 "otter",
	"owl",	  "panda",  "robin", "seal",  "swan", "tiger", "walrus", "wren",
};

static char *free_name(struct daemon *daemon, const char *project)
{
	for (;;) {
		guint32 random = g_random_int();
		char *name = g_strdup_printf("%s-%s", moods[random % G_N_ELEMENTS(moods)],
					     beasts[random / 256 % G_N_ELEMENTS(beasts)]);
		g_autoptr(instance_t) inst = instance_load(daemon, project, name, NULL);

		if (!inst)
			return name;
		g_free(name);
	}
}

/* --- what is asked for ------------------------------------------------------------------------ */

void creation_free(void *data)
{
	struct creation *creation = data;

	json_decref(creation->body);
	json_decref(creation->config);
	json_decref(creation->devices);
	json_decref(creation->profiles);
	g_free(creation->project);
	g_free(creation->name);
	g_free(creation->architecture);
	g_free(creation->fingerprint);
	g_free(creation);
}

static gboolean check_type(const char *type, GError **error)
{
	if (!*type || strcmp(type, "container") == 0 || strcmp(type, "virtual-machine") == 0)
		return TRUE;
	return fail(error, 400, "Invalid instance type");
}

/* The devices are looked at as a whole by the operation; here only that they are maps. */
static json_t *devices_of(const json_t *devices, GError **error)
{
	json_t *copy = json_object(), *device;
	const char *name;

	json_object_foreach((json_t *)devices, name, device)
	{
		json_t *map = json_map_check(device, "device", error);

		if (!map) {
			json_decref(copy);
			return NULL;
		}
		json_object_set_new(copy, name, map);
	}
	return copy;
}

static struct creation *creation_of(struct request *request, GError **error)
{
	const json_t *body = request->body, *profiles;
	struct creation *creation;

	if (!json_is_object(body)) {
		fail(error, 400, body ? "json: cannot unmarshal into an object" : "EOF");
		return NULL;
	}
	if (!check_type(json_text(body, "type"), error))
		return NULL;
	creation = g_new0(struct creation, 1);
	creation->project = g_strdup(request->project);
	creation->body = json_incref((json_t *)body);
	creation->config = json_map_check(json_object_get(body, "config"), "config", error);
	creation->devices = creation->config ? devices_of(json_object_get(body, "devices"), error)
					     : NULL;
	if (!creation->devices ||
	    (*json_text(body, "instance_type") &&
	     !instance_type_apply(json_text(body, "instance_type"), creation->config, error))) {
		creation_free(creation);
		return NULL;
	}
	profiles = json_object_get(body, "profiles");
	creation->profiles = json_is_array(profiles) ? json_deep_copy(profiles) : NULL;
	creation->name = *json_text(body, "name") ? g_strdup(json_text(body, "name"))
						  : free_name(request->daemon, request->project);
	creation->architecture = g_strdup(json_text(body, "architecture"));
	return creation;
}

struct instance_new creation_new(const struct creation *creation, struct operation *op)
{
	const json_t *body = creation->body;

	return (struct instance_new){
		.project = creation->project,
		.name = creation->name,
		.architecture = creation->architecture,
		.description = json_text(body, "description"),
		.ephemeral = json_is_true(json_object_get(body, "ephemeral")),
		.stateful = json_is_true(json_object_get(body, "stateful")),
		.config = creation->config,
		.devices = creation->devices,
		.profiles = creation->profiles,
		.template = "create",
		.who = op ? operation_requestor(op) : NULL,
		.cancel = op ? operation_cancellable(op) : NULL,
	};
}

/* --- images ----------------------------------------------------------------------------------- */

static gboolean has_properties(const json_t *image, const json_t *wanted)
{
	const json_t *properties = json_object_get(image, "properties");
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)wanted, key, value)
	{
		if (strcmp(json_text(properties, key), json_text(wanted, key)) != 0)
			return FALSE;
	}
	return TRUE;
}

/* The newest of those that have all of them. */
static char *find_by_properties(struct request *request, const json_t *wanted, GError **error)
{
	g_autoptr(json_t) all = image_list(request->daemon, request->project, FALSE, error);
	const json_t *image, *best = NULL;
	size_t i;

	if (!all)
		return NULL;
	json_array_foreach(all, i, image)
	{
		if (has_properties(image, wanted) &&
		    (!best ||
		     strcmp(json_text(best, "created_at"), json_text(image, "created_at")) < 0))
			best = image;
	}
	if (!best)
		fail(error, 500, "No matching image could be found");
	return best ? g_strdup(json_text(best, "fingerprint")) : NULL;
}

static char *find_image(struct request *request, const json_t *source, GError **error)
{
	const json_t *properties = json_object_get(source, "properties");

	if (*json_text(source, "server")) {
		fail(error, 501, "not implemented");
		return NULL;
	}
	if (*json_text(source, "alias"))
		return image_alias_target(request->daemon, request->project,
					  json_text(source, "alias"), error);
	if (*json_text(source, "fingerprint"))
		return g_strdup(json_text(source, "fingerprint"));
	if (json_is_object(properties))
		return find_by_properties(request, properties, error);
	fail(error, 500,
	     "Must specify one of alias, fingerprint or properties for init from image");
	return NULL;
}

static void set_from_image(struct creation *creation, const json_t *image)
{
	const json_t *profiles = json_object_get(image, "profiles");
	const char *key;
	json_t *value;

	json_object_foreach(json_object_get(image, "properties"), key, value)
	{
		g_autofree char *name = g_strdup_printf("image.%s", key);

		json_map_set(creation->config, name, json_string_value(value));
	}
	json_map_set(creation->config, "volatile.base_image", json_text(image, "fingerprint"));
	if (!creation->profiles && json_array_size(profiles) > 0)
		creation->profiles = json_deep_copy(profiles);
	if (!*creation->architecture) {
		g_free(creation->architecture);
		creation->architecture = g_strdup(json_text(image, "architecture"));
	}
}

static gboolean run_image(struct operation *op, void *data, GError **error)
{
	struct creation *creation = data;
	struct daemon *daemon = operation_daemon(op);
	g_autoptr(json_t)
		found = image_find(daemon, creation->project, creation->fingerprint, NULL);
	g_autoptr(instance_t) inst = NULL;
	struct instance_image image = { .op = op, .cancel = operation_cancellable(op) };
	struct instance_new new;

	if (!found)
		return fail(error, 404, "Image not provided for instance creation");
	set_from_image(creation, found);
	image.fingerprint = json_text(found, "fingerprint");
	new = creation_new(creation, op);
	inst = instance_create(daemon, &new, instance_content_image, &image, error);
	return inst != NULL;
}

static gboolean run_none(struct operation *op, void *data, GError **error)
{
	const struct creation *creation = data;
	struct instance_new new = creation_new(creation, op);
	g_autoptr(instance_t) inst = instance_create(operation_daemon(op), &new,
						     instance_content_none, NULL, error);

	return inst != NULL;
}

/* --- the request --------------------------------------------------------------------------------
 */

static gboolean run_unsupported(struct operation *op, void *data, GError **error)
{
	(void)op, (void)data;
	return fail(error, 500,
		    "Failed creating instance record: Instance type"
		    " \"virtual-machine\" is not supported on this server");
}

struct reply *creation_start(struct request *request, struct creation *creation, operation_run run)
{
	struct operation_spec spec = {
		.class = OPERATION_TASK,
		.project = request->project,
		.description = "Creating instance",
		.resources = instance_resources(request->project, creation->name),
		.run = run,
		.who = &request->who,
		.data = creation,
		.free_data = creation_free,
	};

	instance_copy_name(spec.resources, creation);
	return reply_operation(operation_start(request->daemon, &spec));
}

static operation_run find_run(struct request *request, struct creation *creation, GError **error)
{
	const json_t *source = json_object_get(creation->body, "source");
	const char *type = json_text(source, "type");

	if (strcmp(json_text(creation->body, "type"), "virtual-machine") == 0)
		return run_unsupported;
	if (strcmp(type, "none") == 0)
		return run_none;
	if (strcmp(type, "copy") == 0)
		return instance_copy_run(request, creation, error);
	if (strcmp(type, "image") == 0) {
		creation->fingerprint = find_image(request, source, error);
		return creation->fingerprint ? run_image : NULL;
	}
	fail(error, 400, "Unknown source type %s", type);
	return NULL;
}

static gboolean read_body(struct request *request, GError **error)
{
	g_autofree char *text = g_malloc(REQUEST_BODY_MAX);
	gsize len = 0;

	if (!g_input_stream_read_all(request->input, text, REQUEST_BODY_MAX, &len, NULL, error))
		return FALSE;
	if (len == REQUEST_BODY_MAX)
		return fail(error, 413, "Request body too large");
	request->body = len > 0 ? json_parse(text, len, error) : NULL;
	return len == 0 || request->body;
}

static struct reply *post_json(struct request *request, GError **error)
{
	struct creation *creation = creation_of(request, error);
	struct instance_new new;
	operation_run run;

	if (!creation)
		return NULL;
	new = creation_new(creation, NULL);
	run = instance_check_new(request->daemon, &new, error) ? find_run(request, creation, error)
							       : NULL;
	if (!run) {
		creation_free(creation);
		return NULL;
	}
	return creation_start(request, creation, run);
}

struct reply *instances_post(struct request *request, GError **error)
{
	const char *type = request_header(request, "Content-Type");
	struct reply *reply;

	if (g_strcmp0(type, "application/octet-stream") == 0)
		return instance_import(request, error);
	if (!read_body(request, error))
		return NULL;
	reply = post_json(request, error);
	g_clear_pointer(&request->body, json_decref);
	return reply;
}
