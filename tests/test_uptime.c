/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* uptime: the kernel's two columns. */
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "support.h"
#include "view.h"

static void check(const struct snapshot *s, const char *expected)
{
	AUTO_TEXT struct text t = { 0 };

	uptime_render(s, &t);
	ck_assert_int_eq(t.error, 0);
	ck_assert_str_eq(text_str(&t), expected);
}

START_TEST(both_columns)
{
	struct snapshot s = { .have = NEED_AGE | NEED_CPU_TIMES, .cpu_count = 2 };

	check(&s, "0.00 0.00\n");
	s.uptime = 1999999;
	s.cpu_total = (struct cpu_times){ 11, 12, 3010000 };
	check(&s, "1.99 3.01\n");
	s.uptime = UINT64_C(86400) * 1000 * 1000000;
	s.cpu_total.idle = s.uptime * 512;
	check(&s, "86400000.00 44236800000.00\n");
}
END_TEST

START_TEST(unknown_use_is_idle)
{
	struct snapshot s = { .have = NEED_AGE, .uptime = 2500000, .cpu_count = 4 };

	check(&s, "2.50 10.00\n");
	s.cpu_count = 0;
	check(&s, "2.50 2.50\n");
}
END_TEST

/* The first answer for a container is known from its age, its use and its CPUs. */
START_TEST(real_machines)
{
	static const struct {
		const char *host, *caller;
		unsigned flags, cpus;
	} machines[] = {
		{ "debian12-v2-4cpu", "limited", 0, 2 },
		{ "debian12-v2-4cpu", "limited-app", 0, 2 },
		{ "debian12-v2-4cpu", "nested", 0, 2 },
		{ "debian12-v2-4cpu", "shifted", 0, 4 },
		{ "kernel6.18-v1-2cpu", "nested", 0, 2 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(machines); i++) {
		struct lxcfs *engine = test_engine(machines[i].host, machines[i].flags);
		struct lxcfs_caller caller = test_caller(machines[i].host, machines[i].caller);
		AUTO_FREE char *text = test_render(engine, &caller, "/proc/uptime");
		double up, idle;

		ck_assert_int_eq(sscanf(text, "%lf %lf", &up, &idle), 2);
		ck_assert_double_gt(up, 0);
		ck_assert_double_ge(idle, 0);
		ck_assert_double_le(idle, up * machines[i].cpus);
		lxcfs_close(engine);
	}
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_test(tests, both_columns);
	tcase_add_test(tests, unknown_use_is_idle);
	tcase_add_test(tests, real_machines);
}

int main(void)
{
	return test_run("uptime", fill);
}
