/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The HTTP server. libsoup parses and writes on the main thread; handlers block on threads of a
 * pool, those that read a body of any size on one of their own. A message is libsoup's and is only
 * touched on the main thread, except that its request's headers may be read while it is paused.
 */
#include "api/listener.h"

#include <libsoup/soup.h>
#include <string.h>
#include <unistd.h>

#include "api/call.h"
#include "api/download.h"
#include "api/reply.h"
#include "api/unix_socket.h"
#include "api/upload.h"
#include "api/websocket.h"
#include "daemon.h"

#define THREADS 48 /* handlers that may block at the same time */

struct listener {
	struct daemon *daemon;
	SoupServer *server;
	struct router *router;
	GThreadPool *pool;
	gboolean owns_path; /* of daemon->socket */
	guint calls;	    /* that exist; the main thread's */
};

static void send_reply(struct call *call, struct reply *reply);

static SoupServerMessage *message_of(const struct call *call)
{
	return call->message;
}

const char *call_header(const struct call *call, const char *name)
{
	return soup_message_headers_get_one(
		soup_server_message_get_request_headers(message_of(call)), name);
}

/* --- a call's life ----------------------------------------------------------------- */

struct call *call_ref(struct call *call)
{
	g_atomic_ref_count_inc(&call->references);
	return call;
}

void call_unref(struct call *call)
{
	if (!g_atomic_ref_count_dec(&call->references))
		return;
	route_match_clear(&call->match);
	g_clear_pointer(&call->pairs, g_ptr_array_unref);
	g_clear_pointer(&call->body, g_byte_array_unref);
	g_clear_pointer(&call->upload, upload_unref);
	g_clear_pointer(&call->request.body, json_decref);
	g_clear_object(&call->request.input);
	reply_free(call->reply);
	g_free(call->path);
	g_free(call->query);
	g_object_unref(call->message);
	call->listener->calls--;
	g_free(call);
}

/* The user of a connection is found once and kept with it. */
struct peer {
	struct requestor who;
};

static void peer_free(void *data)
{
	struct peer *peer = data;

	g_free(peer->who.username);
	g_free(peer);
}

static const struct requestor *peer_of(SoupServerMessage *message)
{
	static const struct requestor nobody;
	GSocket *socket = soup_server_message_get_socket(message);
	struct peer *peer;

	if (!socket)
		return &nobody;
	peer = g_object_get_data(G_OBJECT(socket), "peer");
	if (!peer) {
		peer = g_new0(struct peer, 1);
		unix_socket_peer(socket, &peer->who);
		g_object_set_data_full(G_OBJECT(socket), "peer", peer, peer_free);
	}
	return &peer->who;
}

/* libsoup says "finished" or "disconnected", and nothing of a message whose connection was taken.
 */
static void end_call(SoupServerMessage *message, struct call *call)
{
	g_object_set_data(G_OBJECT(message), "call", NULL);
	g_signal_handlers_disconnect_by_data(message, call);
	call->gone = TRUE;
	if (call->upload)
		upload_end(call->upload, TRUE);
	if (call->sent)
		call->sent(call->sent_data);
	call_unref(call);
}

struct call *call_new(struct listener *listener, void *message)
{
	struct call *call = g_new0(struct call, 1);
	struct request *request = &call->request;
	GUri *uri = soup_server_message_get_uri(message);

	g_atomic_ref_count_init(&call->references);
	call->listener = listener;
	listener->calls++;
	call->message = g_object_ref(message);
	call->path = g_strdup(g_uri_get_path(uri));
	call->query = g_strdup(g_uri_get_query(uri));
	request->daemon = listener->daemon;
	request->method = soup_server_message_get_method(message);
	request->path = call->path;
	request->who = *peer_of(message);
	request->call = call;
	call_read_query(call);
	g_object_set_data(G_OBJECT(message), "call", call);
	g_signal_connect(message, "finished", G_CALLBACK(end_call), call);
	g_signal_connect(message, "disconnected", G_CALLBACK(end_call), call);
	return call;
}

/* --- from the path to the handler ------------------------------------------------------ */

static gboolean may_now(const struct call *call, GError **error)
{
	const struct daemon *daemon = call->listener->daemon;

	if (call->match.route->flags & ROUTE_ALWAYS)
		return TRUE;
	if (!g_atomic_int_get(&daemon->ready))
		return fail(error, 503, "LXD daemon setup in progress");
	if (g_atomic_int_get(&daemon->stopping) && strcmp(call->request.method, "GET") != 0)
		return fail(error, 503, "LXD is shutting down");
	return TRUE;
}

