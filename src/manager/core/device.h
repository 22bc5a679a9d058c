/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The devices of an instance together: checked, started in order, taken away, changed. */
#pragma once

#include "core/instance.h"
#include "drivers/device/device.h"

/*
 * 'Invalid devices: Device validation failed for "x": ...'. EXPANDED: there must be one root disk.
 * HOST: what they need of this host must be there ("Failed add validation for device ...").
 */
gboolean devices_check(const json_t *devices, GError **error);
gboolean devices_check_host(const struct instance *inst, const json_t *devices, GError **error);

/* Names in the order in which devices start: nics, disks ("/" first), others. */
GPtrArray *devices_sorted(const json_t *devices);

/* Makes what all of them need on the host and adds it to RUN; on failure nothing stays. */
gboolean devices_start(struct instance *inst, const struct idmap *idmap, struct device_run *run,
		       GError **error);

/* Takes away what they made on the host; for those of DEVICES, which INST has or had. */
void devices_clean(struct instance *inst, const json_t *devices);

/*
 * Brings a running instance from the devices OLD to NEW (both expanded): takes out what is gone or
 * differs, puts in what is new. On failure it has those of OLD again as far as that can be.
 */
gboolean devices_change(struct instance *inst, const json_t *old, const json_t *new,
			GError **error);

/* The directory for files and mounts of INST's devices; g_free. */
char *devices_dir(const struct instance *inst);

/*
 * DEVICES' entry NAME as the instance has it: nics with their volatile hwaddr and name, all
 * without empty values. Free with json_decref.
 */
json_t *device_filled(const struct instance *inst, const char *name, const json_t *config);
