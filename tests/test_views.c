/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of views: its own order, and every row of it on real machines. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "support.h"
#include "view.h"

static const char *const hosts[] = { "debian12-v2-4cpu", "kernel6.18-v1-2cpu" };

START_TEST(rows_are_whole)
{
	for (size_t i = 0; i < views_count; i++) {
		const struct view *v = &views[i];

		ck_assert_ptr_eq(view_find(v->path), v);
		ck_assert_uint_eq(v->needs & v->must, v->must);
		if (S_ISDIR(v->mode)) {
			ck_assert_ptr_null(v->render);
			continue;
		}
		ck_assert_msg(v->render && v->host && v->explain, "%s", v->path);
		/* The host's file is the same path below its root. */
		ck_assert_str_eq(v->host, v->path + 1);
	}
	ck_assert_ptr_null(view_find("/proc/"));
	ck_assert_ptr_null(view_find("proc/meminfo"));
}
END_TEST

/* Every file, for every caller, as text and as explanation; never an error, never torn. */
START_TEST(every_row_answers)
{
	static const char *const callers[] = { "limited", "limited-app", "nested", "host" };
	static const unsigned flags[] = { 0, LXCFS_CFS | LXCFS_LOADAVG | LXCFS_NO_SWAP };
	struct lxcfs *engine = test_engine(hosts[_i % 2], flags[_i / 2]);

	for (size_t c = 0; c < ARRAY_SIZE(callers); c++) {
		struct lxcfs_caller caller = test_caller(hosts[_i % 2], callers[c]);

		for (size_t i = 0; i < views_count; i++) {
			AUTO_FREE char *text = NULL, *why = NULL;
			struct stat st;
			int r = lxcfs_stat(engine, &caller, views[i].path, &st);

			if (r == -ENOENT)
				continue; /* the machine has no such file */
			ck_assert_int_eq(r, 0);
			ck_assert_int_eq(st.st_size, 0);
			if (S_ISDIR(st.st_mode))
				continue;
			text = test_render(engine, &caller, views[i].path);
			ck_assert_uint_eq(text[strlen(text) - 1], '\n');
			r = lxcfs_explain(engine, &caller, views[i].path, &why);
			ck_assert_int_eq(r, 0);
			ck_assert_ptr_nonnull(strstr(why, views[i].explain));
		}
	}
	lxcfs_close(engine);
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_test(tests, rows_are_whole);
	tcase_add_loop_test(tests, every_row_answers, 0, 4);
}

int main(void)
{
	return test_run("views", fill);
}
