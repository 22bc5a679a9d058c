/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * All instances of this host as the running daemon knows them: who works on which, what it finds
 * when it starts and what it leaves when it ends.
 */
#pragma once

#include "core/event.h"
#include "daemon.h"

struct instance_driver;

/* DRIVER is what runs them: &instance_lxc but in tests. */
struct instances *instances_new(const struct instance_driver *driver);
void instances_free(struct instances *all);

/*
 * Goes on with what runs, cleans up after what has ended or was being made while there was no
 * daemon. Called once, after pool_startup() and image_startup(), before requests are answered.
 */
gboolean instances_startup(struct daemon *daemon, GError **error);

/* Starts those that are to run at boot, in order, on a thread of its own; returns at once. */
void instances_autostart(struct daemon *daemon);

/* Whether one runs or is to run at boot: for `lxd activateifneeded`. */
gboolean instances_wanted(struct daemon *daemon, gboolean *ret, GError **error);

/* Stops all in the order of their priorities and remembers which ran; when the host goes down. */
void instances_shutdown(struct daemon *daemon);

/* Waits for the threads that clean up after what stopped by itself. */
void instances_wait(struct daemon *daemon);
