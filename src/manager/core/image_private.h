/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of core/image* share with each other and with nobody else. */
#pragma once

#include "core/image.h"

/* A part's file; g_free. */
char *image_path(const struct daemon *daemon, const char *fingerprint, int part);

/* The row of db/image.h; *ret_project (may be NULL) is the project that holds it. */
json_t *image_row(struct daemon *daemon, const char *project, const char *prefix,
		  char **ret_project, GError **error);

void image_remove_files(struct daemon *daemon, const char *fingerprint);

void image_event(struct daemon *daemon, const char *project, const char *action,
		 const char *fingerprint, const json_t *context, const struct requestor *who);
