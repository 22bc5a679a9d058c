/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a storage pool must do. A driver is one table of functions; what is the same for all of them
 * (where volumes are seen, how a half made one is told from a whole one) is in storage.c.
 * Drivers know neither the database nor projects: a volume's name is its name on disk.
 */
#pragma once

#include <gio/gio.h>
#include <jansson.h>

#include "util/copy.h"

enum volume_type { VOLUME_CONTAINER, VOLUME_IMAGE, VOLUME_CUSTOM }; /* as in the database */

struct storage_driver;

struct storage_pool {
	char *name;
	char *path;	/* LXD_DIR/storage-pools/NAME: where its volumes are seen */
	char *disks;	/* LXD_DIR/disks: where its loop file is */
	json_t *config; /* a map; pool_create fills in what it chose */
	const struct storage_driver *driver;
};

struct storage_volume {
	enum volume_type type;
	const char *name;
	const char *snapshot;	/* NULL: the volume itself */
	const char *filesystem; /* content of its own, of drivers with block devices; may be NULL */
};

struct storage_space {
	guint64 used, total, inodes_used, inodes_total; /* bytes; 0: not known */
};

/* How long work is watched and stopped; NULL is allowed everywhere. */
struct storage_watch {
	GCancellable *cancel;
	void (*progress)(const struct copy_progress *progress, void *data);
	void *data;
};

struct storage_driver {
	const char *name;
	gboolean cheap_clones; /* a copy within the pool shares its data: images are kept as volumes
				*/
	gboolean streams;      /* has volume_send and volume_receive */

	char *(*version)(void);
	gboolean (*usable)(GError **error); /* on this host */

	gboolean (*pool_create)(struct storage_pool *pool, GError **error); /* leaves it mounted */
	gboolean (*pool_delete)(struct storage_pool *pool, GError **error); /* and what it holds */
	/* Takes back what pool_create may have made when it was killed; never what others had. */
	gboolean (*pool_abandon)(struct storage_pool *pool, GError **error);
	gboolean (*pool_mount)(struct storage_pool *pool, GError **error); /* success when it is */
	gboolean (*pool_unmount)(struct storage_pool *pool, GError **error);
	gboolean (*pool_update)(struct storage_pool *pool, const json_t *changed, GError **error);
	gboolean (*pool_space)(struct storage_pool *pool, struct storage_space *ret,
			       GError **error);

	/* An empty one; its directory is there and belongs to root. */
	gboolean (*volume_create)(struct storage_pool *pool, const struct storage_volume *volume,
				  GError **error);
	/* A new one, volume or snapshot, from any other; a snapshot is read-only where possible. */
	gboolean (*volume_clone)(struct storage_pool *pool, const struct storage_volume *source,
				 const struct storage_volume *target,
				 const struct storage_watch *watch, GError **error);
	gboolean (*volume_rename)(struct storage_pool *pool, const struct storage_volume *from,
				  const struct storage_volume *to, GError **error);
	/* Puts A where B is and B where A is, at once. Neither is a snapshot. */
	gboolean (*volume_exchange)(struct storage_pool *pool, const struct storage_volume *a,
				    const struct storage_volume *b, GError **error);
	gboolean (*volume_delete)(struct storage_pool *pool, const struct storage_volume *volume,
				  GError **error); /* need not exist, may be half made */
	gboolean (*volume_mount)(struct storage_pool *pool, const struct storage_volume *volume,
				 GError **error); /* at storage_volume_path */
	gboolean (*volume_unmount)(struct storage_pool *pool, const struct storage_volume *volume,
				   GError **error);
	/* SIZE 0: no limit. */
	gboolean (*volume_resize)(struct storage_pool *pool, const struct storage_volume *volume,
				  guint64 size, GError **error);
	/* Bytes; 501 "Not supported" where nothing counts them. */
	gboolean (*volume_usage)(struct storage_pool *pool, const struct storage_volume *volume,
				 guint64 *ret, GError **error);
	/* The driver's own stream of a snapshot, from PARENT (NULL: whole), and back. */
	gboolean (*volume_send)(struct storage_pool *pool, const struct storage_volume *snapshot,
				const struct storage_volume *parent, int fd,
				const struct storage_watch *watch, GError **error);
	gboolean (*volume_receive)(struct storage_pool *pool, const struct storage_volume *target,
				   int fd, const struct storage_watch *watch, GError **error);
};

/* By name; NULL when there is none such. */
const struct storage_driver *storage_driver(const char *name);

/* All of them, ended by NULL. */
const struct storage_driver *const *storage_drivers(void);

/* --- the same for every driver --------------------------------------------------- */

struct storage_pool *storage_pool_new(const char *lxd_dir, const char *name,
				      const struct storage_driver *driver, const json_t *config);
void storage_pool_free(struct storage_pool *pool);
typedef struct storage_pool storage_pool_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(storage_pool_t, storage_pool_free)

/* The directories of a new pool's volumes, below its path. */
gboolean storage_pool_layout(struct storage_pool *pool, GError **error);

/* "containers", "images", "custom", and for snapshots "containers-snapshots" ... */
const char *storage_volume_dir(enum volume_type type, gboolean snapshots);

/* Where a volume is seen; free with g_free. */
char *storage_volume_path(const struct storage_pool *pool, const struct storage_volume *volume);

gboolean storage_volume_exists(const struct storage_pool *pool,
			       const struct storage_volume *volume);

/* The names of the volumes that are there, or of VOLUME's snapshots: sorted, ended by NULL. */
char **storage_volumes(const struct storage_pool *pool, enum volume_type type);
char **storage_snapshots(const struct storage_pool *pool, const struct storage_volume *volume);

/* The same of those whose names are marked, marks and all: what is in the making or goes. */
char **storage_volumes_marked(const struct storage_pool *pool, enum volume_type type);
char **storage_snapshots_marked(const struct storage_pool *pool,
				const struct storage_volume *volume);

/*
 * Names of volumes in the making and of those that go: no volume of a user begins with a dot.
 * storage_mark ("new", "c1") is ".new-c1"; storage_marked gives the name back, or NULL.
 */
char *storage_mark(const char *mark, const char *name);
const char *storage_marked(const char *mark, const char *marked);
