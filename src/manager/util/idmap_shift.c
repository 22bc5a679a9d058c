/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Maps of ids and the kernel: user namespaces that have one, idmapped mounts, and shifted trees. */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "util/error.h"
#include "util/idmap.h"
#include "util/mount.h"
#include "util/tree.h"

/* --- user namespaces ------------------------------------------------------------------ */

#define CHILD_STACK 16384

/* Holds the namespace until it is killed. Shares our memory: nothing but calls of the kernel. */
static int hold(void *data)
{
	(void)data;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (pause() < 0) /* always */
		;
	return 0;
}

static char *map_text(const struct idmap *map, gboolean uids)
{
	GString *text = g_string_new(NULL);

	for (guint i = 0; map && i < map->count; i++)
		if (uids ? map->entries[i].is_uid : map->entries[i].is_gid)
			g_string_append_printf(
				text,
				"%" G_GINT64_FORMAT " %" G_GINT64_FORMAT " %" G_GINT64_FORMAT "\n",
				map->entries[i].ns, map->entries[i].host, map->entries[i].range);
	if (!text->len)
		g_string_append(text, "0 0 4294967295\n");
	return g_string_free(text, FALSE);
}

/* The kernel wants a map in one write. */
static gboolean write_map(pid_t pid, const char *name, const char *text, GError **error)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/%s", pid, name);
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text))
		return TRUE;
	return fail_errno(error, errno, "Failed to write the %s of a user namespace", name);
}

static int namespace_of(pid_t pid, const struct idmap *map, GError **error)
{
	g_autofree char *uids = map_text(map, TRUE), *gids = map_text(map, FALSE);
	g_autofree char *path = g_strdup_printf("/proc/%d/ns/user", pid);
	int fd;

	if (!write_map(pid, "uid_map", uids, error) || !write_map(pid, "gid_map", gids, error))
		return -1;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		fail_errno(error, errno, "Failed to open a user namespace");
	return fd;
}

int idmap_userns(const struct idmap *map, GError **error)
{
	g_autofree char *stack = g_malloc(CHILD_STACK);
	gsize top = ((gsize)stack + CHILD_STACK) & ~(gsize)15;
	pid_t pid = clone(hold, (void *)top, CLONE_NEWUSER | CLONE_VM | SIGCHLD, NULL);
	int fd;

	if (pid < 0) {
		fail_errno(error, errno, "Failed to make a user namespace");
		return -1;
	}
	fd = namespace_of(pid, map, error);
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return fd;
}

gboolean idmap_mount_possible(const char *path)
{
	struct idmap_entry entry = { TRUE, TRUE, 1000000, 0, 65536 };
	struct idmap map = { 1, &entry };
	AUTO_CLOSE int user = idmap_userns(&map, NULL), mnt = -1;

	if (user >= 0)
		mnt = mount_detached(path, FALSE, FALSE, user, NULL);
	return mnt >= 0;
}

/* --- shifted trees ----------------------------------------------------------------------- */

struct shift {
	const struct idmap *from, *to;
	GHashTable *seen; /* files of several names, by device and inode */
};

static gint64 shifted(const struct shift *s, gboolean uid, gint64 id)
{
	gint64 ns = id, host;

	if (s->from && s->from->count)
		ns = uid ? idmap_uid_to_ns(s->from, id) : idmap_gid_to_ns(s->from, id);
	if (ns < 0)
		return id;
	if (!s->to || !s->to->count)
		return ns;
	host = uid ? idmap_uid_to_host(s->to, ns) : idmap_gid_to_host(s->to, ns);
	return host < 0 ? id : host;
}

/* An ACL as the kernel stores it: a version, then entries of tag, permission and id. */
struct acl_entry {
	guint16 tag, perm;
	guint32 id;
};
#define ACL_TAG_USER 2
#define ACL_TAG_GROUP 8

static gboolean shift_acl(const struct shift *s, const char *path, const char *name)
{
	g_autofree char *value = NULL;
	ssize_t len = lgetxattr(path, name, NULL, 0);

	if (len < 4)
		return TRUE;
	value = g_malloc((gsize)len);
	len = lgetxattr(path, name, value, (size_t)len);
	for (ssize_t at = 4; at + (ssize_t)sizeof(struct acl_entry) <= len;
	     at += (ssize_t)sizeof(struct acl_entry)) {
		struct acl_entry e;

		memcpy(&e, value + at, sizeof(e));
		if (le16toh(e.tag) != ACL_TAG_USER && le16toh(e.tag) != ACL_TAG_GROUP)
			continue;
		e.id = htole32((guint32)shifted(s, le16toh(e.tag) == ACL_TAG_USER, le32toh(e.id)));
		memcpy(value + at, &e, sizeof(e));
	}
	return len < 4 || lsetxattr(path, name, value, (size_t)len, 0) == 0;
}

