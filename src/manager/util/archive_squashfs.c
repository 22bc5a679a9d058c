/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Squashfs by squashfs-tools, which may write nowhere but below the directory that is unpacked
 * to. What it does not do itself is done in a walk afterwards: owners, and taking devices away.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "util/archive_internal.h"
#include "util/error.h"
#include "util/run.h"

#define SUPERBLOCK_INODES 4 /* where it has their number, 32 bits little-endian */

/* The archive is the program's standard input: a confined one cannot open what others have open. */
#define IMAGE "/proc/self/fd/0"

/* --- within limits ------------------------------------------------------------------- */

static gboolean check_entries(int fd, guint64 max, GError **error)
{
	guint32 inodes = 0;

	if (!max)
		return TRUE;
	if (pread(fd, &inodes, sizeof inodes, SUPERBLOCK_INODES) != sizeof inodes)
		return fail(error, 400, "The archive is broken");
	if (GUINT32_FROM_LE(inodes) > max)
		return fail(error, 400, "The archive has more than %" G_GUINT64_FORMAT " members",
			    max);
	return TRUE;
}

/* A line of the listing: "-rwxr-xr-x root/root   1234 2026-11-23 06:18 squashfs-root/bin/x". */
static guint64 listed_size(const char *line)
{
	const char *at = line + strcspn(line, " ");

	if (*line != '-')
		return 0;
	at += strspn(at, " ");
	at += strcspn(at, " ");
	return g_ascii_strtoull(at, NULL, 10);
}

static gboolean sum_sizes(FILE *listing, guint64 max)
{
	char *line = NULL;
	size_t size = 0;
	guint64 sum = 0;

	while (sum <= max && getline(&line, &size, listing) > 0) {
		guint64 more = listed_size(line);

		sum = more > G_MAXUINT64 - sum ? G_MAXUINT64 : sum + more;
	}
	free(line);
	return sum <= max;
}

static gboolean check_bytes(int fd, const struct archive_unpack *spec, GError **error)
{
	static const char *const argv[] = { "unsquashfs", "-lln", IMAGE, NULL };
	struct run listing = {
		.argv = argv, .cancel = spec->cancel, .has_in = TRUE, .in = fd, .has_out = TRUE
	};
	struct running *running;
	int ends[2];
	gboolean fits;

	if (!spec->max_bytes)
		return TRUE;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return fail_errno(error, errno, "Failed to make a pipe");
	listing.out = ends[1];
	running = run_begin(&listing, error);
	close(ends[1]);
	FILE *from = fdopen(ends[0], "r");
	fits = !running || sum_sizes(from, spec->max_bytes);
	fclose(from);
	if (!running)
		return FALSE;
	if (fits)
		return run_end(running, NULL, NULL, error);
	run_kill(running);
	return fail(error, 400, "The archive holds more than %" G_GUINT64_FORMAT " bytes",
		    spec->max_bytes);
}

/* --- what the walk does ---------------------------------------------------------------- */

struct walk {
	const struct archive_unpack *spec;
	gboolean shift;	  /* at and below owner_below */
	GHashTable *seen; /* inodes with more than one name, which are shifted once */
};

static gboolean shift_attribute(int dir, const char *name, const char *attribute,
				const struct walk *walk)
{
	char path[PATH_MAX];
	GByteArray *value;
	ssize_t len;
	gboolean ok = TRUE;

	g_snprintf(path, sizeof path, "/proc/self/fd/%d/%s", dir, name);
	len = lgetxattr(path, attribute, NULL, 0);
	if (len <= 0)
		return TRUE;
	value = g_byte_array_new();
	g_byte_array_set_size(value, (guint)len);
	if (lgetxattr(path, attribute, value->data, (size_t)len) == len)
		ok = archive_map_xattr(attribute, value, walk->spec->owner,
				       walk->spec->owner_data) &&
		     lsetxattr(path, attribute, value->data, value->len, 0) == 0;
	g_byte_array_free(value, TRUE);
	return ok;
}

