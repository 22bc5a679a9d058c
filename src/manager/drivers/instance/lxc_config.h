/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * liblxc's configuration of an instance: a pure function of its description and of what the host
 * is like.
 */
#pragma once

#include "drivers/instance/instance.h"
#include "drivers/instance/limits.h"

struct lxc_host {
	const char *root; /* "": where it is looked whether a device or directory is there */
	struct cgroup_layout layout;
	const char *helper;	/* the program lxd-container, absolute */
	const char *views_hook; /* the mount hook of lxcfs; NULL: it is not served */
	char *const *includes;	/* files of common.conf.d, in order; may be NULL */
	const char *apparmor;	/* the label; NULL: the kernel has no AppArmor */
	const char *seccomp;	/* the profile's path; NULL: none */
	const char *log_level;	/* "warn" */
};

/* The text; free with g_free. */
char *lxc_config_text(const struct instance_spec *spec, const struct lxc_host *host,
		      GError **error);

/* Refuses what raw.lxc must not set, with LXD's words. */
gboolean lxc_config_check_raw(const char *raw, GError **error);

/*
 * The files of common.conf.d (of $LXD_LXC_TEMPLATE_CONFIG) but those of an lxcfs: its views are
 * mounted by a hook that is named here. Free with g_strfreev.
 */
char **lxc_config_includes(void);
