/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How the daemon's work comes to its end while the API still answers. */
#pragma once

#include "daemon.h"

/*
 * From here on requests that change something are refused. PATIENT: operations may finish, for as
 * long as core.shutdown_timeout says; those that then still run are cancelled and waited for.
 * INSTANCES: containers are stopped, too, as before the machine goes down. Returns at once when
 * somebody has called it before.
 */
void daemon_stop_work(struct daemon *daemon, gboolean patient, gboolean instances);
