/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Instances from other instances and from backups, and moves. */
#pragma once

#include "api/instances_post.h"

/* What makes CREATION, whose source is of type "copy"; NULL and an error. */
operation_run instance_copy_run(struct request *request, const struct creation *creation,
				GError **error);

/* The source's names go into the operation's resources, too. */
void instance_copy_name(json_t *resources, const struct creation *creation);

/* POST /1.0/instances with a backup as its body. */
struct reply *instance_import(struct request *request, GError **error);

/* POST /1.0/instances/NAME that asks for another pool or project. Takes over INST. */
gboolean instance_move_wanted(const json_t *body);
struct reply *instance_move(struct request *request, struct instance *inst, GError **error);
