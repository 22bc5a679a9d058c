/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* /internal: what the daemon's own programs and its command line ask of it. */
#include <stdlib.h>
#include <string.h>

#include "api/reply.h"
#include "core/instance.h"
#include "core/recover.h"
#include "core/stop.h"
#include "daemon.h"
#include "db/db.h"

static struct reply *ready_get(struct request *request, GError **error)
{
	if (g_atomic_int_get(&request->daemon->ready))
		return reply_sync(NULL);
	fail(error, 503, "LXD daemon not ready yet");
	return NULL;
}

/* --- shutdown ----------------------------------------------------------------------- */

static void quit(void *data)
{
	const struct daemon *daemon = data;

	g_main_loop_quit(daemon->loop);
}

/* Answers when everything but the API itself is down. */
static struct reply *shutdown_put(struct request *request, G_GNUC_UNUSED GError **error)
{
	const char *force = request_query(request, "force");
	struct reply *reply;

	daemon_stop_work(request->daemon, !(force && strcmp(force, "true") == 0), TRUE);
	reply = reply_sync(NULL);
	reply_when_sent(reply, quit, request->daemon);
	return reply;
}

/* --- sql --------------------------------------------------------------------------------- */

/* There is one database, by either name. */
static gboolean check_database(const char *name, GError **error)
{
	if (name && (strcmp(name, "global") == 0 || strcmp(name, "local") == 0))
		return TRUE;
	return fail(error, 400, "Invalid database");
}

static struct reply *sql_get(struct request *request, GError **error)
{
	const char *schema = request_query(request, "schema");
	g_autofree char *dump = NULL;

	if (!check_database(request_query(request, "database"), error))
		return NULL;
	dump = db_dump(request->daemon->db, schema && strcmp(schema, "1") == 0, error);
	return dump ? reply_sync(json_pack("{s:s}", "text", dump)) : NULL;
}

static struct reply *sql_post(struct request *request, GError **error)
{
	const char *query = json_text(request->body, "query");
	json_t *results;

	if (!check_database(json_text(request->body, "database"), error))
		return NULL;
	if (!*query) {
		fail(error, 400, "No query provided");
		return NULL;
	}
	results = db_user_query(request->daemon->db, query, error);
	return results ? reply_sync(results) : NULL;
}

/* --- the hooks of instances ---------------------------------------------------------- */

static struct instance *hooked(struct request *request, GError **error)
{
	return instance_load(request->daemon, request->project, request->arg[0], error);
}

static struct reply *on_start(struct request *request, GError **error)
{
	g_autoptr(instance_t) inst = hooked(request, error);

	return inst && instance_on_start(inst, error) ? reply_sync(NULL) : NULL;
}

static struct reply *on_stop_namespaces(struct request *request, GError **error)
{
	g_autoptr(instance_t) inst = hooked(request, error);
	const char *netns = request_query(request, "netns");

	return inst && instance_on_stop_namespaces(inst, netns ? netns : "", error)
		       ? reply_sync(NULL)
		       : NULL;
}

static struct reply *on_stop(struct request *request, GError **error)
{
	g_autoptr(instance_t) inst = hooked(request, error);
	const char *target = request_query(request, "target");

	return inst && instance_on_stop(inst, target ? target : "stop", error) ? reply_sync(NULL)
									       : NULL;
}

/* --- recovery ------------------------------------------------------------------------- */

static const json_t *pools_of(const struct request *request, GError **error)
{
	const json_t *pools = json_object_get(request->body, "pools");

	/* a client that names its fields as they are called in its own language */
	pools = pools ? pools : json_object_get(request->body, "Pools");
	if (!json_is_array(pools))
		fail(error, 400, "No storage pools given");
	return json_is_array(pools) ? pools : NULL;
}

static struct reply *recover_validate_post(struct request *request, GError **error)
{
	const json_t *pools = pools_of(request, error);
	json_t *found;

	return pools && recover_validate(request->daemon, pools, &found, error) ? reply_sync(found)
										: NULL;
}

static struct reply *recover_import_post(struct request *request, GError **error)
{
	const json_t *pools = pools_of(request, error);

	return pools && recover_import(request->daemon, pools, &request->who, error)
		       ? reply_sync(NULL)
		       : NULL;
}

const struct route routes_internal[] = {
	{ "internal/containers/{}/onstart", ROUTE_ALWAYS, .get = on_start },
	{ "internal/containers/{}/onstop", ROUTE_ALWAYS, .get = on_stop },
	{ "internal/containers/{}/onstopns", ROUTE_ALWAYS, .get = on_stop_namespaces },
	{ "internal/ready", ROUTE_ALWAYS | ROUTE_QUICK, .get = ready_get },
	{ "internal/recover/import", 0, .post = recover_import_post },
	{ "internal/recover/validate", 0, .post = recover_validate_post },
	{ "internal/shutdown", ROUTE_ALWAYS, .put = shutdown_put },
	{ "internal/sql", ROUTE_ALWAYS, .get = sql_get, .post = sql_post },
	{ 0 },
};
