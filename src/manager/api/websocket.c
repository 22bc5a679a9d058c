/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Websocket frames (RFC 6455, the server's side) over a stream that is never waited for itself. */
#include "api/websocket.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "util/error.h"

#define MESSAGE_MAX (16 * 1024 * 1024)
#define READ_BLOCK (32 * 1024)
#define MIRROR_BEHIND (256 * 1024) /* output is not read from its fd while more is unsent */
#define PING_SECONDS 10
#define CLOSE_TOO_BIG 1009
#define CLOSE_PROTOCOL 1002
#define CLOSE_NORMAL 1000

enum opcode { CONTINUED = 0, TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10 };

struct websocket {
	GIOStream *stream;
	GSocket *socket;
	GPollableInputStream *in;
	GPollableOutputStream *out;
	int closed_fd;

	/* the reader's */
	GByteArray *raw;     /* bytes of frames not yet understood */
	GByteArray *message; /* of fragments so far */
	enum opcode kind;    /* of that message */
	gboolean in_message;

	GMutex lock;	    /* of the rest */
	GByteArray *unsent; /* frames */
	gsize sent;	    /* of the first bytes of these */
	gboolean closed;    /* nothing more can be sent */
	gboolean said_close;

	void (*gone)(void *data); /* websocket_serve() */
	void *gone_data;
	GSource *in_source, *out_source, *ping_source;
};

struct websocket *websocket_new(void)
{
	struct websocket *ws = g_new0(struct websocket, 1);

	g_mutex_init(&ws->lock);
	ws->closed_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ws->raw = g_byte_array_new();
	ws->message = g_byte_array_new();
	ws->unsent = g_byte_array_new();
	return ws;
}

static void see_closed(struct websocket *ws)
{
	guint64 one = 1;

	g_mutex_lock(&ws->lock);
	ws->closed = TRUE;
	g_mutex_unlock(&ws->lock);
	if (ws->closed_fd >= 0 && write(ws->closed_fd, &one, sizeof(one)) < 0)
		return; /* it is readable already */
}

int websocket_closed_fd(struct websocket *ws)
{
	gboolean closed;

	g_mutex_lock(&ws->lock);
	closed = ws->closed;
	g_mutex_unlock(&ws->lock);
	return closed ? -1 : ws->closed_fd;
}

/* --- writing --------------------------------------------------------------------- */

static void add_frame(GByteArray *to, enum opcode opcode, const void *data, gsize len)
{
	guint8 head[10] = { 0x80 | opcode };
	guint count = 2;

	if (len < 126) {
		head[1] = len;
	} else if (len <= G_MAXUINT16) {
		head[1] = 126;
		head[2] = len >> 8;
		head[3] = len;
		count = 4;
	} else {
		head[1] = 127;
		for (guint i = 0; i < 8; i++)
			head[2 + i] = (guint64)len >> (8 * (7 - i));
		count = 10;
	}
	g_byte_array_append(to, head, count);
	if (len > 0)
		g_byte_array_append(to, data, len);
}

/* Writes what the connection takes now. With the lock held. */
static void flush(struct websocket *ws)
{
	while (ws->out && !ws->closed && ws->sent < ws->unsent->len) {
		g_autoptr(GError) error = NULL;
		gssize done = g_pollable_output_stream_write_nonblocking(
			ws->out, ws->unsent->data + ws->sent, ws->unsent->len - ws->sent, NULL,
			&error);

		if (done > 0)
			ws->sent += done;
		else if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK))
			break;
		else
			ws->closed = TRUE;
	}
	if (ws->sent == ws->unsent->len || ws->closed) {
		g_byte_array_set_size(ws->unsent, 0);
		ws->sent = 0;
	} else if (ws->sent > READ_BLOCK) {
		g_byte_array_remove_range(ws->unsent, 0, ws->sent);
		ws->sent = 0;
	}
}

/* Adds a frame and writes what can be written; returns how many bytes are left, or -1. */
static gssize push(struct websocket *ws, enum opcode opcode, const void *data, gsize len)
{
	gssize left = -1;

	g_mutex_lock(&ws->lock);
	if (!ws->closed && !ws->said_close) {
		add_frame(ws->unsent, opcode, data, len);
		ws->said_close = opcode == CLOSE;
		flush(ws);
		left = ws->closed ? -1 : (gssize)(ws->unsent->len - ws->sent);
	}
	g_mutex_unlock(&ws->lock);
	return left;
}

