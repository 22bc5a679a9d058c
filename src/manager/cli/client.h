/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A REST client of the daemon's unix socket: one connection for each request. */
#pragma once

#include <jansson.h>

#include "util/error.h"
#include "util/json.h"

/*
 * Asks and gives the metadata of the answer; an operation is waited for, and its metadata given.
 * BODY (borrowed) may be NULL. An error of the daemon has its status and words; without a daemon it
 * is one of G_IO_ERROR.
 */
json_t *client_ask(const char *method, const char *path, const json_t *body, GError **error);

/* Whether ERROR says that there is no daemon. */
gboolean client_no_daemon(const GError *error);
