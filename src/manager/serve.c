/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The daemon: up and down in order. */
#include "serve.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gunixsocketaddress.h>
#include <glib-unix.h>
#include <malloc.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/listener.h"
#include "api/server.h"
#include "core/backup.h"
#include "core/chores.h"
#include "core/copy.h"
#include "core/event.h"
#include "core/image.h"
#include "core/instances.h"
#include "core/operation.h"
#include "core/pool.h"
#include "core/snapshot.h"
#include "core/stop.h"
#include "daemon.h"
#include "db/db.h"
#include "drivers/instance/apparmor.h"
#include "drivers/instance/instance.h"
#include "log.h"
#include "util/error.h"

static struct {
	int signals; /* a pipe's writing end for the handler */
} main_state = { -1 };

char *serve_dir(void)
{
	const char *dir = g_getenv("LXD_DIR");

	return g_strdup(dir && *dir ? dir : "/var/lib/lxd");
}

char *serve_socket(void)
{
	const char *socket = g_getenv("LXD_SOCKET");
	g_autofree char *dir = serve_dir();

	return socket && *socket ? g_strdup(socket) : g_build_filename(dir, "unix.socket", NULL);
}

/* --- signals ------------------------------------------------------------------------- */

static void on_signal(int number)
{
	int saved = errno;
	char byte = number;

	if (write(main_state.signals, &byte, 1) < 0)
		errno = saved; /* the pipe is full of signals to stop: enough */
	errno = saved;
}

/*
 * Handlers and not a mask or SIG_IGN: those two would be handed on to every program that is run.
 */
static void catch_signals(int fd)
{
	static const int stop[] = { SIGTERM, SIGINT, SIGQUIT, SIGPWR };
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

	main_state.signals = fd;
	for (gsize i = 0; i < G_N_ELEMENTS(stop); i++)
		sigaction(stop[i], &action, NULL);
	sigaction(SIGHUP, &action, NULL); /* a terminal's end; nothing to reload */
	sigaction(SIGPIPE, &action, NULL);
}

struct stopping {
	struct daemon *daemon;
	gboolean host_down;
};

static void *stop_thread(void *data)
{
	const struct stopping *stopping = data;

	daemon_stop_work(stopping->daemon, stopping->host_down, stopping->host_down);
	g_main_loop_quit(stopping->daemon->loop);
	g_free(data);
	return NULL;
}

static gboolean on_signal_byte(int fd, G_GNUC_UNUSED GIOCondition condition, void *data)
{
	struct stopping *stopping;
	char byte;

	if (read(fd, &byte, 1) != 1 || byte == SIGPIPE || byte == SIGHUP)
		return G_SOURCE_CONTINUE;
	g_message("Asked to stop by signal %d", byte);
	stopping = g_new(struct stopping, 1);
	*stopping = (struct stopping){ data, byte == SIGPWR };
	g_thread_unref(g_thread_new("stop", stop_thread, stopping));
	return G_SOURCE_CONTINUE;
}

/* --- up ---------------------------------------------------------------------------------- */

static gboolean make_dir(const char *path, mode_t mode, GError **error)
{
	if (g_mkdir_with_parents(path, mode) < 0)
		return fail_errno(error, errno, "Failed to create %s", path);
	return TRUE;
}

static gboolean make_dirs(struct daemon *daemon, GError **error)
{
	static const struct {
		const char *name;
		mode_t mode;
	} dirs[] = {
		{ "database", 0700 },	{ "images", 0700 },    { "storage-pools", 0711 },
		{ "containers", 0711 }, { "snapshots", 0711 }, { "containers-snapshots", 0711 },
		{ "logs", 0700 },	{ "devices", 0711 },   { "shmounts", 0711 },
		{ "security", 0700 },	{ "backups", 0700 },   { "networks", 0711 },
		{ "disks", 0700 },
	};

	if (!make_dir(daemon->dir, 0711, error))
		return FALSE;
	for (gsize i = 0; i < G_N_ELEMENTS(dirs); i++) {
		g_autofree char *path = daemon_path(daemon, dirs[i].name, NULL);

		if (!make_dir(path, dirs[i].mode, error))
			return FALSE;
	}
	return TRUE;
}

/* The directory itself is locked, for as long as the process lives, so that no file is left over.
 */
