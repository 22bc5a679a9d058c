/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Making and removing cgroups, their modes and their owners. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "cgroup/view.h"
#include "cgroup/view_place.h"
#include "permission.h"

/* Paths stay short enough for what the kernel tells in one page (readlink of an open directory). */
#define PATH_LONGEST 3072

/* The directory in which the caller may make or remove an entry. */
static int parent_find(const struct tree_call *call, const char *path, struct place *ret,
		       const char **ret_name)
{
	AUTO_PLACE struct place place = PLACE_NONE;
	const struct stat *st = &place.st;
	int r = place_find_parent(call, path, &place, ret_name);

	if (r < 0)
		return r;
	if (place_is_way(&place))
		return -EACCES;
	if (!S_ISDIR(st->st_mode))
		return -ENOTDIR;
	r = cgroup_view_may_change(call);
	if (r == 0)
		r = permission_check(call->host->procfd, call->caller, st->st_mode, st->st_uid,
				     st->st_gid, W_OK | X_OK);
	if (r < 0)
		return r;
	*ret = place;
	place = PLACE_NONE;
	return 0;
}

/* Gives a new cgroup with all its files to the caller, as the kernel does for who makes one. */
static int give(int dirfd, const struct lxcfs_caller *caller)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_CLOSEDIR DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int r;

	if (!dir) {
		r = -errno;
		cleanup_close(&fd);
		return r;
	}
	while ((entry = readdir(dir))) {
		if (strcmp(entry->d_name, "..") == 0)
			continue;
		r = fchownat(dirfd, entry->d_name, caller->uid, caller->gid, AT_SYMLINK_NOFOLLOW);
		if (r < 0 && errno != ENOENT)
			return -errno;
	}
	return 0;
}

static int exists(const struct tree_call *call, const char *path)
{
	AUTO_PLACE struct place place = PLACE_NONE;

	return place_find(call, path, &place) == 0;
}

int cgroup_view_mkdir(const struct tree_call *call, const char *path)
{
	AUTO_PLACE struct place parent = PLACE_NONE;
	AUTO_CLOSE int fd = -1;
	const char *name;
	int r;

	if (exists(call, path))
		return -EEXIST;
	if (strlen(path) > PATH_LONGEST)
		return -ENAMETOOLONG;
	r = parent_find(call, path, &parent, &name);
	if (r < 0)
		return r;
	if (mkdirat(parent.fd, name, 0755) < 0)
		return -errno;
	fd = file_open_beneath(parent.fd, name, O_PATH | O_DIRECTORY);
	r = fd < 0 ? fd : give(fd, call->caller);
	if (r < 0)
		unlinkat(parent.fd, name, AT_REMOVEDIR);
	return r;
}

/* Does the caller own what is there, or is root over who does? */
static int privilege_check(const struct tree_call *call, const struct stat *st)
{
	int r = cgroup_view_may_change(call);

	if (r < 0)
		return r;
	if (call->caller->uid == st->st_uid ||
	    permission_is_root_over(call->host->procfd, call->caller, st->st_uid))
		return 0;
	return -EPERM;
}

int cgroup_view_rmdir(const struct tree_call *call, const char *path)
{
	AUTO_PLACE struct place parent = PLACE_NONE;
	const char *name;
	struct stat st;
	int r = parent_find(call, path, &parent, &name);

	if (r < 0)
		return r;
	if (fstatat(parent.fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	r = privilege_check(call, &st);
	if (r < 0)
		return r;
	return unlinkat(parent.fd, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

/* A place whose mode and owner the caller may change. */
static int target_find(const struct tree_call *call, const char *path, struct place *ret)
{
	AUTO_PLACE struct place place = PLACE_NONE;
	int r = place_find(call, path, &place);

	if (r == 0)
		r = place_is_way(&place) ? -EPERM : privilege_check(call, &place.st);
	if (r < 0)
		return r;
	*ret = place;
	place = PLACE_NONE;
	return 0;
}

/* An fd and a name by which the place can be changed: an O_PATH fd alone cannot. */
static int target_fd(const struct place *place, const char **ret_name)
{
	*ret_name = S_ISDIR(place->st.st_mode) ? "." : place->name;
	return S_ISDIR(place->st.st_mode) ? place->fd : place->parent;
}

int cgroup_view_chmod(const struct tree_call *call, const char *path, mode_t mode)
{
	AUTO_PLACE struct place place = PLACE_NONE;
	const char *name;
	int r = target_find(call, path, &place);
	int fd;

	if (r < 0)
		return r;
	fd = target_fd(&place, &name);
	return fchmodat(fd, name, mode & 0777, 0) < 0 ? -errno : 0;
}

/* Only root may give away, and only what and to whom its user namespace knows. */
static bool may_give(const struct tree_call *call, const struct stat *st, uid_t uid, gid_t gid)
{
	const struct lxcfs_caller *caller = call->caller;
	int procfd = call->host->procfd;

	return permission_is_root_over(procfd, caller, st->st_uid) &&
	       permission_knows_group(procfd, caller, st->st_gid) &&
	       (uid == (uid_t)-1 || permission_is_root_over(procfd, caller, uid)) &&
	       (gid == (gid_t)-1 || permission_knows_group(procfd, caller, gid));
}

/* Who owns a cgroup shall be able to move processes into it (and, on v2, divide it further). */
static int chown_delegated(int dirfd, uid_t uid, gid_t gid)
{
	static const char *const names[] = { "tasks", "cgroup.procs", "cgroup.threads",
					     "cgroup.subtree_control" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (fchownat(dirfd, names[i], uid, gid, AT_SYMLINK_NOFOLLOW) < 0 && errno != ENOENT)
			return -errno;
	}
	return 0;
}

int cgroup_view_chown(const struct tree_call *call, const char *path, uid_t uid, gid_t gid)
{
	AUTO_PLACE struct place place = PLACE_NONE;
	const char *name;
	int r = target_find(call, path, &place);
	int fd;

	if (r < 0)
		return r;
	if (!may_give(call, &place.st, uid, gid))
		return -EPERM;
	fd = target_fd(&place, &name);
	if (fchownat(fd, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return S_ISDIR(place.st.st_mode) ? chown_delegated(place.fd, uid, gid) : 0;
}
