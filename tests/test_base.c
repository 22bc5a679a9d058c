/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Texts, numbers, lines, CPU lists and files. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/line.h"
#include "base/number.h"
#include "support.h"

START_TEST(text_grows)
{
	AUTO_TEXT struct text t = { 0 };

	ck_assert_str_eq(text_str(&t), "");
	for (int i = 0; i < 1000; i++)
		text_printf(&t, "%d,", i % 10);
	ck_assert_uint_eq(t.len, 2000);
	text_clear(&t);
	ck_assert_str_eq(text_str(&t), "");
	text_u64(&t, 7, 4);
	text_putc(&t, '|');
	text_u64(&t, UINT64_MAX, 4);
	text_puts(&t, "!");
	ck_assert_str_eq(text_str(&t), "   7|18446744073709551615!");
}
END_TEST

START_TEST(text_printf_longer_than_the_buffer)
{
	AUTO_TEXT struct text t = { 0 };
	char big[5000];

	memset(big, 'x', sizeof big - 1);
	big[sizeof big - 1] = '\0';
	text_printf(&t, "<%s>", big);
	ck_assert_uint_eq(t.len, sizeof big + 1);
	ck_assert_str_eq(t.data + sizeof big - 2, "xx>");
}
END_TEST

START_TEST(text_error_sticks)
{
	AUTO_TEXT struct text t = { 0 };

	text_puts(&t, "a");
	ck_assert_ptr_null(text_reserve(&t, (size_t)1 << 40));
	text_puts(&t, "b");
	text_u64(&t, 1, 0);
	text_printf(&t, "%d", 1);
	ck_assert_int_eq(t.error, -EFBIG);
	ck_assert_str_eq(text_str(&t), "a");
	text_clear(&t);
	text_puts(&t, "c");
	ck_assert_str_eq(text_str(&t), "c");
}
END_TEST

