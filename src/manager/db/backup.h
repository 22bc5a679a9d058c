/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rows of instances' backups, whose names are "INSTANCE/BACKUP" there and here. */
#pragma once

#include "db/db.h"

struct db_backup {
	const char *name, *created, *expires; /* dates as the table has them; expires may be NULL */
	gboolean instance_only;
};

/* {"id", "name", "creation_date", "expiry_date", "container_only", ...} or NULL without an error.
 */
json_t *db_backup_row(struct db *db, gint64 instance, const char *name, GError **error);

/* Those that expire before NOW (as the table has it): {"name", "instance", "project"}. */
json_t *db_backups_expired(struct db *db, const char *now, GError **error);

/* All of them: {"name", "instance", "instance_id", "project"}. */
json_t *db_backups(struct db *db, GError **error);

gint64 db_backup_insert(struct db *db, gint64 instance, const struct db_backup *backup,
			GError **error);
gboolean db_backup_rename(struct db *db, gint64 id, const char *name, GError **error);
gboolean db_backup_delete(struct db *db, gint64 id, GError **error);

/* All of an instance's when it gets the name NAME. */
gboolean db_backups_follow(struct db *db, gint64 instance, const char *name, GError **error);
