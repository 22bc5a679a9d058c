/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Starting keepers for a worker that cannot. */
#include "starter.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"

static void serve(int fd, const struct program *program, const struct handoff *handoff)
{
	char byte;
	int pid;

	do {
		if (read(fd, &byte, 1) != 1)
			return; /* the worker is gone */
		/* Keepers that did not live; one that lives is waited for by init. */
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		pid = handoff_start(program, HANDOFF_KEEPER, handoff);
	} while (write(fd, &pid, sizeof(pid)) == (ssize_t)sizeof(pid));
}

int starter_open(const struct program *program, const struct handoff *handoff, struct starter *ret)
{
	struct handoff given = *handoff;
	int ends[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		close(ends[0]);
		/* The worker's to close: its keeper waits for that, too. */
		if (given.ready >= 0)
			close(take_fd(&given.ready));
		given.prove = false;
		serve(ends[1], program, &given);
		_exit(0);
	}
	close(ends[1]);
	if (pid < 0) {
		int r = -errno;

		close(ends[0]);
		return r;
	}
	*ret = (struct starter){ .fd = ends[0], .pid = pid };
	return 0;
}

int starter_start(const struct starter *starter)
{
	int pid;

	/* SIGPIPE is ignored in a worker. */
	if (starter->fd < 0 || write(starter->fd, "K", 1) < 0 ||
	    read(starter->fd, &pid, sizeof(pid)) != (ssize_t)sizeof(pid))
		return -EPIPE;
	return pid;
}

void starter_close(struct starter *starter)
{
	if (starter->fd < 0)
		return;
	close(starter->fd);
	while (waitpid(starter->pid, NULL, 0) < 0 && errno == EINTR)
		;
	*starter = STARTER_NONE;
}
