/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* YAML: what is quoted, what plain scalars mean, and what is too much. */
#include <string.h>

#include "support.h"
#include "util/error.h"
#include "util/json.h"
#include "util/yaml.h"

/* Strings as a value of "k", and the lines that lxc 5.0.2 writes for it. */
static const struct {
	const char *string, *yaml;
} quoted[] = {
	{ "", "k: \"\"\n" },
	{ "1", "k: \"1\"\n" },
	{ "0x1f", "k: \"0x1f\"\n" },
	{ "0b1", "k: \"0b1\"\n" },
	{ "0o7", "k: \"0o7\"\n" },
	{ "089", "k: \"089\"\n" },
	{ "1e3", "k: \"1e3\"\n" },
	{ ".5", "k: \".5\"\n" },
	{ "0.", "k: \"0.\"\n" },
	{ "1_000", "k: \"1_000\"\n" },
	{ "18446744073709551616", "k: \"18446744073709551616\"\n" },
	{ "1e400", "k: 1e400\n" },
	{ "1e+", "k: 1e+\n" },
	{ "0x", "k: 0x\n" },
	{ "_1", "k: _1\n" },
	{ "1,000", "k: 1,000\n" },
	{ "1.2.3", "k: 1.2.3\n" },
	{ "100MB", "k: 100MB\n" },
	{ "true", "k: \"true\"\n" },
	{ "Yes", "k: \"Yes\"\n" },
	{ "tRue", "k: tRue\n" },
	{ "off", "k: \"off\"\n" },
	{ "~", "k: \"~\"\n" },
	{ "null", "k: \"null\"\n" },
	{ "NaN", "k: NaN\n" },
	{ "-.inf", "k: \"-.inf\"\n" },
	{ "<<", "k: <<\n" },
	{ "2001-01-01", "k: \"2001-01-01\"\n" },
	{ "2001-1-1 10:20:30", "k: \"2001-1-1 10:20:30\"\n" },
	{ "2001-13-45", "k: 2001-13-45\n" },
	{ "2026-11-23T06:17:44.810749267Z", "k: \"2026-11-23T06:17:44.810749267Z\"\n" },
	{ "1:30", "k: \"1:30\"\n" },
	{ "-1:2.5", "k: \"-1:2.5\"\n" },
	{ "00:16:3e:aa:bb:cc", "k: 00:16:3e:aa:bb:cc\n" },
	{ "fd42:0:0:1::1/64", "k: fd42:0:0:1::1/64\n" },
	{ "a: b", "k: 'a: b'\n" },
	{ "a:b", "k: a:b\n" },
	{ "#x", "k: '#x'\n" },
	{ "it's", "k: it's\n" },
	{ " lead", "k: ' lead'\n" },
	{ "\ttab", "k: \"\\ttab\"\n" },
	{ "x\r\ny", "k: \"x\\r\\ny\"\n" },
	{ "line1\nline2", "k: |-\n  line1\n  line2\n" },
	{ "line1\nline2\n", "k: |\n  line1\n  line2\n" },
	{ "line1\n\nline2\n\n", "k: |+\n  line1\n\n  line2\n\n" },
	{ "\nlead", "k: |2-\n\n  lead\n" },
	{ "trailing space \nx", "k: \"trailing space \\nx\"\n" },
	{ "\xc3\xa9", "k: \xc3\xa9\n" },
	{ "\x01", "k: \"\\x01\"\n" },
};

START_TEST(strings_are_quoted_where_needed)
{
	g_autoptr(json_t) object = json_pack("{ss}", "k", quoted[_i].string);
	g_autofree char *yaml = yaml_print(object, YAML_AS_GIVEN);
	GError *error = NULL;
	g_autoptr(json_t) back = yaml_parse(yaml, strlen(yaml), YAML_TYPED, &error);

	ck_assert_str_eq(yaml, quoted[_i].yaml);
	ck_assert_msg(back != NULL, "%s", error ? error->message : "");
	ck_assert_str_eq(json_text(back, "k"), quoted[_i].string);
}
END_TEST

static json_t *parse(const char *yaml, enum yaml_types types)
{
	GError *error = NULL;
	json_t *value = yaml_parse(yaml, strlen(yaml), types, &error);

	ck_assert_msg(value != NULL, "%s", error ? error->message : "");
	return value;
}

static void same(const char *yaml, enum yaml_types types, const char *json)
{
	g_autoptr(json_t) value = parse(yaml, types);
	char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);

	ck_assert_str_eq(text, json);
	free(text);
}

START_TEST(scalars_have_types)
{
	same("", YAML_TYPED, "null");
	same("[1, -2, 0x10, 0b101, 017, 0o17, 1_000]", YAML_TYPED, "[1,-2,16,5,15,15,1000]");
	same("[yes, No, TRUE, off, ~, null, '']", YAML_TYPED,
	     "[true,false,true,false,null,null,\"\"]");
	same("[1.5, 1e3, .inf, 1:30, 2001-01-01]", YAML_TYPED,
	     "[1.5,1000.0,\".inf\",\"1:30\",\"2001-01-01\"]");
	same("['1', \"yes\", '|x']", YAML_TYPED, "[\"1\",\"yes\",\"|x\"]");
	same("a: 22.04\nb: yes\nc: 0123\nd:\n", YAML_TEXTS,
	     "{\"a\":\"22.04\",\"b\":\"yes\",\"c\":\"0123\",\"d\":null}");
	same("1: a\ntrue: b\n", YAML_TYPED, "{\"1\":\"a\",\"true\":\"b\"}");
}
END_TEST

