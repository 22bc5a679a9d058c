/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A websocket as a blocking stream between a client and a file descriptor. libsoup does the
 * handshake; the frames are read and written here, by the thread that calls, so that a client that
 * sends too much waits in the kernel's buffer and not in ours. One thread reads at a time, any
 * number write.
 */
#pragma once

#include <gio/gio.h>

struct websocket;

enum websocket_frame { WEBSOCKET_TEXT, WEBSOCKET_BINARY, WEBSOCKET_CLOSED };

/*
 * The next whole message; *ret (free with g_bytes_unref) is NULL when closed. Waits at most
 * TIMEOUT_MS (negative: for ever); -ETIMEDOUT, -ECANCELED as a GError of G_IO_ERROR.
 */
gboolean websocket_receive(struct websocket *ws, int timeout_ms, GCancellable *cancel,
			   enum websocket_frame *ret_frame, GBytes **ret, GError **error);

/* Sends a message; waits while the client does not read. */
gboolean websocket_send(struct websocket *ws, enum websocket_frame frame, const void *data,
			gsize len, GError **error);

/* Sends the close frame and forgets the socket. */
void websocket_close(struct websocket *ws);

/*
 * Becomes readable when a reader (websocket_receive(), websocket_mirror()) has seen that the client
 * closed it; -1 when it has already. Owned by WS.
 */
int websocket_closed_fd(struct websocket *ws);

/*
 * Copies binary messages to FD_IN until the client's end of stream (an empty text message) and
 * what FD_OUT has to binary messages until its end, then sends the empty text message. Either may
 * be -1. Ends when both are done or the client went away; when they are the same (a terminal), with
 * its output. Pings every 10 s. Both get O_NONBLOCK.
 */
gboolean websocket_mirror(struct websocket *ws, int fd_in, int fd_out, GCancellable *cancel,
			  GError **error);

/*
 * The same for a terminal that a command's children may keep open for ever: when FD_ENDED (-1:
 * none) is readable, what FD_OUT has by then is its end. *ret_gone (may be NULL): the client went
 * away.
 */
gboolean websocket_mirror_until(struct websocket *ws, int fd_in, int fd_out, int fd_ended,
				GCancellable *cancel, gboolean *ret_gone, GError **error);

/* --- for the API's own files --------------------------------------------------- */

/* One without a connection yet: what is posted to it waits for it. */
struct websocket *websocket_new(void);

/* The connection after the handshake; called once, on the main thread. */
void websocket_attach(struct websocket *ws, GIOStream *stream, GSocket *socket);

/*
 * Queues a message and never waits. FALSE: the client is gone, or was so far behind that more than
 * WEBSOCKET_BEHIND_MAX bytes waited for it and it was cut off.
 */
#define WEBSOCKET_BEHIND_MAX (8 * 1024 * 1024)
gboolean websocket_post(struct websocket *ws, enum websocket_frame frame, const void *data,
			gsize len);

/*
 * Called before websocket_attach(): the main thread then reads what the client sends (its data mean
 * nothing), pings it every 10 s, and closes and frees WS when the client is gone. GONE is called
 * once on the main thread before that; afterwards nobody may post.
 */
void websocket_serve(struct websocket *ws, void (*gone)(void *data), void *data);
