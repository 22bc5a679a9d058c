/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * systemd's side: its readiness protocol (sd_notify(3)) and its fd store, which
 * brings mount and state back when keeper and worker are gone. Without systemd
 * every call does nothing.
 */
#pragma once

#include <stdbool.h>

#include "device.h"

/* Does a service manager listen? */
bool service_is_managed(void);

/* Tells it something, "READY=1". */
void service_notify(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Puts the fds into the store, for the next start. */
void service_store(const struct device *device, int state);

/* Takes the fds out of the store and forgets what is there. */
void service_unstore(const struct device *device);

/*
 * The fds of an earlier run, from LISTEN_FDS; true when they are complete. The
 * environment is cleared. Fds that make no sense are closed.
 */
bool service_take(struct device *ret_device, int *ret_state);
