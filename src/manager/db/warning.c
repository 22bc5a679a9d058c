/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rows of warnings. What a place is has one row: seen again, it counts. */
#include "db/warning.h"

#define SAME                                                               \
	" type_code = ?1 AND entity_type_code = ?2 AND entity_id = ?3 AND" \
	" IFNULL(project_id, -1) = IFNULL((SELECT id FROM projects WHERE name = ?4), -1)"

struct raising {
	const struct db_warning *warning;
	const char *message, *now;
};

static gboolean raise_row(struct db *db, void *data, GError **error)
{
	const struct raising *r = data;
	const struct db_warning *w = r->warning;
	g_autofree char *uuid = g_uuid_string_random();
	gint64 seen;

	if (!db_run(db, error, &seen,
		    "UPDATE warnings SET count = count + 1, last_message = ?5, last_seen_date = ?6,"
		    " updated_date = ?6, status = CASE status WHEN 3 THEN 1 ELSE status END"
		    " WHERE" SAME,
		    "iiisss", w->type, w->entity_type, w->entity_id, w->project, r->message,
		    r->now))
		return FALSE;
	if (seen > 0)
		return TRUE;
	return db_insert(
		       db, error,
		       "INSERT INTO warnings (node_id, project_id, entity_type_code, entity_id,"
		       " uuid, type_code, status, first_seen_date, last_seen_date, updated_date,"
		       " last_message, count) VALUES (1, (SELECT id FROM projects WHERE name = ?4),"
		       " ?2, ?3, ?7, ?1, 1, ?6, ?6, ?6, ?5, 1)",
		       "iiissss", w->type, w->entity_type, w->entity_id, w->project, r->message,
		       r->now, uuid) >= 0;
}

gboolean db_warning_raise(struct db *db, const struct db_warning *warning, const char *message,
			  const char *now, GError **error)
{
	struct raising raising = { warning, message, now };

	return db_transaction(db, raise_row, &raising, error);
}

gboolean db_warning_resolve(struct db *db, const struct db_warning *warning, const char *now,
			    GError **error)
{
	return db_run(
		db, error, NULL,
		"UPDATE warnings SET status = 3, updated_date = ?5 WHERE status <> 3 AND" SAME,
		"iiiss", warning->type, warning->entity_type, warning->entity_id, warning->project,
		now);
}

json_t *db_warnings(struct db *db, const char *uuid, const char *project, GError **error)
{
	return db_select(db, error,
			 "SELECT w.*, IFNULL(p.name, '') AS project FROM warnings w"
			 " LEFT JOIN projects p ON p.id = w.project_id"
			 " WHERE (?1 IS NULL OR w.uuid = ?1) AND"
			 " (?2 IS NULL OR p.name IS NULL OR p.name = ?2) ORDER BY w.uuid",
			 "ss", uuid, project);
}

gboolean db_warning_set_status(struct db *db, const char *uuid, gint64 status, const char *now,
			       gint64 *ret_changes, GError **error)
{
	return db_run(db, error, ret_changes,
		      "UPDATE warnings SET status = ?2, updated_date = ?3 WHERE uuid = ?1", "sis",
		      uuid, status, now);
}

gboolean db_warning_delete(struct db *db, const char *uuid, gint64 *ret_changes, GError **error)
{
	return db_run(db, error, ret_changes, "DELETE FROM warnings WHERE uuid = ?1", "s", uuid);
}

gboolean db_warning_forget(struct db *db, gint64 entity_type, gint64 entity_id, GError **error)
{
	return db_run(db, error, NULL,
		      "DELETE FROM warnings WHERE entity_type_code = ?1 AND entity_id = ?2", "ii",
		      entity_type, entity_id);
}

gboolean db_warning_prune(struct db *db, const char *before, GError **error)
{
	return db_run(db, error, NULL,
		      "DELETE FROM warnings WHERE status = 3 AND updated_date < ?1", "s", before);
}
