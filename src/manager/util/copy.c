/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copies of trees: the walk, and one function per kind of file. */
#include "util/copy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/cleanup.h"
#include "util/error.h"
#include "util/tree.h"

#define DEPTH_MAX 1000		 /* two descriptors each */
#define CHUNK (16 * 1024 * 1024) /* bytes between two looks at whether we are cancelled */
#define XATTR_NAMES 65536	 /* XATTR_LIST_MAX */

struct inode {
	dev_t dev;
	ino_t ino;
};

struct copier {
	const struct copy_options *options;
	struct copy_progress done;
	int root;		     /* of the target */
	GString *path;		     /* where we are, from the root, for errors and links */
	GHashTable *links;	     /* struct inode of the source: path of its first copy */
	GHashTable *kept;	     /* struct inode of the target that is such a first copy */
	gboolean no_clones;	     /* the file systems cannot share data */
	gboolean no_ranges;	     /* ... nor copy it inside the kernel */
	char *names, *value, *other; /* buffers for extended attributes */
	GError **error;
};

static guint inode_hash(gconstpointer key)
{
	const struct inode *inode = key;

	return (guint)(inode->ino ^ (inode->ino >> 32) ^ inode->dev * 31);
}

static gboolean inode_equal(gconstpointer a, gconstpointer b)
{
	const struct inode *x = a, *y = b;

	return x->ino == y->ino && x->dev == y->dev;
}

static struct inode *inode_of(const struct stat *st)
{
	struct inode *inode = g_new(struct inode, 1);

	inode->dev = st->st_dev;
	inode->ino = st->st_ino;
	return inode;
}

static gboolean failed(struct copier *c, const char *what)
{
	return fail_errno(c->error, errno, "Failed %s \"%s\"", what, c->path->str);
}

static gboolean go_on(struct copier *c)
{
	const struct copy_options *o = c->options;

	if (o->progress)
		o->progress(&c->done, o->data);
	return !g_cancellable_set_error_if_cancelled(o->cancel, c->error);
}

/* --- extended attributes ------------------------------------------------------------- */

/* An attribute that the target's file system need not have: its own, or labels of a policy. */
static gboolean xattr_optional(const char *name)
{
	return !g_str_has_prefix(name, "user.") && !g_str_has_prefix(name, "trusted.") &&
	       !g_str_has_prefix(name, "system.posix_acl_") &&
	       strcmp(name, "security.capability") != 0;
}

static gboolean xattr_copy(struct copier *c, const char *source, const char *target,
			   const char *name)
{
	ssize_t len = lgetxattr(source, name, c->value, XATTR_SIZE_MAX), has;

	if (len < 0)
		return errno == ENODATA || errno == ENOTSUP ? TRUE
							    : failed(c, "reading attributes of");
	if (c->options->refresh) {
		has = lgetxattr(target, name, c->other, XATTR_SIZE_MAX);
		if (has == len && memcmp(c->value, c->other, (size_t)len) == 0)
			return TRUE;
	}
	if (lsetxattr(target, name, c->value, (size_t)len, 0) == 0)
		return TRUE;
	if ((errno == ENOTSUP || errno == EPERM || errno == EINVAL) && xattr_optional(name))
		return TRUE;
	return fail_errno(c->error, errno, "Failed setting attribute \"%s\" of \"%s\"", name,
			  c->path->str);
}

/* Takes away what the target has and NAMES, LEN bytes of them, lacks. */
static void xattrs_drop(struct copier *c, const char *target, const char *names, ssize_t len)
{
	ssize_t has = llistxattr(target, c->other, XATTR_NAMES);

	for (const char *at = c->other; has > 0 && at < c->other + has; at += strlen(at) + 1) {
		const char *p = names;

		while (p < names + len && strcmp(p, at) != 0)
			p += strlen(p) + 1;
		if (p >= names + len)
			lremovexattr(target, at);
	}
}

/* SOURCE and TARGET are paths whose last part is not followed. */
static gboolean xattrs_copy(struct copier *c, const char *source, const char *target)
{
	ssize_t len = llistxattr(source, c->names, XATTR_NAMES);

	if (len < 0)
		return errno == ENOTSUP ? TRUE : failed(c, "listing attributes of");
	if (c->options->refresh)
		xattrs_drop(c, target, c->names, len);
	for (const char *at = c->names; at < c->names + len; at += strlen(at) + 1)
		if (!xattr_copy(c, source, target, at))
			return FALSE;
	return TRUE;
}

