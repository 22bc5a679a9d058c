/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Processors and memory. */
#include <string.h>
#include <sys/utsname.h>

#include "core/resources_private.h"

#define KHZ_PER_MHZ 1000

/* --- processors ---------------------------------------------------------------------------- */

/* The value of KEY in the paragraph of processor NUMBER. g_free. */
static char *cpuinfo(const char *text, const char *number, const char *key)
{
	g_auto(GStrv) paragraphs = g_strsplit(text, "\n\n", -1);

	for (char **each = paragraphs; *each; each++) {
		g_auto(GStrv) lines = g_strsplit(*each, "\n", -1);
		gboolean is_it = FALSE;

		for (char **line = lines; *line; line++) {
			char *colon = strchr(*line, ':');

			if (!colon)
				continue;
			*colon = '\0';
			g_strstrip(*line);
			if (strcmp(*line, "processor") == 0)
				is_it = strcmp(g_strstrip(colon + 1), number) == 0;
			else if (is_it && strcmp(*line, key) == 0)
				return g_strdup(g_strstrip(colon + 1));
		}
	}
	return g_strdup("");
}

/* Whether NUMBER is in a list like "0-3,8". */
static gboolean in_list(const char *list, guint64 number)
{
	g_auto(GStrv) parts = g_strsplit(list, ",", -1);

	for (char **part = parts; *part; part++) {
		char *end;
		guint64 first = g_ascii_strtoull(*part, &end, 10), last = first;

		if (end == *part)
			continue;
		if (*end == '-')
			last = g_ascii_strtoull(end + 1, NULL, 10);
		if (number >= first && number <= last)
			return TRUE;
	}
	return FALSE;
}

static gint64 numa_node(const char *cpu)
{
	g_autoptr(GPtrArray) names = sys_names(cpu);

	for (guint i = 0; i < names->len; i++) {
		const char *name = names->pdata[i];

		if (g_str_has_prefix(name, "node") && g_ascii_isdigit(name[4]))
			return g_ascii_strtoll(name + 4, NULL, 10);
	}
	return 0;
}

static json_t *caches(const char *cpu)
{
	g_autofree char *dir = g_build_filename(cpu, "cache", NULL);
	g_autoptr(GPtrArray) names = sys_names(dir);
	json_t *list = json_array();

	for (guint i = 0; i < names->len; i++) {
		g_autofree char *index = g_build_filename(dir, names->pdata[i], NULL);
		g_autofree char *type = sys_text(index, "type"), *size = sys_text(index, "size");
		char *unit;
		guint64 bytes = g_ascii_strtoull(size, &unit, 10);

		if (!g_str_has_prefix(names->pdata[i], "index"))
			continue;
		bytes *= *unit == 'K' ? 1024 : *unit == 'M' ? 1024 * 1024 : 1;
		json_array_append_new(list, json_pack("{s:I, s:s, s:I}", "level",
						      (json_int_t)sys_number(index, "level", 0),
						      "type", type, "size", (json_int_t)bytes));
	}
	return list;
}

/* The one of LIST whose KEYs are these numbers; NULL for none. */
static json_t *find(const json_t *list, const char *key, gint64 number, const char *second_key,
		    gint64 second)
{
	json_t *each;
	size_t i;

	json_array_foreach(
		list, i,
		each) if (json_integer_value(json_object_get(each, key)) == number &&
			  (!second_key || json_integer_value(json_object_get(each, second_key)) ==
						  second)) return each;
	return NULL;
}

static void set_frequency(json_t *object, const char *key, const char *cpu, const char *file)
{
	gint64 khz = sys_number(cpu, file, 0);

	if (khz > 0)
		json_object_set_new(object, key, json_integer(khz / KHZ_PER_MHZ));
}

