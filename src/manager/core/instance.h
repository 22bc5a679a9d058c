/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One instance: what the database says about it with what its profiles add, where its files are,
 * and what can be done with it. A struct instance is a picture of the rows at the time of
 * instance_load(); whoever changes them holds the instance's lock, works on a fresh picture and
 * writes it back with instance_save().
 */
#pragma once

#include "core/event.h"
#include "core/operation.h"
#include "core/volume.h"
#include "daemon.h"
#include "drivers/instance/instance.h"
#include "util/error.h"
#include "util/idmap.h"
#include "util/json.h"

struct instance {
	struct daemon *daemon;
	const struct instance_driver *driver;
	gint64 id;	      /* of the row in instances or instances_snapshots */
	char *project, *name; /* of the instance, also where this is one of its snapshots */
	char *snapshot;	      /* NULL: the instance itself */
	char *description;
	char *architecture; /* "x86_64" */
	gboolean ephemeral, stateful;
	char *created_at, *last_used_at, *expires_at; /* RFC 3339; expires_at of snapshots */
	json_t *config, *devices;		      /* its own: a map, and an object of maps */
	json_t *profiles; /* array of names; a snapshot has its instance's */
	json_t *expanded_config, *expanded_devices; /* with the profiles' */
	char *pool;				    /* where its volume is; NULL: no root disk */
	char *id_on_host;			    /* NAME, or PROJECT_NAME outside "default" */
	char *dir, *log_dir;			    /* see struct instance_place */
	char *path, *rootfs; /* where its volume is seen, and its root file system in it */
	gboolean legacy_url; /* was asked for as "containers": URLs in answers say so */
};

/* 404 "Instance not found". SNAPSHOT may be NULL. Free with instance_free. */
struct instance *instance_load(struct daemon *daemon, const char *project, const char *name,
			       GError **error);
struct instance *instance_load_snapshot(struct daemon *daemon, const char *project,
					const char *name, const char *snapshot, GError **error);
/* "c1" or "c1/s0" */
struct instance *instance_load_any(struct daemon *daemon, const char *project, const char *name,
				   GError **error);
void instance_free(struct instance *inst);
typedef struct instance instance_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(instance_t, instance_free) /* g_autoptr (instance_t) inst */

/* The pictures of all of PROJECT (NULL: of all projects), by project and name. */
GPtrArray *instance_load_all(struct daemon *daemon, const char *project, GError **error);
/* Those of an instance's snapshots, oldest first. */
GPtrArray *instance_load_snapshots(struct daemon *daemon, const char *project, const char *name,
				   GError **error);

/* Reads the rows again into the same picture. */
gboolean instance_reload(struct instance *inst, GError **error);

/* --- who holds it -------------------------------------------------------------------- */

/*
 * ACTION: "create", "start", "stop", "restart", "restore", "delete", "update", "rename" ...
 * While one is held, another gets 'Instance is busy running a "start" operation'; the same
 * action waits for the first one's end: then *ret_done (may be NULL) is TRUE and nothing is held
 * when that one succeeded, else its error is given. NAME need not exist.
 */
gboolean instance_lock(struct daemon *daemon, const char *project, const char *name,
		       const char *action, gboolean *ret_done, GError **error);
/* FAILED: why it did not work, for those who wait for the same; NULL: it worked. */
void instance_unlock(struct daemon *daemon, const char *project, const char *name,
		     const GError *failed);
/* What is done with it right now, or NULL; free with g_free. */
char *instance_busy(struct daemon *daemon, const char *project, const char *name);

/* --- what it is --------------------------------------------------------------------- */

/* Where the driver finds it; the strings are the instance's. */
struct instance_place instance_place(const struct instance *inst);

/* Its volume, or its snapshot's; the strings are the instance's. */
struct volume_ref instance_volume(const struct instance *inst);

