/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The views in one mount namespace, bound again. */
#include "rebind.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "mountinfo.h"

#ifndef MOVE_MOUNT_BENEATH
#define MOVE_MOUNT_BENEATH 0x200 /* Linux 6.5 */
#endif

#define TYPE "fuse.lxcfs"
#define VIEWS_MAX 1024 /* in one namespace; lxcfs has two dozen files */
#define STACK_MAX 64   /* dead mounts on one place */

/* A mount of a lxcfs that does not serve (or of whom that is yet to be seen). */
struct view {
	uint64_t id, parent;
	struct rebind_device *device;
	char *root;	 /* the path in lxcfs */
	char *point;	 /* the path in the namespace */
	uint64_t attrs;	 /* MOUNT_ATTR_* that the mount has */
	int replacement; /* a detached mount of the same file, or negative errno */
};

struct views {
	struct view *list;
	size_t count;
};

static void views_free(struct views *v)
{
	for (size_t i = 0; i < v->count; i++) {
		free(v->list[i].root);
		free(v->list[i].point);
		if (v->list[i].replacement >= 0)
			close(v->list[i].replacement);
	}
	free(v->list);
}

#define AUTO_VIEWS AUTO(views_free)

struct rebind_device *rebind_device(struct rebind_ledger *ledger, uint64_t number)
{
	for (size_t i = 0; i < REBIND_DEVICES; i++) {
		struct rebind_device *d = &ledger->devices[i];
		uint64_t is = 0;

		atomic_compare_exchange_strong(&d->number, &is, number);
		if (atomic_load(&d->number) == number)
			return d;
	}
	return NULL;
}

static uint64_t attributes(const struct mountinfo *m)
{
	static const struct {
		const char *word;
		uint64_t attr;
	} known[] = {
		{ "ro", MOUNT_ATTR_RDONLY },
		{ "nosuid", MOUNT_ATTR_NOSUID },
		{ "nodev", MOUNT_ATTR_NODEV },
		{ "noexec", MOUNT_ATTR_NOEXEC },
	};
	uint64_t attrs = 0;

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (mountinfo_has_option(m, known[i].word))
			attrs |= known[i].attr;
	return attrs;
}

/* NULL where a mount is none of a lxcfs that may be dead. */
static struct rebind_device *find_device(const struct rebind *r, const struct mountinfo *m)
{
	uint64_t number = rebind_number(m->major, m->minor);

	if (strcmp(m->type, TYPE) != 0 || number == r->number)
		return NULL;
	return rebind_device(r->ledger, number);
}

static int add_view(struct views *views, struct rebind_device *device, const struct mountinfo *m)
{
	struct view v = { .id = m->id,
			  .parent = m->parent,
			  .device = device,
			  .root = strdup(m->root),
			  .point = strdup(m->point),
			  .attrs = attributes(m),
			  .replacement = -ENOENT };

	if (!v.root || !v.point) {
		free(v.root);
		free(v.point);
		return -ENOMEM;
	}
	views->list[views->count++] = v;
	return 0;
}

/* As the process itself sees it: all of the namespace, whoever is chrooted somewhere in it. */
static int read_mounts(const struct rebind *r, struct views *views)
{
	AUTO_CLOSE int fd = openat(r->proc, "self/mountinfo", O_RDONLY | O_CLOEXEC);
	AUTO_FCLOSE FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
	AUTO_FREE char *line = NULL;
	size_t size = 0;
	int result = 0;

	if (!f)
		return -errno;
	take_fd(&fd);
	views->list = calloc(VIEWS_MAX, sizeof(*views->list));
	if (!views->list)
		return -ENOMEM;
	while (result == 0 && views->count < VIEWS_MAX && getline(&line, &size, f) > 0) {
		struct rebind_device *device;
		struct mountinfo m;

		device = mountinfo_parse(line, &m) ? find_device(r, &m) : NULL;
		if (device)
			result = add_view(views, device, &m);
	}
	return result;
}

