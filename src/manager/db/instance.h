/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The rows of instances and of their snapshots. A row is {"id", "name", "project", "type",
 * "architecture" (LXD's number), "ephemeral", "stateful", "creation_date", "last_use_date",
 * "description", "expiry_date"}, a snapshot's has "instance_id", "instance", too; dates are as the
 * tables have them: see db_time_read().
 */
#pragma once

#include "db/db.h"

enum { DB_INSTANCE_CONTAINER = 0, DB_INSTANCE_VM = 1 };

/* What is written of one; strings may be NULL where the column may. */
struct db_instance {
	const char *name, *description;
	int architecture;
	gboolean ephemeral, stateful;
	const char *created, *last_used, *expires; /* as the tables have them; NULL: none */
	const json_t *config, *devices;		   /* NULL: left as they are */
	const json_t *profiles;			   /* array of names; NULL: left as they are */
};

/* One row, or NULL: without an error when there is none. */
json_t *db_instance_row(struct db *db, const char *project, const char *name, GError **error);
json_t *db_instance_row_by_id(struct db *db, gint64 id, GError **error);

/* All of PROJECT (NULL: of all), by project and name. */
json_t *db_instance_rows(struct db *db, const char *project, GError **error);

/* The names of an instance's profiles in the order in which they apply. */
json_t *db_instance_profiles(struct db *db, gint64 id, GError **error);

/* {"ID": map} for all of PROJECT (NULL: of all); absent where a map would be empty. */
json_t *db_instance_configs(struct db *db, const char *project, GError **error);
/* {"ID": devices} and {"ID": [profiles]} likewise. */
json_t *db_instance_all_devices(struct db *db, const char *project, GError **error);
json_t *db_instance_all_profiles(struct db *db, const char *project, GError **error);

/* The new row's id with config, devices and profiles, or -1; 409 when the name is taken. */
gint64 db_instance_insert(struct db *db, const char *project, const struct db_instance *inst,
			  GError **error);
/* Replaces all but name and dates of creation and use. PROJECT is the instance's. */
gboolean db_instance_update(struct db *db, gint64 id, const char *project,
			    const struct db_instance *inst, GError **error);
gboolean db_instance_rename(struct db *db, gint64 id, const char *name, GError **error);
/* The same with another project, by its row's id. */
gboolean db_instance_move(struct db *db, gint64 id, gint64 project, const char *name,
			  GError **error);
gboolean db_instance_delete(struct db *db, gint64 id, GError **error);
gboolean db_instance_used(struct db *db, gint64 id, const char *when, GError **error);

/* Sets one key of instances_config; VALUE NULL or "" takes it away. */
gboolean db_instance_set(struct db *db, gint64 id, const char *key, const char *value,
			 GError **error);

/* {"ID": value} of one key of all instances of this host. */
json_t *db_instance_values(struct db *db, const char *key, GError **error);

/* Who has PROFILE: [{"name", "project"}]; PROJECT is the profile's. */
json_t *db_instance_of_profile(struct db *db, const char *project, const char *profile,
			       GError **error);

/* --- snapshots ------------------------------------------------------------------------ */

json_t *db_snapshot_row(struct db *db, const char *project, const char *name, const char *snapshot,
			GError **error);
/* Of one instance in the order in which they were made. */
json_t *db_snapshot_rows(struct db *db, gint64 instance, GError **error);
/* Those of all instances of PROJECT (NULL: of all), by instance. */
json_t *db_snapshot_rows_all(struct db *db, const char *project, GError **error);
/* The id of the instance that a snapshot is of; -1. */
gint64 db_snapshot_instance(struct db *db, gint64 id, GError **error);
/* Those that expire before NOW (as the table has it): {"name", "instance", "project"}. */
json_t *db_snapshots_expired(struct db *db, const char *now, GError **error);
/* Whether a snapshot or a backup expires before NOW; whether anybody has a schedule. Short. */
gboolean db_any_expired(struct db *db, const char *now);
gboolean db_any_scheduled(struct db *db);
gint64 db_snapshot_insert(struct db *db, gint64 instance, const struct db_instance *snapshot,
			  GError **error);
gboolean db_snapshot_update(struct db *db, gint64 id, const struct db_instance *snapshot,
			    GError **error);
gboolean db_snapshot_rename(struct db *db, gint64 id, const char *name, GError **error);
gboolean db_snapshot_delete(struct db *db, gint64 id, GError **error);

/* Rows of backups of an instance: [{"id", "name", "creation_date", "expiry_date", ...}]. */
json_t *db_instance_backups(struct db *db, gint64 instance, GError **error);

/* --- how the tables write things ------------------------------------------------------ */

/* RFC 3339 to "2026-11-23 06:17:44.8+00:00" and back; NULL stays NULL. Free with g_free. */
char *db_time_write(const char *rfc3339);
char *db_time_read(const char *column);

/* "x86_64" to LXD's number and back; 0 and NULL for what is unknown. */
int db_architecture(const char *name);
const char *db_architecture_name(int number);
