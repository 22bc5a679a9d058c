/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Walks through trees: visits and removal. */
#include "util/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "base/cleanup.h"
#include "util/error.h"

#define WALK_DEPTH 2000	 /* of a walk: an error beyond */
#define REMOVE_DEPTH 100 /* of a removal: what is deeper is first moved up */

int tree_open(int root_fd, const char *path)
{
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV |
			   RESOLVE_NO_MAGICLINKS,
	};
	int fd;

	/* EAGAIN: something was renamed while the kernel looked for "..". */
	do
		fd = (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
	while (fd < 0 && errno == EAGAIN);
	return fd;
}

int tree_open_entry(int dir_fd, const char *name)
{
	return tree_open(dir_fd, name);
}

static gboolean dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* --- visits ------------------------------------------------------------------------ */

struct walk {
	tree_visit visit;
	void *data;
	GCancellable *cancel;
	GString *path;
	GError **error;
};

static gboolean walk_failed(struct walk *w, const char *what)
{
	return fail_errno(w->error, errno, "Failed %s \"%s\"", what, w->path->str);
}

static gboolean walk_below(struct walk *w, int fd, unsigned depth);

static gboolean walk_entry(struct walk *w, int dir_fd, const char *name, unsigned depth)
{
	AUTO_CLOSE int fd = -1;
	struct stat st;
	struct tree_entry entry = { dir_fd, name, w->path->str, &st };

	if (g_cancellable_set_error_if_cancelled(w->cancel, w->error))
		return FALSE;
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? TRUE : walk_failed(w, "looking at");
	if (S_ISDIR(st.st_mode)) {
		fd = tree_open_entry(dir_fd, name);
		if (fd < 0)
			return errno == ENOENT || errno == EXDEV || errno == ENOTDIR ||
					       errno == ELOOP
				       ? TRUE
				       : walk_failed(w, "opening");
		if (!walk_below(w, fd, depth + 1))
			return FALSE;
		entry.path = w->path->str; /* may have moved */
	}
	return w->visit(&entry, w->data, w->error);
}

static gboolean walk_below(struct walk *w, int fd, unsigned depth)
{
	AUTO_CLOSEDIR DIR *dir = NULL;
	int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *entry;
	gsize len = w->path->len;

	dir = own < 0 ? NULL : fdopendir(own);
	if (!dir)
		return walk_failed(w, "opening");
	if (depth > WALK_DEPTH)
		return fail(w->error, 500,
			    "Failed opening \"%s\": Directories are nested too deeply",
			    w->path->str);
	while (errno = 0, (entry = readdir(dir))) {
		if (dots(entry->d_name))
			continue;
		g_string_append_printf(w->path, "%s%s", len ? "/" : "", entry->d_name);
		if (!walk_entry(w, fd, entry->d_name, depth))
			return FALSE;
		g_string_truncate(w->path, len);
	}
	return errno ? walk_failed(w, "reading") : TRUE;
}

gboolean tree_walk(const char *path, GCancellable *cancel, tree_visit visit, void *data,
		   GError **error)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	g_autoptr(GString) at = g_string_new(NULL);
	struct walk w = { visit, data, cancel, at, error };
	struct stat st;
	struct tree_entry root = { fd, ".", ".", &st };

	if (fd < 0 || fstat(fd, &st) < 0)
		return fail_errno(error, errno, "Failed opening \"%s\"", path);
	return walk_below(&w, fd, 0) && visit(&root, data, error);
}

/* --- removal -------------------------------------------------------------------------- */

struct removal {
	int top;	/* where what is too deep is moved to */
	unsigned moved; /* so far, for names */
	GCancellable *cancel;
	GError **error;
};

/* Takes marks off that forbid to remove; TRUE when there were some. */
static gboolean unmark(int dir_fd, const char *name)
{
	AUTO_CLOSE int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	unsigned long flags = 0; /* the kernel reads and writes an int of it */
	const unsigned long marks = FS_IMMUTABLE_FL | FS_APPEND_FL;

	if (fd < 0 || ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0 || !(flags & marks))
		return FALSE;
	flags &= ~marks;
	return ioctl(fd, FS_IOC_SETFLAGS, &flags) == 0;
}

