/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The consoles of instances: attached to while they run, and what they showed. */
#pragma once

#include "core/instance.h"

/* The console of a running one; both descriptors of *ret are to be closed. */
gboolean console_open(const struct instance *inst, int width, int height,
		      struct instance_terminal *ret, GError **error);
void console_resize(const struct instance_terminal *console, int width, int height);

/* What it showed lately: of a stopped one, what is in its console.log. Free with g_bytes_unref. */
GBytes *console_log(const struct instance *inst, GError **error);
gboolean console_log_clear(const struct instance *inst, GError **error);
