/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Storage pools. */
#include "core/pool.h"

#include <string.h>
#include <sys/stat.h>

#include "core/config_keys.h"
#include "core/volume_job.h"
#include "daemon.h"
#include "db/pool.h"
#include "util/error.h"
#include "util/json.h"
#include "util/names.h"

static struct storage_pool *from_row(struct daemon *daemon, const json_t *row, GError **error)
{
	const struct storage_driver *driver = storage_driver(json_text(row, "driver"));

	if (driver)
		return storage_pool_new(daemon->dir, json_text(row, "name"), driver,
					json_object_get(row, "config"));
	fail(error, 500, "Unknown driver");
	return NULL;
}

static gint64 id_of(const json_t *row)
{
	return json_integer_value(json_object_get(row, "id"));
}

struct storage_pool *pool_open(struct daemon *daemon, const char *name, gint64 *ret_id,
			       GError **error)
{
	g_autoptr(json_t) row = db_pool_get(daemon->db, name, error);
	g_autoptr(storage_pool_t) pool = row ? from_row(daemon, row, error) : NULL;

	if (!pool || !pool->driver->pool_mount(pool, error))
		return NULL;
	if (ret_id)
		*ret_id = id_of(row);
	return g_steal_pointer(&pool);
}

/* --- start and stop ----------------------------------------------------------------- */

static gboolean start_one(struct daemon *daemon, const char *name, GError **error)
{
	gint64 id;
	g_autoptr(storage_pool_t) pool = pool_open(daemon, name, &id, error);

	return pool && volume_recover(daemon, pool, id, error);
}

/* One that was being made is no pool yet: its source may hold what is not ours, and stays. */
static gboolean undo_one(struct daemon *daemon, const char *name, gboolean whole, GError **error)
{
	g_autoptr(json_t) row = db_pool_get(daemon->db, name, error);
	g_autoptr(storage_pool_t) pool = row ? from_row(daemon, row, error) : NULL;

	if (!pool)
		return FALSE;
	if (whole ? !pool->driver->pool_delete(pool, error)
		  : !pool->driver->pool_abandon(pool, error))
		return FALSE;
	return db_pool_delete(daemon->db, id_of(row), error);
}

static void start_row(struct daemon *daemon, const json_t *row,
		      void (*warn)(const char *pool, const GError *error))
{
	const char *name = json_text(row, "name");
	gint64 state = json_integer_value(json_object_get(row, "state"));
	g_autoptr(GError) error = NULL;
	gboolean ok = state == DB_POOL_CREATED
			      ? start_one(daemon, name, &error)
			      : undo_one(daemon, name, state == DB_POOL_ERRORED, &error);

	if (!ok && warn)
		warn(name, error);
}

gboolean pool_startup(struct daemon *daemon, void (*warn)(const char *pool, const GError *error),
		      GError **error)
{
	g_autofree char *pools = daemon_path(daemon, "storage-pools", NULL);
	g_autofree char *disks = daemon_path(daemon, "disks", NULL);
	g_autoptr(json_t) rows = db_pool_states(daemon->db, error);
	json_t *row;
	size_t i;

	if (!rows)
		return FALSE;
	mkdir(pools, 0711);
	mkdir(disks, 0700);
	daemon->pools = g_new0(struct pools, 1);
	g_mutex_init(&daemon->pools->lock);
	g_cond_init(&daemon->pools->freed);
	daemon->pools->held = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	json_array_foreach(rows, i, row) start_row(daemon, row, warn);
	return TRUE;
}

void pool_shutdown(struct daemon *daemon)
{
	g_autoptr(json_t) names = db_pool_names(daemon->db, NULL);
	json_t *name;
	size_t i;

	json_array_foreach(names, i, name)
	{
		g_autoptr(json_t) row = db_pool_get(daemon->db, json_string_value(name), NULL);
		g_autoptr(storage_pool_t) pool = row ? from_row(daemon, row, NULL) : NULL;

		if (pool)
			pool->driver->pool_unmount(pool, NULL);
	}
}

void pools_free(struct pools *pools)
{
	if (!pools)
		return;
	g_hash_table_unref(pools->held);
	g_cond_clear(&pools->freed);
	g_mutex_clear(&pools->lock);
	g_free(pools);
}

/* --- as the API shows them ---------------------------------------------------------------- */

static void add_users(json_t *urls, const json_t *users, const char *kind, const char *base)
{
	json_t *user;
	size_t i;

	json_array_foreach(json_object_get(users, kind), i, user)
	{
		const char *project = json_text(user, "project");
		gboolean plain = strcmp(project, "default") == 0;

		json_array_append_new(urls,
				      json_sprintf("%s/%s%s%s", base, json_text(user, "name"),
						   plain ? "" : "?project=", plain ? "" : project));
	}
}

static int by_text(const void *a, const void *b)
{
	return strcmp(json_string_value(*(json_t *const *)a),
		      json_string_value(*(json_t *const *)b));
}

