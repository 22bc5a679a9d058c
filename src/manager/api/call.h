/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One request on its way through the listener. */
#pragma once

#include "api/request.h"
#include "api/router.h"

struct call {
	struct request request;
	gatomicrefcount references; /* the last one goes on the main thread */
	struct listener *listener;
	void *message; /* libsoup's, which the listener alone knows; a reference */
	struct route_match match;
	route_handler handler;
	char *path, *query;
	GPtrArray *pairs; /* of the query, decoded: names and values by turns */

	/* the main thread's */
	GByteArray *body;      /* what came of it, of a row that wants it whole */
	struct upload *upload; /* of a row with ROUTE_STREAM */
	struct reply *reply;   /* that came before the body's end */
	gboolean too_large;
	gboolean held;		  /* not read from: the handler is behind */
	gboolean paused;	  /* until there is a reply */
	gboolean whole;		  /* the body is here */
	gboolean gone;		  /* libsoup is done with it */
	void (*sent)(void *data); /* the reply's */
	void *sent_data;
};

struct call *call_new(struct listener *listener, void *message);
struct call *call_ref(struct call *call);
void call_unref(struct call *call);

/* A header as it came: the listener's. */
const char *call_header(const struct call *call, const char *name);

/* What the query says, into the request: project, all-projects, recursion. */
void call_read_query(struct call *call);
