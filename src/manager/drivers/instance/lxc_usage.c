/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a container uses. CPU time, memory and swap are what liblxcfs shows inside, so that
 * both agree to the digit; the rest, which no view shows, is the cgroup's.
 */
#include <errno.h>
#include <lxcfs.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>

#include "drivers/instance/limits.h"
#include "drivers/instance/lxc_netns.h"
#include "drivers/instance/lxc_private.h"
#include "util/error.h"

#define NS_PER_TICK (1000000000 / 100) /* USER_HZ is 100 on every architecture with containers */

static void engine_close(struct lxcfs **engine)
{
	lxcfs_close(*engine);
}

/* A view's text as this process reads it; NULL where it cannot be had. */
static char *view(struct lxcfs *engine, pid_t init, const char *path)
{
	struct lxcfs_caller caller = { .pid = init };
	char *text;
	size_t len;

	return lxcfs_render(engine, &caller, path, &text, &len) ? NULL : text;
}

/* "MemTotal:       65536 kB" in bytes; -1 when there is no such line. */
static gint64 meminfo_line(const char *text, const char *label)
{
	const char *line = text ? strstr(text, label) : NULL;

	return line ? g_ascii_strtoll(line + strlen(label), NULL, 10) * 1024 : -1;
}

static gint64 used(const char *text, const char *total, const char *free_label)
{
	gint64 all = meminfo_line(text, total), unused = meminfo_line(text, free_label);

	return all < 0 || unused < 0 ? -1 : all - unused;
}

/* User, nice and system time of "cpu  1 2 3 ...". */
static gint64 cpu_time(const char *text)
{
	gint64 user, nice, system;

	if (!text || sscanf(text, "cpu %" G_GINT64_FORMAT " %" G_GINT64_FORMAT " %" G_GINT64_FORMAT,
			    &user, &nice, &system) != 3)
		return -1;
	return (user + nice + system) * NS_PER_TICK;
}

/* A file of the container's cgroup that has one number. */
static gint64 item(lxc_container *c, const char *file)
{
	char text[64];
	char *end;
	gint64 value;

	if (c->get_cgroup_item(c, file, text, sizeof text) <= 0)
		return -1;
	value = g_ascii_strtoll(text, &end, 10);
	return end == text ? -1 : value;
}

static void read_cgroup(lxc_container *c, struct instance_usage *u)
{
	struct cgroup_layout layout;

	cgroup_layout_read("", &layout);
	u->processes = layout.pids ? item(c, "pids.current") : -1;
	u->memory_peak = item(c, layout.memory == 2 ? "memory.peak" : "memory.max_usage_in_bytes");
	if (layout.memory == 1 && layout.swap) {
		gint64 sum = item(c, "memory.memsw.max_usage_in_bytes");

		u->swap_peak = sum < 0 || u->memory_peak < 0 ? -1 : MAX(sum - u->memory_peak, 0);
	} else {
		u->swap_peak = layout.memory == 2 ? item(c, "memory.swap.peak") : -1;
	}
}

gboolean lxc_usage(const struct instance_place *place, struct instance_usage *ret, GError **error)
{
	__attribute__((cleanup(engine_close))) struct lxcfs *engine = NULL;
	struct lxcfs_options options = { .size = sizeof options };
	struct instance_usage u = { -1, -1, -1, -1, -1, -1 };
	LXC_AUTO_FD pidfd = -1;
	pid_t init;
	g_autoptr(lxc_container) c = lxc_open_running(place, &init, &pidfd, error);
	g_autofree char *meminfo = NULL;
	g_autofree char *stat = NULL;

	if (!c)
		return FALSE;
	if (lxcfs_open(&options, &engine) == 0) {
		meminfo = view(engine, init, "/proc/meminfo");
		stat = view(engine, init, "/proc/stat");
	}
	u.memory = used(meminfo, "MemTotal:", "MemFree:");
	u.swap = used(meminfo, "SwapTotal:", "SwapFree:");
	u.cpu_ns = cpu_time(stat);
	read_cgroup(c, &u);
	*ret = u;
	return TRUE;
}

/* "peer" is an index on the host, where it names the other end of a veth pair. */
static void name_peers(json_t *network)
{
	const char *name;
	json_t *nic;

	json_object_foreach(network, name, nic)
	{
		json_int_t index = json_integer_value(json_object_get(nic, "peer"));
		char host[IF_NAMESIZE];

		json_object_del(nic, "peer");
		if (index > 0 && if_indextoname((unsigned)index, host))
			json_object_set_new(nic, "host_name", json_string(host));
	}
}

json_t *lxc_network(const struct instance_place *place, GError **error)
{
	LXC_AUTO_FD pidfd = -1;
	LXC_AUTO_FD netns = -1;
	pid_t init;
	g_autoptr(lxc_container) c = lxc_open_running(place, &init, &pidfd, error);
	json_t *network = NULL;
	int r;

	if (!c)
		return NULL;
	netns = netns_of(pidfd);
	r = netns < 0 ? netns : netns_show(netns, &network);
	if (r) {
		fail_errno(error, -r, "Failed to read the container's network");
		return NULL;
	}
	name_peers(network);
	return network;
}
