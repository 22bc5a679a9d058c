/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What every Check program of the manager shares: include it in place of check.h. */
#pragma once

#include <check.h>
#include <stdlib.h>

#undef fail /* Check's old name for ck_abort_msg() is our util/error.h's */

typedef void (*test_fill)(TCase *tests);

/* Runs what FILL adds; results in TAP on stdout. Returns main's exit status. */
static inline int test_run(const char *name, test_fill fill)
{
	Suite *suite = suite_create(name);
	TCase *tests = tcase_create(name);
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tests, 60);
	fill(tests);
	suite_add_tcase(suite, tests);
	srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_SILENT);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
