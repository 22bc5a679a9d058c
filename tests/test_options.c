/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command line. */
#include <errno.h>
#include <string.h>
#include <sys/mount.h>

#include "base/cleanup.h"
#include "options.h"
#include "support.h"

/* Parses words, the last of them NULL; the program's name is added. */
static int parse(struct options *o, char **words)
{
	char *argv[32] = { (char *)"lxcfs" };
	int argc = 1;

	while (words[argc - 1] && argc < 31) {
		argv[argc] = words[argc - 1];
		argc++;
	}
	return options_parse(argc, argv, o);
}

#define PARSE(o, ...) parse(o, (char *[]){ __VA_ARGS__, NULL })

START_TEST(defaults)
{
	struct options o;

	ck_assert_int_eq(PARSE(&o, "/mnt"), 0);
	ck_assert_int_eq(o.action, OPTIONS_SERVE);
	ck_assert_str_eq(o.mountpoint, "/mnt");
	ck_assert_str_eq(o.pidfile, RUNTIME_PATH "/lxcfs.pid");
	ck_assert_str_eq(o.source, "lxcfs");
	ck_assert_str_eq(o.mount_data, "");
	ck_assert_uint_eq(o.mount_flags, MS_NOSUID | MS_NODEV);
	ck_assert_uint_eq(o.engine_flags, 0);
	ck_assert(!o.debug);
	options_free(&o);
}
END_TEST

/* One option alone, and what it sets in the engine. */
static const struct {
	const char *option;
	unsigned flags;
} engine_options[] = {
	{ "-l", LXCFS_LOADAVG },
	{ "--enable-loadavg", LXCFS_LOADAVG },
	{ "-u", LXCFS_NO_SWAP },
	{ "--disable-swap", LXCFS_NO_SWAP },
	{ "-z", LXCFS_NO_ZSWAP },
	{ "--disable-zswap", LXCFS_NO_ZSWAP },
	{ "--enable-cfs", LXCFS_CFS },
	{ "--enable-psi-poll", LXCFS_PSI_POLL },
	{ "--disable-cgroup", LXCFS_NO_CGROUP },
	{ "--enable-cgroup", 0 },
	{ "--enable-pidfd", 0 },
	{ "-s", 0 },
	{ "-f", 0 },
	{ "--foreground", 0 },
	{ "-lu", LXCFS_LOADAVG | LXCFS_NO_SWAP },
};

START_TEST(each_option_before_and_after)
{
	char *option = (char *)engine_options[_i].option;
	struct options o;

	ck_assert_int_eq(PARSE(&o, option, "/mnt"), 0);
	ck_assert_uint_eq(o.engine_flags, engine_options[_i].flags);
	options_free(&o);
	ck_assert_int_eq(PARSE(&o, "/mnt", option), 0);
	ck_assert_uint_eq(o.engine_flags, engine_options[_i].flags);
	ck_assert_str_eq(o.mountpoint, "/mnt");
	options_free(&o);
}
END_TEST

START_TEST(pidfile_and_runtime_dir)
{
	struct options o;

	ck_assert_int_eq(PARSE(&o, "/mnt", "--runtime-dir", "/a"), 0);
	ck_assert_str_eq(o.pidfile, "/a/lxcfs.pid");
	options_free(&o);
	ck_assert_int_eq(PARSE(&o, "--runtime-dir=/a", "/mnt", "-p", "/b", "--pidfile=/c"), 0);
	ck_assert_str_eq(o.pidfile, "/c");
	options_free(&o);
}
END_TEST

START_TEST(mount_options)
{
	struct options o;

	ck_assert_int_eq(PARSE(&o, "-o", "allow_other,ro,,suid", "/mnt", "-o", "noexec,fsname=x",
			       "-oattr_timeout=0.5,nonempty"),
			 0);
	ck_assert_uint_eq(o.mount_flags, MS_RDONLY | MS_NODEV | MS_NOEXEC);
	ck_assert_str_eq(o.source, "x");
	ck_assert_str_eq(o.mount_data, "");
	options_free(&o);
	/* The last word counts, and a quoted comma is part of the value. */
	ck_assert_int_eq(PARSE(&o, "/mnt", "-o", "ro,context=\"u:r:t:s0:c1,c2\",rw"), 0);
	ck_assert_uint_eq(o.mount_flags, MS_NOSUID | MS_NODEV);
	ck_assert_str_eq(o.mount_data, ",context=\"u:r:t:s0:c1,c2\"");
	options_free(&o);
}
END_TEST

static const struct {
	const char *words[4];
	const char *problem;
} wrong[] = {
	{ { "-l" }, "no mount point" },
	{ { "/a", "/b" }, "/b is too much" },
	{ { "/a", "-x" }, "unknown option -x" },
	{ { "-lx", "/a" }, "unknown option -x" },
	{ { "--unknown", "/a" }, "unknown option --unknown" },
	{ { "/a", "--unknown" }, "unknown option --unknown" },
	{ { "/a", "-p" }, "option -p needs a value" },
	{ { "/a", "-o", "ro,unknown" }, "unknown mount option -o unknown" },
	{ { "/a", "-o", "fsname=" }, "unknown mount option -o fsname=" },
	{ { "/a", "-o", "read" }, "unknown mount option -o read" },
};

START_TEST(wrong_lines_are_explained)
{
	struct options o;

	ck_assert_int_eq(parse(&o, (char **)wrong[_i].words), -EINVAL);
	ck_assert_msg(strstr(o.problem, wrong[_i].problem), "%s", o.problem);
	ck_assert_ptr_null(strchr(o.problem, '\n'));
	options_free(&o);
}
END_TEST

START_TEST(help_and_version_need_no_mount_point)
{
	struct options o;

	ck_assert_int_eq(PARSE(&o, "--help"), 0);
	ck_assert_int_eq(o.action, OPTIONS_HELP);
	options_free(&o);
	ck_assert_int_eq(PARSE(&o, "-v"), 0);
	ck_assert_int_eq(o.action, OPTIONS_VERSION);
	options_free(&o);
	for (size_t i = 0; i < ARRAY_SIZE(engine_options); i++)
		if (engine_options[i].option[1] == '-')
			ck_assert_ptr_nonnull(strstr(options_help(), engine_options[i].option));
}
END_TEST

START_TEST(reattach)
{
	struct options o;

	ck_assert_int_eq(PARSE(&o, "--reattach"), 0);
	ck_assert_int_eq(o.action, OPTIONS_REATTACH);
	ck_assert_str_eq(o.mountpoint, MOUNTPOINT);
	ck_assert_ptr_null(o.reattach_devices);
	options_free(&o);
	ck_assert_int_eq(PARSE(&o, "/mnt", "--reattach=0:45,0:46"), 0);
	ck_assert_int_eq(o.action, OPTIONS_REATTACH);
	ck_assert_str_eq(o.mountpoint, "/mnt");
	ck_assert_str_eq(o.reattach_devices, "0:45,0:46");
	options_free(&o);
	ck_assert_int_eq(PARSE(&o, "--reattach", "/mnt", "/srv"), -EINVAL);
	options_free(&o);
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_test(tests, defaults);
	tcase_add_loop_test(tests, each_option_before_and_after, 0, ARRAY_SIZE(engine_options));
	tcase_add_test(tests, pidfile_and_runtime_dir);
	tcase_add_test(tests, mount_options);
	tcase_add_loop_test(tests, wrong_lines_are_explained, 0, ARRAY_SIZE(wrong));
	tcase_add_test(tests, help_and_version_need_no_mount_point);
	tcase_add_test(tests, reattach);
}

int main(void)
{
	return test_run("options", fill);
}
