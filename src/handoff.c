/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Starting a worker from a keeper and a keeper from a worker. */
#include "handoff.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"

static const char *const roles[] = {
	[HANDOFF_WORKER] = "--worker=",
	[HANDOFF_KEEPER] = "--keeper=",
};

int program_init(struct program *program, char **args)
{
	static const char deleted[] = " (deleted)";
	char path[4096];
	size_t len;
	int r = file_readlink_at(AT_FDCWD, "/proc/self/exe", path, sizeof(path));

	if (r < 0)
		return r;
	/* An upgrade may have replaced the file while we started; the new one is at the path. */
	len = strlen(path);
	if (len >= sizeof(deleted) && !strcmp(path + len - (sizeof(deleted) - 1), deleted))
		path[len - (sizeof(deleted) - 1)] = '\0';
	program->args = args;
	program->path = strdup(path);
	return program->path ? 0 : -ENOMEM;
}

void program_free(struct program *program)
{
	free(program->path);
	program->path = NULL;
}

static bool take_fd_number(const char **s, int *ret)
{
	char *end;
	long n = strtol(*s, &end, 10);

	if (end == *s || n < -1 || n > 1 << 20)
		return false;
	*s = *end == ',' ? end + 1 : end;
	*ret = (int)n;
	return true;
}

static void set_cloexec(int fd, bool on)
{
	if (fd >= 0)
		fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0);
}

static void set_all_cloexec(const struct handoff *h, bool on)
{
	set_cloexec(h->state, on);
	set_cloexec(h->ready, on);
	for (unsigned i = 0; i < h->device.count; i++)
		set_cloexec(h->device.fds[i], on);
}

static bool parse_numbers(const char *s, struct handoff *ret)
{
	struct handoff h = { .state = -1, .ready = -1 };
	int prove;

	if (!take_fd_number(&s, &h.state) || !take_fd_number(&s, &h.ready) ||
	    !take_fd_number(&s, &prove))
		return false;
	h.prove = prove > 0;
	while (*s && h.device.count < SHARED_SLOTS_MAX)
		if (!take_fd_number(&s, &h.device.fds[h.device.count++]))
			return false;
	if (*s || h.device.count == 0 || h.state < 0)
		return false;
	set_all_cloexec(&h, true);
	*ret = h;
	return true;
}

enum handoff_role handoff_parse(const char *arg, struct handoff *ret)
{
	for (enum handoff_role role = HANDOFF_WORKER; arg && role <= HANDOFF_KEEPER; role++) {
		size_t len = strlen(roles[role]);

		if (!strncmp(arg, roles[role], len) && parse_numbers(arg + len, ret))
			return role;
	}
	return HANDOFF_NONE;
}

static char **make_args(const struct program *program, char *handoff)
{
	size_t count = 0;
	char **args;

	while (program->args[count])
		count++;
	args = calloc(count + 3, sizeof(*args));
	if (!args)
		return NULL;
	args[0] = (char *)"lxcfs";
	args[1] = handoff;
	memcpy(args + 2, program->args, count * sizeof(*args));
	return args;
}

int handoff_start(const struct program *program, enum handoff_role role, const struct handoff *h)
{
	AUTO_TEXT struct text arg = { 0 };
	AUTO_FREE char **args = NULL;
	sigset_t none;
	pid_t pid;

	text_printf(&arg, "%s%d,%d,%d", roles[role], h->state, h->ready, h->prove);
	for (unsigned i = 0; i < h->device.count; i++)
		text_printf(&arg, ",%d", h->device.fds[i]);
	args = make_args(program, arg.data);
	if (arg.error || !args)
		return -ENOMEM;
	pid = fork();
	if (pid != 0)
		return pid < 0 ? -errno : pid;
	set_all_cloexec(h, false);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execv(program->path, args);
	_exit(127);
}
