/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Replies: the envelopes, and what is not one. */
#include "api/reply.h"

#include <errno.h>
#include <gio/gunixinputstream.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "api/websocket.h"

static struct reply *reply_new(enum reply_kind kind, int status)
{
	struct reply *reply = g_new0(struct reply, 1);

	reply->kind = kind;
	reply->status = status;
	reply->len = -1;
	reply->file = -1;
	g_mutex_init(&reply->lock);
	return reply;
}

void reply_free(struct reply *reply)
{
	if (!reply)
		return;
	g_free(reply->content_type);
	g_clear_pointer(&reply->headers, g_ptr_array_unref);
	g_clear_pointer(&reply->body, g_bytes_unref);
	g_clear_object(&reply->stream);
	g_free(reply->protocol);
	g_clear_pointer(&reply->ws, websocket_close);
	if (reply->free_data)
		reply->free_data(reply->data);
	reply_free(reply->real);
	g_mutex_clear(&reply->lock);
	g_free(reply);
}

void reply_header(struct reply *reply, const char *name, const char *value)
{
	if (!reply->headers)
		reply->headers = g_ptr_array_new_with_free_func(g_free);
	g_ptr_array_add(reply->headers, g_strdup(name));
	g_ptr_array_add(reply->headers, g_strdup(value));
}

/* --- envelopes ------------------------------------------------------------------- */

static GBytes *text_bytes(char *text)
{
	return g_bytes_new_take(text, strlen(text));
}