static json_t *sorted(const json_t *urls)
{
	gsize n = json_array_size(urls);
	g_autofree json_t **all = g_new(json_t *, n + 1);
	json_t *list = json_array();

	for (gsize i = 0; i < n; i++)
		all[i] = json_array_get(urls, i);
	qsort(all, n, sizeof(*all), by_text);
	for (gsize i = 0; i < n; i++)
		json_array_append(list, all[i]);
	return list;
}

/* Sorted URLs; JSON's null when there are none. */
static json_t *used_by(struct daemon *daemon, const json_t *row, GError **error)
{
	const char *name = json_text(row, "name");
	g_autofree char *custom = g_strdup_printf("/1.0/storage-pools/%s/volumes/custom", name);
	g_autoptr(json_t) users = db_pool_users(daemon->db, id_of(row), name, error);
	g_autoptr(json_t) urls = json_array();

	if (!users)
		return NULL;
	add_users(urls, users, "instances", "/1.0/instances");
	add_users(urls, users, "images", "/1.0/images");
	add_users(urls, users, "profiles", "/1.0/profiles");
	add_users(urls, users, "custom", custom);
	return json_array_size(urls) ? sorted(urls) : json_null();
}

static json_t *object_of(struct daemon *daemon, const json_t *row, GError **error)
{
	static const char *const states[] = { "Pending", "Created", "Errored" };
	gint64 state = json_integer_value(json_object_get(row, "state"));
	json_t *users = used_by(daemon, row, error);

	if (!users)
		return NULL;
	return json_pack("{s:O, s:O, s:O, s:O, s:o, s:s, s:[s]}", "config",
			 json_object_get(row, "config"), "description",
			 json_object_get(row, "description"), "name", json_object_get(row, "name"),
			 "driver", json_object_get(row, "driver"), "used_by", users, "status",
			 states[CLAMP(state, 0, 2)], "locations", "none");
}

json_t *pool_show(struct daemon *daemon, const char *name, GError **error)
{
	g_autoptr(json_t) row = db_pool_get(daemon->db, name, error);

	return row ? object_of(daemon, row, error) : NULL;
}

json_t *pool_list(struct daemon *daemon, GError **error)
{
	g_autoptr(json_t) names = db_pool_names(daemon->db, error), list = json_array();
	json_t *name;
	size_t i;

	if (!names)
		return NULL;
	json_array_foreach(names, i, name)
	{
		json_t *pool = pool_show(daemon, json_string_value(name), error);

		if (!pool)
			return NULL;
		json_array_append_new(list, pool);
	}
	return g_steal_pointer(&list);
}

json_t *pool_resources(struct daemon *daemon, const char *name, GError **error)
{
	g_autoptr(storage_pool_t) pool = pool_open(daemon, name, NULL, error);
	struct storage_space space = { 0 };

	if (!pool || !pool->driver->pool_space(pool, &space, error))
		return NULL;
	return json_pack("{s:{s:I, s:I}, s:{s:I, s:I}}", "space", "used", (json_int_t)space.used,
			 "total", (json_int_t)space.total, "inodes", "used",
			 (json_int_t)space.inodes_used, "total", (json_int_t)space.inodes_total);
}

/* --- what GET /1.0 tells ------------------------------------------------------------------- */

static void add_driver(json_t *list, const struct storage_driver *driver, const char *version)
{
	json_array_append_new(list, json_pack("{s:s, s:s, s:b}", "Name", driver->name, "Version",
					      version, "Remote", 0));
}

static gboolean is_used(const json_t *rows, const char *driver)
{
	json_t *row;
	size_t i;

	json_array_foreach(rows, i,
			   row) if (strcmp(json_text(row, "driver"), driver) == 0) return TRUE;
	return FALSE;
}

json_t *pool_environment(struct daemon *daemon, GError **error)
{
	g_autoptr(json_t) rows = db_select(daemon->db, error,
					   "SELECT DISTINCT driver FROM storage_pools", "");
	g_autoptr(GString) names = g_string_new(NULL), versions = g_string_new(NULL);
	g_autoptr(json_t) supported = json_array();

	if (!rows)
		return NULL;
	for (const struct storage_driver *const *d = storage_drivers(); *d; d++) {
		g_autofree char *version = NULL;

		if (!(*d)->usable(NULL))
			continue;
		version = (*d)->version();
		add_driver(supported, *d, version);
		if (!is_used(rows, (*d)->name))
			continue;
		g_string_append_printf(names, "%s%s", names->len ? " | " : "", (*d)->name);
		g_string_append_printf(versions, "%s%s", versions->len ? " | " : "", version);
	}
	return json_pack("{s:s, s:s, s:O}", "storage", names->str, "storage_version", versions->str,
			 "storage_supported_drivers", supported);
}

/* --- making, changing, deleting --------------------------------------------------------------- */

static void announce(struct daemon *daemon, const char *name, const char *what,
		     const json_t *context, const struct requestor *who)
{
	g_autofree char *action = g_strconcat("storage-pool-", what, NULL);
	g_autofree char *source = g_strconcat("/1.0/storage-pools/", name, NULL);

	event_lifecycle(daemon->events, "default", action, source, context, who);
}

static const struct storage_driver *usable_driver(const char *name, GError **error)
{
	const struct storage_driver *driver = storage_driver(name);

	if (!driver) {
		fail(error, 500, "Unknown driver");
		return NULL;
	}
	return driver->usable(error) ? driver : NULL;
}

