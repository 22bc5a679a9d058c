/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Projects over their rows. */
#include "core/project.h"

#include <string.h>

#include "core/config_keys.h"
#include "db/profile.h"
#include "db/project.h"
#include "util/error.h"
#include "util/json.h"
#include "util/names.h"

/* What a project has of its own unless it is told otherwise when it is made. */
static const char *const features[] = { "features.images", "features.profiles",
					"features.storage.volumes", "features.networks" };
#define FEATURES_AT_FIRST 3 /* the first ones are on in a new project */

/* --- reading -----------------------------------------------------------------------------------
 */

/* The row alone; 404. */
static json_t *find(struct db *db, const char *name, GError **error)
{
	g_autoptr(json_t) rows = db_projects(db, name, error);

	if (!rows)
		return NULL;
	if (json_array_size(rows) == 0) {
		fail(error, 404, "Project not found");
		return NULL;
	}
	return json_incref(json_array_get(rows, 0));
}

static gint64 row_id(const json_t *row)
{
	return json_integer_value(json_object_get(row, "id"));
}

gint64 project_id(struct db *db, const char *name, GError **error)
{
	g_autoptr(json_t) row = find(db, name, error);

	return row ? row_id(row) : -1;
}

json_t *project_config(struct db *db, const char *name, GError **error)
{
	gint64 id = project_id(db, name, error);

	return id >= 0 ? db_config_get(db, "projects_config", "project", id, error) : NULL;
}

/* Its default profile shows only where it has profiles of its own. */
static json_t *used_by(struct db *db, gint64 id, const char *name, const json_t *config,
		       GError **error)
{
	g_autoptr(json_t) urls = db_project_users(db, id, error);
	gboolean plain = !strcmp(name, PROJECT_DEFAULT);
	json_t *list, *url;
	size_t i;

	if (!urls)
		return NULL;
	list = json_array();
	json_array_foreach(urls, i, url)
	{
		const char *text = json_string_value(url);
		g_autofree char *full = plain ? g_strdup(text)
					      : g_strdup_printf("%s?project=%s", text, name);

		if (g_str_has_prefix(text, "/1.0/profiles/") &&
		    !json_map_true(config, "features.profiles"))
			continue;
		json_array_append_new(list, json_string(full));
	}
	return list;
}

/* Makes a row what the API shows; takes its id away. */
static gboolean show_row(struct db *db, json_t *row, GError **error)
{
	gint64 id = row_id(row);
	json_t *config = db_config_get(db, "projects_config", "project", id, error);
	json_t *users = config ? used_by(db, id, json_text(row, "name"), config, error) : NULL;

	if (!users) {
		json_decref(config);
		return FALSE;
	}
	json_object_set_new(row, "config", config);
	json_object_set_new(row, "used_by", users);
	json_object_del(row, "id");
	return TRUE;
}

json_t *project_list(struct db *db, GError **error)
{
	g_autoptr(json_t) rows = db_projects(db, NULL, error);
	json_t *row;
	size_t i;

	if (!rows)
		return NULL;
	json_array_foreach(rows, i, row) if (!show_row(db, row, error)) return NULL;
	return g_steal_pointer(&rows);
}

json_t *project_show(struct db *db, const char *name, GError **error)
{
	g_autoptr(json_t) row = find(db, name, error);

	if (!row || !show_row(db, row, error))
		return NULL;
	return g_steal_pointer(&row);
}

/* --- whose objects
 * -------------------------------------------------------------------------------- */

static char *owner(struct db *db, const char *name, const char *feature, GError **error)
{
	g_autoptr(json_t) config = project_config(db, name, error);

	if (!config) {
		g_prefix_error(error, "Failed loading project \"%s\": ", name);
		return NULL;
	}
	if (!strcmp(name, PROJECT_DEFAULT) || json_map_true(config, feature))
		return g_strdup(name);
	return g_strdup(PROJECT_DEFAULT);
}

char *project_of_images(struct db *db, const char *name, GError **error)
{
	return owner(db, name, "features.images", error);
}

