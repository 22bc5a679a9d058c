/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Profiles over their rows. */
#include "core/profile.h"

#include <string.h>

#include "core/config_keys.h"
#include "core/device.h"
#include "core/instance.h"
#include "core/project.h"
#include "db/profile.h"
#include "util/error.h"
#include "util/json.h"
#include "util/names.h"

/* --- reading -------------------------------------------------------------------------------- */

/* "/1.0/instances/c1?project=p" for each user. */
static json_t *used_by(struct db *db, gint64 id, GError **error)
{
	g_autoptr(json_t) users = db_profile_users(db, id, error);
	json_t *urls, *user;
	size_t i;

	if (!users)
		return NULL;
	urls = json_array();
	json_array_foreach(users, i, user)
	{
		const char *project = json_text(user, "project");
		gboolean plain = !strcmp(project, PROJECT_DEFAULT);
		g_autofree char *query = g_uri_escape_string(project, NULL, FALSE);
		g_autofree char *url =
			g_strdup_printf("/1.0/instances/%s%s%s", json_text(user, "name"),
					plain ? "" : "?project=", plain ? "" : query);

		json_array_append_new(urls, json_string(url));
	}
	return urls;
}

/* Makes a row what the API shows; takes its id away. */
static gboolean show_row(struct db *db, json_t *row, GError **error)
{
	gint64 id = json_integer_value(json_object_get(row, "id"));
	json_t *users = used_by(db, id, error);

	if (!users)
		return FALSE;
	json_object_set_new(row, "used_by", users);
	if (!db_profile_fill(db, row, error))
		return FALSE;
	json_object_del(row, "id");
	return TRUE;
}

json_t *profile_list(struct db *db, const char *project, GError **error)
{
	g_autofree char *owner = project_of_profiles(db, project, error);
	g_autoptr(json_t) rows = owner ? db_profiles(db, owner, NULL, error) : NULL;
	json_t *row;
	size_t i;

	if (!rows)
		return NULL;
	json_array_foreach(rows, i, row) if (!show_row(db, row, error)) return NULL;
	return g_steal_pointer(&rows);
}

/* The row alone; 404. */
static json_t *find(struct db *db, const char *owner, const char *name, GError **error)
{
	g_autoptr(json_t) rows = db_profiles(db, owner, name, error);

	if (!rows)
		return NULL;
	if (json_array_size(rows) == 0) {
		fail(error, 404, "Profile not found");
		return NULL;
	}
	return json_incref(json_array_get(rows, 0));
}

json_t *profile_show(struct db *db, const char *project, const char *name, GError **error)
{
	g_autofree char *owner = project_of_profiles(db, project, error);
	g_autoptr(json_t) row = owner ? find(db, owner, name, error) : NULL;

	if (!row || !show_row(db, row, error))
		return NULL;
	return g_steal_pointer(&row);
}

gint64 profile_id(struct db *db, const char *project, const char *name, GError **error)
{
	g_autofree char *owner = project_of_profiles(db, project, error);
	g_autoptr(json_t) row = owner ? find(db, owner, name, error) : NULL;

	return row ? json_integer_value(json_object_get(row, "id")) : -1;
}

gboolean profile_check_names(struct db *db, const char *project, const json_t *names,
			     GError **error)
{
	const json_t *name;
	size_t i;

	json_array_foreach(names, i, name)
	{
		const char *text = json_string_value(name);
		g_autoptr(GError) problem = NULL;

		if (!text)
			return fail(error, 400, "Profiles must be a list of names");
		if (profile_id(db, project, text, &problem) >= 0)
			continue;
		if (error_status(problem) != 404) {
			g_propagate_error(error, g_steal_pointer(&problem));
			return FALSE;
		}
		return fail(error, 404, "Requested profile \"%s\" doesn't exist", text);
	}
	return TRUE;
}

/* --- what an instance runs with -----------------------------------------------------------------
 */

