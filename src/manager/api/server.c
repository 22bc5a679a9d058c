/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * / and /1.0. Every command of every client begins with GET /1.0: its text is made once for each
 * project that asks and thrown away when a lifecycle event tells of a change of the configuration
 * or of the storage pools.
 */
#include "api/server.h"

#include <string.h>

#include "api/extensions.h"
#include "api/reply.h"
#include "core/environment.h"
#include "core/pool.h"
#include "core/server_config.h"

#define TEXTS_MAX 64 /* projects, of which some may not even exist */

struct text {
	GBytes *body;
	char *etag;
};

struct server_text {
	struct daemon *daemon;
	guint listener;
	GThread *reader;
	gint stale; /* atomic */
	GMutex lock;
	GCond changed;
	json_t *environment; /* NULL while it is read */
	GHashTable *texts;   /* by project */
};

static void text_free(void *data)
{
	struct text *text = data;

	g_bytes_unref(text->body);
	g_free(text->etag);
	g_free(text);
}

static void *read_environment(void *data)
{
	struct server_text *text = data;
	json_t *environment = environment_read(text->daemon);

	g_mutex_lock(&text->lock);
	text->environment = environment;
	g_cond_broadcast(&text->changed);
	g_mutex_unlock(&text->lock);
	return NULL;
}

static void on_event(const char *line, G_GNUC_UNUSED gsize len, void *data)
{
	struct server_text *text = data;

	if (strstr(line, "\"config-updated\"") || strstr(line, "\"storage-pool-"))
		g_atomic_int_set(&text->stale, 1);
}

struct server_text *server_text_new(struct daemon *daemon)
{
	struct server_text *text = g_new0(struct server_text, 1);

	text->daemon = daemon;
	g_mutex_init(&text->lock);
	g_cond_init(&text->changed);
	text->texts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, text_free);
	text->listener = event_listen(daemon->events, EVENT_LIFECYCLE, NULL, on_event, text);
	text->reader = g_thread_new("environment", read_environment, text);
	return text;
}

void server_text_free(struct server_text *text)
{
	if (!text)
		return;
	event_unlisten(text->daemon->events, text->listener);
	g_thread_join(text->reader);
	json_decref(text->environment);
	g_hash_table_unref(text->texts);
	g_cond_clear(&text->changed);
	g_mutex_clear(&text->lock);
	g_free(text);
}

/* --- GET ------------------------------------------------------------------------------ */

static json_t *extensions(void)
{
	json_t *list = json_array();

	for (const char *const *name = api_extensions; *name; name++)
		json_array_append_new(list, json_string(*name));
	return list;
}

static json_t *environment_of(struct server_text *text, const char *project)
{
	g_autoptr(json_t) storage = pool_environment(text->daemon, NULL);
	json_t *environment;

	g_mutex_lock(&text->lock);
	while (!text->environment)
		g_cond_wait(&text->changed, &text->lock);
	environment = json_copy(text->environment);
	g_mutex_unlock(&text->lock);
	json_object_set_new(environment, "project", json_string(project));
	if (storage)
		json_object_update(environment, storage);
	return environment;
}

/* Blocks on the database. */
static json_t *server_show(struct server_text *text, const char *project, char **ret_etag,
			   GError **error)
{
	g_autoptr(json_t) config = server_config_show(text->daemon->db, error);

	if (!config)
		return NULL;
	*ret_etag = etag_of(config, NULL);
	return json_pack("{s:O, s:o, s:s, s:s, s:s, s:b, s:[s], s:o}", "config", config,
			 "api_extensions", extensions(), "api_status", "stable", "api_version",
			 "1.0", "auth", "trusted", "public", 0, "auth_methods", "tls",
			 "environment", environment_of(text, project));
}

static struct text *make_text(struct server_text *text, const char *project, GError **error)
{
	char *etag = NULL;
	json_t *shown = server_show(text, project, &etag, error);
	struct text *made;

	if (!shown)
		return NULL;
	made = g_new0(struct text, 1);
	made->body = reply_envelope(shown);
	made->etag = etag;
	return made;
}

/* The text that is kept, or NULL. */
static struct reply *kept_reply(struct server_text *text, const char *project)
{
	struct reply *reply = NULL;
	const struct text *kept;

	g_mutex_lock(&text->lock);
	if (g_atomic_int_compare_and_exchange(&text->stale, 1, 0) ||
	    g_hash_table_size(text->texts) > TEXTS_MAX)
		g_hash_table_remove_all(text->texts);
	kept = g_hash_table_lookup(text->texts, project);
	if (kept)
		reply = reply_ready(kept->body, kept->etag);
	g_mutex_unlock(&text->lock);
	return reply;
}

struct making {
	struct server_text *text;
	char *project;
	struct reply *later;
};

/* A change meanwhile finds stale set again after this has read: what is kept is then thrown away.
 */
static void *make(void *data)
{
	struct making *making = data;
	struct server_text *text = making->text;
	g_autoptr(GError) error = NULL;
	struct text *made = make_text(text, making->project, &error);

	if (!made) {
		reply_settle(making->later, reply_error(error));
	} else {
		reply_settle(making->later, reply_ready(made->body, made->etag));
		g_mutex_lock(&text->lock);
		g_hash_table_replace(text->texts, g_strdup(making->project), made);
		g_mutex_unlock(&text->lock);
	}
	g_free(making->project);
	g_free(making);
	return NULL;
}

static struct reply *server_get(struct request *request, G_GNUC_UNUSED GError **error)
{
	struct server_text *text = request->daemon->server_text;
	struct reply *reply = kept_reply(text, request->project);
	struct making *making;

	if (reply)
		return reply;
	reply = reply_later();
	making = g_new0(struct making, 1);
	making->text = text;
	making->project = g_strdup(request->project);
	making->later = reply;
	g_thread_unref(g_thread_new("server", make, making));
	return reply;
}

static struct reply *root_get(G_GNUC_UNUSED struct request *request, G_GNUC_UNUSED GError **error)
{
	return reply_sync(json_pack("[s]", "/1.0"));
}

/* --- PUT, PATCH ----------------------------------------------------------------------- */

struct change {
	const struct request *request;
	gboolean patch;
};

/* Nothing comes between the look at the ETag and the change. */
static gboolean change_config(struct db *db, void *data, GError **error)
{
	const struct change *change = data;
	const struct request *request = change->request;
	g_autoptr(json_t) config = server_config_show(db, error);
	g_autofree char *etag = config ? etag_of(config, NULL) : NULL;

	return config && request_if_match(request, etag, error) &&
	       server_config_update(request->daemon, json_object_get(request->body, "config"),
				    change->patch, &request->who, NULL, error);
}

static struct reply *change(struct request *request, gboolean patch, GError **error)
{
	struct change work = { request, patch };

	if (!request->body) {
		fail(error, 400, "EOF");
		return NULL;
	}
	if (!json_is_object(request->body)) {
		fail(error, 400, "json: cannot unmarshal into Go value of type api.ServerPut");
		return NULL;
	}
	if (!db_transaction(request->daemon->db, change_config, &work, error))
		return NULL;
	return reply_sync(NULL);
}

static struct reply *server_put(struct request *request, GError **error)
{
	return change(request, FALSE, error);
}

static struct reply *server_patch(struct request *request, GError **error)
{
	return change(request, TRUE, error);
}

const struct route routes_server[] = {
	{ "", ROUTE_ALWAYS | ROUTE_QUICK, .get = root_get },
	{ "1.0", ROUTE_ALWAYS | ROUTE_QUICK, .get = server_get, .put = server_put,
	  .patch = server_patch },
	{ 0 },
};
