/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Network cards with their ports. */
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/resources_private.h"

#define CLASS_NETWORK 0x02

/* --- what the driver says -------------------------------------------------------------------- */

static const char *const modes[] = {
	[ETHTOOL_LINK_MODE_10baseT_Half_BIT] = "10baseT/Half",
	[ETHTOOL_LINK_MODE_10baseT_Full_BIT] = "10baseT/Full",
	[ETHTOOL_LINK_MODE_100baseT_Half_BIT] = "100baseT/Half",
	[ETHTOOL_LINK_MODE_100baseT_Full_BIT] = "100baseT/Full",
	[ETHTOOL_LINK_MODE_1000baseT_Half_BIT] = "1000baseT/Half",
	[ETHTOOL_LINK_MODE_1000baseT_Full_BIT] = "1000baseT/Full",
	[ETHTOOL_LINK_MODE_10000baseT_Full_BIT] = "10000baseT/Full",
	[ETHTOOL_LINK_MODE_2500baseX_Full_BIT] = "2500baseX/Full",
	[ETHTOOL_LINK_MODE_1000baseKX_Full_BIT] = "1000baseKX/Full",
	[ETHTOOL_LINK_MODE_10000baseKX4_Full_BIT] = "10000baseKX4/Full",
	[ETHTOOL_LINK_MODE_10000baseKR_Full_BIT] = "10000baseKR/Full",
	[ETHTOOL_LINK_MODE_10000baseR_FEC_BIT] = "10000baseR_FEC",
	[ETHTOOL_LINK_MODE_20000baseMLD2_Full_BIT] = "20000baseMLD2/Full",
	[ETHTOOL_LINK_MODE_20000baseKR2_Full_BIT] = "20000baseKR2/Full",
	[ETHTOOL_LINK_MODE_40000baseKR4_Full_BIT] = "40000baseKR4/Full",
	[ETHTOOL_LINK_MODE_40000baseCR4_Full_BIT] = "40000baseCR4/Full",
	[ETHTOOL_LINK_MODE_40000baseSR4_Full_BIT] = "40000baseSR4/Full",
	[ETHTOOL_LINK_MODE_40000baseLR4_Full_BIT] = "40000baseLR4/Full",
};

static const char *const plugs[] = {
	[ETHTOOL_LINK_MODE_TP_BIT] = "twisted pair",
	[ETHTOOL_LINK_MODE_AUI_BIT] = "AUI",
	[ETHTOOL_LINK_MODE_MII_BIT] = "media-independent interface",
	[ETHTOOL_LINK_MODE_FIBRE_BIT] = "fibre",
	[ETHTOOL_LINK_MODE_BNC_BIT] = "BNC",
};

static const char *port_type(guint8 port)
{
	static const char *const names[] = {
		[PORT_TP] = "twisted pair",
		[PORT_AUI] = "AUI",
		[PORT_MII] = "media-independent interface",
		[PORT_FIBRE] = "fibre",
		[PORT_BNC] = "BNC",
		[PORT_DA] = "direct attach",
	};

	if (port == PORT_NONE)
		return "none";
	return port < G_N_ELEMENTS(names) && names[port] ? names[port] : "other";
}

static void set_bits(json_t *port, const char *key, guint32 bits, const char *const *names,
		     gsize count)
{
	json_t *list = json_array();

	for (gsize i = 0; i < count; i++)
		if (names[i] && bits & 1u << i)
			json_array_append_new(list, json_string(names[i]));
	if (json_array_size(list) > 0)
		json_object_set(port, key, list);
	json_decref(list);
}

static gboolean ask(int fd, const char *interface, void *data)
{
	struct ifreq request = { .ifr_data = data };

	g_strlcpy(request.ifr_name, interface, sizeof request.ifr_name);
	return ioctl(fd, SIOCETHTOOL, &request) == 0;
}

static void set_link(json_t *port, const struct ethtool_cmd *cmd)
{
	guint32 speed = ethtool_cmd_speed(cmd);

	if (speed == 0 || speed == (guint32)SPEED_UNKNOWN || speed == G_MAXUINT16)
		return;
	json_object_set_new(port, "link_speed", json_integer(speed));
	if (cmd->duplex != DUPLEX_UNKNOWN)
		json_object_set_new(port, "link_duplex",
				    json_string(cmd->duplex == DUPLEX_FULL ? "full" : "half"));
}

