/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Network namespaces by netlink. The kernel writes what is read here; only names are a container's.
 */
#include "drivers/instance/lxc_netns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/nsfs.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_SECONDS 5
#define BUFFER (64 * 1024) /* bytes; the kernel's dumps come in parts of at most 32 KiB */
#ifndef PIDFD_GET_NET_NAMESPACE
#define PIDFD_GET_NET_NAMESPACE _IO(0xFF, 4) /* Linux 6.11 */
#endif

/* --- going there ----------------------------------------------------------------- */

struct visit {
	int ns; /* of a process or of a network */
	int (*work)(void);
	int result;
};

/* Its thread ends there: no other work can ever run in the container's namespace by mistake. */
static void *visit_thread(void *data)
{
	struct visit *v = data;

	v->result = setns(v->ns, CLONE_NEWNET) ? -errno : v->work();
	return NULL;
}

static int visit(int ns, int (*work)(void))
{
	struct visit v = { .ns = ns, .work = work };
	GThread *thread = g_thread_try_new("netns", visit_thread, &v, NULL);

	if (!thread)
		return -EAGAIN;
	g_thread_join(thread);
	return v.result;
}

static int open_own(void)
{
	int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int netns_of(int pidfd)
{
	int fd = ioctl(pidfd, PIDFD_GET_NET_NAMESPACE, 0);

	return fd >= 0 ? fd : visit(pidfd, open_own);
}

static int open_socket(void)
{
	struct timeval patience = { .tv_sec = PATIENCE_SECONDS };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	return fd;
}

int netns_socket(int netns)
{
	return netns < 0 ? open_socket() : visit(netns, open_socket);
}

/* --- messages -------------------------------------------------------------------- */

typedef void (*each_message)(const struct nlmsghdr *message, void *data);

/* The messages of one datagram. 1: more will come. */
static int read_messages(const struct nlmsghdr *h, int len, each_message each, void *data)
{
	for (; NLMSG_OK(h, (unsigned)len); h = NLMSG_NEXT(h, len)) {
		if (h->nlmsg_type == NLMSG_DONE)
			return 0;
		if (h->nlmsg_type == NLMSG_ERROR)
			return ((const struct nlmsgerr *)NLMSG_DATA(h))->error;
		if (each)
			each(h, data);
	}
	return 1;
}

static int talk(int fd, const struct nlmsghdr *request, each_message each, void *data)
{
	g_autofree char *buffer = g_malloc(BUFFER);
	int r = 1;

	if (send(fd, request, request->nlmsg_len, MSG_NOSIGNAL) < 0)
		return -errno;
	while (r > 0) {
		gssize n = recv(fd, buffer, BUFFER, 0);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n >= 0)
			r = read_messages((struct nlmsghdr *)(void *)buffer, (int)n, each, data);
	}
	return r;
}

