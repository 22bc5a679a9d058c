/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What AppArmor lets an instance's processes do: the profile's text, its file, its load. */
#pragma once

#include <glib.h>

struct apparmor_spec {
	const char *lxd_dir;
	const char *id; /* of the instance on this host */
	gboolean privileged;
	gboolean nesting;  /* security.nesting */
	gboolean stacking; /* the kernel can stack profiles and has namespaces of them */
	gboolean cgroup2;  /* some hierarchy is one of cgroup v2 */
	const char *raw;   /* raw.apparmor: more rules; may be "" */
};

/* Has the kernel AppArmor, and is it on? */
gboolean apparmor_available(void);
gboolean apparmor_can_stack(void);

/* "lxd-ID_</var/lib/lxd>": the names must be the same for every part that uses them. */
char *apparmor_name(const struct apparmor_spec *spec);
/* What liblxc is told: with the namespace of profiles, where instances may have one. */
char *apparmor_label(const struct apparmor_spec *spec);

/* The text; free with g_free. */
char *apparmor_profile(const struct apparmor_spec *spec);

/* Writes security/apparmor/profiles/lxd-ID and loads it, where it is not loaded as it is. */
gboolean apparmor_load(const struct apparmor_spec *spec, GError **error);
/* After the instance has stopped. Nothing to unload is success. */
gboolean apparmor_unload(const struct apparmor_spec *spec, GError **error);
void apparmor_remove(const struct apparmor_spec *spec);
