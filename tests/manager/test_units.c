/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sizes, percentages, sets of CPUs and allowances, up to where numbers end. */
#include "support.h"
#include "util/error.h"
#include "util/units.h"

static const struct {
	const char *text;
	gint64 bytes;
	const char *problem;
} sizes[] = {
	{ "", 0, NULL },
	{ "1", 1, NULL },
	{ "1B", 1, NULL },
	{ "7 bytes", 7, NULL },
	{ "64MB", 64000000, NULL },
	{ "64MiB", 64 << 20, NULL },
	{ "7EiB", 7LL << 60, NULL },
	{ "9223372036854775807", G_MAXINT64, NULL },
	{ "9223372036854775808", 0, "Invalid integer: 9223372036854775808" },
	{ "8EiB", 0, "Overflow multiplying 8 with 1152921504606846976" },
	{ "10EB", 0, "Overflow multiplying 10 with 1000000000000000000" },
	{ "1k", 0, "Invalid value: 1k" },
	{ "1.5GB", 0, "Invalid value: 1.5GB" },
	{ "-1MB", 0, "Invalid value: -1MB" },
	{ "+1", 0, "Invalid value: +1" },
	{ "1 GB", 0, "Invalid value: 1 GB" },
	{ "kB", 0, "Invalid value: kB" },
	{ "1BB", 0, "Invalid value: 1BB" },
};

START_TEST(size)
{
	g_autoptr(GError) error = NULL;
	gint64 bytes = -5;

	if (sizes[_i].problem) {
		ck_assert(!units_size(sizes[_i].text, &bytes, &error));
		ck_assert_str_eq(error->message, sizes[_i].problem);
		ck_assert_int_eq(bytes, -5);
		return;
	}
	ck_assert(units_size(sizes[_i].text, &bytes, &error));
	ck_assert_int_eq(bytes, sizes[_i].bytes);
}
END_TEST

START_TEST(bits_and_percents)
{
	gint64 value;
	int percent;

	ck_assert(units_bits("10Mbit", &value, NULL) && value == 10000000);
	ck_assert(units_bits("1Kibit", &value, NULL) && value == 1024);
	ck_assert(!units_bits("1MB", &value, NULL));
	ck_assert(units_percent("-5%", &percent) && percent == -5);
	ck_assert(!units_percent("%", NULL) && !units_percent("5", NULL));
	ck_assert(units_size_or_percent("50%", 1001, &value, NULL) && value == 500);
	ck_assert(units_size_or_percent("100%", G_MAXINT64, &value, NULL) && value == G_MAXINT64);
	ck_assert(!units_size_or_percent("101%", G_MAXINT64, &value, NULL));
	ck_assert(!units_size_or_percent("-1%", 1000, &value, NULL));
	ck_assert(units_size_or_percent("1kB", 0, &value, NULL) && value == 1000);
}
END_TEST

START_TEST(shown)
{
	g_autofree char *a = units_show(999, 2), *b = units_show(41580000, 2);

	ck_assert_str_eq(a, "999B");
	ck_assert_str_eq(b, "41.58MB");
}
END_TEST

START_TEST(numbers)
{
	gint64 value;
	guint32 small;
	gboolean yes;

	ck_assert(units_int64("-9223372036854775808", &value) && value == G_MININT64);
	ck_assert(!units_int64("-9223372036854775809", &value));
	ck_assert(units_int64("+5", &value) && value == 5);
	ck_assert(!units_int64("", NULL) && !units_int64("-", NULL) && !units_int64(" 5", NULL));
	ck_assert(units_uint32("4294967295", &small) && small == G_MAXUINT32);
	ck_assert(!units_uint32("4294967296", NULL) && !units_uint32("+1", NULL));
	ck_assert(units_bool("tRuE", &yes) && yes);
	ck_assert(units_bool("off", &yes) && !yes);
	ck_assert(!units_bool("Y", NULL) && !units_bool("", NULL));
}
END_TEST

START_TEST(cpu_sets)
{
	static const char *const wrong[] = { "",    ",",   "1,",    "1,,2",    "0-",   "-1",
					     "3-1", "1 2", "99999", "0-99999", "1-2-3" };
	g_autoptr(GArray) set = units_cpu_set("7,0-3,2", NULL);
	unsigned count;
	GArray *limit;

	ck_assert_uint_eq(set->len, 5);
	ck_assert_uint_eq(g_array_index(set, guint, 3), 3);
	ck_assert_uint_eq(g_array_index(set, guint, 4), 7);
	ck_assert(units_cpu_limit("4", &count, &limit, NULL) && count == 4 && !limit);
	ck_assert(units_cpu_limit("1-1", &count, &limit, NULL) && count == 1 && limit);
	g_array_unref(limit);
	for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
		g_autoptr(GError) error = NULL;

		ck_assert_ptr_null(units_cpu_set(wrong[i], &error));
		ck_assert_str_eq(error->message, "Invalid CPU limit syntax");
	}
}
END_TEST

START_TEST(allowances)
{
	static const char *const wrong[] = { "",      "50",    "%",
					     "50.5%", "25ms/", "5ms",
					     "foo%",  "a/b",   "9223372036854775807ms/1ms",
					     "1/2/3" };
	struct units_allowance allowance;

	ck_assert(units_allowance("50%", &allowance, NULL));
	ck_assert(!allowance.hard && allowance.percent == 50);
	ck_assert(units_allowance("25ms/100", &allowance, NULL));
	ck_assert(allowance.hard && allowance.quota == 25000 && allowance.period == 100000);
	for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++)
		ck_assert_msg(!units_allowance(wrong[i], &allowance, NULL), "%s", wrong[i]);
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_loop_test(tests, size, 0, G_N_ELEMENTS(sizes));
	tcase_add_test(tests, bits_and_percents);
	tcase_add_test(tests, shown);
	tcase_add_test(tests, numbers);
	tcase_add_test(tests, cpu_sets);
	tcase_add_test(tests, allowances);
}

int main(void)
{
	return test_run("units", fill);
}
