/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lxcfs-inspect, run as a user runs it, on a fixture machine. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "support.h"

#define HOST "debian12-v2-4cpu"

/* Runs it with these arguments, $PID being the limited container; the output is to be freed. */
static char *inspect(const char *arguments, int *ret_status)
{
	AUTO_TEXT struct text out = { 0 };
	char command[8192], buf[4096];
	FILE *pipe;
	size_t n;

	snprintf(command, sizeof command, "PID=%d; %s --root %s/hosts/%s %s 2>&1",
		 test_caller(HOST, "limited").pid, INSPECT, TESTS_DIR, HOST, arguments);
	pipe = popen(command, "r");
	ck_assert_ptr_nonnull(pipe);
	while ((n = fread(buf, 1, sizeof buf, pipe)) > 0)
		text_append(&out, buf, n);
	*ret_status = pclose(pipe);
	text_puts(&out, "");
	return take_ptr(out.data);
}

START_TEST(shows_a_file)
{
	struct lxcfs *engine = test_engine(HOST, 0);
	struct lxcfs_caller caller = test_caller(HOST, "limited");
	AUTO_FREE char *expected = test_render(engine, &caller, "/proc/meminfo");
	static const char *const spellings[] = { "$PID /proc/meminfo", "$PID proc/meminfo",
						 "$PID //proc/meminfo/" };

	for (size_t i = 0; i < ARRAY_SIZE(spellings); i++) {
		int status;
		AUTO_FREE char *out = inspect(spellings[i], &status);

		ck_assert_int_eq(status, 0);
		ck_assert_str_eq(out, expected);
	}
	lxcfs_close(engine);
}
END_TEST

START_TEST(shows_all_and_lists)
{
	int status;
	AUTO_FREE char *all = inspect("$PID", &status);
	AUTO_FREE char *list = NULL;

	ck_assert_int_eq(status, 0);
	ck_assert_ptr_nonnull(strstr(all, "==> /proc/meminfo <==\nMemTotal:"));
	ck_assert_ptr_nonnull(strstr(all, "==> /proc/pressure/memory <==\nsome "));
	list = inspect("$PID /", &status);
	ck_assert_str_eq(list, "proc/\nsys/\ncgroup/\n");
}
END_TEST

START_TEST(explains)
{
	int status;
	AUTO_FREE char *why = inspect("-e $PID /proc/meminfo", &status);

	ck_assert_int_eq(status, 0);
	ck_assert_ptr_nonnull(strstr(why, "memory limit: "));
	ck_assert_ptr_nonnull(strstr(why, "/memory.max\n"));
	ck_assert_ptr_nonnull(strstr(why, "/memory.swap.current\n"));
}
END_TEST

static const struct {
	const char *arguments, *says;
} errors[] = {
	{ "", "Usage:" },
	{ "x", "x: not a pid" },
	{ "0", "0: not a pid" },
	{ "999999", "No such process" },
	{ "$PID /nothing", "/nothing: No such file" },
	{ "--wrong $PID", "unrecognized option" },
	{ "--root /nowhere $PID", "No such process" },
};

START_TEST(errors_are_told)
{
	int status;
	AUTO_FREE char *out = inspect(errors[_i].arguments, &status);

	ck_assert_int_ne(status, 0);
	ck_assert_msg(strstr(out, errors[_i].says) != NULL, "%s", out);
}
END_TEST

START_TEST(helps)
{
	int status;
	AUTO_FREE char *help = inspect("--help", &status);
	AUTO_FREE char *version = NULL;

	ck_assert_int_eq(status, 0);
	ck_assert_ptr_nonnull(strstr(help, "--explain"));
	version = inspect("-v", &status);
	ck_assert_str_eq(version, LXCFS_VERSION "\n");
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_test(tests, shows_a_file);
	tcase_add_test(tests, shows_all_and_lists);
	tcase_add_test(tests, explains);
	tcase_add_loop_test(tests, errors_are_told, 0, ARRAY_SIZE(errors));
	tcase_add_test(tests, helps);
}

int main(void)
{
	return test_run("inspect", fill);
}
