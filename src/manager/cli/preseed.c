/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A description of how a server is to be, and the requests that make it so. */
#include "cli/preseed.h"

#include <string.h>

#include "cli/client.h"
#include "util/json.h"

/* What takes one step back. */
struct undo {
	const char *method;
	char *path;
	json_t *body;
};

static void undo_clear(void *data)
{
	struct undo *undo = data;

	g_free(undo->path);
	json_decref(undo->body);
}

/* Takes over BODY, which may be NULL. */
static void remember(GArray *steps, const char *method, const char *path, json_t *body)
{
	struct undo undo = { method, g_strdup(path), body };

	g_array_append_val(steps, undo);
}

static void take_back(GArray *steps)
{
	for (guint i = steps->len; i > 0; i--) {
		const struct undo *undo = &g_array_index(steps, struct undo, i - 1);
		g_autoptr(GError) error = NULL;
		g_autoptr(json_t) done = client_ask(undo->method, undo->path, undo->body, &error);

		if (!done)
			g_printerr("Failed to undo %s: %s\n", undo->path, error->message);
	}
}

/* --- the server's configuration --------------------------------------------------- */

/* YAML's numbers and booleans are as good as strings here. */
static json_t *texts_of(const json_t *map)
{
	json_t *texts = json_object();
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)map, key, value)
	{
		g_autofree char *text = json_is_string(value) || json_is_null(value)
						? g_strdup(json_string_value(value))
						: json_print(value);

		json_object_set_new(texts, key, json_string(text ? text : ""));
	}
	return texts;
}

static gboolean apply_config(const json_t *config, GArray *steps, GError **error)
{
	g_autoptr(json_t) before = NULL, body = NULL, done = NULL;

	if (json_object_size(config) == 0)
		return TRUE;
	before = client_ask("GET", "/1.0", NULL, error);
	if (!before)
		return FALSE;
	body = json_pack("{s:o}", "config", texts_of(config));
	done = client_ask("PATCH", "/1.0", body, error);
	if (!done) {
		g_prefix_error(error, "Failed to update server configuration: ");
		return FALSE;
	}
	remember(steps, "PUT", "/1.0",
		 json_pack("{s:O}", "config", json_object_get(before, "config")));
	return TRUE;
}

/* --- objects ------------------------------------------------------------------------- */

/* A kind of object: where it lives and what is said when it cannot be made. */
struct kind {
	const char *key, *path, *what;
	const char *const *fields; /* that a PUT takes */
};

static const char *const fields_plain[] = { "config", "description", NULL };
static const char *const fields_profile[] = { "config", "description", "devices", NULL };

static const struct kind kinds[] = {
	{ "networks", "/1.0/networks", "network", fields_plain },
	{ "storage_pools", "/1.0/storage-pools", "storage pool", fields_plain },
	{ "projects", "/1.0/projects", "project", fields_plain },
	{ "profiles", "/1.0/profiles", "profile", fields_profile },
};

static gboolean create(const struct kind *kind, const json_t *object, const char *url,
		       GArray *steps, GError **error)
{
	g_autoptr(json_t) body = json_copy((json_t *)object);
	g_autoptr(json_t) done = NULL;

	if (json_object_get(object, "config"))
		json_object_set_new(body, "config", texts_of(json_object_get(object, "config")));
	done = client_ask("POST", kind->path, body, error);
	if (!done) {
		g_prefix_error(error, "Failed to create %s '%s': ", kind->what,
			       json_text(object, "name"));
		return FALSE;
	}
	remember(steps, "DELETE", url, NULL);
	return TRUE;
}

static json_t *writable(const struct kind *kind, const json_t *object)
{
	json_t *part = json_object();

	for (const char *const *field = kind->fields; *field; field++)
		if (json_object_get(object, *field))
			json_object_set_new(part, *field,
					    json_deep_copy(json_object_get(object, *field)));
	return part;
}

/* What the preseed names replaces what is there, key by key. */
static json_t *merged(const struct kind *kind, const json_t *current, const json_t *object)
{
	json_t *body = writable(kind, current);

	for (const char *const *field = kind->fields; *field; field++) {
		const json_t *value = json_object_get(object, *field);
		g_autoptr(json_t) texts = NULL;

		if (json_is_string(value) && *json_string_value(value)) {
			json_object_set(body, *field, (json_t *)value);
		} else if (json_is_object(value)) {
			texts = strcmp(*field, "config") == 0 ? texts_of(value)
							      : json_deep_copy(value);
			json_object_update(json_object_get(body, *field), texts);
		}
	}
	return body;
}

