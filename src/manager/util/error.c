/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Errors that carry the HTTP status they are answered with. */
#include "util/error.h"

#include <errno.h>

GQuark manager_error_quark(void)
{
	return g_quark_from_static_string("manager-error");
}

gboolean fail(GError **error, int status, const char *format, ...)
{
	va_list args;

	if (!error)
		return FALSE;
	va_start(args, format);
	*error = g_error_new_valist(MANAGER_ERROR, status, format, args);
	va_end(args);
	return FALSE;
}

static int status_of(int code)
{
	switch (code) {
	case ENOENT:
		return 404;
	case EACCES:
	case EPERM:
		return 403;
	case EEXIST:
		return 409;
	default:
		return 500;
	}
}

gboolean fail_errno(GError **error, int code, const char *format, ...)
{
	va_list args;

	if (!error)
		return FALSE;
	va_start(args, format);
	g_autofree char *what = g_strdup_vprintf(format, args);
	va_end(args);
	return fail(error, status_of(code), "%s: %s", what, g_strerror(code));
}

int error_status(const GError *error)
{
	return error && error->domain == MANAGER_ERROR ? error->code : 500;
}
