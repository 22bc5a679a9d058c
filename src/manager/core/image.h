/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Images: what instances are made of. Their files are $LXD_DIR/images/<fingerprint>, the whole or
 * the metadata alone, and then <fingerprint>.rootfs; the database has the rest. A file is
 * there before its row and goes after it, and image_startup() removes what has no row, so that
 * no crash leaves anything behind.
 */
#pragma once

#include "core/event.h"
#include "daemon.h"
#include "util/archive.h"
#include "util/error.h"
#include "util/json.h"

#define IMAGE_METADATA_MAX (1024 * 1024)
#define IMAGE_PARTS 2 /* the metadata or the whole; the root file system */

/* Makes the directory and removes files that no row knows; for the daemon's start. */
gboolean image_startup(struct daemon *daemon, GError **error);

/* Removes images in the cache and expired ones; for the daemon's daily task. */
gboolean image_expire(struct daemon *daemon, GError **error);

/* --- finding --------------------------------------------------------------------- */

/* The project that holds PROJECT's images (features.images); free with g_free. */
char *image_project(struct daemon *daemon, const char *project, GError **error);

/*
 * The image as the API shows it. PREFIX: a fingerprint or the start of one that no other image
 * of the project has. 404 "Image not found".
 */
json_t *image_find(struct daemon *daemon, const char *project, const char *prefix, GError **error);

/* An alias as the API shows it: {name, description, target, type}; 404. All of the project. */
json_t *image_alias(struct daemon *daemon, const char *project, const char *name, GError **error);
json_t *image_aliases(struct daemon *daemon, const char *project, GError **error);

/* The fingerprint that an alias of the project leads to; 404 "Image alias not found". g_free. */
char *image_alias_target(struct daemon *daemon, const char *project, const char *alias,
			 GError **error);

/* All images of the project as the API shows them; NULL: of all projects. */
json_t *image_list(struct daemon *daemon, const char *project, gboolean public_only,
		   GError **error);

/* --- using ------------------------------------------------------------------------ */

/*
 * Unpacks an image into DIR as an instance's volume has it: metadata.yaml, templates/ and
 * rootfs/. OWNER (may be NULL) is asked for what is in rootfs alone. With SKIP_DEVICES for
 * instances in a user namespace.
 */
struct image_unpack {
	archive_owner owner;
	void *owner_data;
	gboolean skip_devices;
	archive_progress progress; /* may be NULL */
	void *progress_data;
	GCancellable *cancel;
};
gboolean image_unpack(struct daemon *daemon, const char *fingerprint, int dir,
		      const struct image_unpack *spec, GError **error);

/* Writes down that it was used now, in every project that has it. */
gboolean image_touch(struct daemon *daemon, const char *fingerprint, GError **error);

/* A part's file for reading, -1 and 404 when it has none; *ret_kind what it is. */
int image_open(struct daemon *daemon, const char *fingerprint, int part,
	       enum archive_kind *ret_kind, GError **error);

/* --- changing ---------------------------------------------------------------------- */

/* What PUT sets: {public, auto_update, expires_at, properties, profiles}; PATCH: what is there. */
gboolean image_update(struct daemon *daemon, const char *project, const char *fingerprint,
		      const json_t *body, gboolean patch, const struct requestor *who,
		      GError **error);

/* TARGET is a whole fingerprint. 409 when the name is taken. */
gboolean image_alias_create(struct daemon *daemon, const char *project, const char *name,
			    const char *target, const char *description,
			    const struct requestor *who, GError **error);
gboolean image_alias_update(struct daemon *daemon, const char *project, const char *name,
			    const char *target, const char *description,
			    const struct requestor *who, GError **error);
gboolean image_alias_rename(struct daemon *daemon, const char *project, const char *name,
			    const char *to, const struct requestor *who, GError **error);
gboolean image_alias_delete(struct daemon *daemon, const char *project, const char *name,
			    const struct requestor *who, GError **error);

/* --- making ------------------------------------------------------------------------ */

/* What an image that is made is to be; all may be NULL or 0. */
struct image_options {
	const char *filename;
	const char *fingerprint; /* 400 unless it is this */
	gboolean public, auto_update;
	gboolean is_vm;		  /* the root file system is a disk */
	const json_t *properties; /* map, goes over the metadata's */
	const json_t *profiles;	  /* array of names; NULL: default */
	const json_t *aliases;	  /* array of {name, description} */
	const char *expires;	  /* RFC 3339; NULL: the metadata's */
};

/*
 * Files that are on their way to an image. Written with image_upload_write() piece by piece (part
 * 0: the metadata or the whole, part 1: the root file system), they are hashed on the way; nothing
 * of them is left after image_upload_free() unless image_upload_finish() made an image of them.
 */
struct image_upload;
struct image_upload *image_upload_new(struct daemon *daemon);
gboolean image_upload_write(struct image_upload *upload, int part, const void *data, gsize len,
			    GError **error);
/* The part's file, borrowed, for a writer of its own; the hash is then made from it at the end. */
int image_upload_fd(struct image_upload *upload, int part, GError **error);
gint64 image_upload_size(const struct image_upload *upload); /* of both parts */
/* Returns the fingerprint; g_free. */
char *image_upload_finish(struct image_upload *upload, const char *project,
			  const struct image_options *options, const struct requestor *who,
			  GError **error);
void image_upload_free(struct image_upload *upload);

/*
 * Makes an image of an instance's or a snapshot's volume: DIR has metadata.yaml, templates/ and
 * rootfs/, whose owners OWNER brings back to what the container sees. COMPRESSOR NULL: the
 * server's (images.compression_algorithm), else gzip. METADATA (may be NULL) stands in for
 * metadata.yaml. Returns the fingerprint; g_free.
 */
struct image_publish {
	int dir;
	archive_owner owner;
	void *owner_data;
	const char *compressor;
	const json_t *metadata;
	struct image_options options;
	archive_progress progress;
	void *progress_data;
	GCancellable *cancel;
	const struct requestor *who;
};
char *image_create_from_tree(struct daemon *daemon, const char *project,
			     const struct image_publish *publish, GError **error);

/* Removes it from the project, and its files when no other project has it. */
gboolean image_delete(struct daemon *daemon, const char *project, const char *fingerprint,
		      const struct requestor *who, GError **error);
