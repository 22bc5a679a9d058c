/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The text of seccomp profiles, and their files. */
#include <glib/gstdio.h>
#include <string.h>

#include "drivers/instance/seccomp.h"
#include "support.h"
#include "util/json.h"

static char *profile(const char *config)
{
	g_autoptr(json_t) map = json_loads(config, 0, NULL);

	ck_assert(map != NULL);
	return seccomp_profile(map, "x86_64");
}

START_TEST(the_default_denies_what_leaves_the_container)
{
	g_autofree char *text = profile("{}");

	ck_assert_str_eq(text, "2\ndenylist\n[all]\nreject_force_umount\nkexec_load errno 38\n"
			       "open_by_handle_at errno 38\ninit_module errno 38\n"
			       "finit_module errno 38\ndelete_module errno 38\n");
}
END_TEST

START_TEST(switched_off_there_is_none)
{
	ck_assert_ptr_null(profile("{\"security.syscalls.deny_default\":\"false\"}"));
	ck_assert_ptr_null(profile("{\"security.syscalls.blacklist_default\":\"no\"}"));
}
END_TEST

START_TEST(more_is_denied)
{
	g_autofree char *own = profile("{\"security.syscalls.deny_default\":\"0\","
				       "\"security.syscalls.deny\":\"bpf errno 1\\nkeyctl\"}");
	g_autofree char *compat = profile("{\"security.syscalls.deny_compat\":\"true\","
					  "\"security.syscalls.deny\":\"bpf errno 1\"}");
	const char *section = strstr(compat, "[x86_64]\n");
	guint lines = 0;

	ck_assert_str_eq(own, "2\ndenylist\n[all]\nbpf errno 1\nkeyctl\n");
	ck_assert_ptr_nonnull(section);
	ck_assert_ptr_nonnull(strstr(compat, "delete_module errno 38\nbpf errno 1\n[x86_64]\n"));
	for (const char *at = section; *at; at++)
		lines += *at == '\n';
	ck_assert_uint_eq(lines, 1 + 34);
}
END_TEST

START_TEST(a_list_of_what_is_allowed)
{
	g_autofree char *text = profile("{\"security.syscalls.allow\":\"read\\nwrite\"}");
	g_autofree char *old = profile("{\"security.syscalls.whitelist\":\"read\"}");

	ck_assert_str_eq(text, "2\nallowlist\n[all]\nread\nwrite\n");
	ck_assert_str_eq(old, "2\nallowlist\n[all]\nread\n");
}
END_TEST

START_TEST(raw_replaces_all)
{
	g_autofree char *text = profile("{\"raw.seccomp\":\"2\\nallowlist\\n[all]\\n\","
					"\"security.syscalls.allow\":\"x\"}");

	ck_assert_str_eq(text, "2\nallowlist\n[all]\n");
}
END_TEST

START_TEST(the_file_comes_and_goes)
{
	g_autofree char *dir = g_dir_make_tmp("seccomp-XXXXXX", NULL);
	g_autofree char *path = NULL;
	g_autofree char *again = NULL;
	g_autofree char *text = NULL;
	g_autofree char *security = g_build_filename(dir, "security", NULL);
	g_autofree char *seccomp = g_build_filename(security, "seccomp", NULL);
	g_autoptr(json_t) with = json_object();
	g_autoptr(json_t) without = json_pack("{ss}", "security.syscalls.deny_default", "false");

	ck_assert(seccomp_write(dir, "p_c1", with, "x86_64", &path, NULL));
	ck_assert(g_str_has_suffix(path, "/security/seccomp/p_c1"));
	ck_assert(g_file_get_contents(path, &text, NULL, NULL));
	ck_assert(g_str_has_prefix(text, "2\ndenylist\n"));
	ck_assert(seccomp_write(dir, "p_c1", without, "x86_64", &again, NULL));
	ck_assert_ptr_null(again);
	ck_assert(!g_file_test(path, G_FILE_TEST_EXISTS));
	g_rmdir(seccomp);
	g_rmdir(security);
	g_rmdir(dir);
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_test(tests, the_default_denies_what_leaves_the_container);
	tcase_add_test(tests, switched_off_there_is_none);
	tcase_add_test(tests, more_is_denied);
	tcase_add_test(tests, a_list_of_what_is_allowed);
	tcase_add_test(tests, raw_replaces_all);
	tcase_add_test(tests, the_file_comes_and_goes);
}

int main(void)
{
	return test_run("seccomp", fill);
}
