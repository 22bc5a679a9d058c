/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a reply is made of: for reply.c, which fills it in, and the listener, which sends it. */
#pragma once

#include "api/request.h"

enum reply_kind {
	REPLY_BYTES,
	REPLY_STREAM,
	REPLY_UPGRADE,
	REPLY_WEBSOCKET,
	REPLY_LATER,
};

/* How a reply that is settled later goes on: POST gets CALL and the real reply, on any thread. */
typedef void (*reply_post)(void *call, struct reply *real);

struct reply {
	enum reply_kind kind;
	int status;
	char *content_type; /* NULL: none */
	GPtrArray *headers; /* names and values by turns; NULL: none */
	GBytes *body;	    /* REPLY_BYTES */

	GInputStream *stream; /* REPLY_STREAM */
	gint64 len;	      /* -1: unknown */
	int file;	      /* below STREAM; -1: cannot be read from the middle */

	char *protocol; /* REPLY_UPGRADE */
	reply_taken taken;
	reply_opened opened; /* REPLY_WEBSOCKET; NULL: WS is served on the main thread */
	void *data;
	GDestroyNotify free_data; /* of DATA that was never given to TAKEN or OPENED; may be NULL */
	struct websocket *ws;
	void (*sent)(void *data); /* called with DATA on the main thread when the client has it */

	GMutex lock; /* REPLY_LATER */
	struct reply *real;
	reply_post post;
	void *call;
};

void reply_free(struct reply *reply);

/* The error's status and words; ERROR stays the caller's. */
struct reply *reply_error(const GError *error);

/* JSON text that is made already, with an ETag or NULL: for what is asked for often. */
struct reply *reply_ready(GBytes *body, const char *etag);

/* The body of a 200 with this metadata (taken over). */
GBytes *reply_envelope(json_t *metadata);

/* Calls FREE_DATA with what a reply_upgrade() or reply_websocket() was given and nobody got. */
void reply_otherwise(struct reply *reply, GDestroyNotify free_data);

/* Calls SENT on the main thread when the reply is sent or its client is gone. */
void reply_when_sent(struct reply *reply, void (*sent)(void *data), void *data);

/* A websocket that is written to with websocket_post() from any thread, at once. */
struct reply *reply_websocket_served(struct websocket *ws);

/*
 * A reply that comes later without a thread that waits: the handler returns LATER, and somebody
 * calls reply_settle() with the real one, once, on any thread, be it before that.
 */
struct reply *reply_later(void);
void reply_settle(struct reply *later, struct reply *real);

/* For the listener: says where the real reply goes; it may come at once. Takes over LATER. */
void reply_await(struct reply *later, reply_post post, void *call);

/* Cuts a file to what the Range header asks for: 206 or 416. */
void reply_apply_range(struct reply *reply, const char *range);
