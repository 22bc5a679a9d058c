/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The unix socket the daemon listens on, and who is at the other end of one. */
#pragma once

#include <gio/gio.h>

#include "core/event.h"

/*
 * Listens at PATH with mode 0660 and GROUP (NULL: root's). A socket that nobody listens on is
 * replaced; 500 "LXD is already running" when somebody does.
 */
GSocket *unix_socket_listen(const char *path, const char *group, GError **error);

/* The listening unix sockets that the service manager gave to this process; empty: none. */
GPtrArray *unix_socket_inherited(void);

/* The user at the other end; free its username. */
void unix_socket_peer(GSocket *socket, struct requestor *ret);
