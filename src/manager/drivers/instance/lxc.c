/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The driver for containers: start, stop and state, by liblxc. Its monitors outlive the daemon. */
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drivers/instance/apparmor.h"
#include "drivers/instance/lxc_config.h"
#include "drivers/instance/lxc_private.h"
#include "drivers/instance/seccomp.h"
#include "util/error.h"
#include "util/json.h"

#define FDS_MAX 8

/* --- handles --------------------------------------------------------------------- */

lxc_container *lxc_open(const struct instance_place *place, GError **error)
{
	lxc_container *c = lxc_container_new(place->id, place->dir);

	if (!c)
		fail(error, 500, "Failed to load the container \"%s\"", place->id);
	return c;
}

/* With its configuration: liblxc wants one for what follows, or reads signals from it. */
static lxc_container *open_configured(const struct instance_place *place, GError **error)
{
	g_autofree char *conf = lxc_conf_path(place);
	g_autoptr(lxc_container) c = lxc_open(place, error);

	if (!c)
		return NULL;
	c->clear_config(c);
	if (!c->load_config(c, conf)) {
		fail(error, 500, "Failed to load the configuration %s", conf);
		return NULL;
	}
	return g_steal_pointer(&c);
}

lxc_container *lxc_open_running(const struct instance_place *place, pid_t *ret_pid, int *ret_pidfd,
				GError **error)
{
	g_autoptr(lxc_container) c = lxc_open(place, error);
	LXC_AUTO_FD pidfd = -1;
	pid_t pid;

	if (!c)
		return NULL;
	pidfd = c->init_pidfd(c);
	pid = c->init_pid(c);
	/* the pidfd was had first: while it lives, the number is its */
	if (pidfd < 0 || pid <= 0 || syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0)) {
		fail(error, 400, "The instance is not running");
		return NULL;
	}
	*ret_pid = pid;
	*ret_pidfd = g_steal_fd(&pidfd);
	return g_steal_pointer(&c);
}

char *lxc_conf_path(const struct instance_place *place)
{
	return g_build_filename(place->log_dir, "lxc.conf", NULL);
}

/* --- the helper ------------------------------------------------------------------ */

char *lxc_helper_path(void)
{
	const char *dir = g_getenv("LXD_LIBEXECDIR");

	return g_build_filename(dir ? dir : LIBEXECDIR, "lxd-container", NULL);
}

/* Out of the way of the numbers that the helper gets, whatever number each has here. */
static gboolean move_up(const int *fds, gsize n, int *ret)
{
	LXC_AUTO_FD null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (gsize i = 0; i < n; i++)
		ret[i] = fcntl(fds[i] < 0 ? null : fds[i], F_DUPFD_CLOEXEC, FDS_MAX);
	for (gsize i = 0; i < n; i++)
		if (ret[i] < 0)
			return FALSE;
	return TRUE;
}

static int spawn(const char *path, char *const *argv, const int *fds, gsize n, pid_t *ret)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int r;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	for (gsize i = 0; i < n; i++)
		posix_spawn_file_actions_adddup2(&actions, fds[i], (int)i);
	r = posix_spawn(ret, path, &actions, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return r;
}

pid_t lxc_helper_start(const char *const *argv, const int *fds, gsize n_fds, GError **error)
{
	g_autofree char *path = lxc_helper_path();
	g_autoptr(GPtrArray) words = g_ptr_array_new();
	int up[FDS_MAX] = { -1, -1, -1, -1, -1, -1, -1, -1 };
	pid_t pid = -1;
	int r;

	g_ptr_array_add(words, path);
	for (; *argv; argv++)
		g_ptr_array_add(words, (gpointer)*argv);
	g_ptr_array_add(words, NULL);
	r = move_up(fds, n_fds, up) ? spawn(path, (char **)words->pdata, up, n_fds, &pid) : EMFILE;
	for (gsize i = 0; i < n_fds; i++)
		lxc_close_fd(&up[i]);
	if (r) {
		fail_errno(error, r, "Failed to run: %s", path);
		return -1;
	}
	return pid;
}

