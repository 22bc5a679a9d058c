/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Filters of lists. */
#include <string.h>

#include "support.h"
#include "util/error.h"
#include "util/filter.h"
#include "util/json.h"

static const char object_text[] =
	"{\"name\":\"abc\",\"status\":\"Running\",\"ephemeral\":false,\"n\":5,"
	"\"config\":{\"user.a\":\"b c\",\"limits.cpu\":\"2\"},"
	"\"devices\":{\"eth0\":{\"type\":\"nic\"}}}";

static const struct {
	const char *text;
	gboolean match;
} matches[] = {
	{ "name eq abc", TRUE },
	{ "name eq ABC", TRUE },
	{ "name eq a", FALSE },
	{ "name eq a.*", TRUE },
	{ "name eq x|abc", TRUE },
	{ "name eq ^a", TRUE },
	{ "name eq [", FALSE },
	{ "name ne abc", FALSE },
	{ "not name eq abc", FALSE },
	{ "not name ne abc", TRUE },
	{ "status eq running", TRUE },
	{ "ephemeral eq false", TRUE },
	{ "n eq 5", TRUE },
	{ "foo eq bar", FALSE },
	{ "foo ne bar", TRUE },
	{ "config.user.a eq \"b c\"", TRUE },
	{ "config.limits.cpu eq 2", TRUE },
	{ "devices.eth0.type eq nic", TRUE },
	{ "devices eq nic", FALSE },
	{ "name eq zz or status eq running", TRUE },
	{ "name eq abc and status eq stopped", FALSE },
	{ "name eq abc AND not status eq stopped", TRUE },
	/* From left to right: "and" does not come first. */
	{ "name eq abc or name eq x and name eq y", FALSE },
	{ "name eq (a+)+$", FALSE },
};

START_TEST(match)
{
	g_autoptr(json_t) object = json_parse(object_text, strlen(object_text), NULL);
	g_autoptr(filter_t) filter = filter_parse(matches[_i].text, NULL);

	ck_assert_ptr_nonnull(filter);
	ck_assert_int_eq(filter_matches(filter, object), matches[_i].match);
}
END_TEST

static const struct {
	const char *text, *problem;
} wrong[] = {
	{ "a", "Invalid filter: clause has no operator" },
	{ "name eq", "Invalid filter: clause has no value" },
	{ "not", "Invalid filter: incomplete not clause" },
	{ "name eq a foo", "Invalid filter: invalid clause composition" },
	{ "name eq a and", "Invalid filter: unterminated compound clause" },
	{ "name eq abc and and", "Invalid filter: clause has no operator" },
	{ "name eq \"abc", "Invalid filter: unterminated quote" },
};

START_TEST(problems)
{
	g_autoptr(GError) error = NULL;

	ck_assert_ptr_null(filter_parse(wrong[_i].text, &error));
	ck_assert_str_eq(error->message, wrong[_i].problem);
	ck_assert_int_eq(error_status(error), 400);
}
END_TEST

START_TEST(none)
{
	g_autoptr(GError) error = NULL;

	ck_assert_ptr_null(filter_parse(NULL, &error));
	ck_assert_ptr_null(filter_parse("  ", &error));
	ck_assert_ptr_null(error);
	ck_assert(filter_matches(NULL, NULL));
}
END_TEST

/* A pattern that would take for ever ends soon, without a match. */
START_TEST(expensive_patterns)
{
	g_autofree char *name = g_strnfill(5000, 'a');
	g_autoptr(json_t) object = json_pack("{s:s}", "name", name);
	g_autoptr(filter_t) filter = filter_parse("name eq (a+)+b", NULL);
	gint64 start = g_get_monotonic_time();

	ck_assert(!filter_matches(filter, object));
	ck_assert_int_lt(g_get_monotonic_time() - start, 2 * G_USEC_PER_SEC);
}
END_TEST

START_TEST(any_bytes)
{
	g_autoptr(json_t) object = json_parse(object_text, strlen(object_text), NULL);
	guint32 seed = 1;

	for (int i = 0; i < 20000; i++) {
		g_autoptr(GString) text = g_string_new("name eq ");

		for (int k = 0; k < 20; k++) {
			seed = seed * 1664525 + 1013904223;
			g_string_append_c(text, " abc()[]*+?{}^$|\\\"\xff.n1,"[(seed >> 16) % 24]);
		}
		g_autoptr(filter_t) filter = filter_parse(text->str, NULL);
		filter_matches(filter, object);
	}
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_loop_test(tests, match, 0, G_N_ELEMENTS(matches));
	tcase_add_loop_test(tests, problems, 0, G_N_ELEMENTS(wrong));
	tcase_add_test(tests, none);
	tcase_add_test(tests, expensive_patterns);
	tcase_add_test(tests, any_bytes);
}

int main(void)
{
	return test_run("filter", fill);
}
