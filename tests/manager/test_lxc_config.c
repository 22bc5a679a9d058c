/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* liblxc's configuration: its lines, what may not get into it, and that liblxc takes it. */
#include <glib/gstdio.h>
#include <lxc/lxccontainer.h>
#include <string.h>

#include "drivers/instance/lxc_config.h"
#include "support.h"
#include "util/error.h"
#include "util/json.h"

static const struct lxc_host host = {
	.root = "/nonexistent",
	.layout = { .cpu = 1,
		    .cpuset = 1,
		    .devices = 1,
		    .io = 1,
		    .memory = 1,
		    .pids = 1,
		    .swap = TRUE,
		    .swappiness = TRUE,
		    .namespaces = TRUE },
	.helper = "/usr/libexec/lxd/lxd-container",
	.log_level = "warn",
};

static struct instance_spec spec_of(json_t *config)
{
	return (struct instance_spec){
		.place = { .id = "p_c1", .dir = "/d/containers", .log_dir = "/d/logs/p_c1" },
		.name = "c1",
		.project = "p",
		.lxd_dir = "/d",
		.architecture = "x86_64",
		.rootfs = "/d/containers/p_c1/rootfs",
		.config = config,
		.memory_total = 1 << 30,
	};
}

static char *text_of(const struct instance_spec *spec, const struct lxc_host *on)
{
	g_autoptr(GError) error = NULL;
	char *text = lxc_config_text(spec, on, &error);

	return text ? text : g_strdup_printf("error: %s", error->message);
}

static void has(const char *text, const char *line)
{
	g_autofree char *whole = g_strdup_printf("\n%s\n", line);
	g_autofree char *from = g_strdup_printf("\n%s", text);

	ck_assert_msg(strstr(from, whole) != NULL, "no line \"%s\" in\n%s", line, text);
}

static void hasnt(const char *text, const char *part)
{
	ck_assert_msg(strstr(text, part) == NULL, "\"%s\" in\n%s", part, text);
}

START_TEST(an_unprivileged_one)
{
	static struct idmap_entry both = { TRUE, TRUE, 100000, 0, 65536 };
	struct idmap map = { 1, &both };
	g_autoptr(json_t) config = json_pack("{ssssss}", "environment.A", "b c", "limits.memory",
					     "64MiB", "limits.kernel.nofile", "10:20");
	struct instance_spec spec = spec_of(config);
	g_autofree char *text = NULL;

	spec.idmap = &map;
	spec.rootfs_shifted = TRUE;
	text = text_of(&spec, &host);
	ck_assert(g_str_has_prefix(text, "lxc.log.file = /d/logs/p_c1/lxc.log\n"));
	has(text, "lxc.idmap = u 0 100000 65536");
	has(text, "lxc.idmap = g 0 100000 65536");
	has(text, "lxc.mount.auto = proc:rw sys:rw cgroup:mixed");
	has(text, "lxc.environment = A=b c");
	has(text, "lxc.cgroup.memory.limit_in_bytes = 67108864");
	has(text, "lxc.prlimit.nofile = 10:20");
	has(text, "lxc.rootfs.options = idmap=container");
	has(text, "lxc.uts.name = c1");
	has(text, "lxc.net.0.type = empty");
	has(text, "lxc.hook.post-stop = '/usr/libexec/lxd/lxd-container' hook '/d/unix.socket' 'p' "
		  "'c1' stop");
	hasnt(text, "lxc.cap.drop");
	hasnt(text, "devices.deny");
	hasnt(text, "lxc.hook.mount");
	hasnt(text, "apparmor");
}
END_TEST

