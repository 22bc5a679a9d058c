/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Kinds of devices: their options, what they refuse, what a start comes to and leaves behind. */
#include "support.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "core/device.h"
#include "util/copy.h"

/* Every kind has all that it must have, and each option once. */
START_TEST(kinds_are_whole)
{
	for (const struct device_kind *const *kind = device_kinds; *kind; kind++) {
		ck_assert_ptr_nonnull((*kind)->start);
		ck_assert_ptr_nonnull((*kind)->stop);
		ck_assert_ptr_nonnull((*kind)->clean);
		for (const struct device_option *a = (*kind)->options; a->name; a++) {
			if (a->flags & DEVICE_LIVE)
				ck_assert_ptr_nonnull((*kind)->update);
			for (const struct device_option *b = a + 1; b->name; b++)
				ck_assert_str_ne(a->name, b->name);
		}
	}
}
END_TEST

static const struct {
	const char *device, *message; /* NULL: it is right */
} rows[] = {
	{ "{\"type\":\"none\"}", NULL },
	{ "{\"type\":\"foo\"}", "Failed loading device \"d\": Unsupported device type" },
	{ "{\"type\":\"nic\"}", "Failed loading device \"d\": Unsupported device type" },
	{ "{\"type\":\"nic\",\"nictype\":\"p2p\"}", NULL },
	{ "{\"type\":\"nic\",\"nictype\":\"p2p\",\"foo\":\"1\"}", "Invalid device option \"foo\"" },
	{ "{\"type\":\"nic\",\"nictype\":\"p2p\",\"hwaddr\":\"00:16:3e:01:02:03\"}", NULL },
	{ "{\"type\":\"nic\",\"nictype\":\"p2p\",\"hwaddr\":\"00:16:3e:01:02\"}",
	  "Invalid value for device option \"hwaddr\"" },
	{ "{\"type\":\"nic\",\"nictype\":\"p2p\",\"name\":\"much-too-long-a-name\"}",
	  "Invalid value for device option \"name\"" },
	{ "{\"type\":\"nic\",\"nictype\":\"p2p\",\"ipv4.routes\":\"10.0.0.0/24, 10.1.0.1\"}",
	  NULL },
	{ "{\"type\":\"nic\",\"nictype\":\"p2p\",\"ipv4.routes\":\"10.0.0.0.0\"}",
	  "Invalid value for device option \"ipv4.routes\"" },
	{ "{\"type\":\"disk\",\"path\":\"/\",\"pool\":\"p\"}", NULL },
	{ "{\"type\":\"disk\",\"path\":\"/\"}", "Root disk entry must have a \"pool\"" },
	{ "{\"type\":\"disk\",\"path\":\"/\",\"pool\":\"p\",\"source\":\"/x\"}",
	  "Root disk entry may not have a \"source\"" },
	{ "{\"type\":\"disk\",\"path\":\"/x\"}", "Disk entry is missing" },
	{ "{\"type\":\"disk\",\"path\":\"/x\",\"source\":\"/nowhere\"}", NULL },
	{ "{\"type\":\"disk\",\"path\":\"/../x\",\"source\":\"/tmp\"}",
	  "Invalid value for device option \"path\"" },
	{ "{\"type\":\"disk\",\"path\":\"/x\",\"source\":\"tmp\"}",
	  "Source path must be absolute" },
	{ "{\"type\":\"disk\",\"path\":\"/x\",\"source\":\"/tmp\",\"readonly\":\"maybe\"}",
	  "Invalid value for device option \"readonly\"" },
	{ "{\"type\":\"disk\",\"path\":\"/x\",\"source\":\"/tmp\",\"propagation\":\"rslave\"}",
	  NULL },
	{ "{\"type\":\"disk\",\"path\":\"/x\",\"source\":\"/tmp\",\"propagation\":\"no\"}",
	  "Invalid value for device option \"propagation\"" },
	{ "{\"type\":\"unix-char\"}", "Unix device entry is missing" },
	{ "{\"type\":\"unix-char\",\"path\":\"/dev/x\",\"major\":\"1\"}", "Both major and minor" },
	{ "{\"type\":\"unix-char\",\"path\":\"/dev/x\",\"major\":\"1\",\"minor\":\"5\"}", NULL },
	{ "{\"type\":\"unix-char\",\"path\":\"dev/x\"}",
	  "Invalid value for device option \"path\": Not an absolute path" },
	{ "{\"type\":\"unix-char\",\"path\":\"/dev/zero\",\"mode\":\"0888\"}",
	  "Invalid value for device option \"mode\"" },
	{ "{\"type\":\"unix-block\",\"path\":\"/dev/x\",\"uid\":\"-1\"}",
	  "Invalid value for device option \"uid\"" },
};

START_TEST(checked)
{
	g_autofree char *text = g_strdup_printf("{\"d\":%s}", rows[_i].device);
	g_autoptr(json_t) devices = json_loads(text, 0, NULL);
	g_autoptr(GError) error = NULL;
	gboolean ok = devices_check(devices, &error);

	ck_assert_msg(ok == !rows[_i].message, "%s: %s", rows[_i].device,
		      error ? error->message : "taken");
	if (!ok) {
		ck_assert_int_eq(error_status(error), 400);
		ck_assert_msg(strstr(error->message, rows[_i].message), "%s", error->message);
		ck_assert(g_str_has_prefix(
			error->message, "Invalid devices: Device validation failed for \"d\": "));
	}
}
END_TEST

