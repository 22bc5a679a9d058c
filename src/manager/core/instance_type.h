/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sizes of instances by name: "c2-m4" is two CPUs and 4 GB of memory. */
#pragma once

#include <glib.h>
#include <jansson.h>

/*
 * The limits that TYPE stands for are added to CONFIG where it has none of its own: limits.cpu,
 * limits.cpu.allowance for a part of one, limits.memory. 400 for a name that means nothing.
 */
gboolean instance_type_apply(const char *type, json_t *config, GError **error);
