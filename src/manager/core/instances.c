/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All instances: when the daemon starts, when the host starts, when it goes down. */
#include "core/instances.h"

#include <stdlib.h>
#include <string.h>

#include "core/balance.h"
#include "core/instances_private.h"
#include "core/warning.h"
#include "util/copy.h"

#define ATTEMPTS 3
#define ATTEMPT_SECONDS 5
#define SHUTDOWN_SECONDS 30 /* without boot.host_shutdown_timeout */

/* --- start of the daemon ------------------------------------------------------------------ */

static gboolean was_running(const struct instance *inst)
{
	return strcmp(json_text(inst->config, "volatile.last_state.power"), "RUNNING") == 0;
}

/* What it left on the host is taken away; one that was to vanish when it stops does. */
static void clean_stopped(struct instance *inst)
{
	instance_clean(inst);
	if (inst->ephemeral && *json_text(inst->config, "volatile.last_state.power"))
		instance_delete_locked(inst, NULL, NULL);
}

/* Goes on with it: its volume counts as mounted; that it runs may not be in the rows yet. */
static void adopt(struct instance *inst)
{
	instance_mount(inst, NULL);
	if (!was_running(inst))
		instance_set(inst, "volatile.last_state.power", "RUNNING", NULL);
}

static gboolean is_known(GPtrArray *all, const char *name)
{
	for (guint i = 0; i < all->len; i++)
		if (strcmp(((struct instance *)all->pdata[i])->id_on_host, name) == 0)
			return TRUE;
	return FALSE;
}

/* Where each instance has something of its name, and what of it can be left over. */
static const struct {
	const char *dir, *below;
	GFileTest kind;
} places[] = {
	{ "containers", NULL, G_FILE_TEST_IS_SYMLINK },
	{ "devices", NULL, G_FILE_TEST_IS_DIR },
	{ "logs", NULL, G_FILE_TEST_IS_DIR },
	{ "security", "seccomp", G_FILE_TEST_IS_REGULAR },
};

/* What is of instances that there are no more. */
static void drop_leftovers(struct daemon *daemon, GPtrArray *all)
{
	for (gsize i = 0; i < G_N_ELEMENTS(places); i++) {
		g_autofree char *path = daemon_path(daemon, places[i].dir, places[i].below, NULL);
		GDir *dir = g_dir_open(path, 0, NULL);
		const char *name;

		while (dir && (name = g_dir_read_name(dir))) {
			g_autofree char *entry = g_build_filename(path, name, NULL);

			if (!is_known(all, name) && g_file_test(entry, places[i].kind))
				copy_delete(entry, NULL, NULL);
		}
		if (dir)
			g_dir_close(dir);
	}
}

gboolean instances_startup(struct daemon *daemon, GError **error)
{
	g_autoptr(GPtrArray) all = instance_load_all(daemon, NULL, error);

	if (!all)
		return FALSE;
	drop_leftovers(daemon, all);
	for (guint i = 0; i < all->len; i++) {
		struct instance *inst = all->pdata[i];

		instance_link(inst, NULL);
		if (instance_is_running(inst))
			adopt(inst);
		else
			clean_stopped(inst);
	}
	balance_apply(daemon);
	return TRUE;
}

/* --- at boot ------------------------------------------------------------------------------- */

static gboolean is_wanted(const struct instance *inst)
{
	const char *word = json_text(inst->expanded_config, "boot.autostart");

	return *word ? json_map_true(inst->expanded_config, "boot.autostart") : was_running(inst);
}

static int number_of(const struct instance *inst, const char *key, int without)
{
	const char *text = json_text(inst->expanded_config, key);

	return *text ? atoi(text) : without;
}

/* High priorities first. */
static int by_priority(const void *left, const void *right)
{
	const struct instance *a = *(struct instance *const *)left;
	const struct instance *b = *(struct instance *const *)right;
	int difference = number_of(b, "boot.autostart.priority", 0) -
			 number_of(a, "boot.autostart.priority", 0);

	return difference ? difference : strcmp(a->name, b->name);
}

/* Sleeps, but no longer than the daemon lives. */
static void pause_for(const struct daemon *daemon, int seconds)
{
	gint64 end = g_get_monotonic_time() + seconds * G_USEC_PER_SEC;

	while (g_get_monotonic_time() < end && !g_atomic_int_get(&daemon->stopping))
		g_usleep(100000);
}

