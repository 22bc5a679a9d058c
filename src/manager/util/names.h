/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the objects may be called, and what the API says when they may not. All errors are 400. */
#pragma once

#include <glib.h>

/* A host name's rules: 1-63 letters, digits and "-"; no digit or "-" first, no "-" last. */
gboolean name_check_instance(const char *name, GError **error);
gboolean name_check_snapshot(const char *name, GError **error);
gboolean name_check_profile(const char *name, GError **error);
gboolean name_check_project(const char *name, GError **error);
gboolean name_check_device(const char *name, GError **error);
gboolean name_check_pool(const char *name, GError **error);
gboolean name_check_volume(const char *name, GError **error);
/* A network interface's, as the kernel takes it: 2-15 letters, digits, "-_:.". */
gboolean name_check_interface(const char *name, GError **error);
