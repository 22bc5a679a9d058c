/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A request's body between the main loop that receives it and the thread that reads it. */
#include "api/upload.h"

#include <string.h>

struct upload {
	gatomicrefcount references;
	GMutex lock;
	GCond changed;
	GByteArray *bytes;
	gsize start; /* of what was not read yet */
	gboolean ended, failed, unwanted, full;
	void (*ready)(void *data);
	void *data;
};

struct upload *upload_new(void (*ready)(void *data), void *data)
{
	struct upload *upload = g_new0(struct upload, 1);

	g_atomic_ref_count_init(&upload->references);
	g_mutex_init(&upload->lock);
	g_cond_init(&upload->changed);
	upload->bytes = g_byte_array_new();
	upload->ready = ready;
	upload->data = data;
	return upload;
}

struct upload *upload_ref(struct upload *upload)
{
	g_atomic_ref_count_inc(&upload->references);
	return upload;
}

void upload_unref(struct upload *upload)
{
	if (!g_atomic_ref_count_dec(&upload->references))
		return;
	g_byte_array_unref(upload->bytes);
	g_cond_clear(&upload->changed);
	g_mutex_clear(&upload->lock);
	g_free(upload);
}

gboolean upload_push(struct upload *upload, const void *data, gsize len)
{
	gboolean room;

	g_mutex_lock(&upload->lock);
	if (!upload->unwanted) {
		g_byte_array_append(upload->bytes, data, len);
		upload->full = upload->bytes->len - upload->start >= UPLOAD_MAX;
		g_cond_signal(&upload->changed);
	}
	room = !upload->full;
	g_mutex_unlock(&upload->lock);
	return room;
}

void upload_end(struct upload *upload, gboolean failed)
{
	g_mutex_lock(&upload->lock);
	upload->failed |= failed && !upload->ended;
	upload->ended = TRUE;
	upload->ready = NULL; /* who would be called may be gone from now on */
	g_cond_signal(&upload->changed);
	g_mutex_unlock(&upload->lock);
}

/* With the lock held: tells the sender that waited for room when it has some. */
static void tell_room(struct upload *upload)
{
	if (!upload->full || upload->bytes->len - upload->start > UPLOAD_MAX / 2)
		return;
	upload->full = FALSE;
	if (upload->ready)
		upload->ready(upload->data);
}

/* With the lock held. */
static gsize take(struct upload *upload, void *to, gsize len)
{
	gsize count = MIN(len, upload->bytes->len - upload->start);

	memcpy(to, upload->bytes->data + upload->start, count);
	upload->start += count;
	if (upload->start == upload->bytes->len) {
		g_byte_array_set_size(upload->bytes, 0);
		upload->start = 0;
	} else if (upload->start >= UPLOAD_MAX / 4) {
		g_byte_array_remove_range(upload->bytes, 0, upload->start);
		upload->start = 0;
	}
	return count;
}

/* --- the stream ----------------------------------------------------------------- */

#define UPLOAD_TYPE_STREAM (upload_stream_get_type())
G_DECLARE_FINAL_TYPE(UploadStream, upload_stream, UPLOAD, STREAM, GInputStream)

struct _UploadStream {
	GInputStream parent;
	struct upload *upload;
};

G_DEFINE_FINAL_TYPE(UploadStream, upload_stream, G_TYPE_INPUT_STREAM)

static void wake(G_GNUC_UNUSED GCancellable *cancel, struct upload *upload)
{
	g_mutex_lock(&upload->lock);
	g_cond_broadcast(&upload->changed);
	g_mutex_unlock(&upload->lock);
}

static gssize stream_read(GInputStream *stream, void *buffer, gsize len, GCancellable *cancel,
			  GError **error)
{
	struct upload *upload = UPLOAD_STREAM(stream)->upload;
	gulong handler = cancel ? g_cancellable_connect(cancel, G_CALLBACK(wake), upload, NULL) : 0;
	gboolean failed;
	gssize got;

	g_mutex_lock(&upload->lock);
	while (upload->bytes->len == 0 && !upload->ended && !g_cancellable_is_cancelled(cancel))
		g_cond_wait(&upload->changed, &upload->lock);
	got = take(upload, buffer, len);
	failed = got == 0 && len > 0 && upload->failed;
	tell_room(upload);
	g_mutex_unlock(&upload->lock);
	if (cancel)
		g_cancellable_disconnect(cancel, handler);
	if (got > 0)
		return got;
	if (g_cancellable_set_error_if_cancelled(cancel, error))
		return -1;
	if (failed) {
		g_set_error(error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED, "unexpected EOF");
		return -1;
	}
	return 0;
}

static gboolean stream_close(GInputStream *stream, G_GNUC_UNUSED GCancellable *cancel,
			     G_GNUC_UNUSED GError **error)
{
	struct upload *upload = UPLOAD_STREAM(stream)->upload;

	g_mutex_lock(&upload->lock);
	upload->unwanted = TRUE;
	g_byte_array_set_size(upload->bytes, 0);
	upload->start = 0;
	tell_room(upload);
	g_mutex_unlock(&upload->lock);
	return TRUE;
}

static void stream_finalize(GObject *object)
{
	struct upload *upload = UPLOAD_STREAM(object)->upload;

	G_OBJECT_CLASS(upload_stream_parent_class)->finalize(object); /* closes */
	upload_unref(upload);
}

static void upload_stream_class_init(UploadStreamClass *class)
{
	G_INPUT_STREAM_CLASS(class)->read_fn = stream_read;
	G_INPUT_STREAM_CLASS(class)->close_fn = stream_close;
	G_OBJECT_CLASS(class)->finalize = stream_finalize;
}

static void upload_stream_init(G_GNUC_UNUSED UploadStream *stream)
{
}

GInputStream *upload_stream(struct upload *upload)
{
	UploadStream *stream = g_object_new(UPLOAD_TYPE_STREAM, NULL);

	stream->upload = upload_ref(upload);
	return G_INPUT_STREAM(stream);
}