static gboolean expand_one(struct db *db, const char *owner, const char *name, json_t *config,
			   json_t *devices, GError **error)
{
	g_autoptr(json_t) row = find(db, owner, name, error);

	if (!row || !db_profile_fill(db, row, error))
		return FALSE;
	json_object_update(config, json_object_get(row, "config"));
	json_object_update(devices, json_object_get(row, "devices"));
	return TRUE;
}

gboolean profile_expand(struct db *db, const char *project, const json_t *names,
			const json_t *config, const json_t *devices, json_t **ret_config,
			json_t **ret_devices, GError **error)
{
	g_autofree char *owner = project_of_profiles(db, project, error);
	g_autoptr(json_t) all = json_object(), all_devices = json_object();
	const json_t *name;
	size_t i;

	if (!owner)
		return FALSE;
	json_array_foreach(names, i, name)
	{
		const char *text = json_string_value(name);

		if (!expand_one(db, owner, text ? text : "", all, all_devices, error))
			return FALSE;
	}
	if (config)
		json_object_update(all, (json_t *)config);
	if (devices)
		json_object_update(all_devices, (json_t *)devices);
	/* Nothing is shared with the caller's own. */
	*ret_config = json_deep_copy(all);
	*ret_devices = json_deep_copy(all_devices);
	return TRUE;
}

/* --- writing
 * ---------------------------------------------------------------------------------------- */

/* The words for an instance's devices begin otherwise. */
static gboolean check_devices(const json_t *devices, GError **error)
{
	static const char prefix[] = "Invalid devices: ";
	g_autoptr(GError) problem = NULL;
	const char *text;

	if (devices_check(devices, &problem))
		return TRUE;
	text = problem->message;
	if (g_str_has_prefix(text, prefix))
		text += strlen(prefix);
	return fail(error, error_status(problem), "%s", text);
}

gboolean profile_check(struct db *db, const char *project, const json_t *config,
		       const json_t *devices, GError **error)
{
	(void)db;
	(void)project;
	return config_keys_check_profile(config, error) && check_devices(devices, error);
}

struct wanted {
	const char *description;
	json_t *config, *devices;
};

static void wanted_clear(struct wanted *wanted)
{
	json_decref(wanted->config);
	json_decref(wanted->devices);
}

#define AUTO_WANTED __attribute__((cleanup(wanted_clear))) struct wanted

static json_t *devices_of(const json_t *value, GError **error)
{
	g_autoptr(json_t) devices = json_object();
	const char *name;
	json_t *device;

	if (!value || json_is_null(value))
		return g_steal_pointer(&devices);
	if (!json_is_object(value)) {
		fail(error, 400, "devices must be a map of maps");
		return NULL;
	}
	json_object_foreach((json_t *)value, name, device)
	{
		json_t *map = json_map_check(device, "device", error);

		if (!map)
			return NULL;
		json_object_set_new(devices, name, map);
	}
	return g_steal_pointer(&devices);
}

static gboolean wanted_read(const json_t *body, struct wanted *ret, GError **error)
{
	ret->description = json_text(body, "description");
	ret->config = json_map_check(json_object_get(body, "config"), "config", error);
	ret->devices = ret->config ? devices_of(json_object_get(body, "devices"), error) : NULL;
	return ret->devices != NULL;
}

static void announce(struct daemon *daemon, const char *project, const char *action,
		     const char *name, const json_t *context, const struct requestor *who)
{
	g_autofree char *segment = g_uri_escape_string(name, NULL, FALSE);
	g_autofree char *source = g_strdup_printf("/1.0/profiles/%s", segment);

	if (daemon->events)
		event_lifecycle(daemon->events, project, action, source, context, who);
}

