/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Values of configuration keys, one function for each kind. */
#include "core/config_values.h"

#include <string.h>

#include "util/error.h"
#include "util/json.h"
#include "util/units.h"
#include "util/yaml.h"

gboolean value_bool(const char *value, GError **error)
{
	return units_bool(value, NULL) ||
	       fail(error, 400, "Invalid value for a boolean \"%s\"", value);
}

gboolean value_int64(const char *value, GError **error)
{
	return units_int64(value, NULL) ||
	       fail(error, 400, "Invalid value for an integer \"%s\"", value);
}

gboolean value_uint32(const char *value, GError **error)
{
	gboolean digits = *value && !value[strspn(value, "0123456789")];

	return units_uint32(value, NULL) ||
	       fail(error, 400,
		    "Invalid value for uint32 \"%s\": strconv.ParseUint: parsing \"%s\": %s", value,
		    value, digits ? "value out of range" : "invalid syntax");
}

gboolean value_size(const char *value, GError **error)
{
	gint64 bytes;

	return units_size(value, &bytes, error);
}

gboolean value_uuid(const char *value, GError **error)
{
	return g_uuid_string_is_valid(value) || fail(error, 400, "Invalid UUID");
}

static const char *scalar_tag(const json_t *value)
{
	if (json_is_string(value))
		return "str";
	if (json_is_boolean(value))
		return "bool";
	return json_is_integer(value) ? "int" : "float";
}

/* Any YAML map, or nothing. */
gboolean value_yaml(const char *value, GError **error)
{
	g_autoptr(json_t) parsed = yaml_parse(value, strlen(value), YAML_TYPED, error);

	if (!parsed)
		return FALSE;
	if (json_is_object(parsed) || json_is_null(parsed))
		return TRUE;
	if (json_is_array(parsed))
		return fail(error, 400,
			    "yaml: unmarshal errors:\n  line 1: cannot unmarshal !!seq"
			    " into struct {}");
	return fail(
		error, 400,
		"yaml: unmarshal errors:\n  line 1: cannot unmarshal !!%s `%.20s` into struct {}",
		scalar_tag(parsed), json_is_string(parsed) ? json_string_value(parsed) : value);
}

gboolean value_cloud_config(const char *value, GError **error)
{
	return !g_str_has_prefix(value, "#cloud-config\n") || value_yaml(value, error);
}

static gboolean one_of(const char *value, const char *const *words, GError **error)
{
	g_autofree char *all = NULL;

	if (g_strv_contains(words, value))
		return TRUE;
	all = g_strjoinv(" ", (char **)words);
	return fail(error, 400, "Invalid value \"%s\" (not one of [%s])", value, all);
}

#define ONE_OF(value, error, ...) one_of(value, (const char *const[]){ __VA_ARGS__, NULL }, error)

gboolean value_compression(const char *value, GError **error)
{
	static const char *const names[] = { "none", "bzip2", "gzip",	  "lz4", "lzma",
					     "xz",   "zstd",  "squashfs", NULL };
	g_auto(GStrv) words = g_strsplit(value, " ", 2);

	if (!words[0] || !g_strv_contains(names, words[0]))
		return fail(error, 400, "Invalid compression algorithm \"%s\"",
			    words[0] ? words[0] : "");
	return TRUE;
}

gboolean value_architecture(const char *value, GError **error)
{
	return ONE_OF(value, error, "armv6l", "armv7l", "mips", "mips64", "riscv32", "i686",
		      "armv8l", "aarch64", "ppc", "x86_64", "ppc64le", "riscv64", "ppc64", "s390x");
}

/* --- of instances -------------------------------------------------------------------------- */

gboolean value_priority(const char *value, GError **error)
{
	gint64 number;

	if (!units_int64(value, &number))
		return fail(error, 400, "Invalid value for an integer \"%s\"", value);
	if (number < 0 || number > 10)
		return fail(error, 400,
			    "Invalid value for a limit \"%s\". Must be between 0 and 10", value);
	return TRUE;
}

/* Like the original's pattern, which does not ask whether the CPUs are there. */
gboolean value_cpu(const char *value, GError **error)
{
	const char *p = value;

	do {
		gsize digits = strspn(p, "0123456789");

		if (digits > 0 && p[digits] == '-') {
			p += digits + 1;
			digits = strspn(p, "0123456789");
		}
		if (digits == 0)
			return fail(error, 400, "Invalid CPU limit syntax");
		p += digits;
	} while (*p++ == ',');
	return !p[-1] || fail(error, 400, "Invalid CPU limit syntax");
}

gboolean value_allowance(const char *value, GError **error)
{
	struct units_allowance allowance;

	return units_allowance(value, &allowance, error);
}

gboolean value_memory(const char *value, GError **error)
{
	gsize len = strlen(value);
	g_autofree char *number = NULL;
	gint64 percent;

	if (!g_str_has_suffix(value, "%"))
		return value_size(value, error);
	number = g_strndup(value, len - 1);
	if (!units_int64(number, &percent))
		return fail(error, 400, "strconv.ParseInt: parsing \"%s\": invalid syntax", number);
	if (percent == 0)
		return fail(error, 400, "Memory limit can't be 0%%");
	return TRUE;
}

