/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Limits as cgroup files and values. */
#include "drivers/instance/limits.h"

#include <string.h>

#include "util/error.h"
#include "util/json.h"
#include "util/units.h"

#define PERIOD_US 100000 /* the kernel's own */

struct limits {
	const struct limits_spec *spec;
	GPtrArray *items;
};

static void limit_free(void *data)
{
	struct limit *l = data;

	g_free(l->file);
	g_free(l->value);
	g_free(l);
}

static struct limit *add(struct limits *ls, int version, const char *file, const char *format, ...)
	G_GNUC_PRINTF(4, 5);

static struct limit *add(struct limits *ls, int version, const char *file, const char *format, ...)
{
	struct limit *l = g_new0(struct limit, 1);
	va_list args;

	va_start(args, format);
	l->version = version;
	l->file = g_strdup(file);
	l->value = g_strdup_vprintf(format, args);
	va_end(args);
	g_ptr_array_add(ls->items, l);
	return l;
}

/* Is the key, or one that starts so, among what is asked for? */
static gboolean wanted(const struct limits *ls, const char *prefix)
{
	return !ls->spec->key || g_str_has_prefix(ls->spec->key, prefix);
}

static const char *value_of(const struct limits *ls, const char *key)
{
	return json_text(ls->spec->config, key);
}

/* Absent, or one of the words for true. */
static gboolean is_on(const struct limits *ls, const char *key)
{
	return !*value_of(ls, key) || json_map_true(ls->spec->config, key);
}

/* --- memory ---------------------------------------------------------------------- */

/* v1 refuses a sum of memory and swap below the memory: which to write first depends on both. */
static void add_memory_v1(struct limits *ls, gint64 hard, gboolean with_swap)
{
	gboolean sum = ls->spec->layout->swap && with_swap;

	if (sum && ls->spec->live)
		add(ls, 1, "memory.memsw.limit_in_bytes", "%" G_GINT64_FORMAT, hard)->may_fail =
			TRUE;
	add(ls, 1, "memory.limit_in_bytes", "%" G_GINT64_FORMAT, hard);
	if (sum)
		add(ls, 1, "memory.memsw.limit_in_bytes", "%" G_GINT64_FORMAT, hard);
	else if (ls->spec->layout->swap && ls->spec->live)
		add(ls, 1, "memory.memsw.limit_in_bytes", "-1");
	add(ls, 1, "memory.soft_limit_in_bytes", "%.0f", (double)hard * 0.9);
}

/* No swap beyond the limit, as on v1, where the sum is the limit. */
static void add_memory_v2(struct limits *ls, gint64 hard)
{
	add(ls, 2, "memory.max", "%" G_GINT64_FORMAT, hard);
	if (ls->spec->layout->swap)
		add(ls, 2, "memory.swap.max", "0");
	add(ls, 2, "memory.low", "%.0f", (double)hard * 0.9);
}

/* From the sum down: the memory's limit may not be above it. */
static void add_no_memory(struct limits *ls, int version)
{
	if (ls->spec->layout->swap)
		add(ls, version, version == 1 ? "memory.memsw.limit_in_bytes" : "memory.swap.max",
		    "%s", version == 1 ? "-1" : "max");
	add(ls, version, version == 1 ? "memory.limit_in_bytes" : "memory.max", "%s",
	    version == 1 ? "-1" : "max");
	add(ls, version, version == 1 ? "memory.soft_limit_in_bytes" : "memory.low", "%s",
	    version == 1 ? "-1" : "0");
}

