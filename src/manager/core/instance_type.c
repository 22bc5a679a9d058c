/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sizes of instances by name. */
#include "core/instance_type.h"

#include <math.h>
#include <string.h>

#include "util/error.h"
#include "util/json.h"

struct size {
	double cpus, gigabytes; /* 0: not given */
};

/* "c1.5" or "m0.5" */
static gboolean parse_part(const char *part, struct size *size)
{
	char *end;
	double value = *part ? g_ascii_strtod(part + 1, &end) : 0;

	if (!*part || !g_ascii_isdigit(part[1]) || *end || !(value > 0) || value > 100000)
		return FALSE;
	if (*part == 'c')
		size->cpus = value;
	else if (*part == 'm')
		size->gigabytes = value;
	else
		return FALSE;
	return TRUE;
}

static void set_unless(json_t *config, const char *key, char *value)
{
	if (!*json_text(config, key))
		json_map_set(config, key, value);
	g_free(value);
}

static void apply(const struct size *size, json_t *config)
{
	int cpus = (int)ceil(size->cpus);

	if (size->cpus > 0 && !*json_text(config, "limits.cpu")) {
		set_unless(config, "limits.cpu", g_strdup_printf("%d", cpus));
		if (size->cpus < cpus)
			set_unless(config, "limits.cpu.allowance",
				   g_strdup_printf("%d%%", (int)(size->cpus / cpus * 100)));
	}
	if (size->gigabytes > 0)
		set_unless(config, "limits.memory",
			   g_strdup_printf("%dMB", (int)(size->gigabytes * 1024)));
}

gboolean instance_type_apply(const char *type, json_t *config, GError **error)
{
	const char *name = strchr(type, ':') ? strchr(type, ':') + 1 : type;
	g_auto(GStrv) parts = g_strsplit(name, "-", 3);
	struct size size = { 0 };

	for (char **part = parts; *part; part++)
		if (!parse_part(*part, &size))
			return fail(error, 400, "Provided instance type doesn't exist: %s", type);
	if (!*name)
		return fail(error, 400, "Provided instance type doesn't exist: %s", type);
	apply(&size, config);
	return TRUE;
}
