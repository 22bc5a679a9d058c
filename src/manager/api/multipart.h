/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * multipart/form-data both ways as a stream: a body is read part by part without being held, and
 * files are sent as the parts of one.
 */
#pragma once

#include <gio/gio.h>

struct multipart;

/* What the parts' bytes are given to. */
typedef gboolean (*multipart_sink)(const void *data, gsize len, void *to, GError **error);

/* Reads from INPUT (borrowed); 400 when CONTENT_TYPE names no boundary. */
struct multipart *multipart_new(GInputStream *input, const char *content_type, GError **error);
void multipart_free(struct multipart *multipart);

/*
 * Goes on to the next part, past what is left of this one. *ret_name and *ret_filename (each ""
 * when it has none; g_free) are set; both NULL at the end.
 */
gboolean multipart_next(struct multipart *multipart, char **ret_name, char **ret_filename,
			GError **error);

/* Gives all of the part to SINK. */
gboolean multipart_read(struct multipart *multipart, multipart_sink sink, void *to, GError **error);

/* --- sending -------------------------------------------------------------------- */

struct multipart_file {
	const char *name, *filename;
	int fd; /* taken over */
};

/* A stream of *RET_LEN bytes, whose Content-Type is *ret_type (g_free). */
GInputStream *multipart_stream(const struct multipart_file *files, gsize n, gint64 *ret_len,
			       char **ret_type);