static gboolean add_memory(struct limits *ls, GError **error)
{
	int version = ls->spec->layout->memory;
	const char *text = value_of(ls, "limits.memory");
	gint64 bytes;

	if (!*text) {
		if (ls->spec->live && version)
			add_no_memory(ls, version);
		return TRUE;
	}
	if (!units_size_or_percent(text, (gint64)ls->spec->memory_total, &bytes, error))
		return FALSE;
	if (!version)
		return TRUE; /* the daemon warned at its start */
	if (strcmp(value_of(ls, "limits.memory.enforce"), "soft") == 0) {
		if (ls->spec->live)
			add_no_memory(ls, version);
		add(ls, version, version == 1 ? "memory.soft_limit_in_bytes" : "memory.low",
		    "%" G_GINT64_FORMAT, bytes);
	} else if (version == 1) {
		add_memory_v1(ls, bytes, is_on(ls, "limits.memory.swap"));
	} else {
		add_memory_v2(ls, bytes);
	}
	return TRUE;
}

/* v2 has no such thing as swappiness per cgroup. */
static gboolean add_swappiness(struct limits *ls, GError **error)
{
	const char *priority = value_of(ls, "limits.memory.swap.priority");
	guint64 number;

	if (!is_on(ls, "limits.memory.swap")) {
		if (ls->spec->layout->swappiness)
			add(ls, 1, "memory.swappiness", "0");
		else if (ls->spec->layout->memory == 2 && ls->spec->layout->swap &&
			 !*value_of(ls, "limits.memory"))
			add(ls, 2, "memory.swap.max", "0");
		return TRUE;
	}
	if (!ls->spec->layout->swappiness)
		return TRUE;
	if (*priority) {
		if (!g_ascii_string_to_unsigned(priority, 10, 0, 10, &number, NULL))
			return fail(error, 400, "Invalid memory swap priority: %s", priority);
		add(ls, 1, "memory.swappiness", "%d", 70 - (int)number);
	} else if (ls->spec->live) {
		add(ls, 1, "memory.swappiness", "60");
	}
	return TRUE;
}

/* --- cpu ------------------------------------------------------------------------- */

gboolean limits_cpu_parse(const char *allowance, const char *priority, int shares_max,
			  gint64 *ret_shares, gint64 *ret_quota_us, gint64 *ret_period_us,
			  GError **error)
{
	struct units_allowance a = { .percent = 100, .period = PERIOD_US };
	guint64 rank = 10;

	if (*priority && !g_ascii_string_to_unsigned(priority, 10, 0, 10, &rank, NULL))
		return fail(error, 400, "Invalid CPU priority: %s", priority);
	if (*allowance && !units_allowance(allowance, &a, error))
		return FALSE;
	if (a.hard)
		a.percent = 100;
	*ret_shares = MAX(shares_max * (gint64)a.percent / 100 - (10 - (gint64)rank), 0);
	*ret_quota_us = a.hard ? a.quota : -1;
	*ret_period_us = a.hard ? a.period : PERIOD_US;
	return TRUE;
}

/* The period and the quota are one line on v2; on v1 the kernel checks each against the other. */
static void add_quota(struct limits *ls, int version, gint64 quota, gint64 period)
{
	if (version == 2 && quota < 0) {
		add(ls, 2, "cpu.max", "max %" G_GINT64_FORMAT, period);
	} else if (version == 2) {
		add(ls, 2, "cpu.max", "%" G_GINT64_FORMAT " %" G_GINT64_FORMAT, quota, period);
	} else {
		if (ls->spec->live)
			add(ls, 1, "cpu.cfs_quota_us", "-1");
		add(ls, 1, "cpu.cfs_period_us", "%" G_GINT64_FORMAT, period);
		if (quota >= 0)
			add(ls, 1, "cpu.cfs_quota_us", "%" G_GINT64_FORMAT, quota);
	}
}

static gboolean add_cpu(struct limits *ls, GError **error)
{
	int version = ls->spec->layout->cpu;
	const char *allowance = value_of(ls, "limits.cpu.allowance");
	const char *priority = value_of(ls, "limits.cpu.priority");
	int max = version == 2 ? 100 : 1024;
	gint64 shares, quota, period;

	if (!*allowance && !*priority && !ls->spec->live)
		return TRUE;
	if (!limits_cpu_parse(allowance, priority, max, &shares, &quota, &period, error))
		return FALSE;
	if (!version)
		return TRUE;
	if (shares != max || ls->spec->live)
		add(ls, version, version == 1 ? "cpu.shares" : "cpu.weight", "%" G_GINT64_FORMAT,
		    MAX(shares, version == 1 ? 2 : 1)); /* the kernel's least */
	if (quota >= 0 || ls->spec->live)
		add_quota(ls, version, quota, period);
	return TRUE;
}

