/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What liblxc's hooks run: it tells the daemon, over its socket, what happens to a container, and
 * waits for the answer. A container that starts needs the daemon; one that stops, or starts anew
 * from within, goes on without.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "container.h"

#define PATIENCE_SECONDS 30

static const char *env(const char *name)
{
	const char *value = getenv(name);

	return value ? value : "";
}

static int connect_to(const char *path)
{
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval patience = { .tv_sec = PATIENCE_SECONDS };

	if (strlen(path) >= sizeof address.sun_path)
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience))
		return -errno;
	return take_fd(&fd);
}

/* For a URL's query or path: all but letters, digits and a few as %XX. */
static void escape(const char *from, char *to, size_t size)
{
	size_t n = 0;

	for (; *from && n + 4 < size; from++) {
		if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.",
			   *from))
			to[n++] = *from;
		else
			n += (size_t)sprintf(to + n, "%%%02X", (unsigned char)*from);
	}
	to[n] = '\0';
}

/* The network namespace that is about to go, by a path that lasts as long as this process. */
static void netns_path(char *to, size_t size)
{
	char plain[64];
	int fd = -1;

	if (sscanf(env("LXC_NET_NS"), "/proc/self/fd/%d", &fd) == 1) {
		snprintf(plain, sizeof plain, "/proc/%d/fd/%d", (int)getpid(), fd);
		escape(plain, to, size);
	} else {
		escape(env("LXC_NET_NS"), to, size);
	}
}

static int request(const char *project, const char *instance, const char *what, char *to,
		   size_t size)
{
	char name[512], in[512], target[64], netns[512];
	int n;

	escape(instance, name, sizeof name);
	escape(project, in, sizeof in);
	escape(env("LXC_TARGET"), target, sizeof target);
	netns_path(netns, sizeof netns);
	n = snprintf(to, size,
		     "GET /internal/containers/%s/on%s?project=%s&target=%s&netns=%s HTTP/1.1\r\n"
		     "Host: lxd\r\nConnection: close\r\n\r\n",
		     name, what, in, strcmp(what, "start") ? target : "",
		     strcmp(what, "stopns") ? "" : netns);
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : n;
}

/* 0 when the daemon says 200; -ECONNREFUSED and the like when there is none. */
static int ask(const char *socket_path, const char *text, size_t len)
{
	AUTO_CLOSE int fd = connect_to(socket_path);
	char answer[4096];
	size_t got = 0;
	ssize_t n = 1;

	if (fd < 0)
		return fd;
	if (send(fd, text, len, MSG_NOSIGNAL) != (ssize_t)len)
		return -errno;
	while (n > 0 && got < sizeof answer - 1) {
		n = recv(fd, answer + got, sizeof answer - 1 - got, 0);
		if (n > 0)
			got += (size_t)n;
	}
	answer[got] = '\0';
	if (got == 0)
		return -ECONNRESET; /* it died, or the patience ended */
	if (strncmp(answer, "HTTP/1.1 200", 12) == 0)
		return 0;
	fprintf(stderr, "%s\n",
		strstr(answer, "\r\n\r\n") ? strstr(answer, "\r\n\r\n") + 4 : answer);
	return -EREMOTEIO;
}

/*
 * liblxc starts a container anew that ended in a reboot, unless the last stop hook fails. That is
 * the daemon's to do, which has its devices; without one it is better than no container.
 */
int command_hook(int argc, char **argv)
{
	bool reboot = strcmp(env("LXC_TARGET"), "reboot") == 0;
	bool start = strcmp(argv[4], "start") == 0;
	char text[4096];
	int n, r;

	(void)argc;
	n = request(argv[2], argv[3], argv[4], text, sizeof text);
	if (n < 0)
		return complain(argv[3], n);
	r = ask(argv[1], text, (size_t)n);
	if (r && r != -EREMOTEIO) {
		complain(argv[1], r);
		return start && !reboot ? 1 : 0;
	}
	return r || (reboot && strcmp(argv[4], "stop") == 0) ? 1 : 0;
}