START_TEST(order)
{
	g_autoptr(json_t) devices = json_loads(
		"{\"z\":{\"type\":\"unix-char\"},\"b\":{\"type\":\"disk\",\"path\":\"/b\"},"
		"\"r\":{\"type\":\"disk\",\"path\":\"/\"},\"n\":{\"type\":\"nic\"},"
		"\"a\":{\"type\":\"disk\",\"path\":\"/a\"},\"k\":{\"type\":\"none\"},"
		"\"m\":{\"type\":\"nic\"}}",
		0, NULL);
	g_autoptr(GPtrArray) names = devices_sorted(devices);

	g_ptr_array_add(names, NULL);
	g_autofree char *text = g_strjoinv(" ", (char **)names->pdata);

	ck_assert_str_eq(text, "m n r a b z k");
}
END_TEST

/* --- starts ------------------------------------------------------------------------------------
 */

static char *dir;

static void setup(void)
{
	dir = g_dir_make_tmp("device-XXXXXX", NULL);
}

static void teardown(void)
{
	copy_delete(dir, NULL, NULL);
	g_free(dir);
}

static const struct instance_mount *mount_at(const struct device_run *run, guint i)
{
	ck_assert_uint_lt(i, run->mounts->len);
	return &g_array_index(run->mounts, struct instance_mount, i);
}

START_TEST(bind_of_a_directory)
{
	g_autoptr(json_t)
		config = json_pack("{s:s, s:s, s:s, s:s, s:s}", "type", "disk", "source", dir,
				   "path", "/mnt/x", "readonly", "yes", "shift", "true");
	struct device device = { .name = "d", .config = config, .dir = dir };
	g_autoptr(device_run_t) run = device_run_new();

	ck_assert(device_disk.start(&device, run, NULL));
	ck_assert_str_eq(mount_at(run, 0)->source, dir);
	ck_assert_str_eq(mount_at(run, 0)->target, "mnt/x");
	ck_assert_str_eq(mount_at(run, 0)->options, "bind,create=dir,ro");
	ck_assert(mount_at(run, 0)->shifted);
}
END_TEST

START_TEST(sources_that_are_not_there)
{
	g_autoptr(json_t) config = json_pack("{s:s, s:s, s:s}", "type", "disk", "source",
					     "/nowhere/at/all", "path", "/x");
	struct device device = { .name = "d", .config = config, .dir = dir };
	g_autoptr(device_run_t) run = device_run_new();
	g_autoptr(GError) error = NULL;

	ck_assert(!device_disk.start(&device, run, &error));
	ck_assert_str_eq(error->message, "Missing source path \"/nowhere/at/all\" for disk \"d\"");
	json_map_set(config, "required", "false");
	ck_assert(device_disk.start(&device, run, NULL));
	ck_assert_uint_eq(run->mounts->len, 0);
}
END_TEST

/* The node has the instance's owner, and goes with what stop() and clean() say. */
START_TEST(nodes)
{
	g_autoptr(json_t)
		config = json_pack("{s:s, s:s, s:s, s:s, s:s}", "type", "unix-char", "source",
				   "/dev/zero", "path", "/dev/my-zero", "gid", "5", "mode", "0604");
	g_autoptr(idmap_t) idmap = idmap_new();
	struct device device = { .name = "d-1", .config = config, .dir = dir, .idmap = idmap };
	g_autoptr(device_run_t) run = device_run_new(), out = device_run_new();
	g_autofree char *at = device_file(&device, "unix", "/dev/my-zero");
	struct instance_device node;
	struct stat st;

	if (geteuid() != 0)
		return;
	idmap_add(idmap, (struct idmap_entry){ TRUE, TRUE, 100000, 0, 65536 }, NULL);
	ck_assert(g_str_has_suffix(at, "/unix.d--1.dev-my--zero"));
	ck_assert(device_unix_char.start(&device, run, NULL));
	ck_assert_int_eq(lstat(at, &st), 0);
	ck_assert(S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 5));
	ck_assert_uint_eq(st.st_mode & 07777, 0604);
	ck_assert_uint_eq(st.st_uid, 100000);
	ck_assert_uint_eq(st.st_gid, 100005);
	node = g_array_index(run->devices, struct instance_device, 0);
	ck_assert(node.type == 'c' && node.major == 1 && node.minor == 5);
	ck_assert_str_eq(mount_at(run, 0)->target, "dev/my-zero");
	ck_assert(device_unix_char.stop(&device, out, NULL));
	ck_assert_str_eq(mount_at(out, 0)->options, DEVICE_OWN_TARGET);
	ck_assert_uint_eq(out->devices->len, 1);
	device_unix_char.clean(&device);
	device_unix_char.clean(&device);
	ck_assert_int_ne(lstat(at, &st), 0);
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, kinds_are_whole);
	tcase_add_loop_test(tests, checked, 0, G_N_ELEMENTS(rows));
	tcase_add_test(tests, order);
	tcase_add_test(tests, bind_of_a_directory);
	tcase_add_test(tests, sources_that_are_not_there);
	tcase_add_test(tests, nodes);
}

int main(void)
{
	return test_run("manager_device", fill);
}
