/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What all storage drivers share: names, places and lists of volumes. */
#include "drivers/storage/storage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "drivers/storage/drivers.h"
#include "util/error.h"
#include "util/json.h"

static const struct storage_driver *const drivers[] = { &storage_btrfs, &storage_dir, NULL };

const struct storage_driver *const *storage_drivers(void)
{
	return drivers;
}

const struct storage_driver *storage_driver(const char *name)
{
	for (const struct storage_driver *const *d = drivers; *d; d++)
		if (strcmp((*d)->name, name) == 0)
			return *d;
	return NULL;
}

struct storage_pool *storage_pool_new(const char *lxd_dir, const char *name,
				      const struct storage_driver *driver, const json_t *config)
{
	struct storage_pool *pool = g_new0(struct storage_pool, 1);

	pool->name = g_strdup(name);
	pool->path = g_build_filename(lxd_dir, "storage-pools", name, NULL);
	pool->disks = g_build_filename(lxd_dir, "disks", NULL);
	pool->config = json_map_copy(config);
	pool->driver = driver;
	return pool;
}

void storage_pool_free(struct storage_pool *pool)
{
	if (!pool)
		return;
	g_free(pool->name);
	g_free(pool->path);
	g_free(pool->disks);
	json_decref(pool->config);
	g_free(pool);
}

/* --- places ------------------------------------------------------------------------ */

/* Instances' directories can be passed through by their owners; the others are root's alone. */
static const struct {
	const char *name;
	mode_t mode;
} layout[] = {
	{ "buckets", 0711 },
	{ "containers", 0711 },
	{ "containers-snapshots", 0711 },
	{ "custom", 0700 },
	{ "custom-snapshots", 0700 },
	{ "images", 0700 },
	{ "virtual-machines", 0700 },
	{ "virtual-machines-snapshots", 0700 },
};

gboolean storage_pool_layout(struct storage_pool *pool, GError **error)
{
	for (gsize i = 0; i < G_N_ELEMENTS(layout); i++) {
		g_autofree char *path = g_build_filename(pool->path, layout[i].name, NULL);

		if ((mkdir(path, layout[i].mode) < 0 && errno != EEXIST) ||
		    chmod(path, layout[i].mode) < 0)
			return fail_errno(error, errno, "Failed to create directory \"%s\"", path);
	}
	return TRUE;
}

gboolean storage_pool_clear(struct storage_pool *pool, GError **error)
{
	for (gsize i = 0; i < G_N_ELEMENTS(layout); i++) {
		g_autofree char *path = g_build_filename(pool->path, layout[i].name, NULL);

		if (!copy_delete(path, NULL, error))
			return FALSE;
	}
	return TRUE;
}

const char *storage_volume_dir(enum volume_type type, gboolean snapshots)
{
	switch (type) {
	case VOLUME_CONTAINER:
		return snapshots ? "containers-snapshots" : "containers";
	case VOLUME_IMAGE:
		return "images"; /* has no snapshots */
	default:
		return snapshots ? "custom-snapshots" : "custom";
	}
}

char *storage_volume_path(const struct storage_pool *pool, const struct storage_volume *volume)
{
	return g_build_filename(pool->path,
				storage_volume_dir(volume->type, volume->snapshot != NULL),
				volume->name, volume->snapshot, NULL);
}

char *storage_snapshots_path(const struct storage_pool *pool, const struct storage_volume *volume)
{
	return g_build_filename(pool->path, storage_volume_dir(volume->type, TRUE), volume->name,
				NULL);
}

