/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Stopping, freezing, and what is due when an instance has stopped, by a client or by itself. */
#include <string.h>

#include "core/balance.h"
#include "core/device.h"
#include "core/instances_private.h"

#define GONE_SECONDS 30 /* for a monitor to end after its init has */
#define POLL_US 2000

void instance_clean(struct instance *inst)
{
	struct instance_spec *spec = instance_spec_new(inst, NULL);

	devices_clean(inst, inst->expanded_devices);
	if (spec)
		inst->driver->stopped(spec, NULL);
	instance_spec_free(spec);
}

gboolean instance_stopped(struct instance *inst, const char *event, gboolean keep,
			  const struct requestor *who, GError **error)
{
	gboolean balanced = *json_text(inst->expanded_config, "limits.cpu") != '\0';

	instance_clean(inst);
	instance_unmount(inst, NULL);
	if (!instance_set(inst, "volatile.last_state.power", "STOPPED", error))
		return FALSE;
	instance_event(inst, event, NULL, who);
	if (balanced)
		balance_apply(inst->daemon);
	return !inst->ephemeral || keep || instance_delete_locked(inst, who, error);
}

/* --- stop -------------------------------------------------------------------------------- */

static gboolean ask_driver(struct instance *inst, gboolean force, int timeout, GError **error)
{
	const struct instance_driver *driver = inst->driver;
	struct instance_place place = instance_place(inst);

	if (force)
		return driver->stop(&place, error);
	if (driver->state(&place, NULL) == INSTANCE_FROZEN && !driver->unfreeze(&place, error))
		return FALSE;
	return driver->shutdown(&place, timeout, error);
}

static gboolean stop_it(struct instance *inst, gboolean force, int timeout, gboolean keep,
			const struct requestor *who, GError **error)
{
	if (!instance_reload(inst, error))
		return FALSE;
	if (!instance_is_running(inst))
		return fail(error, 400, "The instance is already stopped");
	return ask_driver(inst, force, timeout, error) &&
	       instance_stopped(inst, force ? "instance-stopped" : "instance-shutdown", keep, who,
				error);
}

gboolean instance_stop_locked(struct instance *inst, gboolean force, int timeout,
			      const struct requestor *who, GError **error)
{
	return stop_it(inst, force, timeout, FALSE, who, error);
}

gboolean instance_stop(struct instance *inst, gboolean force, int timeout,
		       const struct requestor *who, GError **error)
{
	GError *why = NULL;
	gboolean done, ok;

	/* Who wants it killed does not wait for somebody who asks it to stop for ever. */
	if (!instance_lock(inst->daemon, inst->project, inst->name, "stop", force ? NULL : &done,
			   &why)) {
		g_autofree char *busy = instance_busy(inst->daemon, inst->project, inst->name);

		if (force && g_strcmp0(busy, "stop") == 0) {
			struct instance_place place = instance_place(inst);

			g_clear_error(&why);
			return inst->driver->stop(&place, error) &&
			       instance_wait_unlocked(inst, error);
		}
		g_prefix_error(&why, "Failed to create instance stop operation: ");
		g_propagate_error(error, why);
		return FALSE;
	}
	if (!force && done)
		return TRUE;
	ok = instance_stop_locked(inst, force, timeout, who, &why);
	instance_unlock(inst->daemon, inst->project, inst->name, why);
	if (why)
		g_propagate_error(error, why);
	return ok;
}

static gboolean restart_locked(struct instance *inst, gboolean force, int timeout,
			       const struct requestor *who, GError **error)
{
	if (!stop_it(inst, force, timeout, TRUE, who, error) ||
	    !instance_start_locked(inst, who, error))
		return FALSE;
	instance_event(inst, "instance-restarted", NULL, who);
	return TRUE;
}

gboolean instance_restart(struct instance *inst, gboolean force, int timeout,
			  const struct requestor *who, GError **error)
{
	GError *why = NULL;
	gboolean done, ok;

	if (!instance_lock(inst->daemon, inst->project, inst->name, "restart", &done, error))
		return FALSE;
	if (done)
		return TRUE;
	ok = restart_locked(inst, force, timeout, who, &why);
	instance_unlock(inst->daemon, inst->project, inst->name, why);
	if (why)
		g_propagate_error(error, why);
	return ok;
}

