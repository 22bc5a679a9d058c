/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The files of an instance, running or not, as an SFTP session with a helper that lives where the
 * instance's processes do and has no more rights there than its root.
 */
#pragma once

#include "core/instance.h"

struct files;

/* A session; INST is copied from as far as needed and may go. A stopped one's volume is mounted. */
struct files *files_open(struct instance *inst, GError **error);

/* The session's stream socket; it stays the session's. */
int files_fd(const struct files *files);

/* Ends the helper, and unmounts what was mounted. NULL is allowed. */
void files_close(struct files *files);
typedef struct files files_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(files_t, files_close) /* g_autoptr (files_t) files */
