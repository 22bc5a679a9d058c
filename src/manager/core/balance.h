/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which CPUs each running instance may use, so that those with a number of them share evenly. */
#pragma once

#include "core/instance.h"

/* What limits.cpu of one says, and what comes of it. */
struct balance_item {
	unsigned count;	      /* that many CPUs; 0: PINNED */
	const GArray *pinned; /* guint; NULL: all */
	GArray *cpus;	      /* set by balance(): guint in order; free with g_array_unref */
};

/* CPUS (guint, in order): what there is. Pinned ones count as load of their CPUs. */
void balance(struct balance_item *items, gsize n, const GArray *cpus);

/* "0-2,5"; free with g_free. */
char *balance_print(const GArray *cpus);

/* The CPUs that INST is to start with; NULL: all. Free with g_free. */
char *balance_choose(const struct instance *inst);

/* Brings every running instance to the CPUs that are its now. */
void balance_apply(struct daemon *daemon);
