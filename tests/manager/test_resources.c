/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The machine's hardware, read from a tree that stands for /proc, /sys and /run. */
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "core/resources.h"
#include "support.h"
#include "util/copy.h"
#include "util/json.h"

static char *root;
static json_t *shown;

static char *at(const char *path)
{
	char *full = g_build_filename(root, path, NULL);
	g_autofree char *dir = g_path_get_dirname(full);

	ck_assert_int_eq(g_mkdir_with_parents(dir, 0755), 0);
	return full;
}

static void put(const char *path, const char *text)
{
	g_autofree char *full = at(path);

	ck_assert(g_file_set_contents(full, text, -1, NULL));
}

static void lead(const char *path, const char *target)
{
	g_autofree char *full = at(path);

	ck_assert_int_eq(symlink(target, full), 0);
}

static void setup(void)
{
	root = g_dir_make_tmp("resources-XXXXXX", NULL);
	ck_assert_ptr_nonnull(root);
}

static void teardown(void)
{
	json_decref(shown);
	shown = NULL;
	ck_assert(copy_delete(root, NULL, NULL));
	g_free(root);
}

/* What is shown is PART, an object like {'total':1} with ' for ", at least. */
static gboolean has(const json_t *whole, const json_t *part)
{
	const char *key;
	json_t *value;
	size_t i;

	if (json_is_object(part)) {
		json_object_foreach(
			(json_t *)part, key,
			value) if (!json_object_get(whole, key) ||
				   !has(json_object_get(whole, key), value)) return FALSE;
		return TRUE;
	}
	if (json_is_array(part)) {
		json_array_foreach(part, i,
				   value) if (!has(json_array_get(whole, i), value)) return FALSE;
		return json_array_size(whole) == json_array_size(part);
	}
	return json_equal(whole, part);
}

static void expect(const char *key, const char *text)
{
	g_autoptr(json_t) part = NULL;
	g_autofree char *copy = g_strdelimit(g_strdup(text), "'", '"');
	g_autofree char *is = NULL;

	if (!shown)
		shown = resources_show(root);
	part = json_parse(copy, strlen(copy), NULL);
	ck_assert_msg(part != NULL, "%s", text);
	is = json_print(json_object_get(shown, key));
	ck_assert_msg(has(json_object_get(shown, key), part), "%s", is);
}

#define CPU "sys/devices/system/cpu/"

static void put_cpu(int id, const char *package, const char *core, const char *online)
{
	const char *const files[][2] = { { "topology/physical_package_id", package },
					 { "topology/core_id", core },
					 { "topology/die_id", "0\n" },
					 { "online", online },
					 { "node1/x", "" },
					 { "cpufreq/scaling_cur_freq",
					   id < 2 ? "2000000" : "3000000" },
					 { "cpufreq/cpuinfo_max_freq", "3500000" } };

	for (gsize i = 0; i < G_N_ELEMENTS(files); i++) {
		g_autofree char *path = g_strdup_printf(CPU "cpu%d/%s", id, files[i][0]);

		put(path, files[i][1]);
	}
}

START_TEST(test_cpu)
{
	put("proc/cpuinfo", "processor\t: 0\nvendor_id\t: V\nmodel name\t: First one\n\n"
			    "processor\t: 10\nvendor_id\t: W\nmodel name\t: Second\n");
	put_cpu(0, "0", "0", "1");
	put_cpu(1, "0", "0", "0");
	put_cpu(2, "0", "1", "1");
	put_cpu(10, "1", "0", "1");
	put(CPU "cpu11/online", "0"); /* no place in the topology */
	put(CPU "isolated", "2-3,10\n");
	put(CPU "cpu0/cache/index0/level", "2");
	put(CPU "cpu0/cache/index0/type", "Unified");
	put(CPU "cpu0/cache/index0/size", "2M");
	expect("cpu",
	       "{'total':4,'sockets':[{'socket':0,'name':'First one','vendor':'V',"
	       "'cache':[{'level':2,'type':'Unified','size':2097152}],'frequency':2500,"
	       "'frequency_turbo':3500,'cores':[{'core':0,'die':0,'frequency':2000,'threads':["
	       "{'id':0,'thread':0,'numa_node':1,'online':true,'isolated':false},"
	       "{'id':1,'thread':1,'numa_node':1,'online':false,'isolated':false}]},"
	       "{'core':1,'threads':[{'id':2,'isolated':true}]}]},"
	       "{'socket':1,'name':'Second','vendor':'W','cores':[{'threads':[{'id':10,"
	       "'isolated':true}]}]}]}");
}
END_TEST

