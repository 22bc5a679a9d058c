/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The language of templates, and that their files stay in the instance. */
#include "support.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/template.h"
#include "util/copy.h"

static json_t *values(void)
{
	return json_pack("{s:s, s:{s:s, s:s}, s:{s:s, s:s}, s:[s, s, s], s:{s:s}, s:i}", "trigger",
			 "create", "container", "name", "c1", "privileged", "false", "config",
			 "user.a", "one", "user.empty", "", "list", "x", "y", "z", "properties",
			 "k", "v", "n", 3);
}

static const struct {
	const char *text, *result; /* NULL: an error */
} rows[] = {
	{ "", "" },
	{ "plain { % } text", "plain { % } text" },
	{ "{{ container.name }}\n", "c1\n" },
	{ "{{container.name}}{{ nothing.at.all }}", "c1" },
	{ "{{ config[\"user.a\"] }}", "one" },
	{ "{{ config_get(\"user.a\", \"two\") }}", "one" },
	{ "{{ config_get(\"user.b\", \"two\") }}", "two" },
	{ "{{ config_get(\"user.b\", properties.k) }}", "v" },
	{ "{{ config_get('user.b') }}", "" },
	{ "{{ container.name|upper }}", "C1" },
	{ "{{ nothing|default:\"d\" }}", "d" },
	{ "{{ container.name|default:\"d\"|length }}", "2" },
	{ "{{ list|join:\", \" }}", "x, y, z" },
	{ "{{ list|length }}{{ n }}", "33" },
	{ "{% if container.privileged == \"true\" %}p{% else %}u{% endif %}", "u" },
	{ "{% if trigger == \"copy\" %}1{% elif trigger == \"create\" %}2{% else %}3{% endif %}",
	  "2" },
	{ "{% if trigger == \"create\" %}1{% elif trigger == \"create\" %}2{% endif %}", "1" },
	{ "{% if n > 2 and not nothing %}y{% endif %}", "y" },
	{ "{% if n < 2 or n >= 3 %}y{% endif %}", "y" },
	{ "{% if n != 3 && true %}y{% else %}n{% endif %}", "n" },
	{ "{% if \"y\" in list %}in{% endif %}{% if !(\"q\" in list) %}out{% endif %}", "inout" },
	{ "{% for i in list %}{{ i }};{% endfor %}", "x;y;z;" },
	{ "{% for i in nothing %}{{ i }}{% endfor %}.", "." },
	{ "{% for k in properties %}{{ k }}={{ properties[k] }}{% endfor %}", "k=v" },
	{ "{% for i in list %}{% if i == \"y\" %}{{ i }}{% endif %}{% endfor %}{{ i }}", "y" },
	{ "{% if nothing %}{% for i in list %}{{ i }}{% endfor %}{% endif %}", "" },
	{ "a{# {{ broken #}b", "ab" },
	{ "{{ \"a\\\"b\\n\" }}", "a\"b\n" },
	{ "{{ container.name", NULL },
	{ "{{ \"open }}", NULL },
	{ "{% if trigger %}", NULL },
	{ "{% endif %}", NULL },
	{ "{% for i list %}{% endfor %}", NULL },
	{ "{% include \"/etc/passwd\" %}", NULL },
	{ "{{ open(\"/etc/passwd\") }}", NULL },
	{ "{{ container.name|shell }}", NULL },
	{ "{# open", NULL },
	{ "{{ }}", NULL },
};

START_TEST(language)
{
	g_autoptr(json_t) all = values();
	g_autoptr(GError) error = NULL;
	g_autofree char *text = template_render(rows[_i].text, all, &error);

	ck_assert_msg((text != NULL) == (rows[_i].result != NULL), "\"%s\": %s", rows[_i].text,
		      error ? error->message : text);
	if (text)
		ck_assert_str_eq(text, rows[_i].result);
	else
		ck_assert_int_eq(error_status(error), 400);
}
END_TEST

START_TEST(errors_tell_the_line)
{
	g_autoptr(json_t) all = values();
	g_autoptr(GError) error = NULL;

	ck_assert_ptr_null(template_render("a\nb\n{{ x|nofilter }}\n", all, &error));
	ck_assert_str_eq(error->message, "line 3: there is no such filter");
}
END_TEST

/* What a template can make the daemon do is bounded. */
START_TEST(bounded)
{
	g_autoptr(json_t) all = values();
	g_autoptr(GString) deep = g_string_new("{{ ");
	g_autoptr(GString) loops = g_string_new(NULL);

	for (int i = 0; i < 100000; i++)
		g_string_append_c(deep, '(');
	ck_assert_ptr_null(template_render(deep->str, all, NULL));
	for (int i = 0; i < 20; i++)
		g_string_append(loops, "{% for i in list %}");
	g_string_append(loops, "{{ i }}");
	for (int i = 0; i < 20; i++)
		g_string_append(loops, "{% endfor %}");
	ck_assert_ptr_null(template_render(loops->str, all, NULL));
}
END_TEST

