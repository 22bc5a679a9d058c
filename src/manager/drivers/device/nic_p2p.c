/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A pair of virtual interfaces, one end in the instance and the other on the host. The host's
 * end is found again by the name in volatile.<device>.host_name.
 */
#include <errno.h>
#include <net/if.h>
#include <netlink/route/link.h>
#include <netlink/route/link/veth.h>
#include <netlink/route/route.h>
#include <string.h>

#include "drivers/device/device.h"
#include "util/error.h"
#include "util/json.h"

static gboolean check_mac(const char *value, GError **error)
{
	guint digits = 0;

	for (const char *c = value; *c; c++) {
		gboolean colon = digits && digits % 2 == 0 && (c - value) % 3 == 2;

		if (colon ? *c != ':' : !g_ascii_isxdigit(*c))
			return fail(error, 400,
				    "Invalid value, must be 6 bytes of lower case hex"
				    " separated by colons");
		digits += !colon;
	}
	return digits == 12 ? TRUE : fail(error, 400, "Invalid MAC address \"%s\"", value);
}

static gboolean check_interface(const char *value, GError **error)
{
	gsize len = strlen(value);

	if (len < 2 || len > IFNAMSIZ - 1)
		return fail(error, 400,
			    "Network interface name must be between 2 and 15 characters");
	for (; *value; value++)
		if (!g_ascii_isalnum(*value) && !strchr("-_:.", *value))
			return fail(error, 400, "Name contains invalid characters");
	return TRUE;
}

static gboolean check_routes(const char *value, int family, GError **error)
{
	g_auto(GStrv) parts = g_strsplit(value, ",", -1);
	struct nl_addr *address;

	for (char **part = parts; *part; part++) {
		if (nl_addr_parse(g_strstrip(*part), family, &address) < 0)
			return fail(error, 400, "Invalid value for an IP network \"%s\"", *part);
		nl_addr_put(address);
	}
	return TRUE;
}

static gboolean check_routes4(const char *value, GError **error)
{
	return check_routes(value, AF_INET, error);
}

static gboolean check_routes6(const char *value, GError **error)
{
	return check_routes(value, AF_INET6, error);
}

static const struct device_option options[] = {
	{ "name", check_interface, 0 },
	{ "mtu", device_check_number, 0 },
	{ "hwaddr", check_mac, 0 },
	{ "host_name", check_interface, 0 },
	{ "ipv4.routes", check_routes4, DEVICE_LIVE },
	{ "ipv6.routes", check_routes6, DEVICE_LIVE },
	{ "boot.priority", device_check_number, DEVICE_LIVE },
	{ 0 },
};

/* --- talking to the kernel ---------------------------------------------------------------- */

static struct nl_sock *open_socket(GError **error)
{
	struct nl_sock *sock = nl_socket_alloc();
	int r = sock ? nl_connect(sock, NETLINK_ROUTE) : -NLE_NOMEM;

	if (r >= 0)
		return sock;
	nl_socket_free(sock);
	fail(error, 500, "Failed to open a netlink socket: %s", nl_geterror(r));
	return NULL;
}

static gboolean failed(int r, const char *what, const char *name, GError **error)
{
	return fail(error, 500, "Failed to %s network interface \"%s\": %s", what, name,
		    nl_geterror(r));
}

static char *random_name(void)
{
	return g_strdup_printf("veth%08x", g_random_int());
}

static void set_mac(struct rtnl_link *link, const char *mac)
{
	struct nl_addr *address;

	if (!*mac || nl_addr_parse(mac, AF_LLC, &address) < 0)
		return;
	rtnl_link_set_addr(link, address);
	nl_addr_put(address);
}

static gboolean make_pair(struct nl_sock *sock, const char *name, const char *peer,
			  const json_t *config, GError **error)
{
	struct rtnl_link *link = rtnl_link_veth_alloc();
	struct rtnl_link *other = rtnl_link_veth_get_peer(link);
	unsigned mtu = (unsigned)strtoul(json_text(config, "mtu"), NULL, 10);
	int r;

	rtnl_link_set_name(link, name);
	rtnl_link_set_flags(link, IFF_UP);
	rtnl_link_set_name(other, peer);
	set_mac(other, json_text(config, "hwaddr"));
	if (mtu) {
		rtnl_link_set_mtu(link, mtu);
		rtnl_link_set_mtu(other, mtu);
	}
	r = rtnl_link_add(sock, link, NLM_F_CREATE | NLM_F_EXCL);
	rtnl_link_put(other);
	rtnl_link_put(link);
	return r >= 0 || failed(r, "create", name, error);
}

