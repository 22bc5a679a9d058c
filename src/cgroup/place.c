/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Places: the text of /proc/PID/cgroup, and what it says of each hierarchy. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/line.h"
#include "cgroup/private.h"

/* Splits a line of /proc/PID/cgroup, "4:memory:/a/b", into its name and its path. */
static bool entry_split(const struct line *line, struct line *ret_name, struct line *ret_path)
{
	const char *end = line->start + line->len;
	const char *name = memchr(line->start, ':', line->len);
	const char *path = name ? memchr(name + 1, ':', (size_t)(end - name - 1)) : NULL;

	if (!path || path + 1 >= end || path[1] != '/')
		return false;
	*ret_name = (struct line){ name + 1, (size_t)(path - name - 1) };
	*ret_path = (struct line){ path + 1, (size_t)(end - path - 1) };
	return true;
}

/* Cuts a trailing "/init.scope": a systemd in a container whose cgroup is the one above. */
static void init_scope_cut(struct line *path)
{
	static const char scope[] = "/init.scope";
	size_t n = sizeof scope - 1;

	if (path->len < n || memcmp(path->start + path->len - n, scope, n) != 0)
		return;
	path->len -= n;
	if (!path->len)
		path->len = 1; /* "/" is left */
}

/* A path that leaves the engine's cgroup namespace: "/../a". */
static bool path_foreign(const char *path)
{
	return strcmp(path, "/..") == 0 || strncmp(path, "/../", 4) == 0;
}

/*
 * Whoever hides very deep is shown the ancestor at the deepest level that is looked
 * at: its limits are no less strict than those above, and a walk stays short.
 */
static void path_shorten(char *path)
{
	unsigned depth = 0;

	for (char *p = path; *p; p++) {
		if (*p != '/' || depth++ < CGROUP_DEPTH_MAX)
			continue;
		*p = '\0';
		return;
	}
}

static void place_line(struct cgroup *cg, struct line name, struct line path)
{
	for (size_t i = 0; i < cg->host->count; i++) {
		const struct cgroup_hierarchy *h = &cg->host->hierarchy[i];

		if (!(h->version == 2 ? name.len == 0 : line_is(&name, h->name)))
			continue;
		cg->path[i] = cg->text + (path.start - cg->text);
		cg->path[i][path.len] = '\0';
		path_shorten(cg->path[i]);
		if (path_foreign(cg->path[i]))
			cg->path[i] = NULL;
	}
}

int cgroup_open(struct cgroups *cgroups, const char *proc_cgroup, bool init, struct cgroup **ret)
{
	struct cgroup *cg = calloc(1, sizeof *cg);
	const char *cursor;
	struct line line;

	if (cg)
		cg->text = strdup(proc_cgroup);
	if (!cg || !cg->text) {
		free(cg);
		return -ENOMEM;
	}
	cg->host = cgroups;
	pthread_mutex_init(&cg->lock, NULL);
	cursor = cg->text;
	while (line_next(&cursor, &line)) {
		struct line name, path;

		if (!entry_split(&line, &name, &path))
			continue;
		if (init)
			init_scope_cut(&path);
		place_line(cg, name, path);
	}
	*ret = cg;
	return 0;
}

void cgroup_close(struct cgroup *cg)
{
	if (!cg)
		return;
	for (unsigned i = 0; i < cg->kept_count; i++)
		close(cg->kept[i].fd);
	atomic_fetch_sub(&cg->host->kept, (int)cg->kept_count);
	pthread_mutex_destroy(&cg->lock);
	free(cg->kept);
	free(cg->text);
	free(cg);
}

static bool path_contains(const struct line *outer, const struct line *inner)
{
	if (outer->len == 1)
		return true;
	return inner->len >= outer->len && memcmp(outer->start, inner->start, outer->len) == 0 &&
	       (inner->len == outer->len || inner->start[outer->len] == '/');
}

bool cgroup_text_contains(const char *outer, const char *inner)
{
	struct line a, b;

	while (line_next(&outer, &a)) {
		struct line name_a, name_b, path_a, path_b;

		/* The kernel prints the hierarchies in one order for everybody. */
		if (!line_next(&inner, &b) || !entry_split(&a, &name_a, &path_a) ||
		    !entry_split(&b, &name_b, &path_b))
			return false;
		init_scope_cut(&path_a);
		if (!path_contains(&path_a, &path_b))
			return false;
	}
	return true;
}

const char *cgroup_path(const struct cgroup *cg, size_t hierarchy)
{
	return hierarchy < cg->host->count ? cg->path[hierarchy] : NULL;
}

const char *cgroup_controller_path(const struct cgroup *cg, enum cgroup_controller controller)
{
	int index = cg->host->of[controller];

	return index < 0 ? NULL : cg->path[index];
}

unsigned cgroup_depth(const struct cgroup *cg, enum cgroup_controller controller)
{
	const char *path = cgroup_controller_path(cg, controller);
	unsigned depth = 0;

	if (!path || path[1] == '\0')
		return 0;
	for (; *path; path++)
		depth += *path == '/';
	return depth;
}

bool cgroup_is_root(const struct cgroup *cg, enum cgroup_controller controller)
{
	return cgroup_depth(cg, controller) == 0;
}
