/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The websockets that an operation waits for: core/operation.c's side of them. */
#pragma once

#include "core/operation.h"

/* Whether SECRET is one of theirs and has no socket. */
gboolean operation_sockets_free_for(struct operation_sockets *sockets, const char *secret);

/* Puts WS in its place and wakes who waits for it; FALSE: it is still the caller's. */
gboolean operation_sockets_give(struct operation_sockets *sockets, const char *secret,
				struct websocket *ws, void (*release)(struct websocket *ws));