char *project_of_profiles(struct db *db, const char *name, GError **error)
{
	return owner(db, name, "features.profiles", error);
}

char *project_of_volumes(struct db *db, const char *name, GError **error)
{
	return owner(db, name, "features.storage.volumes", error);
}

char *project_of_networks(struct db *db, const char *name, GError **error)
{
	return owner(db, name, "features.networks", error);
}

char *project_prefix(const char *project, const char *name)
{
	if (!strcmp(project, PROJECT_DEFAULT))
		return g_strdup(name);
	return g_strdup_printf("%s_%s", project, name);
}

/* --- writing -------------------------------------------------------------------------------------
 */

static void announce(struct daemon *daemon, const char *action, const char *name,
		     const json_t *context, const struct requestor *who)
{
	g_autofree char *segment = g_uri_escape_string(name, NULL, FALSE);
	g_autofree char *source = g_strdup_printf("/1.0/projects/%s", segment);

	/* As the original: of the project itself, but the source names no other. */
	if (daemon->events)
		event_lifecycle(daemon->events, PROJECT_DEFAULT, action, source, context, who);
}

/* It is empty when nothing is in it but its default profile. */
static gboolean is_empty(struct db *db, gint64 id, gboolean *ret, GError **error)
{
	g_autoptr(json_t) urls = db_project_users(db, id, error);
	json_t *url;
	size_t i;

	if (!urls)
		return FALSE;
	*ret = TRUE;
	json_array_foreach(urls, i, url) if (strcmp(json_string_value(url),
						    "/1.0/profiles/default")) *ret = FALSE;
	return TRUE;
}

/* With profiles of its own a project has a default one. */
static gboolean ensure_profile(struct db *db, const char *name, const json_t *config,
			       GError **error)
{
	g_autofree char *description = g_strdup_printf("Default LXD profile for project %s", name);
	g_autoptr(json_t) nothing = json_object(), there = NULL;

	if (!json_map_true(config, "features.profiles"))
		return TRUE;
	there = db_profiles(db, name, "default", error);
	if (!there)
		return FALSE;
	return json_array_size(there) > 0 ||
	       db_profile_add(db, name, "default", description, nothing, nothing, error) >= 0;
}

struct change {
	const char *name, *description, *to;
	const json_t *config; /* NULL: as it is */
};

static gboolean create(struct db *db, void *data, GError **error)
{
	const struct change *change = data;
	g_autoptr(GError) problem = NULL;

	if (db_project_add(db, change->name, change->description, change->config, &problem) < 0) {
		gboolean twice = error_status(problem) == 409;

		return fail(error, error_status(problem),
			    "Failed creating project \"%s\": Failed adding database record: %s",
			    change->name,
			    twice ? "This \"projects\" entry already exists" : problem->message);
	}
	return ensure_profile(db, change->name, change->config, error);
}

gboolean project_create(struct daemon *daemon, const json_t *body, const struct requestor *who,
			GError **error)
{
	const char *name = json_text(body, "name");
	const json_t *sent = json_object_get(body, "config");
	g_autoptr(json_t) config = NULL;
	struct change change = { .name = name, .description = json_text(body, "description") };

	if (!name_check_project(name, error))
		return FALSE;
	config = json_map_check(sent, "config", error);
	if (!config)
		return FALSE;
	for (gsize i = 0; i < FEATURES_AT_FIRST; i++)
		if (!json_object_get(config, features[i]))
			json_map_set(config, features[i], "true");
	change.config = config;
	if (!config_keys_check_project(config, error) ||
	    !db_transaction(daemon->db, create, &change, error))
		return FALSE;
	announce(daemon, "project-created", name, NULL, who);
	return TRUE;
}

/* Where there is something, whose it is cannot change any more. */
static gboolean check_features(const char *name, gboolean empty, const json_t *old,
			       const json_t *new, GError **error)
{
	for (gsize i = 0; i < G_N_ELEMENTS(features); i++) {
		gboolean was = json_map_true(old, features[i]);
		gboolean is = json_map_true(new, features[i]);

		if (was == is)
			continue;
		if (!strcmp(name, PROJECT_DEFAULT))
			return fail(error, 400,
				    "You can't change the features of the default project");
		if (!empty)
			return fail(error, 400,
				    "Project feature \"%s\" cannot be %s on non-empty projects",
				    features[i], is ? "enabled" : "disabled");
	}
	return TRUE;
}