/* The row first, as pending: a kill meanwhile is seen by it. */
static gboolean make(struct daemon *daemon, struct storage_pool *pool, const char *description,
		     GError **error)
{
	gint64 id = db_pool_insert(daemon->db, pool->name, pool->driver->name, description,
				   pool->config, error);

	if (id < 0)
		return FALSE;
	if (!pool->driver->pool_create(pool, error)) {
		db_pool_delete(daemon->db, id, NULL);
		return FALSE;
	}
	if (db_pool_set_state(daemon->db, id, DB_POOL_CREATED, pool->config, error))
		return TRUE;
	pool->driver->pool_delete(pool, NULL);
	db_pool_delete(daemon->db, id, NULL);
	return FALSE;
}

/* A name is a directory's, too. */
static gboolean check_name(const char *name, GError **error)
{
	if (!name_check_pool(name, error))
		return FALSE;
	return *name != '.' || fail(error, 400, "Invalid storage pool name \"%s\"", name);
}

gboolean pool_create(struct daemon *daemon, const char *name, const char *driver,
		     const char *description, const json_t *config, const struct requestor *who,
		     GError **error)
{
	g_autoptr(json_t) map = json_map_copy(config), there = NULL;
	const struct storage_driver *found;
	g_autoptr(storage_pool_t) pool = NULL;

	if (!check_name(name, error))
		return FALSE;
	there = db_pool_get(daemon->db, name, NULL);
	if (there)
		return fail(error, 409,
			    "The storage pool already exists: The record already exists");
	found = usable_driver(driver, error);
	if (!found || !config_keys_check_pool(map, driver, error))
		return FALSE;
	pool = storage_pool_new(daemon->dir, name, found, map);
	if (!make(daemon, pool, description ? description : "", error))
		return FALSE;
	g_autoptr(json_t) context = json_pack("{s:s}", "driver", driver);

	announce(daemon, name, "created", context, who);
	return TRUE;
}

/* What a PUT or PATCH makes of the old configuration. */
static json_t *merged(const json_t *old, const json_t *config, gboolean patch)
{
	g_autoptr(json_t) map = patch ? json_map_copy(old) : json_object();
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)config, key, value)
		json_map_set(map, key, json_string_value(value));
	return g_steal_pointer(&map);
}

/* The keys whose values differ, with the new ones. */
static json_t *difference(const json_t *old, const json_t *new)
{
	g_autoptr(GPtrArray) names = config_keys_changed(old, new);
	json_t *changed = json_object();

	for (guint i = 0; i < names->len; i++) {
		const char *name = names->pdata[i];

		json_object_set_new(changed, name, json_string(json_text(new, name)));
	}
	return changed;
}

gboolean pool_update(struct daemon *daemon, const char *name, const char *description,
		     const json_t *config, gboolean patch, const struct requestor *who,
		     GError **error)
{
	g_autoptr(json_t) row = db_pool_get(daemon->db, name, error), map = NULL, changed = NULL;
	g_autoptr(storage_pool_t) pool = NULL;

	if (!row)
		return FALSE;
	map = merged(json_object_get(row, "config"), config, patch);
	if (!config_keys_check_pool(map, json_text(row, "driver"), error))
		return FALSE;
	changed = difference(json_object_get(row, "config"), map);
	if (json_object_get(changed, "source"))
		return fail(error, 500, "Pool source cannot be changed when not in pending state");
	pool = pool_open(daemon, name, NULL, error);
	if (!pool || !pool->driver->pool_update(pool, changed, error) ||
	    !db_pool_update(daemon->db, id_of(row), description, map, error))
		return FALSE;
	announce(daemon, name, "updated", NULL, who);
	return TRUE;
}

static gboolean in_use(struct daemon *daemon, const json_t *row, GError **error)
{
	g_autoptr(json_t)
		users = db_pool_users(daemon->db, id_of(row), json_text(row, "name"), error);

	return !users || json_array_size(json_object_get(users, "instances")) ||
	       json_array_size(json_object_get(users, "custom")) ||
	       json_array_size(json_object_get(users, "profiles"));
}

gboolean pool_delete(struct daemon *daemon, const char *name, const struct requestor *who,
		     GError **error)
{
	g_autoptr(json_t) row = db_pool_get(daemon->db, name, error);
	g_autoptr(storage_pool_t) pool = row ? from_row(daemon, row, error) : NULL;
	g_autoptr(GError) problem = NULL;

	if (!pool)
		return FALSE;
	if (in_use(daemon, row, &problem)) {
		if (!problem)
			return fail(error, 400, "The storage pool is currently in use");
		g_propagate_error(error, g_steal_pointer(&problem));
		return FALSE;
	}
	if (!db_pool_set_state(daemon->db, id_of(row), DB_POOL_ERRORED, NULL, error) ||
	    !pool->driver->pool_delete(pool, error) ||
	    !db_pool_delete(daemon->db, id_of(row), error))
		return FALSE;
	announce(daemon, name, "deleted", NULL, who);
	return TRUE;
}
