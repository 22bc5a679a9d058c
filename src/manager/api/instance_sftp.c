/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* /1.0/instances/X/sftp: the connection becomes an SFTP session with the instance's files. */
#include <errno.h>
#include <gio/gunixinputstream.h>
#include <gio/gunixoutputstream.h>
#include <sys/socket.h>

#include "api/instance_request.h"
#include "api/reply.h"
#include "core/files.h"

#define BLOCK (64 * 1024)

/* One direction; either's end is the end of both. */
struct way {
	GInputStream *from;
	GOutputStream *to;
	GCancellable *stop;
};

static void *run_way(void *data)
{
	const struct way *way = data;
	g_autofree char *block = g_malloc(BLOCK);
	gssize n;

	while ((n = g_input_stream_read(way->from, block, BLOCK, way->stop, NULL)) > 0)
		if (!g_output_stream_write_all(way->to, block, (gsize)n, NULL, way->stop, NULL))
			break;
	g_cancellable_cancel(way->stop);
	return NULL;
}

static void taken(GIOStream *connection, void *data)
{
	g_autoptr(files_t) files = data;
	g_autoptr(GCancellable) stop = g_cancellable_new();
	g_autoptr(GInputStream) from = g_unix_input_stream_new(files_fd(files), FALSE);
	g_autoptr(GOutputStream) to = g_unix_output_stream_new(files_fd(files), FALSE);
	struct way in = { g_io_stream_get_input_stream(connection), to, stop };
	struct way out = { from, g_io_stream_get_output_stream(connection), stop };
	GThread *thread = g_thread_new("sftp", run_way, &in);

	run_way(&out);
	g_thread_join(thread);
	g_io_stream_close(connection, NULL, NULL);
}

static void free_files(void *files)
{
	files_close(files);
}

static struct reply *sftp_get(struct request *request, GError **error)
{
	const char *upgrade = request_header(request, "Upgrade");
	g_autoptr(instance_t) inst = NULL;
	struct files *files;
	struct reply *reply;

	if (!upgrade || g_ascii_strcasecmp(upgrade, "sftp") != 0) {
		fail(error, 400, "Missing or invalid upgrade header");
		return NULL;
	}
	inst = request_instance(request, error);
	files = inst ? files_open(inst, error) : NULL;
	if (!files)
		return NULL;
	reply = reply_upgrade("sftp", taken, files);
	reply_otherwise(reply, free_files);
	return reply;
}

const struct route routes_instance_sftp[] = {
	{ "1.0/instances/{}/sftp", 0, .get = sftp_get },
	{ 0 },
};