int lxc_helper_wait(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* --- start ----------------------------------------------------------------------- */

/* Is lxcfs mounted where the hook looks? Read from the mount table: a dead one would hang. */
static gboolean views_served(void)
{
	g_autofree char *text = NULL;

	return g_file_get_contents("/proc/self/mountinfo", &text, NULL, NULL) &&
	       strstr(text, " " LXCFS_MOUNTPOINT " ");
}

static struct apparmor_spec apparmor_of(const struct instance_spec *spec,
					const struct cgroup_layout *layout)
{
	return (struct apparmor_spec){
		.lxd_dir = spec->lxd_dir,
		.id = spec->place.id,
		.privileged = !spec->idmap || !spec->idmap->count,
		.nesting = json_map_true(spec->config, "security.nesting"),
		.stacking = apparmor_can_stack(),
		.cgroup2 = layout->memory == 2,
		.raw = json_text(spec->config, "raw.apparmor"),
	};
}

static char *make_config(const struct instance_spec *spec, GError **error)
{
	g_autofree char *helper = lxc_helper_path();
	g_autofree char *seccomp = NULL;
	g_autofree char *label = NULL;
	g_auto(GStrv) includes = lxc_config_includes();
	struct lxc_host host = { .root = "", .helper = helper, .log_level = "warn" };
	struct apparmor_spec apparmor;

	cgroup_layout_read("", &host.layout);
	apparmor = apparmor_of(spec, &host.layout);
	if (!seccomp_write(spec->lxd_dir, spec->place.id, spec->config, spec->architecture,
			   &seccomp, error) ||
	    !apparmor_load(&apparmor, error))
		return NULL;
	if (apparmor_available())
		label = apparmor_label(&apparmor);
	host.seccomp = seccomp;
	host.apparmor = label;
	host.includes = includes;
	host.views_hook = views_served() ? LXCFS_HOOK : NULL;
	return lxc_config_text(spec, &host, error);
}

/* The log of the last run is kept beside the new one. */
static gboolean write_config(const struct instance_spec *spec, const char *path, GError **error)
{
	g_autofree char *text = make_config(spec, error);
	g_autofree char *log = g_build_filename(spec->place.log_dir, "lxc.log", NULL);
	g_autofree char *old = g_strconcat(log, ".old", NULL);

	if (!text)
		return FALSE;
	if (g_mkdir_with_parents(spec->place.log_dir, 0700))
		return fail_errno(error, errno, "Failed creating %s", spec->place.log_dir);
	g_rename(log, old);
	return g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600,
					error);
}

static gboolean lxc_start(const struct instance_spec *spec, GError **error)
{
	g_autofree char *conf = lxc_conf_path(&spec->place);
	g_autofree char *log = g_build_filename(spec->place.log_dir, "forkstart.log", NULL);
	g_autofree char *helper = lxc_helper_path();
	const char *argv[] = { "start", spec->place.id, spec->place.dir, conf, NULL };
	LXC_AUTO_FD out = -1;
	pid_t pid;
	int status;

	if (!write_config(spec, conf, error))
		return FALSE;
	out = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	pid = lxc_helper_start(argv, (int[]){ -1, out, out }, 3, error);
	if (pid < 0)
		return FALSE;
	status = lxc_helper_wait(pid);
	if (status)
		return fail(error, 500, "Failed to run: %s start %s %s %s: exit status %d", helper,
			    spec->place.id, spec->place.dir, conf, status);
	return TRUE;
}

/* --- stop and state -------------------------------------------------------------- */

static gboolean lxc_shutdown(const struct instance_place *place, int timeout, GError **error)
{
	g_autoptr(lxc_container) c = open_configured(place, error);

	if (!c)
		return FALSE;
	if (c->is_running(c) && !c->shutdown(c, timeout))
		return fail(error, 500, "Failed shutting down instance, status is \"%s\"",
			    c->is_running(c) ? "Running" : "Stopped");
	return TRUE;
}

static gboolean lxc_stop(const struct instance_place *place, GError **error)
{
	g_autoptr(lxc_container) c = lxc_open(place, error);

	if (!c)
		return FALSE;
	if (c->is_running(c) && !c->stop(c) && c->is_running(c))
		return fail(error, 500, "Failed to stop the container \"%s\"", place->id);
	return TRUE;
}

