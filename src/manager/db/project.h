/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rows of projects, and who is in them. */
#pragma once

#include "db/db.h"

/* Array of {"id", "name", "description"}; NAME NULL: all, by name. */
json_t *db_projects(struct db *db, const char *name, GError **error);

gint64 db_project_add(struct db *db, const char *name, const char *description,
		      const json_t *config, GError **error);
gboolean db_project_set(struct db *db, gint64 id, const char *description, const json_t *config,
			GError **error);
gboolean db_project_rename(struct db *db, gint64 id, const char *name, GError **error);
gboolean db_project_delete(struct db *db, gint64 id, GError **error);

/* Array of the URLs of all that is in it, without "?project=". */
json_t *db_project_users(struct db *db, gint64 id, GError **error);

/* How many instances of TYPE (0 container, 1 virtual machine) it has beside EXCEPT (or NULL). */
gint64 db_project_instances(struct db *db, gint64 id, int type, const char *except, GError **error);
