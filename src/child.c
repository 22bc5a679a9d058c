/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A worker as its keeper sees it. */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"

static int open_child(pid_t pid, int ready, struct child *ret)
{
	int pidfd = pidfd_open(pid, 0);

	if (pidfd < 0)
		return -errno;
	*ret = (struct child){
		.pid = pid, .pidfd = pidfd, .ready = ready, .started = shared_now()
	};
	return 0;
}

int child_start(const struct program *program, struct handoff *handoff, struct child *ret)
{
	int ends[2];
	int r, pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	handoff->ready = ends[1];
	pid = handoff_start(program, HANDOFF_WORKER, handoff);
	close(ends[1]);
	handoff->ready = -1;
	r = pid < 0 ? pid : open_child(pid, ends[0], ret);
	if (r < 0) {
		close(ends[0]);
		if (pid > 0 && kill(pid, SIGKILL) == 0)
			waitpid(pid, NULL, 0);
	}
	return r;
}

int child_adopt(pid_t pid, struct child *ret)
{
	int r = open_child(pid, -1, ret);

	if (r == 0)
		ret->proven = true;
	return r;
}

bool child_take_ready(struct child *child)
{
	char byte;
	bool said = read(child->ready, &byte, 1) == 1;

	close(child->ready);
	child->ready = -1;
	child->proven = child->proven || said;
	return said;
}

void child_signal(const struct child *child, int signal)
{
	if (child_runs(child))
		pidfd_send_signal(child->pidfd, signal, NULL, 0);
}

void child_stop(struct child *child, int timeout_ms)
{
	struct pollfd p = { .fd = child->pidfd, .events = POLLIN };
	int status;

	if (!child_runs(child))
		return;
	child_signal(child, SIGTERM);
	if (poll(&p, 1, timeout_ms) < 1) {
		child_signal(child, SIGKILL);
		if (poll(&p, 1, timeout_ms) < 1) {
			child_forget(child);
			return;
		}
	}
	child_reap(child, &status);
}

enum child_end child_reap(struct child *child, int *ret_status)
{
	bool proven = child->proven, asked = child->deadline && !child->condemned;
	siginfo_t info = { 0 };
	int r = waitid(P_PID, (id_t)child->pid, &info, WEXITED);

	child_forget(child);
	*ret_status = r < 0 ? 0 : info.si_status;
	if (r < 0)
		return asked ? CHILD_DONE : CHILD_KILLED;
	if (info.si_code != CLD_EXITED && info.si_status == SIGKILL)
		return CHILD_KILLED;
	if (info.si_code != CLD_EXITED)
		return CHILD_CRASHED;
	if (info.si_status == 0)
		return CHILD_DONE;
	return proven ? CHILD_CRASHED : CHILD_EXITED;
}

const char *child_end_name(enum child_end end)
{
	static const char *const names[] = {
		[CHILD_KILLED] = "was killed",
		[CHILD_CRASHED] = "crashed",
		[CHILD_EXITED] = "could not start",
		[CHILD_DONE] = "ended",
	};

	return names[end];
}

void child_forget(struct child *child)
{
	if (child->ready >= 0)
		close(child->ready);
	if (child->pidfd >= 0)
		close(child->pidfd);
	*child = CHILD_NONE;
}