/* Status codes of the API: stopped, running, frozen, error. */
enum instance_state instance_state(const struct instance *inst);
gboolean instance_is_running(const struct instance *inst); /* frozen ones too */
const char *instance_state_name(enum instance_state state);

gboolean instance_is_privileged(const struct instance *inst);

/* "/1.0/instances/c1" or "/1.0/instances/c1/snapshots/s0", without "?project=". */
char *instance_url(const struct instance *inst);

/* For operation_spec.resources: {"instances": [...], "containers": [...]}. */
json_t *instance_resources(const char *project, const char *name);

/*
 * The ids of its files on the disk now (volatile.last_state.idmap; empty: unshifted), and the map
 * that it runs or will run with (empty: privileged). Free with idmap_free.
 */
struct idmap *instance_idmap_disk(const struct instance *inst, GError **error);
struct idmap *instance_idmap_next(const struct instance *inst, GError **error);
struct idmap *instance_idmap_current(const struct instance *inst, GError **error);

/* The object as GET /1.0/instances/X has it (of snapshots: as .../snapshots/S). */
json_t *instance_show(const struct instance *inst);
/* With "state", "snapshots" and "backups". */
json_t *instance_show_full(const struct instance *inst, GError **error);
/* GET /1.0/instances/X/state */
json_t *instance_show_state(const struct instance *inst, GError **error);
/* Hash over what a client can write. */
char *instance_etag(const struct instance *inst);

/* --- its rows ------------------------------------------------------------------------ */

/*
 * Writes config, devices, profiles, description, architecture, ephemeral, stateful and the
 * expiry; then backup.yaml in its volume (which never fails). Within the transaction that is
 * open, if one is.
 */
gboolean instance_save(struct instance *inst, GError **error);

/* Sets one of its own keys (NULL: takes it away) in picture and row; for volatile ones. */
gboolean instance_set(struct instance *inst, const char *key, const char *value, GError **error);
/* The same of several, KEY, VALUE, ..., NULL, in one transaction. */
gboolean instance_set_many(struct instance *inst, GError **error, ...) G_GNUC_NULL_TERMINATED;
/* And of those in the map VALUES. */
gboolean instance_set_map(struct instance *inst, const json_t *values, GError **error);

/* Computes expanded_config and expanded_devices anew from config, devices and profiles. */
gboolean instance_expand(struct instance *inst, GError **error);

/* Sends "instance-started" and the like of it. CONTEXT and WHO may be NULL. */
void instance_event(const struct instance *inst, const char *action, const json_t *context,
		    const struct requestor *who);

/* --- making -------------------------------------------------------------------------- */

/* What a new instance is to be, as the API's body has it. Strings and values are borrowed. */
struct instance_new {
	const char *project, *name;
	const char *architecture; /* NULL: the host's */
	const char *description;
	gboolean ephemeral, stateful;
	const json_t *config;	/* map; may be NULL */
	const json_t *devices;	/* may be NULL */
	const json_t *profiles; /* array of names; NULL: "default" */
	const char *pool;	/* NULL: that of the root disk device */
	const char *template;	/* "create", "copy"; NULL: none: volatile.apply_template */
	gboolean keep_volatile; /* of CONFIG, as an import or a move has it; else all but
				   volatile.base_image and volatile.last_state.idmap are new */
	const char *created_at; /* RFC 3339; NULL: now */
	const char *action;	/* of the lifecycle event; NULL: "instance-created" */
	const struct requestor *who;
	GCancellable *cancel;
	db_work also; /* more rows in the same transaction; may be NULL. instance_new.row
			 has the new id by then */
	void *also_data;
	gint64 row; /* set before ALSO is called */
};

/*
 * Makes the volume of a new instance by one of volume.h's functions: REF and WHAT are to be handed
 * on (WHAT's commit writes the instance's rows; its watch may be replaced in a copy).
 */
typedef gboolean (*instance_content)(const struct instance *inst, const struct volume_ref *ref,
				     const struct volume_new *what, void *data, GError **error);