static gssize push_rest(struct websocket *ws)
{
	gssize left;

	g_mutex_lock(&ws->lock);
	flush(ws);
	left = ws->closed ? -1 : (gssize)(ws->unsent->len - ws->sent);
	g_mutex_unlock(&ws->lock);
	return left;
}

static enum opcode opcode_of(enum websocket_frame frame)
{
	switch (frame) {
	case WEBSOCKET_TEXT:
		return TEXT;
	case WEBSOCKET_BINARY:
		return BINARY;
	default:
		return CLOSE;
	}
}

gboolean websocket_send(struct websocket *ws, enum websocket_frame frame, const void *data,
			gsize len, GError **error)
{
	gssize left = push(ws, opcode_of(frame), data, len);

	while (left > 0) {
		if (!g_socket_condition_wait(ws->socket, G_IO_OUT, NULL, error))
			return FALSE;
		left = push_rest(ws);
	}
	if (left == 0)
		return TRUE;
	g_set_error(error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED, "The client is gone");
	return FALSE;
}

static void say_close(struct websocket *ws, guint16 code)
{
	guint8 data[2] = { code >> 8, code };

	push(ws, CLOSE, data, sizeof(data));
}

/* --- reading ------------------------------------------------------------------------ */

struct frame {
	gboolean final;
	enum opcode opcode;
	guint8 *data; /* in raw, unmasked in place */
	gsize len, whole;
};

/* 1: a frame is there, 0: not yet, -1: the client breaks the rules. */
static int parse_frame(GByteArray *raw, struct frame *ret)
{
	guint8 *data = raw->data;
	gsize head = 2;
	guint64 len;

	if (raw->len < 2)
		return 0;
	if ((data[0] & 0x70) || !(data[1] & 0x80)) /* extensions; every client's frame is masked */
		return -1;
	len = data[1] & 0x7f;
	if (len >= 126) {
		guint more = len == 126 ? 2 : 8;

		if (raw->len < 2 + more)
			return 0;
		len = 0;
		for (guint i = 0; i < more; i++)
			len = len << 8 | data[2 + i];
		head += more;
	}
	if (len > MESSAGE_MAX || ((data[0] & 0x08) && len > 125))
		return -1;
	if (raw->len < head + 4 + len)
		return 0;
	*ret = (struct frame){ .final = data[0] >> 7,
			       .opcode = data[0] & 0x0f,
			       .data = data + head + 4,
			       .len = len,
			       .whole = head + 4 + len };
	for (gsize i = 0; i < len; i++)
		ret->data[i] ^= data[head + i % 4];
	return 1;
}

/* 1: the message is whole, 0: go on, -1: closed. */
static int take_frame(struct websocket *ws, const struct frame *frame)
{
	switch (frame->opcode) {
	case PING:
		push(ws, PONG, frame->data, frame->len);
		return 0;
	case PONG:
		return 0;
	case CLOSE:
		say_close(ws, CLOSE_NORMAL);
		return -1;
	case TEXT:
	case BINARY:
		if (ws->in_message)
			break;
		g_byte_array_set_size(ws->message, 0);
		ws->kind = frame->opcode;
		ws->in_message = TRUE;
		goto data;
	case CONTINUED:
		if (!ws->in_message)
			break;
	data:
		if (ws->message->len + frame->len > MESSAGE_MAX) {
			say_close(ws, CLOSE_TOO_BIG);
			return -1;
		}
		g_byte_array_append(ws->message, frame->data, frame->len);
		ws->in_message = !frame->final;
		return frame->final;
	}
	say_close(ws, CLOSE_PROTOCOL);
	return -1;
}

/* Takes frames that are there until a message is whole (1), none is left (0) or it ends (-1). */
static int parse(struct websocket *ws)
{
	for (;;) {
		struct frame frame;
		int got = parse_frame(ws->raw, &frame);

		if (got < 0)
			say_close(ws, CLOSE_PROTOCOL);
		if (got <= 0)
			return got;
		got = take_frame(ws, &frame);
		g_byte_array_remove_range(ws->raw, 0, frame.whole);
		if (got != 0)
			return got;
	}
}

