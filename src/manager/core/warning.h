/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Warnings: what an administrator should see to, kept until it is resolved or deleted. */
#pragma once

#include "core/event.h"
#include "daemon.h"
#include "db/db.h"

/* The codes are those of the column type_code. */
enum warning_type {
	WARNING_UNDEFINED = 0,
	WARNING_CGROUP_BLKIO = 1,
	WARNING_CGROUP_BLKIO_WEIGHT = 2,
	WARNING_CGROUP_CPU = 3,
	WARNING_CGROUP_CPUS = 4,
	WARNING_CGROUP_CPUACCT = 5,
	WARNING_CGROUP_CPUSET = 6,
	WARNING_CGROUP_DEVICES = 7,
	WARNING_CGROUP_FREEZER = 8,
	WARNING_CGROUP_HUGETLB = 9,
	WARNING_CGROUP_MEMORY = 10,
	WARNING_CGROUP_NETWORK = 11,
	WARNING_CGROUP_PIDS = 12,
	WARNING_CGROUP_SWAP = 13,
	WARNING_CLUSTER_TIME = 14,
	WARNING_AUTOSTART = 15,
	WARNING_APPARMOR = 16,
	WARNING_BRIDGE_NETFILTER = 17,
	WARNING_PROXY_NETFILTER = 18,
	WARNING_NETWORK_STARTUP = 19,
	WARNING_OFFLINE_MEMBER = 20,
	WARNING_INSTANCE_AUTOSTART = 21,
	WARNING_INSTANCE_TYPE = 22,
	WARNING_STORAGE_UNAVAILABLE = 23,
	WARNING_LARGER_IP_RANGE = 24,
};

enum warning_entity {
	WARNING_OF_NOTHING = -1,
	WARNING_OF_CONTAINER = 0,
	WARNING_OF_IMAGE = 1,
	WARNING_OF_PROFILE = 2,
	WARNING_OF_PROJECT = 3,
	WARNING_OF_CERTIFICATE = 4,
	WARNING_OF_INSTANCE = 5,
	WARNING_OF_NODE = 13,
	WARNING_OF_POOL = 17,
	WARNING_OF_NETWORK = 6,
};

/* One warning's place: same place and type is the same warning, seen again. */
struct warning {
	enum warning_type type;
	const char *project; /* NULL: of none */
	enum warning_entity entity;
	gint64 entity_id;
};

/* Adds it, or counts it once more; one that was resolved is new again. */
gboolean warning_raise(struct db *db, const struct warning *warning, const char *message,
		       GError **error);

/* Resolves it when it is there. */
gboolean warning_resolve(struct db *db, const struct warning *warning, GError **error);

/* Takes away those of an object that is deleted. */
gboolean warning_forget(struct db *db, enum warning_entity entity, gint64 entity_id,
			GError **error);

/* Those of PROJECT (NULL: all) as the API shows them, or one (404 "Warning not found"). */
json_t *warning_list(struct db *db, const char *project, GError **error);
json_t *warning_show(struct db *db, const char *uuid, GError **error);

/* STATUS "new" or "acknowledged". */
gboolean warning_set_status(struct daemon *daemon, const char *uuid, const char *status,
			    const struct requestor *who, GError **error);
gboolean warning_delete(struct daemon *daemon, const char *uuid, const struct requestor *who,
			GError **error);

/* Deletes those that were resolved more than a day ago. */
gboolean warning_prune(struct db *db, GError **error);