gboolean profile_create(struct daemon *daemon, const char *project, const json_t *body,
			const struct requestor *who, GError **error)
{
	g_autofree char *owner = project_of_profiles(daemon->db, project, error);
	const char *name = json_text(body, "name");
	g_autoptr(GError) problem = NULL;
	AUTO_WANTED wanted = { 0 };

	if (!owner || !name_check_profile(name, error) || !wanted_read(body, &wanted, error) ||
	    !profile_check(daemon->db, project, wanted.config, wanted.devices, error))
		return FALSE;
	if (db_profile_add(daemon->db, owner, name, wanted.description, wanted.config,
			   wanted.devices, &problem) < 0) {
		gboolean twice = error_status(problem) == 409;

		return fail(error, error_status(problem),
			    "Error inserting \"%s\" into database: %s", name,
			    twice ? "The profile already exists" : problem->message);
	}
	announce(daemon, owner, "profile-created", name, NULL, who);
	return TRUE;
}

gboolean profile_update(struct daemon *daemon, const char *project, const char *name,
			const json_t *body, const struct requestor *who, GError **error)
{
	g_autofree char *owner = project_of_profiles(daemon->db, project, error);
	g_autoptr(json_t) row = owner ? find(daemon->db, owner, name, error) : NULL;
	g_autoptr(GPtrArray) users = NULL;
	AUTO_WANTED wanted = { 0 };

	if (!row || !wanted_read(body, &wanted, error) ||
	    !profile_check(daemon->db, project, wanted.config, wanted.devices, error))
		return FALSE;
	if (!project_check_profile(daemon->db, owner, name, wanted.config, wanted.devices, error)) {
		g_prefix_error(error, "Failed checking if profile update allowed: ");
		return FALSE;
	}
	users = instance_profile_users(daemon, owner, name, error);
	if (!users || !db_profile_set(daemon->db, json_integer_value(json_object_get(row, "id")),
				      wanted.description, wanted.config, wanted.devices, error))
		return FALSE;
	announce(daemon, owner, "profile-updated", name, NULL, who);
	return instance_profile_changed(users, error);
}

gboolean profile_rename(struct daemon *daemon, const char *project, const char *name,
			const char *to, const struct requestor *who, GError **error)
{
	g_autofree char *owner = NULL;
	g_autoptr(json_t) row = NULL, other = NULL, context = NULL;

	if (!strcmp(name, "default"))
		return fail(error, 403, "The \"default\" profile cannot be renamed");
	if (!name_check_profile(to, error))
		return FALSE;
	owner = project_of_profiles(daemon->db, project, error);
	row = owner ? find(daemon->db, owner, name, error) : NULL;
	if (!row)
		return FALSE;
	other = db_profiles(daemon->db, owner, to, error);
	if (!other)
		return FALSE;
	if (json_array_size(other) > 0)
		return fail(error, 409, "Name \"%s\" already in use", to);
	if (!db_profile_rename(daemon->db, json_integer_value(json_object_get(row, "id")), to,
			       error))
		return FALSE;
	context = json_pack("{s:s}", "old_name", name);
	announce(daemon, owner, "profile-renamed", to, context, who);
	return TRUE;
}

struct deletion {
	const char *owner, *name;
};

static gboolean delete_unused(struct db *db, void *data, GError **error)
{
	const struct deletion *deletion = data;
	g_autoptr(json_t) row = find(db, deletion->owner, deletion->name, error);
	gint64 id = json_integer_value(json_object_get(row, "id"));
	g_autoptr(json_t) users = row ? db_profile_users(db, id, error) : NULL;

	if (!users)
		return FALSE;
	if (json_array_size(users) > 0)
		return fail(error, 500, "Profile is currently in use");
	return db_profile_delete(db, id, error);
}

gboolean profile_delete(struct daemon *daemon, const char *project, const char *name,
			const struct requestor *who, GError **error)
{
	g_autofree char *owner = NULL;
	struct deletion deletion = { .name = name };

	if (!strcmp(name, "default"))
		return fail(error, 403, "The \"default\" profile cannot be deleted");
	owner = project_of_profiles(daemon->db, project, error);
	deletion.owner = owner;
	if (!owner || !db_transaction(daemon->db, delete_unused, &deletion, error))
		return FALSE;
	announce(daemon, owner, "profile-deleted", name, NULL, who);
	return TRUE;
}