/* --- files ------------------------------------------------------------------------------------ */

static char *volume;

static void put(const char *name, const char *text)
{
	g_autofree char *path = g_build_filename(volume, name, NULL);

	ck_assert(g_file_set_contents(path, text, -1, NULL));
}

static void make(const char *name)
{
	g_autofree char *path = g_build_filename(volume, name, NULL);

	ck_assert_int_eq(g_mkdir_with_parents(path, 0755), 0);
}

static char *get(const char *name)
{
	g_autofree char *path = g_build_filename(volume, name, NULL);
	char *text = NULL;

	g_file_get_contents(path, &text, NULL, NULL);
	return text;
}

static void setup(void)
{
	volume = g_dir_make_tmp("template-XXXXXX", NULL);
	make("rootfs/etc");
	make("templates");
	put("templates/a.tpl", "{{ trigger }} {{ path }} {{ properties.p }}\n");
}

static void teardown(void)
{
	copy_delete(volume, NULL, NULL);
	g_free(volume);
}

static gboolean apply(const char *trigger, GError **error)
{
	g_autofree char *rootfs = g_build_filename(volume, "rootfs", NULL);
	g_autoptr(json_t) empty = json_object();
	struct instance inst = {
		.name = "c1",
		.architecture = "x86_64",
		.path = volume,
		.rootfs = rootfs,
		.expanded_config = empty,
		.expanded_devices = empty,
	};

	return template_apply(&inst, trigger, NULL, error);
}

#define METADATA(path, more)                                                        \
	"templates:\n  " path ":\n    when: [create, start]\n    template: a.tpl\n" \
	"    properties: {p: q}\n" more

START_TEST(files_are_written_when_due)
{
	g_autofree char *first = NULL, *second = NULL;

	put("metadata.yaml", METADATA("/etc/new/f", ""));
	ck_assert(apply("copy", NULL));
	ck_assert_ptr_null(get("rootfs/etc/new/f"));
	ck_assert(apply("create", NULL));
	first = get("rootfs/etc/new/f");
	ck_assert_str_eq(first, "create /etc/new/f q\n");
	put("rootfs/etc/new/f", "a much longer text than that which a template makes of it\n");
	ck_assert(apply("start", NULL));
	second = get("rootfs/etc/new/f");
	ck_assert_str_eq(second, "start /etc/new/f q\n");
}
END_TEST

START_TEST(only_new_ones)
{
	g_autofree char *text = NULL;

	put("metadata.yaml", METADATA("/etc/f", "    create_only: true\n"));
	put("rootfs/etc/f", "mine");
	ck_assert(apply("create", NULL));
	text = get("rootfs/etc/f");
	ck_assert_str_eq(text, "mine");
}
END_TEST

/* Symlinks and ".." of the image end at the instance's root; fifos hold nobody up. */
START_TEST(nothing_leaves_the_root)
{
	g_autofree char *link = g_build_filename(volume, "rootfs/etc/out", NULL);
	g_autofree char *fifo = g_build_filename(volume, "rootfs/etc/fifo", NULL);
	g_autofree char *outside = g_build_filename(volume, "outside", NULL);
	g_autofree char *escaped = NULL;
	g_autoptr(GError) error = NULL;

	make("outside");
	ck_assert_int_eq(symlink(outside, link), 0);
	put("metadata.yaml", METADATA("/etc/out/f", ""));
	apply("create", NULL);
	ck_assert_ptr_null(get("outside/f"));
	put("metadata.yaml", METADATA("/../../escaped", ""));
	ck_assert(apply("create", NULL));
	ck_assert_ptr_null(get("escaped"));
	escaped = get("rootfs/escaped");
	ck_assert_ptr_nonnull(escaped);
	ck_assert_int_eq(mkfifo(fifo, 0600), 0);
	put("metadata.yaml", METADATA("/etc/fifo", ""));
	ck_assert(!apply("create", &error));
}
END_TEST

START_TEST(template_names_stay_in_their_directory)
{
	g_autoptr(GError) error = NULL;

	put("metadata.yaml", "templates:\n  /etc/f:\n    when: [create]\n    template: ../x\n");
	put("x", "secret");
	ck_assert(!apply("create", &error));
	ck_assert_str_eq(error->message,
			 "Attempting to read template outside of template directory");
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_loop_test(tests, language, 0, G_N_ELEMENTS(rows));
	tcase_add_test(tests, errors_tell_the_line);
	tcase_add_test(tests, bounded);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, files_are_written_when_due);
	tcase_add_test(tests, only_new_ones);
	tcase_add_test(tests, nothing_leaves_the_root);
	tcase_add_test(tests, template_names_stay_in_their_directory);
}

int main(void)
{
	return test_run("manager_template", fill);
}