/* Through no link of the container's, from the root of its namespace, which is ours here. */
static int open_place(const char *point)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC,
				.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS };
	long fd = syscall(SYS_openat2, AT_FDCWD, point, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

/* The dead view that one meets at the fd; NULL where it is another mount. */
static const struct view *find_view(const struct views *views, int place)
{
	struct statx st;

	/* Nothing that a server would be asked for. */
	if (statx(place, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_MNT_ID, &st) <
		    0 ||
	    !(st.stx_mask & STATX_MNT_ID))
		return NULL;
	for (size_t i = 0; i < views->count; i++) {
		const struct view *v = &views->list[i];

		if (v->id == st.stx_mnt_id &&
		    v->device->number == rebind_number(st.stx_dev_major, st.stx_dev_minor))
			return v;
	}
	return NULL;
}

/* The kernel itself says that a server is gone; one that lives answers. */
static void ask(const struct view *v, int place)
{
	struct statfs fs;
	bool dead = fstatfs(place, &fs) < 0 && errno == ENOTCONN;

	atomic_store(&v->device->state, dead ? REBIND_DEAD : REBIND_ALIVE);
}

static bool is_dead(const struct view *v)
{
	return atomic_load(&v->device->state) == REBIND_DEAD;
}

/* Dead, and of those that are asked for. */
static bool is_due(const struct rebind *r, const struct view *v)
{
	return is_dead(v) && (!r->only_wanted || atomic_load(&v->device->wanted));
}

/* True when there is something to do. */
static bool find_dead(const struct rebind *r, const struct views *views)
{
	bool any = false;

	for (size_t i = 0; i < views->count; i++) {
		const struct view *v = &views->list[i];

		if (atomic_load(&v->device->state) == REBIND_UNKNOWN) {
			AUTO_CLOSE int place = open_place(v->point);
			const struct view *met = place < 0 ? NULL : find_view(views, place);

			if (met)
				ask(met, place);
		}
		any = any || is_due(r, v);
	}
	return any;
}

/* The same file of the lxcfs that serves, mounted nowhere yet, as the view was mounted. */
static int make_replacement(const struct rebind *r, const struct view *v)
{
	/* What a container mounts inside of it must not show on the host. */
	struct mount_attr attr = { .attr_set = v->attrs, .propagation = MS_PRIVATE };
	AUTO_CLOSE int file = file_open_beneath(r->lxcfs, v->root[1] ? v->root + 1 : ".", O_PATH);
	AUTO_CLOSE int fd = -1;

	if (file < 0)
		return file;
	fd = open_tree(file, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	if (fd < 0 || mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return -errno;
	return take_fd(&fd);
}

static int detach(const struct rebind *r, int place)
{
	char path[64];

	/* By the fd, as umount2(2) takes no other; /proc itself is the host's. */
	snprintf(path, sizeof(path), "self/fd/%d", place);
	return fchdir(r->proc) < 0 || umount2(path, MNT_DETACH) < 0 ? -errno : 0;
}

/*
 * Mounts that came from a more privileged user namespace stay. For them every umount2(2)
 * is EINVAL, and this one is EBUSY for all the others, as the fd keeps the mount in use.
 */
static bool is_locked(const struct rebind *r, int place)
{
	char path[64];

	snprintf(path, sizeof(path), "self/fd/%d", place);
	return fchdir(r->proc) == 0 && umount2(path, MNT_EXPIRE) < 0 && errno == EINVAL;
}

static int attach(int replacement, int place, unsigned flags)
{
	flags |= MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
	return move_mount(replacement, "", place, "", flags) < 0 ? -errno : 0;
}

/*
 * Readers meet the dead view or its replacement, and never the kernel's file under both:
 * the replacement slips below, then the view goes. Where that cannot be, it goes on top,
 * and the view stays under it.
 */
static int replace(const struct rebind *r, const struct view *v, int place)
{
	if (v->replacement < 0)
		return v->replacement;
	if (!is_locked(r, place) && attach(v->replacement, place, MOVE_MOUNT_BENEATH) == 0)
		return detach(r, place);
	return attach(v->replacement, place, 0);
}

/* Does it lie right on top of another one? */
static bool is_on_another(const struct views *views, const struct view *v)
{
	for (size_t i = 0; i < views->count; i++) {
		const struct view *below = &views->list[i];

		if (below->id == v->parent && !strcmp(below->point, v->point))
			return true;
	}
	return false;
}

/*
 * Does what there is to do at the view's place, which is nothing where it was done already.
 * Of those that lie one on top of the other, as before Linux 6.5, the lowest stays.
 */
static int settle(const struct rebind *r, const struct views *views, const struct view *view)
{
	const struct view *first = NULL;

	for (unsigned i = 0; i < STACK_MAX; i++) {
		AUTO_CLOSE int place = open_place(view->point);
		const struct view *v = place < 0 ? NULL : find_view(views, place);
		int result;

		if (v && first)
			ask(v, place);
		if (!v || !(first ? is_dead(v) : is_due(r, v)))
			return 0;
		first = first ? first : v;
		if (is_on_another(views, v) && detach(r, place) == 0)
			continue;
		result = replace(r, first, place);
		if (result == 0)
			atomic_fetch_add(&r->ledger->views, 1);
		return result;
	}
	return -ELOOP;
}

static int enter(int ns)
{
	return setns(ns, CLONE_NEWNS) < 0 ? -errno : 0;
}

int rebind_namespace(const struct rebind *r, int ns)
{
	AUTO_VIEWS struct views views = { 0 };
	uint32_t before = atomic_load(&r->ledger->views);
	int result = enter(ns);

	if (result == 0)
		result = read_mounts(r, &views);
	if (result < 0 || !find_dead(r, &views))
		return result;
	result = enter(r->home);
	for (size_t i = 0; i < views.count && result == 0; i++)
		if (is_due(r, &views.list[i]))
			views.list[i].replacement = make_replacement(r, &views.list[i]);
	if (result == 0)
		result = enter(ns);
	if (result < 0)
		return result;
	for (size_t i = 0; i < views.count; i++)
		if (settle(r, &views, &views.list[i]) < 0)
			atomic_fetch_add(&r->ledger->failed, 1);
	if (atomic_load(&r->ledger->views) != before)
		atomic_fetch_add(&r->ledger->namespaces, 1);
	return 0;
}
