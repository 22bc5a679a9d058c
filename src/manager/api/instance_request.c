/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Finding the instance of a request, and looking at its body. */
#include "api/instance_request.h"

#include <string.h>

struct instance *request_instance(const struct request *request, GError **error)
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

/* --- bodies -------------------------------------------------------------------------------- */

static const char *kind_of(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return "object";
	case JSON_ARRAY:
		return "array";
	case JSON_STRING:
		return "string";
	case JSON_INTEGER:
	case JSON_REAL:
		return "number";
	default:
		return "bool";
	}
}

static const char *type_name(enum body_type type)
{
	static const char *const names[] = { "string", "bool",	   "int",
					     "uint32", "[]string", "map[string]string" };

	return names[type];
}

static gboolean refuse(const char *name, const struct body_field *field, const json_t *value,
		       const char *type, GError **error)
{
	if (json_is_integer(value))
		return fail(error, 400,
			    "json: cannot unmarshal number %" JSON_INTEGER_FORMAT
			    " into Go struct field %s.%s of type %s",
			    json_integer_value(value), name, field->key, type);
	return fail(error, 400, "json: cannot unmarshal %s into Go struct field %s.%s of type %s",
		    kind_of(value), name, field->key, type);
}

static gboolean refuse_item(const char *name, const struct body_field *field, const json_t *value,
			    GError **error)
{
	return fail(error, 400,
		    "json: cannot unmarshal %s into Go struct field %s.%s of type string",
		    kind_of(value), name, field->key);
}

static gboolean fits(const json_t *value, enum body_type type)
{
	const json_int_t number = json_integer_value(value);

	switch (type) {
	case BODY_TEXT:
		return json_is_string(value);
	case BODY_BOOL:
		return json_is_boolean(value);
	case BODY_INT:
		return json_is_integer(value) && number >= G_MININT && number <= G_MAXINT;
	case BODY_UINT32:
		return json_is_integer(value) && number >= 0 && number <= G_MAXUINT32;
	case BODY_TEXTS:
		return json_is_array(value);
	default:
		return json_is_object(value);
	}
}

static gboolean check_items(const char *name, const struct body_field *field, json_t *value,
			    GError **error)
{
	json_t *item;
	const char *key;
	gsize i;

	json_array_foreach(value, i, item) if (!json_is_string(item)) return refuse_item(
		name, field, item, error);
	json_object_foreach(value, key, item) if (!json_is_string(item)) return refuse_item(
		name, field, item, error);
	return TRUE;
}

const json_t *request_body_checked(const struct request *request, const char *name,
				   const struct body_field *fields, gsize n, GError **error)
{
	if (!request->body) {
		fail(error, 400, "unexpected end of JSON input");
		return NULL;
	}
	if (!json_is_object(request->body)) {
		fail(error, 400, "json: cannot unmarshal %s into Go value of type api.%s",
		     kind_of(request->body), name);
		return NULL;
	}
	for (gsize i = 0; i < n; i++) {
		json_t *value = json_object_get(request->body, fields[i].key);

		if (!value || json_is_null(value))
			continue;
		if (!fits(value, fields[i].type)) {
			refuse(name, &fields[i], value, type_name(fields[i].type), error);
			return NULL;
		}
		if (!check_items(name, &fields[i], value, error))
			return NULL;
	}
	return request->body;
}
