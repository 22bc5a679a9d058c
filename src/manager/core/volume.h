/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Storage volumes: what is on disk and its rows, kept in step. Each change is made aside and
 * becomes true in one transaction; a kill at any point leaves the old or the new state, which
 * pool_startup puts in order. Two threads never work on one volume: the second waits.
 */
#pragma once

#include "db/db.h"
#include "drivers/storage/storage.h"

struct daemon;

struct volume_ref {
	const char *pool, *project;
	enum volume_type type;
	const char *name;     /* as users know it: the instance's */
	const char *snapshot; /* NULL: the volume itself */
};

/*
 * Rows of others that must change together with the volume's: WORK runs in the same transaction,
 * after the volume's own rows. May be NULL everywhere.
 */
struct volume_commit {
	db_work work;
	void *data;
};

/* Fills the directory PATH, a new volume's root, which belongs to root with mode 0700. */
typedef gboolean (*volume_fill)(const char *path, GCancellable *cancel, void *data, GError **error);

/* What a new volume gets besides its content. All of it may be 0. */
struct volume_new {
	const char *description;
	const json_t *config;		   /* of the volume; borrowed */
	guint64 size;			   /* bytes; 0: no limit */
	const struct storage_watch *watch; /* progress and cancel */
	struct volume_commit commit;
};

/* An empty one that FILL (may be NULL) fills. 409 when it exists. */
gboolean volume_create(struct daemon *daemon, const struct volume_ref *ref,
		       const struct volume_new *what, volume_fill fill, void *data, GError **error);

/*
 * The content of an image: a clone of the pool's volume of it, which FILL fills the first time,
 * where clones are cheap; else FILL fills it each time.
 */
gboolean volume_create_from_image(struct daemon *daemon, const struct volume_ref *ref,
				  const char *fingerprint, const struct volume_new *what,
				  volume_fill fill, void *data, GError **error);

/*
 * A copy of SOURCE (a volume or a snapshot, of any pool and project). SNAPSHOTS: names, ended by
 * NULL, of SOURCE's that come along; may be NULL.
 */
gboolean volume_copy(struct daemon *daemon, const struct volume_ref *source,
		     const struct volume_ref *target, const char *const *snapshots,
		     const struct volume_new *what, GError **error);

/*
 * Makes TARGET what SOURCE is now; snapshots in DROP are deleted before, those in ADD (of SOURCE)
 * come along. Of WHAT only watch and commit count.
 */
gboolean volume_refresh(struct daemon *daemon, const struct volume_ref *source,
			const struct volume_ref *target, const char *const *drop,
			const char *const *add, const struct volume_new *what, GError **error);

/* Renames a volume with its snapshots, or one snapshot. */
gboolean volume_rename(struct daemon *daemon, const struct volume_ref *ref, const char *name,
		       const struct volume_commit *commit, GError **error);

/* Deletes a volume with its snapshots, or one snapshot. Success when there is none. */
gboolean volume_delete(struct daemon *daemon, const struct volume_ref *ref,
		       const struct volume_commit *commit, GError **error);

/* Makes REF->snapshot. EXPIRY may be NULL. The caller sees to it that nobody writes meanwhile. */
gboolean volume_snapshot(struct daemon *daemon, const struct volume_ref *ref, const char *expiry,
			 const struct volume_new *what, GError **error);

/* Makes the volume what REF->snapshot is. Nothing of it may be mounted elsewhere. */
gboolean volume_restore(struct daemon *daemon, const struct volume_ref *ref,
			const struct volume_new *what, GError **error);

/* Mounts it where it is to be seen and returns that path. Counted: unmount as often. */
char *volume_mount(struct daemon *daemon, const struct volume_ref *ref, GError **error);
gboolean volume_unmount(struct daemon *daemon, const struct volume_ref *ref, GError **error);

/* Where it is seen when it is mounted; needs no volume to be there. */
char *volume_path(struct daemon *daemon, const struct volume_ref *ref);

gboolean volume_exists(struct daemon *daemon, const struct volume_ref *ref);

/* Limits its size in bytes (0: no limit); drivers that cannot do nothing. */
gboolean volume_resize(struct daemon *daemon, const struct volume_ref *ref, guint64 size,
		       GError **error);

/* Bytes used; 501 "Not supported" where nothing counts them. */
gboolean volume_usage(struct daemon *daemon, const struct volume_ref *ref, guint64 *ret,
		      GError **error);

/* The names of its snapshots, oldest first, as an array of strings. */
json_t *volume_snapshots(struct daemon *daemon, const struct volume_ref *ref, GError **error);

/* Its configuration and description; what is NULL stays as it is. */
json_t *volume_config(struct daemon *daemon, const struct volume_ref *ref, GError **error);
gboolean volume_update(struct daemon *daemon, const struct volume_ref *ref, const char *description,
		       const json_t *config, GError **error);

/* Whether the pool's driver has streams of its own for backups ("optimized storage"). */
gboolean volume_can_stream(struct daemon *daemon, const char *pool);

/* Writes that stream of a volume or snapshot, as a difference from PARENT (NULL: whole). */
gboolean volume_send(struct daemon *daemon, const struct volume_ref *ref, const char *parent,
		     int fd, const struct storage_watch *watch, GError **error);

/*
 * Makes a volume from streams: next() is asked for the fd of each snapshot in order, then for the
 * volume's (NULL); it returns -1 and an error to give up.
 */
gboolean volume_receive(struct daemon *daemon, const struct volume_ref *ref,
			const char *const *snapshots, const struct volume_new *what,
			int (*next)(const char *snapshot, void *data, GError **error), void *data,
			GError **error);

/* Takes away the pools' volumes of an image that is deleted. */
gboolean volume_forget_image(struct daemon *daemon, const char *fingerprint, GError **error);

/* The object as the API shows it, with used_by. */
json_t *volume_show(struct daemon *daemon, const struct volume_ref *ref, GError **error);

/* Those of a pool, images always, the others of PROJECT (NULL: of all), snapshots among them. */
json_t *volume_list(struct daemon *daemon, const char *pool, const char *project, GError **error);
