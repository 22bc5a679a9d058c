/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Numbers with units, read without ever overflowing. */
#include "util/units.h"

#include <string.h>

#include "util/error.h"

struct unit {
	const char *suffix;
	gint64 factor;
};

static const struct unit byte_units[] = {
	{ "", 1 },
	{ "B", 1 },
	{ " bytes", 1 },
	{ "kB", 1000 },
	{ "MB", 1000000 },
	{ "GB", 1000000000 },
	{ "TB", 1000000000000 },
	{ "PB", 1000000000000000 },
	{ "EB", 1000000000000000000 },
	{ "KiB", 1LL << 10 },
	{ "MiB", 1LL << 20 },
	{ "GiB", 1LL << 30 },
	{ "TiB", 1LL << 40 },
	{ "PiB", 1LL << 50 },
	{ "EiB", 1LL << 60 },
	{ NULL, 0 },
};

static const struct unit bit_units[] = {
	{ "", 1 },
	{ "bit", 1 },
	{ "kbit", 1000 },
	{ "Mbit", 1000000 },
	{ "Gbit", 1000000000 },
	{ "Tbit", 1000000000000 },
	{ "Pbit", 1000000000000000 },
	{ "Ebit", 1000000000000000000 },
	{ "Kibit", 1LL << 10 },
	{ "Mibit", 1LL << 20 },
	{ "Gibit", 1LL << 30 },
	{ "Tibit", 1LL << 40 },
	{ "Pibit", 1LL << 50 },
	{ "Eibit", 1LL << 60 },
	{ NULL, 0 },
};

static gboolean with_unit(const char *text, const struct unit *units, gint64 *ret, GError **error)
{
	gsize digits = strspn(text, "0123456789");
	g_autofree char *number = g_strndup(text, digits);
	gint64 value, product;

	if (!*text) {
		*ret = 0;
		return TRUE;
	}
	while (units->suffix && strcmp(units->suffix, text + digits))
		units++;
	if (digits == 0 || !units->suffix)
		return fail(error, 400, "Invalid value: %s", text);
	if (!units_int64(number, &value))
		return fail(error, 400, "Invalid integer: %s", text);
	if (__builtin_mul_overflow(value, units->factor, &product))
		return fail(error, 400,
			    "Overflow multiplying %" G_GINT64_FORMAT " with %" G_GINT64_FORMAT,
			    value, units->factor);
	*ret = product;
	return TRUE;
}

gboolean units_size(const char *text, gint64 *ret, GError **error)
{
	return with_unit(text, byte_units, ret, error);
}

gboolean units_bits(const char *text, gint64 *ret, GError **error)
{
	return with_unit(text, bit_units, ret, error);
}

gboolean units_percent(const char *text, int *ret)
{
	gsize len = strlen(text);
	g_autofree char *number = NULL;
	gint64 value;

	if (len < 2 || text[len - 1] != '%')
		return FALSE;
	number = g_strndup(text, len - 1);
	if (!units_int64(number, &value) || value < G_MININT || value > G_MAXINT)
		return FALSE;
	if (ret)
		*ret = (int)value;
	return TRUE;
}

gboolean units_size_or_percent(const char *text, gint64 whole, gint64 *ret, GError **error)
{
	int percent;

	if (!g_str_has_suffix(text, "%"))
		return units_size(text, ret, error);
	if (!units_percent(text, &percent))
		return fail(error, 400, "Invalid value: %s", text);
	if (percent < 0 || whole < 0 || __builtin_mul_overflow(whole / 100, (gint64)percent, ret) ||
	    __builtin_add_overflow(*ret, whole % 100 * percent / 100, ret))
		return fail(error, 400, "Invalid value: %s", text);
	return TRUE;
}

char *units_show(gint64 bytes, int decimals)
{
	static const char *const names[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };
	double value = (double)bytes;
	unsigned i = 0;

	while (value >= 1000 && i + 1 < G_N_ELEMENTS(names)) {
		value /= 1000;
		i++;
	}
	return g_strdup_printf("%.*f%s", i ? decimals : 0, value, names[i]);
}

/* As Go reads integers: a sign, digits, nothing else. */
gboolean units_int64(const char *text, gint64 *ret)
{
	const char *digits = *text == '-' || *text == '+' ? text + 1 : text;
	gint64 value = 0;

	if (!*digits)
		return FALSE;
	for (const char *p = digits; *p; p++) {
		int digit = g_ascii_digit_value(*p);

		if (digit < 0 || __builtin_mul_overflow(value, 10, &value))
			return FALSE;
		/* Towards the sign, so that the smallest number can be read. */
		if (__builtin_add_overflow(value, *text == '-' ? -digit : digit, &value))
			return FALSE;
	}
	if (ret)
		*ret = value;
	return TRUE;
}