START_TEST(json_is_yaml)
{
	same("{\"architecture\":\"x86_64\",\"n\":1,\"p\":{\"a/b\":\"c\\u0041\\n\"},\n"
	     "\t\"l\":[true,null]}",
	     YAML_TYPED,
	     "{\"architecture\":\"x86_64\",\"l\":[true,null],\"n\":1,\"p\":{\"a/b\":\"cA\\n\"}}");
}
END_TEST

START_TEST(anchors_and_merges)
{
	same("a: &x {k: 1, l: 2}\nb:\n  <<: *x\n  k: 3\nc: *x\n", YAML_TYPED,
	     "{\"a\":{\"k\":1,\"l\":2},\"b\":{\"k\":3,\"l\":2},\"c\":{\"k\":1,\"l\":2}}");
}
END_TEST

static void refused(const char *yaml, gsize len, const char *words)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(json_t) value = yaml_parse(yaml, len, YAML_TYPED, &error);

	ck_assert_msg(!value && error, "taken: %.60s", yaml);
	ck_assert_int_eq(error_status(error), 400);
	if (!strstr(error->message, words))
		ck_abort_msg("%s", error->message);
}

START_TEST(laughs_and_depths_are_refused)
{
	g_autoptr(GString) laughs = g_string_new("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
	g_autofree char *deep = g_strnfill(500, '[');
	const char *loop = "&a [*a]";

	for (int i = 1; i < 12; i++)
		g_string_append_printf(laughs, "a%d: &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d]\n",
				       i, i, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
	refused(laughs->str, laughs->len, "excessive aliasing");
	refused(loop, strlen(loop), "excessive aliasing");
	refused(deep, 500, "yaml: ");
	deep[180] = 0;
	memset(deep + 90, ']', 90);
	same(deep, YAML_TYPED, deep);
}
END_TEST

START_TEST(what_is_wrong_is_said)
{
	refused("a: b\n c: d\n", 11, "line 2");
	refused("a: [1\n", 6, "yaml: line");
	refused("? [a]\n: b\n", 10, "invalid map key");
	refused("a: \"\\0\"\n", 8, "zero byte");
	refused("a: \xff\n", 5, "yaml: ");
	refused("a: *b\n", 6, "yaml: ");
}
END_TEST

START_TEST(structures)
{
	g_autoptr(json_t) value = json_pack("{s{ss ss ss ss} s[ss] s{} s[] sb si sn s[{ss ss}]}",
					    "c", "eth10", "a", "eth2", "b", "user.x", "1", "A", "z",
					    "l", "one", "2", "empty", "none", "yes", 1, "n", 7,
					    "nil", "of", "name", "d", "type", "e");
	g_autofree char *given = yaml_print(value, YAML_AS_GIVEN);
	g_autofree char *sorted = yaml_print(value, YAML_SORTED);

	ck_assert_str_eq(given,
			 "c:\n  eth10: a\n  eth2: b\n  user.x: \"1\"\n  A: z\nl:\n- one\n- \"2\"\n"
			 "empty: {}\nnone: []\n\"yes\": true\n\"n\": 7\nnil: null\n"
			 "of:\n- name: d\n  type: e\n");
	ck_assert_str_eq(sorted,
			 "c:\n  A: z\n  eth2: b\n  eth10: a\n  user.x: \"1\"\nempty: {}\nl:\n"
			 "- one\n- \"2\"\n\"n\": 7\nnil: null\nnone: []\nof:\n- name: d\n"
			 "  type: e\n\"yes\": true\n");
}
END_TEST

START_TEST(times_are_plain_at_their_keys)
{
	const char *time = "2026-11-23T06:17:44.810749267Z";
	g_autoptr(json_t) value = json_pack("{ss ss ss}", "created_at", time, "user.created_at",
					    time, "last_used_at", "0001-01-01T00:00:00Z");
	g_autofree char *yaml = yaml_print(value, YAML_AS_GIVEN);

	ck_assert_str_eq(yaml, "created_at: 2026-11-23T06:17:44.810749267Z\n"
			       "user.created_at: \"2026-11-23T06:17:44.810749267Z\"\n"
			       "last_used_at: 0001-01-01T00:00:00Z\n");
	same(yaml, YAML_TYPED,
	     "{\"created_at\":\"2026-11-23T06:17:44.810749267Z\",\"last_used_at\":"
	     "\"0001-01-01T00:00:00Z\",\"user.created_at\":\"2026-11-23T06:17:44.810749267Z\"}");
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_loop_test(tests, strings_are_quoted_where_needed, 0, G_N_ELEMENTS(quoted));
	tcase_add_test(tests, scalars_have_types);
	tcase_add_test(tests, json_is_yaml);
	tcase_add_test(tests, anchors_and_merges);
	tcase_add_test(tests, laughs_and_depths_are_refused);
	tcase_add_test(tests, what_is_wrong_is_said);
	tcase_add_test(tests, structures);
	tcase_add_test(tests, times_are_plain_at_their_keys);
}

int main(void)
{
	return test_run("manager_yaml", fill);
}