START_TEST(numbers)
{
	static const struct {
		const char *text;
		int result;
		uint64_t value;
	} rows[] = {
		{ "0", 0, 0 },
		{ "42\n", 0, 42 },
		{ "18446744073709551615", 0, UINT64_MAX },
		{ "18446744073709551616", -ERANGE, 0 },
		{ "99999999999999999999999", -ERANGE, 0 },
		{ "-1", -EINVAL, 0 },
		{ "+1", -EINVAL, 0 },
		{ " 1", -EINVAL, 0 },
		{ "", -EINVAL, 0 },
		{ "max", -EINVAL, 0 },
		{ "1 x", -EINVAL, 0 },
		{ "12\t \n", 0, 12 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t value = 77;

		ck_assert_msg(number_parse(rows[i].text, &value) == rows[i].result, "%s",
			      rows[i].text);
		ck_assert_uint_eq(value, rows[i].result ? 77 : rows[i].value);
	}
}
END_TEST

START_TEST(arithmetic_saturates)
{
	ck_assert_uint_eq(number_sub(3, 5), 0);
	ck_assert_uint_eq(number_sub(5, 3), 2);
	ck_assert_uint_eq(number_add(UINT64_MAX, 1), UINT64_MAX);
	ck_assert_uint_eq(number_scale(UINT64_MAX, 6, 3), UINT64_MAX);
	ck_assert_uint_eq(number_scale(UINT64_MAX, 3, 6), UINT64_MAX / 2);
	ck_assert_uint_eq(number_min(1, 2), 1);
	ck_assert_uint_eq(number_max(1, 2), 2);
}
END_TEST

struct pair {
	uint64_t a, b;
};

START_TEST(fields)
{
	static const struct field table[] = {
		{ "a", offsetof(struct pair, a) },
		{ "b", offsetof(struct pair, b) },
	};
	struct pair p = { 7, 7 };

	/* Order, unknown keys, prefixes of keys, odd values and a cut last line do not matter. */
	ck_assert_uint_eq(fields_parse("b 2\nab 9\n\nx\na   1 kB\n", table, 2, &p), 2);
	ck_assert_uint_eq(p.a, 1);
	ck_assert_uint_eq(p.b, 2);
	ck_assert_uint_eq(fields_parse("a\nb -1\na 99999999999999999999999", table, 2, &p), 0);
	ck_assert_uint_eq(p.a, 1);
	ck_assert_uint_eq(fields_parse("", table, 2, &p), 0);
}
END_TEST

START_TEST(words)
{
	struct line line = { "  ab\t c ", 8 }, word;

	ck_assert(line_word(&line, &word) && line_is(&word, "ab"));
	ck_assert(line_word(&line, &word) && line_is(&word, "c") && !line_is(&word, "cc"));
	ck_assert(!line_word(&line, &word));
}
END_TEST

START_TEST(cpulists)
{
	static const struct {
		const char *text;
		int result;
		const char *printed;
		size_t count;
	} rows[] = {
		{ "0", 0, "0", 1 },
		{ "0-3\n", 0, "0-3", 4 },
		{ "0,2,4-6,8191", 0, "0,2,4-6,8191", 6 },
		{ "3,1,2", 0, "1-3", 3 },
		{ "", 0, "", 0 },
		{ "\n", 0, "", 0 },
		{ "8192", -ERANGE, NULL, 0 },
		{ "0-99999999999999999999", -ERANGE, NULL, 0 },
		{ "3-1", -EINVAL, NULL, 0 },
		{ "1,", -EINVAL, NULL, 0 },
		{ "1,\n", -EINVAL, NULL, 0 },
		{ "1-", -EINVAL, NULL, 0 },
		{ "a", -EINVAL, NULL, 0 },
		{ "1 2", -EINVAL, NULL, 0 },
		{ "1\n2", -EINVAL, NULL, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_TEXT struct text t = { 0 };
		struct cpulist list;

		ck_assert_msg(cpulist_parse(rows[i].text, &list) == rows[i].result, "'%s'",
			      rows[i].text);
		if (rows[i].result)
			continue;
		cpulist_print(&list, &t);
		ck_assert_str_eq(text_str(&t), rows[i].printed);
		ck_assert_uint_eq(cpulist_count(&list), rows[i].count);
	}
}
END_TEST

START_TEST(cpulist_walks)
{
	struct cpulist list, other;
	size_t seen = 0;

	ck_assert_int_eq(cpulist_parse("1,63-65,8191", &list), 0);
	cpulist_each(cpu, &list)
		seen = seen * 3 + cpu;
	ck_assert_uint_eq(seen, (((1 * 3 + 63) * 3 + 64) * 3 + 65) * 3 + 8191);
	ck_assert_uint_eq(cpulist_next(&list, CPULIST_MAX), CPULIST_MAX);
	ck_assert(!cpulist_has(&list, CPULIST_MAX));
	ck_assert_int_eq(cpulist_parse("64-9000", &other), -ERANGE);
	ck_assert_int_eq(cpulist_parse("64-8000", &other), 0);
	cpulist_and(&list, &other);
	ck_assert_uint_eq(cpulist_count(&list), 2);
	cpulist_truncate(&list, 1);
	ck_assert(cpulist_has(&list, 64) && !cpulist_has(&list, 65));
}
END_TEST

START_TEST(cpulist_masks)
{
	AUTO_TEXT struct text t = { 0 };
	struct cpulist list;

	ck_assert_int_eq(cpulist_parse_mask("00000001,0000010f\n", &list), 0);
	cpulist_print(&list, &t);
	ck_assert_str_eq(text_str(&t), "0-3,8,32");
	text_clear(&t);
	cpulist_print_mask(&list, 40, &t);
	ck_assert_str_eq(text_str(&t), "01,0000010f");
	ck_assert_int_eq(cpulist_parse_mask("", &list), -EINVAL);
	ck_assert_int_eq(cpulist_parse_mask("xyz", &list), -EINVAL);
	ck_assert_int_eq(cpulist_parse_mask("F", &list), 0);
	ck_assert_uint_eq(cpulist_count(&list), 4);
}
END_TEST

START_TEST(mask_past_the_end)
{
	char mask[2100];
	struct cpulist list;

	memset(mask, '0', sizeof mask);
	mask[sizeof mask - 1] = '\0';
	ck_assert_int_eq(cpulist_parse_mask(mask, &list), 0);
	mask[0] = '1';
	ck_assert_int_eq(cpulist_parse_mask(mask, &list), -ERANGE);
}
END_TEST

START_TEST(files)
{
	AUTO_FREE char *dir = test_directory();
	AUTO_CLOSE int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	AUTO_TEXT struct text t = { 0 };
	char big[20001], link[16];

	memset(big, 'y', sizeof big - 1);
	big[sizeof big - 1] = '\0';
	test_write(dir, "a/big", big);
	ck_assert_int_eq(file_read_at(fd, "a/big", &t), 0);
	ck_assert_str_eq(text_str(&t), big);
	ck_assert_int_eq(file_read_at(fd, "a/none", &t), -ENOENT);
	ck_assert_int_eq(file_read_at(fd, "a", &t), -EISDIR);
	ck_assert_int_eq(symlinkat("a/big", fd, "link"), 0);
	ck_assert_int_eq(file_readlink_at(fd, "link", link, sizeof link), 0);
	ck_assert_str_eq(link, "a/big");
	ck_assert_int_eq(file_readlink_at(fd, "link", link, 5), -ENAMETOOLONG);
	ck_assert_int_eq(file_readlink_at(fd, "none", link, 5), -ENOENT);
	ck_assert_int_eq(file_open_beneath(fd, "link", O_RDONLY), -ELOOP);
	ck_assert_int_eq(file_open_beneath(fd, "../etc", O_RDONLY), -EXDEV);
	ck_assert_int_eq(file_open_beneath(fd, "/etc", O_RDONLY), -EXDEV);
	{
		AUTO_CLOSE int file = file_open_beneath(fd, "a/big", O_RDONLY);

		ck_assert_int_ge(file, 0);
	}
	test_remove(dir);
}
END_TEST

START_TEST(hashes_are_fixed)
{
	/* FNV-1a's published offset basis and its value for "a". */
	ck_assert_uint_eq(hash_string(""), 0xcbf29ce484222325);
	ck_assert_uint_eq(hash_string("a"), 0xaf63dc4c8601ec8c);
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_test(tests, text_grows);
	tcase_add_test(tests, text_printf_longer_than_the_buffer);
	tcase_add_test(tests, text_error_sticks);
	tcase_add_test(tests, numbers);
	tcase_add_test(tests, arithmetic_saturates);
	tcase_add_test(tests, fields);
	tcase_add_test(tests, words);
	tcase_add_test(tests, cpulists);
	tcase_add_test(tests, cpulist_walks);
	tcase_add_test(tests, cpulist_masks);
	tcase_add_test(tests, mask_past_the_end);
	tcase_add_test(tests, files);
	tcase_add_test(tests, hashes_are_fixed);
}

int main(void)
{
	return test_run("base", fill);
}
