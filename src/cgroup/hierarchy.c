/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The hierarchies of a host: which are mounted where, and which controllers live on them. */
#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "cgroup/private.h"

/* Controllers of v1, a closed set; in the mount options they stand between others. */
static const char *const v1_controllers[] = {
	"cpuset",  "cpu",	 "cpuacct",  "blkio",	"memory", "devices", "freezer",
	"net_cls", "perf_event", "net_prio", "hugetlb", "pids",	  "rdma",    "misc",
};

static const struct {
	const char *v1, *v2;
} controller_name[CGROUP_CONTROLLERS] = {
	[CGROUP_MEMORY] = { "memory", "memory" }, [CGROUP_CPU] = { "cpu", "cpu" },
	[CGROUP_CPUACCT] = { "cpuacct", "" },	  [CGROUP_CPUSET] = { "cpuset", "cpuset" },
	[CGROUP_IO] = { "blkio", "io" },	  [CGROUP_HUGETLB] = { "hugetlb", "hugetlb" },
	[CGROUP_PIDS] = { "pids", "pids" },	  [CGROUP_CORE] = { NULL, "" },
};

static bool is_v1_controller(const char *option)
{
	for (size_t i = 0; i < ARRAY_SIZE(v1_controllers); i++) {
		if (strcmp(option, v1_controllers[i]) == 0)
			return true;
	}
	return strncmp(option, "name=", 5) == 0;
}

/* The hierarchy's name as /proc/PID/cgroup has it, from the mount options. */
static char *v1_name(const char *options)
{
	AUTO_FREE char *copy = strdup(options);
	AUTO_TEXT struct text name = { 0 };
	char *rest = copy, *option;

	while (rest && (option = strsep(&rest, ","))) {
		if (!is_v1_controller(option))
			continue;
		if (name.len)
			text_putc(&name, ',');
		text_puts(&name, option);
	}
	return copy && !name.error && name.len ? take_ptr(name.data) : NULL;
}

/* Is `word` one of the words of the list, separated by `separator`? */
static bool list_has(const char *list, char separator, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = list; (p = strstr(p, word)); p += n) {
		char end = p[n];

		if ((p == list || p[-1] == separator) &&
		    (end == separator || end == '\0' || end == '\n'))
			return true;
	}
	return false;
}

static void hierarchy_release(struct cgroup_hierarchy *h)
{
	free(h->name);
	free(h->mount);
	cleanup_close(&h->fd);
}

static bool hierarchy_known(const struct cgroups *cgroups, const char *name)
{
	for (size_t i = 0; i < cgroups->count; i++) {
		if (strcmp(cgroups->hierarchy[i].name, name) == 0)
			return true;
	}
	return false;
}

/* Which of our controllers live on a hierarchy; of v1's and v2's the v1 mount wins. */
static void controllers_assign(struct cgroups *cgroups, size_t index)
{
	const struct cgroup_hierarchy *h = &cgroups->hierarchy[index];
	AUTO_TEXT struct text available = { 0 };

	if (h->version == 2)
		file_read_at(h->fd, "cgroup.controllers", &available);
	for (size_t c = 0; c < CGROUP_CONTROLLERS; c++) {
		const char *v1 = controller_name[c].v1, *v2 = controller_name[c].v2;

		if (h->version == 1 && v1 && list_has(h->name, ',', v1))
			cgroups->of[c] = (int)index;
		if (h->version == 2 && cgroups->of[c] < 0 &&
		    (!*v2 || list_has(text_str(&available), ' ', v2)))
			cgroups->of[c] = (int)index;
	}
}

static int hierarchy_add(struct cgroups *cgroups, int rootfd, const struct mntent *mount)
{
	struct cgroup_hierarchy h = { .fd = -1, .version = 1 }, *more;

	if (strcmp(mount->mnt_type, "cgroup2") == 0)
		h.version = 2;
	else if (strcmp(mount->mnt_type, "cgroup") != 0)
		return 0;
	h.name = h.version == 2 ? strdup("unified") : v1_name(mount->mnt_opts);
	h.mount = strdup(mount->mnt_dir);
	if (!h.name || !h.mount || hierarchy_known(cgroups, h.name) ||
	    cgroups->count == CGROUP_HIERARCHIES_MAX) {
		hierarchy_release(&h);
		return 0;
	}
	h.fd = openat(rootfd, h.mount + strspn(h.mount, "/"), O_PATH | O_DIRECTORY | O_CLOEXEC);
	more = h.fd < 0 ? NULL : reallocarray(cgroups->hierarchy, cgroups->count + 1, sizeof h);
	if (!more) {
		int r = h.fd < 0 ? 0 : -ENOMEM; /* an unreachable mount is passed over */

		hierarchy_release(&h);
		return r;
	}
	cgroups->hierarchy = more;
	cgroups->hierarchy[cgroups->count++] = h;
	return 0;
}

static int hierarchies_find(struct cgroups *cgroups, int rootfd)
{
	int fd = openat(rootfd, "proc/mounts", O_RDONLY | O_CLOEXEC);
	AUTO_FCLOSE FILE *mounts = fd < 0 ? NULL : fdopen(fd, "re");
	char buf[8192];
	struct mntent entry;

	if (!mounts) {
		int r = -errno;

		cleanup_close(&fd);
		return r;
	}
	while (getmntent_r(mounts, &entry, buf, sizeof buf)) {
		int r = hierarchy_add(cgroups, rootfd, &entry);

		if (r < 0)
			return r;
	}
	return cgroups->count ? 0 : -ENODEV;
}

int cgroups_open(int rootfd, struct cgroups **ret)
{
	struct cgroups *cgroups = calloc(1, sizeof *cgroups);
	int r;

	if (!cgroups)
		return -ENOMEM;
	for (size_t c = 0; c < CGROUP_CONTROLLERS; c++)
		cgroups->of[c] = -1;
	r = hierarchies_find(cgroups, rootfd);
	if (r < 0) {
		cgroups_close(cgroups);
		return r;
	}
	for (int version = 1; version <= 2; version++) {
		for (size_t i = 0; i < cgroups->count; i++) {
			if (cgroups->hierarchy[i].version == version)
				controllers_assign(cgroups, i);
		}
	}
	*ret = cgroups;
	return 0;
}

void cgroups_close(struct cgroups *cgroups)
{
	if (!cgroups)
		return;
	for (size_t i = 0; i < cgroups->count; i++)
		hierarchy_release(&cgroups->hierarchy[i]);
	free(cgroups->hierarchy);
	free(cgroups);
}