static gboolean update(const struct kind *kind, const json_t *current, const json_t *object,
		       const char *url, GArray *steps, GError **error)
{
	const char *driver = json_text(object, "driver"), *has = json_text(current, "driver");
	g_autoptr(json_t) body = NULL, done = NULL;

	if (*driver && strcmp(driver, has) != 0)
		return fail(error, 400, "Storage pool '%s' is of type '%s' instead of '%s'",
			    json_text(object, "name"), has, driver);
	body = merged(kind, current, object);
	done = client_ask("PUT", url, body, error);
	if (!done) {
		g_prefix_error(error, "Failed to update %s '%s': ", kind->what,
			       json_text(object, "name"));
		return FALSE;
	}
	remember(steps, "PUT", url, writable(kind, current));
	return TRUE;
}

static gboolean apply_object(const struct kind *kind, const json_t *object, GArray *steps,
			     GError **error)
{
	g_autofree char *name = g_uri_escape_string(json_text(object, "name"), NULL, FALSE);
	g_autofree char *url = g_strdup_printf("%s/%s", kind->path, name);
	g_autoptr(GError) absent = NULL;
	g_autoptr(json_t) current = client_ask("GET", url, NULL, &absent);

	if (current)
		return update(kind, current, object, url, steps, error);
	if (client_no_daemon(absent)) {
		g_propagate_error(error, g_steal_pointer(&absent));
		return FALSE;
	}
	return create(kind, object, url, steps, error);
}

static gboolean apply_all(const json_t *preseed, GArray *steps, GError **error)
{
	if (!apply_config(json_object_get(preseed, "config"), steps, error))
		return FALSE;
	for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++) {
		const json_t *list = json_object_get(preseed, kinds[i].key);
		size_t n;
		json_t *object;

		json_array_foreach(list, n, object)
		{
			if (!apply_object(&kinds[i], object, steps, error))
				return FALSE;
		}
	}
	return TRUE;
}

gboolean preseed_apply(const json_t *preseed, GError **error)
{
	g_autoptr(GArray) steps = g_array_new(FALSE, FALSE, sizeof(struct undo));
	gboolean good;

	g_array_set_clear_func(steps, undo_clear);
	good = apply_all(preseed, steps, error);
	if (!good)
		take_back(steps);
	return good;
}

/* --- reading -------------------------------------------------------------------------- */

static json_t *fields_of(const json_t *object, const char *const *fields)
{
	json_t *part = json_object();

	for (; *fields; fields++)
		if (json_object_get(object, *fields))
			json_object_set(part, *fields, json_object_get(object, *fields));
	return part;
}

/* Networks of the host that nobody manages are not ours to set up. */
static gboolean is_ours(const json_t *object)
{
	const json_t *managed = json_object_get(object, "managed");

	return !managed || json_is_true(managed);
}

static json_t *read_list(const char *path, const char *const *fields, GError **error)
{
	g_autofree char *url = g_strdup_printf("%s?recursion=1", path);
	g_autoptr(GError) own = NULL;
	g_autoptr(json_t) list = client_ask("GET", url, NULL, &own);
	json_t *result, *object;
	size_t i;

	if (!list && error_status(own) != 404) { /* 404: a daemon without such objects */
		g_propagate_error(error, g_steal_pointer(&own));
		return NULL;
	}
	result = json_array();
	json_array_foreach(list, i, object)
	{
		if (is_ours(object))
			json_array_append_new(result, fields_of(object, fields));
	}
	return result;
}

json_t *preseed_read(GError **error)
{
	static const char *const network[] = { "config", "description", "name", "type", NULL };
	static const char *const pool[] = { "config", "description", "name", "driver", NULL };
	static const char *const profile[] = { "config", "description", "devices", "name", NULL };
	static const char *const project[] = { "config", "description", "name", NULL };
	static const struct {
		const char *key, *path, *const *fields;
	} lists[] = {
		{ "networks", "/1.0/networks", network },
		{ "storage_pools", "/1.0/storage-pools", pool },
		{ "profiles", "/1.0/profiles", profile },
		{ "projects", "/1.0/projects", project },
	};
	g_autoptr(json_t) server = client_ask("GET", "/1.0", NULL, error), all = json_object();

	if (!server)
		return NULL;
	json_object_set(all, "config", json_object_get(server, "config"));
	for (gsize i = 0; i < G_N_ELEMENTS(lists); i++) {
		json_t *list = read_list(lists[i].path, lists[i].fields, error);

		if (!list)
			return NULL;
		json_object_set_new(all, lists[i].key, list);
	}
	return g_steal_pointer(&all);
}
