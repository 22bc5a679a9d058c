/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What copies and moves share. */
#pragma once

#include "core/copy.h"

/* The names of SNAPSHOTS (pictures, which own them), ended by NULL. */
GPtrArray *copy_names(const GPtrArray *snapshots);

/* What a snapshot's own devices are beside an instance that has DEVICES. */
json_t *copy_snapshot_devices(const struct instance *snap, const json_t *devices);
