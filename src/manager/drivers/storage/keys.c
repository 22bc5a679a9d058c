/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Values of storage configuration keys: sizes, truths. */
#include <string.h>

#include "drivers/storage/drivers.h"
#include "util/error.h"

static const struct {
	const char *suffix;
	guint64 factor;
} units[] = {
	{ "", 1 }, { "B", 1 }, { "bytes", 1 },
	{ "kB", 1000 }, { "MB", 1000000 }, { "GB", 1000000000 },
	{ "TB", 1000000000000 }, { "PB", 1000000000000000 }, { "EB", 1000000000000000000 },
	{ "KiB", 1ULL << 10 }, { "MiB", 1ULL << 20 }, { "GiB", 1ULL << 30 },
	{ "TiB", 1ULL << 40 }, { "PiB", 1ULL << 50 }, { "EiB", 1ULL << 60 },
};

gboolean storage_size(const char *text, guint64 *ret, GError **error)
{
	guint64 number;
	char *end;

	if (!*text) {
		*ret = 0;
		return TRUE;
	}
	if (!g_ascii_isdigit(*text))
		return fail(error, 400, "Invalid value: %s", text);
	number = g_ascii_strtoull(text, &end, 10);
	while (*end == ' ')
		end++;
	for (gsize i = 0; i < G_N_ELEMENTS(units); i++)
		if (strcmp(end, units[i].suffix) == 0) {
			if (number > (guint64)G_MAXINT64 / units[i].factor)
				return fail(error, 400, "Integer overflow: %s", text);
			*ret = number * units[i].factor;
			return TRUE;
		}
	return fail(error, 400, "Invalid value: %s", text);
}

gboolean storage_check_size(const char *value, GError **error)
{
	guint64 size;

	return storage_size(value, &size, error);
}

gboolean storage_check_bool(const char *value, GError **error)
{
	static const char *const words[] = { "true", "false", "1", "0", "yes", "no", "on", "off",
					     "" };

	for (gsize i = 0; i < G_N_ELEMENTS(words); i++)
		if (g_ascii_strcasecmp(value, words[i]) == 0)
			return TRUE;
	return fail(error, 400, "Invalid value for a boolean \"%s\"", value);
}