static json_t *socket_of(json_t *sockets, gint64 number, const char *cpu, const char *id,
			 const char *info)
{
	json_t *socket = find(sockets, "socket", number, NULL, 0), *cache;
	g_autofree char *name = NULL, *vendor = NULL;

	if (socket)
		return socket;
	name = cpuinfo(info, id, "model name");
	vendor = cpuinfo(info, id, "vendor_id");
	cache = caches(cpu);
	socket = json_pack("{s:I, s:[]}", "socket", (json_int_t)number, "cores");
	sys_set(socket, "name", name);
	sys_set(socket, "vendor", vendor);
	if (json_array_size(cache) > 0)
		json_object_set(socket, "cache", cache);
	json_decref(cache);
	set_frequency(socket, "frequency_minimum", cpu, "cpufreq/cpuinfo_min_freq");
	set_frequency(socket, "frequency_turbo", cpu, "cpufreq/cpuinfo_max_freq");
	json_array_append_new(sockets, socket);
	return socket;
}

static json_t *core_of(json_t *socket, const char *cpu)
{
	json_t *cores = json_object_get(socket, "cores");
	gint64 number = MAX(sys_number(cpu, "topology/core_id", 0), 0);
	gint64 die = MAX(sys_number(cpu, "topology/die_id", 0), 0);
	json_t *core = find(cores, "core", number, "die", die);

	if (core)
		return core;
	core = json_pack("{s:I, s:I, s:[]}", "core", (json_int_t)number, "die", (json_int_t)die,
			 "threads");
	set_frequency(core, "frequency", cpu, "cpufreq/scaling_cur_freq");
	json_array_append_new(cores, core);
	return core;
}

static void add_cpu(json_t *sockets, const char *cpu, const char *id, const char *info,
		    const char *isolated)
{
	gint64 number = MAX(sys_number(cpu, "topology/physical_package_id", 0), 0);
	json_t *core = core_of(socket_of(sockets, number, cpu, id, info), cpu);
	json_t *threads = json_object_get(core, "threads");
	gint64 first = (gint64)json_array_size(threads);
	guint64 n = g_ascii_strtoull(id, NULL, 10);

	json_array_append_new(threads, json_pack("{s:I, s:I, s:I, s:b, s:b}", "id", (json_int_t)n,
						 "numa_node", (json_int_t)numa_node(cpu), "thread",
						 (json_int_t)first, "online",
						 (int)(sys_number(cpu, "online", 1) != 0),
						 "isolated", (int)in_list(isolated, n)));
}

/* A socket's frequency is the mean of its cores'. */
static void set_means(const json_t *sockets)
{
	json_t *socket, *core;
	size_t i, k;

	json_array_foreach(sockets, i, socket)
	{
		gint64 sum = 0, count = 0;

		json_array_foreach(json_object_get(socket, "cores"), k, core)
		{
			sum += json_integer_value(json_object_get(core, "frequency"));
			count++;
		}
		if (sum > 0)
			json_object_set_new(socket, "frequency", json_integer(sum / count));
	}
}

json_t *resources_cpu(const char *root)
{
	g_autofree char *dir = g_strconcat(root, "/sys/devices/system/cpu", NULL);
	g_autofree char *proc = g_strconcat(root, "/proc", NULL);
	g_autofree char *info = sys_text(proc, "cpuinfo"), *isolated = sys_text(dir, "isolated");
	g_autoptr(GPtrArray) names = sys_names(dir);
	json_t *sockets = json_array();
	gint64 total = 0;
	struct utsname uts;

	for (guint i = 0; i < names->len; i++) {
		const char *name = names->pdata[i];
		g_autofree char *cpu = g_build_filename(dir, name, NULL);

		/* one that is offline has no place in the topology */
		if (!g_str_has_prefix(name, "cpu") || !g_ascii_isdigit(name[3]) ||
		    !sys_exists(cpu, "topology"))
			continue;
		add_cpu(sockets, cpu, name + 3, info, isolated);
		total++;
	}
	set_means(sockets);
	uname(&uts);
	return json_pack("{s:s, s:o, s:I}", "architecture", uts.machine, "sockets", sockets,
			 "total", (json_int_t)total);
}

