/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How the daemon's work comes to its end. */
#include "core/stop.h"

#include <stdlib.h>

#include "core/instances.h"
#include "core/operation.h"
#include "core/server_config.h"

/* core.shutdown_timeout is in minutes. */
static int patience_seconds(struct daemon *daemon)
{
	g_autofree char *minutes = server_config_value(daemon->db, "core.shutdown_timeout");

	return minutes && *minutes ? atoi(minutes) * 60 : 5 * 60;
}

void daemon_stop_work(struct daemon *daemon, gboolean patient, gboolean instances)
{
	if (!g_atomic_int_compare_and_exchange(&daemon->stopping, 0, 1))
		return;
	operations_finish(daemon->operations, patient ? patience_seconds(daemon) : 0);
	if (instances)
		instances_shutdown(daemon);
}
