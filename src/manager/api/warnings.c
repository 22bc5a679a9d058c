/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* /1.0/warnings */
#include "api/request.h"
#include "core/warning.h"

static struct reply *warnings_get(struct request *request, GError **error)
{
	const char *project = request_query(request, "project");
	g_autoptr(json_t) all = warning_list(request->daemon->db, project, error);
	json_t *urls;
	const json_t *warning;
	size_t i;

	if (!all || request->recursion)
		return all ? reply_sync(g_steal_pointer(&all)) : NULL;
	urls = json_array();
	json_array_foreach(all, i, warning)
	{
		g_autofree char *url = g_strdup_printf("/1.0/warnings/%s",
						       json_text(warning, "uuid"));

		json_array_append_new(urls, json_string(url));
	}
	return reply_sync(urls);
}

static struct reply *warning_get(struct request *request, GError **error)
{
	json_t *shown = warning_show(request->daemon->db, request->arg[0], error);

	return shown ? reply_sync_etag(shown, etag_of(json_object_get(shown, "status"), NULL))
		     : NULL;
}

static struct reply *warning_put(struct request *request, GError **error)
{
	if (!json_is_object(request->body)) {
		fail(error, 400, request->body ? "json: cannot unmarshal into an object" : "EOF");
		return NULL;
	}
	if (!warning_set_status(request->daemon, request->arg[0],
				json_text(request->body, "status"), &request->who, error))
		return NULL;
	return reply_sync(NULL);
}

static struct reply *remove_it(struct request *request, GError **error)
{
	if (!warning_delete(request->daemon, request->arg[0], &request->who, error))
		return NULL;
	return reply_sync(NULL);
}

const struct route routes_warnings[] = {
	{ "1.0/warnings", 0, .get = warnings_get },
	{ "1.0/warnings/{}", 0, .get = warning_get, .put = warning_put, .patch = warning_put,
	  .delete = remove_it },
	{ 0 },
};
