/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* /1.0/operations: what the daemon does for its clients. */
#include <stdlib.h>

#include "api/reply.h"
#include "api/websocket.h"
#include "daemon.h"

static struct operation *find(const struct request *request, GError **error)
{
	return operations_find(request->daemon->operations, request->arg[0], error);
}

static struct reply *operations_get(struct request *request, G_GNUC_UNUSED GError **error)
{
	return reply_sync(operations_list(request->daemon->operations,
					  request->all_projects ? NULL : request->project,
					  request->recursion > 0));
}

static struct reply *operation_get(struct request *request, GError **error)
{
	AUTO_OPERATION struct operation *op = find(request, error);

	return op ? reply_sync(operation_show(op)) : NULL;
}

static struct reply *operation_delete(struct request *request, GError **error)
{
	AUTO_OPERATION struct operation *op = find(request, error);

	return op && operation_cancel_asked(op, error) ? reply_sync(NULL) : NULL;
}

/* --- wait: without a thread, however many wait --------------------------------------- */

struct waiter {
	gatomicrefcount references; /* of who may end it */
	gint settled;		    /* atomic */
	struct operation *op;
	struct reply *later;
	GSource *timeout; /* holds a reference of its own while it is attached; NULL: none */
};

static void waiter_unref(void *data)
{
	struct waiter *waiter = data;

	if (!g_atomic_ref_count_dec(&waiter->references))
		return;
	if (waiter->timeout)
		g_source_unref(waiter->timeout);
	operation_unref(waiter->op);
	g_free(waiter);
}

static gboolean waiter_settle(struct waiter *waiter)
{
	if (!g_atomic_int_compare_and_exchange(&waiter->settled, 0, 1))
		return FALSE;
	reply_settle(waiter->later, reply_sync(operation_show(waiter->op)));
	return TRUE;
}

static void on_over(G_GNUC_UNUSED struct operation *op, void *data)
{
	struct waiter *waiter = data;

	waiter_settle(waiter);
	if (waiter->timeout)
		g_source_destroy(waiter->timeout);
	waiter_unref(waiter);
}

static gboolean on_timeout(void *data)
{
	struct waiter *waiter = data;

	if (waiter_settle(waiter) && operation_forget(waiter->op, on_over, waiter))
		waiter_unref(waiter);
	return G_SOURCE_REMOVE;
}

/* It cannot fire before the main thread, whose call this is, goes on. */
static void start_timeout(struct waiter *waiter, gint64 seconds)
{
	waiter->timeout = g_timeout_source_new(MIN(seconds, G_MAXINT / 1000) * 1000);
	g_atomic_ref_count_inc(&waiter->references);
	g_source_set_callback(waiter->timeout, on_timeout, waiter, waiter_unref);
	g_source_attach(waiter->timeout, NULL);
}

static gboolean parse_timeout(const char *text, gint64 *ret, GError **error)
{
	char *end;

	*ret = -1;
	if (!text || !*text)
		return TRUE;
	*ret = g_ascii_strtoll(text, &end, 10);
	if (*end)
		return fail(error, 400, "strconv.Atoi: parsing \"%s\": invalid syntax", text);
	return TRUE;
}

static struct reply *wait_get(struct request *request, GError **error)
{
	AUTO_OPERATION struct operation *op = find(request, error);
	struct waiter *waiter;
	struct reply *later;
	gint64 seconds;

	if (!op || !parse_timeout(request_query(request, "timeout"), &seconds, error))
		return NULL;
	later = reply_later();
	waiter = g_new0(struct waiter, 1);
	g_atomic_ref_count_init(&waiter->references);
	waiter->op = operation_ref(op);
	waiter->later = later;
	if (seconds >= 0)
		start_timeout(waiter, seconds);
	if (!operation_watch(op, on_over, waiter))
		on_over(op, waiter);
	return later;
}

/* --- websockets ------------------------------------------------------------------------- */

struct connecting {
	struct operation *op;
	char *secret;
};

static void connecting_free(void *data)
{
	struct connecting *connecting = data;

	operation_unref(connecting->op);
	g_free(connecting->secret);
	g_free(connecting);
}

static void opened(struct websocket *ws, void *data)
{
	const struct connecting *connecting = data;

	if (!operation_socket_connect(connecting->op, connecting->secret, ws, websocket_close))
		websocket_close(ws);
	connecting_free(data);
}

static struct reply *websocket_get(struct request *request, GError **error)
{
	const char *secret = request_query(request, "secret");
	AUTO_OPERATION struct operation *op = NULL;
	struct connecting *connecting;
	struct reply *reply;

	if (!secret || !*secret) {
		fail(error, 400, "missing secret");
		return NULL;
	}
	op = find(request, error);
	if (!op || !operation_socket_check(op, secret, error))
		return NULL;
	connecting = g_new0(struct connecting, 1);
	connecting->op = operation_ref(op);
	connecting->secret = g_strdup(secret);
	reply = reply_websocket(opened, connecting);
	reply_otherwise(reply, connecting_free);
	return reply;
}

const struct route routes_operations[] = {
	{ "1.0/operations", ROUTE_ALWAYS | ROUTE_QUICK, .get = operations_get },
	{ "1.0/operations/{}", ROUTE_ALWAYS | ROUTE_QUICK, .get = operation_get,
	  .delete = operation_delete },
	{ "1.0/operations/{}/wait", ROUTE_ALWAYS | ROUTE_QUICK, .get = wait_get },
	{ "1.0/operations/{}/websocket", ROUTE_ALWAYS | ROUTE_QUICK, .get = websocket_get },
	{ 0 },
};
