/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one line of /proc/swaps, in the columns of older and newer kernels. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "support.h"
#include "view.h"

#define KIB ((uint64_t)1024)
#define NEW_HEADER "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
#define OLD_HEADER "Filename\t\t\t\tType\t\tSize\tUsed\tPriority\n"
#define AREAS                                            \
	"/dev/sda2\t\t\tpartition\t15000000\t1000\t-2\n" \
	"/a\\040file  file  5000000\t0  -3\n(deleted)\n"
#define NAME "none                                    virtual\t\t"

/* What a container with this swap, in kB, reads on a host with these 20 GB of it. */
static void expect(const char *header, uint64_t limit_kb, uint64_t used_kb, unsigned flags,
		   const char *expected)
{
	AUTO_SNAPSHOT struct snapshot s = { .flags = flags, .have = NEED_MEMORY };
	AUTO_TEXT struct text text = { 0 };
	char hosts[512];

	snprintf(hosts, sizeof hosts, "%s%s", header, *header ? AREAS : "");
	memset(&s.memory, 0, sizeof s.memory);
	s.memory.limit = 1024 * KIB * KIB;
	s.memory.swap_limit = limit_kb == UINT64_MAX ? CGROUP_NO_LIMIT : limit_kb * KIB;
	s.memory.swap_usage = used_kb == UINT64_MAX ? CGROUP_UNKNOWN : used_kb * KIB;
	test_host_file(&s, HOST_SWAPS, hosts);
	swaps_render(&s, &text);
	ck_assert_int_eq(text.error, 0);
	ck_assert_str_eq(text_str(&text), expected);
}

START_TEST(no_swap_header_alone)
{
	expect(NEW_HEADER, 0, 0, 0, NEW_HEADER);
	expect(OLD_HEADER, 0, 0, 0, OLD_HEADER);
}
END_TEST

START_TEST(old_columns)
{
	expect(OLD_HEADER, 524288, 1000, 0, OLD_HEADER NAME "524288\t1000\t0\n");
	expect(OLD_HEADER, 10000000, 0, 0, OLD_HEADER NAME "10000000\t0\t0\n");
}
END_TEST

START_TEST(new_columns)
{
	expect(NEW_HEADER, 524288, 1000, 0, NEW_HEADER NAME "524288\t\t1000\t\t0\n");
	expect(NEW_HEADER, 9999999, 9999999, 0, NEW_HEADER NAME "9999999\t\t9999999\t\t0\n");
	expect(NEW_HEADER, 10000000, 10000000, 0, NEW_HEADER NAME "10000000\t10000000\t0\n");
	expect(NEW_HEADER, 12000000, 4, 0, NEW_HEADER NAME "12000000\t4\t\t0\n");
}
END_TEST

START_TEST(no_limit_is_the_hosts_total)
{
	expect(NEW_HEADER, UINT64_MAX, 8, 0, NEW_HEADER NAME "20000000\t8\t\t0\n");
}
END_TEST

START_TEST(the_hosts_devices_stay_hidden)
{
	expect(NEW_HEADER
	       "/dev/sda2                               partition\t20000000\t1000\t\t-2\n",
	       4096, 0, 0, NEW_HEADER NAME "4096\t\t0\t\t0\n");
	expect(NEW_HEADER "/swap                                   file\t\t20000000\t1000\t\t-2\n",
	       0, 0, 0, NEW_HEADER);
}
END_TEST

START_TEST(more_used_than_allowed)
{
	expect(NEW_HEADER, 100, 4000, 0, NEW_HEADER NAME "100\t\t100\t\t0\n");
}
END_TEST

START_TEST(switched_off_or_not_counted)
{
	expect(NEW_HEADER, 4096, 4, LXCFS_NO_SWAP, NEW_HEADER);
	expect(NEW_HEADER, 4096, UINT64_MAX, 0, NEW_HEADER);
}
END_TEST

/* A host that has no header gives none, and no crash. */
START_TEST(no_header)
{
	expect("", 4096, 4, 0, "");
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_test(tests, no_swap_header_alone);
	tcase_add_test(tests, old_columns);
	tcase_add_test(tests, new_columns);
	tcase_add_test(tests, no_limit_is_the_hosts_total);
	tcase_add_test(tests, the_hosts_devices_stay_hidden);
	tcase_add_test(tests, more_used_than_allowed);
	tcase_add_test(tests, switched_off_or_not_counted);
	tcase_add_test(tests, no_header);
}

int main(void)
{
	return test_run("swaps", fill);
}
