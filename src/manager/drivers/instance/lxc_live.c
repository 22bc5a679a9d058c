/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Changes to a container that runs: limits, devices, mounts, network interfaces. */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "drivers/instance/limits.h"
#include "drivers/instance/lxc_netns.h"
#include "drivers/instance/lxc_private.h"
#include "util/error.h"
#include "util/mount.h"

/* --- limits ---------------------------------------------------------------------- */

gboolean lxc_limit(const struct instance_spec *spec, const char *key, GError **error)
{
	g_autoptr(lxc_container) c = lxc_open(&spec->place, error);
	struct cgroup_layout layout;
	struct limits_spec limits = {
		.layout = &layout,
		.config = spec->config,
		.cpus = spec->cpus,
		.memory_total = spec->memory_total,
		.key = key,
		.live = TRUE,
	};
	g_autoptr(GPtrArray) items = NULL;

	if (!c)
		return FALSE;
	cgroup_layout_read("", &layout);
	items = limits_items(&limits, error);
	for (guint i = 0; items && i < items->len; i++) {
		const struct limit *l = items->pdata[i];

		if (!c->set_cgroup_item(c, l->file, l->value) && !l->may_fail)
			return fail(error, 500, "Failed to set cgroup %s=\"%s\"", l->file,
				    l->value);
	}
	return items != NULL;
}

/* --- devices --------------------------------------------------------------------- */

static gboolean set_device(const struct instance_place *place, const char *file,
			   const struct instance_device *device, GError **error)
{
	g_autoptr(lxc_container) c = lxc_open(place, error);
	g_autofree char *major = device->major < 0 ? g_strdup("*")
						   : g_strdup_printf("%d", device->major);
	g_autofree char *minor = device->minor < 0 ? g_strdup("*")
						   : g_strdup_printf("%d", device->minor);
	g_autofree char *rule = g_strdup_printf("%c %s:%s %s", device->type, major, minor,
						device->access);

	if (!c)
		return FALSE;
	return c->set_cgroup_item(c, file, rule) ||
	       fail(error, 500, "Failed to set cgroup %s=\"%s\"", file, rule);
}

gboolean lxc_device_add(const struct instance_place *place, const struct instance_device *device,
			GError **error)
{
	return set_device(place, "devices.allow", device, error);
}

gboolean lxc_device_remove(const struct instance_place *place, const struct instance_device *device,
			   GError **error)
{
	return set_device(place, "devices.deny", device, error);
}

/* --- mounts ---------------------------------------------------------------------- */

static gboolean has_option(const struct instance_mount *mount, const char *option)
{
	g_auto(GStrv) words = g_strsplit(mount->options, ",", -1);

	return g_strv_contains((const char *const *)words, option);
}

static gboolean run_helper(const char *const *argv, const int *fds, gsize n, GError **error)
{
	pid_t pid = lxc_helper_start(argv, fds, n, error);
	int status = pid < 0 ? -1 : lxc_helper_wait(pid);

	if (pid >= 0 && status)
		fail(error, 500, "Failed to %s \"%s\" in the container: exit status %d", argv[0],
		     argv[1], status);
	return status == 0;
}

gboolean lxc_mount_add(const struct instance_place *place, const struct instance_mount *mount,
		       GError **error)
{
	LXC_AUTO_FD pidfd = -1;
	LXC_AUTO_FD userns = -1;
	LXC_AUTO_FD tree = -1;
	pid_t init;
	g_autoptr(lxc_container) c = lxc_open_running(place, &init, &pidfd, error);
	g_autofree char *ns = c ? g_strdup_printf("/proc/%d/ns/user", (int)init) : NULL;
	const char *create = has_option(mount, "create=dir")	? "dir"
			     : has_option(mount, "create=file") ? "file"
								: "-";
	const char *argv[] = { "mount", mount->target, create, NULL };

	if (!c)
		return FALSE;
	if (mount->shifted) {
		userns = open(ns, O_RDONLY | O_CLOEXEC);
		if (userns < 0)
			return fail_errno(error, errno, "Failed to open %s", ns);
	}
	tree = mount_detached(mount->source, has_option(mount, "rbind"), has_option(mount, "ro"),
			      userns, error);
	return tree >= 0 && run_helper(argv, (int[]){ -1, -1, -1, pidfd, tree }, 5, error);
}

gboolean lxc_mount_remove(const struct instance_place *place, const char *target, gboolean remove,
			  GError **error)
{
	LXC_AUTO_FD pidfd = -1;
	pid_t init;
	g_autoptr(lxc_container) c = lxc_open_running(place, &init, &pidfd, error);
	const char *argv[] = { "umount", target, remove ? "remove" : "keep", NULL };

	return c && run_helper(argv, (int[]){ -1, -1, -1, pidfd }, 4, error);
}

/* --- network interfaces ---------------------------------------------------------- */

/* Inside, or on the host with NETNS -1, the interface FROM moves to TO's namespace as NAME. */
static gboolean move_nic(int netns, const char *from, int to, const char *name, GError **error)
{
	int r = netns_move_interface(netns, from, to, name);

	return !r || fail_errno(error, -r, "Failed to move the network interface \"%s\"", from);
}

gboolean lxc_nic_add(const struct instance_place *place, const struct instance_nic *nic,
		     GError **error)
{
	LXC_AUTO_FD pidfd = -1;
	LXC_AUTO_FD netns = -1;
	pid_t init;
	g_autoptr(lxc_container) c = lxc_open_running(place, &init, &pidfd, error);

	if (!c)
		return FALSE;
	netns = netns_of(pidfd);
	if (netns < 0)
		return fail_errno(error, -netns, "Failed to open the container's network");
	return move_nic(-1, nic->link, netns, nic->name, error);
}

gboolean lxc_nic_remove(const struct instance_place *place, const struct instance_nic *nic,
			GError **error)
{
	LXC_AUTO_FD pidfd = -1;
	LXC_AUTO_FD netns = -1;
	LXC_AUTO_FD host = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	pid_t init;
	g_autoptr(lxc_container) c = lxc_open_running(place, &init, &pidfd, error);

	if (!c)
		return FALSE;
	netns = netns_of(pidfd);
	if (netns < 0 || host < 0)
		return fail_errno(error, netns < 0 ? -netns : errno,
				  "Failed to open the container's network");
	return move_nic(netns, nic->name, host, nic->link, error);
}
