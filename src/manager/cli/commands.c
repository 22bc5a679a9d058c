/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The small commands: activateifneeded, shutdown, version, waitready. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/client.h"
#include "core/instances.h"
#include "daemon.h"
#include "db/db.h"
#include "drivers/instance/instance.h"
#include "serve.h"

#define POLL_MS 20 /* there is nothing to watch for a daemon that does not exist yet */

gboolean cli_parse(int *argc, char ***argv, const char *arguments, const char *description,
		   const GOptionEntry *entries)
{
	g_autoptr(GOptionContext) context = g_option_context_new(arguments);
	g_autoptr(GError) error = NULL;

	g_option_context_add_main_entries(context, entries, NULL);
	if (description)
		g_option_context_set_description(context, description);
	if (g_option_context_parse(context, argc, argv, &error))
		return TRUE;
	g_printerr("Error: %s\n", error->message);
	return FALSE;
}

int cli_fail(const GError *error)
{
	g_printerr("Error: %s\n", error ? error->message : "unknown");
	return 1;
}

int cli_version(G_GNUC_UNUSED int argc, G_GNUC_UNUSED char **argv)
{
	g_print("%s\n", LXD_VERSION);
	return 0;
}

int cli_waitready(int argc, char **argv)
{
	int seconds = 0;
	const GOptionEntry entries[] = {
		{ "timeout", 't', 0, G_OPTION_ARG_INT, &seconds,
		  "Number of seconds to wait before giving up", "SECONDS" },
		{ 0 },
	};
	gint64 until;

	if (!cli_parse(&argc, &argv, NULL, NULL, entries))
		return 1;
	until = g_get_monotonic_time() + seconds * G_USEC_PER_SEC;
	for (;;) {
		g_autoptr(GError) error = NULL;
		g_autoptr(json_t) ready = client_ask("GET", "/internal/ready", NULL, &error);

		if (ready)
			return 0;
		if (seconds > 0 && g_get_monotonic_time() > until) {
			g_printerr("Error: LXD still not running after %ds timeout (%s)\n", seconds,
				   error->message);
			return 1;
		}
		g_usleep(POLL_MS * 1000);
	}
}

/* An answer of the daemon on a thread of its own, for a command that waits so long only. */
static void *ask_shutdown(void *path)
{
	GError *error = NULL;
	g_autoptr(json_t) done = client_ask("PUT", path, NULL, &error);

	return done ? NULL : error;
}

struct asking {
	GMutex lock;
	GCond changed;
	gboolean done;
	GError *error;
	char *path;
};

static void *ask_thread(void *data)
{
	struct asking *asking = data;
	GError *error = ask_shutdown(asking->path);

	g_mutex_lock(&asking->lock);
	asking->error = error;
	asking->done = TRUE;
	g_cond_signal(&asking->changed);
	g_mutex_unlock(&asking->lock);
	return NULL;
}

/* FALSE when the time was over first; seconds 0: no limit. */
static gboolean wait_asking(struct asking *asking, int seconds)
{
	gint64 until = g_get_monotonic_time() + seconds * G_USEC_PER_SEC;
	gboolean in_time = TRUE;

	g_mutex_lock(&asking->lock);
	while (!asking->done && in_time) {
		if (seconds > 0)
			in_time = g_cond_wait_until(&asking->changed, &asking->lock, until);
		else
			g_cond_wait(&asking->changed, &asking->lock);
	}
	in_time = asking->done;
	g_mutex_unlock(&asking->lock);
	return in_time;
}

int cli_shutdown(int argc, char **argv)
{
	static struct asking asking; /* outlives the thread that may still wait at exit */
	gboolean force = FALSE;
	int seconds = 0;
	const GOptionEntry entries[] = {
		{ "force", 'f', 0, G_OPTION_ARG_NONE, &force,
		  "Force shutdown instead of waiting for running operations to finish", NULL },
		{ "timeout", 't', 0, G_OPTION_ARG_INT, &seconds,
		  "Number of seconds to wait before giving up", "SECONDS" },
		{ 0 },
	};

	if (!cli_parse(&argc, &argv, NULL, NULL, entries))
		return 1;
	asking.path = g_strdup_printf("/internal/shutdown?force=%s", force ? "true" : "false");
	g_thread_unref(g_thread_new("shutdown", ask_thread, &asking));
	if (!wait_asking(&asking, seconds)) {
		g_printerr("Error: LXD still running after %ds timeout\n", seconds);
		return 1;
	}
	return asking.error ? cli_fail(asking.error) : 0;
}

/* Whether anything asks for a running daemon; without a database there never was one. */
static gboolean needed(gboolean *ret, GError **error)
{
	struct daemon daemon = { .dir = serve_dir() };
	g_autofree char *path = daemon_path(&daemon, "database", "lxd.db", NULL);
	gboolean good = TRUE;

	*ret = FALSE;
	if (g_file_test(path, G_FILE_TEST_EXISTS)) {
		daemon.db = db_open(path, error);
		daemon.instances = instances_new(&instance_lxc);
		good = daemon.db && instances_wanted(&daemon, ret, error);
		instances_free(daemon.instances);
		db_close(daemon.db);
	}
	g_free(daemon.dir);
	return good;
}

/* A connection to the socket makes the service manager start the daemon. */
int cli_activateifneeded(int argc, char **argv)
{
	const GOptionEntry entries[] = { { 0 } };
	g_autoptr(GError) error = NULL;
	g_autoptr(json_t) ready = NULL;
	gboolean wanted;

	if (!cli_parse(&argc, &argv, NULL, NULL, entries))
		return 1;
	if (!needed(&wanted, &error))
		return cli_fail(error);
	if (!wanted)
		return 0;
	ready = client_ask("GET", "/1.0", NULL, &error);
	return ready ? 0 : cli_fail(error);
}
