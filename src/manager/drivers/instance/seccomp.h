/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The system calls that an instance's processes cannot make: the text of liblxc's profile. */
#pragma once

#include <glib.h>
#include <jansson.h>

/*
 * The profile, from security.syscalls.* and raw.seccomp; free with g_free. NULL: the configuration
 * switches it off, and there is to be none. ARCHITECTURE is "x86_64".
 */
char *seccomp_profile(const json_t *config, const char *architecture);

/* Writes it to $LXD_DIR/security/seccomp/ID, or removes that; *ret_path NULL: there is none. */
gboolean seccomp_write(const char *lxd_dir, const char *id, const json_t *config,
		       const char *architecture, char **ret_path, GError **error);
void seccomp_remove(const char *lxd_dir, const char *id);