START_TEST(a_privileged_one)
{
	g_autoptr(json_t) config = json_pack("{ss}", "security.nesting", "true");
	struct instance_spec spec = spec_of(config);
	struct lxc_host on = host;
	g_autofree char *text = NULL;

	on.apparmor = "label";
	on.seccomp = "/d/security/seccomp/p_c1";
	on.views_hook = "/usr/share/lxcfs/lxc.mount.hook";
	on.layout.devices = 2;
	spec.rootfs_shifted = TRUE; /* of no meaning here */
	text = text_of(&spec, &on);
	has(text, "lxc.cap.drop = sys_time sys_module sys_rawio mac_admin mac_override");
	has(text, "lxc.mount.auto = proc:mixed sys:mixed cgroup:mixed");
	has(text, "lxc.cgroup2.devices.deny = a");
	has(text, "lxc.cgroup2.devices.allow = c 10:229 rwm");
	has(text, "lxc.mount.entry = proc dev/.lxc/proc proc create=dir,optional 0 0");
	has(text, "lxc.apparmor.profile = label");
	has(text, "lxc.seccomp.profile = /d/security/seccomp/p_c1");
	has(text, "lxc.hook.mount = /usr/share/lxcfs/lxc.mount.hook");
	hasnt(text, "idmap");
}
END_TEST

START_TEST(mounts_devices_and_nics)
{
	static const struct instance_mount mounts[] = {
		{ "/a b\t\\c", "mnt/x y\nlxc.init.cmd = z", "none", "bind,create=dir", FALSE },
		{ "/s", "s", "none", "rbind", TRUE },
	};
	static const struct instance_device device = { 'c', 10, -1, "rw" };
	static const struct instance_nic nic = { "vethX", "eth0", "00:16:3e:00:00:01", NULL };
	static struct idmap_entry both = { TRUE, TRUE, 100000, 0, 65536 };
	struct idmap map = { 1, &both };
	struct instance_spec spec = spec_of(NULL);
	g_autofree char *text = NULL;

	spec.idmap = &map;
	spec.mounts = mounts;
	spec.n_mounts = 2;
	spec.devices = &device;
	spec.n_devices = 1;
	spec.nics = &nic;
	spec.n_nics = 1;
	text = text_of(&spec, &host);
	has(text,
	    "lxc.mount.entry = /a\\040b\\011\\134c mnt/x\\040y\\012lxc.init.cmd\\040=\\040z none "
	    "bind,create=dir 0 0");
	has(text, "lxc.mount.entry = /s s none rbind,idmap=container 0 0");
	has(text, "lxc.cgroup.devices.allow = c 10:* rw");
	has(text, "lxc.net.0.type = phys");
	has(text, "lxc.net.0.link = vethX");
	has(text, "lxc.net.0.hwaddr = 00:16:3e:00:00:01");
	hasnt(text, "lxc.net.0.mtu");
}
END_TEST

START_TEST(no_value_sets_another_key)
{
	static const char *const keys[] = { "environment.A", "linux.sysctl.a", "limits.kernel.core",
					    "environment.A\nlxc.init.cmd = x" };

	for (gsize i = 0; i < G_N_ELEMENTS(keys); i++) {
		g_autoptr(json_t) config = json_object();
		struct instance_spec spec = spec_of(config);
		g_autofree char *text = NULL;

		json_map_set(config, keys[i], i == 3 ? "x" : "1\nlxc.hook.start-host = /bin/evil");
		text = text_of(&spec, &host);
		ck_assert_msg(g_str_has_prefix(text, "error: "), "%s", text);
	}
}
END_TEST

START_TEST(a_hook_is_one_word_for_the_shell)
{
	struct instance_spec spec = spec_of(NULL);
	g_autofree char *text = NULL;

	spec.project = "a'; touch /evil; '";
	text = text_of(&spec, &host);
	ck_assert_ptr_nonnull(strstr(text, "'a'\\''; touch /evil; '\\'''"));
}
END_TEST

static void raw(const char *line, const char *words)
{
	g_autoptr(GError) error = NULL;
	gboolean ok = lxc_config_check_raw(line, &error);

	ck_assert_msg(ok == !words, "%s", line);
	if (words)
		ck_assert_str_eq(error->message, words);
}

