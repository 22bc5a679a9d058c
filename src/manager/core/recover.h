/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Instances whose rows are lost while their volumes are still there: found in the pools, and given
 * rows again by the backup.yaml that each has in its volume.
 */
#pragma once

#include "core/event.h"
#include "daemon.h"

/*
 * POOLS: an array of {"name", "driver", "description", "config"}, known ones and others.
 * *ret: {"UnknownVolumes": [{"name", "type", "snapshotCount", "project", "pool"}],
 * "DependencyErrors": ["Project \"x\""]}.
 */
gboolean recover_validate(struct daemon *daemon, const json_t *pools, json_t **ret, GError **error);

/* Takes all of them, each pool with what it has or not at all. 500 for a missing dependency. */
gboolean recover_import(struct daemon *daemon, const json_t *pools, const struct requestor *who,
			GError **error);
