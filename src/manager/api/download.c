/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A stream as a response's body. */
#include "api/download.h"

#define BLOCK (64 * 1024)
#define AHEAD_MAX (512 * 1024) /* bytes read and not yet written */

struct download {
	gatomicrefcount references;
	SoupServerMessage *message; /* the main thread's; a reference */
	GInputStream *stream;
	gint64 left; /* -1: until the end */

	GMutex lock;
	GCond changed;
	gsize ahead;
	gboolean gone;
};

static struct download *download_ref(struct download *download)
{
	g_atomic_ref_count_inc(&download->references);
	return download;
}

/* The last one goes on the main thread. */
static void download_unref(struct download *download)
{
	if (!g_atomic_ref_count_dec(&download->references))
		return;
	g_object_unref(download->message);
	g_object_unref(download->stream);
	g_cond_clear(&download->changed);
	g_mutex_clear(&download->lock);
	g_free(download);
}

struct block {
	struct download *download;
	GBytes *bytes; /* NULL: the end */
	gboolean failed;
};

/* On the main thread. */
static gboolean give_block(void *data)
{
	struct block *block = data;
	struct download *download = block->download;
	SoupMessageBody *body = soup_server_message_get_response_body(download->message);

	if (!download->gone) { /* written on this thread alone */
		if (block->bytes)
			soup_message_body_append_bytes(body, block->bytes);
		else if (block->failed)
			g_socket_shutdown(soup_server_message_get_socket(download->message), TRUE,
					  TRUE, NULL);
		else
			soup_message_body_complete(body);
		soup_server_message_unpause(download->message);
	}
	if (block->bytes)
		g_bytes_unref(block->bytes);
	download_unref(download);
	g_free(block);
	return G_SOURCE_REMOVE;
}

static void post_block(struct download *download, GBytes *bytes, gboolean failed)
{
	struct block *block = g_new(struct block, 1);

	*block = (struct block){ download_ref(download), bytes, failed };
	g_idle_add_full(G_PRIORITY_DEFAULT, give_block, block, NULL);
}

/* Waits for room; FALSE when the client is gone. */
static gboolean wait_room(struct download *download, gsize len)
{
	gboolean gone;

	g_mutex_lock(&download->lock);
	while (download->ahead > AHEAD_MAX && !download->gone)
		g_cond_wait(&download->changed, &download->lock);
	download->ahead += len;
	gone = download->gone;
	g_mutex_unlock(&download->lock);
	return !gone;
}

/* One block: its length, 0 at the end, -1 when the stream fails or ends too early. */
static gssize read_block(struct download *download, GBytes **ret)
{
	gsize want = download->left < 0 ? BLOCK : (gsize)MIN(download->left, BLOCK);
	g_autofree void *data = want ? g_malloc(want) : NULL;
	gssize got = want ? g_input_stream_read(download->stream, data, want, NULL, NULL) : 0;

	if (got > 0) {
		if (download->left > 0)
			download->left -= got;
		*ret = g_bytes_new_take(g_steal_pointer(&data), got);
	}
	return got == 0 && download->left > 0 ? -1 : got;
}

static void *run(void *data)
{
	struct download *download = data;
	GBytes *bytes = NULL;
	gssize got;

	while ((got = read_block(download, &bytes)) > 0) {
		if (!wait_room(download, got)) {
			g_bytes_unref(bytes);
			break;
		}
		post_block(download, bytes, FALSE);
	}
	g_input_stream_close(download->stream, NULL, NULL);
	post_block(download, NULL, got < 0);
	/* the main thread has the block's reference now, or had it: drop ours there, too */
	g_idle_add_once((GSourceOnceFunc)download_unref, download);
	return NULL;
}

static void on_wrote(G_GNUC_UNUSED SoupServerMessage *message, guint len, struct download *download)
{
	g_mutex_lock(&download->lock);
	download->ahead -= MIN(download->ahead, len);
	g_cond_signal(&download->changed);
	g_mutex_unlock(&download->lock);
}

static void on_finished(SoupServerMessage *message, struct download *download)
{
	g_mutex_lock(&download->lock);
	download->gone = TRUE;
	g_cond_signal(&download->changed);
	g_mutex_unlock(&download->lock);
	g_signal_handlers_disconnect_by_data(message, download);
	download_unref(download);
}

void download_start(SoupServerMessage *message, GInputStream *stream, gint64 len)
{
	struct download *download = g_new0(struct download, 1);

	g_atomic_ref_count_init(&download->references);
	g_mutex_init(&download->lock);
	g_cond_init(&download->changed);
	download->message = g_object_ref(message);
	download->stream = stream;
	download->left = len;
	soup_message_body_set_accumulate(soup_server_message_get_response_body(message), FALSE);
	g_signal_connect(message, "wrote-body-data", G_CALLBACK(on_wrote), download);
	g_signal_connect(message, "finished", G_CALLBACK(on_finished), download);
	g_signal_connect(message, "disconnected", G_CALLBACK(on_finished), download);
	g_thread_unref(g_thread_new("download", run, download_ref(download)));
}
