/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of core/instance*.c share with each other alone. */
#pragma once

#include "core/instance.h"

const struct instance_driver *instances_driver(const struct daemon *daemon);

/* Counts a thread that works on an instance unasked, until instances_end(). */
void instances_begin(struct daemon *daemon);
void instances_end(struct daemon *daemon);

/*
 * Takes the lock as soon as nobody has it, for work that nobody asked for: who wants it meanwhile
 * waits for the end of that and is not refused.
 */
void instance_lock_wait(struct daemon *daemon, const char *project, const char *name,
			const char *action);

/* Waits until nobody has INST's lock; the error of who had it. */
gboolean instance_wait_unlocked(const struct instance *inst, GError **error);

/*
 * Notes that INST stops because the host goes down: its rows go on saying that it runs, whatever
 * its hooks tell, so that it is started again.
 */
void instances_goes_down(const struct instance *inst);
gboolean instances_is_down(const struct instance *inst);

/* Serialises what looks at all instances and then decides: CPUs, idmaps, limits of projects. */
void instances_decide(struct daemon *daemon);
void instances_decided(struct daemon *daemon);

/* A random UUID, version 4; free with g_free. */
#define new_uuid() g_uuid_string_random()

/* --- instance_config.c ------------------------------------------------------------------ */

/*
 * Checks names, keys, values and devices of INST as it is about to be written. OLD (may be NULL) is
 * what it was. *ret_pool (may be NULL): the pool of its root disk, g_free.
 */
gboolean instance_check(const struct instance *inst, const struct instance *old, GError **error);

/* The root disk among DEVICES, or NULL; 400 when there are two. *ret_name may be NULL. */
const json_t *instance_root_disk(const json_t *devices, const char **ret_name, GError **error);

/* Sets volatile.idmap.base and .next as the configuration wants them; instances_decide() is held.
 */
gboolean instance_allocate_idmap(struct instance *inst, gboolean keep_base, GError **error);

/* Gives every nic the volatile.<dev>.hwaddr and .name that it lacks, in the picture's config. */
gboolean instance_fill_nics(struct instance *inst, GError **error);

/* --- instance_start.c, instance_stop.c ----------------------------------------------------- */

/* Takes away what a start made on the host: devices, mounts. Can be done again; never fails. */
void instance_clean(struct instance *inst);

/* What is due when one has stopped: rows, events, then deletion of an ephemeral one (not KEEP). */
gboolean instance_stopped(struct instance *inst, const char *event, gboolean keep,
			  const struct requestor *who, GError **error);

/* Deletes, whoever holds the lock is the caller. */
gboolean instance_delete_locked(struct instance *inst, const struct requestor *who, GError **error);

/* --- names on the host --------------------------------------------------------------------- */

/* Makes containers/<id> point at the volume, or takes that away. */
gboolean instance_link(const struct instance *inst, GError **error);
void instance_unlink(const struct instance *inst);