gboolean value_enforce(const char *value, GError **error)
{
	return ONE_OF(value, error, "soft", "hard");
}

gboolean value_evacuate(const char *value, GError **error)
{
	return ONE_OF(value, error, "auto", "migrate", "live-migrate", "stop");
}

/* "lxc.net.0.ipv4.gateway": only an interface's addresses may be given. */
static gboolean is_address_key(const char *key)
{
	g_auto(GStrv) parts = g_strsplit(key, ".", -1);

	if (g_strv_length(parts) != 5)
		return FALSE;
	return (!strcmp(parts[3], "ipv4") || !strcmp(parts[3], "ipv6")) &&
	       (!strcmp(parts[4], "address") || !strcmp(parts[4], "gateway"));
}

static gboolean check_lxc_key(const char *key, GError **error)
{
	if (!strcmp(key, "lxc.log.file") || !strcmp(key, "lxc.logfile"))
		return fail(error, 400, "Setting lxc.logfile is not allowed");
	if (!strcmp(key, "lxc.log.syslog") || !strcmp(key, "lxc.syslog"))
		return fail(error, 400, "Setting lxc.log.syslog is not allowed");
	if (!strcmp(key, "lxc.ephemeral"))
		return fail(error, 400, "Setting lxc.ephemeral is not allowed");
	if (g_str_has_prefix(key, "lxc.prlimit."))
		return fail(error, 400,
			    "Process limits should be set via \"limits.kernel.[limit name]\" and"
			    " not directly via \"lxc.prlimit.[limit name]\"");
	if (g_str_has_prefix(key, "lxc.net.") && !is_address_key(key))
		return fail(error, 400,
			    "Only interface-specific ipv4/ipv6 lxc.net. keys are allowed");
	return TRUE;
}

gboolean value_raw_lxc(const char *value, GError **error)
{
	g_auto(GStrv) lines = g_strsplit(value, "\n", -1);

	for (char **line = lines; *line; line++) {
		char *equals = strchr(*line, '=');
		g_autofree char *key = NULL;

		if (!**line || (*line)[strspn(*line, " \t")] == '#')
			continue;
		if (!equals)
			return fail(error, 400, "Invalid raw.lxc line: %s", *line);
		*equals = '\0';
		key = g_ascii_strdown(g_strstrip(*line), -1);
		if (!check_lxc_key(key, error))
			return FALSE;
	}
	return TRUE;
}

/* --- of projects ---------------------------------------------------------------------------- */

gboolean value_block_allow(const char *value, GError **error)
{
	return ONE_OF(value, error, "block", "allow");
}

gboolean value_managed(const char *value, GError **error)
{
	return ONE_OF(value, error, "block", "allow", "managed");
}

gboolean value_interception(const char *value, GError **error)
{
	return ONE_OF(value, error, "allow", "block", "full");
}

gboolean value_privilege(const char *value, GError **error)
{
	return ONE_OF(value, error, "allow", "unprivileged", "isolated");
}

static gboolean each_item(const char *value, gboolean (*check)(const char *, GError **),
			  GError **error)
{
	g_auto(GStrv) items = g_strsplit(value, ",", -1);

	for (char **item = items; *item; item++) {
		if (!check(g_strstrip(*item), error)) {
			g_prefix_error(error, "Item \"%s\": ", *item);
			return FALSE;
		}
	}
	return TRUE;
}

static gboolean check_path(const char *item, GError **error)
{
	return *item == '/' || fail(error, 400, "Must be absolute file path");
}

gboolean value_paths(const char *value, GError **error)
{
	return each_item(value, check_path, error);
}

static gboolean check_id_range(const char *item, GError **error)
{
	g_auto(GStrv) ends = g_strsplit(item, "-", 2);
	guint32 from, to;

	if (!units_uint32(ends[0] ? ends[0] : "", &from))
		return fail(error, 400, "Invalid number \"%s\"", item);
	if (!ends[1])
		return TRUE;
	if (!units_uint32(ends[1], &to))
		return fail(error, 400, "Invalid number \"%s\"", ends[1]);
	return to >= from || fail(error, 400, "Invalid range \"%s\"", item);
}

gboolean value_id_ranges(const char *value, GError **error)
{
	return each_item(value, check_id_range, error);
}

/* --- of the server ---------------------------------------------------------------------------- */

gboolean value_server_bool(const char *value, GError **error)
{
	return units_bool(value, NULL) || fail(error, 400, "invalid boolean");
}

gboolean value_server_int(const char *value, GError **error)
{
	return units_int64(value, NULL) || fail(error, 400, "invalid integer");
}

gboolean value_pool_volume(const char *value, GError **error)
{
	const char *slash = strchr(value, '/');

	if (!slash || slash == value || !slash[1] || strchr(slash + 1, '/'))
		return fail(error, 400, "Invalid syntax for volume, must be <pool>/<volume>");
	return TRUE;
}
