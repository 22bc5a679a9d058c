/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A stream as a response's body: read on a thread, written by the main loop, bounded between. */
#pragma once

#include <libsoup/soup.h>

/*
 * Sends STREAM (taken over) as the body of MESSAGE, whose headers are set: LEN bytes of it, or all
 * when LEN is negative. A stream that fails or is too short ends the connection.
 */
void download_start(SoupServerMessage *message, GInputStream *stream, gint64 len);
