/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Projects: which objects each has of its own, how much of the host it may use, and what for. */
#pragma once

#include "core/event.h"
#include "daemon.h"
#include "db/db.h"

#define PROJECT_DEFAULT "default"

/* All as the API shows them, or one (404 "Project not found"). */
json_t *project_list(struct db *db, GError **error);
json_t *project_show(struct db *db, const char *name, GError **error);
/* {"resources": {"containers": {"Limit": -1, "Usage": 0}, ...}} */
json_t *project_show_state(struct db *db, const char *name, GError **error);

gboolean project_create(struct daemon *daemon, const json_t *body, const struct requestor *who,
			GError **error);
gboolean project_update(struct daemon *daemon, const char *name, const json_t *wanted,
			const struct requestor *who, GError **error);
gboolean project_rename(struct daemon *daemon, const char *name, const char *to,
			const struct requestor *who, GError **error);
gboolean project_delete(struct daemon *daemon, const char *name, const struct requestor *who,
			GError **error);

/* Its row's id; -1: 404. */
gint64 project_id(struct db *db, const char *name, GError **error);

/* Its configuration; 404. */
json_t *project_config(struct db *db, const char *name, GError **error);

/*
 * Whose images, profiles, custom volumes, networks the instances of NAME use: NAME's own or
 * "default"'s. NULL: 404 'Failed loading project "x": Project not found'. Free with g_free.
 */
char *project_of_images(struct db *db, const char *name, GError **error);
char *project_of_profiles(struct db *db, const char *name, GError **error);
char *project_of_volumes(struct db *db, const char *name, GError **error);
char *project_of_networks(struct db *db, const char *name, GError **error);

/* How the host names what is NAME's in PROJECT: NAME, or PROJECT_NAME outside "default". */
char *project_prefix(const char *project, const char *name);

/*
 * Whether PROJECT's limits and restrictions allow an instance with this expanded configuration
 * beside the others that it has: as a new one when it has no INSTANCE yet, else as a change of
 * that. The messages are whole; 500, as the original has it.
 */
gboolean project_check_instance(struct db *db, const char *project, const char *instance,
				const json_t *expanded_config, const json_t *expanded_devices,
				GError **error);

/* The same of all instances that use PROFILE, a profile of PROJECT's, when it becomes this. */
gboolean project_check_profile(struct db *db, const char *project, const char *profile,
			       const json_t *config, const json_t *devices, GError **error);

/* Whether the instances of PROJECT fit into NEW, a configuration that it is to get. */
gboolean project_check_limits(struct db *db, const char *project, const json_t *new,
			      GError **error);

/* Whether snapshots and backups may be made. */
gboolean project_check_snapshots(struct db *db, const char *project, GError **error);
gboolean project_check_backups(struct db *db, const char *project, GError **error);

/* Whether a custom volume of SIZE bytes (0: none given) may be made. */
gboolean project_check_volume(struct db *db, const char *project, gint64 size, GError **error);
