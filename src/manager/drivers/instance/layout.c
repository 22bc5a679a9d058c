/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which controllers the host has, and on which cgroup version each is. */
#include <string.h>
#include <unistd.h>

#include "drivers/instance/limits.h"

struct controller {
	const char *v1, *v2;
	gsize offset; /* in struct cgroup_layout */
};

static const struct controller controllers[] = {
	{ "cpu", "cpu", G_STRUCT_OFFSET(struct cgroup_layout, cpu) },
	{ "cpuset", "cpuset", G_STRUCT_OFFSET(struct cgroup_layout, cpuset) },
	{ "hugetlb", "hugetlb", G_STRUCT_OFFSET(struct cgroup_layout, hugetlb) },
	{ "blkio", "io", G_STRUCT_OFFSET(struct cgroup_layout, io) },
	{ "memory", "memory", G_STRUCT_OFFSET(struct cgroup_layout, memory) },
	{ "pids", "pids", G_STRUCT_OFFSET(struct cgroup_layout, pids) },
	{ "devices", NULL, G_STRUCT_OFFSET(struct cgroup_layout, devices) },
};

static gboolean has_file(const char *dir, const char *name)
{
	g_autofree char *path = g_build_filename(dir, name, NULL);

	return access(path, F_OK) == 0;
}

static void note(struct cgroup_layout *layout, char **words, int version)
{
	for (gsize i = 0; i < G_N_ELEMENTS(controllers); i++) {
		const char *name = version == 1 ? controllers[i].v1 : controllers[i].v2;

		if (name && g_strv_contains((const char *const *)words, name))
			G_STRUCT_MEMBER(int, layout, controllers[i].offset) = version;
	}
}

/* Files that a kernel may have been built without. Those of the root cgroup are fewer on v2. */
static void note_v1(struct cgroup_layout *layout, char **words, const char *dir)
{
	note(layout, words, 1);
	if (g_strv_contains((const char *const *)words, "memory")) {
		layout->swap = has_file(dir, "memory.memsw.limit_in_bytes");
		layout->swappiness = has_file(dir, "memory.swappiness");
	}
	if (g_strv_contains((const char *const *)words, "blkio"))
		layout->io_weight = has_file(dir, "blkio.weight");
}

/* The first cgroup below the root that has the controller, which has all its files. */
static gboolean any_has_file(const char *dir, const char *name)
{
	g_autoptr(GDir) list = g_dir_open(dir, 0, NULL);
	const char *entry;

	while (list && (entry = g_dir_read_name(list))) {
		g_autofree char *below = g_build_filename(dir, entry, NULL);

		if (has_file(below, name))
			return TRUE;
	}
	return FALSE;
}

static void note_v2(struct cgroup_layout *layout, const char *dir)
{
	g_autofree char *path = g_build_filename(dir, "cgroup.controllers", NULL);
	g_autofree char *text = NULL;
	g_auto(GStrv) words = NULL;

	if (!g_file_get_contents(path, &text, NULL, NULL))
		return;
	words = g_strsplit_set(g_strchomp(text), " ", -1);
	note(layout, words, 2);
	if (!layout->devices)
		layout->devices = 2; /* a program of the cgroup's, not a controller */
	if (layout->memory == 2)
		layout->swap = any_has_file(dir, "memory.swap.max");
	if (layout->io == 2)
		layout->io_weight = any_has_file(dir, "io.weight");
}

/* "31 23 0:28 / /sys/fs/cgroup/cpu rw,relatime shared:1 - cgroup cgroup rw,cpu" */
static void note_mount(struct cgroup_layout *layout, const char *root, char **field, gsize n)
{
	gsize dash = 6;
	g_autofree char *dir = NULL;

	while (dash < n && strcmp(field[dash], "-") != 0)
		dash++;
	if (dash + 3 >= n || strcmp(field[3], "/") != 0)
		return;
	dir = g_strconcat(root, field[4], NULL);
	if (strcmp(field[dash + 1], "cgroup") == 0) {
		g_auto(GStrv) words = g_strsplit(field[dash + 3], ",", -1);

		note_v1(layout, words, dir);
	} else if (strcmp(field[dash + 1], "cgroup2") == 0) {
		note_v2(layout, dir);
	}
}

void cgroup_layout_read(const char *root, struct cgroup_layout *ret)
{
	g_autofree char *path = g_strconcat(root, "/proc/self/mountinfo", NULL);
	g_autofree char *ns = g_strconcat(root, "/proc/self/ns/cgroup", NULL);
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;

	memset(ret, 0, sizeof *ret);
	ret->namespaces = access(ns, F_OK) == 0;
	if (!g_file_get_contents(path, &text, NULL, NULL))
		return;
	lines = g_strsplit(text, "\n", -1);
	for (char **line = lines; *line; line++) {
		g_auto(GStrv) field = g_strsplit(*line, " ", -1);

		note_mount(ret, root, field, g_strv_length(field));
	}
}
