/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An instance's limits.* as what to write into which cgroup file, on whatever versions the host's
 * controllers are. Nothing here touches a cgroup.
 */
#pragma once

#include <glib.h>
#include <jansson.h>

/* Which cgroup version a controller is on; 0: the host has none. */
struct cgroup_layout {
	int cpu, cpuset, devices, hugetlb, io, memory, pids;
	gboolean swap;	     /* memory.memsw.* or memory.swap.* is there */
	gboolean swappiness; /* memory.swappiness is there; v1 alone */
	gboolean io_weight;  /* blkio.weight or io.weight is there */
	gboolean namespaces; /* of cgroups */
};

/* Looks at the host below ROOT ("" but in tests). */
void cgroup_layout_read(const char *root, struct cgroup_layout *ret);

struct limit {
	int version; /* 1 or 2: lxc.cgroup.FILE or lxc.cgroup2.FILE */
	char *file;  /* "memory.max" */
	char *value;
	gboolean may_fail; /* another row of the list makes it right */
};

struct limits_spec {
	const struct cgroup_layout *layout;
	const json_t *config; /* expanded; a map */
	const char *cpus;     /* those chosen for limits.cpu; NULL: leave them */
	guint64 memory_total; /* bytes; for limits in per cent */
	const char *key;      /* only what this key has an influence on; NULL: all */
	gboolean live;	      /* what is not set is written too, as "no limit" */
};

/* An array of struct limit to be applied in order; free with g_ptr_array_unref. */
GPtrArray *limits_items(const struct limits_spec *spec, GError **error);

/*
 * limits.cpu.allowance and .priority as the kernel wants them; "" where not set. SHARES_MAX is
 * what 100 % is: 1024 of v1's shares, 100 of v2's weight. *ret_quota is -1 without a hard limit.
 */
gboolean limits_cpu_parse(const char *allowance, const char *priority, int shares_max,
			  gint64 *ret_shares, gint64 *ret_quota_us, gint64 *ret_period_us,
			  GError **error);