gboolean storage_volume_exists(const struct storage_pool *pool, const struct storage_volume *volume)
{
	g_autofree char *path = storage_volume_path(pool, volume);
	struct stat st;

	return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* --- lists ----------------------------------------------------------------------------- */

static int by_name(gconstpointer a, gconstpointer b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names in PATH: those with a mark or those without. */
static char **names_in(const char *path, gboolean marked)
{
	GPtrArray *names = g_ptr_array_new();
	GDir *dir = g_dir_open(path, 0, NULL);
	const char *name;

	while (dir && (name = g_dir_read_name(dir)))
		if ((*name == '.') == marked)
			g_ptr_array_add(names, g_strdup(name));
	if (dir)
		g_dir_close(dir);
	g_ptr_array_sort(names, by_name);
	g_ptr_array_add(names, NULL);
	return (char **)g_ptr_array_free(names, FALSE);
}

static char **volumes_in(const struct storage_pool *pool, enum volume_type type, gboolean marked)
{
	g_autofree char *path = g_build_filename(pool->path, storage_volume_dir(type, FALSE), NULL);

	return names_in(path, marked);
}

char **storage_volumes(const struct storage_pool *pool, enum volume_type type)
{
	return volumes_in(pool, type, FALSE);
}

char **storage_volumes_marked(const struct storage_pool *pool, enum volume_type type)
{
	return volumes_in(pool, type, TRUE);
}

static char **snapshots_in(const struct storage_pool *pool, const struct storage_volume *volume,
			   gboolean marked)
{
	g_autofree char *path = storage_snapshots_path(pool, volume);

	if (volume->type == VOLUME_IMAGE)
		return g_new0(char *, 1);
	return names_in(path, marked);
}

char **storage_snapshots(const struct storage_pool *pool, const struct storage_volume *volume)
{
	return snapshots_in(pool, volume, FALSE);
}

char **storage_snapshots_marked(const struct storage_pool *pool,
				const struct storage_volume *volume)
{
	return snapshots_in(pool, volume, TRUE);
}

char *storage_mark(const char *mark, const char *name)
{
	return g_strdup_printf(".%s-%s", mark, name);
}

const char *storage_marked(const char *mark, const char *marked)
{
	size_t len = strlen(mark);

	return *marked == '.' && strncmp(marked + 1, mark, len) == 0 && marked[len + 1] == '-'
		       ? marked + len + 2
		       : NULL;
}

/* --- for drivers whose volumes are directories ---------------------------------------------- */

gboolean storage_parent(const struct storage_pool *pool, const struct storage_volume *volume,
			GError **error)
{
	g_autofree char *path = NULL;

	if (!volume->snapshot)
		return TRUE;
	path = storage_snapshots_path(pool, volume);
	if (mkdir(path, 0700) == 0 || errno == EEXIST)
		return TRUE;
	return fail_errno(error, errno, "Failed to create directory \"%s\"", path);
}

static gboolean rename_path(const char *from, const char *to, GError **error)
{
	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
		return TRUE;
	return fail_errno(error, errno, "Failed to rename \"%s\" to \"%s\"", from, to);
}

gboolean storage_dirs_rename(struct storage_pool *pool, const struct storage_volume *from,
			     const struct storage_volume *to, GError **error)
{
	g_autofree char *a = storage_volume_path(pool, from), *b = storage_volume_path(pool, to);
	g_autofree char *snaps_a = NULL, *snaps_b = NULL;

	if (from->snapshot || from->type == VOLUME_IMAGE)
		return rename_path(a, b, error);
	/* The volume itself last: while it has its old name the rename is not done. */
	snaps_a = storage_snapshots_path(pool, from);
	snaps_b = storage_snapshots_path(pool, to);
	if (access(snaps_a, F_OK) == 0 && !rename_path(snaps_a, snaps_b, error))
		return FALSE;
	return rename_path(a, b, error);
}

gboolean storage_dirs_exchange(struct storage_pool *pool, const struct storage_volume *a,
			       const struct storage_volume *b, GError **error)
{
	g_autofree char *x = storage_volume_path(pool, a), *y = storage_volume_path(pool, b);

	if (renameat2(AT_FDCWD, x, AT_FDCWD, y, RENAME_EXCHANGE) == 0)
		return TRUE;
	return fail_errno(error, errno, "Failed to exchange \"%s\" and \"%s\"", x, y);
}

gboolean storage_dirs_mounted(struct storage_pool *pool, const struct storage_volume *volume,
			      GError **error)
{
	if (storage_volume_exists(pool, volume))
		return TRUE;
	return fail(error, 404, "Storage pool volume not found");
}

gboolean storage_dirs_unmounted(struct storage_pool *pool, const struct storage_volume *volume,
				GError **error)
{
	(void)pool;
	(void)volume;
	(void)error;
	return TRUE;
}
