/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Slabs of the cgroup below the host's header, and never one of the host's. */
#include "base/text.h"
#include "support.h"
#include "view.h"

#define VERSION "slabinfo - version: 2.1\n"
#define COLUMNS "# name            <active_objs> <num_objs> <objsize> : tunables <limit>\n"
#define HOST_SLAB "secret             9999  99999    128   32    1 : tunables    0\n"
#define SLAB "dentry              210    210    192   21    1 : tunables    0\n"

static void expect(const char *host, const char *cgroup, const char *expected)
{
	AUTO_SNAPSHOT struct snapshot s = { .have = NEED_SLABINFO };
	AUTO_TEXT struct text text = { 0 };

	test_host_file(&s, HOST_SLABINFO, host);
	text_puts(&s.slabinfo, cgroup);
	slabinfo_render(&s, &text);
	ck_assert_int_eq(text.error, 0);
	ck_assert_str_eq(text_str(&text), expected);
}

START_TEST(header_alone_where_the_kernel_lists_none)
{
	expect(VERSION COLUMNS HOST_SLAB HOST_SLAB, "", VERSION COLUMNS);
}
END_TEST

START_TEST(slabs_of_the_cgroup)
{
	expect(VERSION COLUMNS HOST_SLAB, SLAB SLAB, VERSION COLUMNS SLAB SLAB);
	expect(VERSION COLUMNS HOST_SLAB, VERSION COLUMNS SLAB, VERSION COLUMNS SLAB);
}
END_TEST

/* Without a header nothing tells a host's line from another: none is shown. */
START_TEST(a_host_without_header)
{
	expect(HOST_SLAB, "", "");
	expect(HOST_SLAB VERSION COLUMNS, SLAB, SLAB);
	expect("", SLAB, SLAB);
	expect(VERSION HOST_SLAB COLUMNS, "", VERSION);
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_test(tests, header_alone_where_the_kernel_lists_none);
	tcase_add_test(tests, slabs_of_the_cgroup);
	tcase_add_test(tests, a_host_without_header);
}

int main(void)
{
	return test_run("slabinfo", fill);
}