static gboolean lxc_reboot(const struct instance_place *place, int timeout, GError **error)
{
	g_autoptr(lxc_container) c = open_configured(place, error);

	if (!c)
		return FALSE;
	return c->reboot2(c, timeout) ||
	       fail(error, 500, "Failed to restart the container \"%s\"", place->id);
}

static gboolean lxc_freeze(const struct instance_place *place, GError **error)
{
	g_autoptr(lxc_container) c = open_configured(place, error);

	if (!c)
		return FALSE;
	return c->freeze(c) || fail(error, 500, "Failed to freeze the container \"%s\"", place->id);
}

static gboolean lxc_unfreeze(const struct instance_place *place, GError **error)
{
	g_autoptr(lxc_container) c = open_configured(place, error);

	if (!c)
		return FALSE;
	return c->unfreeze(c) ||
	       fail(error, 500, "Failed to unfreeze the container \"%s\"", place->id);
}

static gboolean lxc_stopped(const struct instance_spec *spec, GError **error)
{
	struct cgroup_layout layout;
	struct apparmor_spec apparmor;

	cgroup_layout_read("", &layout);
	apparmor = apparmor_of(spec, &layout);
	return apparmor_unload(&apparmor, error);
}

static void lxc_forget(const struct instance_spec *spec)
{
	struct cgroup_layout layout = { 0 };
	struct apparmor_spec apparmor = apparmor_of(spec, &layout);

	apparmor_remove(&apparmor);
	seccomp_remove(spec->lxd_dir, spec->place.id);
}

static enum instance_state lxc_state(const struct instance_place *place, pid_t *ret_init)
{
	static const struct {
		const char *name;
		enum instance_state state;
	} states[] = {
		{ "STOPPED", INSTANCE_STOPPED },   { "STARTING", INSTANCE_STARTING },
		{ "RUNNING", INSTANCE_RUNNING },   { "STOPPING", INSTANCE_STOPPING },
		{ "ABORTING", INSTANCE_ABORTING }, { "FREEZING", INSTANCE_FREEZING },
		{ "FROZEN", INSTANCE_FROZEN },	   { "THAWED", INSTANCE_THAWED },
	};
	g_autoptr(lxc_container) c = lxc_open(place, NULL);
	const char *name = c ? c->state(c) : NULL;
	enum instance_state state = INSTANCE_STOPPED;
	pid_t init;

	for (gsize i = 0; name && i < G_N_ELEMENTS(states); i++)
		if (strcmp(name, states[i].name) == 0)
			state = states[i].state;
	if (ret_init) {
		init = state == INSTANCE_STOPPED ? 0 : c->init_pid(c);
		*ret_init = MAX(init, 0);
	}
	return state;
}

static char **lxc_running(const char *dir, GError **error)
{
	char **names = NULL;
	int n = list_active_containers(dir, &names, NULL);
	GPtrArray *copy;

	if (n < 0) {
		fail(error, 500, "Failed to list the running containers");
		return NULL;
	}
	copy = g_ptr_array_new();
	for (int i = 0; i < n; i++) {
		g_ptr_array_add(copy, g_strdup(names[i]));
		free(names[i]);
	}
	free(names);
	g_ptr_array_add(copy, NULL);
	return (char **)g_ptr_array_free(copy, FALSE);
}

const struct instance_driver instance_lxc = {
	.name = "lxc",
	.version = lxc_get_version,
	.start = lxc_start,
	.shutdown = lxc_shutdown,
	.stop = lxc_stop,
	.reboot = lxc_reboot,
	.freeze = lxc_freeze,
	.unfreeze = lxc_unfreeze,
	.stopped = lxc_stopped,
	.forget = lxc_forget,
	.state = lxc_state,
	.running = lxc_running,
	.usage = lxc_usage,
	.network = lxc_network,
	.terminal = lxc_terminal,
	.exec = lxc_exec,
	.console = lxc_console,
	.console_log = lxc_console_log,
	.files = lxc_files,
	.limit = lxc_limit,
	.device_add = lxc_device_add,
	.device_remove = lxc_device_remove,
	.mount_add = lxc_mount_add,
	.mount_remove = lxc_mount_remove,
	.nic_add = lxc_nic_add,
	.nic_remove = lxc_nic_remove,
};