/* Reads capabilities of any version as version 3; FALSE when there are none. */
static gboolean read_caps(const char *path, struct vfs_ns_cap_data *ret)
{
	ssize_t len = lgetxattr(path, "security.capability", ret, sizeof(*ret));
	guint32 magic;

	if (len != XATTR_CAPS_SZ_2 && len != XATTR_CAPS_SZ_3)
		return FALSE;
	magic = le32toh(ret->magic_etc);
	if (len == XATTR_CAPS_SZ_2)
		ret->rootid = 0;
	ret->magic_etc = htole32(VFS_CAP_REVISION_3 | (magic & VFS_CAP_FLAGS_EFFECTIVE));
	return TRUE;
}

/* CAPS were read before the owner changed, which takes them away. */
static gboolean write_caps(const struct shift *s, const char *path, struct vfs_ns_cap_data *caps)
{
	gint64 root = shifted(s, TRUE, le32toh(caps->rootid));
	size_t len = XATTR_CAPS_SZ_3;
	guint32 effective = le32toh(caps->magic_etc) & VFS_CAP_FLAGS_EFFECTIVE;

	caps->rootid = htole32((guint32)root);
	if (root == 0) {
		caps->magic_etc = htole32(VFS_CAP_REVISION_2 | effective);
		len = XATTR_CAPS_SZ_2;
	}
	return lsetxattr(path, "security.capability", caps, len, 0) == 0;
}

static gboolean shift_failed(const struct tree_entry *entry, const char *what, GError **error)
{
	return fail_errno(error, errno, "Failed to change the %s of \"%s\"", what, entry->path);
}

static gboolean shift_owner(const struct shift *s, const struct tree_entry *entry, GError **error)
{
	const struct stat *st = entry->st;
	gint64 uid = shifted(s, TRUE, st->st_uid), gid = shifted(s, FALSE, st->st_gid);
	struct stat now;

	if (uid == (gint64)st->st_uid && gid == (gint64)st->st_gid)
		return TRUE;
	if (fchownat(entry->dir_fd, entry->name, (uid_t)uid, (gid_t)gid, AT_SYMLINK_NOFOLLOW) < 0)
		return shift_failed(entry, "owner", error);
	if (!S_ISREG(st->st_mode) || !(st->st_mode & 06000))
		return TRUE;
	/* Set-id bits went away. Not through a name: it could have become a symlink. */
	AUTO_CLOSE int fd = openat(entry->dir_fd, entry->name,
				   O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &now) < 0 || now.st_ino != st->st_ino ||
	    fchmod(fd, st->st_mode & 07777) < 0)
		return shift_failed(entry, "mode", error);
	return TRUE;
}

/* TRUE the first time that a file of several names is met. */
static gboolean first_name(struct shift *s, const struct stat *st)
{
	if (S_ISDIR(st->st_mode) || st->st_nlink < 2)
		return TRUE;
	return g_hash_table_add(s->seen,
				g_strdup_printf("%llx:%llx", (unsigned long long)st->st_dev,
						(unsigned long long)st->st_ino));
}

static gboolean shift_entry(const struct tree_entry *entry, void *data, GError **error)
{
	struct shift *s = data;
	g_autofree char *path = NULL;
	struct vfs_ns_cap_data caps;
	gboolean has_caps;

	if (!first_name(s, entry->st))
		return TRUE;
	if (S_ISLNK(entry->st->st_mode))
		return shift_owner(s, entry, error);
	path = g_strdup_printf("/proc/self/fd/%d/%s", entry->dir_fd, entry->name);
	has_caps = S_ISREG(entry->st->st_mode) && read_caps(path, &caps);
	if (!shift_owner(s, entry, error))
		return FALSE;
	if (has_caps && !write_caps(s, path, &caps))
		return shift_failed(entry, "capabilities", error);
	if (!shift_acl(s, path, "system.posix_acl_access") ||
	    (S_ISDIR(entry->st->st_mode) && !shift_acl(s, path, "system.posix_acl_default")))
		return shift_failed(entry, "ACL", error);
	return TRUE;
}

gboolean idmap_shift(const char *path, const struct idmap *from, const struct idmap *to,
		     GCancellable *cancel, GError **error)
{
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	struct shift s = { from, to, seen };

	return tree_walk(path, cancel, shift_entry, &s, error);
}
