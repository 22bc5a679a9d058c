/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who holds which instance, and the threads that work on some unasked. */
#include <string.h>

#include "core/instances.h"
#include "core/instances_private.h"

struct hold {
	gint refs; /* the table's and the waiters'; under the mutex */
	char *action;
	gboolean passing; /* the daemon's own: who comes meanwhile waits */
	gboolean over;
	GError *failed;
};

struct instances {
	GMutex mutex;
	GCond changed;	   /* a hold is over, or a thread */
	GHashTable *holds; /* "project/name" -> struct hold */
	GHashTable *down;  /* "project/name" of those that stop with the host */
	guint threads;
	GRecMutex decide;
	const struct instance_driver *driver;
};

struct instances *instances_new(const struct instance_driver *driver)
{
	struct instances *all = g_new0(struct instances, 1);

	all->driver = driver;
	g_mutex_init(&all->mutex);
	g_cond_init(&all->changed);
	g_rec_mutex_init(&all->decide);
	all->holds = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	all->down = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	return all;
}

void instances_free(struct instances *all)
{
	if (!all)
		return;
	g_hash_table_unref(all->holds);
	g_hash_table_unref(all->down);
	g_rec_mutex_clear(&all->decide);
	g_cond_clear(&all->changed);
	g_mutex_clear(&all->mutex);
	g_free(all);
}

const struct instance_driver *instances_driver(const struct daemon *daemon)
{
	return daemon->instances->driver;
}

static void hold_unref(struct hold *hold)
{
	if (--hold->refs > 0)
		return;
	g_clear_error(&hold->failed);
	g_free(hold->action);
	g_free(hold);
}

static char *key_of(const char *project, const char *name)
{
	return g_strdup_printf("%s/%s", project, name);
}

/* Waits for the end of what somebody else does; the mutex is held. */
static gboolean wait_for(struct instances *all, struct hold *hold, GError **error)
{
	gboolean worked;

	hold->refs++;
	while (!hold->over)
		g_cond_wait(&all->changed, &all->mutex);
	worked = !hold->failed;
	if (hold->failed && error)
		*error = g_error_copy(hold->failed);
	hold_unref(hold);
	return worked;
}

static void take(struct instances *all, char *key, const char *action, gboolean passing)
{
	struct hold *hold = g_new0(struct hold, 1);

	hold->refs = 1;
	hold->action = g_strdup(action);
	hold->passing = passing;
	g_hash_table_insert(all->holds, key, hold);
}

gboolean instance_lock(struct daemon *daemon, const char *project, const char *name,
		       const char *action, gboolean *ret_done, GError **error)
{
	struct instances *all = daemon->instances;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&all->mutex);
	g_autofree char *key = key_of(project, name);
	struct hold *hold = g_hash_table_lookup(all->holds, key);

	while (hold && hold->passing) {
		wait_for(all, hold, NULL);
		hold = g_hash_table_lookup(all->holds, key);
	}
	if (ret_done)
		*ret_done = FALSE;
	if (hold && ret_done && strcmp(hold->action, action) == 0) {
		*ret_done = wait_for(all, hold, error);
		return *ret_done;
	}
	if (hold)
		return fail(error, 400, "Instance is busy running a \"%s\" operation",
			    hold->action);
	take(all, g_steal_pointer(&key), action, FALSE);
	return TRUE;
}

void instance_lock_wait(struct daemon *daemon, const char *project, const char *name,
			const char *action)
{
	struct instances *all = daemon->instances;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&all->mutex);
	char *key = key_of(project, name);
	struct hold *hold;

	while ((hold = g_hash_table_lookup(all->holds, key)))
		wait_for(all, hold, NULL);
	take(all, key, action, TRUE);
}

void instance_unlock(struct daemon *daemon, const char *project, const char *name,
		     const GError *failed)
{
	struct instances *all = daemon->instances;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&all->mutex);
	g_autofree char *key = key_of(project, name);
	struct hold *hold = g_hash_table_lookup(all->holds, key);

	g_return_if_fail(hold);
	g_hash_table_remove(all->holds, key);
	hold->over = TRUE;
	hold->failed = failed ? g_error_copy(failed) : NULL;
	hold_unref(hold);
	g_cond_broadcast(&all->changed);
}

char *instance_busy(struct daemon *daemon, const char *project, const char *name)
{
	struct instances *all = daemon->instances;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&all->mutex);
	g_autofree char *key = key_of(project, name);
	struct hold *hold = g_hash_table_lookup(all->holds, key);

	return hold ? g_strdup(hold->action) : NULL;
}

gboolean instance_wait_unlocked(const struct instance *inst, GError **error)
{
	struct instances *all = inst->daemon->instances;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&all->mutex);
	g_autofree char *key = key_of(inst->project, inst->name);
	struct hold *hold = g_hash_table_lookup(all->holds, key);

	return !hold || wait_for(all, hold, error);
}

void instances_goes_down(const struct instance *inst)
{
	struct instances *all = inst->daemon->instances;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&all->mutex);

	g_hash_table_add(all->down, key_of(inst->project, inst->name));
}

gboolean instances_is_down(const struct instance *inst)
{
	struct instances *all = inst->daemon->instances;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&all->mutex);
	g_autofree char *key = key_of(inst->project, inst->name);

	return g_hash_table_contains(all->down, key);
}

void instances_begin(struct daemon *daemon)
{
	g_mutex_lock(&daemon->instances->mutex);
	daemon->instances->threads++;
	g_mutex_unlock(&daemon->instances->mutex);
}

void instances_end(struct daemon *daemon)
{
	g_mutex_lock(&daemon->instances->mutex);
	daemon->instances->threads--;
	g_cond_broadcast(&daemon->instances->changed);
	g_mutex_unlock(&daemon->instances->mutex);
}

void instances_wait(struct daemon *daemon)
{
	g_mutex_lock(&daemon->instances->mutex);
	while (daemon->instances->threads > 0)
		g_cond_wait(&daemon->instances->changed, &daemon->instances->mutex);
	g_mutex_unlock(&daemon->instances->mutex);
}

void instances_decide(struct daemon *daemon)
{
	g_rec_mutex_lock(&daemon->instances->decide);
}

void instances_decided(struct daemon *daemon)
{
	g_rec_mutex_unlock(&daemon->instances->decide);
}
