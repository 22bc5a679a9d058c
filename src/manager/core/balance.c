/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which CPUs each running instance may use. */
#include "core/balance.h"

#include <string.h>

#include "core/instances_private.h"
#include "util/units.h"

/* How many instances use each CPU; in the order of the set of CPUs. */
struct load {
	guint cpu, users;
};

static struct load *find(GArray *loads, guint cpu)
{
	for (guint i = 0; i < loads->len; i++)
		if (g_array_index(loads, struct load, i).cpu == cpu)
			return &g_array_index(loads, struct load, i);
	return NULL;
}

static GArray *loads_of(const GArray *cpus)
{
	GArray *loads = g_array_new(FALSE, FALSE, sizeof(struct load));

	for (guint i = 0; i < cpus->len; i++) {
		struct load load = { g_array_index(cpus, guint, i), 0 };

		g_array_append_val(loads, load);
	}
	return loads;
}

static int by_number(const void *a, const void *b)
{
	guint left = *(const guint *)a, right = *(const guint *)b;

	return (left > right) - (left < right);
}

/* What is pinned to CPUs that there are not uses the others of its set, or all. */
static void pin(struct balance_item *item, GArray *loads, const GArray *cpus)
{
	for (guint i = 0; item->pinned && i < item->pinned->len; i++) {
		guint cpu = g_array_index(item->pinned, guint, i);
		struct load *load = find(loads, cpu);

		if (!load)
			continue;
		load->users++;
		g_array_append_val(item->cpus, cpu);
	}
	if (item->cpus->len == 0)
		g_array_append_vals(item->cpus, cpus->data, cpus->len);
}

static struct load *least(GArray *loads, const GArray *except)
{
	struct load *best = NULL;

	for (guint i = 0; i < loads->len; i++) {
		struct load *load = &g_array_index(loads, struct load, i);
		gboolean used = FALSE;

		for (guint j = 0; j < except->len; j++)
			used |= g_array_index(except, guint, j) == load->cpu;
		if (!used && (!best || load->users < best->users))
			best = load;
	}
	return best;
}

static void spread(struct balance_item *item, GArray *loads)
{
	unsigned count = MIN(item->count, loads->len);

	while (item->cpus->len < count) {
		struct load *load = least(loads, item->cpus);

		load->users++;
		g_array_append_val(item->cpus, load->cpu);
	}
	g_array_sort(item->cpus, by_number);
}

void balance(struct balance_item *items, gsize n, const GArray *cpus)
{
	g_autoptr(GArray) loads = loads_of(cpus);

	for (gsize i = 0; i < n; i++) {
		items[i].cpus = g_array_new(FALSE, FALSE, sizeof(guint));
		if (items[i].count == 0)
			pin(&items[i], loads, cpus);
	}
	for (gsize i = 0; i < n; i++)
		if (items[i].count > 0)
			spread(&items[i], loads);
}

char *balance_print(const GArray *cpus)
{
	GString *text = g_string_new(NULL);

	for (guint i = 0; i < cpus->len;) {
		guint first = g_array_index(cpus, guint, i), last = first;

		while (++i < cpus->len && g_array_index(cpus, guint, i) == last + 1)
			last++;
		g_string_append_printf(text, "%s%u", text->len ? "," : "", first);
		if (last > first)
			g_string_append_printf(text, "-%u", last);
	}
	return g_string_free(text, FALSE);
}

/* --- of this host ------------------------------------------------------------------------- */

static GArray *read_set(const char *path)
{
	g_autofree char *text = NULL;

	if (!g_file_get_contents(path, &text, NULL, NULL) || !*g_strstrip(text))
		return NULL;
	return units_cpu_set(text, NULL);
}

