/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between the files of the driver for containers. */
#pragma once

#include <lxc/lxccontainer.h>

#include "drivers/instance/instance.h"

typedef struct lxc_container lxc_container;

static inline void lxc_release(lxc_container *c)
{
	lxc_container_put(c);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(lxc_container, lxc_release)

static inline void lxc_close_fd(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
#define LXC_AUTO_FD __attribute__((cleanup(lxc_close_fd))) int

/* liblxc's handle; NULL with an error. Free with g_autoptr(lxc_container). */
lxc_container *lxc_open(const struct instance_place *place, GError **error);
/* The same of one that runs, with its init's pid and a pidfd (to be closed) of it. */
lxc_container *lxc_open_running(const struct instance_place *place, pid_t *ret_pid, int *ret_pidfd,
				GError **error);

/* lxc.conf in its log_dir; free with g_free. */
char *lxc_conf_path(const struct instance_place *place);
/* The program lxd-container: of $LXD_LIBEXECDIR, else where it is installed. */
char *lxc_helper_path(void);

/*
 * Starts lxd-container with FDS as its descriptors from 0 on, -1: /dev/null. ARGV from the
 * command's name on, NULL-terminated. The pid, or -1.
 */
pid_t lxc_helper_start(const char *const *argv, const int *fds, gsize n_fds, GError **error);
/* Waits for it. What it exited with, 128 and a signal, -1 when it cannot be waited for. */
int lxc_helper_wait(pid_t pid);

gboolean lxc_terminal(const struct instance_place *place, uid_t uid, gid_t gid,
		      struct instance_terminal *ret, GError **error);
gboolean lxc_exec(const struct instance_place *place, const struct instance_command *command,
		  struct instance_process *ret, GError **error);
gboolean lxc_console(const struct instance_place *place, struct instance_terminal *ret,
		     GError **error);
gboolean lxc_console_log(const struct instance_place *place, gboolean clear, GBytes **ret,
			 GError **error);
gboolean lxc_files(const struct instance_place *place, const char *rootfs,
		   const struct idmap *idmap, gboolean shifted, struct instance_files *ret,
		   GError **error);

gboolean lxc_limit(const struct instance_spec *spec, const char *key, GError **error);
gboolean lxc_device_add(const struct instance_place *place, const struct instance_device *device,
			GError **error);
gboolean lxc_device_remove(const struct instance_place *place, const struct instance_device *device,
			   GError **error);
gboolean lxc_mount_add(const struct instance_place *place, const struct instance_mount *mount,
		       GError **error);
gboolean lxc_mount_remove(const struct instance_place *place, const char *target, gboolean remove,
			  GError **error);
gboolean lxc_nic_add(const struct instance_place *place, const struct instance_nic *nic,
		     GError **error);
gboolean lxc_nic_remove(const struct instance_place *place, const struct instance_nic *nic,
			GError **error);

gboolean lxc_usage(const struct instance_place *place, struct instance_usage *ret, GError **error);
json_t *lxc_network(const struct instance_place *place, GError **error);
