/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What objects may be called. */
#include <string.h>

#include "support.h"
#include "util/error.h"
#include "util/names.h"

typedef gboolean (*check)(const char *name, GError **error);

static const struct {
	check check;
	const char *name, *problem; /* NULL: fine */
} rows[] = {
	{ name_check_instance, "a", NULL },
	{ name_check_instance, "AbC--9", NULL },
	{ name_check_instance, "", "No name provided" },
	{ name_check_instance, "-a",
	  "Invalid instance name: Name must not start with \"-\" character" },
	{ name_check_instance, "a-",
	  "Invalid instance name: Name must not end with \"-\" character" },
	{ name_check_instance, "1a", "Invalid instance name: Name must not start with a number" },
	{ name_check_instance, "a/b", "The character \"/\" is reserved for snapshots" },
	{ name_check_instance, "a_b",
	  "Invalid instance name: Name can only contain alphanumeric and hyphen characters" },
	{ name_check_instance, "..",
	  "Invalid instance name: Name can only contain alphanumeric and hyphen characters" },
	{ name_check_instance, "\xc3\xa4",
	  "Invalid instance name: Name can only contain alphanumeric and hyphen characters" },
	{ name_check_snapshot, "snap0", NULL },
	{ name_check_snapshot, "a b", "Snapshot names may not contain spaces" },
	{ name_check_snapshot, "a/b", "Snapshot names may not contain slashes" },
	{ name_check_snapshot, "..", "Invalid snapshot name \"..\"" },
	{ name_check_profile, "a b", NULL },
	{ name_check_profile, "a/b", "Profile names may not contain slashes" },
	{ name_check_profile, ".", "Invalid profile name \".\"" },
	{ name_check_project, "p1", NULL },
	{ name_check_project, "a b", "Project names may not contain spaces" },
	{ name_check_project, "a_b", "Project names may not contain underscores" },
	{ name_check_project, "a'b", "Project names may not contain quotes" },
	{ name_check_project, "*", "Reserved project name" },
	{ name_check_project, "..", "Invalid project name \"..\"" },
	{ name_check_device, "eth0", NULL },
	{ name_check_device, "a/b:c_d.e-f", NULL },
	{ name_check_device, "", "Name must be 1-63 characters long" },
	{ name_check_device, "..", "Name must not start with \".\" character" },
	{ name_check_device, "a b",
	  "Name can only contain alphanumeric, forward slash, hyphen, colon, underscore and full"
	  " stop characters" },
	{ name_check_pool, "a:b", NULL },
	{ name_check_pool, "a b", "Storage name cannot contain white space" },
	{ name_check_pool, "a/b", "Storage pool names may not contain slashes" },
	{ name_check_pool, "..", "Invalid storage pool name \"..\"" },
	{ name_check_volume, "v1", NULL },
	{ name_check_volume, "..", "Invalid volume name \"..\"" },
	{ name_check_interface, "eth0", NULL },
	{ name_check_interface, "e", "Network interface is too short (minimum 2 characters)" },
	{ name_check_interface, "0123456789abcdef",
	  "Network interface is too long (maximum 15 characters)" },
	{ name_check_interface, "..", "Network interface name \"..\" is reserved" },
	{ name_check_interface, "a/b", "Network interface contains invalid characters" },
};

START_TEST(names)
{
	g_autoptr(GError) error = NULL;
	gboolean good = rows[_i].check(rows[_i].name, &error);

	ck_assert_int_eq(good, rows[_i].problem == NULL);
	if (rows[_i].problem) {
		ck_assert_str_eq(error->message, rows[_i].problem);
		ck_assert_int_eq(error_status(error), 400);
	}
}
END_TEST

START_TEST(lengths)
{
	char name[66] = { 0 };

	memset(name, 'a', 63);
	ck_assert(name_check_instance(name, NULL));
	ck_assert(name_check_device(name, NULL));
	name[63] = 'a';
	ck_assert(!name_check_instance(name, NULL));
	ck_assert(!name_check_device(name, NULL));
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_loop_test(tests, names, 0, G_N_ELEMENTS(rows));
	tcase_add_test(tests, lengths);
}

int main(void)
{
	return test_run("names", fill);
}
