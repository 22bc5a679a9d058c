/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What kind of machine and daemon this is: "environment" of /1.0. */
#pragma once

#include <jansson.h>

#include "daemon.h"

/* The part of it that never changes while the daemon runs; free with json_decref. May be slow. */
json_t *environment_read(const struct daemon *daemon);

/* Prints what liblxc can do as JSON: the child's side, so that the daemon need not hold liblxc. */
int environment_print_liblxc(void);

/* The architectures whose programs run here, the native one first; free with json_decref. */
json_t *environment_architectures(void);
