/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sd_notify and the fd store, spoken directly: a datagram per message. */
#include "service.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"

#define LISTEN_FDS_START 3

/* Names in the store; each clone has its own, as systemd promises no order among equals. */
#define NAME_STATE "lxcfs-state"
#define NAME_DEVICE "lxcfs-device-"

bool service_is_managed(void)
{
	const char *path = getenv("NOTIFY_SOCKET");

	return path && (*path == '/' || *path == '@') && path[1];
}

static int send_message(const char *message, int fd)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	struct iovec iov = { (char *)message, strlen(message) };
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct msghdr msg = { .msg_name = &to, .msg_iov = &iov, .msg_iovlen = 1 };
	AUTO_CLOSE int s = -1;
	size_t len;

	if (!service_is_managed())
		return -ENOENT;
	len = strlen(getenv("NOTIFY_SOCKET"));
	if (len >= sizeof(to.sun_path))
		return -ENAMETOOLONG;
	memcpy(to.sun_path, getenv("NOTIFY_SOCKET"), len);
	if (to.sun_path[0] == '@')
		to.sun_path[0] = '\0';
	msg.msg_namelen = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	if (fd >= 0) {
		struct cmsghdr *c = (struct cmsghdr *)control;

		*c = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
				       .cmsg_type = SCM_RIGHTS,
				       .cmsg_len = CMSG_LEN(sizeof(int)) };
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
	}
	s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (s < 0 || sendmsg(s, &msg, MSG_NOSIGNAL) < 0)
		return -errno;
	return 0;
}

void service_notify(const char *format, ...)
{
	char message[512];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	send_message(message, -1);
}

void service_store(const struct device *device, int state)
{
	/*
	 * FDPOLL=0: PID 1 would wait on the device fd, and every request on the
	 * mount would wake it. That a fd is dead is asked when it is taken back.
	 */
	static const char format[] = "FDSTORE=1\nFDPOLL=0\nFDNAME=%s";
	char message[128];

	snprintf(message, sizeof(message), format, NAME_STATE);
	send_message(message, state);
	for (unsigned i = 0; i < device->count; i++) {
		char name[32];

		snprintf(name, sizeof(name), NAME_DEVICE "%u", i);
		snprintf(message, sizeof(message), format, name);
		send_message(message, device->fds[i]);
	}
}

void service_unstore(const struct device *device)
{
	service_notify("FDSTOREREMOVE=1\nFDNAME=%s", NAME_STATE);
	for (unsigned i = 0; i < device->count; i++)
		service_notify("FDSTOREREMOVE=1\nFDNAME=%s%u", NAME_DEVICE, i);
}

/* Where a stored fd belongs by its name: -1 the state, else the index of a device fd, -2 nowhere.
 */
static int place_of(const char *name)
{
	unsigned index;
	char rest;

	if (!strcmp(name, NAME_STATE))
		return -1;
	if (sscanf(name, NAME_DEVICE "%u%c", &index, &rest) == 1 && index < SHARED_SLOTS_MAX)
		return (int)index;
	return -2;
}

static void put(int *target, int fd)
{
	if (*target >= 0)
		close(*target);
	*target = fd;
}

static bool sort_fds(char *names, int count, struct device *device, int *state)
{
	int fds[SHARED_SLOTS_MAX], fd = LISTEN_FDS_START;
	unsigned high = 0;
	char *save = NULL;

	for (unsigned i = 0; i < SHARED_SLOTS_MAX; i++)
		fds[i] = -1;
	for (char *name = strtok_r(names, ":", &save); name && fd < LISTEN_FDS_START + count;
	     name = strtok_r(NULL, ":", &save), fd++) {
		int place = place_of(name);

		fcntl(fd, F_SETFD, FD_CLOEXEC);
		if (place == -2)
			close(fd);
		else
			put(place == -1 ? state : &fds[place], fd);
		if (place >= 0 && (unsigned)place + 1 > high)
			high = (unsigned)place + 1;
	}
	for (unsigned i = 0; i < high; i++)
		if (fds[i] >= 0)
			device->fds[device->count++] = fds[i];
	return *state >= 0 && high > 0 && device->count == high;
}

bool service_take(struct device *ret_device, int *ret_state)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	const char *names = getenv("LISTEN_FDNAMES");
	AUTO_FREE char *copy = names ? strdup(names) : NULL;
	struct device device = DEVICE_NONE;
	bool ours = pid && fds && copy && atoi(pid) == (int)getpid();
	int count = fds ? atoi(fds) : 0;
	AUTO_CLOSE int state = -1;

	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	if (!ours || count <= 0)
		return false;
	if (!sort_fds(copy, count, &device, &state)) {
		service_unstore(&device);
		device_close(&device);
		return false;
	}
	*ret_device = device;
	*ret_state = take_fd(&state);
	return true;
}
