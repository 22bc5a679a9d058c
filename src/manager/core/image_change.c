/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What may change of an image, and its aliases. */
#include <string.h>

#include "core/image_private.h"
#include "db/image.h"
#include "db/instance.h"

/* --- images -------------------------------------------------------------------------- */

static gboolean check_strings(const json_t *array, GError **error)
{
	const json_t *value;
	size_t i;

	if (array && !json_is_array(array) && !json_is_null(array))
		return fail(error, 400, "profiles must be a list of strings");
	json_array_foreach(array, i, value) if (!json_is_string(value)) return fail(
		error, 400, "profiles must be a list of strings");
	return TRUE;
}

/* The whole properties after the change: PATCH adds to what there is. */
static json_t *new_properties(struct db *db, gint64 id, const json_t *body, gboolean patch,
			      GError **error)
{
	g_autoptr(json_t)
		wanted = json_map_check(json_object_get(body, "properties"), "properties", error);
	json_t *merged;

	if (!wanted || !patch)
		return g_steal_pointer(&wanted);
	merged = db_image_properties(db, id, error);
	if (merged)
		json_object_update(merged, wanted);
	return merged;
}

static gboolean flag_of(const json_t *body, const char *key, const json_t *row, gboolean patch)
{
	const json_t *value = json_object_get(body, key);

	if (!value && patch)
		return json_integer_value(json_object_get(row, key)) != 0;
	return json_is_true(value);
}

/* Stays when it is not given, with PUT as well. */
static char *expiry_of(const json_t *body, const json_t *row)
{
	const char *wanted = json_string_value(json_object_get(body, "expires_at"));

	return wanted ? db_time_write(wanted)
		      : g_strdup(json_string_value(json_object_get(row, "expiry_date")));
}

gboolean image_update(struct daemon *daemon, const char *project, const char *fingerprint,
		      const json_t *body, gboolean patch, const struct requestor *who,
		      GError **error)
{
	g_autofree char *holder = NULL;
	g_autoptr(json_t) row = image_row(daemon, project, fingerprint, &holder, error);
	gint64 id = json_integer_value(json_object_get(row, "id"));
	const json_t *profiles = json_object_get(body, "profiles");
	g_autoptr(json_t) properties = NULL;
	g_autofree char *expires = NULL;

	if (!row || !check_strings(profiles, error))
		return FALSE;
	properties = new_properties(daemon->db, id, body, patch, error);
	expires = expiry_of(body, row);
	if (!properties ||
	    !db_image_update(daemon->db, id, flag_of(body, "public", row, patch),
			     flag_of(body, "auto_update", row, patch), expires, properties, holder,
			     json_is_array(profiles) ? profiles : NULL, error))
		return FALSE;
	image_event(daemon, holder, "image-updated", json_text(row, "fingerprint"), NULL, who);
	return TRUE;
}

/* --- aliases --------------------------------------------------------------------------- */

static json_t *show_alias(const json_t *row)
{
	return json_pack(
		"{ss ss ss ss}", "name", json_text(row, "name"), "description",
		json_text(row, "description"), "target", json_text(row, "fingerprint"), "type",
		json_integer_value(json_object_get(row, "type")) ? "virtual-machine" : "container");
}

/* The row of PROJECT (settled) or NULL with 404. */
static json_t *alias_row(struct db *db, const char *project, const char *name, GError **error)
{
	GError *bad = NULL;
	json_t *row = db_alias_row(db, project, name, &bad);

	if (bad)
		g_propagate_error(error, bad);
	else if (!row)
		fail(error, 404, "Image alias not found");
	return row;
}

json_t *image_alias(struct daemon *daemon, const char *project, const char *name, GError **error)
{
	g_autofree char *holder = image_project(daemon, project, error);
	g_autoptr(json_t) row = holder ? alias_row(daemon->db, holder, name, error) : NULL;

	return row ? show_alias(row) : NULL;
}

