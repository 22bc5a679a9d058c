/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Commands, terminals and files of a container. What a container wrote is never read here. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "drivers/instance/lxc_private.h"
#include "util/error.h"

/* The host's id of one inside; the kernel's map of init, in lines "NS HOST RANGE". */
static gint64 host_id(pid_t init, const char *file, gint64 ns)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/%s", (int)init, file);
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;

	if (!g_file_get_contents(path, &text, NULL, NULL))
		return -1;
	lines = g_strsplit(text, "\n", -1);
	for (char **line = lines; *line; line++) {
		char *at = *line;
		gint64 first = g_ascii_strtoll(at, &at, 10);
		gint64 host = g_ascii_strtoll(at, &at, 10);
		gint64 range = g_ascii_strtoll(at, &at, 10);

		if (ns >= first && ns - first < range)
			return host + ns - first;
	}
	return -1;
}

/* Both sides of a new terminal of this devpts. */
static gboolean open_terminal(int devpts, struct instance_terminal *ret)
{
	LXC_AUTO_FD fd = openat(devpts, "ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NOFOLLOW);
	int unlock = 0;
	int peer;

	if (fd < 0 || ioctl(fd, TIOCSPTLCK, &unlock))
		return FALSE;
	peer = ioctl(fd, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (peer < 0)
		return FALSE;
	*ret = (struct instance_terminal){ .fd = g_steal_fd(&fd), .peer = peer };
	return TRUE;
}

gboolean lxc_terminal(const struct instance_place *place, uid_t uid, gid_t gid,
		      struct instance_terminal *ret, GError **error)
{
	LXC_AUTO_FD pidfd = -1;
	LXC_AUTO_FD devpts = -1;
	pid_t init;
	g_autoptr(lxc_container) c = lxc_open_running(place, &init, &pidfd, error);
	struct instance_terminal terminal;
	struct statfs fs;
	gint64 user, group;

	if (!c)
		return FALSE;
	devpts = c->devpts_fd(c);
	if (devpts < 0 || fstatfs(devpts, &fs) || fs.f_type != DEVPTS_SUPER_MAGIC ||
	    !open_terminal(devpts, &terminal))
		return fail_errno(error, errno, "Failed to open a terminal in the container");
	user = host_id(init, "uid_map", uid);
	group = host_id(init, "gid_map", gid);
	if (user < 0 || group < 0 || fchown(terminal.peer, (uid_t)user, (gid_t)group)) {
		close(terminal.fd);
		close(terminal.peer);
		return fail(error, 400, "The user %u or group %u is not known in the container",
			    uid, gid);
	}
	*ret = terminal;
	return TRUE;
}

/* --- exec ------------------------------------------------------------------------ */

static void append(GByteArray *text, const char *word)
{
	g_byte_array_append(text, (const guint8 *)word, (guint)strlen(word) + 1);
}

static const char *default_cwd(char *const *env)
{
	for (; *env; env++)
		if (g_str_has_prefix(*env, "HOME="))
			return *env + strlen("HOME=");
	return "/";
}

/* In a file in memory: other users of the host can read an argument list, not this. */
static int write_command(const struct instance_command *command)
{
	g_autoptr(GByteArray) text = g_byte_array_new();
	g_autofree char *uid = g_strdup_printf("%u", command->uid);
	g_autofree char *gid = g_strdup_printf("%u", command->gid);
	g_autofree char *count = g_strdup_printf("%u", g_strv_length((char **)command->env));
	LXC_AUTO_FD fd = memfd_create("command", MFD_CLOEXEC);

	append(text, uid);
	append(text, gid);
	append(text, command->terminal ? "terminal" : "");
	append(text, command->cwd ? command->cwd : default_cwd(command->env));
	append(text, count);
	for (char *const *word = command->env; *word; word++)
		append(text, *word);
	for (char *const *word = command->argv; *word; word++)
		append(text, *word);
	if (fd < 0 || write(fd, text->data, text->len) != (gssize)text->len)
		return -1;
	return g_steal_fd(&fd);
}

/* The helper's one message; FALSE when it ended without it. */
static gboolean receive(int socket, struct instance_process *ret)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec data = { &ret->pid, sizeof ret->pid };
	struct msghdr msg = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof control.buf,
	};
	struct cmsghdr *head;
	gssize n;

	do
		n = recvmsg(socket, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	head = n == sizeof ret->pid ? CMSG_FIRSTHDR(&msg) : NULL;
	if (!head || head->cmsg_type != SCM_RIGHTS)
		return FALSE;
	memcpy(&ret->pidfd, CMSG_DATA(head), sizeof ret->pidfd);
	return TRUE;
}

static gboolean start_command(const struct instance_place *place, int command, const int fds[3],
			      const int *gate, struct instance_process *ret, GError **error)
{
	g_autofree char *conf = lxc_conf_path(place);
	const char *argv[] = { "exec", place->id, place->dir, conf, gate ? "gate" : NULL, NULL };
	int pair[2];
	gboolean ok;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return fail_errno(error, errno, "Failed to make a socket");
	ret->helper = lxc_helper_start(
		argv, (int[]){ fds[0], fds[1], fds[2], pair[1], command, gate ? *gate : -1 },
		gate ? 6 : 5, error);
	close(pair[1]);
	ok = ret->helper >= 0 && receive(pair[0], ret);
	close(pair[0]);
	if (ok) {
		ret->helper_fd = (int)syscall(SYS_pidfd_open, ret->helper, 0);
	} else if (ret->helper >= 0) {
		lxc_helper_wait(ret->helper);
		fail(error, 500, "Failed to run a command in the container \"%s\"", place->id);
	}
	return ok;
}

gboolean lxc_exec(const struct instance_place *place, const struct instance_command *command,
		  struct instance_process *ret, GError **error)
{
	LXC_AUTO_FD text = write_command(command);
	struct instance_process process;

	if (text < 0)
		return fail_errno(error, errno, "Failed to write the command");
	if (!start_command(place, text, command->fds, command->gate, &process, error))
		return FALSE;
	*ret = process;
	return TRUE;
}

/* --- console --------------------------------------------------------------------- */

gboolean lxc_console(const struct instance_place *place, struct instance_terminal *ret,
		     GError **error)
{
	LXC_AUTO_FD pidfd = -1;
	pid_t init;
	g_autoptr(lxc_container) c = lxc_open_running(place, &init, &pidfd, error);
	int number = 0, terminal = -1, held;

	if (!c)
		return FALSE;
	held = c->console_getfd(c, &number, &terminal);
	if (held < 0)
		return fail(error, 500, "Failed to open the console of the container \"%s\"",
			    place->id);
	fcntl(held, F_SETFD, FD_CLOEXEC);
	fcntl(terminal, F_SETFD, FD_CLOEXEC);
	*ret = (struct instance_terminal){ .fd = terminal, .peer = held };
	return TRUE;
}

gboolean lxc_console_log(const struct instance_place *place, gboolean clear, GBytes **ret,
			 GError **error)
{
	g_autoptr(lxc_container) c = lxc_open(place, error);
	guint64 max = 0;
	struct lxc_console_log log = { .clear = clear, .read = ret != NULL, .read_max = &max };
	int r;

	if (!c)
		return FALSE;
	r = c->console_log(c, &log);
	if (r && r != -ENODATA)
		return fail_errno(error, -r, "Failed to read the console's log");
	if (ret)
		*ret = g_bytes_new_with_free_func(log.data, log.data ? max : 0, free, log.data);
	return TRUE;
}

/* --- files ----------------------------------------------------------------------- */

static gboolean start_files(const char *const *argv, int namespace, struct instance_files *ret,
			    GError **error)
{
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return fail_errno(error, errno, "Failed to make a socket");
	pid = lxc_helper_start(argv, (int[]){ pair[1], pair[1], -1, namespace }, 4, error);
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		return FALSE;
	}
	*ret = (struct instance_files){ .fd = pair[0], .helper = pid };
	return TRUE;
}

static gboolean files_of_stopped(const char *rootfs, const struct idmap *idmap, gboolean shifted,
				 struct instance_files *ret, GError **error)
{
	gboolean mapped = idmap && idmap->count;
	const char *argv[] = { "files", rootfs,
			       !mapped	 ? "plain"
			       : shifted ? "shifted"
					 : "mapped",
			       NULL };
	LXC_AUTO_FD userns = -1;

	if (mapped) {
		userns = idmap_userns(idmap, error);
		if (userns < 0)
			return FALSE;
	}
	return start_files(argv, userns, ret, error);
}

gboolean lxc_files(const struct instance_place *place, const char *rootfs,
		   const struct idmap *idmap, gboolean shifted, struct instance_files *ret,
		   GError **error)
{
	LXC_AUTO_FD pidfd = -1;
	pid_t init;
	g_autoptr(lxc_container) c = lxc_open_running(place, &init, &pidfd, NULL);
	const char *argv[] = { "files", NULL };

	if (!c)
		return files_of_stopped(rootfs, idmap, shifted, ret, error);
	return start_files(argv, pidfd, ret, error);
}
