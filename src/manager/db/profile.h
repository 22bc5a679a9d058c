/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rows of profiles. PROJECT is the one that has them. */
#pragma once

#include "db/db.h"

/* Array of {"id", "name", "description"}; NAME NULL: all, by name. */
json_t *db_profiles(struct db *db, const char *project, const char *name, GError **error);

/* Configuration and devices added to the row, as "config" and "devices". */
gboolean db_profile_fill(struct db *db, json_t *row, GError **error);

gint64 db_profile_add(struct db *db, const char *project, const char *name, const char *description,
		      const json_t *config, const json_t *devices, GError **error);
gboolean db_profile_set(struct db *db, gint64 id, const char *description, const json_t *config,
			const json_t *devices, GError **error);
gboolean db_profile_rename(struct db *db, gint64 id, const char *name, GError **error);
gboolean db_profile_delete(struct db *db, gint64 id, GError **error);

/* Array of {"id", "name", "project"} of the instances that use it. */
json_t *db_profile_users(struct db *db, gint64 id, GError **error);
