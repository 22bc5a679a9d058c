/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lxd: the daemon, and the commands that talk to one. */
#include <glib.h>
#include <locale.h>
#include <string.h>

#include "cli/cli.h"
#include "core/environment.h"
#include "serve.h"

static int liblxc(G_GNUC_UNUSED int argc, G_GNUC_UNUSED char **argv)
{
	return environment_print_liblxc();
}

static const struct command {
	const char *name, *what; /* NULL: for the daemon's own use */
	int (*run)(int argc, char **argv);
} commands[] = {
	{ "activateifneeded", "Check if LXD should be started", cli_activateifneeded },
	{ "init", "Configure the LXD daemon", cli_init },
	{ "liblxc", NULL, liblxc },
	{ "recover", "Recover missing instances from existing storage pools", cli_recover },
	{ "shutdown", "Tell LXD to shutdown all containers and exit", cli_shutdown },
	{ "sql", "Execute a SQL query against the LXD database", cli_sql },
	{ "version", "Show the server version", cli_version },
	{ "waitready", "Wait for LXD to be ready to process requests", cli_waitready },
};

static char *commands_text(void)
{
	GString *text = g_string_new("Commands:\n");

	for (gsize i = 0; i < G_N_ELEMENTS(commands); i++)
		if (commands[i].what)
			g_string_append_printf(text, "  %-18s %s\n", commands[i].name,
					       commands[i].what);
	return g_string_free(text, FALSE);
}

static int run_daemon(int argc, char **argv)
{
	struct serve_options options = { 0 };
	gboolean version = FALSE;
	g_autofree char *text = commands_text();
	const GOptionEntry entries[] = {
		{ "group", 0, 0, G_OPTION_ARG_STRING, &options.group,
		  "The group of users that will be allowed to talk to LXD", "GROUP" },
		{ "logfile", 0, 0, G_OPTION_ARG_FILENAME, &options.logfile, "Path to the log file",
		  "FILE" },
		{ "syslog", 0, 0, G_OPTION_ARG_NONE, &options.syslog, "Log to syslog", NULL },
		{ "debug", 'd', 0, G_OPTION_ARG_NONE, &options.debug, "Show all debug messages",
		  NULL },
		{ "verbose", 'v', 0, G_OPTION_ARG_NONE, &options.verbose,
		  "Show all information messages", NULL },
		{ "version", 0, 0, G_OPTION_ARG_NONE, &version, "Print version number", NULL },
		{ 0 },
	};

	if (!cli_parse(&argc, &argv, "[COMMAND]", text, entries))
		return 1;
	if (version)
		return cli_version(0, NULL);
	if (argc > 1) {
		g_printerr("Error: unknown command \"%s\" for \"lxd\"\n", argv[1]);
		return 1;
	}
	return serve(&options);
}

/* The command is the first word that is no option. */
int main(int argc, char **argv)
{
	setlocale(LC_ALL, "C.UTF-8");
	g_set_prgname("lxd");
	if (argc > 1)
		for (gsize i = 0; i < G_N_ELEMENTS(commands); i++)
			if (strcmp(argv[1], commands[i].name) == 0)
				return commands[i].run(argc - 1, argv + 1);
	return run_daemon(argc, argv);
}
