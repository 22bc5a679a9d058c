/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pressure files: the cgroup's as they are, zeros where there are none. */
#include "base/text.h"
#include "support.h"
#include "view.h"

#define SOME "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"
#define FULL "full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"

static void expect(unsigned have, const char *cgroup, const char *expected)
{
	AUTO_SNAPSHOT struct snapshot s = { .have = have };
	AUTO_TEXT struct text text = { 0 };

	text_puts(&s.pressure, cgroup);
	pressure_render(&s, &text);
	ck_assert_int_eq(text.error, 0);
	ck_assert_str_eq(text_str(&text), expected);
}

START_TEST(verbatim)
{
	static const char felt[] = "some avg10=1.53 avg60=0.87 avg300=0.73 total=1088168194\n"
				   "full avg10=0.00 avg60=0.13 avg300=0.48 total=40126\n";

	expect(NEED_PRESSURE_CPU, felt, felt);
	expect(NEED_PRESSURE_IO, felt, felt);
	expect(NEED_PRESSURE_MEMORY, felt, felt);
	expect(NEED_PRESSURE_IRQ, "full avg10=0.10 avg60=0.00 avg300=0.00 total=4\n",
	       "full avg10=0.10 avg60=0.00 avg300=0.00 total=4\n");
}
END_TEST

START_TEST(none_felt)
{
	expect(NEED_PRESSURE_CPU, "", SOME FULL);
	expect(NEED_PRESSURE_IO, "", SOME FULL);
	expect(NEED_PRESSURE_MEMORY, "", SOME FULL);
}
END_TEST

START_TEST(interrupts_have_no_some)
{
	expect(NEED_PRESSURE_IRQ, "", FULL);
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_test(tests, verbatim);
	tcase_add_test(tests, none_felt);
	tcase_add_test(tests, interrupts_have_no_some);
}

int main(void)
{
	return test_run("pressure", fill);
}
