/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A request's body on its way from the main loop, which receives it, to the thread that reads it as
 * a GInputStream: a queue of bytes that is bounded.
 */
#pragma once

#include <gio/gio.h>

struct upload;

#define UPLOAD_MAX (1024 * 1024) /* bytes that wait at most */

/*
 * READY is called on the reader's thread, with a lock held, when there is room again after there
 * was none; never after upload_end().
 */
struct upload *upload_new(void (*ready)(void *data), void *data);
struct upload *upload_ref(struct upload *upload);
void upload_unref(struct upload *upload);

/* FALSE: it is full now, do not give more before READY. Bytes nobody wants any more vanish. */
gboolean upload_push(struct upload *upload, const void *data, gsize len);

/* The end of it: with FAILED, of a body that did not come whole. */
void upload_end(struct upload *upload, gboolean failed);

/* Its reading end; it holds a reference. */
GInputStream *upload_stream(struct upload *upload);