/* Capabilities go when the owner changes: they are taken before and set after it. */
static gboolean shift_owner(int dir, const char *name, const struct stat *st,
			    const struct walk *walk)
{
	char path[PATH_MAX];
	char caps[64];
	uid_t uid = st->st_uid;
	gid_t gid = st->st_gid;
	ssize_t len;

	g_snprintf(path, sizeof path, "/proc/self/fd/%d/%s", dir, name);
	len = lgetxattr(path, "security.capability", caps, sizeof caps);
	if (!walk->spec->owner(&uid, &gid, walk->spec->owner_data) ||
	    fchownat(dir, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
		return FALSE;
	if (!S_ISLNK(st->st_mode) && (st->st_mode & (S_ISUID | S_ISGID)) &&
	    fchmodat(dir, name, st->st_mode & 07777, 0) < 0)
		return FALSE;
	return len <= 0 || lsetxattr(path, "security.capability", caps, (size_t)len, 0) == 0;
}

static gboolean shift(int dir, const char *name, const struct stat *st, struct walk *walk)
{
	if (S_ISDIR(st->st_mode) || st->st_nlink < 2 ||
	    g_hash_table_add(walk->seen, g_memdup2(&st->st_ino, sizeof st->st_ino)))
		return shift_owner(dir, name, st, walk) &&
		       shift_attribute(dir, name, "security.capability", walk) &&
		       shift_attribute(dir, name, "system.posix_acl_access", walk) &&
		       shift_attribute(dir, name, "system.posix_acl_default", walk);
	return TRUE;
}

static gboolean walk_dir(int dir, const char *below, struct walk *walk, GError **error);

static gboolean walk_one(int dir, const char *below, const char *name, struct walk *walk,
			 GError **error)
{
	g_autofree char *path = g_strconcat(below, *below ? "/" : "", name, NULL);
	const struct archive_unpack *spec = walk->spec;
	gboolean shifted = walk->shift;
	struct stat st;
	gboolean ok = TRUE;

	if (g_cancellable_set_error_if_cancelled(spec->cancel, error))
		return FALSE;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return fail_errno(error, errno, "Failed to look at \"%s\"", path);
	if (spec->skip_devices && (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)))
		return unlinkat(dir, name, 0) == 0 ||
		       fail_errno(error, errno, "Failed to remove \"%s\"", path);
	if (spec->owner && spec->owner_below && strcmp(path, spec->owner_below) == 0)
		walk->shift = TRUE;
	if (S_ISDIR(st.st_mode)) {
		int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		ok = fd >= 0 ? walk_dir(fd, path, walk, error)
			     : fail_errno(error, errno, "Failed to open \"%s\"", path);
	}
	if (ok && walk->shift && !shift(dir, name, &st, walk))
		ok = fail(error, 400, "Failed to give \"%s\" its owner", path);
	walk->shift = shifted;
	return ok;
}

/* Takes DIR over. Its time is kept, whatever is removed from it. */
static gboolean walk_dir(int dir, const char *below, struct walk *walk, GError **error)
{
	struct stat st;
	DIR *entries = fdopendir(dir);
	gboolean ok = entries && fstat(dir, &st) == 0;

	while (ok) {
		struct dirent *entry = readdir(entries);

		if (!entry)
			break;
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			ok = walk_one(dir, below, entry->d_name, walk, error);
	}
	if (ok)
		futimens(dir, (struct timespec[]){ st.st_atim, st.st_mtim });
	if (entries)
		closedir(entries);
	return ok;
}

static gboolean settle(int dir, const struct archive_unpack *spec, GError **error)
{
	struct walk walk = { .spec = spec, .shift = spec->owner && !spec->owner_below };
	struct stat st;
	int top;
	gboolean ok;

	if (!spec->owner && !spec->skip_devices)
		return TRUE;
	top = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (top < 0 || fstat(top, &st) < 0)
		return fail_errno(error, errno, "Failed to open what was unpacked");
	walk.seen = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
	ok = walk_dir(top, "", &walk, error);
	if (ok && walk.shift && !shift_owner(dir, ".", &st, &walk))
		ok = fail(error, 400, "Failed to give the directory its owner");
	g_hash_table_unref(walk.seen);
	return ok;
}

/* --- all of it ---------------------------------------------------------------------------- */

gboolean squashfs_unpack(int fd, int dir, const struct archive_unpack *spec, GError **error)
{
	char target[64];
	/* The queues are of MiB each; unsquashfs would take a part of the machine's memory. */
	static const char *const argv[] = { "unsquashfs", "-f", "-n", "-q", "-da", "16",
					    "-fr",	  "16", "-d", ".",  IMAGE, NULL };
	struct run run_it = { .argv = argv,
			      .dir = target,
			      .beneath = target,
			      .has_in = TRUE,
			      .in = fd,
			      .file_max = spec->max_bytes,
			      .cancel = spec->cancel };
	struct stat st;

	if (spec->only || spec->except)
		return fail(error, 400, "Only a whole squashfs can be unpacked");
	g_snprintf(target, sizeof target, "/proc/%d/fd/%d", (int)getpid(), dir);
	if (!check_entries(fd, spec->max_entries, error) || !check_bytes(fd, spec, error) ||
	    !run(&run_it, NULL, NULL, error) || !settle(dir, spec, error))
		return FALSE;
	if (spec->progress && fstat(fd, &st) == 0)
		spec->progress(st.st_size, st.st_size, spec->progress_data);
	return TRUE;
}

gboolean squashfs_read_member(int fd, const char *name, gsize max, char **ret, gsize *ret_len,
			      GError **error)
{
	const char *const argv[] = { "unsquashfs", "-cat", IMAGE, name, NULL };
	struct run cat = { .argv = argv, .has_in = TRUE, .in = fd, .output_max = max };
	g_autoptr(GError) bad = NULL;

	if (run(&cat, ret, ret_len, &bad))
		return TRUE;
	if (g_error_matches(bad, G_IO_ERROR, G_IO_ERROR_MESSAGE_TOO_LARGE))
		return fail(error, 400, "\"%s\" is longer than %" G_GSIZE_FORMAT " bytes", name,
			    max);
	return fail(error, 404, "\"%s\" is not in the archive: %s", name, bad->message);
}
