/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* POST /1.0/images with an instance or a snapshot as its source. */
#pragma once

#include "api/request.h"

/* Whether BODY is of that kind. */
gboolean images_publish_wanted(const json_t *body);

struct reply *images_publish(struct request *request, const json_t *body, GError **error);