/* One read: 1 when there is more to parse, 0 when nothing is there now, -1 at the end. */
static int fill(struct websocket *ws)
{
	g_autoptr(GError) error = NULL;
	guint8 block[READ_BLOCK];
	gssize got = g_pollable_input_stream_read_nonblocking(ws->in, block, sizeof(block), NULL,
							      &error);

	if (got > 0) {
		g_byte_array_append(ws->raw, block, got);
		return 1;
	}
	return g_error_matches(error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK) ? 0 : -1;
}

/* As parse(), with what the connection has now. */
static int advance(struct websocket *ws)
{
	int got = parse(ws);

	while (got == 0) {
		int more = fill(ws);

		if (more <= 0) {
			got = more;
			break;
		}
		got = parse(ws);
	}
	if (got < 0)
		see_closed(ws);
	return got;
}

gboolean websocket_receive(struct websocket *ws, int timeout_ms, GCancellable *cancel,
			   enum websocket_frame *ret_frame, GBytes **ret, GError **error)
{
	gint64 wait = timeout_ms < 0 ? -1 : (gint64)timeout_ms * 1000;
	int got;

	while ((got = advance(ws)) == 0)
		if (!g_socket_condition_timed_wait(ws->socket, G_IO_IN, wait, cancel, error))
			return FALSE;
	if (got < 0) {
		*ret_frame = WEBSOCKET_CLOSED;
		*ret = NULL;
		return TRUE;
	}
	*ret_frame = ws->kind == TEXT ? WEBSOCKET_TEXT : WEBSOCKET_BINARY;
	*ret = g_bytes_new(ws->message->data, ws->message->len);
	return TRUE;
}

/* --- mirror ----------------------------------------------------------------------------- */

struct mirror {
	struct websocket *ws;
	int fd_in, fd_out;     /* -1: done */
	int fd_ended;	       /* -1: none, or seen */
	gboolean ended;	       /* what fd_out has now is all */
	GByteArray *unwritten; /* of the message for fd_in */
	gboolean same;	       /* a terminal: its output's end is the end */
	gboolean gone;
	gssize behind; /* bytes not yet sent to the client */
};

static void mirror_write(struct mirror *mirror)
{
	gssize done = write(mirror->fd_in, mirror->unwritten->data, mirror->unwritten->len);

	if (done > 0)
		g_byte_array_remove_range(mirror->unwritten, 0, done);
	else if (done < 0 && errno != EAGAIN && errno != EINTR)
		mirror->fd_in = -1; /* nobody reads there any more: the rest goes nowhere */
}

static void mirror_read(struct mirror *mirror)
{
	guint8 block[READ_BLOCK];
	gssize got = read(mirror->fd_out, block, sizeof(block));

	if (got < 0 && (errno == EINTR || (errno == EAGAIN && !mirror->ended)))
		return;
	if (got > 0) {
		mirror->behind = push(mirror->ws, BINARY, block, got);
	} else { /* a terminal whose other side is closed gives EIO */
		mirror->fd_out = -1;
		mirror->behind = push(mirror->ws, TEXT, NULL, 0);
		if (mirror->same)
			mirror->fd_in = -1;
	}
	mirror->gone |= mirror->behind < 0;
}

static void mirror_receive(struct mirror *mirror)
{
	while (mirror->unwritten->len == 0) {
		struct websocket *ws = mirror->ws;
		int got = advance(ws);

		if (got == 0)
			return;
		if (got < 0) {
			mirror->gone = TRUE;
			return;
		}
		if (ws->kind == TEXT && ws->message->len == 0)
			mirror->fd_in = -1;
		if (mirror->fd_in < 0)
			continue;
		g_byte_array_append(mirror->unwritten, ws->message->data, ws->message->len);
		mirror_write(mirror);
		if (mirror->fd_in < 0)
			g_byte_array_set_size(mirror->unwritten, 0);
	}
}

enum { WAIT_SOCKET, WAIT_IN, WAIT_OUT, WAIT_CANCEL, WAIT_ENDED, WAIT_COUNT };