static void tell(struct instance *inst, const GError *failed)
{
	struct warning warning = { WARNING_INSTANCE_AUTOSTART, inst->project, WARNING_OF_INSTANCE,
				   inst->id };
	g_autofree char *message = failed ? g_strdup_printf("Failed to start instance \"%s\": %s",
							    inst->name, failed->message)
					  : NULL;

	if (failed)
		warning_raise(inst->daemon->db, &warning, message, NULL);
	else
		warning_resolve(inst->daemon->db, &warning, NULL);
}

static void start_one(struct instance *inst)
{
	g_autoptr(GError) why = NULL;

	for (int i = 0; i < ATTEMPTS && !g_atomic_int_get(&inst->daemon->stopping); i++) {
		g_clear_error(&why);
		if (instance_is_running(inst) || instance_start(inst, NULL, &why))
			break;
		if (error_status(why) == 503)
			return; /* its network or pool is not there yet */
		pause_for(inst->daemon, ATTEMPT_SECONDS);
	}
	tell(inst, why);
}

static void *autostart_thread(void *data)
{
	struct daemon *daemon = data;
	g_autoptr(GPtrArray) all = instance_load_all(daemon, NULL, NULL);

	if (all)
		g_ptr_array_sort(all, by_priority);
	for (guint i = 0; all && i < all->len && !g_atomic_int_get(&daemon->stopping); i++) {
		struct instance *inst = all->pdata[i];

		if (!is_wanted(inst) || instance_is_running(inst))
			continue;
		start_one(inst);
		pause_for(daemon, number_of(inst, "boot.autostart.delay", 0));
	}
	instances_end(daemon);
	return NULL;
}

void instances_autostart(struct daemon *daemon)
{
	instances_begin(daemon);
	g_thread_unref(g_thread_new("autostart", autostart_thread, daemon));
}

gboolean instances_wanted(struct daemon *daemon, gboolean *ret, GError **error)
{
	g_autoptr(GPtrArray) all = instance_load_all(daemon, NULL, error);
	gboolean wanted = FALSE;

	if (!all)
		return FALSE;
	for (guint i = 0; i < all->len; i++)
		wanted |= is_wanted(all->pdata[i]) || instance_is_running(all->pdata[i]);
	*ret = wanted;
	return TRUE;
}

/* --- when the host goes down ------------------------------------------------------------------ */

static int by_stop_priority(const void *left, const void *right)
{
	const struct instance *a = *(struct instance *const *)left;
	const struct instance *b = *(struct instance *const *)right;

	return number_of(b, "boot.stop.priority", 0) - number_of(a, "boot.stop.priority", 0);
}

/* It is asked, then killed; it runs again after the next start. */
static void *stop_thread(void *data)
{
	struct instance *inst = data;
	int timeout = number_of(inst, "boot.host_shutdown_timeout", SHUTDOWN_SECONDS);

	instances_goes_down(inst);
	if (instance_is_running(inst) && !instance_stop(inst, FALSE, timeout, NULL, NULL))
		instance_stop(inst, TRUE, 0, NULL, NULL);
	instance_set(inst, "volatile.last_state.power", "RUNNING", NULL);
	return NULL;
}

/* Those of one priority at once. */
static void stop_group(GPtrArray *all, guint from, guint to)
{
	g_autoptr(GPtrArray) threads = g_ptr_array_new();

	for (guint i = from; i < to; i++)
		g_ptr_array_add(threads, g_thread_new("stop", stop_thread, all->pdata[i]));
	for (guint i = 0; i < threads->len; i++)
		g_thread_join(threads->pdata[i]);
}

void instances_shutdown(struct daemon *daemon)
{
	g_autoptr(GPtrArray) all = instance_load_all(daemon, NULL, NULL);

	for (guint i = all ? all->len : 0; i-- > 0;)
		if (!instance_is_running(all->pdata[i]))
			g_ptr_array_remove_index(all, i);
	if (!all)
		return;
	g_ptr_array_sort(all, by_stop_priority);
	for (guint i = 0, next; i < all->len; i = next) {
		int priority = number_of(all->pdata[i], "boot.stop.priority", 0);

		next = i + 1;
		while (next < all->len &&
		       number_of(all->pdata[next], "boot.stop.priority", 0) == priority)
			next++;
		stop_group(all, i, next);
	}
	instances_wait(daemon);
}
