/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Running a command in a container. fds 0 to 2 become the command's. On fd 3, a socket, this
 * process sends one message, the command's host pid with a pidfd of it, then waits for the command
 * and ends as it ended. With a gate, fd 5, the command is not run before a byte has come there: by
 * then all is ready. fd 4 has what to run, as text that ends with NUL bytes: "uid", "gid",
 * "terminal" or
 * "", cwd, the number of environment variables, these, then the words of the command.
 */
#include <errno.h>
#include <fcntl.h>
#include <lxc/lxccontainer.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "container.h"

#define STATUS_FD 3
#define COMMAND_FD 4
#define GATE_FD 5
#define COMMAND_MAX (4 * 1024 * 1024) /* bytes; the kernel takes less for an execve() */

struct command {
	char *text; /* what the others point into */
	uid_t uid;
	gid_t gid;
	bool terminal;
	const char *cwd;
	char **env;
	char **argv;
};

/* All of the file, with a NUL after it. */
static int read_text(int fd, char **ret, size_t *ret_len)
{
	AUTO_FREE char *text = NULL;
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (st.st_size <= 0 || st.st_size > COMMAND_MAX)
		return -E2BIG;
	text = calloc(1, (size_t)st.st_size + 1);
	if (!text)
		return -ENOMEM;
	if (pread(fd, text, (size_t)st.st_size, 0) != st.st_size)
		return -EIO;
	*ret_len = (size_t)st.st_size;
	*ret = take_ptr(text);
	return 0;
}

/* The words one after the other, then a NULL. */
static char **split(char *text, size_t len, size_t *ret_count)
{
	size_t count = 0, n = 0;
	char **word;

	for (size_t i = 0; i < len; i++)
		count += text[i] == '\0';
	word = calloc(count + 2, sizeof *word);
	for (char *at = text; word && n < count; at += strlen(at) + 1)
		word[n++] = at;
	*ret_count = count;
	return word;
}

static int read_command(struct command *c)
{
	size_t len = 0, count, n_env;
	char **word;
	int r = read_text(COMMAND_FD, &c->text, &len);

	if (r)
		return r;
	word = split(c->text, len, &count);
	if (!word)
		return -ENOMEM;
	if (count < 6 || (n_env = strtoul(word[4], NULL, 10)) > count - 6)
		return -EINVAL;
	c->uid = (uid_t)strtoul(word[0], NULL, 10);
	c->gid = (gid_t)strtoul(word[1], NULL, 10);
	c->terminal = word[2][0] != '\0';
	c->cwd = word[3];
	c->argv = word + 5 + n_env;
	c->env = calloc(n_env + 1, sizeof *c->env);
	if (!c->env)
		return -ENOMEM;
	memcpy(c->env, word + 5, n_env * sizeof *c->env);
	return 0;
}

/* Runs inside, as the command's user. Nothing of the host is open but the three of the command. */
static int run_inside(void *data)
{
	struct command *c = data;

	container_close_from(3);
	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL);
	setsid(); /* fails where it is a leader already */
	if (c->terminal && ioctl(STDIN_FILENO, TIOCSCTTY, 0))
		return EXIT_CANNOT_RUN;
	if (!c->cwd[0] || chdir(c->cwd))
		(void)!chdir("/");
	environ = c->env;
	execvp(c->argv[0], c->argv);
	return errno == ENOENT || errno == ENOTDIR ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
}

/* The command's pid and a pidfd of it, while it cannot have been reaped: its parent is this. */
static int report(pid_t pid)
{
	AUTO_CLOSE int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec data = { &pid, sizeof pid };
	struct msghdr msg = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof control.buf,
	};
	struct cmsghdr *head = CMSG_FIRSTHDR(&msg);

	if (pidfd < 0)
		return -errno;
	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(head), &pidfd, sizeof pidfd);
	return sendmsg(STATUS_FD, &msg, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return EXIT_CANNOT_RUN;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int attach(struct lxc_container *container, struct command *command, pid_t *ret)
{
	lxc_attach_options_t options = LXC_ATTACH_OPTIONS_DEFAULT;

	options.env_policy = LXC_ATTACH_CLEAR_ENV;
	options.uid = command->uid;
	options.gid = command->gid;
	return container->attach(container, run_inside, command, &options, ret) ? -EIO : 0;
}

/* The command's own may be open in this process no longer: its end of a pipe would not be seen. */
static void let_go(void)
{
	AUTO_CLOSE int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; fd < 3 && null >= 0; fd++)
		dup2(null, fd);
}

/* False when whoever has its other end has gone instead. */
static bool gate_opens(void)
{
	ssize_t n;
	char byte;

	do
		n = read(GATE_FD, &byte, 1);
	while (n < 0 && errno == EINTR);
	close(GATE_FD);
	return n == 1;
}

int command_exec(int argc, char **argv)
{
	__attribute__((cleanup(container_close))) struct lxc_container *container = NULL;
	struct command command = { 0 };
	pid_t pid;
	int r;

	container_close_from(argc > 4 ? GATE_FD + 1 : GATE_FD);
	prctl(PR_SET_DUMPABLE, 0);
	container_seal(argv - 1);
	r = read_command(&command);
	if (r)
		return complain("the command", r);
	fcntl(STATUS_FD, F_SETFD, FD_CLOEXEC);
	fcntl(COMMAND_FD, F_SETFD, FD_CLOEXEC);
	container = container_open(argv[1], argv[2], argv[3]);
	if (!container)
		return complain(argv[3], EINVAL);
	if (argc > 4 && !gate_opens())
		return EXIT_CANNOT_RUN;
	r = attach(container, &command, &pid);
	if (r)
		return complain("attach", r);
	let_go();
	r = report(pid);
	close(STATUS_FD);
	return r ? EXIT_CANNOT_RUN : wait_for(pid);
}