static gboolean lock_dir(const struct daemon *daemon, GError **error)
{
	int fd = open(daemon->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return fail_errno(error, errno, "Failed to open %s", daemon->dir);
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return TRUE;
	close(fd);
	return fail(error, 500, "LXD is already running");
}

static void raise_limits(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static gboolean open_db(struct daemon *daemon, GError **error)
{
	g_autofree char *path = daemon_path(daemon, "database", "lxd.db", NULL);

	daemon->db = db_open(path, error);
	return daemon->db != NULL;
}

/* Tells the service manager, without its library: a datagram is all there is to it. */
static void notify(const char *state)
{
	const char *path = g_getenv("NOTIFY_SOCKET");
	g_autoptr(GSocketAddress) address = NULL;
	g_autoptr(GSocket) socket = NULL;

	if (!path || !*path)
		return;
	address = *path == '@' ? g_unix_socket_address_new_with_type(path + 1, -1,
								     G_UNIX_SOCKET_ADDRESS_ABSTRACT)
			       : g_unix_socket_address_new(path);
	socket = g_socket_new(G_SOCKET_FAMILY_UNIX, G_SOCKET_TYPE_DATAGRAM,
			      G_SOCKET_PROTOCOL_DEFAULT, NULL);
	if (socket)
		g_socket_send_to(socket, address, state, strlen(state), NULL, NULL);
}

static void warn_of_pool(const char *pool, const GError *error)
{
	g_warning("Storage pool \"%s\" is unavailable: %s", pool, error->message);
}

static gboolean finish_jobs(struct daemon *daemon)
{
	snapshot_startup(daemon);
	copy_startup(daemon);
	backup_startup(daemon);
	return TRUE;
}

/* What a daemon that was killed left half done is put in order before anybody can see it. */
static gboolean start_objects(struct daemon *daemon, GError **error)
{
	daemon->instances = instances_new(&instance_lxc);
	return pool_startup(daemon, warn_of_pool, error) && image_startup(daemon, error) &&
	       instances_startup(daemon, error) && finish_jobs(daemon);
}

static void warn_of_chore(const struct schedule_job *job, const GError *error)
{
	g_warning("Failed to %s: %s", job->name, error->message);
}

/* Everything is up before the socket exists: a client that connects is served. */
static gboolean start(struct daemon *daemon, GError **error)
{
	if (!make_dirs(daemon, error) || !lock_dir(daemon, error) || !open_db(daemon, error))
		return FALSE;
	daemon->events = event_hub_new();
	daemon->operations = operations_new();
	if (!start_objects(daemon, error) ||
	    !chores_warn_of_host(daemon, "", apparmor_available(), error))
		return FALSE;
	daemon->server_text = server_text_new(daemon);
	daemon->listener = listener_new(daemon, NULL);
	g_atomic_int_set(&daemon->ready, 1);
	if (!listener_open(daemon->listener, error))
		return FALSE;
	instances_autostart(daemon);
	chores_start(daemon, warn_of_chore);
	return TRUE;
}

static void stop(struct daemon *daemon)
{
	listener_free(daemon->listener);
	chores_stop(daemon);
	operations_free(daemon->operations);
	if (daemon->instances)
		instances_wait(daemon);
	instances_free(daemon->instances);
	pools_free(daemon->pools);
	server_text_free(daemon->server_text);
	log_to(NULL);
	event_hub_free(daemon->events);
	db_close(daemon->db);
}

static void daemon_clear(struct daemon *daemon)
{
	g_free(daemon->dir);
	g_free(daemon->socket);
	g_free(daemon->group);
	g_free(daemon->server_name);
	g_main_loop_unref(daemon->loop);
}

static int run(struct daemon *daemon)
{
	g_autoptr(GError) error = NULL;
	int fds[2];

	if (!g_unix_open_pipe(fds, FD_CLOEXEC, &error)) {
		g_printerr("Error: %s\n", error->message);
		return 1;
	}
	g_unix_set_fd_nonblocking(fds[1], TRUE, NULL);
	catch_signals(fds[1]);
	g_unix_fd_add(fds[0], G_IO_IN, on_signal_byte, daemon);
	if (!start(daemon, &error)) {
		g_printerr("Error: %s\n", error->message);
		stop(daemon);
		return 1;
	}
	log_to(daemon->events);
	g_message("LXD is ready");
	notify("READY=1");
	g_main_loop_run(daemon->loop);
	notify("STOPPING=1");
	stop(daemon);
	return 0;
}

int serve(const struct serve_options *options)
{
	struct daemon daemon = {
		.dir = serve_dir(),
		.socket = serve_socket(),
		.group = g_strdup(options->group),
		.server_name = g_strdup(g_get_host_name()),
		.loop = g_main_loop_new(NULL, FALSE),
	};
	int status;

	mallopt(M_ARENA_MAX, 2); /* one heap for each thread would only be space that is kept */
	umask(0022);
	raise_limits();
	if (!log_open(options->logfile, options->syslog,
		      options->debug	 ? LOG_ALL
		      : options->verbose ? LOG_INFORM
					 : LOG_WARN))
		return 1;
	status = run(&daemon);
	daemon_clear(&daemon);
	return status;
}