START_TEST(raw_lxc)
{
	g_autoptr(json_t) config = json_pack("{ss}", "raw.lxc", "lxc.cap.drop = mknod\n# a word");
	struct instance_spec spec = spec_of(config);
	g_autofree char *text = text_of(&spec, &host);

	ck_assert(g_str_has_suffix(text, "lxc.cap.drop = mknod\n# a word\n"));
	raw("", NULL);
	raw("lxc.net.0.ipv4.address=1.2.3.4/8\nlxc.net.1.ipv6.gateway = auto", NULL);
	raw("  LXC.Log.File = /x", "Setting lxc.log.file is not allowed");
	raw("lxc.ephemeral=1", "Setting lxc.ephemeral is not allowed");
	raw("lxc.net.0.type=phys", "Only interface-specific ipv4/ipv6 lxc.net. keys are allowed");
	raw("lxc.net.x.ipv4.address=1",
	    "Only interface-specific ipv4/ipv6 lxc.net. keys are allowed");
	raw("lxc.prlimit.nofile=1",
	    "Process limits should be set via \"limits.kernel.[limit name]\" and not directly via "
	    "\"lxc.prlimit.[limit name]\"");
	raw("nonsense", "Invalid raw.lxc line: \"nonsense\"");
}
END_TEST

START_TEST(includes_without_another_lxcfs)
{
	g_autofree char *dir = g_dir_make_tmp("conf-XXXXXX", NULL);
	static const char *const names[] = { "00-lxcfs.conf", "20-b.conf", "10-a.conf", "README" };
	g_auto(GStrv) files = NULL;

	for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree char *path = g_build_filename(dir, names[i], NULL);

		ck_assert(g_file_set_contents(path, "", 0, NULL));
	}
	g_setenv("LXD_LXC_TEMPLATE_CONFIG", dir, TRUE);
	files = lxc_config_includes();
	ck_assert_uint_eq(g_strv_length(files), 2);
	ck_assert(g_str_has_suffix(files[0], "/10-a.conf"));
	ck_assert(g_str_has_suffix(files[1], "/20-b.conf"));
	for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree char *path = g_build_filename(dir, names[i], NULL);

		g_unlink(path);
	}
	g_rmdir(dir);
}
END_TEST

START_TEST(liblxc_takes_it)
{
	static struct idmap_entry both = { TRUE, TRUE, 100000, 0, 65536 };
	struct idmap map = { 1, &both };
	g_autofree char *dir = g_dir_make_tmp("conf-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(dir, "lxc.conf", NULL);
	g_autofree char *log = g_build_filename(dir, "lxc.log", NULL);
	g_autoptr(json_t)
		config = json_pack("{ssssss}", "security.nesting", "true", "limits.cpu.allowance",
				   "10ms/20ms", "linux.sysctl.net.ipv4.ip_forward", "1");
	struct instance_spec spec = spec_of(config);
	g_autofree char *text = NULL;
	struct lxc_container *c = lxc_container_new("p_c1", dir);
	char value[64] = "";

	spec.place.log_dir = dir;
	spec.idmap = &map;
	text = text_of(&spec, &host);
	ck_assert(g_file_set_contents(path, text, -1, NULL));
	ck_assert_ptr_nonnull(c);
	ck_assert(c->load_config(c, path));
	ck_assert_int_gt(c->get_config_item(c, "lxc.uts.name", value, sizeof value), 0);
	ck_assert_str_eq(value, "c1");
	lxc_container_put(c);
	g_unlink(path);
	g_unlink(log);
	g_rmdir(dir);
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_test(tests, an_unprivileged_one);
	tcase_add_test(tests, a_privileged_one);
	tcase_add_test(tests, mounts_devices_and_nics);
	tcase_add_test(tests, no_value_sets_another_key);
	tcase_add_test(tests, a_hook_is_one_word_for_the_shell);
	tcase_add_test(tests, raw_lxc);
	tcase_add_test(tests, includes_without_another_lxcfs);
	tcase_add_test(tests, liblxc_takes_it);
}

int main(void)
{
	return test_run("lxc_config", fill);
}
