/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rows of images and of their aliases. PROJECT is always the project that holds the images: the
 * callers have settled features.images.
 */
#pragma once

#include "db/db.h"

struct db_image {
	const char *fingerprint, *filename;
	gint64 size;
	gboolean public, cached, auto_update;
	int architecture;			  /* LXD's number */
	int type;				  /* 0 container, 1 virtual-machine */
	const char *created, *expires, *uploaded; /* as the table has them; NULL: none */
	const json_t *properties, *profiles;	  /* map; array of names, NULL: "default" */
};

/* The id of the new row, with its properties and profiles, or -1; 409 when PROJECT has it. */
gint64 db_image_insert(struct db *db, const char *project, const struct db_image *image,
		       GError **error);

/*
 * Rows with all columns, the project's name as "project"; in the order of ids. PROJECT NULL: of
 * all. PREFIX NULL: every fingerprint, else those that start with it.
 */
json_t *db_image_rows(struct db *db, const char *project, const char *prefix, gboolean public_only,
		      GError **error);

/* {key: value}, [{name, description}], [names], {server, protocol, certificate, alias} or null. */
json_t *db_image_properties(struct db *db, gint64 id, GError **error);
json_t *db_image_aliases_of(struct db *db, gint64 id, GError **error);
json_t *db_image_profiles(struct db *db, gint64 id, GError **error);
json_t *db_image_source(struct db *db, gint64 id, GError **error);

/* Replaces what PUT may change; PROFILES NULL: left as they are. PROJECT is the profiles'. */
gboolean db_image_update(struct db *db, gint64 id, gboolean public, gboolean auto_update,
			 const char *expires, const json_t *properties, const char *project,
			 const json_t *profiles, GError **error);
gboolean db_image_delete(struct db *db, gint64 id, GError **error);
gboolean db_image_touch(struct db *db, const char *fingerprint, const char *when, GError **error);

/* {name, fingerprint, type, description, id}; an alias row, or NULL without an error. */
json_t *db_alias_row(struct db *db, const char *project, const char *name, GError **error);
json_t *db_alias_rows(struct db *db, const char *project, GError **error);
gboolean db_alias_insert(struct db *db, const char *project, const char *name, gint64 image,
			 const char *description, GError **error);
gboolean db_alias_update(struct db *db, gint64 id, gint64 image, const char *description,
			 GError **error);
gboolean db_alias_rename(struct db *db, gint64 id, const char *name, GError **error);
gboolean db_alias_delete(struct db *db, gint64 id, GError **error);
