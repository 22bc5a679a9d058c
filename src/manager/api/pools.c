/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* /1.0/storage-pools: pools, their resources, and what volumes they have. */
#include <string.h>

#include "api/request.h"
#include "core/pool.h"
#include "core/volume.h"
#include "daemon.h"
#include "util/filter.h"

/* --- pools ----------------------------------------------------------------------------- */

static json_t *urls_of(const json_t *objects, const char *base)
{
	json_t *urls = json_array(), *object;
	size_t i;

	json_array_foreach(objects, i, object)
		json_array_append_new(urls, json_sprintf("%s/%s", base, json_text(object, "name")));
	return urls;
}

static struct reply *pools_get(struct request *request, GError **error)
{
	g_autoptr(json_t) pools = pool_list(request->daemon, error);

	if (!pools)
		return NULL;
	if (request->recursion > 0)
		return reply_sync(g_steal_pointer(&pools));
	return reply_sync(urls_of(pools, "/1.0/storage-pools"));
}

static struct reply *pools_post(struct request *request, GError **error)
{
	const char *name = json_text(request->body, "name");
	const char *driver = json_text(request->body, "driver");
	g_autoptr(json_t) config = NULL;
	gboolean ok;

	if (!*name)
		ok = fail(error, 400, "No name provided");
	else if (strchr(name, '/'))
		ok = fail(error, 400, "Storage pool names may not contain slashes");
	else if (!*driver)
		ok = fail(error, 400, "No driver provided");
	else
		ok = (config = json_map_check(json_object_get(request->body, "config"), "config",
					      error)) &&
		     pool_create(request->daemon, name, driver,
				 json_text(request->body, "description"), config, &request->who,
				 error);
	return ok ? reply_created("/1.0/storage-pools/%s", name) : NULL;
}

static char *etag_of_pool(const json_t *pool)
{
	return etag_of(json_object_get(pool, "name"), json_object_get(pool, "driver"),
		       json_object_get(pool, "description"), json_object_get(pool, "config"), NULL);
}

static struct reply *pool_get(struct request *request, GError **error)
{
	g_autoptr(json_t) pool = pool_show(request->daemon, request->arg[0], error);
	char *etag = pool ? etag_of_pool(pool) : NULL;

	return pool ? reply_sync_etag(g_steal_pointer(&pool), etag) : NULL;
}

static struct reply *change(struct request *request, gboolean patch, GError **error)
{
	g_autoptr(json_t) pool = pool_show(request->daemon, request->arg[0], error);
	g_autoptr(json_t) config = NULL;
	g_autofree char *etag = NULL;
	const json_t *description = json_object_get(request->body, "description");

	if (!pool)
		return NULL;
	etag = etag_of_pool(pool);
	if (!request_if_match(request, etag, error))
		return NULL;
	config = json_map_check(json_object_get(request->body, "config"), "config", error);
	if (!config)
		return NULL;
	return pool_update(request->daemon, request->arg[0],
			   description || !patch ? json_text(request->body, "description") : NULL,
			   config, patch, &request->who, error)
		       ? reply_sync(NULL)
		       : NULL;
}

static struct reply *pool_put(struct request *request, GError **error)
{
	return change(request, FALSE, error);
}

static struct reply *pool_patch(struct request *request, GError **error)
{
	return change(request, TRUE, error);
}

static struct reply *pool_del(struct request *request, GError **error)
{
	return pool_delete(request->daemon, request->arg[0], &request->who, error)
		       ? reply_sync(NULL)
		       : NULL;
}

static struct reply *resources_get(struct request *request, GError **error)
{
	json_t *resources = pool_resources(request->daemon, request->arg[0], error);

	return resources ? reply_sync(resources) : NULL;
}

/* --- volumes ------------------------------------------------------------------------------ */

/* The URL of a volume or of a snapshot of one. */
static json_t *volume_url(const char *pool, const json_t *volume)
{
	const char *project = json_text(volume, "project"), *name = json_text(volume, "name");
	const char *slash = strchr(name, '/');
	gboolean plain = strcmp(project, "default") == 0;
	g_autofree char *base = slash ? g_strndup(name, (gsize)(slash - name)) : g_strdup(name);

	return json_sprintf("/1.0/storage-pools/%s/volumes/%s/%s%s%s%s%s", pool,
			    json_text(volume, "type"), base, slash ? "/snapshots/" : "",
			    slash ? slash + 1 : "", plain ? "" : "?project=", plain ? "" : project);
}

