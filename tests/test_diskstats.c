/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which devices /proc/diskstats lists, in whose order and with how many columns. */
#include "base/cleanup.h"
#include "base/text.h"
#include "support.h"
#include "view.h"

/* Devices as a kernel since 5.5 prints them; vda1 is a partition, which no cgroup counts. */
static const char modern[] = "   7       0 loop0 1 0 2 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
			     " 254       0 vda 9 8 7 6 5 4 3 2 1 1 1 1 1 1 1 1 1\n"
			     " 254       1 vda1 9 8 7 6 5 4 3 2 1 1 1 1 1 1 1 1 1\n"
			     "   8      16 sdb 9 8 7 6 5 4 3 2 1 1 1 1 1 1 1 1 1\n";

static void expect(const char *host, struct cgroup_io_device *devices, size_t count,
		   const char *expected)
{
	AUTO_SNAPSHOT struct snapshot s = { 0 };
	AUTO_TEXT struct text text = { 0 };

	test_host_file(&s, HOST_DISKSTATS, host);
	s.io = (struct cgroup_io){ count, devices };
	diskstats_render(&s, &text);
	s.io = (struct cgroup_io){ 0 };
	ck_assert_int_eq(text.error, 0);
	ck_assert_str_eq(text_str(&text), expected);
}

START_TEST(no_device_no_line)
{
	expect(modern, NULL, 0, "");
}
END_TEST

START_TEST(every_column)
{
	struct cgroup_io_device d[] = { {
		.major = 254,
		.reads = 11,
		.read_bytes = 5 * 512,
		.writes = 22,
		.write_bytes = 7 * 512 + 511,
		.discards = 33,
		.discard_bytes = 1 << 20,
	} };

	expect(modern, d, 1, " 254       0 vda 11 0 5 0 22 0 7 0 0 0 0 33 0 2048 0 0 0\n");
}
END_TEST

/* Columns came with kernels 4.18 (discards) and 5.5 (flushes); the host's decide. */
START_TEST(as_many_columns_as_the_host)
{
	struct cgroup_io_device d[] = {
		{ .major = 8, .reads = 1, .discards = 2, .discard_bytes = 512 }
	};

	expect("   8       0 sda 1 2 3 4 5 6 7 8 9 10 11\n", d, 1,
	       "   8       0 sda 1 0 0 0 0 0 0 0 0 0 0\n");
	expect("   8       0 sda 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15\n", d, 1,
	       "   8       0 sda 1 0 0 0 0 0 0 0 0 0 0 2 0 1 0\n");
	expect("   8       0 sda 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17\n", d, 1,
	       "   8       0 sda 1 0 0 0 0 0 0 0 0 0 0 2 0 1 0 0 0\n");
}
END_TEST

START_TEST(in_the_order_of_the_host)
{
	struct cgroup_io_device d[] = {
		{ .major = 8, .minor = 16, .write_bytes = 4096 },
		{ .major = 7, .minor = 0, .read_bytes = 512 },
	};

	expect(modern, d, 2,
	       "   7       0 loop0 0 0 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
	       "   8      16 sdb 0 0 0 0 0 0 8 0 0 0 0 0 0 0 0 0 0\n");
}
END_TEST

START_TEST(untouched_and_unlisted_devices)
{
	struct cgroup_io_device d[] = {
		{ .major = 254, .minor = 0 }, /* the kernel lists it, nothing was done */
		{ .major = 254, .minor = 9, .reads = 1 }, /* gone from the host */
		{ .major = 8, .minor = 16, .discards = 1 },
	};

	expect(modern, d, 3, "   8      16 sdb 0 0 0 0 0 0 0 0 0 0 0 1 0 0 0 0 0\n");
}
END_TEST

START_TEST(any_activity_counts)
{
	struct cgroup_io_device each[] = {
		{ .reads = 1 },	     { .writes = 1 },	   { .discards = 1 },
		{ .read_bytes = 1 }, { .write_bytes = 1 }, { .discard_bytes = 1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(each); i++) {
		AUTO_SNAPSHOT struct snapshot s = { 0 };
		AUTO_TEXT struct text text = { 0 };

		test_host_file(&s, HOST_DISKSTATS, "   0       0 x 1 1 1 1 1 1 1 1 1 1 1\n");
		s.io = (struct cgroup_io){ 1, &each[i] };
		diskstats_render(&s, &text);
		s.io = (struct cgroup_io){ 0 };
		ck_assert_uint_gt(text.len, 0);
	}
}
END_TEST

START_TEST(damaged_lines_are_passed_over)
{
	struct cgroup_io_device d[] = { { .major = 8, .minor = 1, .reads = UINT64_MAX } };

	expect("\nsda\n   8\n   8       1\n   8x      1 sda 1 2 3\n   8  4294967296 sda 1\n"
	       "  -8       1 sda 1 2 3\n   8       1 cut 1 2\n   8       1 sda1",
	       d, 1, "   8       1 cut 18446744073709551615 0\n   8       1 sda1\n");
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_test(tests, no_device_no_line);
	tcase_add_test(tests, every_column);
	tcase_add_test(tests, as_many_columns_as_the_host);
	tcase_add_test(tests, in_the_order_of_the_host);
	tcase_add_test(tests, untouched_and_unlisted_devices);
	tcase_add_test(tests, any_activity_counts);
	tcase_add_test(tests, damaged_lines_are_passed_over);
}

int main(void)
{
	return test_run("diskstats", fill);
}