static gboolean find_handler(struct call *call, GError **error)
{
	if (!router_find(call->listener->router, call->path, &call->match, error))
		return FALSE;
	call->request.base = call->match.base;
	for (guint i = 0; i < REQUEST_ARGS; i++)
		call->request.arg[i] = call->match.arg[i];
	call->handler = route_method(call->match.route, call->request.method, error);
	return call->handler && may_now(call, error);
}

static struct reply *run_handler(struct call *call)
{
	struct request *request = &call->request;
	g_autoptr(GError) error = NULL;
	struct reply *reply = NULL;
	gboolean good = TRUE;

	if (call->too_large)
		good = fail(&error, 413, "http: request body too large");
	else if (call->body && call->body->len > 0)
		good = (request->body = json_parse((const char *)call->body->data, call->body->len,
						   &error)) != NULL;
	if (good)
		reply = call->handler(request, &error);
	g_clear_object(&request->input); /* what is left of the body has no reader */
	return reply ? reply : reply_error(error);
}

struct delivery {
	struct call *call;
	struct reply *reply;
};

static gboolean deliver(void *data)
{
	struct delivery *delivery = data;

	send_reply(delivery->call, delivery->reply);
	call_unref(delivery->call);
	g_free(delivery);
	return G_SOURCE_REMOVE;
}

/* Hands a reply and a reference to the call over to the main thread, from any. */
static void post_reply(void *call, struct reply *reply)
{
	struct delivery *delivery = g_new(struct delivery, 1);

	*delivery = (struct delivery){ call, reply };
	g_idle_add_full(G_PRIORITY_DEFAULT, deliver, delivery, NULL);
}

static void run_in_pool(void *data, G_GNUC_UNUSED void *listener)
{
	struct call *call = data;

	post_reply(call, run_handler(call));
}

static void *run_in_thread(void *data)
{
	struct call *call = data;

	post_reply(call, run_handler(call));
	return NULL;
}

static void pause_call(struct call *call)
{
	if (call->paused)
		return;
	call->paused = TRUE;
	soup_server_message_pause(message_of(call));
}

/* --- bodies ------------------------------------------------------------------------------ */

static gboolean resume(void *data)
{
	struct call *call = data;

	if (call->held && !call->gone) {
		call->held = FALSE;
		soup_server_message_unpause(message_of(call));
	}
	call_unref(call);
	return G_SOURCE_REMOVE;
}

static void on_room(void *call)
{
	g_idle_add_full(G_PRIORITY_DEFAULT, resume, call_ref(call), NULL);
}

static void on_chunk(SoupServerMessage *message, GBytes *chunk, struct call *call)
{
	gsize len;
	const void *data = g_bytes_get_data(chunk, &len);

	if (call->upload) {
		if (!upload_push(call->upload, data, len) && !call->held) {
			call->held = TRUE;
			soup_server_message_pause(message);
		}
	} else if (call->body->len + len > REQUEST_BODY_MAX) {
		call->too_large = TRUE; /* the rest is read and forgotten */
	} else {
		g_byte_array_append(call->body, data, len);
	}
}

static gboolean has_body(SoupServerMessage *message)
{
	SoupMessageHeaders *headers = soup_server_message_get_request_headers(message);

	switch (soup_message_headers_get_encoding(headers)) {
	case SOUP_ENCODING_CHUNKED:
		return TRUE;
	case SOUP_ENCODING_CONTENT_LENGTH:
		return soup_message_headers_get_content_length(headers) > 0;
	default:
		return FALSE;
	}
}

/* The handler runs while the body comes. */
static void start_stream(struct call *call)
{
	call->upload = upload_new(on_room, call);
	call->request.input = upload_stream(call->upload);
	g_thread_unref(g_thread_new("upload", run_in_thread, call_ref(call)));
}

static gboolean is_streamed(const struct call *call)
{
	return (call->match.route->flags & ROUTE_STREAM) &&
	       call->handler == call->match.route->post;
}

/* The headers are here: a request with a body gets where to put it. */
static void on_headers(G_GNUC_UNUSED SoupServer *server, SoupServerMessage *message,
		       G_GNUC_UNUSED const char *path, G_GNUC_UNUSED GHashTable *query, void *data)
{
	g_autoptr(GError) error = NULL;
	struct call *call;

	if (!has_body(message))
		return;
	call = call_new(data, message);
	soup_message_body_set_accumulate(soup_server_message_get_request_body(message), FALSE);
	if (!find_handler(call, &error)) {
		send_reply(call, reply_error(error));
		return;
	}
	if (is_streamed(call))
		start_stream(call);
	else
		call->body = g_byte_array_new();
	g_signal_connect(message, "got-chunk", G_CALLBACK(on_chunk), call);
}

