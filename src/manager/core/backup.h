/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Backups: an instance with its snapshots in one tar that any server of this kind can import. A
 * file is there before its row and goes after it; backup_startup() removes what has no row.
 */
#pragma once

#include <gio/gio.h>

#include "core/instance.h"

struct backup_wish {
	const char *name;	/* without the instance's; NULL: the next "backup%d" */
	const char *expires;	/* RFC 3339; NULL: never */
	const char *compressor; /* NULL: the project's, the server's, gzip */
	gboolean instance_only; /* without the snapshots */
};

/* 400 for names that none may have. */
gboolean backup_check_name(const char *name, GError **error);

/* "backup0" and so on; g_free. */
char *backup_next_name(const struct instance *inst, GError **error);

gboolean backup_create(struct instance *inst, const struct backup_wish *wish, GCancellable *cancel,
		       const struct requestor *who, GError **error);

/* As the API shows it, 404; an array of all. */
json_t *backup_show(const struct instance *inst, const char *name, GError **error);
json_t *backup_list(const struct instance *inst, GError **error);

/* Its file for reading; -1 and an error. */
int backup_open(const struct instance *inst, const char *name, GError **error);

gboolean backup_rename(const struct instance *inst, const char *name, const char *to,
		       const struct requestor *who, GError **error);
gboolean backup_delete(const struct instance *inst, const char *name, const struct requestor *who,
		       GError **error);

/* Deletes those that are past their time. */
void backup_expire(struct daemon *daemon);

/* Removes files that no row knows; for the daemon's start. */
void backup_startup(struct daemon *daemon);

/* An instance gets another name (in a transaction), or is gone. */
gboolean backup_renamed(struct db *db, gint64 instance, const char *name, GError **error);
void backup_forget(const struct instance *inst);

/* --- import ------------------------------------------------------------------------------- */

/* A backup on its way in: its file is written, then read. */
struct backup_import;

/* Takes the whole of INPUT and reads what it is; 400 when it is none. */
struct backup_import *backup_import_new(struct daemon *daemon, GInputStream *input, GError **error);
void backup_import_free(struct backup_import *import);

const char *backup_import_name(const struct backup_import *import); /* of the instance in it */

/* Makes the instance NAME of PROJECT from it. POOL NULL or "": where it was, else the default's. */
gboolean backup_import_run(struct backup_import *import, const char *project, const char *name,
			   const char *pool, GCancellable *cancel, const struct requestor *who,
			   GError **error);
