/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* AppArmor profiles: their names, and that the parser takes every form of them. */
#include <glib/gstdio.h>
#include <string.h>
#include <sys/wait.h>

#include "drivers/instance/apparmor.h"
#include "support.h"

static const struct apparmor_spec plain = {
	.lxd_dir = "/var/lib/lxd",
	.id = "c1",
	.raw = "",
};

/* What the parser of this machine says; 0 where there is none. */
static int parse(const char *text, char **ret_said)
{
	g_autofree char *parser = g_find_program_in_path("apparmor_parser");
	g_autofree char *name = NULL;
	int fd = g_file_open_tmp("profile-XXXXXX", &name, NULL);
	int status = 0;

	ck_assert_int_ge(fd, 0);
	close(fd);
	ck_assert(g_file_set_contents(name, text, -1, NULL));
	if (parser) {
		char *argv[] = { parser, "-QTK", name, NULL };

		ck_assert(g_spawn_sync(NULL, argv, NULL, G_SPAWN_STDOUT_TO_DEV_NULL, NULL, NULL,
				       NULL, ret_said, &status, NULL));
	}
	g_unlink(name);
	return status;
}

START_TEST(names)
{
	struct apparmor_spec spec = plain;
	g_autofree char *name = apparmor_name(&spec);
	g_autofree char *label = apparmor_label(&spec);
	g_autofree char *stacked = NULL;

	ck_assert_str_eq(name, "lxd-c1_</var/lib/lxd>");
	ck_assert_str_eq(label, name);
	spec.nesting = spec.stacking = TRUE;
	stacked = apparmor_label(&spec);
	ck_assert_str_eq(stacked, "lxd-c1_</var/lib/lxd>//&:lxd-c1_<var-lib-lxd>:");
	spec.privileged = TRUE;
	g_free(label);
	label = apparmor_label(&spec);
	ck_assert_str_eq(label, name);
}
END_TEST

START_TEST(the_parser_takes_every_form)
{
	for (unsigned form = 0; form < 16; form++) {
		struct apparmor_spec spec = plain;
		g_autofree char *text = NULL;
		g_autofree char *said = NULL;

		spec.privileged = !!(form & 1);
		spec.nesting = !!(form & 2);
		spec.stacking = !!(form & 4);
		spec.cgroup2 = !!(form & 8);
		spec.raw = form & 1 ? "mount fstype=nfs,\ndeny /root/** w," : "";
		text = apparmor_profile(&spec);
		ck_assert_msg(parse(text, &said) == 0, "form %u: %s\n%s", form, said, text);
	}
}
END_TEST

START_TEST(a_wrong_rule_is_noticed)
{
	struct apparmor_spec spec = plain;
	g_autofree char *parser = g_find_program_in_path("apparmor_parser");
	g_autofree char *text = NULL;
	g_autofree char *said = NULL;

	spec.raw = "this is no rule";
	text = apparmor_profile(&spec);
	ck_assert_ptr_nonnull(strstr(text, "  this is no rule\n}\n"));
	ck_assert(!parser || parse(text, &said) != 0);
}
END_TEST

START_TEST(only_privileged_ones_are_told_what_to_mount)
{
	struct apparmor_spec spec = plain;
	g_autofree char *unprivileged = apparmor_profile(&spec);
	g_autofree char *privileged = NULL;

	spec.privileged = TRUE;
	privileged = apparmor_profile(&spec);
	ck_assert_ptr_nonnull(strstr(unprivileged, "\n  mount,\n"));
	ck_assert_ptr_null(strstr(privileged, "\n  mount,\n"));
	ck_assert_ptr_nonnull(strstr(privileged, "deny /sys/kernel/security/** rwklx,"));
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_test(tests, names);
	tcase_add_test(tests, the_parser_takes_every_form);
	tcase_add_test(tests, a_wrong_rule_is_noticed);
	tcase_add_test(tests, only_privileged_ones_are_told_what_to_mount);
}

int main(void)
{
	return test_run("apparmor", fill);
}
