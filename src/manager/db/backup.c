/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SQL of backups. */
#include "db/backup.h"

#define WITH_INSTANCE                                                                         \
	"SELECT b.name AS name, b.instance_id AS instance_id, i.name AS instance, p.name AS " \
	"project"                                                                             \
	" FROM instances_backups b JOIN instances i ON i.id = b.instance_id"                  \
	" JOIN projects p ON p.id = i.project_id"

json_t *db_backup_row(struct db *db, gint64 instance, const char *name, GError **error)
{
	return db_row(db, error,
		      "SELECT id, name, creation_date, expiry_date, container_only,"
		      " optimized_storage FROM instances_backups"
		      " WHERE instance_id = ?1 AND name = ?2",
		      "is", instance, name);
}

json_t *db_backups_expired(struct db *db, const char *now, GError **error)
{
	return db_select(db, error,
			 WITH_INSTANCE " WHERE b.expiry_date IS NOT NULL AND b.expiry_date < ?1",
			 "s", now);
}

json_t *db_backups(struct db *db, GError **error)
{
	return db_select(db, error, WITH_INSTANCE, "");
}

gint64 db_backup_insert(struct db *db, gint64 instance, const struct db_backup *backup,
			GError **error)
{
	return db_insert(db, error,
			 "INSERT INTO instances_backups (instance_id, name, creation_date,"
			 " expiry_date, container_only, optimized_storage)"
			 " VALUES (?1, ?2, ?3, ?4, ?5, 0)",
			 "isssb", instance, backup->name, backup->created, backup->expires,
			 backup->instance_only);
}

gboolean db_backup_rename(struct db *db, gint64 id, const char *name, GError **error)
{
	return db_run(db, error, NULL, "UPDATE instances_backups SET name = ?2 WHERE id = ?1", "is",
		      id, name);
}

gboolean db_backup_delete(struct db *db, gint64 id, GError **error)
{
	return db_run(db, error, NULL, "DELETE FROM instances_backups WHERE id = ?1", "i", id);
}

gboolean db_backups_follow(struct db *db, gint64 instance, const char *name, GError **error)
{
	return db_run(db, error, NULL,
		      "UPDATE instances_backups SET name = ?2 || substr(name, instr(name, '/'))"
		      " WHERE instance_id = ?1",
		      "is", instance, name);
}
