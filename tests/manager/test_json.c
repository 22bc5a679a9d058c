/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Maps of strings, bodies, and errors with their HTTP status. */
#include <errno.h>
#include <string.h>

#include "support.h"
#include "util/error.h"
#include "util/json.h"

static json_t *of(const char *text)
{
	GError *error = NULL;
	json_t *value = json_parse(text, strlen(text), &error);

	ck_assert_msg(value != NULL, "%s", error ? error->message : "no error");
	return value;
}

START_TEST(text_of_absent_keys_is_empty)
{
	g_autoptr(json_t) map = of("{\"a\":\"b\",\"n\":1}");

	ck_assert_str_eq(json_text(map, "a"), "b");
	ck_assert_str_eq(json_text(map, "n"), "");
	ck_assert_str_eq(json_text(map, "x"), "");
	ck_assert_str_eq(json_text_or(map, "x", "y"), "y");
	ck_assert_str_eq(json_text(NULL, "x"), "");
}
END_TEST

START_TEST(words_for_true)
{
	g_autoptr(json_t) map = of("{\"a\":\"TRUE\",\"b\":\"1\",\"c\":\"on\",\"d\":\"yes\","
				   "\"e\":\"0\",\"f\":\"truex\",\"g\":\"\"}");

	for (const char *key = "abcd"; *key; key++)
		ck_assert(json_map_true(map, (char[]){ *key, 0 }));
	for (const char *key = "efgh"; *key; key++)
		ck_assert(!json_map_true(map, (char[]){ *key, 0 }));
}
END_TEST

START_TEST(maps_hold_strings_alone)
{
	static const char *const wrong[] = { "[]",	  "\"s\"",	"3",
					     "{\"a\":1}", "{\"a\":{}}", "{\"a\":null}" };
	g_autoptr(json_t) good = of("{\"b\":\"2\",\"a\":\"1\",\"gone\":\"\"}");
	g_autoptr(json_t) map = json_map_check(good, "config", NULL);
	g_autofree char *text = json_print(map);

	ck_assert_str_eq(text, "{\"a\":\"1\",\"b\":\"2\"}");
	for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
		g_autoptr(json_t) value = of(wrong[i]);
		g_autoptr(GError) error = NULL;

		ck_assert_ptr_null(json_map_check(value, "config", &error));
		ck_assert_int_eq(error_status(error), 400);
		ck_assert_str_eq(error->message, "config must be a map of strings");
	}
}
END_TEST

START_TEST(nothing_is_an_empty_map)
{
	g_autoptr(json_t) null = json_null();
	g_autoptr(json_t) a = json_map_check(NULL, "config", NULL);
	g_autoptr(json_t) b = json_map_check(null, "config", NULL);
	g_autoptr(json_t) c = json_map_copy(NULL);

	ck_assert_uint_eq(json_object_size(a) + json_object_size(b) + json_object_size(c), 0);
	ck_assert(json_is_object(a) && json_is_object(b) && json_is_object(c));
}
END_TEST

START_TEST(empty_values_unset)
{
	g_autoptr(json_t) map = of("{\"a\":\"1\"}");

	json_map_set(map, "a", "");
	ck_assert_uint_eq(json_object_size(map), 0);
	json_map_set(map, "a", "2");
	json_map_set(map, "b", NULL);
	ck_assert_str_eq(json_text(map, "a"), "2");
	ck_assert_uint_eq(json_object_size(map), 1);
}
END_TEST

START_TEST(bad_bodies_are_400)
{
	static const char *const wrong[] = { "", "{", "{\"a\":}", "nul", "{} x", "\"\xff\"" };

	for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
		g_autoptr(GError) error = NULL;

		ck_assert_ptr_null(json_parse(wrong[i], strlen(wrong[i]), &error));
		ck_assert_int_eq(error_status(error), 400);
	}
}
END_TEST

START_TEST(errors_carry_a_status)
{
	static const struct {
		int code, status;
	} rows[] = {
		{ ENOENT, 404 }, { EACCES, 403 }, { EPERM, 403 }, { EEXIST, 409 }, { EIO, 500 }
	};
	g_autoptr(GError) other = g_error_new(G_FILE_ERROR, 7, "x");

	for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GError) error = NULL;

		ck_assert(!fail_errno(&error, rows[i].code, "Open %s", "f"));
		ck_assert_int_eq(error_status(error), rows[i].status);
		ck_assert(g_str_has_prefix(error->message, "Open f: "));
	}
	ck_assert_int_eq(error_status(other), 500);
	ck_assert(!fail(NULL, 400, "nobody asks"));
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_test(tests, text_of_absent_keys_is_empty);
	tcase_add_test(tests, words_for_true);
	tcase_add_test(tests, maps_hold_strings_alone);
	tcase_add_test(tests, nothing_is_an_empty_map);
	tcase_add_test(tests, empty_values_unset);
	tcase_add_test(tests, bad_bodies_are_400);
	tcase_add_test(tests, errors_carry_a_status);
}

int main(void)
{
	return test_run("json", fill);
}