/* --- memory ---------------------------------------------------------------------------------- */

/* Bytes in the blocks of memory below DIR that are online; 0 where the kernel has no blocks. */
static guint64 block_bytes(const char *root, const char *dir)
{
	g_autofree char *memory = g_strconcat(root, "/sys/devices/system/memory", NULL);
	g_autofree char *size = sys_text(memory, "block_size_bytes"); /* hexadecimal, without 0x */
	g_autoptr(GPtrArray) names = sys_names(dir);
	guint64 bytes = 0;

	for (guint i = 0; i < names->len; i++) {
		const char *name = names->pdata[i];
		g_autofree char *block = g_build_filename(dir, name, NULL);

		if (g_str_has_prefix(name, "memory") && g_ascii_isdigit(name[6]) &&
		    sys_number(block, "online", 0) == 1)
			bytes += g_ascii_strtoull(size, NULL, 16);
	}
	return bytes;
}

static json_t *memory_node(const char *root, const char *node, const char *name, guint64 huge)
{
	g_autofree char *text = sys_text(node, "meminfo");
	g_autofree char *prefix = g_strdup_printf("Node %s ", name);
	guint64 total = block_bytes(root, node);
	guint64 huge_total = sys_meminfo(text, prefix, "HugePages_Total");
	guint64 huge_free = sys_meminfo(text, prefix, "HugePages_Free");

	if (total == 0)
		total = sys_meminfo(text, prefix, "MemTotal") * 1024;
	return json_pack("{s:I, s:I, s:I, s:I, s:I}", "numa_node",
			 (json_int_t)g_ascii_strtoll(name, NULL, 10), "hugepages_used",
			 (json_int_t)((huge_total - huge_free) * huge), "hugepages_total",
			 (json_int_t)(huge_total * huge), "used",
			 (json_int_t)(sys_meminfo(text, prefix, "MemUsed") * 1024), "total",
			 (json_int_t)total);
}

static json_t *memory_nodes(const char *root, guint64 huge)
{
	g_autofree char *dir = g_strconcat(root, "/sys/devices/system/node", NULL);
	g_autoptr(GPtrArray) names = sys_names(dir);
	json_t *nodes = json_array();

	for (guint i = 0; i < names->len; i++) {
		const char *name = names->pdata[i];
		g_autofree char *node = g_build_filename(dir, name, NULL);

		if (g_str_has_prefix(name, "node") && g_ascii_isdigit(name[4]))
			json_array_append_new(nodes, memory_node(root, node, name + 4, huge));
	}
	return nodes;
}

json_t *resources_memory(const char *root)
{
	g_autofree char *proc = g_strconcat(root, "/proc", NULL);
	g_autofree char *text = sys_text(proc, "meminfo");
	g_autofree char *blocks = g_strconcat(root, "/sys/devices/system/memory", NULL);
	guint64 huge = sys_meminfo(text, "", "Hugepagesize") * 1024;
	guint64 huge_total = sys_meminfo(text, "", "HugePages_Total");
	guint64 huge_free = sys_meminfo(text, "", "HugePages_Free");
	guint64 total = block_bytes(root, blocks);
	guint64 unused = sys_meminfo(text, "", "MemFree") + sys_meminfo(text, "", "Cached") +
			 sys_meminfo(text, "", "Buffers");

	if (total == 0)
		total = sys_meminfo(text, "", "MemTotal") * 1024;
	return json_pack("{s:o, s:I, s:I, s:I, s:I, s:I}", "nodes", memory_nodes(root, huge),
			 "hugepages_total", (json_int_t)(huge_total * huge), "hugepages_used",
			 (json_int_t)((huge_total - huge_free) * huge), "hugepages_size",
			 (json_int_t)huge, "used", (json_int_t)(total - MIN(total, unused * 1024)),
			 "total", (json_int_t)total);
}