/* --- the others ------------------------------------------------------------------ */

static gboolean add_processes(struct limits *ls, GError **error)
{
	const char *text = value_of(ls, "limits.processes");
	guint64 number;

	if (*text && !g_ascii_string_to_unsigned(text, 10, 0, G_MAXINT64, &number, NULL))
		return fail(error, 400, "Invalid limits.processes: %s", text);
	if (ls->spec->layout->pids && (*text || ls->spec->live))
		add(ls, ls->spec->layout->pids, "pids.max", "%s", *text ? text : "max");
	return TRUE;
}

static gboolean add_io(struct limits *ls, GError **error)
{
	int version = ls->spec->layout->io;
	const char *text = value_of(ls, "limits.disk.priority");
	guint64 number = 5;

	if (*text && !g_ascii_string_to_unsigned(text, 10, 0, 10, &number, NULL))
		return fail(error, 400, "Invalid disk priority: %s", text);
	if (*text && !ls->spec->layout->io_weight)
		return fail(
			error, 500,
			"Cannot apply limits.disk.priority as blkio.weight cgroup controller is "
			"missing");
	if (ls->spec->layout->io_weight && (*text || ls->spec->live))
		add(ls, version, version == 1 ? "blkio.weight" : "io.weight", "%d",
		    MAX((int)number * 100, 10));
	return TRUE;
}

static gboolean add_hugepages(struct limits *ls, GError **error)
{
	static const char *const sizes[] = { "64KB", "1MB", "2MB", "1GB" };
	int version = ls->spec->layout->hugetlb;

	for (gsize i = 0; i < G_N_ELEMENTS(sizes); i++) {
		g_autofree char *key = g_strconcat("limits.hugepages.", sizes[i], NULL);
		g_autofree char *file = g_strdup_printf("hugetlb.%s.%s", sizes[i],
							version == 1 ? "limit_in_bytes" : "max");
		const char *text = value_of(ls, key);
		gint64 bytes;

		if (*text && !units_size(text, &bytes, error))
			return FALSE;
		if (!version || !wanted(ls, key))
			continue;
		if (*text)
			add(ls, version, file, "%" G_GINT64_FORMAT, bytes);
		else if (ls->spec->live &&
			 ls->spec->key) /* the host may not have pages of this size */
			add(ls, version, file, "%s", version == 1 ? "-1" : "max");
	}
	return TRUE;
}

static gboolean add_all(struct limits *ls, GError **error)
{
	gboolean cpus = !ls->spec->key || strcmp(ls->spec->key, "limits.cpu") == 0;

	if (wanted(ls, "limits.memory") && (!add_memory(ls, error) || !add_swappiness(ls, error)))
		return FALSE;
	if (cpus && ls->spec->cpus && ls->spec->layout->cpuset)
		add(ls, ls->spec->layout->cpuset, "cpuset.cpus", "%s", ls->spec->cpus);
	if (wanted(ls, "limits.cpu.") && !add_cpu(ls, error))
		return FALSE;
	if (wanted(ls, "limits.processes") && !add_processes(ls, error))
		return FALSE;
	if (wanted(ls, "limits.disk.priority") && !add_io(ls, error))
		return FALSE;
	return !wanted(ls, "limits.hugepages") || add_hugepages(ls, error);
}

GPtrArray *limits_items(const struct limits_spec *spec, GError **error)
{
	g_autoptr(GPtrArray) items = g_ptr_array_new_with_free_func(limit_free);
	struct limits ls = { .spec = spec, .items = items };

	return add_all(&ls, error) ? g_steal_pointer(&items) : NULL;
}
