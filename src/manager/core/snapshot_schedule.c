/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The minute's work: snapshots that are due, and the end of what is past its time. */
#include "core/snapshot_schedule.h"

#include <string.h>

#include "core/backup.h"
#include "core/instance.h"
#include "core/snapshot.h"
#include "db/instance.h"
#include "util/clock.h"
#include "util/cron.h"

/* --- snapshots ----------------------------------------------------------------------------------
 */

static void delete_expired(struct daemon *daemon, const char *now)
{
	g_autoptr(json_t) rows = db_snapshots_expired(daemon->db, now, NULL);
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		g_autoptr(instance_t) snap = instance_load_snapshot(
			daemon, json_text(row, "project"), json_text(row, "instance"),
			json_text(row, "name"), NULL);
		g_autoptr(GError) why = NULL;

		if (g_atomic_int_get(&daemon->stopping))
			return;
		if (snap && !snapshot_delete(snap, NULL, &why))
			g_warning("Failed to delete expired snapshot \"%s/%s\": %s", snap->name,
				  snap->snapshot, why->message);
	}
}

static gboolean is_due(const struct instance *inst, time_t now)
{
	const json_t *config = inst->expanded_config;

	return cron_due(json_text(config, "snapshots.schedule"), inst->id, now) &&
	       (json_map_true(config, "snapshots.schedule.stopped") || instance_is_running(inst));
}

static void take_due(struct daemon *daemon, time_t now)
{
	g_autoptr(GPtrArray) all = instance_load_all(daemon, NULL, NULL);

	for (guint i = 0; all && i < all->len; i++) {
		struct instance *inst = all->pdata[i];
		g_autoptr(GError) why = NULL;
		g_autofree char *name = NULL;

		if (g_atomic_int_get(&daemon->stopping))
			return;
		if (!is_due(inst, now))
			continue;
		name = snapshot_next_name(inst, &why);
		if (!name || !snapshot_create(inst, name, NULL, NULL, &why))
			g_warning("Failed to make the scheduled snapshot of \"%s\": %s", inst->name,
				  why->message);
	}
}

void snapshot_schedule_run(struct daemon *daemon, time_t now)
{
	char text[CLOCK_TEXT];
	g_autofree char *moment = db_time_write(clock_text((struct timespec){ now, 0 }, text));

	if (db_any_expired(daemon->db, moment)) {
		delete_expired(daemon, moment);
		backup_expire(daemon);
	}
	if (db_any_scheduled(daemon->db))
		take_due(daemon, now);
}

gboolean snapshot_schedule(struct daemon *daemon, GError **error)
{
	(void)error;
	snapshot_schedule_run(daemon, time(NULL));
	return TRUE;
}
