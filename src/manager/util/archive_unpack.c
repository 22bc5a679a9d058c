/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Unpacks a tar. Every name is resolved by the kernel with the directory as its root
 * (RESOLVE_IN_ROOT), and the last component never followed, so that no link in the archive
 * leads out of it, however it came there.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "util/archive.h"
#include "util/archive_internal.h"
#include "util/error.h"

/* A directory's time, set at the end: what is put into it changes it. */
struct dir_time {
	char *name;
	struct timespec times[2];
};

struct unpack {
	const struct archive_unpack *spec;
	struct source source;
	int root;
	int parent; /* open directory of parent_name */
	char *parent_name;
	GArray *dir_times;
	guint64 bytes, entries;
};

/* One member on its way: where it goes and what is open of it. */
struct item {
	struct archive_entry *entry;
	char *name;	  /* clean, below root; "" is root itself */
	const char *leaf; /* the last component in name */
	int parent;	  /* borrowed from struct unpack */
	int fd;		  /* of files and directories, else -1 */
	uid_t uid;
	gid_t gid;
	gboolean shifted;
};

static gboolean failed(const struct item *item, const char *what, GError **error)
{
	return fail(error, 500, "Failed to unpack \"%s\": %s: %s", item->name, what,
		    g_strerror(errno));
}

static int open_in_root(int root, const char *name, guint64 flags)
{
	struct open_how how = { .flags = flags | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT };

	return (int)syscall(SYS_openat2, root, *name ? name : ".", &how, sizeof how);
}

/* --- where it goes ------------------------------------------------------------------ */

static gboolean is_below(const char *name, const char *top)
{
	gsize len = strlen(top);

	return strncmp(name, top, len) == 0 && (name[len] == '/' || !name[len]);
}

static gboolean is_left_out(const struct archive_unpack *spec, const char *name)
{
	for (const char *const *except = spec->except; except && *except; except++)
		if (is_below(name, *except))
			return TRUE;
	return FALSE;
}

/* The clean name below the directory; *ret is NULL when the member is not wanted. */
static gboolean place_of(const struct unpack *unpack, const char *name, char **ret, GError **error)
{
	const char *only = unpack->spec->only;
	char *clean = archive_clean_name(name, error);
	gsize skip;

	if (!clean)
		return FALSE;
	if (only && is_below(clean, only)) {
		skip = strlen(only) + (clean[strlen(only)] == '/');
		memmove(clean, clean + skip, strlen(clean + skip) + 1);
	} else if (only) {
		g_clear_pointer(&clean, g_free);
	}
	if (clean && is_left_out(unpack->spec, clean))
		g_clear_pointer(&clean, g_free);
	*ret = clean;
	return TRUE;
}

static gboolean map_owner(const struct unpack *unpack, const char *name, uid_t *uid, gid_t *gid)
{
	const struct archive_unpack *spec = unpack->spec;

	if (!spec->owner || (spec->owner_below && !is_below(name, spec->owner_below)))
		return TRUE;
	return spec->owner(uid, gid, spec->owner_data);
}

/* A directory that the archive has members in, but did not mention before them. */
static int make_missing(struct unpack *unpack, const char *name)
{
	g_autofree char *above = g_path_get_dirname(name);
	uid_t uid = 0;
	gid_t gid = 0;
	int dir = open_in_root(unpack->root, above, O_PATH | O_DIRECTORY);
	const char *leaf = strrchr(name, '/');

	leaf = leaf ? leaf + 1 : name;
	if (dir < 0 && errno == ENOENT && strcmp(above, ".") != 0)
		dir = make_missing(unpack, above);
	if (dir < 0)
		return -1;
	if (mkdirat(dir, leaf, 0755) == 0 && map_owner(unpack, name, &uid, &gid))
		fchownat(dir, leaf, uid, gid, AT_SYMLINK_NOFOLLOW);
	close(dir);
	return open_in_root(unpack->root, name, O_PATH | O_DIRECTORY);
}

static void forget_parent(struct unpack *unpack)
{
	if (unpack->parent >= 0)
		close(unpack->parent);
	unpack->parent = -1;
	g_clear_pointer(&unpack->parent_name, g_free);
}

/* The directory that NAME is in; *ret_leaf points into NAME. */
static int parent_of(struct unpack *unpack, char *name, const char **ret_leaf)
{
	g_autofree char *above = g_path_get_dirname(name);
	char *slash = strrchr(name, '/');

	*ret_leaf = slash ? slash + 1 : name;
	if (unpack->parent >= 0 && strcmp(above, unpack->parent_name) == 0)
		return unpack->parent;
	forget_parent(unpack);
	unpack->parent = open_in_root(unpack->root, above, O_PATH | O_DIRECTORY);
	if (unpack->parent < 0 && errno == ENOENT)
		unpack->parent = make_missing(unpack, above);
	unpack->parent_name = g_steal_pointer(&above);
	return unpack->parent;
}

