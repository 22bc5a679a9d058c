/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Commands in instances: their environment, their streams and their end. */
#include "core/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATH_DEFAULT "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define SIDE_MAX 65535 /* columns or rows: what the kernel's numbers hold */

struct exec {
	struct instance_process process;
	int fd[3];
	gboolean terminal;
	gboolean ended; /* waited for */
};

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

gboolean exec_possible(const struct instance *inst, GError **error)
{
	enum instance_state state = instance_state(inst);

	if (state == INSTANCE_FROZEN)
		return fail(error, 400, "Instance is frozen");
	return state == INSTANCE_RUNNING || fail(error, 400, "Instance is not running");
}

/* --- environment ------------------------------------------------------------------------ */

/* Nothing that the instance made leads out of its own root. */
static gboolean has_file(const struct instance *inst, const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	int root = open(inst->rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = root < 0 ? -1 : (int)syscall(SYS_openat2, root, path, &how, sizeof how);
	gboolean has = fd >= 0;

	close_fd(&fd);
	close_fd(&root);
	return has;
}

static char *default_path(const struct instance *inst)
{
	return g_strconcat(PATH_DEFAULT, has_file(inst, "snap") ? ":/snap/bin" : "",
			   has_file(inst, "etc/NIXOS") ? ":/run/current-system/sw/bin" : "", NULL);
}

static void set_absent(json_t *map, const char *key, const char *value)
{
	if (!json_object_get(map, key))
		json_object_set_new(map, key, json_string(value));
}

json_t *exec_environment(const struct instance *inst, const json_t *asked, uid_t uid)
{
	json_t *env = json_object(), *value;
	const char *key;

	json_object_foreach(inst->expanded_config, key,
			    value) if (g_str_has_prefix(key, "environment."))
		json_object_set(env, key + strlen("environment."), value);
	if (json_is_object(asked))
		json_object_update(env, (json_t *)asked);
	if (!json_object_get(env, "PATH")) {
		g_autofree char *path = default_path(inst);

		set_absent(env, "PATH", path);
	}
	if (uid == 0) {
		set_absent(env, "HOME", "/root");
		set_absent(env, "USER", "root");
	}
	set_absent(env, "LANG", "C.UTF-8");
	return env;
}

static char **environment_words(const json_t *env)
{
	GPtrArray *words = g_ptr_array_new();
	json_t *value;
	const char *key;

	g_ptr_array_add(words, g_strdup("container=lxc")); /* as its init has it */
	json_object_foreach((json_t *)env, key, value)
		g_ptr_array_add(words, g_strdup_printf("%s=%s", key, json_string_value(value)));
	g_ptr_array_add(words, NULL);
	return (char **)g_ptr_array_free(words, FALSE);
}

static char **command_words(const json_t *command)
{
	GPtrArray *words = g_ptr_array_new();
	const json_t *word;
	gsize i;

	json_array_foreach((json_t *)command, i, word)
		g_ptr_array_add(words, g_strdup(json_string_value(word)));
	g_ptr_array_add(words, NULL);
	return (char **)g_ptr_array_free(words, FALSE);
}

/* --- streams ---------------------------------------------------------------------------- */

/* So that the command may open /dev/stdout and the like, which are these. */
static void own_pipe(int fd, const struct idmap *map, const struct exec_spec *spec)
{
	gint64 uid = map->count ? idmap_uid_to_host(map, spec->uid) : spec->uid;
	gint64 gid = map->count ? idmap_gid_to_host(map, spec->gid) : spec->gid;

	if (uid < 0 || gid < 0 || fchown(fd, (uid_t)uid, (gid_t)gid))
		return; /* it has no such user: starting it says so */
}

static gboolean open_pipes(const struct instance *inst, const struct exec_spec *spec, int ours[3],
			   int theirs[3], GError **error)
{
	g_autoptr(idmap_t) map = instance_idmap_current(inst, error);

	if (!map)
		return FALSE;
	for (int i = 0; i < 3; i++) {
		int pair[2];

		if (pipe2(pair, O_CLOEXEC))
			return fail_errno(error, errno, "Failed to make a pipe");
		ours[i] = pair[i == 0];
		theirs[i] = pair[i != 0];
		own_pipe(theirs[i], map, spec);
	}
	return TRUE;
}

static gboolean open_terminal(const struct instance *inst, const struct exec_spec *spec,
			      int ours[3], int theirs[3], GError **error)
{
	const struct instance_place place = instance_place(inst);
	struct instance_terminal terminal;

	if (!inst->driver->terminal(&place, spec->uid, spec->gid, &terminal, error))
		return FALSE;
	ours[0] = terminal.fd;
	theirs[0] = terminal.peer;
	return TRUE;
}

static gboolean open_streams(const struct instance *inst, const struct exec_spec *spec, int ours[3],
			     int theirs[3], GError **error)
{
	if (spec->terminal)
		return open_terminal(inst, spec, ours, theirs, error);
	return spec->files || open_pipes(inst, spec, ours, theirs, error);
}

static gboolean start(const struct instance *inst, const struct exec_spec *spec,
		      const int theirs[3], struct instance_process *ret, GError **error)
{
	const struct instance_place place = instance_place(inst);
	g_auto(GStrv) argv = command_words(spec->command);
	g_auto(GStrv) env = environment_words(spec->environment);
	const int *fds = spec->files ? spec->files : theirs;
	struct instance_command command = {
		.argv = argv,
		.env = env,
		.uid = spec->uid,
		.gid = spec->gid,
		.cwd = spec->cwd && *spec->cwd ? spec->cwd : NULL,
		.terminal = spec->terminal,
		.gate = spec->gate,
	};

	for (int i = 0; i < 3; i++)
		command.fds[i] = spec->terminal ? theirs[0] : fds[i];
	if (!argv[0])
		return fail(error, 400, "Failed to retrieve PID of executing child process");
	return inst->driver->exec(&place, &command, ret, error);
}

struct exec *exec_start(const struct instance *inst, const struct exec_spec *spec, GError **error)
{
	struct exec exec = { .fd = { -1, -1, -1 }, .terminal = spec->terminal };
	int theirs[3] = { -1, -1, -1 };
	gboolean ok = open_streams(inst, spec, exec.fd, theirs, error);

	if (ok && spec->terminal)
		exec_resize(&exec, spec->width, spec->height);
	ok = ok && start(inst, spec, theirs, &exec.process, error);
	for (int i = 0; i < 3; i++) {
		close_fd(&theirs[i]);
		if (!ok)
			close_fd(&exec.fd[i]);
	}
	return ok ? g_memdup2(&exec, sizeof exec) : NULL;
}

int exec_fd(const struct exec *exec, int number)
{
	return exec->fd[number];
}

void exec_close_fd(struct exec *exec, int number)
{
	close_fd(&exec->fd[number]);
}

/* --- while it runs ------------------------------------------------------------------------ */

int exec_ended_fd(const struct exec *exec)
{
	return exec->process.helper_fd;
}

void exec_signal(const struct exec *exec, int number)
{
	syscall(SYS_pidfd_send_signal, exec->process.pidfd, number, NULL, 0);
}

void exec_resize(const struct exec *exec, int width, int height)
{
	struct winsize size = { .ws_row = (unsigned short)height, .ws_col = (unsigned short)width };

	if (exec->terminal && width > 0 && width <= SIDE_MAX && height > 0 && height <= SIDE_MAX)
		ioctl(exec->fd[0], TIOCSWINSZ, &size);
}

/* --- the end ------------------------------------------------------------------------------ */

/* The helper too: what it waits for may be frozen, and take its death at its thaw. */
static void kill_all(const struct exec *exec)
{
	exec_signal(exec, SIGKILL);
	syscall(SYS_pidfd_send_signal, exec->process.helper_fd, SIGKILL, NULL, 0);
}

static int reap(struct exec *exec)
{
	int status;

	while (waitpid(exec->process.helper, &status, 0) < 0)
		if (errno != EINTR)
			return 255;
	exec->ended = TRUE;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int exec_wait(struct exec *exec, GCancellable *cancel)
{
	GPollFD fds[2] = { { .fd = exec->process.helper_fd, .events = G_IO_IN }, { .fd = -1 } };

	if (cancel)
		g_cancellable_make_pollfd(cancel, &fds[1]);
	while (g_poll(fds, 2, -1) < 0 && errno == EINTR)
		;
	if (fds[1].fd >= 0)
		g_cancellable_release_fd(cancel);
	if (!fds[0].revents)
		kill_all(exec);
	return reap(exec);
}

gboolean exec_check_status(int status, GError **error)
{
	if (status == 126)
		return fail(error, 400, "Command not executable");
	return status != 127 || fail(error, 400, "Command not found");
}

void exec_free(struct exec *exec)
{
	if (!exec)
		return;
	if (!exec->ended) {
		kill_all(exec);
		reap(exec);
	}
	for (int i = 0; i < 3; i++)
		close_fd(&exec->fd[i]);
	close_fd(&exec->process.pidfd);
	close_fd(&exec->process.helper_fd);
	g_free(exec);
}