START_TEST(test_memory)
{
	put("proc/meminfo", "MemTotal: 1000 kB\nMemFree: 100 kB\nBuffers: 20 kB\nCached: 30 kB\n"
			    "SwapCached: 7 kB\nHugePages_Total: 8\nHugePages_Free: 5\n"
			    "Hugepagesize: 2048 kB\n");
	put("sys/devices/system/node/node0/meminfo",
	    "Node 0 MemTotal: 900 kB\nNode 0 MemUsed: 600 kB\nNode 0 HugePages_Total: 8\n"
	    "Node 0 HugePages_Free: 5\n");
	expect("memory", "{'total':1024000,'used':870400,'hugepages_size':2097152,"
			 "'hugepages_total':16777216,'hugepages_used':6291456,'nodes':["
			 "{'numa_node':0,'total':921600,'used':614400,'hugepages_used':6291456}]}");
}
END_TEST

START_TEST(test_memory_of_blocks)
{
	put("proc/meminfo", "MemTotal: 1000 kB\nMemFree: 100 kB\n");
	put("sys/devices/system/memory/block_size_bytes", "8000000\n");
	put("sys/devices/system/memory/memory0/online", "1\n");
	put("sys/devices/system/memory/memory1/online", "0\n");
	put("sys/devices/system/memory/memory2/online", "1\n");
	expect("memory", "{'total':268435456,'used':268333056,'nodes':[]}");
}
END_TEST

#define PCI "sys/devices/pci0000:00/"

/* A device with its place in the list of the bus. */
static void put_pci(const char *address, const char *class, const char *vendor, const char *product)
{
	const char *const files[][2] = { { "class", class },
					 { "vendor", vendor },
					 { "device", product },
					 { "numa_node", "-1" } };
	g_autofree char *link = g_strdup_printf("sys/bus/pci/devices/%s", address);
	g_autofree char *target = g_strdup_printf("../../../devices/pci0000:00/%s", address);
	g_autofree char *subsystem = g_strdup_printf(PCI "%s/subsystem", address);

	for (gsize i = 0; i < G_N_ELEMENTS(files); i++) {
		g_autofree char *path = g_strdup_printf(PCI "%s/%s", address, files[i][0]);

		put(path, files[i][1]);
	}
	lead(link, target);
	lead(subsystem, "../../../bus/pci");
}

START_TEST(test_pci)
{
	/* a vital product data: the name, two fields and a checksum */
	static const char data[] = "\x82\x04\x00"
				   "Card"
				   "\x90\x0f\x00"
				   "PN\x03"
				   "123"
				   "SN\x01"
				   "9"
				   "RV\x02"
				   "xx";
	g_autofree char *file = at(PCI "0000:00:02.0/vpd");

	put("usr/share/misc/pci.ids",
	    "# list\n1111  Other\n\t2222  Wrong\n8086  Intel\n\t1111  No\n"
	    "\t2222  Right\n\t\t3333 1111  sub\n9999  Last\n");
	put_pci("0000:00:02.0", "0x020000", "0x8086", "0x2222");
	put_pci("0000:00:10.0", "0x030000", "0x4444", "0x5555");
	lead(PCI "0000:00:02.0/iommu_group", "../../kernel/iommu_groups/7");
	lead(PCI "0000:00:02.0/driver", "../../../bus/pci/drivers/e1000e");
	put("sys/bus/pci/drivers/e1000e/module/version", "3.2\n");
	ck_assert(g_file_set_contents(file, data, sizeof data - 1, NULL));
	expect("pci", "{'total':2,'devices':[{'pci_address':'0000:00:02.0','vendor':'Intel',"
		      "'vendor_id':'8086','product':'Right','product_id':'2222','iommu_group':7,"
		      "'numa_node':0,'driver':'e1000e','driver_version':'3.2','vpd':{"
		      "'product_name':'Card','entries':{'PN':'123','SN':'9'}}},"
		      "{'pci_address':'0000:00:10.0','vendor':'','product':'','driver':'',"
		      "'vpd':{}}]}");
	/* a card that nobody drives is one all the same */
	expect("network", "{'total':1,'cards':[{'pci_address':'0000:00:02.0','driver':'e1000e'}]}");
	ck_assert_int_eq(
		json_object_size(json_object_get(
			json_array_get(json_object_get(json_object_get(shown, "pci"), "devices"),
				       0),
			"vpd")),
		2);
}
END_TEST

