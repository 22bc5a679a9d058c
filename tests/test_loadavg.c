/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The line of /proc/loadavg from averages in the kernel's fixed point. */
#include "base/text.h"
#include "support.h"
#include "view.h"

#define ONE 2048

static void expect(const struct snapshot *s, const char *line)
{
	AUTO_TEXT struct text text = { 0 };

	loadavg_render(s, &text);
	ck_assert_str_eq(text_str(&text), line);
}

START_TEST(nothing_runs)
{
	struct snapshot s = { .tasks = { .processes = 1, .total = 1 } };

	expect(&s, "0.00 0.00 0.00 0/1 1\n");
}
END_TEST

START_TEST(fields_have_their_places)
{
	struct snapshot s = {
		.tasks = { .processes = 4711, .running = 3, .blocked = 9, .total = 57 },
		.load = { ONE, 2 * ONE + ONE / 2, 123 * ONE },
	};

	expect(&s, "1.00 2.50 123.00 3/57 4711\n");
}
END_TEST

/* get_avenrun() adds half a hundredth, FIXED_1 / 200 = 10, before it cuts. */
START_TEST(rounds_as_the_kernel)
{
	struct snapshot s = { .load = { 10, 11, ONE - 11 } };

	expect(&s, "0.00 0.01 0.99 0/0 0\n");
	s.load[0] = ONE - 10;
	s.load[1] = ONE - 1;
	s.load[2] = 20 * ONE + 2037;
	expect(&s, "1.00 1.00 20.99 0/0 0\n");
}
END_TEST

START_TEST(wide_numbers)
{
	struct snapshot s = {
		.tasks = { .processes = 4194303, .running = 4096, .total = 4096 },
		.load = { (uint64_t)100000 * ONE },
	};

	expect(&s, "100000.00 0.00 0.00 4096/4096 4194303\n");
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_test(tests, nothing_runs);
	tcase_add_test(tests, fields_have_their_places);
	tcase_add_test(tests, rounds_as_the_kernel);
	tcase_add_test(tests, wide_numbers);
}

int main(void)
{
	return test_run("loadavg", fill);
}