/* Takes over METADATA (NULL: null) and gives one line with all seven keys in their usual order. */
static GBytes *envelope(const char *type, const char *status, int code, const char *operation,
			json_t *metadata)
{
	char *text = metadata ? json_dumps(metadata, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
	char *whole = g_strdup_printf("{\"type\":\"%s\",\"status\":\"%s\",\"status_code\":%d,"
				      "\"operation\":\"%s\",\"error_code\":0,\"error\":\"\","
				      "\"metadata\":%s}\n",
				      type, status, code, operation, text ? text : "null");

	free(text);
	json_decref(metadata);
	return text_bytes(whole);
}

GBytes *reply_envelope(json_t *metadata)
{
	return envelope("sync", "Success", 200, "", metadata ? metadata : json_object());
}

static struct reply *json_reply(int status, GBytes *body)
{
	struct reply *reply = reply_new(REPLY_BYTES, status);

	reply->content_type = g_strdup("application/json");
	reply->body = body;
	return reply;
}

struct reply *reply_ready(GBytes *body, const char *etag)
{
	struct reply *reply = json_reply(200, g_bytes_ref(body));

	if (etag) {
		g_autofree char *quoted = g_strdup_printf("\"%s\"", etag);

		reply_header(reply, "Etag", quoted);
	}
	return reply;
}

struct reply *reply_sync(json_t *metadata)
{
	return json_reply(200, reply_envelope(metadata));
}

struct reply *reply_sync_etag(json_t *metadata, char *etag)
{
	g_autoptr(GBytes) body = reply_envelope(metadata);
	struct reply *reply = reply_ready(body, etag);

	g_free(etag);
	return reply;
}

struct reply *reply_created(const char *format, ...)
{
	struct reply *reply = json_reply(201, envelope("sync", "Success", 200, "", NULL));
	g_autofree char *location = NULL;
	va_list args;

	va_start(args, format);
	location = g_strdup_vprintf(format, args);
	va_end(args);
	reply_header(reply, "Location", location);
	return reply;
}

struct reply *reply_operation(struct operation *op)
{
	g_autofree char *url = g_strdup_printf("/1.0/operations/%s", operation_id(op));
	struct reply *reply = json_reply(
		202, envelope("async", "Operation created", 100, url, operation_show(op)));

	reply_header(reply, "Location", url);
	operation_unref(op);
	return reply;
}

struct reply *reply_error(const GError *error)
{
	int status = error_status(error);
	g_autoptr(json_t) words = json_string(error ? error->message : "unknown error");
	char *text = words ? json_dumps(words, JSON_ENCODE_ANY) : NULL;
	struct reply *reply = json_reply(
		status,
		text_bytes(g_strdup_printf("{\"type\":\"error\",\"status\":\"\",\"status_code\":0,"
					   "\"operation\":\"\",\"error_code\":%d,\"error\":%s,"
					   "\"metadata\":null}\n\n",
					   status, text ? text : "\"not UTF-8\"")));

	free(text);
	reply_header(reply, "X-Content-Type-Options", "nosniff");
	return reply;
}

struct reply *reply_text(const char *content_type, char *text, gssize len)
{
	struct reply *reply = reply_new(REPLY_BYTES, 200);

	reply->content_type = g_strdup(content_type);
	reply->body = g_bytes_new_take(text, len < 0 ? strlen(text) : (gsize)len);
	return reply;
}

/* --- streams and files --------------------------------------------------------------- */

struct reply *reply_stream(GInputStream *stream, gint64 len, const char *content_type)
{
	struct reply *reply = reply_new(REPLY_STREAM, 200);

	reply->content_type = g_strdup(content_type);
	reply->stream = stream;
	reply->len = len;
	return reply;
}

void reply_header_modified(struct reply *reply, time_t when)
{
	g_autoptr(GDateTime) date = g_date_time_new_from_unix_utc(when);
	g_autofree char *text = date ? g_date_time_format(date, "%a, %d %b %Y %H:%M:%S GMT") : NULL;

	if (text)
		reply_header(reply, "Last-Modified", text);
}

struct reply *reply_file(int fd, const char *content_type, const char *filename)
{
	struct reply *reply = reply_stream(g_unix_input_stream_new(fd, TRUE), -1, content_type);
	struct stat st;

	if (fstat(fd, &st) == 0) {
		reply_header_modified(reply, st.st_mtime);
		if (S_ISREG(st.st_mode)) {
			reply->file = fd;
			reply->len = st.st_size;
			reply_header(reply, "Accept-Ranges", "bytes");
		}
	}
	if (filename) {
		g_autofree char *value = g_strdup_printf("inline;filename=%s", filename);

		reply_header(reply, "Content-Disposition", value);
	}
	return reply;
}

/* "bytes=A-B", "bytes=A-" or "bytes=-N" of a file of SIZE; FALSE: cannot be satisfied. */
static gboolean parse_range(const char *range, gint64 size, gint64 *ret_first, gint64 *ret_last)
{
	const char *text = range + strlen("bytes=");
	char *end;
	gint64 first, last;

	if (*text == '-') {
		gint64 count = g_ascii_strtoll(text + 1, &end, 10);

		if (end == text + 1 || *end || count <= 0)
			return FALSE;
		first = MAX(size - count, 0);
		last = size - 1;
	} else {
		first = g_ascii_strtoll(text, &end, 10);
		if (end == text || *end++ != '-')
			return FALSE;
		last = *end ? g_ascii_strtoll(end, &end, 10) : size - 1;
		if (*end)
			return FALSE;
		last = MIN(last, size - 1);
	}
	if (first < 0 || first >= size || last < first)
		return FALSE;
	*ret_first = first;
	*ret_last = last;
	return TRUE;
}

static gboolean can_seek(const struct reply *reply)
{
	return reply->file >= 0 || G_IS_SEEKABLE(reply->stream);
}

static gboolean seek(const struct reply *reply, gint64 offset)
{
	if (reply->file >= 0)
		return lseek(reply->file, offset, SEEK_SET) == offset;
	return g_seekable_seek(G_SEEKABLE(reply->stream), offset, G_SEEK_SET, NULL, NULL);
}

void reply_apply_range(struct reply *reply, const char *range)
{
	g_autofree char *value = NULL;
	gint64 first, last, size = reply->len;

	/* Several ranges at once may be answered with the whole: nobody's client asks for them. */
	if (size < 0 || !can_seek(reply) || !g_str_has_prefix(range, "bytes=") ||
	    strchr(range, ','))
		return;
	if (!parse_range(range, size, &first, &last) || !seek(reply, first)) {
		reply->status = 416;
		reply->len = 0;
		value = g_strdup_printf("bytes */%" G_GINT64_FORMAT, size);
	} else {
		reply->status = 206;
		reply->len = last - first + 1;
		value = g_strdup_printf("bytes %" G_GINT64_FORMAT "-%" G_GINT64_FORMAT
					"/%" G_GINT64_FORMAT,
					first, last, size);
	}
	reply_header(reply, "Content-Range", value);
}

/* --- connections ------------------------------------------------------------------------ */

struct reply *reply_upgrade(const char *protocol, reply_taken taken, void *data)
{
	struct reply *reply = reply_new(REPLY_UPGRADE, 101);

	reply->protocol = g_strdup(protocol);
	reply->taken = taken;
	reply->data = data;
	return reply;
}

struct reply *reply_websocket(reply_opened opened, void *data)
{
	struct reply *reply = reply_new(REPLY_WEBSOCKET, 101);

	reply->ws = websocket_new();
	reply->opened = opened;
	reply->data = data;
	return reply;
}

void reply_otherwise(struct reply *reply, GDestroyNotify free_data)
{
	reply->free_data = free_data;
}

void reply_when_sent(struct reply *reply, void (*sent)(void *data), void *data)
{
	reply->sent = sent;
	reply->data = data;
}

struct reply *reply_websocket_served(struct websocket *ws)
{
	struct reply *reply = reply_new(REPLY_WEBSOCKET, 101);

	reply->ws = ws;
	return reply;
}

/* --- later --------------------------------------------------------------------------------- */

struct reply *reply_later(void)
{
	return reply_new(REPLY_LATER, 0);
}

void reply_settle(struct reply *later, struct reply *real)
{
	reply_post post;

	g_mutex_lock(&later->lock);
	post = later->post;
	if (!post)
		later->real = real;
	g_mutex_unlock(&later->lock);
	if (!post)
		return;
	post(later->call, real);
	reply_free(later);
}

void reply_await(struct reply *later, reply_post post, void *call)
{
	struct reply *real;

	g_mutex_lock(&later->lock);
	real = g_steal_pointer(&later->real);
	later->post = post;
	later->call = call;
	g_mutex_unlock(&later->lock);
	if (!real)
		return;
	post(call, real);
	reply_free(later);
}