START_TEST(test_vpd_that_lies)
{
	/* more bytes promised than are there, in the resource and in a field */
	static const char *const lies[] = { "\x82\xff\xffname",
					    "\x90\x04\x00PN\xff"
					    "1",
					    "\x82", "" };
	g_autofree char *file = at(PCI "0000:00:02.0/vpd");

	put_pci("0000:00:02.0", "0x020000", "0x8086", "0x2222");
	for (gsize i = 0; i < G_N_ELEMENTS(lies); i++) {
		ck_assert(g_file_set_contents(file, lies[i], i == 1 ? 7 : strlen(lies[i]), NULL));
		json_decref(shown);
		shown = resources_show(root);
		expect("pci", "{'total':1}");
		ck_assert_int_eq(
			json_object_size(json_object_get(
				json_array_get(
					json_object_get(json_object_get(shown, "pci"), "devices"),
					0),
				"vpd")),
			0);
	}
}
END_TEST

START_TEST(test_gpu)
{
	put_pci("0000:00:10.0", "0x030000", "0x8086", "0x5555");
	put(PCI "0000:00:10.0/drm/card0/dev", "226:0\n");
	put(PCI "0000:00:10.0/drm/renderD128/dev", "226:128\n");
	lead("sys/class/drm/card0", "../../devices/pci0000:00/0000:00:10.0/drm/card0");
	lead(PCI "0000:00:10.0/drm/card0/device", "../../../0000:00:10.0");
	put("sys/devices/platform/gpu/drm/card1/dev", "226:1\n");
	lead("sys/class/drm/card1", "../../devices/platform/gpu/drm/card1");
	lead("sys/class/drm/card1-HDMI-A-1", "../../devices/platform/gpu/drm/card1");
	lead("sys/devices/platform/gpu/drm/card1/device", "../../../gpu");
	expect("gpu",
	       "{'total':2,'cards':[{'pci_address':'0000:00:10.0','product_id':'5555','drm':{"
	       "'id':0,'card_name':'card0','card_device':'226:0','render_name':'renderD128',"
	       "'render_device':'226:128'}},{'numa_node':0,'drm':{'id':1}}]}");
}
END_TEST

START_TEST(test_network)
{
	put_pci("0000:00:03.0", "0x020000", "0x1af4", "0x1041");
	put(PCI "0000:00:03.0/virtio2/vendor", "0x1af4\n");
	put(PCI "0000:00:03.0/virtio2/device", "0x0001\n");
	lead(PCI "0000:00:03.0/virtio2/subsystem", "../../../../bus/virtio");
	put(PCI "0000:00:03.0/virtio2/net/eth0/address", "02:fc:00:00:00:01\n");
	put(PCI "0000:00:03.0/virtio2/net/eth0/type", "1\n");
	put(PCI "0000:00:03.0/virtio2/net/eth0/dev_port", "0\n");
	lead(PCI "0000:00:03.0/virtio2/net/eth0/device", "../../../virtio2");
	lead("sys/class/net/eth0", "../../devices/pci0000:00/0000:00:03.0/virtio2/net/eth0");
	put("sys/devices/virtual/net/lo/type", "772");
	lead("sys/class/net/lo", "../../devices/virtual/net/lo");
	expect("network", "{'total':1,'cards':[{'pci_address':'0000:00:03.0','vendor_id':'1af4',"
			  "'product_id':'0001','ports':[{'id':'eth0','port':0,"
			  "'address':'02:fc:00:00:00:01','protocol':'ethernet'}]}]}");
}
END_TEST

