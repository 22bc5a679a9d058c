/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Images of instances and of their snapshots. */
#pragma once

#include "core/instance.h"
#include "core/operation.h"

/*
 * Makes an image in PROJECT of SOURCE, a snapshot or an instance that is stopped, as BODY of POST
 * /1.0/images says: properties, public, expires_at, compression_algorithm, aliases, profiles,
 * filename. Returns the fingerprint; g_free.
 */
char *publish_instance(struct instance *source, const char *project, const json_t *body,
		       struct operation *op, GError **error);
