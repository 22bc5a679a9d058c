/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Spans of time, counted by the calendar. */
#include <string.h>

#include "support.h"
#include "util/error.h"
#include "util/expiry.h"

#define FROM 1612051200 /* 2021-01-31 00:00:00 UTC */

static const struct {
	const char *text;
	gint64 after; /* seconds; below 0: wrong */
} rows[] = {
	{ "1M", 60 },
	{ "2H", 7200 },
	{ " 3d ", 3 * 86400 },
	{ "1w", 7 * 86400 },
	{ "1m", 31 * 86400 }, /* "February 31st" is March 3rd */
	{ "1y", 365 * 86400 },
	{ "1M 2H 3d", 60 + 7200 + 3 * 86400 },
	{ "0d", 0 },
	{ "1M2H", -1 },
	{ "1M 1M", -1 },
	{ "1M  2H", -1 },
	{ "1s", -1 },
	{ "-1d", -1 },
	{ "1.5d", -1 },
	{ "d", -1 },
	{ "99999999999999999999y", -1 },
};

START_TEST(spans)
{
	g_autoptr(GError) error = NULL;
	time_t when = 77;
	gboolean good = expiry_after(rows[_i].text, FROM, &when, &error);

	ck_assert_int_eq(good, rows[_i].after >= 0);
	ck_assert_int_eq(good, expiry_check(rows[_i].text, NULL));
	if (good)
		ck_assert_int_eq(when, FROM + rows[_i].after);
	else
		ck_assert_int_eq(error_status(error), 400);
}
END_TEST

START_TEST(never)
{
	time_t when = 5;

	ck_assert(expiry_after("", FROM, &when, NULL));
	ck_assert_int_eq(when, 0);
}
END_TEST

START_TEST(longer_than_time)
{
	time_t when;

	ck_assert(expiry_after("9223372036854775807y 9223372036854775807M 9223372036854775807d"
			       " 9223372036854775807w 9223372036854775807m 9223372036854775807H",
			       FROM, &when, NULL));
	ck_assert_int_gt(when, FROM);
}
END_TEST

START_TEST(any_bytes)
{
	guint32 seed = 1;

	for (int i = 0; i < 20000; i++) {
		char text[16] = { 0 };
		time_t when;

		for (int k = 0; k < 15; k++) {
			seed = seed * 1664525 + 1013904223;
			text[k] = " 0123456789MHdwmy\xff-"[(seed >> 16) % 20];
		}
		expiry_after(text, FROM, &when, NULL);
	}
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_loop_test(tests, spans, 0, G_N_ELEMENTS(rows));
	tcase_add_test(tests, never);
	tcase_add_test(tests, longer_than_time);
	tcase_add_test(tests, any_bytes);
}

int main(void)
{
	return test_run("expiry", fill);
}
