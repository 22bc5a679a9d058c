/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Archives of file systems: unpacked below a directory that nothing in them can leave, whoever
 * wrote them, and packed from one. Owners are numbers; extended attributes, ACLs, file
 * capabilities, holes and hard links are kept both ways.
 */
#pragma once

#include <gio/gio.h>
#include <sys/types.h>

/*
 * Changes an owner in place as the new place wants it. FALSE: it has no place there, which is an
 * error. (uid_t)-1 or (gid_t)-1: not asked for; leave it.
 */
typedef gboolean (*archive_owner)(uid_t *uid, gid_t *gid, void *data);

/* How far it is: bytes of the archive read or written of TOTAL (-1: unknown). */
typedef void (*archive_progress)(gint64 bytes, gint64 total, void *data);

enum archive_kind {
	ARCHIVE_UNKNOWN,
	ARCHIVE_TAR,
	ARCHIVE_TAR_GZIP,
	ARCHIVE_TAR_BZIP2,
	ARCHIVE_TAR_XZ,
	ARCHIVE_TAR_LZMA,
	ARCHIVE_TAR_ZSTD,
	ARCHIVE_SQUASHFS,
	ARCHIVE_QCOW2,
};

/* By the magic at the start of FD, which is left where it was. */
enum archive_kind archive_kind(int fd);

/* ".tar", ".tar.gz", ".squashfs" ...; "" for unknown. */
const char *archive_suffix(enum archive_kind kind);

struct archive_unpack {
	archive_owner owner; /* NULL: kept */
	void *owner_data;
	const char *owner_below;   /* owners change only at and below this name; NULL: everywhere */
	gboolean skip_devices;	   /* device nodes are left out, as in a user namespace */
	const char *only;	   /* of a tar, only what is below this directory, which becomes DIR
				      itself: "rootfs", "backup/container"; NULL: all */
	const char *const *except; /* not what is at or below these (of the names as they get);
				      ends with NULL; may be NULL */
	guint64 max_bytes;	   /* of all files, holes counted; 0: no limit */
	guint64 max_entries;	   /* 0: no limit */
	archive_progress progress; /* may be NULL */
	void *progress_data;
	GCancellable *cancel; /* may be NULL */
};

/*
 * Unpacks FD (a file, or any stream when it is a tar) below the directory DIR. An absolute name
 * is taken as relative to DIR and a symbolic link on the way leads where it would with DIR as the
 * root, but ".." is refused. What exists already is replaced, directories merged. SPEC may be NULL.
 * On failure DIR keeps what was unpacked so far: the caller removes it.
 */
gboolean archive_unpack(int fd, int dir, const struct archive_unpack *spec, GError **error);

/*
 * Reads one member, "metadata.yaml" or "./metadata.yaml" alike, of at most MAX bytes, from a tar
 * or squashfs; FD is left at its start. 404 when there is none. *ret ends with a NUL; g_free.
 */
gboolean archive_read_member(int fd, const char *name, gsize max, char **ret, gsize *ret_len,
			     GError **error);

/* A file that exists in the archive alone. */
struct archive_member {
	const char *name;
	const char *text;
	gsize len;
	mode_t mode; /* permission bits; 0: 0644 */
};

/* A directory's place in the archive: "backup/container", "rootfs"; "" for the archive's top. */
struct archive_tree {
	int dir;
	const char *name;
	const char *const *except; /* names relative to DIR that are left out; may be NULL */
	archive_owner owner;	   /* NULL: kept */
	void *owner_data;
};

struct archive_pack {
	const char
		*compressor; /* NULL, "none", "gzip", "gzip --rsyncable", "zstd -19", "squashfs" */
	const struct archive_member *members; /* written first, in this order */
	gsize n_members;
	const struct archive_tree *trees; /* then these */
	gsize n_trees;
	archive_progress progress; /* bytes of files read; may be NULL */
	void *progress_data;
	GCancellable *cancel;
};

/*
 * Writes the archive to FD, a file or a stream ("squashfs" needs a file). Sockets are left out;
 * a file that shrinks while it is read is filled up with zeroes, one that vanishes is left out.
 */
gboolean archive_pack(int fd, const struct archive_pack *spec, GError **error);

/* 400 unless archive_pack() takes it as its compressor and the program for it is installed. */
gboolean archive_check_compressor(const char *compressor, GError **error);
