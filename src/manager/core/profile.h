/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Profiles: configuration and devices that instances share. PROJECT is always the one that was
 * asked for; project_of_profiles() is applied here.
 */
#pragma once

#include "core/event.h"
#include "daemon.h"
#include "db/db.h"

/* All of the project as the API shows them, or one (404). */
json_t *profile_list(struct db *db, const char *project, GError **error);
json_t *profile_show(struct db *db, const char *project, const char *name, GError **error);

/* BODY: {"name", "description", "config", "devices"}. */
gboolean profile_create(struct daemon *daemon, const char *project, const json_t *body,
			const struct requestor *who, GError **error);

/*
 * Replaces what a client can write by WANTED, in the rows and then in what its users run with: a
 * failure of one of those keeps neither the profile nor the other users from changing.
 */
gboolean profile_update(struct daemon *daemon, const char *project, const char *name,
			const json_t *wanted, const struct requestor *who, GError **error);

gboolean profile_rename(struct daemon *daemon, const char *project, const char *name,
			const char *to, const struct requestor *who, GError **error);
gboolean profile_delete(struct daemon *daemon, const char *project, const char *name,
			const struct requestor *who, GError **error);

/* Checks config and devices as those of a profile. */
gboolean profile_check(struct db *db, const char *project, const json_t *config,
		       const json_t *devices, GError **error);

/* 404 'Profile not found' for the first name of the array NAMES that is none of the project. */
gboolean profile_check_names(struct db *db, const char *project, const json_t *names,
			     GError **error);

/* Its row's id in the project whose profiles are used; -1: 404. */
gint64 profile_id(struct db *db, const char *project, const char *name, GError **error);

/*
 * What an instance of PROJECT runs with: the profiles NAMES (an array) in order, then its own
 * CONFIG and DEVICES (may be NULL). A device replaces one of the same name as a whole.
 */
gboolean profile_expand(struct db *db, const char *project, const json_t *names,
			const json_t *config, const json_t *devices, json_t **ret_config,
			json_t **ret_devices, GError **error);
