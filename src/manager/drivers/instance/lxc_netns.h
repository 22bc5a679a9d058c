/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Route netlink in a container's network namespace, without a process: a socket stays in the
 * namespace that it was made in. Functions return 0 or a negative errno.
 */
#pragma once

#include <glib.h>
#include <jansson.h>

/* The network namespace of a pidfd's process: a descriptor, or a negative errno. */
int netns_of(int pidfd);

/* A route netlink socket there; -1: here. */
int netns_socket(int netns);

/* The interface FROM of NETNS (-1: here) goes to the namespace TO; NAME (may be NULL): as. */
int netns_move_interface(int netns, const char *from, int to, const char *name);

/* The API's "network" object: the interfaces by name, addresses, counters, MAC, MTU, state. */
int netns_show(int netns, json_t **ret);
