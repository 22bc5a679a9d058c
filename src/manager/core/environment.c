/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What kind of machine and daemon this is. */
#include "core/environment.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "util/json.h"

/* --- liblxc ----------------------------------------------------------------------- */

static const char *const liblxc_features[] = {
	"cgroup2",
	"core_scheduling",
	"devpts_fd",
	"idmapped_mounts_v2",
	"mount_injection_file",
	"network_gateway_device_route",
	"network_ipvlan",
	"network_l2proxy",
	"network_phys_macvlan_mtu",
	"network_veth_router",
	"pidfd",
	"seccomp_allow_deny_syntax",
	"seccomp_notify",
	"seccomp_proxy_send_notify_fd",
};

int environment_print_liblxc(void)
{
	void *lib = dlopen("liblxc.so.1", RTLD_NOW);
	const char *(*version)(void) = lib ? dlsym(lib, "lxc_get_version") : NULL;
	bool (*has)(const char *) = lib ? dlsym(lib, "lxc_has_api_extension") : NULL;
	g_autoptr(json_t) features = json_object();
	g_autoptr(json_t) all = NULL;

	for (gsize i = 0; i < G_N_ELEMENTS(liblxc_features); i++)
		json_object_set_new(features, liblxc_features[i],
				    json_string(has && has(liblxc_features[i]) ? "true" : "false"));
	all = json_pack("{s:s, s:O}", "version", version ? version() : "", "features", features);
	json_dumpf(all, stdout, JSON_COMPACT);
	return 0;
}

static json_t *read_liblxc(void)
{
	g_autofree char *self = g_file_read_link("/proc/self/exe", NULL), *text = NULL;
	char *argv[] = { self, (char *)"liblxc", NULL };
	json_t *answer = NULL;

	if (self && g_spawn_sync(NULL, argv, NULL, G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, &text,
				 NULL, NULL, NULL))
		answer = json_loads(text, 0, NULL);
	return answer ? answer : json_object();
}

/* --- the kernel ----------------------------------------------------------------------- */

static gboolean seccomp_can(unsigned action)
{
	return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

/* MAJOR.MINOR of the running kernel is at least this. */
static gboolean kernel_since(const struct utsname *uts, int major, int minor)
{
	int a = 0, b = 0;

	sscanf(uts->release, "%d.%d", &a, &b);
	return a > major || (a == major && b >= minor);
}

static const char *word(gboolean value)
{
	return value ? "true" : "false";
}

static json_t *kernel_features(const struct utsname *uts)
{
	gboolean notify = seccomp_can(SECCOMP_RET_USER_NOTIF);

	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "idmapped_mounts",
			 word(kernel_since(uts, 5, 12)), "netnsid_getifaddrs",
			 word(kernel_since(uts, 4, 20)), "seccomp_listener", word(notify),
			 "seccomp_listener_continue", word(notify && kernel_since(uts, 5, 5)),
			 "shiftfs", "false", "uevent_injection", word(kernel_since(uts, 4, 18)),
			 "unpriv_fscaps", word(kernel_since(uts, 4, 14)));
}

json_t *environment_architectures(void)
{
	static const struct {
		const char *machine, *second;
	} known[] = { { "x86_64", "i686" },
		      { "aarch64", "armv7l" },
		      { "s390x", NULL },
		      { "ppc64le", NULL },
		      { "riscv64", NULL } };
	struct utsname uts;
	json_t *list = json_array();

	uname(&uts);
	json_array_append_new(list, json_string(uts.machine));
	for (gsize i = 0; i < G_N_ELEMENTS(known); i++)
		if (strcmp(uts.machine, known[i].machine) == 0 && known[i].second)
			json_array_append_new(list, json_string(known[i].second));
	return list;
}

/* --- all ---------------------------------------------------------------------------------- */

static char *os_release(const char *key)
{
	g_autofree char *value = g_get_os_info(key);

	return value ? g_steal_pointer(&value) : g_strdup("");
}

static const char *firewall(void)
{
	g_autofree char *nft = g_find_program_in_path("nft");

	return nft ? "nftables" : "xtables";
}

json_t *environment_read(const struct daemon *daemon)
{
	g_autoptr(json_t) liblxc = read_liblxc();
	g_autofree char *os = os_release(G_OS_INFO_KEY_NAME);
	g_autofree char *version = os_release(G_OS_INFO_KEY_VERSION_ID);
	json_t *all = json_object(), *features = json_object_get(liblxc, "features");
	struct utsname uts;

	uname(&uts);
	json_object_set_new(all, "addresses", json_array());
	json_object_set_new(all, "architectures", environment_architectures());
	json_object_set_new(all, "certificate", json_string(""));
	json_object_set_new(all, "certificate_fingerprint", json_string(""));
	json_object_set_new(all, "driver", json_string("lxc"));
	json_object_set_new(all, "driver_version", json_string(json_text(liblxc, "version")));
	json_object_set_new(all, "firewall", json_string(firewall()));
	json_object_set_new(all, "kernel", json_string(uts.sysname));
	json_object_set_new(all, "kernel_architecture", json_string(uts.machine));
	json_object_set_new(all, "kernel_features", kernel_features(&uts));
	json_object_set_new(all, "kernel_version", json_string(uts.release));
	json_object_set_new(all, "lxc_features", json_map_copy(features));
	json_object_set_new(all, "os_name", json_string(os));
	json_object_set_new(all, "os_version", json_string(version));
	json_object_set_new(all, "server", json_string("lxd"));
	json_object_set_new(all, "server_clustered", json_false());
	json_object_set_new(all, "server_event_mode", json_string("full-mesh"));
	json_object_set_new(all, "server_name", json_string(daemon->server_name));
	json_object_set_new(all, "server_pid", json_integer(getpid()));
	json_object_set_new(all, "server_version", json_string(LXD_VERSION));
	return all;
}