gboolean units_uint32(const char *text, guint32 *ret)
{
	gint64 value;

	if (!g_ascii_isdigit(*text) || !units_int64(text, &value) || value > G_MAXUINT32)
		return FALSE;
	if (ret)
		*ret = (guint32)value;
	return TRUE;
}

gboolean units_bool(const char *text, gboolean *ret)
{
	static const char *const words[] = { "true", "1", "yes", "on", "false", "0", "no", "off" };

	for (gsize i = 0; i < G_N_ELEMENTS(words); i++) {
		if (g_ascii_strcasecmp(text, words[i]))
			continue;
		if (ret)
			*ret = i < 4;
		return TRUE;
	}
	return FALSE;
}

/* --- CPUs --------------------------------------------------------------------------- */

/* A number below UNITS_CPUS at *P, which moves behind it. */
static gboolean cpu_number(const char **p, unsigned *ret)
{
	unsigned value = 0;

	if (!g_ascii_isdigit(**p))
		return FALSE;
	for (; g_ascii_isdigit(**p); (*p)++) {
		value = value * 10 + (unsigned)(**p - '0');
		if (value >= UNITS_CPUS)
			return FALSE;
	}
	*ret = value;
	return TRUE;
}

static gboolean cpu_mask(const char *text, guint8 mask[UNITS_CPUS])
{
	for (;;) {
		unsigned from, to;

		if (!cpu_number(&text, &from))
			return FALSE;
		to = from;
		if (*text == '-') {
			text++;
			if (!cpu_number(&text, &to) || to < from)
				return FALSE;
		}
		memset(mask + from, 1, to - from + 1);
		if (!*text)
			return TRUE;
		if (*text++ != ',')
			return FALSE;
	}
}

GArray *units_cpu_set(const char *text, GError **error)
{
	guint8 mask[UNITS_CPUS] = { 0 };
	GArray *set;

	if (!cpu_mask(text, mask)) {
		fail(error, 400, "Invalid CPU limit syntax");
		return NULL;
	}
	set = g_array_new(FALSE, FALSE, sizeof(guint));
	for (guint i = 0; i < UNITS_CPUS; i++)
		if (mask[i])
			g_array_append_val(set, i);
	return set;
}

gboolean units_cpu_limit(const char *text, unsigned *ret_count, GArray **ret_set, GError **error)
{
	guint32 count;
	GArray *set;

	if (units_uint32(text, &count)) {
		*ret_count = count;
		*ret_set = NULL;
		return TRUE;
	}
	set = units_cpu_set(text, error);
	if (!set)
		return FALSE;
	*ret_count = set->len;
	*ret_set = set;
	return TRUE;
}

static gboolean not_a_number(const char *text, GError **error)
{
	return fail(error, 400, "strconv.Atoi: parsing \"%s\": invalid syntax", text);
}

/* "25ms", or "25", to microseconds. */
static gboolean milliseconds(const char *text, gint64 *ret, GError **error)
{
	g_autofree char *number = g_strdup(text);
	gint64 value;

	if (g_str_has_suffix(number, "ms"))
		number[strlen(number) - 2] = '\0';
	if (!units_int64(number, &value) || __builtin_mul_overflow(value, 1000, &value))
		return not_a_number(number, error);
	*ret = value;
	return TRUE;
}

gboolean units_allowance(const char *text, struct units_allowance *ret, GError **error)
{
	struct units_allowance allowance = { 0 };
	g_autofree char *copy = g_strdup(text);
	char *slash = strchr(copy, '/');

	if (g_str_has_suffix(text, "%")) {
		copy[strlen(copy) - 1] = '\0';
		if (!units_percent(text, &allowance.percent))
			return not_a_number(copy, error);
		*ret = allowance;
		return TRUE;
	}
	if (!slash || strchr(slash + 1, '/'))
		return fail(error, 400, "Invalid allowance: %s", text);
	*slash = '\0';
	allowance.hard = TRUE;
	if (!milliseconds(copy, &allowance.quota, error) ||
	    !milliseconds(slash + 1, &allowance.period, error))
		return FALSE;
	*ret = allowance;
	return TRUE;
}
