/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The filter= of lists: [not] FIELD eq|ne VALUE [and|or ...], from left to right; a value may be
 * quoted. Fields are the object's keys joined by dots. Errors are 400.
 */
#pragma once

#include <glib.h>
#include <jansson.h>

struct filter;

/* NULL and no error for NULL and "": everything matches. */
struct filter *filter_parse(const char *text, GError **error);
void filter_free(struct filter *filter);
typedef struct filter filter_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(filter_t, filter_free)

/* FILTER NULL: TRUE. */
gboolean filter_matches(const struct filter *filter, const json_t *object);
