/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A description of how a server is to be: applied to a daemon, or read from one. */
#pragma once

#include <jansson.h>

#include "util/error.h"

/*
 * Applies {"config", "networks", "storage_pools", "profiles", "projects"}, each of which may be
 * absent. What exists is added to. After an error what was done is undone.
 */
gboolean preseed_apply(const json_t *preseed, GError **error);

/* The same of the running daemon. */
json_t *preseed_read(GError **error);
