/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The manager's errors: a GError of this domain carries the HTTP status that the client
 * gets as its code, and as its message the words that the client reads.
 * Every other domain's error is answered with 500.
 */
#pragma once

#include <glib.h>

#define MANAGER_ERROR (manager_error_quark())
GQuark manager_error_quark(void);

/*
 * Sets *error (which may be NULL) to STATUS (400, 403, 404, 409, 412, 500, 501, 503 ...) and
 * the formatted words. Returns FALSE, so that a function can end with `return fail(...)`.
 */
gboolean fail(GError **error, int status, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* Like fail(), from an errno: ENOENT is 404, EACCES and EPERM 403, EEXIST 409, others 500. */
gboolean fail_errno(GError **error, int code, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* The HTTP status that an error is answered with. */
int error_status(const GError *error);
