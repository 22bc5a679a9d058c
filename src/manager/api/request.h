/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A request as a handler sees it, the reply it gives, and the row of the routing table that leads
 * to it. A handler is a plain blocking function on a worker thread.
 */
#pragma once

#include <gio/gio.h>
#include <jansson.h>

#include "core/event.h"
#include "core/operation.h"
#include "util/error.h"
#include "util/json.h"

struct daemon;
struct reply;

#define REQUEST_ARGS 4
#define REQUEST_BODY_MAX (4 * 1024 * 1024) /* of a body that is read as a whole */

struct request {
	struct daemon *daemon;
	const char *method; /* "GET" */
	const char *path;   /* as it came, still encoded */
	const char *base;   /* "instances", "containers" or "virtual-machines": the alias used */
	const char *arg[REQUEST_ARGS]; /* the path's variable segments, decoded */
	const char *project;	       /* ?project=, else "default" */
	gboolean all_projects;	       /* ?all-projects=true */
	int recursion;		       /* ?recursion= */
	json_t *body;		       /* NULL when there is none */
	GInputStream *input;	       /* of a row with ROUTE_STREAM: POST's body, not yet read */
	struct requestor who;
	struct call *call; /* the listener's own */
};

/* A query's value, decoded, or NULL. */
const char *request_query(const struct request *request, const char *key);

/* A header's value, or NULL; names in any case. */
const char *request_header(const struct request *request, const char *name);

/* 412 unless If-Match is absent or is ETAG, in the original's words. */
gboolean request_if_match(const struct request *request, const char *etag, GError **error);

/* --- replies: each takes over what it is given --------------------------------- */

struct reply *reply_sync(json_t *metadata); /* NULL: {} */
struct reply *reply_sync_etag(json_t *metadata, char *etag);
struct reply *reply_created(const char *format, ...) G_GNUC_PRINTF(1, 2); /* Location */
struct reply *reply_operation(struct operation *op);
struct reply *reply_text(const char *content_type, char *text, gssize len);

/* A stream of LEN bytes (-1: unknown, chunked) that is closed when it is sent; with Range where it
 * can be sought in. */
struct reply *reply_stream(GInputStream *stream, gint64 len, const char *content_type);

/* A file, with Range and Last-Modified; FILENAME (may be NULL) for Content-Disposition. */
struct reply *reply_file(int fd, const char *content_type, const char *filename);

/* Adds a header to any reply. */
void reply_header(struct reply *reply, const char *name, const char *value);

/* Last-Modified. */
void reply_header_modified(struct reply *reply, time_t when);

/*
 * 101, after which the connection belongs to TAKEN, called on a thread of its own.
 * PROTOCOL is the Upgrade header's.
 */
typedef void (*reply_taken)(GIOStream *connection, void *data);
struct reply *reply_upgrade(const char *protocol, reply_taken taken, void *data);

/* Completes a websocket handshake; OPENED gets the socket (its own) on a thread of its own. */
struct websocket;
typedef void (*reply_opened)(struct websocket *ws, void *data);
struct reply *reply_websocket(reply_opened opened, void *data);

/* A hash over values of any kind for ETags; free with g_free. The list ends with NULL. */
char *etag_of(const json_t *first, ...) G_GNUC_NULL_TERMINATED;

/* --- routes --------------------------------------------------------------------- */

typedef struct reply *(*route_handler)(struct request *request, GError **error);

enum route_flags {
	ROUTE_STREAM = 1, /* POST's body is not read: request->input has it */
	ROUTE_ALWAYS = 2, /* also before the daemon is ready and while it stops */
	ROUTE_QUICK = 4,  /* GET never blocks: is run without a thread switch */
};

/*
 * PATH without the leading slash; "{}" is one decoded segment, "{*}" at the end all the rest with
 * its slashes: "1.0/instances/{}/state", "1.0/images/aliases/{*}". Rows under 1.0/instances also
 * answer under 1.0/containers and 1.0/virtual-machines.
 */
struct route {
	const char *path;
	unsigned flags;
	route_handler get, put, patch, post, delete, head;
};

/* Each file in api/ that has resources exports one table, ended by a row without a path. */
extern const struct route routes_server[], routes_operations[], routes_events[], routes_internal[],
	routes_profiles[], routes_projects[], routes_warnings[], routes_images[], routes_pools[],
	routes_instances[], routes_instance_exec[], routes_instance_console[],
	routes_instance_files[], routes_instance_sftp[], routes_instance_logs[], routes_snapshots[],
	routes_backups[], routes_metadata[], routes_resources[];
