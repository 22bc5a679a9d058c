/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the resources below an instance have in common. */
#pragma once

#include "api/request.h"
#include "core/instance.h"

/* The instance that the path names, with the URLs that it was asked by; 404. */
struct instance *request_instance(const struct request *request, GError **error);

/* How a body's field is to be, by the names that JSON and its decoder have for it. */
enum body_type { BODY_TEXT, BODY_BOOL, BODY_INT, BODY_UINT32, BODY_TEXTS, BODY_MAP };
struct body_field {
	const char *key;
	enum body_type type;
};

/* The body, an object whose known fields are null or as FIELDS say. NAME is the object's. */
const json_t *request_body_checked(const struct request *request, const char *name,
				   const struct body_field *fields, gsize n, GError **error);
