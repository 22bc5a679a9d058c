/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The server's configuration has no owner: the table is all of it. */
#include "db/config.h"

#include "util/json.h"

json_t *db_server_config_get(struct db *db, GError **error)
{
	g_autoptr(json_t) rows = db_select(db, error, "SELECT key, value FROM config", "");
	json_t *map, *row;
	size_t i;

	if (!rows)
		return NULL;
	map = json_object();
	json_array_foreach(rows, i, row)
		json_map_set(map, json_text(row, "key"), json_text(row, "value"));
	return map;
}

static gboolean put(struct db *db, void *data, GError **error)
{
	const char *key;
	json_t *value;

	if (!db_run(db, error, NULL, "DELETE FROM config", ""))
		return FALSE;
	json_object_foreach((json_t *)data, key, value)
	{
		if (db_insert(db, error, "INSERT INTO config (key, value) VALUES (?1, ?2)", "ss",
			      key, json_string_value(value)) < 0)
			return FALSE;
	}
	return TRUE;
}

gboolean db_server_config_put(struct db *db, const json_t *map, GError **error)
{
	return db_transaction(db, put, (void *)map, error);
}
