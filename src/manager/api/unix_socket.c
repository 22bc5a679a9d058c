/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The unix socket the daemon listens on. */
#include "api/unix_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gunixsocketaddress.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "util/error.h"

#define BACKLOG 4096 /* the kernel cuts it to net.core.somaxconn */
#define FIRST_FD 3   /* sd_listen_fds(3) */

static GSocket *socket_new(GError **error)
{
	return g_socket_new(G_SOCKET_FAMILY_UNIX, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT,
			    error);
}

/* Removes a socket that a killed daemon left. */
static gboolean replace_stale(const char *path, GSocketAddress *address, GError **error)
{
	g_autoptr(GSocket) probe = NULL;
	struct stat st;

	if (lstat(path, &st) < 0)
		return TRUE;
	if (!S_ISSOCK(st.st_mode))
		return fail(error, 500, "%s is in the way: it is not a socket", path);
	probe = socket_new(error);
	if (!probe)
		return FALSE;
	if (g_socket_connect(probe, address, NULL, NULL))
		return fail(error, 500, "LXD is already running");
	if (unlink(path) < 0)
		return fail_errno(error, errno, "Failed to remove stale socket %s", path);
	return TRUE;
}

static gboolean set_owner(const char *path, const char *group, GError **error)
{
	const struct group *entry = NULL;

	if (group) {
		errno = 0;
		entry = getgrnam(group);
		if (!entry)
			return fail(error, 500, "Group \"%s\" does not exist", group);
	}
	if (chown(path, 0, entry ? entry->gr_gid : 0) < 0 && errno != EPERM)
		return fail_errno(error, errno, "Failed to change owner of %s", path);
	if (chmod(path, 0660) < 0)
		return fail_errno(error, errno, "Failed to change mode of %s", path);
	return TRUE;
}

GSocket *unix_socket_listen(const char *path, const char *group, GError **error)
{
	g_autoptr(GSocketAddress) address = NULL;
	g_autoptr(GSocket) socket = NULL;
	mode_t mask;
	gboolean bound;

	if (strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path)) {
		fail(error, 500, "The socket's path is too long: %s", path);
		return NULL;
	}
	address = g_unix_socket_address_new(path);
	if (!replace_stale(path, address, error))
		return NULL;
	socket = socket_new(error);
	if (!socket)
		return NULL;
	mask = umask(0177); /* nobody gets in before it has its group */
	bound = g_socket_bind(socket, address, FALSE, error);
	umask(mask);
	if (!bound)
		return NULL;
	g_socket_set_listen_backlog(socket, BACKLOG);
	if (!set_owner(path, group, error) || !g_socket_listen(socket, error)) {
		unlink(path);
		return NULL;
	}
	return g_steal_pointer(&socket);
}

/* How many descriptors are for this very process; the variables are not for our children. */
static int inherited_count(void)
{
	const char *pid = g_getenv("LISTEN_PID"), *fds = g_getenv("LISTEN_FDS");
	int count = pid && fds && atoi(pid) == getpid() ? atoi(fds) : 0;

	g_unsetenv("LISTEN_PID");
	g_unsetenv("LISTEN_FDS");
	g_unsetenv("LISTEN_FDNAMES");
	return count;
}

GPtrArray *unix_socket_inherited(void)
{
	GPtrArray *sockets = g_ptr_array_new_with_free_func(g_object_unref);
	int count = inherited_count();

	for (int fd = FIRST_FD; fd < FIRST_FD + count; fd++) {
		GSocket *socket;

		fcntl(fd, F_SETFD, FD_CLOEXEC);
		socket = g_socket_new_from_fd(fd, NULL);
		if (!socket)
			continue;
		if (g_socket_get_family(socket) == G_SOCKET_FAMILY_UNIX)
			g_ptr_array_add(sockets, socket);
		else
			g_object_unref(socket);
	}
	return sockets;
}

void unix_socket_peer(GSocket *socket, struct requestor *ret)
{
	struct ucred credentials;
	socklen_t len = sizeof(credentials);
	struct passwd entry, *found = NULL;
	char text[2048];

	ret->protocol = "unix";
	ret->address = "@";
	ret->username = NULL;
	if (getsockopt(g_socket_get_fd(socket), SOL_SOCKET, SO_PEERCRED, &credentials, &len) < 0)
		return;
	if (getpwuid_r(credentials.uid, &entry, text, sizeof(text), &found) == 0 && found)
		ret->username = g_strdup(found->pw_name);
	else
		ret->username = g_strdup_printf("%u", (unsigned)credentials.uid);
}
