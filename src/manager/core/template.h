/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Templates of images: files of an instance that are written when it is created, copied, renamed
 * or started. The language is the part of Django's that images use: {{ value|filter }},
 * {% if %}, {% for %}, {# comments #}.
 */
#pragma once

#include "core/instance.h"

/* How deep blocks nest and how much text a template may become. */
#define TEMPLATE_DEPTH 32
#define TEMPLATE_MAX (4 * 1024 * 1024)

/*
 * TEXT with VALUES (an object) in place; config_get("key", default) looks into VALUES' "config".
 * Free with g_free. 400 with the line of what is wrong.
 */
char *template_render(const char *text, const json_t *values, GError **error);

/*
 * Writes the files of all templates of metadata.yaml that are due at TRIGGER: "create", "copy",
 * "rename" or "start". Its volume is mounted. IDMAP is that of the files on disk.
 */
gboolean template_apply(const struct instance *inst, const char *trigger, const struct idmap *idmap,
			GError **error);
