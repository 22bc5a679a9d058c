/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the daemon keeps its files. */
#include "daemon.h"

char *daemon_path(const struct daemon *daemon, const char *first, ...)
{
	g_autoptr(GString) path = g_string_new(daemon->dir);
	va_list args;

	va_start(args, first);
	for (const char *part = first; part; part = va_arg(args, const char *)) {
		g_string_append_c(path, '/');
		g_string_append(path, part);
	}
	va_end(args);
	return g_string_free(g_steal_pointer(&path), FALSE);
}
