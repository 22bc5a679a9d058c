/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rows of the server's own configuration. */
#pragma once

#include "db/db.h"

json_t *db_server_config_get(struct db *db, GError **error);
gboolean db_server_config_put(struct db *db, const json_t *map, GError **error);