/* Those that are online and not set apart at boot. */
static GArray *host_cpus(void)
{
	GArray *online = read_set("/sys/devices/system/cpu/online");
	g_autoptr(GArray) isolated = read_set("/sys/devices/system/cpu/isolated");

	for (guint i = 0; online && isolated && i < isolated->len; i++)
		for (guint j = online->len; j-- > 0;)
			if (g_array_index(online, guint, j) == g_array_index(isolated, guint, i))
				g_array_remove_index(online, j);
	return online;
}

struct balancing {
	GPtrArray *all;	   /* the instances that count */
	GArray *items;	   /* struct balance_item, one for each */
	GPtrArray *pinned; /* what they point to */
	GArray *cpus;
};

static void add(struct balancing *work, struct instance *inst)
{
	struct balance_item item = { 0 };
	GArray *set = NULL;

	units_cpu_limit(json_text(inst->expanded_config, "limits.cpu"), &item.count, &set, NULL);
	if (set) {
		item.count = 0;
		item.pinned = set;
		g_ptr_array_add(work->pinned, set);
	}
	g_array_append_val(work->items, item);
	g_ptr_array_add(work->all, inst);
}

static gboolean has_limit(const struct instance *inst)
{
	return *json_text(inst->expanded_config, "limits.cpu") != '\0';
}

static void unref_array(void *array)
{
	g_array_unref(array);
}

static void begin(struct balancing *work)
{
	work->all = g_ptr_array_new();
	work->items = g_array_new(FALSE, FALSE, sizeof(struct balance_item));
	work->pinned = g_ptr_array_new_with_free_func(unref_array);
	work->cpus = host_cpus();
}

static void finish(struct balancing *work)
{
	for (guint i = 0; i < work->items->len; i++) {
		struct balance_item *item = &g_array_index(work->items, struct balance_item, i);

		if (item->cpus)
			g_array_unref(item->cpus);
	}
	g_array_unref(work->items);
	g_ptr_array_unref(work->all);
	g_ptr_array_unref(work->pinned);
	if (work->cpus)
		g_array_unref(work->cpus);
}

/* Adds all that run and have a limit, but SKIP. */
static void add_running(struct balancing *work, GPtrArray *all, const struct instance *skip)
{
	for (guint i = 0; i < all->len; i++) {
		struct instance *inst = all->pdata[i];

		if (has_limit(inst) && (!skip || skip->id != inst->id) && instance_is_running(inst))
			add(work, inst);
	}
}

char *balance_choose(const struct instance *inst)
{
	g_autoptr(GPtrArray) all = has_limit(inst) ? instance_load_all(inst->daemon, NULL, NULL)
						   : NULL;
	struct balancing work;
	char *text = NULL;

	if (!all)
		return NULL;
	begin(&work);
	add_running(&work, all, inst);
	add(&work, (struct instance *)inst);
	if (work.cpus) {
		balance((struct balance_item *)(void *)work.items->data, work.items->len,
			work.cpus);
		text = balance_print(
			g_array_index(work.items, struct balance_item, work.items->len - 1).cpus);
	}
	finish(&work);
	return text;
}

static void apply(struct instance *inst, const GArray *cpus)
{
	g_autofree char *text = balance_print(cpus);
	struct instance_spec *spec = instance_spec_new(inst, NULL);

	if (!spec)
		return;
	spec->cpus = text;
	inst->driver->limit(spec, "limits.cpu", NULL);
	instance_spec_free(spec);
}

/* One that stopped meanwhile does not keep the others from theirs. */
void balance_apply(struct daemon *daemon)
{
	g_autoptr(GPtrArray) all = NULL;
	struct balancing work;

	instances_decide(daemon);
	all = instance_load_all(daemon, NULL, NULL);
	begin(&work);
	if (all)
		add_running(&work, all, NULL);
	if (work.cpus && work.items->len > 0) {
		balance((struct balance_item *)(void *)work.items->data, work.items->len,
			work.cpus);
		for (guint i = 0; i < work.items->len; i++)
			apply(work.all->pdata[i],
			      g_array_index(work.items, struct balance_item, i).cpus);
	}
	finish(&work);
	instances_decided(daemon);
}