static gboolean remove_failed(struct removal *r, const char *name)
{
	return fail_errno(r->error, errno, "Failed removing \"%s\"", name);
}

/* unlinkat(), with another try without marks on the file and its directory. */
static int unlink_hard(int dir_fd, const char *name, int flags)
{
	gboolean any;

	if (unlinkat(dir_fd, name, flags) == 0 || errno == ENOENT)
		return 0;
	if (errno != EPERM)
		return -1;
	any = unmark(dir_fd, name);
	any |= unmark(dir_fd, ".");
	errno = EPERM;
	return any ? unlinkat(dir_fd, name, flags) : -1;
}

static gboolean remove_below(struct removal *r, int fd, unsigned depth);

static gboolean move_up(struct removal *r, int dir_fd, const char *name)
{
	g_autofree char *up = g_strdup_printf(".deep-%u", r->moved);

	while (renameat2(dir_fd, name, r->top, up, RENAME_NOREPLACE) < 0) {
		if (errno == EPERM && (unmark(dir_fd, name) | unmark(dir_fd, ".")))
			continue;
		if (errno != EEXIST)
			return remove_failed(r, name);
		g_free(up);
		up = g_strdup_printf(".deep-%u", ++r->moved);
	}
	r->moved++;
	return TRUE;
}

static gboolean remove_dir(struct removal *r, int dir_fd, const char *name, unsigned depth)
{
	AUTO_CLOSE int fd = -1;

	if (r->top >= 0 && depth >= REMOVE_DEPTH)
		return move_up(r, dir_fd, name);
	fd = tree_open_entry(dir_fd, name);
	if (fd < 0)
		return errno == ENOENT ? TRUE : remove_failed(r, name);
	return remove_below(r, fd, depth + 1) &&
	       (unlink_hard(dir_fd, name, AT_REMOVEDIR) == 0 || remove_failed(r, name));
}

static gboolean remove_entry(struct removal *r, int dir_fd, const char *name, gboolean is_dir,
			     unsigned depth)
{
	if (g_cancellable_set_error_if_cancelled(r->cancel, r->error))
		return FALSE;
	if (!is_dir && unlink_hard(dir_fd, name, 0) == 0)
		return TRUE;
	if (!is_dir && errno != EISDIR)
		return remove_failed(r, name);
	return remove_dir(r, dir_fd, name, depth);
}

static gboolean remove_below(struct removal *r, int fd, unsigned depth)
{
	AUTO_CLOSEDIR DIR *dir = NULL;
	int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *entry;

	dir = own < 0 ? NULL : fdopendir(own);
	if (!dir)
		return remove_failed(r, ".");
	while (errno = 0, (entry = readdir(dir)))
		if (!dots(entry->d_name) &&
		    !remove_entry(r, fd, entry->d_name, entry->d_type == DT_DIR, depth))
			return FALSE;
	return errno ? remove_failed(r, ".") : TRUE;
}

gboolean tree_remove(int dir_fd, const char *name, GCancellable *cancel, GError **error)
{
	AUTO_CLOSE int fd = -1;
	struct removal r = { .cancel = cancel, .error = error };
	unsigned before;
	struct stat st;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? TRUE : remove_failed(&r, name);
	if (!S_ISDIR(st.st_mode))
		return unlink_hard(dir_fd, name, 0) == 0 || remove_failed(&r, name);
	fd = r.top = tree_open_entry(dir_fd, name);
	if (fd < 0)
		return remove_failed(&r, name);
	do {
		before = r.moved;
		if (!remove_below(&r, fd, 0))
			return FALSE;
	} while (r.moved != before);
	return unlink_hard(dir_fd, name, AT_REMOVEDIR) == 0 || remove_failed(&r, name);
}
