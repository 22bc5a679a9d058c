/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The HTTP server: sockets, requests to handlers, replies to clients. */
#pragma once

#include <glib.h>

struct daemon;
struct listener;
struct route;

/* TABLES as router_new() has them: NULL for the API. */
struct listener *listener_new(struct daemon *daemon, const struct route *const *tables);

/* Listens on the sockets that the service manager hands over, else on daemon->socket. */
gboolean listener_open(struct listener *listener, GError **error);

/* Accepts nothing any more; what is on its way goes on. The socket's file is removed. */
void listener_close(struct listener *listener);

/* Waits for the handlers. */
void listener_free(struct listener *listener);
