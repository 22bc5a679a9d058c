/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where g_message(), g_warning() and g_debug() of the daemon go: stderr, a file, syslog, the
 * listeners. */
#pragma once

#include "core/event.h"

enum log_level { LOG_WARN, LOG_INFORM, LOG_ALL };

/* FILE NULL: stderr alone; TO_SYSLOG: there, too. Says itself why it cannot. */
gboolean log_open(const char *file, gboolean to_syslog, enum log_level level);

/* From here on also to the listeners of HUB; NULL: no longer. */
void log_to(struct event_hub *hub);