static int dump(int fd, int type, each_message each, void *data)
{
	struct {
		struct nlmsghdr head;
		struct rtgenmsg body;
	} request = {
		.head = { .nlmsg_len = NLMSG_LENGTH(sizeof request.body),
			  .nlmsg_type = (guint16)type,
			  .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.body = { .rtgen_family = AF_UNSPEC },
	};

	return talk(fd, &request.head, each, data);
}

/* --- moving ---------------------------------------------------------------------- */

struct link_request {
	struct nlmsghdr head;
	struct ifinfomsg body;
	char attributes[128];
};

static void add_attribute(struct nlmsghdr *head, guint16 type, const void *data, gsize len)
{
	struct rtattr *a = (void *)((char *)head + NLMSG_ALIGN(head->nlmsg_len));

	a->rta_type = type;
	a->rta_len = (guint16)RTA_LENGTH(len);
	memcpy(RTA_DATA(a), data, len);
	head->nlmsg_len = NLMSG_ALIGN(head->nlmsg_len) + RTA_ALIGN(a->rta_len);
}

int netns_move_interface(int netns, const char *from, int to, const char *name)
{
	struct link_request request = {
		.head = { .nlmsg_len = NLMSG_LENGTH(sizeof request.body),
			  .nlmsg_type = RTM_NEWLINK,
			  .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK },
	};
	struct ifreq wanted = { 0 };
	int fd, r;

	if (strlen(from) >= IFNAMSIZ || (name && strlen(name) >= IFNAMSIZ))
		return -ENAMETOOLONG;
	fd = netns_socket(netns);
	if (fd < 0)
		return fd;
	strcpy(wanted.ifr_name, from);
	r = ioctl(fd, SIOCGIFINDEX, &wanted) ? -errno : 0;
	if (!r) {
		request.body.ifi_index = wanted.ifr_ifindex;
		add_attribute(&request.head, IFLA_NET_NS_FD, &to, sizeof to);
		if (name)
			add_attribute(&request.head, IFLA_IFNAME, name, strlen(name) + 1);
		r = talk(fd, &request.head, NULL, NULL);
	}
	close(fd);
	return r;
}

/* --- showing --------------------------------------------------------------------- */

struct show {
	json_t *by_name;
	GHashTable *by_index; /* the same objects */
};

static const struct rtattr *find(const struct rtattr *a, int len, int type)
{
	for (; RTA_OK(a, len); a = RTA_NEXT(a, len))
		if ((a->rta_type & NLA_TYPE_MASK) == type)
			return a;
	return NULL;
}

/* A number of an attribute that may be missing. */
static guint32 number(const struct rtattr *a)
{
	guint32 value = 0;

	if (a)
		memcpy(&value, RTA_DATA(a), MIN(RTA_PAYLOAD(a), sizeof value));
	return value;
}

static char *hwaddr_text(const struct rtattr *a)
{
	GString *text = g_string_new(NULL);
	const guint8 *byte = a ? RTA_DATA(a) : NULL;

	for (gsize i = 0; a && i < RTA_PAYLOAD(a); i++)
		g_string_append_printf(text, "%s%02x", i ? ":" : "", byte[i]);
	return g_string_free(text, FALSE);
}

static json_t *counters(const struct rtattr *a)
{
	struct rtnl_link_stats64 s = { 0 };

	if (a)
		memcpy(&s, RTA_DATA(a), MIN(RTA_PAYLOAD(a), sizeof s));
	return json_pack("{sIsIsIsIsIsIsIsI}", "bytes_received", (json_int_t)s.rx_bytes,
			 "bytes_sent", (json_int_t)s.tx_bytes, "packets_received",
			 (json_int_t)s.rx_packets, "packets_sent", (json_int_t)s.tx_packets,
			 "errors_received", (json_int_t)s.rx_errors, "errors_sent",
			 (json_int_t)s.tx_errors, "packets_dropped_outbound",
			 (json_int_t)s.tx_dropped, "packets_dropped_inbound",
			 (json_int_t)s.rx_dropped);
}

static const char *type_name(unsigned flags)
{
	return flags & IFF_LOOPBACK	 ? "loopback"
	       : flags & IFF_POINTOPOINT ? "point-to-point"
	       : flags & IFF_BROADCAST	 ? "broadcast"
					 : "unknown";
}

static void show_link(const struct nlmsghdr *h, void *data)
{
	struct show *show = data;
	const struct ifinfomsg *info = NLMSG_DATA(h);
	const struct rtattr *first = IFLA_RTA(info);
	int len = (int)IFLA_PAYLOAD(h);
	const struct rtattr *name = find(first, len, IFLA_IFNAME);
	g_autofree char *hwaddr = hwaddr_text(find(first, len, IFLA_ADDRESS));
	g_autofree char *key = NULL;
	json_t *object;

	if (h->nlmsg_type != RTM_NEWLINK || !name)
		return;
	key = g_utf8_make_valid(RTA_DATA(name), (gssize)strnlen(RTA_DATA(name), RTA_PAYLOAD(name)));
	object = json_pack("{s[]sosssssissss}", "addresses", "counters",
			   counters(find(first, len, IFLA_STATS64)), "hwaddr", hwaddr, "host_name",
			   "", "mtu", (int)number(find(first, len, IFLA_MTU)), "state",
			   info->ifi_flags & IFF_UP ? "up" : "down", "type",
			   type_name(info->ifi_flags));
	if (!object)
		return;
	/* the host's side of a veth pair: its index is only a number of the other namespace */
	json_object_set_new(object, "peer", json_integer(number(find(first, len, IFLA_LINK))));
	json_object_set_new(show->by_name, key, object);
	g_hash_table_insert(show->by_index, GINT_TO_POINTER(info->ifi_index), object);
}

static const char *scope_name(int scope)
{
	return scope == RT_SCOPE_HOST ? "local" : scope == RT_SCOPE_LINK ? "link" : "global";
}

static void show_address(const struct nlmsghdr *h, void *data)
{
	struct show *show = data;
	const struct ifaddrmsg *info = NLMSG_DATA(h);
	int len = (int)IFA_PAYLOAD(h);
	/* of a point-to-point link IFA_ADDRESS is the other side's */
	const struct rtattr *a = find(IFA_RTA(info), len, IFA_LOCAL);
	json_t *object = g_hash_table_lookup(show->by_index, GINT_TO_POINTER(info->ifa_index));
	char address[INET6_ADDRSTRLEN], prefix[8];

	if (!a)
		a = find(IFA_RTA(info), len, IFA_ADDRESS);
	if (h->nlmsg_type != RTM_NEWADDR || !object || !a ||
	    RTA_PAYLOAD(a) < (info->ifa_family == AF_INET6 ? 16 : 4) ||
	    !inet_ntop(info->ifa_family, RTA_DATA(a), address, sizeof address))
		return;
	g_snprintf(prefix, sizeof prefix, "%u", info->ifa_prefixlen);
	json_array_append_new(json_object_get(object, "addresses"),
			      json_pack("{ssssssss}", "family",
					info->ifa_family == AF_INET6 ? "inet6" : "inet", "address",
					address, "netmask", prefix, "scope",
					scope_name(info->ifa_scope)));
}

int netns_show(int netns, json_t **ret)
{
	struct show show = { json_object(), g_hash_table_new(NULL, NULL) };
	int fd = netns_socket(netns);
	int r = fd < 0 ? fd : dump(fd, RTM_GETLINK, show_link, &show);

	if (!r)
		r = dump(fd, RTM_GETADDR, show_address, &show);
	if (fd >= 0)
		close(fd);
	g_hash_table_unref(show.by_index);
	if (r)
		json_decref(show.by_name);
	else
		*ret = show.by_name;
	return r;
}