/* --- making it ------------------------------------------------------------------------ */

/* Makes room for a member where something is already. */
static gboolean remove_old(const struct item *item)
{
	return unlinkat(item->parent, item->leaf, 0) == 0 ||
	       unlinkat(item->parent, item->leaf, AT_REMOVEDIR) == 0;
}

static gboolean make_dir(const struct item *item)
{
	struct stat st;

	if (mkdirat(item->parent, item->leaf, 0700) == 0)
		return TRUE;
	if (errno == EEXIST && fstatat(item->parent, item->leaf, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISDIR(st.st_mode))
		return TRUE;
	errno = EEXIST;
	return FALSE;
}

static gboolean make_file(struct item *item)
{
	item->fd = openat(item->parent, item->leaf,
			  O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return item->fd >= 0;
}

static gboolean make_node(const struct item *item)
{
	mode_t kind = archive_entry_filetype(item->entry);

	return mknodat(item->parent, item->leaf, kind | 0600,
		       makedev(archive_entry_rdevmajor(item->entry),
			       archive_entry_rdevminor(item->entry))) == 0;
}

static gboolean make_once(struct item *item)
{
	switch (archive_entry_filetype(item->entry)) {
	case AE_IFDIR:
		return make_dir(item);
	case AE_IFREG:
		return make_file(item);
	case AE_IFLNK:
		return symlinkat(archive_entry_symlink(item->entry), item->parent, item->leaf) == 0;
	case AE_IFCHR:
	case AE_IFBLK:
	case AE_IFIFO:
		return make_node(item);
	default:
		errno = EINVAL;
		return FALSE;
	}
}

static gboolean make(struct item *item, GError **error)
{
	if (archive_entry_filetype(item->entry) == AE_IFLNK && !archive_entry_symlink(item->entry))
		return fail(error, 400, "Failed to unpack \"%s\": a link to nowhere", item->name);
	if (make_once(item) || (errno == EEXIST && remove_old(item) && make_once(item)))
		return TRUE;
	return failed(item, "create", error);
}

static gboolean link_to(struct unpack *unpack, const struct item *item, GError **error)
{
	g_autofree char *target = NULL;
	const char *leaf;
	int dir;
	gboolean ok;

	if (!place_of(unpack, archive_entry_hardlink(item->entry), &target, error))
		return FALSE;
	if (!target || !*target)
		return fail(error, 400, "Failed to unpack \"%s\": a link out of the archive",
			    item->name);
	g_autofree char *above = g_path_get_dirname(target);

	leaf = strrchr(target, '/');
	leaf = leaf ? leaf + 1 : target;
	dir = open_in_root(unpack->root, above, O_PATH | O_DIRECTORY);
	if (dir < 0)
		return failed(item, "link", error);
	ok = linkat(dir, leaf, item->parent, item->leaf, 0) == 0 ||
	     (errno == EEXIST && remove_old(item) &&
	      linkat(dir, leaf, item->parent, item->leaf, 0) == 0) ||
	     (errno == ENOENT && unpack->spec->skip_devices) || /* of a device, perhaps */
	     failed(item, "link", error);
	close(dir);
	return ok;
}

/* --- what is in it ---------------------------------------------------------------------- */

static gboolean write_at(int fd, const char *data, gsize len, gint64 offset)
{
	while (len > 0) {
		ssize_t n = pwrite(fd, data, len, offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return FALSE;
		data += n;
		len -= (gsize)n;
		offset += n;
	}
	return TRUE;
}

static gboolean too_big(const struct unpack *unpack, GError **error)
{
	return fail(error, 400, "The archive holds more than %" G_GUINT64_FORMAT " bytes",
		    unpack->spec->max_bytes);
}

/* Counts what the file is to be before it is written, so that a hole costs its size as well. */
static gboolean count_bytes(struct unpack *unpack, gint64 more, GError **error)
{
	guint64 max = unpack->spec->max_bytes;

	if (more < 0)
		return fail(error, 400, "The archive is broken");
	if (max && (guint64)more > max - MIN(max, unpack->bytes))
		return too_big(unpack, error);
	unpack->bytes += (guint64)more;
	return TRUE;
}

static gboolean write_data(struct unpack *unpack, const struct item *item, GError **error)
{
	const void *block;
	size_t len;
	la_int64_t offset, end = archive_entry_size(item->entry);
	int rc;

	if (!count_bytes(unpack, end, error))
		return FALSE;
	while ((rc = archive_read_data_block(unpack->source.archive, &block, &len, &offset)) ==
	       ARCHIVE_OK) {
		if (offset + (la_int64_t)len > end)
			return fail(error, 400, "The archive is broken");
		if (!write_at(item->fd, block, len, offset))
			return failed(item, "write", error);
	}
	if (rc != ARCHIVE_EOF)
		return source_failed(&unpack->source, error);
	return ftruncate(item->fd, end) == 0 || failed(item, "truncate", error);
}

/* --- whose it is, and what else is known of it ------------------------------------------- */

static gboolean set_one(const struct unpack *unpack, const struct item *item, const char *name,
			GByteArray *value, GError **error)
{
	char path[PATH_MAX];
	int rc;

	if (item->shifted &&
	    !archive_map_xattr(name, value, unpack->spec->owner, unpack->spec->owner_data))
		return fail(error, 400, "Failed to unpack \"%s\": %s of an id that is not mapped",
			    item->name, name);
	if (item->fd >= 0) {
		rc = fsetxattr(item->fd, name, value->data, value->len, 0);
	} else {
		g_snprintf(path, sizeof path, "/proc/self/fd/%d/%s", item->parent, item->leaf);
		rc = lsetxattr(path, name, value->data, value->len, 0);
	}
	/* What the file system does not know cannot be kept; tar leaves it out as well. */
	return rc == 0 || errno == ENOTSUP || failed(item, name, error);
}

static gboolean set_acl(const struct unpack *unpack, const struct item *item, int type,
			const char *name, GError **error)
{
	GByteArray *value = archive_acl_value(item->entry, type);
	gboolean ok;

	if (!value)
		return TRUE;
	ok = set_one(unpack, item, name, value, error);
	g_byte_array_free(value, TRUE);
	return ok;
}

static gboolean set_attributes(const struct unpack *unpack, const struct item *item, GError **error)
{
	const char *name;
	const void *data;
	size_t len;
	gboolean ok = TRUE;

	archive_entry_xattr_reset(item->entry);
	while (ok && archive_entry_xattr_next(item->entry, &name, &data, &len) == ARCHIVE_OK) {
		GByteArray *value = g_byte_array_new();

		g_byte_array_append(value, data, (guint)len);
		ok = set_one(unpack, item, name, value, error);
		g_byte_array_free(value, TRUE);
	}
	return ok &&
	       set_acl(unpack, item, ARCHIVE_ENTRY_ACL_TYPE_ACCESS, "system.posix_acl_access",
		       error) &&
	       set_acl(unpack, item, ARCHIVE_ENTRY_ACL_TYPE_DEFAULT, "system.posix_acl_default",
		       error);
}

static gboolean set_owner(const struct item *item, GError **error)
{
	int rc;

	if (item->fd >= 0)
		rc = fchown(item->fd, item->uid, item->gid);
	else
		rc = fchownat(item->parent, item->leaf, item->uid, item->gid, AT_SYMLINK_NOFOLLOW);
	return rc == 0 || failed(item, "chown", error);
}

static gboolean set_mode(const struct item *item, GError **error)
{
	mode_t mode = archive_entry_perm(item->entry);
	int rc;

	if (archive_entry_filetype(item->entry) == AE_IFLNK)
		return TRUE;
	if (item->fd >= 0)
		rc = fchmod(item->fd, mode);
	else
		rc = fchmodat(item->parent, item->leaf, mode, 0);
	return rc == 0 || failed(item, "chmod", error);
}

static gboolean set_time(struct unpack *unpack, const struct item *item, GError **error)
{
	struct timespec mtime = { archive_entry_mtime(item->entry),
				  archive_entry_mtime_nsec(item->entry) };
	struct dir_time dir = { .times = { mtime, mtime } };
	int rc;

	if (archive_entry_filetype(item->entry) == AE_IFDIR) {
		dir.name = g_strdup(item->name);
		g_array_append_val(unpack->dir_times, dir);
		return TRUE;
	}
	if (item->fd >= 0)
		rc = futimens(item->fd, dir.times);
	else
		rc = utimensat(item->parent, item->leaf, dir.times, AT_SYMLINK_NOFOLLOW);
	return rc == 0 || failed(item, "set time", error);
}

static void set_dir_times(const struct unpack *unpack)
{
	for (guint i = 0; i < unpack->dir_times->len; i++) {
		const struct dir_time *dir = &g_array_index(unpack->dir_times, struct dir_time, i);
		int fd = open_in_root(unpack->root, dir->name, O_RDONLY | O_DIRECTORY);

		if (fd < 0)
			continue; /* a later member took its place */
		futimens(fd, dir->times);
		close(fd);
	}
}

/* The owner first: changing it takes set-id bits and capabilities away. */
static gboolean finish_item(struct unpack *unpack, const struct item *item, GError **error)
{
	return set_owner(item, error) && set_mode(item, error) &&
	       set_attributes(unpack, item, error) && set_time(unpack, item, error);
}

/* --- members ------------------------------------------------------------------------------ */

static gboolean own_item(const struct unpack *unpack, struct item *item, GError **error)
{
	const struct archive_unpack *spec = unpack->spec;

	item->uid = (uid_t)archive_entry_uid(item->entry);
	item->gid = (gid_t)archive_entry_gid(item->entry);
	item->shifted = spec->owner &&
			(!spec->owner_below || is_below(item->name, spec->owner_below));
	if (map_owner(unpack, item->name, &item->uid, &item->gid))
		return TRUE;
	return fail(error, 400, "Failed to unpack \"%s\": owner %u:%u is not mapped", item->name,
		    item->uid, item->gid);
}

static gboolean open_dir(struct unpack *unpack, struct item *item, GError **error)
{
	if (*item->name)
		item->fd = openat(item->parent, item->leaf,
				  O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	else
		item->fd = open_in_root(unpack->root, "", O_RDONLY | O_DIRECTORY);
	return item->fd >= 0 || failed(item, "open", error);
}

static gboolean unpack_item(struct unpack *unpack, struct item *item, GError **error)
{
	mode_t kind = archive_entry_filetype(item->entry);

	if (!own_item(unpack, item, error))
		return FALSE;
	if (*item->name) {
		item->parent = parent_of(unpack, item->name, &item->leaf);
		if (item->parent < 0)
			return failed(item, "open its directory", error);
		if (archive_entry_hardlink(item->entry))
			return link_to(unpack, item, error);
		if (!make(item, error))
			return FALSE;
	}
	if (kind == AE_IFDIR && !open_dir(unpack, item, error))
		return FALSE;
	if (kind == AE_IFREG && !write_data(unpack, item, error))
		return FALSE;
	return finish_item(unpack, item, error);
}

static gboolean is_wanted(const struct unpack *unpack, const struct item *item)
{
	mode_t kind = archive_entry_filetype(item->entry);
	gboolean is_link = archive_entry_hardlink(item->entry) != NULL;

	if (!*item->name)
		return kind == AE_IFDIR && !is_link;
	if (is_link)
		return TRUE;
	if (kind == AE_IFSOCK)
		return FALSE;
	return !(unpack->spec->skip_devices && (kind == AE_IFCHR || kind == AE_IFBLK));
}

static gboolean unpack_entry(struct unpack *unpack, struct archive_entry *entry, GError **error)
{
	struct item item = { .entry = entry, .parent = -1, .fd = -1 };
	guint64 max = unpack->spec->max_entries;
	gboolean ok;

	if (max && ++unpack->entries > max)
		return fail(error, 400, "The archive has more than %" G_GUINT64_FORMAT " members",
			    max);
	if (!place_of(unpack, archive_entry_pathname(entry), &item.name, error))
		return FALSE;
	ok = !item.name || !is_wanted(unpack, &item) || unpack_item(unpack, &item, error);
	if (item.fd >= 0)
		close(item.fd);
	g_free(item.name);
	return ok;
}

static void clear_dir_time(void *data)
{
	g_free(((struct dir_time *)data)->name);
}

static gboolean unpack_all(struct unpack *unpack, GError **error)
{
	g_autoptr(GError) bad = NULL;
	struct archive_entry *entry;

	while ((entry = source_next(&unpack->source, &bad)))
		if (!unpack_entry(unpack, entry, error))
			return FALSE;
	if (bad) {
		g_propagate_error(error, g_steal_pointer(&bad));
		return FALSE;
	}
	set_dir_times(unpack);
	return TRUE;
}

static gboolean unpack_tar(int fd, int dir, const struct archive_unpack *spec, GError **error)
{
	struct unpack unpack = { .spec = spec, .root = dir, .parent = -1 };
	gboolean ok;

	if (!source_open(&unpack.source, fd, spec, error))
		return FALSE;
	unpack.dir_times = g_array_new(FALSE, FALSE, sizeof(struct dir_time));
	g_array_set_clear_func(unpack.dir_times, clear_dir_time);
	ok = unpack_all(&unpack, error);
	g_array_free(unpack.dir_times, TRUE);
	forget_parent(&unpack);
	source_close(&unpack.source);
	return ok;
}

gboolean archive_unpack(int fd, int dir, const struct archive_unpack *spec, GError **error)
{
	static const struct archive_unpack plain;

	spec = spec ? spec : &plain;
	if (archive_kind(fd) == ARCHIVE_SQUASHFS)
		return squashfs_unpack(fd, dir, spec, error);
	return unpack_tar(fd, dir, spec, error);
}
