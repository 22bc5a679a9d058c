/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The server's configuration over its rows. */
#include "core/server_config.h"

#include "core/config_keys.h"
#include "db/config.h"
#include "util/error.h"
#include "util/json.h"

json_t *server_config_get(struct db *db, GError **error)
{
	return db_server_config_get(db, error);
}

static gboolean is_hidden(const char *name)
{
	const struct config_key *key = config_keys_find(config_keys_server, name);

	return key && key->flags & CONFIG_HIDDEN;
}

json_t *server_config_show(struct db *db, GError **error)
{
	json_t *map = db_server_config_get(db, error);
	const char *key;
	json_t *value;
	void *next;

	if (!map)
		return NULL;
	json_object_foreach_safe(map, next, key, value) if (is_hidden(key))
		json_object_set_new(map, key, json_true());
	return map;
}

char *server_config_value(struct db *db, const char *key)
{
	g_autoptr(json_t) map = db_server_config_get(db, NULL);

	return g_strdup(config_keys_value(config_keys_server, map, key));
}

static const char *type_name(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_TRUE:
	case JSON_FALSE:
		return "bool";
	case JSON_INTEGER:
	case JSON_REAL:
		return "float64";
	case JSON_ARRAY:
		return "slice";
	default:
		return "map";
	}
}

/* Sets in MAP what a client sent: strings; null takes away; true of a secret leaves it. */
static gboolean merge(json_t *map, const json_t *old, const json_t *sent, GError **error)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)sent, key, value)
	{
		if (is_hidden(key) && json_is_true(value)) {
			json_map_set(map, key, json_text(old, key));
			continue;
		}
		if (!json_is_string(value) && !json_is_null(value))
			return fail(error, 400, "cannot set '%s': invalid type %s", key,
				    type_name(value));
		json_map_set(map, key, json_string_value(value));
	}
	return TRUE;
}

struct update {
	const json_t *sent;
	gboolean patch;
	json_t *changed;
};

static gboolean update(struct db *db, void *data, GError **error)
{
	struct update *u = data;
	g_autoptr(json_t) old = db_server_config_get(db, error);
	g_autoptr(json_t) map = NULL;
	g_autoptr(GPtrArray) names = NULL;

	if (!old)
		return FALSE;
	map = u->patch ? json_map_copy(old) : json_object();
	if (!merge(map, old, u->sent, error) || !config_keys_check_server(map, error) ||
	    !db_server_config_put(db, map, error))
		return FALSE;
	names = config_keys_changed(old, map);
	u->changed = json_array();
	for (guint i = 0; i < names->len; i++)
		json_array_append_new(u->changed, json_string(names->pdata[i]));
	return TRUE;
}

gboolean server_config_update(struct daemon *daemon, const json_t *config, gboolean patch,
			      const struct requestor *who, json_t **ret_changed, GError **error)
{
	struct update u = { .sent = config, .patch = patch };
	gboolean done = db_transaction(daemon->db, update, &u, error);

	if (!done) {
		json_decref(u.changed);
		return FALSE;
	}
	if (daemon->events)
		event_lifecycle(daemon->events, "default", "config-updated", "/1.0", NULL, who);
	if (ret_changed)
		*ret_changed = g_steal_pointer(&u.changed);
	json_decref(u.changed);
	return TRUE;
}
