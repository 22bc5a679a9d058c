/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Schedules: what they say, when they are due, and that nothing keeps them busy. */
#include <string.h>

#include "support.h"
#include "util/cron.h"
#include "util/error.h"

#define FORM "Schedule must be of the form: <minute> <hour> <day-of-month> <month> <day-of-week>"

static const struct {
	const char *text, *problem;
} checks[] = {
	{ "", NULL },
	{ "* * * * *", NULL },
	{ "*/5 0-5 1,15 jan-mar MON", NULL },
	{ "0,5,7-9/2 * * * *", NULL },
	{ "0 0 ? * ?", NULL },
	{ "@daily", NULL },
	{ "@DAILY", NULL },
	{ "@daily, @startup", NULL },
	{ "@never", NULL },
	{ "@daily,@hourly", FORM },
	{ "@foo", FORM },
	{ "0 0 * * *  ", FORM },
	{ " 0 0 * * *", FORM },
	{ "* * * * * *", FORM },
	{ "1, * * * *", FORM },
	{ "-7", FORM },
	{ "60 * * * *", "Error parsing schedule: end of range (60) above maximum (59): 60" },
	{ "0 0 0 * *", "Error parsing schedule: beginning of range (0) below minimum (1): 0" },
	{ "0 0 * * 7", "Error parsing schedule: end of range (7) above maximum (6): 7" },
	{ "5-0 * * * *",
	  "Error parsing schedule: beginning of range (5) beyond end of range (0): 5-0" },
	{ "*/0 * * * *", "Error parsing schedule: step of range should be a positive number: */0" },
	{ "1-2-3 * * * *", "Error parsing schedule: too many hyphens: 1-2-3" },
	{ "1/2/3 * * * *", "Error parsing schedule: too many slashes: 1/2/3" },
	{ "@daily,0 0 * * *", "Error parsing schedule: unrecognized descriptor: @daily,0 0 * * *" },
	{ "0 0 L * *", "Error parsing schedule: failed to parse int from l: strconv.Atoi: parsing"
		       " \"l\": invalid syntax" },
};

START_TEST(check)
{
	g_autoptr(GError) error = NULL;
	gboolean good = cron_check(checks[_i].text, &error);

	if (checks[_i].problem)
		ck_assert_str_eq(error ? error->message : "fine", checks[_i].problem);
	ck_assert_int_eq(good, checks[_i].problem == NULL);
}
END_TEST

static const struct {
	const char *text;
	time_t after, next; /* UTC */
} moments[] = {
	{ "* * * * *", 1612051200, 1612051260 },
	{ "0 0 * * *", 1612051200, 1612137600 },
	{ "30 4 1 * *", 1612051200, 1612153800 },      /* 2021-02-01 04:30 */
	{ "0 0 29 2 *", 1612051200, 1709164800 },      /* 2024-02-29 */
	{ "0 0 1 * mon", 1612051200, 1612137600 },     /* 1 February, a Monday */
	{ "0 0 15 * tue", 1612051200, 1612224000 },    /* either: Tuesday, 2 February */
	{ "0 0 2/29 * wed", 1612137600, 1612224000 },  /* either: the 2nd comes first */
	{ "0 0 * * 6", 1612051200, 1612569600 },       /* Saturday, 6 February */
	{ "@yearly", 1612051200, 1640995200 },	       /* 2022-01-01 */
	{ "0 0 31 2 *", 1612051200, -1 },	       /* never */
	{ "58/1 23 31 12 *", 1612051200, 1640995080 }, /* a number with a step goes to the end */
};

START_TEST(next)
{
	struct cron cron;

	ck_assert(cron_parse(moments[_i].text, &cron, NULL));
	ck_assert_int_eq(cron_next(&cron, moments[_i].after), moments[_i].next);
}
END_TEST

START_TEST(due)
{
	int times = 0, minutes[2] = { 0 };

	ck_assert(cron_due("0 0 * * *", 1, 1612051200 + 59));
	ck_assert(!cron_due("0 0 * * *", 1, 1612051200 + 60));
	ck_assert(!cron_due("", 1, 1612051200) && !cron_due("nonsense", 1, 1612051200));
	/* An alias is due once a day for each, not for all at the same minute. */
	for (int id = 0; id < 2; id++)
		for (int i = 0; i < 24 * 60; i++)
			if (cron_due("@daily, @startup", id, 1612051200 + i * 60)) {
				times++;
				minutes[id] = i;
			}
	ck_assert_int_eq(times, 2);
	ck_assert_int_ne(minutes[0], minutes[1]);
	ck_assert(cron_has_startup("@daily, @STARTUP") && !cron_has_startup("@daily"));
}
END_TEST

START_TEST(any_bytes)
{
	guint32 seed = 1;

	for (int i = 0; i < 20000; i++) {
		char text[24] = { 0 };
		struct cron cron;

		for (int k = 0; k < 23; k++) {
			seed = seed * 1664525 + 1013904223;
			text[k] = "0123456789*/-,?  @ajn\xff  "[(seed >> 16) % 24];
		}
		cron_check(text, NULL);
		cron_due(text, i, 1612051200);
		if (cron_parse(text, &cron, NULL))
			cron_next(&cron, 1612051200);
	}
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_loop_test(tests, check, 0, G_N_ELEMENTS(checks));
	tcase_add_loop_test(tests, next, 0, G_N_ELEMENTS(moments));
	tcase_add_test(tests, due);
	tcase_add_test(tests, any_bytes);
}

int main(void)
{
	setenv("TZ", "UTC", 1);
	return test_run("cron", fill);
}