/* An empty project that shares profiles keeps no default one. */
static gboolean drop_profile(struct db *db, const char *name, const json_t *config, GError **error)
{
	g_autoptr(json_t) there = NULL;

	if (json_map_true(config, "features.profiles"))
		return ensure_profile(db, name, config, error);
	there = db_profiles(db, name, "default", error);
	if (!there)
		return FALSE;
	return json_array_size(there) == 0 ||
	       db_profile_delete(db, row_id(json_array_get(there, 0)), error);
}

static gboolean update(struct db *db, void *data, GError **error)
{
	const struct change *change = data;
	gint64 id = project_id(db, change->name, error);
	g_autoptr(json_t) old = NULL;
	gboolean empty;

	if (id < 0)
		return FALSE;
	old = db_config_get(db, "projects_config", "project", id, error);
	return old && is_empty(db, id, &empty, error) &&
	       check_features(change->name, empty, old, change->config, error) &&
	       config_keys_check_project(change->config, error) &&
	       project_check_limits(db, change->name, change->config, error) &&
	       db_project_set(db, id, change->description, change->config, error) &&
	       drop_profile(db, change->name, change->config, error);
}

gboolean project_update(struct daemon *daemon, const char *name, const json_t *wanted,
			const struct requestor *who, GError **error)
{
	g_autoptr(json_t)
		config = json_map_check(json_object_get(wanted, "config"), "config", error);
	struct change change = { name, json_text(wanted, "description"), NULL, config };

	if (!config || !db_transaction(daemon->db, update, &change, error))
		return FALSE;
	announce(daemon, "project-updated", name, NULL, who);
	return TRUE;
}

static gboolean rename_empty(struct db *db, void *data, GError **error)
{
	const struct change *change = data;
	gint64 id = project_id(db, change->name, error);
	g_autoptr(json_t) other = NULL;
	gboolean empty;

	if (id < 0 || !is_empty(db, id, &empty, error))
		return FALSE;
	other = db_projects(db, change->to, error);
	if (!other)
		return FALSE;
	if (json_array_size(other) > 0)
		return fail(error, 409, "A project named \"%s\" already exists", change->to);
	if (!empty)
		return fail(error, 400, "Only empty projects can be renamed");
	return name_check_project(change->to, error) &&
	       db_project_rename(db, id, change->to, error);
}

gboolean project_rename(struct daemon *daemon, const char *name, const char *to,
			const struct requestor *who, GError **error)
{
	struct change change = { .name = name, .to = to };
	g_autoptr(json_t) context = NULL;

	if (!strcmp(name, PROJECT_DEFAULT))
		return fail(error, 403, "The 'default' project cannot be renamed");
	if (!db_transaction(daemon->db, rename_empty, &change, error))
		return FALSE;
	context = json_pack("{s:s}", "old_name", name);
	announce(daemon, "project-renamed", to, context, who);
	return TRUE;
}

static gboolean delete_empty(struct db *db, void *data, GError **error)
{
	const struct change *change = data;
	gint64 id = project_id(db, change->name, error);
	gboolean empty;

	if (id < 0) {
		g_prefix_error(error, "Fetch project \"%s\": ", change->name);
		return FALSE;
	}
	if (!is_empty(db, id, &empty, error))
		return FALSE;
	if (!empty)
		return fail(error, 500, "Only empty projects can be removed");
	return db_project_delete(db, id, error);
}

gboolean project_delete(struct daemon *daemon, const char *name, const struct requestor *who,
			GError **error)
{
	struct change change = { .name = name };

	if (!strcmp(name, PROJECT_DEFAULT))
		return fail(error, 403, "The 'default' project cannot be deleted");
	if (!db_transaction(daemon->db, delete_empty, &change, error))
		return FALSE;
	announce(daemon, "project-deleted", name, NULL, who);
	return TRUE;
}