/* Runs the handler of a request that is here as a whole. */
static void dispatch(struct call *call)
{
	unsigned flags = call->match.route->flags;

	if ((flags & ROUTE_QUICK) && call->handler == call->match.route->get) {
		send_reply(call, run_handler(call));
		return;
	}
	if (is_streamed(call))
		call->request.input = g_memory_input_stream_new(); /* an empty body */
	pause_call(call);
	g_thread_pool_push(call->listener->pool, call_ref(call), NULL);
}

/* The body is here. */
static void on_request(G_GNUC_UNUSED SoupServer *server, SoupServerMessage *message,
		       G_GNUC_UNUSED const char *path, G_GNUC_UNUSED GHashTable *query, void *data)
{
	struct call *call = g_object_get_data(G_OBJECT(message), "call");
	g_autoptr(GError) error = NULL;

	if (!call) {
		call = call_new(data, message);
		if (!find_handler(call, &error)) {
			send_reply(call, reply_error(error));
			return;
		}
	}
	call->whole = TRUE;
	if (!call->upload) {
		dispatch(call);
		return;
	}
	upload_end(call->upload, FALSE);
	if (call->reply)
		send_reply(call, g_steal_pointer(&call->reply));
	else
		pause_call(call);
}

/* --- replies --------------------------------------------------------------------------------- */

static void set_headers(SoupServerMessage *message, const struct reply *reply)
{
	SoupMessageHeaders *headers = soup_server_message_get_response_headers(message);

	soup_server_message_set_status(message, reply->status, NULL);
	if (reply->content_type)
		soup_message_headers_replace(headers, "Content-Type", reply->content_type);
	for (guint i = 0; reply->headers && i + 1 < reply->headers->len; i += 2)
		soup_message_headers_append(headers, reply->headers->pdata[i],
					    reply->headers->pdata[i + 1]);
}

static void send_bytes(SoupServerMessage *message, const struct reply *reply)
{
	set_headers(message, reply);
	if (g_bytes_get_size(reply->body) > 0) /* libsoup takes no empty piece */
		soup_message_body_append_bytes(soup_server_message_get_response_body(message),
					       reply->body);
}

static void send_stream(struct call *call, struct reply *reply)
{
	SoupServerMessage *message = message_of(call);
	SoupMessageHeaders *headers = soup_server_message_get_response_headers(message);
	const char *range = call_header(call, "Range");

	if (range)
		reply_apply_range(reply, range);
	set_headers(message, reply);
	if (reply->len >= 0)
		soup_message_headers_set_content_length(headers, reply->len);
	else
		soup_message_headers_set_encoding(headers, SOUP_ENCODING_CHUNKED);
	if (reply->len == 0 || strcmp(call->request.method, "HEAD") == 0)
		soup_message_body_complete(soup_server_message_get_response_body(message));
	else
		download_start(message, g_object_ref(reply->stream), reply->len);
}

struct taken {
	GIOStream *stream;
	struct reply *reply;
};

static void *run_taken(void *data)
{
	struct taken *taken = data;
	struct reply *reply = taken->reply;

	reply->free_data = NULL; /* whoever is called has them */
	if (reply->kind == REPLY_UPGRADE)
		reply->taken(taken->stream, reply->data);
	else
		reply->opened(g_steal_pointer(&reply->ws), reply->data);
	g_object_unref(taken->stream);
	reply_free(reply);
	g_free(taken);
	return NULL;
}

/* The 101 is written: from here the connection is no longer libsoup's. */
static void on_informational(SoupServerMessage *message, struct reply *reply)
{
	g_autoptr(GSocket) socket = NULL;
	struct taken *taken;
	struct call *call;

	if (soup_server_message_get_status(message) != SOUP_STATUS_SWITCHING_PROTOCOLS)
		return;
	g_object_ref(message);
	g_object_steal_data(G_OBJECT(message), "upgrade");
	socket = g_object_ref(soup_server_message_get_socket(message));
	taken = g_new0(struct taken, 1);
	taken->reply = reply;
	taken->stream = soup_server_message_steal_connection(message);
	call = g_object_get_data(G_OBJECT(message), "call");
	if (call) /* else it was told that it is disconnected */
		end_call(message, call);
	if (reply->ws)
		websocket_attach(reply->ws, taken->stream, socket);
	if (reply->ws && !reply->opened) {
		reply->ws = NULL; /* the main thread's own from now on */
		g_object_unref(taken->stream);
		reply_free(reply);
		g_free(taken);
	} else {
		g_thread_unref(g_thread_new("upgraded", run_taken, taken));
	}
	g_object_unref(message);
}