/* --- owner, mode, times ---------------------------------------------------------------- */

/* Of the file TARGET in TARGET_FD, as ST has them; XATTRS: and the attributes. */
static gboolean dress(struct copier *c, int source_fd, const char *source, int target_fd,
		      const char *target, const struct stat *st)
{
	g_autofree char *from = g_strdup_printf("/proc/self/fd/%d/%s", source_fd, source);
	g_autofree char *to = g_strdup_printf("/proc/self/fd/%d/%s", target_fd, target);
	struct timespec times[2] = { st->st_atim, st->st_mtim };

	/* The owner first: changing it takes set-id bits and capabilities away. */
	if (fchownat(target_fd, target, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		return failed(c, "changing the owner of");
	if (!xattrs_copy(c, from, to))
		return FALSE;
	/* The file is ours and of this kind: no symlink can be at its place. */
	if (!S_ISLNK(st->st_mode) && fchmodat(target_fd, target, st->st_mode & 07777, 0) < 0)
		return failed(c, "changing the mode of");
	if (utimensat(target_fd, target, times, AT_SYMLINK_NOFOLLOW) < 0)
		return failed(c, "changing the times of");
	return TRUE;
}

/* --- data ------------------------------------------------------------------------------- */

static gboolean write_all(int fd, const char *data, size_t len, off_t at)
{
	while (len) {
		ssize_t n = pwrite(fd, data, len, at);

		if (n < 0 && errno != EINTR)
			return FALSE;
		if (n > 0) {
			data += n;
			len -= (size_t)n;
			at += n;
		}
	}
	return TRUE;
}

/* Copies up to LEN bytes by hand; *ret_n 0 at the end of the source. */
static gboolean chunk_by_hand(struct copier *c, int in, int out, off_t at, size_t len,
			      ssize_t *ret_n)
{
	ssize_t n = pread(in, c->value, MIN(len, XATTR_SIZE_MAX), at);

	if (n < 0)
		return failed(c, "reading");
	if (!write_all(out, c->value, (size_t)n, at))
		return failed(c, "writing");
	*ret_n = n;
	return TRUE;
}

static gboolean chunk_copy(struct copier *c, int in, int out, off_t at, size_t len, ssize_t *ret_n)
{
	off_t from = at, to = at;
	ssize_t n;

	if (c->no_ranges)
		return chunk_by_hand(c, in, out, at, len, ret_n);
	n = copy_file_range(in, &from, out, &to, len, 0);
	if (n < 0 &&
	    (errno == EXDEV || errno == EINVAL || errno == EOPNOTSUPP || errno == ENOSYS)) {
		c->no_ranges = TRUE;
		return chunk_by_hand(c, in, out, at, len, ret_n);
	}
	if (n < 0)
		return failed(c, "writing");
	*ret_n = n;
	return TRUE;
}

/* The bytes from AT to END. */
static gboolean range_copy(struct copier *c, int in, int out, off_t at, off_t end)
{
	while (at < end) {
		ssize_t n;

		if (!chunk_copy(c, in, out, at, (size_t)MIN(end - at, CHUNK), &n))
			return FALSE;
		if (n == 0)
			break; /* it became shorter meanwhile */
		at += n;
		c->done.bytes += (guint64)n;
		if (end > CHUNK && !go_on(c))
			return FALSE;
	}
	return TRUE;
}

static gboolean data_copy(struct copier *c, int in, int out, const struct stat *st)
{
	off_t at = 0, hole;

	if (st->st_size == 0)
		return TRUE;
	if (!c->no_clones) {
		if (ioctl(out, FICLONE, in) == 0) {
			c->done.bytes += (guint64)st->st_size;
			return TRUE;
		}
		if (errno == ENOSPC || errno == EDQUOT || errno == EIO)
			return failed(c, "writing");
		c->no_clones = TRUE;
	}
	if (st->st_blocks * 512 >= st->st_size)
		return range_copy(c, in, out, 0, st->st_size);
	if (ftruncate(out, st->st_size) < 0)
		return failed(c, "writing");
	while (at < st->st_size && (at = lseek(in, at, SEEK_DATA)) >= 0) {
		hole = lseek(in, at, SEEK_HOLE);
		if (hole < 0)
			hole = st->st_size;
		if (!range_copy(c, in, out, at, MIN(hole, st->st_size)))
			return FALSE;
		at = hole;
	}
	return TRUE;
}

/* --- one of each kind ------------------------------------------------------------------- */

static gboolean copy_file(struct copier *c, int source_fd, int target_fd, const char *name,
			  const struct stat *st)
{
	AUTO_CLOSE int in = -1, out = -1;
	struct stat now;

	/* Not blocking: it could have become a fifo since. */
	in = openat(source_fd, name,
		    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_NOATIME | O_CLOEXEC);
	if (in < 0)
		return errno == ENOENT || errno == ELOOP ? TRUE : failed(c, "opening");
	if (fstat(in, &now) < 0)
		return failed(c, "reading");
	if (!S_ISREG(now.st_mode) || now.st_ino != st->st_ino)
		return TRUE;
	out = openat(target_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (out < 0)
		return failed(c, "creating");
	return data_copy(c, in, out, &now) && dress(c, source_fd, name, target_fd, name, &now);
}

static gboolean copy_symlink(struct copier *c, int source_fd, int target_fd, const char *name,
			     const struct stat *st)
{
	char text[PATH_MAX];
	ssize_t n = readlinkat(source_fd, name, text, sizeof(text) - 1);

	if (n < 0)
		return errno == ENOENT || errno == EINVAL ? TRUE : failed(c, "reading");
	text[n] = '\0';
	if (symlinkat(text, target_fd, name) < 0)
		return failed(c, "creating");
	return dress(c, source_fd, name, target_fd, name, st);
}

static gboolean copy_node(struct copier *c, int source_fd, int target_fd, const char *name,
			  const struct stat *st)
{
	if (mknodat(target_fd, name, (st->st_mode & S_IFMT) | 0600, st->st_rdev) < 0)
		return failed(c, "creating");
	return dress(c, source_fd, name, target_fd, name, st);
}

/* A second name of the file that FIRST is a copy of. */
static gboolean copy_link(struct copier *c, const char *first, int target_fd, const char *name)
{
	AUTO_CLOSE int dir = -1;
	const char *slash = strrchr(first, '/');
	g_autofree char *parent = slash ? g_strndup(first, (gsize)(slash - first)) : g_strdup(".");

	dir = tree_open(c->root, parent);
	if (dir < 0 || linkat(dir, slash ? slash + 1 : first, target_fd, name, 0) < 0)
		return failed(c, "linking");
	return TRUE;
}

static gboolean clear(struct copier *c, int target_fd, const char *name)
{
	return tree_remove(target_fd, name, c->options->cancel, c->error);
}

/* --- what is there already ----------------------------------------------------------------- */

static gboolean same_data(const struct stat *st, const struct stat *has)
{
	if (S_ISREG(st->st_mode))
		return st->st_size == has->st_size && st->st_nlink == has->st_nlink &&
		       st->st_mtim.tv_sec == has->st_mtim.tv_sec &&
		       st->st_mtim.tv_nsec == has->st_mtim.tv_nsec;
	if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode))
		return st->st_rdev == has->st_rdev;
	return !S_ISLNK(st->st_mode);
}

/* FIRST: where the first copy of this file is, NULL when this is the first. */
static gboolean keep_it(struct copier *c, const char *first, const struct stat *st,
			const struct stat *has)
{
	struct inode inode = { has->st_dev, has->st_ino };
	struct stat at;

	if ((st->st_mode & S_IFMT) != (has->st_mode & S_IFMT) || !same_data(st, has))
		return FALSE;
	if (st->st_nlink == 1)
		return TRUE;
	if (!first)
		return !g_hash_table_contains(c->kept, &inode);
	return fstatat(c->root, first, &at, AT_SYMLINK_NOFOLLOW) == 0 && at.st_ino == has->st_ino &&
	       at.st_dev == has->st_dev;
}

/* *ret_kept: the target has it and its owner, mode and times are now right. */
static gboolean meet(struct copier *c, const char *first, int source_fd, int target_fd,
		     const char *name, const struct stat *st, gboolean *ret_kept)
{
	struct stat has;

	*ret_kept = FALSE;
	if (!c->options->refresh)
		return TRUE;
	if (fstatat(target_fd, name, &has, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? TRUE : failed(c, "looking at");
	if (S_ISDIR(st->st_mode) && S_ISDIR(has.st_mode))
		return TRUE;
	if (S_ISDIR(st->st_mode) || !keep_it(c, first, st, &has))
		return clear(c, target_fd, name);
	*ret_kept = TRUE;
	return dress(c, source_fd, name, target_fd, name, st);
}

/* --- the walk --------------------------------------------------------------------------------- */

static gboolean copy_below(struct copier *c, int source_fd, int target_fd, unsigned depth);

static gboolean copy_dir(struct copier *c, int source_fd, int target_fd, const char *name,
			 const struct stat *st, unsigned depth)
{
	AUTO_CLOSE int in = -1, out = -1;

	if (depth >= DEPTH_MAX)
		return fail(c->error, 500,
			    "Failed copying \"%s\": Directories are nested too deeply",
			    c->path->str);
	if (mkdirat(target_fd, name, 0700) < 0 && (errno != EEXIST || !c->options->refresh))
		return failed(c, "creating");
	in = tree_open_entry(source_fd, name);
	if (in < 0 && errno != EXDEV && errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
		return failed(c, "opening");
	if (in >= 0) { /* not a mount, nor gone */
		out = tree_open_entry(target_fd, name);
		if (out < 0)
			return failed(c, "opening");
		if (!copy_below(c, in, out, depth + 1))
			return FALSE;
	}
	return dress(c, source_fd, name, target_fd, name, st);
}

static gboolean copy_other(struct copier *c, int source_fd, int target_fd, const char *name,
			   const struct stat *st)
{
	struct inode key = { st->st_dev, st->st_ino };
	const char *first = st->st_nlink > 1 ? g_hash_table_lookup(c->links, &key) : NULL;
	gboolean kept, ok;
	struct stat now;

	if (!meet(c, first, source_fd, target_fd, name, st, &kept))
		return FALSE;
	if (!kept) {
		if (first)
			ok = copy_link(c, first, target_fd, name);
		else if (S_ISREG(st->st_mode))
			ok = copy_file(c, source_fd, target_fd, name, st);
		else if (S_ISLNK(st->st_mode))
			ok = copy_symlink(c, source_fd, target_fd, name, st);
		else
			ok = copy_node(c, source_fd, target_fd, name, st);
		if (!ok)
			return FALSE;
	}
	if (st->st_nlink > 1 && !first &&
	    fstatat(target_fd, name, &now, AT_SYMLINK_NOFOLLOW) == 0) {
		g_hash_table_insert(c->links, inode_of(st), g_strdup(c->path->str));
		g_hash_table_add(c->kept, inode_of(&now));
	}
	return TRUE;
}

static gboolean copy_entry(struct copier *c, int source_fd, int target_fd, const char *name,
			   unsigned depth)
{
	gboolean kept;
	struct stat st;

	if (fstatat(source_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? TRUE : failed(c, "looking at");
	c->done.files++;
	if (c->done.files % 64 == 0 && !go_on(c))
		return FALSE;
	if (!S_ISDIR(st.st_mode))
		return copy_other(c, source_fd, target_fd, name, &st);
	return meet(c, NULL, source_fd, target_fd, name, &st, &kept) &&
	       copy_dir(c, source_fd, target_fd, name, &st, depth);
}

/* A directory stream of its own place; FD stays the caller's. */
static DIR *stream(int fd)
{
	int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOATIME);
	DIR *dir = own < 0 ? NULL : fdopendir(own);

	if (!dir && own >= 0)
		close(own);
	return dir;
}

static gboolean dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Deletes what the target has and the source lacks. */
static gboolean drop_others(struct copier *c, int source_fd, int target_fd)
{
	AUTO_CLOSEDIR DIR *dir = stream(target_fd);
	struct dirent *entry;
	struct stat st;

	if (!dir)
		return failed(c, "opening");
	while ((entry = readdir(dir)))
		if (!dots(entry->d_name) &&
		    fstatat(source_fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 &&
		    errno == ENOENT && !clear(c, target_fd, entry->d_name))
			return FALSE;
	return TRUE;
}

static gboolean copy_below(struct copier *c, int source_fd, int target_fd, unsigned depth)
{
	AUTO_CLOSEDIR DIR *dir = NULL;
	struct dirent *entry;
	gsize len = c->path->len;

	if (c->options->refresh && !drop_others(c, source_fd, target_fd))
		return FALSE;
	dir = stream(source_fd);
	if (!dir)
		return failed(c, "opening");
	while (errno = 0, (entry = readdir(dir))) {
		if (dots(entry->d_name))
			continue;
		if (len)
			g_string_append_c(c->path, '/');
		g_string_append(c->path, entry->d_name);
		if (!copy_entry(c, source_fd, target_fd, entry->d_name, depth))
			return FALSE;
		g_string_truncate(c->path, len);
	}
	return errno ? failed(c, "reading") : TRUE;
}

gboolean copy_tree_at(int source_fd, int target_fd, const struct copy_options *options,
		      GError **error)
{
	static const struct copy_options none;
	g_autoptr(GString) path = g_string_new(NULL);
	g_autoptr(GHashTable)
		links = g_hash_table_new_full(inode_hash, inode_equal, g_free, g_free);
	g_autoptr(GHashTable) kept = g_hash_table_new_full(inode_hash, inode_equal, g_free, NULL);
	g_autofree char *names = g_malloc(XATTR_NAMES), *value = g_malloc(XATTR_SIZE_MAX);
	g_autofree char *other = g_malloc(XATTR_SIZE_MAX);
	struct copier c = { .options = options ? options : &none,
			    .root = target_fd,
			    .path = path,
			    .links = links,
			    .kept = kept,
			    .names = names,
			    .value = value,
			    .other = other,
			    .error = error };
	struct stat st;

	if (fstat(source_fd, &st) < 0)
		return failed(&c, "looking at");
	return go_on(&c) && copy_below(&c, source_fd, target_fd, 0) &&
	       dress(&c, source_fd, ".", target_fd, ".", &st) && go_on(&c);
}

static int open_root(const char *path, GError **error)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		fail_errno(error, errno, "Failed opening \"%s\"", path);
	return fd;
}

gboolean copy_tree(const char *source, const char *target, const struct copy_options *options,
		   GError **error)
{
	AUTO_CLOSE int in = open_root(source, error), out = -1;

	if (in < 0)
		return FALSE;
	out = open_root(target, error);
	return out >= 0 && copy_tree_at(in, out, options, error);
}

/* --- deletion and usage --------------------------------------------------------------------- */

gboolean copy_delete(const char *path, GCancellable *cancel, GError **error)
{
	AUTO_CLOSE int parent = -1;
	g_autofree char *dir = g_path_get_dirname(path), *name = g_path_get_basename(path);

	parent = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (parent < 0)
		return errno == ENOENT ? TRUE
				       : fail_errno(error, errno, "Failed opening \"%s\"", dir);
	return tree_remove(parent, name, cancel, error);
}

struct usage {
	GHashTable *seen;
	gint64 bytes;
};

static gboolean usage_add(const struct tree_entry *entry, void *data, GError **error)
{
	struct usage *usage = data;
	struct inode key = { entry->st->st_dev, entry->st->st_ino };

	(void)error;
	if (!S_ISDIR(entry->st->st_mode) && entry->st->st_nlink > 1) {
		if (g_hash_table_contains(usage->seen, &key))
			return TRUE;
		g_hash_table_add(usage->seen, inode_of(entry->st));
	}
	usage->bytes += (gint64)entry->st->st_blocks * 512;
	return TRUE;
}

gint64 copy_usage(const char *path, GError **error)
{
	g_autoptr(GHashTable) seen = g_hash_table_new_full(inode_hash, inode_equal, g_free, NULL);
	struct usage usage = { .seen = seen };

	return tree_walk(path, NULL, usage_add, &usage, error) ? usage.bytes : -1;
}
