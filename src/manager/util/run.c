/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Other programs: a process group each, two pipes, and one loop that watches them. */
#include "util/run.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <linux/landlock.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEPT_DEFAULT (1024 * 1024)
#define STDERR_KEPT 4096

struct running {
	char *command; /* for the error's words */
	pid_t pid;     /* also its process group's */
	int pidfd;
	int out; /* -1: the caller has it, or it is at its end */
	int err;
	GString *output;
	GString *errors; /* the last of them */
	gsize output_max;
	unsigned timeout_s;
	GCancellable *cancel;
};

/* What the child needs, all made before the fork: between fork and exec only system calls. */
struct child {
	char *program;
	char **argv, **env;
	const char *dir;
	int in, out, err, ruleset;
	guint64 file_max;
};

static void close_at(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* --- beginning ----------------------------------------------------------------- */

/* Everything that changes the file system by a path, of the versions that know it. */
static guint64 changes(int abi)
{
	guint64 all = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
		      LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
		      LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
		      LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
		      LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM;

	if (abi >= 2)
		all |= 1ULL << 13; /* LANDLOCK_ACCESS_FS_REFER, Linux 5.19 */
	if (abi >= 3)
		all |= 1ULL << 14; /* LANDLOCK_ACCESS_FS_TRUNCATE, Linux 6.2 */
	return all;
}

static gboolean allow(int ruleset, const char *path, guint64 access)
{
	struct landlock_path_beneath_attr attr = { .allowed_access = access };
	int fd = open(path, O_PATH | O_CLOEXEC);

	if (fd < 0)
		return FALSE;
	attr.parent_fd = fd;
	long rc = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &attr, 0);
	close(fd);
	return rc == 0;
}

/* *ret is -1 where the kernel has no Landlock (before 5.13, or not configured). */
static gboolean make_ruleset(const char *beneath, int *ret, GError **error)
{
	struct landlock_ruleset_attr attr = { 0 };
	int abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0,
			       LANDLOCK_CREATE_RULESET_VERSION);

	*ret = -1;
	if (!beneath || abi < 1)
		return TRUE;
	attr.handled_access_fs = changes(abi);
	int fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);

	if (fd < 0 || !allow(fd, beneath, attr.handled_access_fs) ||
	    !allow(fd, "/dev/null", LANDLOCK_ACCESS_FS_WRITE_FILE)) {
		g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno),
			    "Failed to confine a program to \"%s\": %s", beneath,
			    g_strerror(errno));
		close_at(&fd);
		return FALSE;
	}
	*ret = fd;
	return TRUE;
}

static void place(int fd, int as)
{
	/* dup2() of a descriptor to itself would leave it close-on-exec. */
	if (fd == as ? fcntl(fd, F_SETFD, 0) < 0 : dup2(fd, as) < 0)
		_exit(126);
}