static void free_reply(void *reply)
{
	reply_free(reply);
}

/* REPLY is kept with the message until the 101 is out, and goes with it when it never is. */
static gboolean send_upgrade(struct call *call, struct reply *reply)
{
	SoupServerMessage *message = message_of(call);
	SoupMessageHeaders *headers = soup_server_message_get_response_headers(message);

	if (reply->kind == REPLY_UPGRADE) {
		set_headers(message, reply);
		soup_message_headers_replace(headers, "Upgrade", reply->protocol);
		soup_message_headers_replace(headers, "Connection", "Upgrade");
	} else if (!soup_websocket_server_process_handshake(message, NULL, NULL, NULL, NULL)) {
		return FALSE; /* libsoup has filled in why */
	}
	g_object_set_data_full(G_OBJECT(message), "upgrade", reply, free_reply);
	g_signal_connect(message, "wrote-informational", G_CALLBACK(on_informational), reply);
	return TRUE;
}

/* Takes over REPLY; the main thread alone. */
static void send_reply(struct call *call, struct reply *reply)
{
	SoupServerMessage *message = message_of(call);

	if (call->gone) {
		if (reply->sent)
			reply->sent(reply->data);
		reply_free(reply);
		return;
	}
	call->sent = reply->sent;
	call->sent_data = reply->data;
	if (reply->kind == REPLY_LATER) {
		pause_call(call);
		reply_await(reply, post_reply, call_ref(call));
		return;
	}
	if (call->upload && !call->whole) { /* HTTP/1 has its turns: the rest of the body first */
		call->reply = reply;
		return;
	}
	/* libsoup would cut any body by it */
	if (reply->kind == REPLY_STREAM)
		send_stream(call, reply);
	soup_message_headers_remove(soup_server_message_get_request_headers(message), "Range");
	if (reply->kind == REPLY_BYTES)
		send_bytes(message, reply);
	if ((reply->kind != REPLY_UPGRADE && reply->kind != REPLY_WEBSOCKET) ||
	    !send_upgrade(call, reply))
		reply_free(reply);
	if (call->paused) {
		call->paused = FALSE;
		soup_server_message_unpause(message);
	}
}

/* --- the server --------------------------------------------------------------------------------
 */

struct listener *listener_new(struct daemon *daemon, const struct route *const *tables)
{
	struct listener *listener = g_new0(struct listener, 1);

	listener->daemon = daemon;
	listener->router = router_new(tables);
	listener->pool = g_thread_pool_new(run_in_pool, listener, THREADS, FALSE, NULL);
	listener->server = soup_server_new("raw-paths", TRUE, NULL); /* the router decodes */
	soup_server_add_early_handler(listener->server, NULL, on_headers, listener, NULL);
	soup_server_add_handler(listener->server, NULL, on_request, listener, NULL);
	return listener;
}

static gboolean listen_on(struct listener *listener, GSocket *socket, GError **error)
{
	return soup_server_listen_socket(listener->server, socket, 0, error);
}

gboolean listener_open(struct listener *listener, GError **error)
{
	const struct daemon *daemon = listener->daemon;
	g_autoptr(GPtrArray) inherited = unix_socket_inherited();
	g_autoptr(GSocket) socket = NULL;

	for (guint i = 0; i < inherited->len; i++)
		if (!listen_on(listener, inherited->pdata[i], error))
			return FALSE;
	if (inherited->len > 0)
		return TRUE;
	socket = unix_socket_listen(daemon->socket, daemon->group, error);
	if (!socket)
		return FALSE;
	listener->owns_path = TRUE;
	return listen_on(listener, socket, error);
}

void listener_close(struct listener *listener)
{
	GSList *sockets = soup_server_get_listeners(listener->server);

	for (GSList *at = sockets; at; at = at->next)
		g_socket_close(at->data, NULL);
	g_slist_free(sockets);
	if (listener->owns_path)
		unlink(listener->daemon->socket);
	listener->owns_path = FALSE;
}

void listener_free(struct listener *listener)
{
	if (!listener)
		return;
	listener_close(listener);
	soup_server_disconnect(listener->server); /* bodies that still come end here */
	while (listener->calls > 0)
		g_main_context_iteration(NULL, TRUE);
	g_thread_pool_free(listener->pool, FALSE, TRUE);
	g_object_unref(listener->server);
	router_free(listener->router);
	g_free(listener);
}