/*
 * Checks everything (name, config, devices, profiles, project's limits: 400, 403, 404, 409), makes
 * volume and rows at once, holding the lock "create". Returns a picture of it.
 */
struct instance *instance_create(struct daemon *daemon, struct instance_new *new,
				 instance_content content, void *data, GError **error);

/* The checks of instance_create() alone, for answers before an operation begins. */
gboolean instance_check_new(struct daemon *daemon, const struct instance_new *new, GError **error);

/* Contents of an image (DATA: struct instance_image) and of none (DATA: NULL). */
struct instance_image {
	struct operation *op; /* for progress; may be NULL */
	const char *fingerprint;
	GCancellable *cancel;
};
gboolean instance_content_image(const struct instance *inst, const struct volume_ref *ref,
				const struct volume_new *what, void *data, GError **error);
gboolean instance_content_none(const struct instance *inst, const struct volume_ref *ref,
			       const struct volume_new *what, void *data, GError **error);

/* What of CONFIG a copy keeps: no volatile keys but the image's and, with LOCAL, the ids on disk.
 */
json_t *instance_config_for_copy(const json_t *config, gboolean local);

/* --- life ----------------------------------------------------------------------------- */

/* All of these hold the lock of their action; those with LOCKED leave that to the caller. */
gboolean instance_start(struct instance *inst, const struct requestor *who, GError **error);
gboolean instance_start_locked(struct instance *inst, const struct requestor *who, GError **error);
/* FORCE: kills; else asks and waits TIMEOUT seconds (negative: for ever). */
gboolean instance_stop(struct instance *inst, gboolean force, int timeout,
		       const struct requestor *who, GError **error);
gboolean instance_stop_locked(struct instance *inst, gboolean force, int timeout,
			      const struct requestor *who, GError **error);
gboolean instance_restart(struct instance *inst, gboolean force, int timeout,
			  const struct requestor *who, GError **error);
gboolean instance_freeze(struct instance *inst, const struct requestor *who, GError **error);
gboolean instance_unfreeze(struct instance *inst, const struct requestor *who, GError **error);

/* Stopped ones only: "Instance is running". */
gboolean instance_rename(struct instance *inst, const char *name, const struct requestor *who,
			 GError **error);
gboolean instance_delete(struct instance *inst, const struct requestor *who, GError **error);

/*
 * Replaces what a client can write by WANTED ("architecture", "config", "devices", "ephemeral",
 * "profiles", "description"; what is absent stays), in the rows and in what runs, or not at all.
 * USER: a client asked for it, so that the volatile keys that matter stay as they are.
 */
gboolean instance_update(struct instance *inst, const json_t *wanted, gboolean user,
			 const struct requestor *who, GError **error);

/*
 * A profile that changes changes what its users run with: first the pictures of them are taken,
 * then its rows are written, then the users follow. A failure of one does not keep the others.
 * PROJECT is the one that has the profile.
 */
GPtrArray *instance_profile_users(struct daemon *daemon, const char *project, const char *profile,
				  GError **error);
gboolean instance_profile_changed(GPtrArray *users, GError **error);

/* Everything that a start needs; see instance_start.c. Free with instance_spec_free. */
struct instance_spec *instance_spec_new(struct instance *inst, GError **error);
void instance_spec_free(struct instance_spec *spec);

/* Where a stopped one's volume is while it is looked at: mounts and counts; unmount as often. */
gboolean instance_mount(struct instance *inst, GError **error);
gboolean instance_unmount(struct instance *inst, GError **error);

/* Writes backup.yaml into its volume, which is mounted meanwhile; for a recovery without rows. */
gboolean instance_write_backup(struct instance *inst, GError **error);

/* --- what the hooks tell --------------------------------------------------------------- */

gboolean instance_on_start(struct instance *inst, GError **error);
gboolean instance_on_stop_namespaces(struct instance *inst, const char *netns, GError **error);
gboolean instance_on_stop(struct instance *inst, const char *target, GError **error);
