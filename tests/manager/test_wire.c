/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SFTP's packets: what a client may claim about lengths that are not so. */
#include <string.h>

#include "container/wire.h"
#include "support.h"

static struct wire_in of(char *bytes, size_t len)
{
	return (struct wire_in){ .at = bytes, .left = len };
}

START_TEST(what_is_put_is_got)
{
	static struct wire_out out;
	struct wire_in in;
	char path[16];

	wire_start(&out, 7);
	wire_put32(&out, 0x01020304);
	wire_put64(&out, 0x0102030405060708);
	wire_put_text(&out, "/a/b");
	wire_finish(&out);
	ck_assert(!out.broken);
	ck_assert_mem_eq(out.data, "\0\0\0\25\7\1\2\3\4\1\2\3\4\5\6\7\10\0\0\0\4/a/b", out.len);
	in = of(out.data + 4, out.len - 4);
	ck_assert_uint_eq(wire_get8(&in), 7);
	ck_assert_uint_eq(wire_get32(&in), 0x01020304);
	ck_assert_uint_eq(wire_get64(&in), 0x0102030405060708);
	ck_assert(wire_get_path(&in, path, sizeof path));
	ck_assert_str_eq(path, "/a/b");
	ck_assert(!in.broken && !in.left);
}
END_TEST

START_TEST(nothing_is_read_past_the_end)
{
	for (size_t len = 0; len < 9; len++) {
		char *bytes = malloc(len ? len
					 : 1); /* so that the sanitizer sees one byte too many */
		struct wire_in in = of(bytes, len);
		struct wire_in data = of(bytes, len);
		uint32_t got;

		memset(bytes, 0xff, len ? len : 1);
		wire_get64(&in);
		ck_assert_int_eq(in.broken, len < 8);
		wire_get32(&in);
		ck_assert(in.broken);
		wire_get_data(&data, &got);
		ck_assert_uint_eq(got, 0);
		ck_assert(data.broken);
		free(bytes);
	}
}
END_TEST

START_TEST(paths_are_whole)
{
	char with_nul[] = "\0\0\0\3a\0b", empty[] = "\0\0\0\0", long_one[] = "\0\0\0\4abcd";
	struct wire_in in = of(with_nul, 7);
	char path[4];

	ck_assert(!wire_get_path(&in, path, sizeof path));
	in = of(empty, 4);
	ck_assert(wire_get_path(&in, path, sizeof path));
	ck_assert_str_eq(path, ".");
	in = of(long_one, 8);
	ck_assert(!wire_get_path(&in, path, sizeof path));
}
END_TEST

START_TEST(an_answer_does_not_grow)
{
	static struct wire_out out;
	static char much[WIRE_PACKET_MAX];

	wire_start(&out, 1);
	wire_put_data(&out, much, sizeof much - 8);
	ck_assert(!out.broken);
	wire_put64(&out, 1);
	ck_assert(out.broken);
	wire_start(&out, 1);
	ck_assert(!out.broken);
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_test(tests, what_is_put_is_got);
	tcase_add_test(tests, nothing_is_read_past_the_end);
	tcase_add_test(tests, paths_are_whole);
	tcase_add_test(tests, an_answer_does_not_grow);
}

int main(void)
{
	return test_run("wire", fill);
}