json_t *image_aliases(struct daemon *daemon, const char *project, GError **error)
{
	g_autofree char *holder = image_project(daemon, project, error);
	g_autoptr(json_t) rows = holder ? db_alias_rows(daemon->db, holder, error) : NULL;
	g_autoptr(json_t) aliases = json_array();
	const json_t *row;
	size_t i;

	if (!rows)
		return NULL;
	json_array_foreach(rows, i, row) json_array_append_new(aliases, show_alias(row));
	return g_steal_pointer(&aliases);
}

char *image_alias_target(struct daemon *daemon, const char *project, const char *alias,
			 GError **error)
{
	g_autoptr(json_t) found = image_alias(daemon, project, alias, error);

	return found ? g_strdup(json_text(found, "target")) : NULL;
}

static void alias_event(struct daemon *daemon, const char *project, const char *action,
			const char *name, const char *old_name, const struct requestor *who)
{
	g_autofree char *escaped = g_uri_escape_string(name, NULL, FALSE);
	g_autofree char *source = g_strconcat("/1.0/images/aliases/", escaped, NULL);
	g_autoptr(json_t) context = old_name ? json_pack("{ss}", "old_name", old_name) : NULL;

	event_lifecycle(daemon->events, project, action, source, context, who);
}

/* FALSE and 409 when PROJECT (settled) has the name already. */
static gboolean is_free(struct db *db, const char *project, const char *name, GError **error)
{
	GError *bad = NULL;
	g_autoptr(json_t) row = db_alias_row(db, project, name, &bad);

	if (bad) {
		g_propagate_error(error, bad);
		return FALSE;
	}
	return !row || fail(error, 409, "Alias \"%s\" already exists", name);
}

gboolean image_alias_create(struct daemon *daemon, const char *project, const char *name,
			    const char *target, const char *description,
			    const struct requestor *who, GError **error)
{
	g_autofree char *holder = image_project(daemon, project, error);
	g_autoptr(json_t) image = NULL;

	if (!holder || !is_free(daemon->db, holder, name, error))
		return FALSE;
	image = image_row(daemon, holder, target, NULL, error);
	if (!image ||
	    !db_alias_insert(daemon->db, holder, name,
			     json_integer_value(json_object_get(image, "id")), description, error))
		return FALSE;
	alias_event(daemon, holder, "image-alias-created", name, NULL, who);
	return TRUE;
}

gboolean image_alias_update(struct daemon *daemon, const char *project, const char *name,
			    const char *target, const char *description,
			    const struct requestor *who, GError **error)
{
	g_autofree char *holder = image_project(daemon, project, error);
	g_autoptr(json_t) row = holder ? alias_row(daemon->db, holder, name, error) : NULL;
	g_autoptr(json_t) image = row ? image_row(daemon, holder, target, NULL, error) : NULL;

	if (!image ||
	    !db_alias_update(daemon->db, json_integer_value(json_object_get(row, "id")),
			     json_integer_value(json_object_get(image, "id")), description, error))
		return FALSE;
	alias_event(daemon, holder, "image-alias-updated", name, NULL, who);
	return TRUE;
}

gboolean image_alias_rename(struct daemon *daemon, const char *project, const char *name,
			    const char *to, const struct requestor *who, GError **error)
{
	g_autofree char *holder = image_project(daemon, project, error);
	g_autoptr(json_t) row = NULL;

	if (!holder || !is_free(daemon->db, holder, to, error) ||
	    !(row = alias_row(daemon->db, holder, name, error)) ||
	    !db_alias_rename(daemon->db, json_integer_value(json_object_get(row, "id")), to, error))
		return FALSE;
	alias_event(daemon, holder, "image-alias-renamed", to, name, who);
	return TRUE;
}

gboolean image_alias_delete(struct daemon *daemon, const char *project, const char *name,
			    const struct requestor *who, GError **error)
{
	g_autofree char *holder = image_project(daemon, project, error);
	g_autoptr(json_t) row = holder ? alias_row(daemon->db, holder, name, error) : NULL;

	if (!row ||
	    !db_alias_delete(daemon->db, json_integer_value(json_object_get(row, "id")), error))
		return FALSE;
	alias_event(daemon, holder, "image-alias-deleted", name, NULL, who);
	return TRUE;
}
