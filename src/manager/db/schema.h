/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The schema as numbered migrations: the first makes all the tables, each later one changes them.
 */
#pragma once

#include "db/db.h"

/* SQL that brings version N to N + 1, at index N. */
extern const char *const schema_migrations[];
extern const unsigned schema_newest;

/* db_open() with other migrations, for tests. */
struct db *db_open_migrations(const char *path, const char *const *migrations, unsigned newest,
			      GError **error);
