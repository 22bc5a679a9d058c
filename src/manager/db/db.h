/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The database: one SQLite file in WAL mode, opened once, used by any thread. Tables and columns
 * are named as LXD 5.0's for what exists here (schema.sql), so that users of `lxd sql` know them.
 */
#pragma once

#include <glib.h>
#include <jansson.h>

struct db;

/*
 * Opens PATH ("" for a new one in memory), brings it to the newest schema by the numbered
 * migrations in schema.c, after a copy to PATH.bak.N when there is something to migrate.
 * A file of a newer schema is refused.
 */
struct db *db_open(const char *path, GError **error);
void db_close(struct db *db);

/*
 * TYPES has a letter for each argument that follows it, which are bound to ?1, ?2 ...:
 * s const char * (NULL: SQL's null), i gint64, b int (boolean). "" for none.
 */

/* The rows as an array of objects by column name: integers, reals, strings or null. */
json_t *db_select(struct db *db, GError **error, const char *sql, const char *types, ...);

/* The first row as an object, or NULL: with no error set when there is none. */
json_t *db_row(struct db *db, GError **error, const char *sql, const char *types, ...);

/* Runs one statement without rows; *ret_changes (may be NULL) is how many rows it changed. */
gboolean db_run(struct db *db, GError **error, gint64 *ret_changes, const char *sql,
		const char *types, ...);

/* Runs an INSERT and returns the new row's id, or -1. A broken UNIQUE is 409. */
gint64 db_insert(struct db *db, GError **error, const char *sql, const char *types, ...);

/*
 * Runs WORK with the database locked and everything in it as one transaction: all of it is kept
 * when it returns TRUE, nothing when FALSE. Other threads wait. Nests (savepoints).
 */
typedef gboolean (*db_work)(struct db *db, void *data, GError **error);
gboolean db_transaction(struct db *db, db_work work, void *data, GError **error);

/*
 * Configurations live in tables "<owner>_id, key, value". These read one as a map and replace
 * it by a map. TABLE and OWNER are constants of the program, as in ("profiles_config",
 * "profile_id").
 */
json_t *db_config_get(struct db *db, const char *table, const char *owner, gint64 id,
		      GError **error);
gboolean db_config_put(struct db *db, const char *table, const char *owner, gint64 id,
		       const json_t *map, GError **error);

/*
 * Devices live in PREFIX_devices (id, <owner>_id, name, type) and PREFIX_devices_config
 * (PREFIX_device_id, key, value): ("instances", "instance"), ("profiles", "profile") ...
 */
json_t *db_devices_get(struct db *db, const char *prefix, const char *owner, gint64 id,
		       GError **error);
gboolean db_devices_put(struct db *db, const char *prefix, const char *owner, gint64 id,
			const json_t *devices, GError **error);

/* SQL as a user typed it: the results as GET and POST /internal/sql have them. */
json_t *db_user_query(struct db *db, const char *sql, GError **error);
char *db_dump(struct db *db, gboolean schema_only, GError **error);
