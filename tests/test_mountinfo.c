/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lines of mountinfo, sound and not. */
#include <string.h>

#include "base/cleanup.h"
#include "mountinfo.h"
#include "support.h"

static bool parse(const char *text, struct mountinfo *ret)
{
	static char line[1024];

	strcpy(line, text);
	return mountinfo_parse(line, ret);
}

START_TEST(a_line)
{
	struct mountinfo m;

	ck_assert(parse("1036 978 0:52 /proc/meminfo /proc/meminfo ro,nosuid,relatime shared:1 "
			"master:2 - fuse.lxcfs lxcfs rw,user_id=0,group_id=0,allow_other\n",
			&m));
	ck_assert_uint_eq(m.id, 1036);
	ck_assert_uint_eq(m.parent, 978);
	ck_assert_uint_eq(m.major, 0);
	ck_assert_uint_eq(m.minor, 52);
	ck_assert_str_eq(m.root, "/proc/meminfo");
	ck_assert_str_eq(m.point, "/proc/meminfo");
	ck_assert_str_eq(m.type, "fuse.lxcfs");
	ck_assert(mountinfo_has_option(&m, "ro"));
	ck_assert(mountinfo_has_option(&m, "nosuid"));
	ck_assert(mountinfo_has_option(&m, "relatime"));
	ck_assert(!mountinfo_has_option(&m, "nodev"));
	ck_assert(!mountinfo_has_option(&m, "suid"));
	ck_assert(!mountinfo_has_option(&m, "rel"));
	ck_assert(!mountinfo_has_option(&m, "time"));
}
END_TEST

START_TEST(no_optional_fields)
{
	struct mountinfo m;

	ck_assert(parse("1 2 8:1 / / rw - ext4 /dev/sda1 rw", &m));
	ck_assert_str_eq(m.root, "/");
	ck_assert_str_eq(m.type, "ext4");
	ck_assert(mountinfo_has_option(&m, "rw"));
}
END_TEST

START_TEST(odd_names)
{
	struct mountinfo m;

	ck_assert(parse("1 2 8:1 /a\\040b\\134c /\\011\\012\\9\\04 rw - t s o", &m));
	ck_assert_str_eq(m.root, "/a b\\c");
	ck_assert_str_eq(m.point, "/\t\n\\9\\04");
}
END_TEST

START_TEST(what_is_gone_from_its_directory)
{
	struct mountinfo m;

	ck_assert(parse("1 2 0:9 /proc/stat//deleted /mnt//deleted rw - fuse.lxcfs lxcfs rw", &m));
	ck_assert_str_eq(m.root, "/proc/stat");
	ck_assert_str_eq(m.point, "/mnt//deleted");
	ck_assert(parse("1 2 0:9 //deleted /mnt rw - fuse.lxcfs lxcfs rw", &m));
	ck_assert_str_eq(m.root, "//deleted");
}
END_TEST

static const char *const nonsense[] = {
	"",
	"\n",
	"1 2 8:1 / /",
	"1 2 8:1 / / rw",
	"1 2 8:1 / / rw shared:1 ext4",
	"1 2 8:1 / / rw -",
	"a 2 8:1 / / rw - ext4 s o",
	"1 b 8:1 / / rw - ext4 s o",
	"1 2 81 / / rw - ext4 s o",
};

START_TEST(nonsense_is_no_line)
{
	struct mountinfo m = { .id = 7 };

	ck_assert(!parse(nonsense[_i], &m));
	ck_assert_uint_eq(m.id, 7);
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_test(tests, a_line);
	tcase_add_test(tests, no_optional_fields);
	tcase_add_test(tests, odd_names);
	tcase_add_test(tests, what_is_gone_from_its_directory);
	tcase_add_loop_test(tests, nonsense_is_no_line, 0, ARRAY_SIZE(nonsense));
}

int main(void)
{
	return test_run("mountinfo", fill);
}
