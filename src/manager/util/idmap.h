/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Maps of user and group ids between a container and the host: their JSON as instances keep it in
 * "volatile.idmap.next", how they are allocated, and how the files of a tree are given to one.
 */
#pragma once

#include <gio/gio.h>
#include <jansson.h>

#define IDMAP_ISOLATED_SIZE 65536 /* where security.idmap.size says nothing */

struct idmap_entry {
	gboolean is_uid, is_gid; /* at least one */
	gint64 host, ns, range;
};

struct idmap {
	guint count;
	struct idmap_entry *entries;
};

void idmap_free(struct idmap *map); /* NULL is allowed */
typedef struct idmap idmap_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(idmap_t, idmap_free) /* g_autoptr (idmap_t) map */

struct idmap *idmap_new(void); /* without entries: nothing is mapped, as for privileged ones */
struct idmap *idmap_copy(const struct idmap *map);
gboolean idmap_equal(const struct idmap *a, const struct idmap *b); /* NULL equals an empty one */

/* [{"Isuid":true,"Isgid":false,"Hostid":100000,"Nsid":0,"Maprange":65536}, ...]; "" is empty. */
struct idmap *idmap_parse(const char *json, GError **error);
char *idmap_print(const struct idmap *map); /* "[]" for an empty one and for NULL */

/*
 * Adds an entry; what it covers in the namespace is taken out of the entries that are there.
 * An error when it covers ids of the host that another entry has.
 */
gboolean idmap_add(struct idmap *map, struct idmap_entry entry, GError **error);

/* The host's id of NS and back; -1 when nothing maps it. An empty map maps nothing. */
gint64 idmap_uid_to_host(const struct idmap *map, gint64 ns);
gint64 idmap_gid_to_host(const struct idmap *map, gint64 ns);
gint64 idmap_uid_to_ns(const struct idmap *map, gint64 host);
gint64 idmap_gid_to_ns(const struct idmap *map, gint64 host);

/* The ids that the daemon may give away: root's first range of >= 65536 in subuid and subgid. */
struct idmap_host {
	gint64 uid, uid_range, gid, gid_range; /* a range of 0: none */
};

/* ROOT is "" but in tests. Without the files: 1000000:1000000000, as the kernel's default. */
void idmap_host_read(const char *root, struct idmap_host *ret);

/* One isolated instance's part, for the search for a free one. */
struct idmap_taken {
	gint64 base, size;
};

struct idmap_request {
	gboolean isolated;		 /* security.idmap.isolated */
	gint64 base;			 /* security.idmap.base; -1: any */
	gint64 size;			 /* security.idmap.size; 0: auto */
	const char *raw;		 /* raw.idmap; may be NULL */
	const struct idmap_taken *taken; /* by the other isolated instances, in any order */
	gsize n_taken;
};

/*
 * Makes the map of an unprivileged instance; *ret_base is its "volatile.idmap.base" (0: shared).
 * Errors as LXD has them, "Not enough uid/gid available for the container" among them.
 */
struct idmap *idmap_allocate(const struct idmap_host *host, const struct idmap_request *request,
			     gint64 *ret_base, GError **error);

/* Parses raw.idmap alone: "both|uid|gid host[-range] ns[-range]", one a line. */
struct idmap *idmap_parse_raw(const char *raw, GError **error);

/* A descriptor of a new user namespace that has MAP (empty: the identity); -1 with an error. */
int idmap_userns(const struct idmap *map, GError **error);

/* Whether the file system below PATH can be mounted with an idmap. Mounts nothing anywhere. */
gboolean idmap_mount_possible(const char *path);

/*
 * Gives every file below PATH the owners, ACLs and capabilities that it has in the namespace of TO,
 * where it has now those of FROM (NULL or empty: those of the namespace itself). Ids that FROM does
 * not know stay. Follows no symlink and leaves no file system. Can be run again after a kill: a
 * file that has been shifted is not shifted twice when the ranges of FROM and TO do not overlap.
 */
gboolean idmap_shift(const char *path, const struct idmap *from, const struct idmap *to,
		     GCancellable *cancel, GError **error);
