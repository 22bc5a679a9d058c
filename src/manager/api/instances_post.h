/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A new instance as a client asks for it, for the kinds of sources that there are. */
#pragma once

#include "api/request.h"
#include "core/instance.h"

struct creation {
	char *project, *name, *architecture;
	char *fingerprint; /* of sources that are images */
	json_t *body;
	json_t *config, *devices; /* checked for their shape */
	json_t *profiles;	  /* NULL: none were given */
};

/* What instance_create() wants to know; OP may be NULL. The strings are CREATION's and OP's. */
struct instance_new creation_new(const struct creation *creation, struct operation *op);

/* Runs RUN with CREATION, which it takes over, as the operation "Creating instance". */
struct reply *creation_start(struct request *request, struct creation *creation, operation_run run);
void creation_free(void *data);

struct reply *instances_post(struct request *request, GError **error);
