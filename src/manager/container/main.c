/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lxd-container: the commands. Run by the daemon and by liblxc's hooks, not by people. */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "container.h"

static const struct {
	const char *name;
	int min, max; /* arguments */
	int (*run)(int argc, char **argv);
	const char *usage;
} commands[] = {
	{ "start", 3, 3, command_start, "NAME LXCPATH CONF" },
	{ "exec", 3, 4, command_exec,
	  "NAME LXCPATH CONF [gate]  (fd 3: status, fd 4: command, fd 5: gate)" },
	{ "files", 0, 2, command_files,
	  "[ROOTFS plain|mapped|shifted]  (fd 3: pidfd or namespace)" },
	{ "mount", 2, 2, command_mount, "TARGET dir|file|-  (fd 3: pidfd, fd 4: mount)" },
	{ "umount", 2, 2, command_umount, "TARGET remove|keep  (fd 3: pidfd)" },
	{ "hook", 4, 4, command_hook, "SOCKET PROJECT INSTANCE start|stopns|stop" },
};

int complain(const char *what, int error)
{
	fprintf(stderr, "lxd-container: %s: %s\n", what, strerror(error < 0 ? -error : error));
	return 1;
}

static int usage(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(stderr, "usage: lxd-container %s %s\n", commands[i].name,
			commands[i].usage);
	return 2;
}

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < ARRAY_SIZE(commands); i++)
		if (strcmp(argv[1], commands[i].name) == 0 && argc - 2 >= commands[i].min &&
		    argc - 2 <= commands[i].max)
			return commands[i].run(argc - 1, argv + 1);
	return usage();
}
