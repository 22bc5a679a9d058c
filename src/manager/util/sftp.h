/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A client of the SSH file transfer protocol, version 3, for the files of instances. The server is
 * not trusted: what it sends is bounded and checked, and it is not waited for for ever. Errors are
 * those of the API: 404 "Not Found", 403 "Forbidden", else 500 with what the server said.
 */
#pragma once

#include <gio/gio.h>

struct sftp;
struct sftp_file;

struct sftp_stat {
	guint32 mode; /* as struct stat has it, with the type */
	guint32 uid, gid;
	gint64 size;  /* bytes */
	gint64 mtime; /* seconds since 1970 */
};

enum sftp_open_flags {
	SFTP_READ = 1,
	SFTP_WRITE = 2,
	SFTP_CREATE = 8,
	SFTP_TRUNCATE = 16,
	SFTP_EXCLUSIVE = 32,
};

/*
 * Greets the server at FD, a stream socket that stays the caller's. TIMEOUT_S is for how long it
 * may be silent when an answer is due.
 */
struct sftp *sftp_new(int fd, unsigned timeout_s, GError **error);
void sftp_free(struct sftp *sftp);
typedef struct sftp sftp_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(sftp_t, sftp_free) /* g_autoptr (sftp_t) sftp */

/* Of PATH itself, or of what the symlinks at its end lead to. */
gboolean sftp_lstat(struct sftp *sftp, const char *path, struct sftp_stat *ret, GError **error);
gboolean sftp_stat(struct sftp *sftp, const char *path, struct sftp_stat *ret, GError **error);

/* The target as it was written; free with g_free. */
char *sftp_readlink(struct sftp *sftp, const char *path, GError **error);

/* The names in a directory, sorted, without "." and ".."; free with g_ptr_array_unref. */
GPtrArray *sftp_list(struct sftp *sftp, const char *path, GError **error);

gboolean sftp_symlink(struct sftp *sftp, const char *target, const char *path, GError **error);
gboolean sftp_mkdir(struct sftp *sftp, const char *path, GError **error);
gboolean sftp_remove(struct sftp *sftp, const char *path, GError **error);
gboolean sftp_rmdir(struct sftp *sftp, const char *path, GError **error);

/* Owner and permissions of what PATH leads to. */
gboolean sftp_set(struct sftp *sftp, const char *path, guint32 uid, guint32 gid, guint32 mode,
		  GError **error);

/* FLAGS: a set of enum sftp_open_flags. */
struct sftp_file *sftp_open(struct sftp *sftp, const char *path, unsigned flags, guint32 mode,
			    GError **error);
gboolean sftp_file_stat(struct sftp_file *file, struct sftp_stat *ret, GError **error);
gboolean sftp_file_set(struct sftp_file *file, guint32 uid, guint32 gid, guint32 mode,
		       GError **error);

/* Writes what INPUT has from OFFSET on; returns when the server has all of it. */
gboolean sftp_file_fill(struct sftp_file *file, gint64 offset, GInputStream *input, GError **error);

/* Closes it, which may fail, and frees it. NULL is allowed. */
gboolean sftp_file_close(struct sftp_file *file, GError **error);

/*
 * What FILE has, as a seekable stream; FILE becomes the stream's. When it is closed, FREE_OWNER
 * (may be NULL) is called with OWNER, which may have SFTP; nothing more can be asked of that.
 */
GInputStream *sftp_file_stream(struct sftp_file *file, void *owner, GDestroyNotify free_owner);
