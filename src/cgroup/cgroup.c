/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hierarchies, places in them and their files; numbers are left to v1.c and v2.c. */
#include "cgroup/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/line.h"
#include "base/number.h"
#include "cgroup/private.h"

/* Controllers of v1, a closed set; in the mount options they stand between others. */
static const char *const v1_controllers[] = {
	"cpuset", "cpu",	"cpuacct",  "blkio",   "memory", "devices", "freezer",
	"net_cls", "perf_event", "net_prio", "hugetlb", "pids",	 "rdma",    "misc",
};

static const struct {
	const char *v1, *v2;
} controller_name[CGROUP_CONTROLLERS] = {
	[CGROUP_MEMORY] = { "memory", "memory" },
	[CGROUP_CPU] = { "cpu", "cpu" },
	[CGROUP_CPUACCT] = { "cpuacct", "" },
	[CGROUP_CPUSET] = { "cpuset", "cpuset" },
	[CGROUP_IO] = { "blkio", "io" },
	[CGROUP_HUGETLB] = { "hugetlb", "hugetlb" },
	[CGROUP_PIDS] = { "pids", "pids" },
	[CGROUP_CORE] = { NULL, "" },
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
	more = h.fd < 0 ? NULL :
			  reallocarray(cgroups->hierarchy, cgroups->count + 1, sizeof h);
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

/* Cuts a trailing "/init.scope": systemd's own unit inside a container whose cgroup is the one above. */
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

/* A path that leaves the engine's cgroup namespace ("/../a"), or is too deep to be true. */
static bool path_foreign(const char *path)
{
	unsigned depth = 0;

	for (const char *p = path; *p; p++)
		depth += *p == '/';
	return depth > CGROUP_DEPTH_MAX || strcmp(path, "/..") == 0 ||
	       strncmp(path, "/../", 4) == 0;
}

static void place_line(struct cgroup *cg, struct line name, struct line path)
{
	for (size_t i = 0; i < cg->host->count; i++) {
		const struct cgroup_hierarchy *h = &cg->host->hierarchy[i];

		if (!(h->version == 2 ? name.len == 0 : line_is(&name, h->name)))
			continue;
		cg->path[i] = cg->text + (path.start - cg->text);
		cg->path[i][path.len] = '\0';
		if (path_foreign(cg->path[i]))
			cg->path[i] = NULL;
	}
}

int cgroup_open(struct cgroups *cgroups, const char *proc_cgroup, bool init,
		struct cgroup **ret)
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

unsigned cgroup_kept(struct cgroup *cg)
{
	unsigned count;

	pthread_mutex_lock(&cg->lock);
	count = cg->kept_count;
	pthread_mutex_unlock(&cg->lock);
	return count;
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

static const char *controller_path(const struct cgroup *cg, enum cgroup_controller controller)
{
	int index = cg->host->of[controller];

	return index < 0 ? NULL : cg->path[index];
}

unsigned cgroup_depth(const struct cgroup *cg, enum cgroup_controller controller)
{
	const char *path = controller_path(cg, controller);
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

/* The cgroup's path `up` levels above, relative to the mount point, with the file's name. */
static int file_path(const struct cgroup *cg, const struct cgroup_file *file, struct text *t)
{
	const char *path = controller_path(cg, file->controller);
	size_t len;

	if (!path)
		return -ENODATA;
	len = strlen(path);
	for (unsigned up = file->up; up; up--) {
		while (len && path[len - 1] != '/')
			len--;
		if (!len)
			return -ENOENT;
		len--;
	}
	if (len > 1) {
		text_append(t, path + 1, len - 1);
		text_putc(t, '/');
	}
	text_puts(t, file->name);
	return t->error;
}

int cgroup_file_open(struct cgroup *cg, const struct cgroup_file *file, int flags)
{
	AUTO_TEXT struct text path = { 0 };
	int r = file_path(cg, file, &path);
	int fd;

	if (r < 0)
		return r;
	fd = openat(cg->host->hierarchy[cg->host->of[file->controller]].fd, path.data,
		    flags | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}

/* The open file kept from an earlier read; NULL if none. */
static struct cgroup_kept *kept_find(struct cgroup *cg, const struct cgroup_file *file)
{
	for (unsigned i = 0; i < cg->kept_count; i++) {
		struct cgroup_kept *k = &cg->kept[i];

		if (k->controller == file->controller && k->up == file->up && !k->gone &&
		    (k->name == file->name || strcmp(k->name, file->name) == 0))
			return k;
	}
	return NULL;
}

/* Makes the array as large as is needed, in steps of four. */
static bool kept_room(struct cgroup *cg)
{
	struct cgroup_kept *more;

	if (cg->kept_count % 4)
		return true;
	more = reallocarray(cg->kept, cg->kept_count + 4, sizeof *more);
	if (more)
		cg->kept = more;
	return more != NULL;
}

/* Keeps the fd, if there is room here and on the host; says whether it did. */
static bool kept_add(struct cgroup *cg, const struct cgroup_file *file, int fd)
{
	if (file->rare || cg->kept_count == CGROUP_KEPT_MAX || kept_find(cg, file) ||
	    !kept_room(cg))
		return false;
	if (atomic_fetch_add(&cg->host->kept, 1) >= cg->host->kept_max) {
		atomic_fetch_sub(&cg->host->kept, 1);
		return false;
	}
	cg->kept[cg->kept_count++] =
		(struct cgroup_kept){ file->controller, file->up, file->name, fd, false };
	return true;
}

/* Marks the file as no longer of use; its fd is closed with the place. */
static void kept_forget(struct cgroup *cg, int fd)
{
	pthread_mutex_lock(&cg->lock);
	for (unsigned i = 0; i < cg->kept_count; i++)
		cg->kept[i].gone |= cg->kept[i].fd == fd;
	pthread_mutex_unlock(&cg->lock);
}

/* Reads through the kept file. -ENODEV, after which it is no more: the cgroup was removed. */
static int kept_read(struct cgroup *cg, const struct cgroup_file *file, struct text *t)
{
	const struct cgroup_kept *kept;
	size_t start = t->len;
	int fd = -1, r;

	pthread_mutex_lock(&cg->lock);
	kept = kept_find(cg, file);
	if (kept)
		fd = kept->fd; /* stays open until the place is closed */
	pthread_mutex_unlock(&cg->lock);
	if (fd < 0)
		return -ENODEV;
	r = file_read_record(fd, t);
	if (r != -ENODEV)
		return r;
	t->len = start;
	kept_forget(cg, fd);
	return r;
}

int cgroup_file_read(struct cgroup *cg, const struct cgroup_file *file, struct text *t)
{
	AUTO_CLOSE int fd = -1;
	bool kept;
	int r = kept_read(cg, file, t);

	if (r != -ENODEV)
		return r;
	fd = cgroup_file_open(cg, file, O_RDONLY);
	r = fd < 0 ? fd : file_read_record(fd, t);
	if (r < 0)
		return r;
	pthread_mutex_lock(&cg->lock);
	kept = kept_add(cg, file, fd);
	pthread_mutex_unlock(&cg->lock);
	if (kept)
		take_fd(&fd);
	return 0;
}

int cgroup_file_u64(struct cgroup *cg, const struct cgroup_file *file, uint64_t *ret)
{
	AUTO_TEXT struct text content = { 0 };
	int r = cgroup_file_read(cg, file, &content);

	if (r < 0)
		return r;
	if (strncmp(text_str(&content), "max", 3) == 0) {
		*ret = CGROUP_NO_LIMIT;
		return 0;
	}
	return number_parse(text_str(&content), ret);
}

void cgroup_file_name(const struct cgroup *cg, const struct cgroup_file *file, struct text *t)
{
	int index = cg->host->of[file->controller];

	if (index < 0)
		return;
	text_puts(t, cg->host->hierarchy[index].mount);
	text_putc(t, '/');
	file_path(cg, file, t);
}

void cgroup_file_note(const struct cgroup *cg, const struct cgroup_file *file,
		      struct origins *why, const char *what, uint64_t value)
{
	AUTO_TEXT struct text name = { 0 };

	if (!why)
		return;
	cgroup_file_name(cg, file, &name);
	origin_note_u64(why, what, value, text_str(&name));
}

int cgroup_file_read_near(struct cgroup *cg, struct cgroup_file *file, struct text *t)
{
	unsigned depth = cgroup_depth(cg, file->controller);

	for (file->up = 0; file->up < depth; file->up++) {
		int r = cgroup_file_read(cg, file, t);

		if (r != -ENOENT)
			return r;
	}
	return -ENODATA;
}

int cgroup_file_min(struct cgroup *cg, struct origins *why, const char *what,
		    struct cgroup_file file, uint64_t *ret)
{
	unsigned depth = cgroup_depth(cg, file.controller), least_up = 0;
	uint64_t least = CGROUP_NO_LIMIT;

	for (file.up = 0; file.up < depth; file.up++) {
		uint64_t value;
		int r = cgroup_file_u64(cg, &file, &value);

		if (r == -ENOENT)
			continue;
		if (r < 0)
			return r;
		if (value < least) {
			least = value;
			least_up = file.up;
		}
	}
	file.up = least_up;
	cgroup_file_note(cg, &file, why, what, least);
	*ret = least;
	return 0;
}

bool cgroup_quota_less(const struct cgroup_quota *a, const struct cgroup_quota *b)
{
	if (a->quota_us == CGROUP_NO_LIMIT || b->quota_us == CGROUP_NO_LIMIT)
		return a->quota_us < b->quota_us;
	return (unsigned __int128)a->quota_us * b->period_us <
	       (unsigned __int128)b->quota_us * a->period_us;
}

int cgroup_file_cpus(struct cgroup *cg, struct origins *why, struct cgroup_file *file,
		     struct cpulist *ret)
{
	unsigned depth = cgroup_depth(cg, file->controller);

	for (file->up = 0; file->up <= depth; file->up++) {
		AUTO_TEXT struct text content = { 0 }, name = { 0 };
		struct cpulist cpus;
		int r = cgroup_file_read(cg, file, &content);

		if (r == -ENOENT || (r == 0 && text_str(&content)[0] <= '\n'))
			continue; /* not enabled here, or not configured: the parent's count */
		if (r == 0)
			r = cpulist_parse(text_str(&content), &cpus);
		if (r < 0)
			return r;
		cgroup_file_name(cg, file, &name);
		origin_note(why, "CPUs", text_str(&content), text_str(&name));
		*ret = cpus;
		return 0;
	}
	return -ENODATA;
}

bool cgroup_device_parse(const struct line *word, unsigned *ret_major, unsigned *ret_minor)
{
	const char *p = word->start;
	uint64_t major, minor;

	if (number_take(&p, &major) < 0 || *p++ != ':' || number_take(&p, &minor) < 0 ||
	    p != word->start + word->len || major > UINT32_MAX || minor > UINT32_MAX)
		return false;
	*ret_major = (unsigned)major;
	*ret_minor = (unsigned)minor;
	return true;
}

struct cgroup_io_device *cgroup_io_device(struct cgroup_io *io, unsigned major, unsigned minor)
{
	struct cgroup_io_device *more;

	for (size_t i = 0; i < io->count; i++) {
		if (io->device[i].major == major && io->device[i].minor == minor)
			return &io->device[i];
	}
	if (io->count == CGROUP_DEVICES_MAX)
		return NULL;
	more = reallocarray(io->device, io->count + 1, sizeof *more);
	if (!more)
		return NULL;
	io->device = more;
	more[io->count] = (struct cgroup_io_device){ .major = major, .minor = minor };
	return &more[io->count++];
}

/* The backend of the hierarchy that has the controller; NULL: no number exists. */
static const struct cgroup_backend *backend(const struct cgroup *cg,
					    enum cgroup_controller controller)
{
	if (cgroup_is_root(cg, controller))
		return NULL;
	return cg->host->hierarchy[cg->host->of[controller]].version == 2 ? &cgroup_v2 :
									     &cgroup_v1;
}

int cgroup_read_memory(struct cgroup *cg, struct origins *why, struct cgroup_memory *ret)
{
	const struct cgroup_backend *b = backend(cg, CGROUP_MEMORY);

	return b ? b->memory(cg, why, ret) : -ENODATA;
}

int cgroup_read_hugetlb(struct cgroup *cg, struct origins *why, uint64_t size_kb,
			struct cgroup_hugetlb *ret)
{
	const struct cgroup_backend *b = backend(cg, CGROUP_HUGETLB);
	char size[32];

	if (!b)
		return -ENODATA;
	/* As mem_fmt() in mm/hugetlb_cgroup.c names them. */
	if (size_kb >= 1 << 20)
		snprintf(size, sizeof size, "%lluGB", (unsigned long long)size_kb >> 20);
	else if (size_kb >= 1 << 10)
		snprintf(size, sizeof size, "%lluMB", (unsigned long long)size_kb >> 10);
	else
		snprintf(size, sizeof size, "%lluKB", (unsigned long long)size_kb);
	return b->hugetlb(cg, why, size, ret);
}

int cgroup_read_quota(struct cgroup *cg, struct origins *why, struct cgroup_quota *ret)
{
	const struct cgroup_backend *b = backend(cg, CGROUP_CPU);

	return b ? b->quota(cg, why, ret) : -ENODATA;
}

int cgroup_read_cpus(struct cgroup *cg, struct origins *why, struct cpulist *ret)
{
	const struct cgroup_backend *b = backend(cg, CGROUP_CPUSET);

	return b ? b->cpus(cg, why, ret) : -ENODATA;
}

int cgroup_read_cputime(struct cgroup *cg, struct origins *why, struct cgroup_cputime *ret)
{
	const struct cgroup_backend *b = backend(cg, CGROUP_CPUACCT);

	return b ? b->cputime(cg, why, ret) : -ENODATA;
}

void cgroup_cputime_free(struct cgroup_cputime *t)
{
	free(t->cpu);
	*t = (struct cgroup_cputime){ 0 };
}

int cgroup_read_io(struct cgroup *cg, struct origins *why, struct cgroup_io *ret)
{
	const struct cgroup_backend *b = backend(cg, CGROUP_IO);

	return b ? b->io(cg, why, ret) : -ENODATA;
}

void cgroup_io_free(struct cgroup_io *io)
{
	free(io->device);
	*io = (struct cgroup_io){ 0 };
}

int cgroup_open_pressure(struct cgroup *cg, const char *what, int *ret_fd)
{
	char name[32];
	struct cgroup_file file = { CGROUP_CORE, 0, name, true };
	int fd;

	if (cgroup_is_root(cg, CGROUP_CORE))
		return -ENODATA;
	snprintf(name, sizeof name, "%s.pressure", what);
	fd = cgroup_file_open(cg, &file, O_RDWR);
	if (fd < 0)
		return fd == -ENOENT ? -ENODATA : fd;
	*ret_fd = fd;
	return 0;
}

int cgroup_read_pressure(struct cgroup *cg, struct origins *why, const char *what,
			 struct text *ret)
{
	char name[32];
	struct cgroup_file file = { CGROUP_CORE, 0, name, true };
	AUTO_TEXT struct text path = { 0 };
	int r;

	if (cgroup_is_root(cg, CGROUP_CORE))
		return -ENODATA;
	snprintf(name, sizeof name, "%s.pressure", what);
	r = cgroup_file_read(cg, &file, ret);
	if (r < 0) /* EOPNOTSUPP: cgroup.pressure is switched off */
		return r == -ENOENT || r == -EOPNOTSUPP ? -ENODATA : r;
	cgroup_file_name(cg, &file, &path);
	origin_note(why, what, "pressure", text_str(&path));
	return 0;
}

int cgroup_read_slabinfo(struct cgroup *cg, struct origins *why, struct text *ret)
{
	struct cgroup_file file = { CGROUP_MEMORY, 0, "memory.kmem.slabinfo", true };
	AUTO_TEXT struct text path = { 0 };
	int r;

	if (cgroup_is_root(cg, CGROUP_MEMORY))
		return -ENODATA;
	r = cgroup_file_read(cg, &file, ret);
	if (r < 0) /* EIO: the file is a shell since kernel 5.9 */
		return r == -ENOENT || r == -EIO ? -ENODATA : r;
	cgroup_file_name(cg, &file, &path);
	origin_note(why, "slabs", "all lines", text_str(&path));
	return 0;
}

/* Calls `each` with the numbers of a list of pids, one a line. */
static int pids_each(const char *list, int (*each)(void *arg, uint64_t pid), void *arg)
{
	struct line line;

	while (line_next(&list, &line)) {
		const char *p = line.start;
		uint64_t pid;
		int r;

		if (number_take(&p, &pid) < 0)
			continue;
		r = each(arg, pid);
		if (r)
			return r;
	}
	return 0;
}

static int processes_below(int dirfd, unsigned depth, int (*each)(void *arg, uint64_t pid),
			   void *arg)
{
	AUTO_TEXT struct text list = { 0 };
	AUTO_CLOSEDIR DIR *dir = NULL;
	struct dirent *entry;
	int fd, r = file_read_at(dirfd, "cgroup.procs", &list);

	/* EOPNOTSUPP: a threaded cgroup, its processes are listed by the domain above. */
	if (r < 0 && r != -EOPNOTSUPP)
		return r == -ENOENT || r == -ENODEV ? 0 : r;
	r = pids_each(text_str(&list), each, arg);
	fd = r || depth == CGROUP_DEPTH_MAX ? -1 :
					      openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		cleanup_close(&fd);
		return r;
	}
	while (!r && (entry = readdir(dir))) {
		AUTO_CLOSE int child = -1;

		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		child = openat(dirfd, entry->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (child >= 0)
			r = processes_below(child, depth + 1, each, arg);
	}
	return r;
}

int cgroup_each_process(struct cgroup *cg, int (*each)(void *arg, uint64_t pid), void *arg)
{
	/* Any hierarchy in which the container has a cgroup of its own lists the same processes. */
	static const enum cgroup_controller order[] = { CGROUP_PIDS, CGROUP_CPUACCT, CGROUP_MEMORY,
							CGROUP_CPU,  CGROUP_CORE,    CGROUP_CPUSET };

	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		struct cgroup_file file = { order[i], 0, ".", true };
		AUTO_CLOSE int fd = -1;

		if (cgroup_is_root(cg, order[i]))
			continue;
		fd = cgroup_file_open(cg, &file, O_PATH | O_DIRECTORY);
		return fd < 0 ? fd : processes_below(fd, 0, each, arg);
	}
	return -ENODATA;
}