/* The old command, which every kernel translates for its drivers, has all that is shown. */
static void ask_port(int fd, const char *interface, json_t *port, json_t *card)
{
	struct ethtool_value link = { .cmd = ETHTOOL_GLINK };
	struct ethtool_cmd cmd = { .cmd = ETHTOOL_GSET };
	struct ethtool_drvinfo driver = { .cmd = ETHTOOL_GDRVINFO };
	gboolean up = ask(fd, interface, &link) && link.data == 1;

	if (ask(fd, interface, &cmd)) {
		set_bits(port, "supported_modes", cmd.supported, modes, G_N_ELEMENTS(modes));
		set_bits(port, "supported_ports", cmd.supported, plugs, G_N_ELEMENTS(plugs));
		json_object_set_new(port, "port_type", json_string(port_type(cmd.port)));
		json_object_set_new(
			port, "transceiver_type",
			json_string(cmd.transceiver == XCVR_INTERNAL ? "internal" : "external"));
		json_object_set_new(port, "auto_negotiation",
				    json_boolean(cmd.autoneg == AUTONEG_ENABLE));
		if (up)
			set_link(port, &cmd);
	}
	json_object_set_new(port, "link_detected", json_boolean(up));
	if (ask(fd, interface, &driver) && *driver.fw_version &&
	    strcmp(driver.fw_version, "N/A") != 0)
		json_object_set_new(
			card, "firmware_version",
			json_stringn(driver.fw_version,
				     strnlen(driver.fw_version, sizeof driver.fw_version)));
}

/* --- ports ------------------------------------------------------------------------------------ */

static json_t *port_show(const char *dir, const char *name)
{
	g_autofree char *address = sys_text(dir, "address");
	gint64 type = sys_number(dir, "type", -1);
	json_t *port = json_pack("{s:s, s:I, s:s}", "id", name, "port",
				 (json_int_t)MAX(sys_number(dir, "dev_port", 0), 0), "protocol",
				 type == ARPHRD_ETHER	     ? "ethernet"
				 : type == ARPHRD_INFINIBAND ? "infiniband"
							     : "unknown");

	sys_set(port, "address", address);
	json_object_set_new(port, "auto_negotiation", json_false());
	json_object_set_new(port, "link_detected", json_false());
	return port;
}

static void add_ports(const char *root, const char *device, json_t *card)
{
	g_autofree char *net = g_build_filename(device, "net", NULL);
	g_autoptr(GPtrArray) names = sys_names(net);
	int fd = *root ? -1 : socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	json_t *ports = json_array();

	for (guint i = 0; i < names->len; i++) {
		g_autofree char *dir = g_build_filename(net, names->pdata[i], NULL);
		json_t *port = port_show(dir, names->pdata[i]);

		if (fd >= 0)
			ask_port(fd, names->pdata[i], port, card);
		json_array_append_new(ports, port);
	}
	if (json_array_size(ports) > 0)
		json_object_set(card, "ports", ports);
	json_decref(ports);
	if (fd >= 0)
		close(fd);
}

/* --- cards -------------------------------------------------------------------------------------
 */

static json_t *card_show(const char *root, const char *device)
{
	g_autofree char *pci = sys_pci_of(device);
	g_autofree char *vendor = sys_id(device, "vendor"), *product = sys_id(device, "device");
	json_t *card = json_object();

	sys_driver(root, device, FALSE, card);
	add_ports(root, device, card);
	json_object_set_new(card, "numa_node",
			    json_integer(MAX(sys_number(pci ? pci : device, "numa_node", 0), 0)));
	sys_addresses(device, card);
	sys_names_of(root, "pci", vendor, product, FALSE, card);
	return card;
}

/* Adds the card at a real path unless SEEN has it, and remembers its place on the bus. */
static void add_card(const char *root, const char *device, GHashTable *seen, json_t *cards)
{
	char *pci;

	if (!g_hash_table_add(seen, g_strdup(device)))
		return;
	pci = sys_pci_of(device);
	if (pci)
		g_hash_table_add(seen, pci);
	json_array_append_new(cards, card_show(root, device));
}

/* Those with interfaces, then those on the PCI bus that have no driver or lent it away. */
json_t *resources_network(const char *root)
{
	g_autofree char *class = g_strconcat(root, "/sys/class/net", NULL);
	g_autofree char *pci = g_strconcat(root, "/sys/bus/pci/devices", NULL);
	g_autoptr(GPtrArray) names = sys_names(class), devices = sys_names(pci);
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	json_t *cards = json_array();

	for (guint i = 0; i < names->len; i++) {
		g_autofree char *link = g_build_filename(names->pdata[i], "device", NULL);
		g_autofree char *device = sys_real(class, link);

		if (device)
			add_card(root, device, seen, cards);
	}
	for (guint i = 0; i < devices->len; i++) {
		g_autofree char *device = sys_real(pci, devices->pdata[i]);

		if (device && sys_number(device, "class", 0) >> 16 == CLASS_NETWORK)
			add_card(root, device, seen, cards);
	}
	return sys_list("cards", cards);
}