static void mirror_poll(struct mirror *mirror, GPollFD *cancel, gint timeout_ms,
			GPollFD fds[WAIT_COUNT])
{
	struct websocket *ws = mirror->ws;
	gboolean reads = mirror->unwritten->len == 0;

	fds[WAIT_SOCKET] = (GPollFD){ .fd = g_socket_get_fd(ws->socket),
				      .events = (reads ? G_IO_IN : 0) |
						(mirror->behind > 0 ? G_IO_OUT : 0) };
	fds[WAIT_IN] = (GPollFD){ .fd = reads ? -1 : mirror->fd_in, .events = G_IO_OUT };
	fds[WAIT_OUT] = (GPollFD){ .fd = mirror->behind < MIRROR_BEHIND ? mirror->fd_out : -1,
				   .events = G_IO_IN };
	fds[WAIT_CANCEL] = *cancel;
	fds[WAIT_ENDED] = (GPollFD){ .fd = mirror->fd_ended, .events = G_IO_IN };
	/* bytes that the stream has read already do not show in poll() */
	if ((reads && g_pollable_input_stream_is_readable(ws->in)) ||
	    (mirror->ended && fds[WAIT_OUT].fd >= 0))
		timeout_ms = 0;
	g_poll(fds, WAIT_COUNT, timeout_ms);
}

static void mirror_step(struct mirror *mirror, const GPollFD fds[WAIT_COUNT])
{
	if (fds[WAIT_IN].revents && mirror->fd_in >= 0)
		mirror_write(mirror);
	if (mirror->fd_in < 0)
		g_byte_array_set_size(mirror->unwritten, 0);
	mirror_receive(mirror);
	if (fds[WAIT_SOCKET].revents & G_IO_OUT) {
		mirror->behind = push_rest(mirror->ws);
		mirror->gone |= mirror->behind < 0;
	}
	/* a client that went away while nothing could be read from it */
	if ((fds[WAIT_SOCKET].revents & (G_IO_HUP | G_IO_ERR)) && mirror->unwritten->len > 0)
		mirror->gone = TRUE;
	if (fds[WAIT_ENDED].revents) {
		mirror->ended = TRUE;
		mirror->fd_ended = -1;
	}
	if ((fds[WAIT_OUT].revents || (mirror->ended && fds[WAIT_OUT].fd >= 0)) &&
	    mirror->fd_out >= 0)
		mirror_read(mirror);
}

static void set_nonblocking(int fd)
{
	if (fd >= 0)
		g_unix_set_fd_nonblocking(fd, TRUE, NULL);
}

static gboolean mirror_unfinished(const struct mirror *mirror)
{
	return !mirror->gone && (mirror->fd_in >= 0 || mirror->fd_out >= 0 || mirror->behind > 0 ||
				 mirror->unwritten->len > 0);
}

gboolean websocket_mirror(struct websocket *ws, int fd_in, int fd_out, GCancellable *cancel,
			  GError **error)
{
	return websocket_mirror_until(ws, fd_in, fd_out, -1, cancel, NULL, error);
}

gboolean websocket_mirror_until(struct websocket *ws, int fd_in, int fd_out, int fd_ended,
				GCancellable *cancel, gboolean *ret_gone, GError **error)
{
	g_autoptr(GByteArray) unwritten = g_byte_array_new();
	struct mirror mirror = {
		.ws = ws,
		.fd_in = fd_in,
		.fd_out = fd_out,
		.fd_ended = fd_ended,
		.unwritten = unwritten,
		.same = fd_in >= 0 && fd_in == fd_out,
	};
	gint64 ping = g_get_monotonic_time() + PING_SECONDS * G_USEC_PER_SEC;
	GPollFD cancel_fd = { .fd = -1 };

	if (cancel)
		g_cancellable_make_pollfd(cancel, &cancel_fd);
	set_nonblocking(fd_in);
	set_nonblocking(fd_out);
	while (mirror_unfinished(&mirror) && !g_cancellable_is_cancelled(cancel)) {
		gint64 now = g_get_monotonic_time();
		GPollFD fds[WAIT_COUNT];

		if (now >= ping) {
			push(ws, PING, "keepalive", strlen("keepalive"));
			ping = now + PING_SECONDS * G_USEC_PER_SEC;
		}
		mirror_poll(&mirror, &cancel_fd, (ping - now) / 1000 + 1, fds);
		mirror_step(&mirror, fds);
	}
	if (cancel_fd.fd >= 0)
		g_cancellable_release_fd(cancel);
	if (ret_gone)
		*ret_gone = mirror.gone;
	if (g_cancellable_set_error_if_cancelled(cancel, error))
		return FALSE;
	return TRUE;
}

/* --- served on the main thread --------------------------------------------------------------- */

static void tell_gone(struct websocket *ws)
{
	void (*gone)(void *data) = g_steal_pointer(&ws->gone);

	if (gone)
		gone(ws->gone_data);
}

