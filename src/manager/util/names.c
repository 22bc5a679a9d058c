/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names of objects. Those that become files, host names or SQL values have to be plain. */
#include "util/names.h"

#include <string.h>

#include "util/error.h"

#define NAME_MAX_LEN 63 /* a label's of the DNS */

static gboolean is_dots(const char *name)
{
	return !strcmp(name, ".") || !strcmp(name, "..");
}

static gboolean has_space(const char *name)
{
	for (; *name; name++)
		if (g_ascii_isspace(*name) || *name == '\v')
			return TRUE;
	return FALSE;
}

static const char *hostname_problem(const char *name)
{
	gsize len = strlen(name);

	if (len < 1 || len > NAME_MAX_LEN)
		return "Name must be 1-63 characters long";
	if (name[0] == '-')
		return "Name must not start with \"-\" character";
	if (g_ascii_isdigit(name[0]))
		return "Name must not start with a number";
	if (name[len - 1] == '-')
		return "Name must not end with \"-\" character";
	for (; *name; name++)
		if (!g_ascii_isalnum(*name) && *name != '-')
			return "Name can only contain alphanumeric and hyphen characters";
	return NULL;
}

gboolean name_check_instance(const char *name, GError **error)
{
	const char *problem;

	if (!*name)
		return fail(error, 400, "No name provided");
	if (strchr(name, '/'))
		return fail(error, 400, "The character \"/\" is reserved for snapshots");
	problem = hostname_problem(name);
	if (problem)
		return fail(error, 400, "Invalid instance name: %s", problem);
	return TRUE;
}

gboolean name_check_snapshot(const char *name, GError **error)
{
	if (!*name)
		return fail(error, 400, "No name provided");
	if (strlen(name) > 255 - NAME_MAX_LEN)
		return fail(error, 400, "Snapshot names may not be longer than %d characters",
			    255 - NAME_MAX_LEN);
	if (strchr(name, '/'))
		return fail(error, 400, "Snapshot names may not contain slashes");
	if (has_space(name))
		return fail(error, 400, "Snapshot names may not contain spaces");
	if (is_dots(name))
		return fail(error, 400, "Invalid snapshot name \"%s\"", name);
	return TRUE;
}

gboolean name_check_profile(const char *name, GError **error)
{
	if (!*name)
		return fail(error, 400, "No name provided");
	if (strchr(name, '/'))
		return fail(error, 400, "Profile names may not contain slashes");
	if (is_dots(name))
		return fail(error, 400, "Invalid profile name \"%s\"", name);
	return TRUE;
}

gboolean name_check_project(const char *name, GError **error)
{
	if (!*name)
		return fail(error, 400, "No name provided");
	if (strchr(name, '/'))
		return fail(error, 400, "Project names may not contain slashes");
	if (strchr(name, ' '))
		return fail(error, 400, "Project names may not contain spaces");
	if (strchr(name, '_'))
		return fail(error, 400, "Project names may not contain underscores");
	if (strpbrk(name, "'\""))
		return fail(error, 400, "Project names may not contain quotes");
	if (!strcmp(name, "*"))
		return fail(error, 400, "Reserved project name");
	if (is_dots(name))
		return fail(error, 400, "Invalid project name \"%s\"", name);
	return TRUE;
}

gboolean name_check_device(const char *name, GError **error)
{
	gsize len = strlen(name);

	if (len > NAME_MAX_LEN + 1)
		return fail(error, 400, "The maximum device name length is 64 characters");
	if (len < 1 || len > NAME_MAX_LEN)
		return fail(error, 400, "Name must be 1-63 characters long");
	if (name[0] == '.')
		return fail(error, 400, "Name must not start with \".\" character");
	for (; *name; name++)
		if (!g_ascii_isalnum(*name) && !strchr("/-:_.", *name))
			return fail(error, 400,
				    "Name can only contain alphanumeric, forward slash, hyphen,"
				    " colon, underscore and full stop characters");
	return TRUE;
}

gboolean name_check_pool(const char *name, GError **error)
{
	if (!*name)
		return fail(error, 400, "No name provided");
	if (strchr(name, '/'))
		return fail(error, 400, "Storage pool names may not contain slashes");
	if (has_space(name))
		return fail(error, 400, "Storage name cannot contain white space");
	if (is_dots(name)) /* it becomes a directory's */
		return fail(error, 400, "Invalid storage pool name \"%s\"", name);
	return TRUE;
}

gboolean name_check_volume(const char *name, GError **error)
{
	if (!*name)
		return fail(error, 400, "No name provided");
	if (strchr(name, '/'))
		return fail(error, 400, "Storage volume names may not contain slashes");
	if (has_space(name))
		return fail(error, 400, "Invalid volume name: Name cannot contain white space");
	if (is_dots(name) || strlen(name) > 255)
		return fail(error, 400, "Invalid volume name \"%s\"", name);
	return TRUE;
}

gboolean name_check_interface(const char *name, GError **error)
{
	gsize len = strlen(name);

	if (len < 2)
		return fail(error, 400, "Network interface is too short (minimum 2 characters)");
	if (len > 15)
		return fail(error, 400, "Network interface is too long (maximum 15 characters)");
	if (is_dots(name))
		return fail(error, 400, "Network interface name \"%s\" is reserved", name);
	for (; *name; name++)
		if (!g_ascii_isalnum(*name) && !strchr("-_:.", *name))
			return fail(error, 400, "Network interface contains invalid characters");
	return TRUE;
}
