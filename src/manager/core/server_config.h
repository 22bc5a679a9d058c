/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The server's configuration: the map "config" of /1.0. */
#pragma once

#include "core/event.h"
#include "daemon.h"
#include "db/db.h"

/* The values that are set, for the daemon's own use; free with json_decref. */
json_t *server_config_get(struct db *db, GError **error);

/* The same as clients see it: secrets are true. */
json_t *server_config_show(struct db *db, GError **error);

/* One value, with its default ("" when it has none); free with g_free. */
char *server_config_value(struct db *db, const char *key);

/*
 * Replaces it (PATCH: adds to it) by what a client sent: values may be strings, numbers and
 * booleans; true of a secret leaves it. 400 with the original's words.
 * *ret_changed (may be NULL): array of the keys that differ now.
 */
gboolean server_config_update(struct daemon *daemon, const json_t *config, gboolean patch,
			      const struct requestor *who, json_t **ret_changed, GError **error);