static gboolean on_input(G_GNUC_UNUSED GObject *stream, void *data)
{
	struct websocket *ws = data;
	int got;

	do {
		got = advance(ws);
	} while (got > 0);
	if (got == 0)
		return G_SOURCE_CONTINUE;
	websocket_close(ws);
	return G_SOURCE_REMOVE;
}

static gboolean on_output(G_GNUC_UNUSED GObject *stream, void *data)
{
	struct websocket *ws = data;
	gboolean more;

	g_mutex_lock(&ws->lock);
	flush(ws);
	more = ws->unsent->len > ws->sent && !ws->closed;
	if (!more)
		g_clear_pointer(&ws->out_source, g_source_unref);
	g_mutex_unlock(&ws->lock);
	return more;
}

static gboolean on_ping(void *data)
{
	websocket_post(data, WEBSOCKET_CLOSED, NULL, 0);
	return G_SOURCE_CONTINUE;
}

/* With the lock held: what is left is written when the connection takes it. */
static void watch_output(struct websocket *ws)
{
	if (ws->out_source || !ws->out || ws->closed || ws->sent == ws->unsent->len)
		return;
	ws->out_source = g_pollable_output_stream_create_source(ws->out, NULL);
	g_source_set_callback(ws->out_source, G_SOURCE_FUNC(on_output), ws, NULL);
	g_source_attach(ws->out_source, NULL);
}

/* WEBSOCKET_CLOSED stands for a ping here. */
gboolean websocket_post(struct websocket *ws, enum websocket_frame frame, const void *data,
			gsize len)
{
	gboolean good;

	g_mutex_lock(&ws->lock);
	good = !ws->closed && !ws->said_close &&
	       ws->unsent->len - ws->sent + len <= WEBSOCKET_BEHIND_MAX;
	if (good) {
		if (frame == WEBSOCKET_CLOSED)
			add_frame(ws->unsent, PING, "keepalive", strlen("keepalive"));
		else
			add_frame(ws->unsent, opcode_of(frame), data, len);
		flush(ws);
		watch_output(ws);
	} else if (ws->socket && !ws->closed) { /* cut off: the reader sees the end and closes it */
		ws->closed = TRUE;
		g_socket_shutdown(ws->socket, TRUE, TRUE, NULL);
	}
	g_mutex_unlock(&ws->lock);
	return good;
}

void websocket_serve(struct websocket *ws, void (*gone)(void *data), void *data)
{
	ws->gone = gone;
	ws->gone_data = data;
}

void websocket_attach(struct websocket *ws, GIOStream *stream, GSocket *socket)
{
	g_mutex_lock(&ws->lock);
	ws->stream = g_object_ref(stream);
	ws->socket = g_object_ref(socket);
	ws->in = G_POLLABLE_INPUT_STREAM(g_io_stream_get_input_stream(stream));
	ws->out = G_POLLABLE_OUTPUT_STREAM(g_io_stream_get_output_stream(stream));
	flush(ws);
	watch_output(ws);
	g_mutex_unlock(&ws->lock);
	if (!ws->gone)
		return;
	ws->in_source = g_pollable_input_stream_create_source(ws->in, NULL);
	g_source_set_callback(ws->in_source, G_SOURCE_FUNC(on_input), ws, NULL);
	g_source_attach(ws->in_source, NULL);
	ws->ping_source = g_timeout_source_new_seconds(PING_SECONDS);
	g_source_set_callback(ws->ping_source, on_ping, ws, NULL);
	g_source_attach(ws->ping_source, NULL);
}

static void drop_source(GSource **source)
{
	if (!*source)
		return;
	g_source_destroy(*source);
	g_clear_pointer(source, g_source_unref);
}

void websocket_close(struct websocket *ws)
{
	if (!ws)
		return;
	say_close(ws, CLOSE_NORMAL);
	tell_gone(ws);
	drop_source(&ws->in_source);
	drop_source(&ws->out_source);
	drop_source(&ws->ping_source);
	if (ws->stream)
		g_io_stream_close(ws->stream, NULL, NULL);
	g_clear_object(&ws->stream);
	g_clear_object(&ws->socket);
	close(ws->closed_fd);
	g_byte_array_unref(ws->raw);
	g_byte_array_unref(ws->message);
	g_byte_array_unref(ws->unsent);
	g_mutex_clear(&ws->lock);
	g_free(ws);
}