START_TEST(test_storage)
{
	put_pci("0000:00:04.0", "0x010000", "0x1af4", "0x1042");
	put(PCI "0000:00:04.0/nvme0/model", "Disk of glass  \n");
	lead(PCI "0000:00:04.0/nvme0/subsystem", "../../../../class/nvme");
	put("sys/block/nvme0n1/dev", "259:0\n");
	put("sys/block/nvme0n1/size", "2048\n");
	put("sys/block/nvme0n1/ro", "1\n");
	put("sys/block/nvme0n1/wwid", "eui.1\n");
	put("sys/block/nvme0n1/queue/physical_block_size", "4096");
	put("sys/block/nvme0n1/queue/rotational", "0");
	lead("sys/block/nvme0n1/device", "../../devices/pci0000:00/0000:00:04.0/nvme0");
	put("sys/block/nvme0n1/nvme0n1p1/partition", "1");
	put("sys/block/nvme0n1/nvme0n1p1/size", "8");
	put("sys/block/nvme0n1/nvme0n1p1/dev", "259:1\n");
	put("sys/block/loop0/size", "100");
	lead("sys/class/block/nvme0n1", "../../block/nvme0n1");
	lead("sys/class/block/nvme0n1p1", "../../block/nvme0n1/nvme0n1p1");
	lead("sys/class/block/loop0", "../../block/loop0");
	put("run/udev/data/b259:0", "S:disk\nE:ID_SERIAL=long\nE:ID_SERIAL_SHORT=S42\n");
	lead("dev/disk/by-id/nvme-eui.1", "../../nvme0n1");
	lead("dev/disk/by-path/pci-0000:00:04.0-nvme-1", "../../nvme0n1");
	expect("storage",
	       "{'total':2,'disks':[{'id':'nvme0n1','device':'259:0','model':'Disk of glass',"
	       "'type':'nvme','read_only':true,'size':1048576,'removable':false,'wwn':'eui.1',"
	       "'numa_node':0,'device_path':'pci-0000:00:04.0-nvme-1','block_size':4096,'rpm':0,"
	       "'serial':'S42','device_id':'nvme-eui.1','pci_address':'0000:00:04.0','partitions':["
	       "{'id':'nvme0n1p1','device':'259:1','read_only':false,'size':4096,'partition':1}"
	       "]}]}");
}
END_TEST

#define USB "sys/bus/usb/devices/"

START_TEST(test_usb)
{
	put(USB "1-2/bDeviceClass", "00");
	put(USB "1-2/busnum", "1");
	put(USB "1-2/devnum", "5");
	put(USB "1-2/speed", "1.5");
	put(USB "1-2/idVendor", "046d\n");
	put(USB "1-2/idProduct", "c31c\n");
	put(USB "1-2/manufacturer", "Maker\n");
	put(USB "1-2/product", "Keys\n");
	put(USB "1-2/1-2:1.0/bInterfaceClass", "03\n");
	put(USB "1-2/1-2:1.0/bInterfaceSubClass", "01\n");
	put(USB "1-2/1-2:1.0/bInterfaceNumber", "0a\n");
	put(USB "usb1/bDeviceClass", "09");
	expect("usb", "{'total':1,'devices':[{'bus_address':1,'device_address':5,'speed':1.5,"
		      "'vendor':'Maker','vendor_id':'046d','product':'Keys','product_id':'c31c',"
		      "'interfaces':[{'class':'Human Interface Device','class_id':3,'number':10,"
		      "'subclass_id':1,'driver':''}]}]}");
}
END_TEST

START_TEST(test_system)
{
	put("sys/class/dmi/id/sys_vendor", "Maker\n");
	put("sys/class/dmi/id/bios_date", "01/01/2020\n");
	put("sys/class/dmi/id/board_name", "Board\n");
	expect("system", "{'vendor':'Maker','uuid':'','type':'unknown','firmware':{"
			 "'date':'01/01/2020','vendor':''},'motherboard':{'product':'Board'},"
			 "'chassis':{'type':''}}");
}
END_TEST

START_TEST(test_nothing)
{
	expect("system", "{'vendor':'','firmware':null,'chassis':null,'motherboard':null}");
	expect("cpu", "{'sockets':[],'total':0}");
	expect("memory", "{'nodes':[],'used':0,'total':0}");
	expect("gpu", "{'cards':[],'total':0}");
	expect("network", "{'cards':[],'total':0}");
	expect("storage", "{'disks':[],'total':0}");
	expect("usb", "{'devices':[],'total':0}");
	expect("pci", "{'devices':[],'total':0}");
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, test_cpu);
	tcase_add_test(tests, test_memory);
	tcase_add_test(tests, test_memory_of_blocks);
	tcase_add_test(tests, test_pci);
	tcase_add_test(tests, test_vpd_that_lies);
	tcase_add_test(tests, test_gpu);
	tcase_add_test(tests, test_network);
	tcase_add_test(tests, test_storage);
	tcase_add_test(tests, test_usb);
	tcase_add_test(tests, test_system);
	tcase_add_test(tests, test_nothing);
}

int main(void)
{
	return test_run("resources", fill);
}
