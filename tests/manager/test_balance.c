/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which CPUs instances get: pinned ones theirs, the others the least used. */
#include "support.h"

#include "core/balance.h"
#include "util/units.h"

static const struct {
	const char *cpus;
	const char *limits[5]; /* limits.cpu of each; NULL ends */
	const char *results[5];
} rows[] = {
	{ "0-3", { "1", "1", "1", "1" }, { "0", "1", "2", "3" } },
	{ "0-3", { "2", "2", "1" }, { "0-1", "2-3", "0" } },
	{ "0-3", { "1", "0-1" }, { "2", "0-1" } },
	{ "0-3", { "2", "1,3" }, { "0,2", "1,3" } },
	{ "0-1", { "8", "1" }, { "0-1", "0" } },
	{ "0-3", { "1-1", "3" }, { "1", "0,2-3" } },
	{ "2,5", { "1", "1", "1" }, { "2", "5", "2" } },
	{ "0-1", { "7-9" }, { "0-1" } }, /* CPUs that there are not: any */
	{ "0", { "1", "0" }, { "0", "0" } },
};

START_TEST(table)
{
	struct balance_item items[5] = { 0 };
	g_autoptr(GArray) cpus = units_cpu_set(rows[_i].cpus, NULL);
	gsize n = 0;

	for (; rows[_i].limits[n]; n++) {
		GArray *set = NULL;

		/* "0" is no count: it stands for a set here. */
		if (g_str_equal(rows[_i].limits[n], "0"))
			set = units_cpu_set("0", NULL);
		else
			ck_assert(units_cpu_limit(rows[_i].limits[n], &items[n].count, &set, NULL));
		if (set)
			items[n].count = 0;
		items[n].pinned = set;
	}
	balance(items, n, cpus);
	for (gsize i = 0; i < n; i++) {
		g_autofree char *text = balance_print(items[i].cpus);

		ck_assert_str_eq(text, rows[_i].results[i]);
		g_array_unref(items[i].cpus);
		if (items[i].pinned)
			g_array_unref((GArray *)items[i].pinned);
	}
}
END_TEST

/* However many there are, no CPU has two users more than another. */
START_TEST(even)
{
	g_autoptr(GArray) cpus = units_cpu_set("0-6", NULL);
	struct balance_item items[40] = { 0 };
	guint users[7] = { 0 };

	for (gsize i = 0; i < G_N_ELEMENTS(items); i++)
		items[i].count = (unsigned)(i % 3 + 1);
	balance(items, G_N_ELEMENTS(items), cpus);
	for (gsize i = 0; i < G_N_ELEMENTS(items); i++) {
		ck_assert_uint_eq(items[i].cpus->len, items[i].count);
		for (guint j = 0; j < items[i].cpus->len; j++)
			users[g_array_index(items[i].cpus, guint, j)]++;
		g_array_unref(items[i].cpus);
	}
	for (gsize i = 1; i < 7; i++)
		ck_assert_int_le(abs((int)users[i] - (int)users[0]), 1);
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_loop_test(tests, table, 0, G_N_ELEMENTS(rows));
	tcase_add_test(tests, even);
}

int main(void)
{
	return test_run("manager_balance", fill);
}
