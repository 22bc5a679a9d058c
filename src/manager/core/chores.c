/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the daemon does by itself. */
#include "core/chores.h"

#include <string.h>

#include "core/image.h"
#include "core/snapshot_schedule.h"
#include "core/warning.h"
#include "daemon.h"
#include "drivers/instance/limits.h"

#define DAY (24 * 60 * 60) /* seconds */
#define MINUTE 60

/* --- once a day -------------------------------------------------------------------------- */

static gboolean prune_warnings(struct daemon *daemon, GError **error)
{
	return warning_prune(daemon->db, error);
}

/* At midnight, UTC. */
static time_t next_day(G_GNUC_UNUSED struct daemon *daemon, time_t after)
{
	return (after / DAY + 1) * DAY;
}

/* Every minute, but not while no instance has a schedule and no snapshot an end. */
static time_t next_minute(struct daemon *daemon, time_t after)
{
	g_autoptr(json_t) row = db_row(
		daemon->db, NULL,
		"SELECT 1 AS some WHERE "
		"EXISTS (SELECT 1 FROM instances_config WHERE key = 'snapshots.schedule') OR "
		"EXISTS (SELECT 1 FROM profiles_config WHERE key = 'snapshots.schedule') OR "
		"EXISTS (SELECT 1 FROM instances_snapshots WHERE expiry_date > '1971') OR "
		"EXISTS (SELECT 1 FROM instances_backups WHERE expiry_date > '1971')",
		"");

	return row ? (after / MINUTE + 1) * MINUTE : -1;
}

const struct schedule_job chores[] = {
	{ "take and expire snapshots", snapshot_schedule, FALSE, next_minute },
	{ "expire images", image_expire, TRUE, next_day },
	{ "prune warnings", prune_warnings, TRUE, next_day },
	{ 0 },
};

/* --- when that changes ---------------------------------------------------------------------- */

/* What can bring a schedule or an end. */
static void on_event(const char *line, G_GNUC_UNUSED gsize len, void *data)
{
	static const char *const actions[] = { "\"instance-created\"", "\"instance-updated\"",
					       "\"instance-snapshot-", "\"instance-backup-",
					       "\"profile-created\"",  "\"profile-updated\"" };
	const struct daemon *daemon = data;

	for (gsize i = 0; i < G_N_ELEMENTS(actions); i++)
		if (strstr(line, actions[i]))
			schedule_changed(daemon->schedule);
}

void chores_start(struct daemon *daemon, schedule_failed failed)
{
	daemon->schedule = schedule_new(daemon, chores, failed);
	daemon->schedule_listener = event_listen(daemon->events, EVENT_LIFECYCLE, NULL, on_event,
						 daemon);
}

void chores_stop(struct daemon *daemon)
{
	if (!daemon->schedule)
		return;
	event_unlisten(daemon->events, daemon->schedule_listener);
	schedule_free(daemon->schedule);
	daemon->schedule = NULL;
}

/* --- what the host lacks ------------------------------------------------------------------- */

/* Whether a controller of cgroup v1 is mounted, by the words of /proc/self/cgroup. */
static gboolean has_v1(const char *text, const char *name)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

	for (char **line = lines; *line; line++) {
		g_auto(GStrv) fields = g_strsplit(*line, ":", 3);
		g_auto(GStrv) words = g_strv_length(fields) == 3 ? g_strsplit(fields[1], ",", -1)
								 : NULL;

		if (words && g_strv_contains((const char *const *)words, name))
			return TRUE;
	}
	return FALSE;
}

/* On a host with v2 alone the whole tree can be frozen and counts its CPU time. */
static gboolean has_either(const char *text, const char *name)
{
	return has_v1(text, name) || (g_str_has_prefix(text, "0::") && !strchr(text, '\n'));
}

struct look {
	const struct warning warning;
	gboolean missing;
	const char *message;
};

static gboolean settle(struct db *db, void *data, GError **error)
{
	for (const struct look *look = data; look->message; look++)
		if (!(look->missing ? warning_raise(db, &look->warning, look->message, error)
				    : warning_resolve(db, &look->warning, error)))
			return FALSE;
	return TRUE;
}

#define LOOK(type, missing, message)                                     \
	{                                                                \
		{ type, NULL, WARNING_OF_NOTHING, -1 }, missing, message \
	}

gboolean chores_warn_of_host(struct daemon *daemon, const char *root, gboolean apparmor,
			     GError **error)
{
	g_autofree char *path = g_strconcat(root, "/proc/self/cgroup", NULL), *text = NULL;
	struct cgroup_layout has;

	if (!g_file_get_contents(path, &text, NULL, NULL))
		text = g_strdup("");
	g_strchomp(text);
	cgroup_layout_read(root, &has);
	const struct look looks[] = {
		LOOK(WARNING_APPARMOR, !apparmor, "Disabled because of lack of kernel support"),
		LOOK(WARNING_CGROUP_BLKIO, !has.io, "disk I/O limits will be ignored"),
		LOOK(WARNING_CGROUP_BLKIO_WEIGHT, !has.io_weight, "disk priority will be ignored"),
		LOOK(WARNING_CGROUP_CPU, !has.cpu, "CPU time limits will be ignored"),
		LOOK(WARNING_CGROUP_CPUACCT, !has_either(text, "cpuacct"),
		     "CPU accounting will not be available"),
		LOOK(WARNING_CGROUP_CPUSET, !has.cpuset, "CPU pinning will be ignored"),
		LOOK(WARNING_CGROUP_DEVICES, !has.devices, "device access control won't work"),
		LOOK(WARNING_CGROUP_FREEZER, !has_either(text, "freezer"),
		     "pausing/resuming containers won't work"),
		LOOK(WARNING_CGROUP_HUGETLB, !has.hugetlb, "hugepage limits will be ignored"),
		LOOK(WARNING_CGROUP_MEMORY, !has.memory, "memory limits will be ignored"),
		LOOK(WARNING_CGROUP_NETWORK, !has_v1(text, "net_prio"),
		     "network priority will be ignored"),
		LOOK(WARNING_CGROUP_PIDS, !has.pids, "process limits will be ignored"),
		LOOK(WARNING_CGROUP_SWAP, !has.swap, "swap limits will be ignored"),
		{ .message = NULL },
	};

	return db_transaction(daemon->db, settle, (void *)looks, error);
}
