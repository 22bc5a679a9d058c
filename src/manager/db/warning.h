/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rows of warnings. Entity and ids are -1 for none. */
#pragma once

#include "db/db.h"

struct db_warning {
	const char *project; /* NULL: of none */
	gint64 entity_type, entity_id, type;
};

enum db_warning_status { DB_WARNING_NEW = 1, DB_WARNING_ACKNOWLEDGED = 2, DB_WARNING_RESOLVED = 3 };

/* NOW as the API writes moments. */
gboolean db_warning_raise(struct db *db, const struct db_warning *warning, const char *message,
			  const char *now, GError **error);
gboolean db_warning_resolve(struct db *db, const struct db_warning *warning, const char *now,
			    GError **error);
/* All columns and "project"; of one uuid, or of one project, or all. */
json_t *db_warnings(struct db *db, const char *uuid, const char *project, GError **error);
gboolean db_warning_set_status(struct db *db, const char *uuid, gint64 status, const char *now,
			       gint64 *ret_changes, GError **error);
gboolean db_warning_delete(struct db *db, const char *uuid, gint64 *ret_changes, GError **error);
gboolean db_warning_forget(struct db *db, gint64 entity_type, gint64 entity_id, GError **error);
/* Those resolved before BEFORE. */
gboolean db_warning_prune(struct db *db, const char *before, GError **error);
