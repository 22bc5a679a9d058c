/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A websocket as a blocking stream between a client and a file descriptor. The I/O itself is
 * libsoup's, on the main thread; these functions are for the threads of operations.
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

/* Sends a message; waits while more than a bounded number of bytes is queued. */
gboolean websocket_send(struct websocket *ws, enum websocket_frame frame, const void *data,
			gsize len, GError **error);

/* Sends the close frame and forgets the socket. */
void websocket_close(struct websocket *ws);

/* Becomes readable when the client has closed it; -1 when it has already. Owned by WS. */
int websocket_closed_fd(struct websocket *ws);

/*
 * Copies binary messages to FD_IN until the client's end of stream (an empty text message) and
 * what FD_OUT has to binary messages until its end, then sends the empty text message. Either may
 * be -1. Ends when both are done or the client went away. Pings every 10 s.
 */
gboolean websocket_mirror(struct websocket *ws, int fd_in, int fd_out, GCancellable *cancel,
			  GError **error);
