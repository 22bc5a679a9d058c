/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Operations: what the daemon does in the background for a client, who can watch, cancel, wait
 * for it or connect its websockets. Objects and their life as reference LXD 5.0 shows them:
 * a finished operation can be looked at for five more seconds.
 */
#pragma once

#include <gio/gio.h>
#include <jansson.h>

#include "core/event.h"

struct daemon;
struct operation;
struct operation_sockets;

enum operation_class { OPERATION_TASK, OPERATION_WEBSOCKET, OPERATION_TOKEN };

/* Runs on a thread of its own. FALSE and an error: the operation failed with its message. */
typedef gboolean (*operation_run)(struct operation *op, void *data, GError **error);

struct operation_spec {
	enum operation_class class;
	const char *project;
	const char *description; /* LXD's fixed words: "Creating instance" */
	json_t *resources;	 /* {"instances": ["/1.0/instances/c1"]}; taken over; may be NULL */
	json_t *metadata;	 /* taken over; may be NULL */
	operation_run run;	 /* NULL: a token, that lives until it is cancelled */
	gboolean may_cancel;	 /* DELETE cancels operation_cancellable() */
	struct operation_sockets
		*sockets;	     /* as operation_use_sockets() from the start; may be NULL */
	const struct requestor *who; /* copied; may be NULL */
	void *data;
	GDestroyNotify free_data; /* may be NULL; called once, when the operation is over */
};

/* Registers, announces and starts it. The reference returned is the caller's. */
struct operation *operation_start(struct daemon *daemon, const struct operation_spec *spec);

struct operation *operation_ref(struct operation *op);
void operation_unref(struct operation *op);
#define AUTO_OPERATION __attribute__((cleanup(operation_unref_at)))
static inline void operation_unref_at(struct operation **op)
{
	if (*op)
		operation_unref(*op);
}

const char *operation_id(const struct operation *op);
struct daemon *operation_daemon(const struct operation *op);
const char *operation_project(const struct operation *op);
const struct requestor *operation_requestor(const struct operation *op);

/* Cancelled by the client or because the daemon stops; pass it to everything that may take long. */
GCancellable *operation_cancellable(struct operation *op);

/* Merges FIELDS (taken over) into the metadata and tells the listeners. */
void operation_extend(struct operation *op, json_t *fields);

/*
 * Tells how far a stage is: "create_instance_from_image_unpack" with what (words before the
 * percentage: "Unpack") gives "<stage>_progress": "Unpack: 45% (41.58MB/s)" and "progress": {...}.
 * PERCENT below 0: unknown, the bytes so far are shown. At most a few times a second is sent on.
 */
void operation_progress(struct operation *op, const char *stage, const char *what, int percent,
			gint64 bytes, gint64 bytes_per_second);

/* Cancels an operation that is not over yet, whether a client may or not. */
void operation_cancel(struct operation *op);

/* The same for a client: 400 when it cannot be cancelled or is not running. */
gboolean operation_cancel_asked(struct operation *op, GError **error);

/* --- websockets of an operation (class websocket) ---------------------------- */

/*
 * Announces a socket by name ("0", "1", "2", "control") before the operation starts: returns its
 * secret for the metadata ("fds"). The secrets belong to SOCKETS, which the operation's data own.
 */
struct operation_sockets *operation_sockets_new(void);
const char *operation_sockets_add(struct operation_sockets *sockets, const char *name);
void operation_sockets_free(struct operation_sockets *sockets);

/* Tells the operation which sockets a client may connect to, by ?secret=. */
void operation_use_sockets(struct operation *op, struct operation_sockets *sockets);

struct websocket;

/*
 * Waits until the client has connected NAME; the socket belongs to the caller.
 * "Timed out waiting for websockets to connect" after SECONDS, or when cancelled.
 */
struct websocket *operation_sockets_wait(struct operation *op, struct operation_sockets *sockets,
					 const char *name, unsigned seconds, GError **error);

/* The same of one that need not come: waits until it has, or CANCEL is cancelled (then NULL). */
struct websocket *operation_sockets_await(struct operation_sockets *sockets, const char *name,
					  GCancellable *cancel);

/*
 * A client has come with a socket: whether SECRET is one that nobody uses already (403), and the
 * handing over, after which RELEASE is called with WS if nobody takes it. FALSE: still the
 * caller's.
 */
gboolean operation_socket_check(struct operation *op, const char *secret, GError **error);
gboolean operation_socket_connect(struct operation *op, const char *secret, struct websocket *ws,
				  void (*release)(struct websocket *ws));

/* NAME's socket if it is connected already, else NULL. */
struct websocket *operation_sockets_take(struct operation_sockets *sockets, const char *name);

/* --- all of them -------------------------------------------------------------- */

struct operations;
struct operations *operations_new(void);
void operations_free(struct operations *all); /* cancels and waits for what still runs */

/* By id; 404 "Operation not found". The reference returned is the caller's. */
struct operation *operations_find(struct operations *all, const char *id, GError **error);

/* The object as the API shows it. */
json_t *operation_show(struct operation *op);

/* {"running": [urls or objects], "success": [...]}; PROJECT NULL: of all. */
json_t *operations_list(struct operations *all, const char *project, gboolean recursion);

/* Waits at most SECONDS until none runs; then cancels those that do and waits for them. */
void operations_finish(struct operations *all, int seconds);

/*
 * Calls OVER once on any thread when the operation is over, unless it was forgotten before. FALSE:
 * it is over already. operation_forget() is TRUE when it will never be called.
 */
typedef void (*operation_over)(struct operation *op, void *data);
gboolean operation_watch(struct operation *op, operation_over over, void *data);
gboolean operation_forget(struct operation *op, operation_over over, void *data);

/* Waits until it is over, at most SECONDS (negative: for ever). TRUE when it is over. */
gboolean operation_wait(struct operation *op, int seconds);