static void reset_signals(void)
{
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		if (i != SIGKILL && i != SIGSTOP)
			signal(i, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void G_GNUC_NORETURN become(const struct child *child, pid_t parent)
{
	struct rlimit files = { child->file_max, child->file_max };

	reset_signals();
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(126);
	place(child->in, STDIN_FILENO);
	place(child->out, STDOUT_FILENO);
	place(child->err, STDERR_FILENO);
	if (child->dir && chdir(child->dir) < 0)
		_exit(126);
	if (child->file_max && setrlimit(RLIMIT_FSIZE, &files) < 0)
		_exit(126);
	if (child->ruleset >= 0 && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
				    syscall(SYS_landlock_restrict_self, child->ruleset, 0) < 0))
		_exit(126);
	execve(child->program, child->argv, child->env);
	_exit(127);
}

/* The descriptors of a daemon are never 0, 1 or 2, but those of a test may be. */
static int above_stdio(int fd)
{
	int moved = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	close(fd);
	return moved;
}

static gboolean make_pipe(int fds[2], GError **error)
{
	if (!g_unix_open_pipe(fds, FD_CLOEXEC, error))
		return FALSE;
	fds[0] = above_stdio(fds[0]);
	fds[1] = above_stdio(fds[1]);
	g_unix_set_fd_nonblocking(fds[0], TRUE, NULL);
	return TRUE;
}

static char **environment(const struct run *spec)
{
	if (spec->env)
		return g_strdupv((char **)spec->env);
	return g_environ_setenv(g_get_environ(), "LC_ALL", "C.UTF-8", TRUE);
}

static gboolean start(struct running *running, struct child *child, GError **error)
{
	pid_t self = getpid();
	pid_t pid = fork();

	if (pid == 0)
		become(child, self);
	if (pid < 0) {
		g_set_error(error, G_SPAWN_ERROR, G_SPAWN_ERROR_FORK, "Failed to run: %s: %s",
			    running->command, g_strerror(errno));
		return FALSE;
	}
	running->pid = pid;
	setpgid(pid, pid); /* whoever is first: a kill right after this must find the group */
	running->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	return TRUE;
}

static gboolean open_ends(const struct run *spec, struct running *running, struct child *child,
			  GError **error)
{
	int pipes[2];

	if (!make_pipe(pipes, error))
		return FALSE;
	running->err = pipes[0];
	child->err = pipes[1];
	g_unix_set_fd_nonblocking(child->err, TRUE, NULL); /* nobody may read it before the end */
	child->in = spec->has_in ? fcntl(spec->in, F_DUPFD_CLOEXEC, 3)
				 : above_stdio(open("/dev/null", O_RDONLY | O_CLOEXEC));
	if (spec->has_out) {
		child->out = fcntl(spec->out, F_DUPFD_CLOEXEC, 3);
		return TRUE;
	}
	if (!make_pipe(pipes, error))
		return FALSE;
	running->out = pipes[0];
	child->out = pipes[1];
	return TRUE;
}

static void running_free(struct running *running)
{
	close_at(&running->pidfd);
	close_at(&running->out);
	close_at(&running->err);
	g_clear_object(&running->cancel);
	g_string_free(running->output, TRUE);
	g_string_free(running->errors, TRUE);
	g_free(running->command);
	g_free(running);
}

static struct running *running_new(const struct run *spec)
{
	struct running *running = g_new0(struct running, 1);

	running->pidfd = running->out = running->err = -1;
	running->command = g_strjoinv(" ", (char **)spec->argv);
	running->output = g_string_new(NULL);
	running->errors = g_string_new(NULL);
	running->output_max = spec->output_max ? spec->output_max : KEPT_DEFAULT;
	running->timeout_s = spec->timeout_s;
	running->cancel = spec->cancel ? g_object_ref(spec->cancel) : NULL;
	return running;
}

struct running *run_begin(const struct run *spec, GError **error)
{
	struct child child = { .in = -1, .out = -1, .err = -1, .ruleset = -1 };
	struct running *running;
	gboolean ok;

	if (g_cancellable_set_error_if_cancelled(spec->cancel, error))
		return NULL;
	child.program = g_find_program_in_path(spec->argv[0]);
	if (!child.program) {
		g_set_error(error, G_SPAWN_ERROR, G_SPAWN_ERROR_NOENT,
			    "exec: \"%s\": executable file not found in $PATH", spec->argv[0]);
		return NULL;
	}
	running = running_new(spec);
	child.argv = (char **)spec->argv;
	child.env = environment(spec);
	child.dir = spec->dir;
	child.file_max = spec->file_max;
	ok = make_ruleset(spec->beneath, &child.ruleset, error) &&
	     open_ends(spec, running, &child, error) && start(running, &child, error);
	close_at(&child.in);
	close_at(&child.out);
	close_at(&child.err);
	close_at(&child.ruleset);
	g_strfreev(child.env);
	g_free(child.program);
	if (!ok) {
		running_free(running);
		return NULL;
	}
	return running;
}

/* --- until it ends --------------------------------------------------------------- */

/* Reads what is there; FALSE and the descriptor closed at the end. */
static gboolean drain(int *fd, GString *into)
{
	char buffer[16384];
	ssize_t len;

	if (*fd < 0)
		return FALSE;
	do
		len = read(*fd, buffer, sizeof buffer);
	while (len < 0 && errno == EINTR);
	if (len > 0)
		g_string_append_len(into, buffer, len);
	else if (len == 0 || errno != EAGAIN)
		close_at(fd);
	return len > 0;
}

static void keep_last(GString *text)
{
	if (text->len > STDERR_KEPT)
		g_string_erase(text, 0, (gssize)(text->len - STDERR_KEPT));
}

static gboolean read_both(struct running *running, GError **error)
{
	drain(&running->err, running->errors);
	keep_last(running->errors);
	drain(&running->out, running->output);
	if (running->output->len <= running->output_max)
		return TRUE;
	g_set_error(error, G_IO_ERROR, G_IO_ERROR_MESSAGE_TOO_LARGE,
		    "Failed to run: %s: its output is longer than %" G_GSIZE_FORMAT " bytes",
		    running->command, running->output_max);
	return FALSE;
}

static int wait_ms(gint64 until)
{
	gint64 left;

	if (!until)
		return -1;
	left = (until - g_get_monotonic_time() + 999) / 1000;
	return left < 0 ? 0 : left > G_MAXINT ? G_MAXINT : (int)left;
}

static gboolean timed_out(const struct running *running, GError **error)
{
	g_set_error(error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT,
		    "Failed to run: %s: it took longer than %u seconds", running->command,
		    running->timeout_s);
	return FALSE;
}

/* Reads until the program itself is gone, whatever its children do. */
static gboolean watch(struct running *running, GError **error)
{
	gint64 until = running->timeout_s ? g_get_monotonic_time() +
						    (gint64)running->timeout_s * G_USEC_PER_SEC
					  : 0;
	int stop = running->cancel ? g_cancellable_get_fd(running->cancel) : -1;
	gboolean ok = TRUE;

	while (ok) {
		struct pollfd fds[] = { { running->pidfd, POLLIN, 0 },
					{ running->out, POLLIN, 0 },
					{ running->err, POLLIN, 0 },
					{ stop, POLLIN, 0 } };
		int n = poll(fds, G_N_ELEMENTS(fds), wait_ms(until));

		if (n == 0)
			ok = timed_out(running, error);
		else if (fds[3].revents)
			ok = !g_cancellable_set_error_if_cancelled(running->cancel, error);
		else
			ok = read_both(running, error);
		if (ok && fds[0].revents)
			break;
	}
	if (stop >= 0)
		g_cancellable_release_fd(running->cancel);
	return ok;
}

/* The rest of its output: what is in the pipes now that it is gone. */
static gboolean read_rest(struct running *running, GError **error)
{
	while (drain(&running->err, running->errors))
		keep_last(running->errors);
	while (running->out >= 0) {
		gsize before = running->output->len;

		if (!read_both(running, error))
			return FALSE;
		if (running->output->len == before)
			break;
	}
	return TRUE;
}

static int reap(struct running *running)
{
	int status = 0;

	while (waitpid(running->pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

static char *last_line(const GString *errors)
{
	char *text = g_utf8_make_valid(errors->str, -1);
	char *line;

	g_strchomp(text);
	line = strrchr(text, '\n');
	line = g_strdup(line ? line + 1 : text);
	g_free(text);
	return line;
}

static gboolean ended(const struct running *running, int status, GError **error)
{
	g_autofree char *words = last_line(running->errors);
	const char *what = WIFSIGNALED(status) ? "signal" : "exit status";
	int code = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);

	if (status == 0)
		return TRUE;
	g_set_error(error, G_SPAWN_EXIT_ERROR, code, "Failed to run: %s: %s %d%s%s%s",
		    running->command, what, code, *words ? " (" : "", words, *words ? ")" : "");
	return FALSE;
}

gboolean run_end(struct running *running, char **ret_output, gsize *ret_len, GError **error)
{
	gboolean ok = watch(running, error) && read_rest(running, error);

	if (!ok) {
		run_kill(running);
		return FALSE;
	}
	ok = ended(running, reap(running), error);
	if (ok && ret_len)
		*ret_len = running->output->len;
	if (ok && ret_output) {
		*ret_output = g_string_free(running->output, FALSE);
		running->output = g_string_new(NULL);
	}
	running_free(running);
	return ok;
}

void run_kill(struct running *running)
{
	kill(-running->pid, SIGKILL);
	reap(running);
	running_free(running);
}

gboolean run(const struct run *spec, char **ret_output, gsize *ret_len, GError **error)
{
	struct running *running = run_begin(spec, error);

	return running && run_end(running, ret_output, ret_len, error);
}

gboolean run_words(GCancellable *cancel, GError **error, const char *program, ...)
{
	g_autoptr(GPtrArray) words = g_ptr_array_new();
	struct run spec = { .cancel = cancel };
	va_list args;

	g_ptr_array_add(words, (char *)program);
	va_start(args, program);
	for (char *word; (word = va_arg(args, char *));)
		g_ptr_array_add(words, word);
	va_end(args);
	g_ptr_array_add(words, NULL);
	spec.argv = (const char *const *)words->pdata;
	return run(&spec, NULL, NULL, error);
}