/* --- freeze -------------------------------------------------------------------------------- */

gboolean instance_freeze(struct instance *inst, const struct requestor *who, GError **error)
{
	struct instance_place place = instance_place(inst);
	enum instance_state state = instance_state(inst);

	if (state == INSTANCE_FROZEN)
		return TRUE;
	if (!instance_is_running(inst))
		return fail(error, 400, "The container isn't running");
	if (!inst->driver->freeze(&place, error))
		return FALSE;
	instance_event(inst, "instance-paused", NULL, who);
	return TRUE;
}

gboolean instance_unfreeze(struct instance *inst, const struct requestor *who, GError **error)
{
	struct instance_place place = instance_place(inst);

	if (!instance_is_running(inst))
		return fail(error, 400, "The container isn't running");
	if (instance_state(inst) != INSTANCE_FROZEN)
		return TRUE;
	if (!inst->driver->unfreeze(&place, error))
		return FALSE;
	instance_event(inst, "instance-resumed", NULL, who);
	return TRUE;
}

/* --- what the hooks tell --------------------------------------------------------------------- */

/* Everything is made before the driver starts it: only one that is gone must not start. */
gboolean instance_on_start(struct instance *inst, GError **error)
{
	g_autofree char *busy = instance_busy(inst->daemon, inst->project, inst->name);

	if (busy && (strcmp(busy, "delete") == 0 || strcmp(busy, "rename") == 0))
		return fail(error, 400, "Instance is busy running a \"%s\" operation", busy);
	return TRUE;
}

/* Interfaces that were made for it go with the namespace. */
gboolean instance_on_stop_namespaces(struct instance *inst, const char *netns, GError **error)
{
	(void)inst, (void)netns, (void)error;
	return TRUE;
}

struct ended {
	struct daemon *daemon;
	char *project, *name;
	gboolean reboot;
};

static void ended_free(struct ended *ended)
{
	g_free(ended->project);
	g_free(ended->name);
	g_free(ended);
}

/* The hook that told runs before its monitor ends. */
static gboolean wait_gone(const struct instance *inst)
{
	gint64 end = g_get_monotonic_time() + GONE_SECONDS * G_USEC_PER_SEC;
	enum instance_state state;

	while ((state = instance_state(inst)) != INSTANCE_STOPPED) {
		if (state == INSTANCE_RUNNING || state == INSTANCE_FROZEN)
			return FALSE; /* it has been started again meanwhile */
		if (g_get_monotonic_time() > end)
			return FALSE;
		g_usleep(POLL_US);
	}
	return TRUE;
}

static void after_end(struct instance *inst, gboolean reboot)
{
	if (!wait_gone(inst) || instances_is_down(inst) ||
	    strcmp(json_text(inst->config, "volatile.last_state.power"), "RUNNING") != 0)
		return; /* who stopped it does the rest */
	if (!instance_stopped(inst, reboot ? "instance-restarted" : "instance-shutdown", reboot,
			      NULL, NULL))
		return;
	if (reboot && !g_atomic_int_get(&inst->daemon->stopping))
		instance_start_locked(inst, NULL, NULL);
}

static void *ended_thread(void *data)
{
	struct ended *ended = data;
	struct instance *inst;

	instance_lock_wait(ended->daemon, ended->project, ended->name,
			   ended->reboot ? "restart" : "stop");
	inst = instance_load(ended->daemon, ended->project, ended->name, NULL);
	if (inst)
		after_end(inst, ended->reboot);
	instance_free(inst);
	instance_unlock(ended->daemon, ended->project, ended->name, NULL);
	instances_end(ended->daemon);
	ended_free(ended);
	return NULL;
}

gboolean instance_on_stop(struct instance *inst, const char *target, GError **error)
{
	struct ended *ended = g_new0(struct ended, 1);
	GThread *thread;

	ended->daemon = inst->daemon;
	ended->project = g_strdup(inst->project);
	ended->name = g_strdup(inst->name);
	ended->reboot = strcmp(target, "reboot") == 0;
	instances_begin(inst->daemon);
	thread = g_thread_try_new("stopped", ended_thread, ended, error);
	if (!thread) {
		instances_end(inst->daemon);
		ended_free(ended);
		return FALSE;
	}
	g_thread_unref(thread);
	return TRUE;
}