/* TYPE NULL: of all types. */
static struct reply *list(struct request *request, const char *type, GError **error)
{
	const char *pool = request->arg[0];
	g_autoptr(filter_t) filter = NULL;
	g_autoptr(json_t) all = NULL, chosen = json_array();
	GError *problem = NULL;
	json_t *volume;
	size_t i;

	filter = filter_parse(request_query(request, "filter"), &problem);
	if (problem) {
		g_propagate_error(error, problem);
		return NULL;
	}
	all = volume_list(request->daemon, pool, request->all_projects ? NULL : request->project,
			  error);
	if (!all)
		return NULL;
	json_array_foreach(all, i, volume)
	{
		if ((type && strcmp(json_text(volume, "type"), type) != 0) ||
		    !filter_matches(filter, volume))
			continue;
		if (request->recursion > 0)
			json_array_append(chosen, volume);
		else
			json_array_append_new(chosen, volume_url(pool, volume));
	}
	return reply_sync(g_steal_pointer(&chosen));
}

static struct reply *volumes_get(struct request *request, GError **error)
{
	return list(request, NULL, error);
}

static const char *const types[] = { "container", "image", "custom" };

static gboolean type_of(const char *name, enum volume_type *ret, GError **error)
{
	for (gsize i = 0; i < G_N_ELEMENTS(types); i++)
		if (strcmp(types[i], name) == 0) {
			*ret = (enum volume_type)i;
			return TRUE;
		}
	return fail(error, 400, "Invalid storage volume type name");
}

static struct reply *volumes_of_type_get(struct request *request, GError **error)
{
	enum volume_type type;

	if (strcmp(request->arg[1], "virtual-machine") == 0)
		return reply_sync(json_array());
	return type_of(request->arg[1], &type, error) ? list(request, request->arg[1], error)
						      : NULL;
}

static gboolean ref_of(const struct request *request, struct volume_ref *ret, GError **error)
{
	*ret = (struct volume_ref){ .pool = request->arg[0],
				    .project = request->project,
				    .name = request->arg[2] };
	return type_of(request->arg[1], &ret->type, error);
}

static struct reply *volume_get(struct request *request, GError **error)
{
	struct volume_ref ref;
	g_autoptr(json_t) volume = NULL;
	char *etag;

	if (!ref_of(request, &ref, error))
		return NULL;
	volume = volume_show(request->daemon, &ref, error);
	if (!volume)
		return NULL;
	etag = etag_of(json_object_get(volume, "name"), json_object_get(volume, "type"),
		       json_object_get(volume, "config"), NULL);
	return reply_sync_etag(g_steal_pointer(&volume), etag);
}

static struct reply *volume_state_get(struct request *request, GError **error)
{
	struct volume_ref ref;
	guint64 used;

	if (!ref_of(request, &ref, error) || !volume_usage(request->daemon, &ref, &used, error))
		return NULL;
	return reply_sync(json_pack("{s:{s:I, s:I}}", "usage", "used", (json_int_t)used, "total",
				    (json_int_t)0));
}

const struct route routes_pools[] = {
	{ .path = "1.0/storage-pools", .get = pools_get, .post = pools_post },
	{ .path = "1.0/storage-pools/{}",
	  .get = pool_get,
	  .put = pool_put,
	  .patch = pool_patch,
	  .delete = pool_del },
	{ .path = "1.0/storage-pools/{}/resources", .get = resources_get },
	{ .path = "1.0/storage-pools/{}/volumes", .get = volumes_get },
	{ .path = "1.0/storage-pools/{}/volumes/{}", .get = volumes_of_type_get },
	{ .path = "1.0/storage-pools/{}/volumes/{}/{}", .get = volume_get },
	{ .path = "1.0/storage-pools/{}/volumes/{}/{}/state", .get = volume_state_get },
	{ 0 },
};