/* Takes away one end and so both. */
static void drop(const char *name)
{
	struct nl_sock *sock = open_socket(NULL);
	struct rtnl_link *link;

	if (!sock)
		return;
	link = rtnl_link_alloc();
	rtnl_link_set_name(link, name);
	rtnl_link_delete(sock, link);
	rtnl_link_put(link);
	nl_socket_free(sock);
}

/* --- routes ------------------------------------------------------------------------------ */

static int one_route(struct nl_sock *sock, const char *to, int index, gboolean add)
{
	struct rtnl_route *route = rtnl_route_alloc();
	struct rtnl_nexthop *hop = rtnl_route_nh_alloc();
	struct nl_addr *address;
	int r = nl_addr_parse(to, AF_UNSPEC, &address);

	if (r >= 0) {
		rtnl_route_set_family(route, (uint8_t)nl_addr_get_family(address));
		rtnl_route_set_dst(route, address);
		rtnl_route_set_scope(route, RT_SCOPE_LINK);
		rtnl_route_set_protocol(route, RTPROT_BOOT);
		rtnl_route_nh_set_ifindex(hop, index);
		rtnl_route_add_nexthop(route, hop);
		hop = NULL;
		r = add ? rtnl_route_add(sock, route, NLM_F_CREATE | NLM_F_REPLACE)
			: rtnl_route_delete(sock, route, 0);
		nl_addr_put(address);
	}
	if (hop)
		rtnl_route_nh_free(hop);
	rtnl_route_put(route);
	return r;
}

static gboolean routes(struct nl_sock *sock, const json_t *config, const char *name, gboolean add,
		       GError **error)
{
	static const char *const keys[] = { "ipv4.routes", "ipv6.routes" };
	int index = (int)if_nametoindex(name);

	for (gsize i = 0; i < G_N_ELEMENTS(keys); i++) {
		g_auto(GStrv) parts = g_strsplit(json_text(config, keys[i]), ",", -1);

		for (char **part = parts; *part; part++) {
			int r = one_route(sock, g_strstrip(*part), index, add);

			if (r < 0 && add)
				return failed(r, "add a route to", name, error);
		}
	}
	return TRUE;
}

/* --- the device ---------------------------------------------------------------------------- */

static const char *host_name(const struct device *device)
{
	return json_text_or(device->last, "host_name", json_text(device->config, "host_name"));
}

static void clean(const struct device *device)
{
	if (*host_name(device))
		drop(host_name(device));
}

static void tell(const struct device *device, struct device_run *run, char *link)
{
	struct instance_nic nic = { .link = device_run_keep(run, link) };
	const char *name = json_text(device->config, "name");
	const char *mtu = json_text(device->config, "mtu");
	const char *mac = json_text(device->config, "hwaddr");

	if (*name)
		nic.name = device_run_keep(run, g_strdup(name));
	if (*mtu)
		nic.mtu = device_run_keep(run, g_strdup(mtu));
	if (*mac)
		nic.hwaddr = device_run_keep(run, g_strdup(mac));
	g_array_append_val(run->nics, nic);
}

static void remember(const struct device *device, struct device_run *run, const char *name)
{
	g_autofree char *key = g_strdup_printf("%s.host_name", device->name);

	json_object_set_new(run->last, key, json_string(name));
}

static gboolean start(const struct device *device, struct device_run *run, GError **error)
{
	const char *given = json_text(device->config, "host_name");
	g_autofree char *host = *given ? g_strdup(given) : random_name();
	g_autofree char *peer = random_name();
	struct nl_sock *sock;
	gboolean ok;

	clean(device);
	sock = open_socket(error);
	if (!sock)
		return FALSE;
	ok = make_pair(sock, host, peer, device->config, error) &&
	     routes(sock, device->config, host, TRUE, error);
	nl_socket_free(sock);
	if (!ok) {
		drop(host);
		return FALSE;
	}
	remember(device, run, host);
	tell(device, run, g_steal_pointer(&peer));
	return TRUE;
}

/* Out of the instance it is gone with its pair: clean() comes after. */
static gboolean stop(const struct device *device, struct device_run *run, GError **error)
{
	(void)error;
	remember(device, run, "");
	tell(device, run, random_name());
	return TRUE;
}

static gboolean update(const struct device *device, const json_t *old, GError **error)
{
	const char *name = host_name(device);
	struct nl_sock *sock = open_socket(error);
	gboolean ok;

	if (!sock)
		return FALSE;
	routes(sock, old, name, FALSE, NULL);
	ok = routes(sock, device->config, name, TRUE, error);
	nl_socket_free(sock);
	return ok;
}

const struct device_kind device_nic_p2p = {
	.type = "nic",
	.subtype = "p2p",
	.options = options,
	.hotplug = TRUE,
	.start = start,
	.stop = stop,
	.clean = clean,
	.update = update,
};
