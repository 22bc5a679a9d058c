/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a request's path to the row of the routing table. */
#pragma once

#include "api/request.h"

struct router;

/* What a path led to; the strings belong to it. */
struct route_match {
	const struct route *route;
	const char *base; /* of REQUEST_ARGS: see struct request */
	char *arg[REQUEST_ARGS];
};

/* TABLES: rows of each, ended by NULL; NULL: all that there are. */
struct router *router_new(const struct route *const *tables);
void router_free(struct router *router);

/* PATH is encoded. 404 "not found"; *ret stays as it was. */
gboolean router_find(const struct router *router, const char *path, struct route_match *ret,
		     GError **error);
void route_match_clear(struct route_match *match);

/* 404 for an unknown verb, 501 when the row has no such method. */
route_handler route_method(const struct route *route, const char *method, GError **error);

/* All rows, for tests that walk them. */
const struct route *const *router_tables(void);
