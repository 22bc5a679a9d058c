/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The driver for containers by hand, for tests/system/manager_container.sh:
 * lxc-tool SPEC COMMAND [ARGUMENT]... where SPEC is a file with the description as JSON.
 * Each call is as a new daemon: nothing is kept between two of them.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drivers/instance/instance.h"
#include "util/json.h"

static struct instance_spec spec;
static const struct instance_driver *const driver = &instance_lxc;

/* ERROR by its address: it is filled in by what OK comes from. */
static int end(gboolean ok, GError **failed)
{
	const GError *error = *failed;

	if (!ok)
		fprintf(stderr, "%s\n", error ? error->message : "failed without a word");
	return ok ? 0 : 1;
}

static int exec_command(char **argv)
{
	struct instance_command command = { .argv = argv, .uid = 0, .gid = 0, .fds = { 0, 1, 2 } };
	char *env[] = { "PATH=/bin:/sbin", "HOME=/root", "ONLY=this one", NULL };
	struct instance_process p;
	struct instance_terminal t;
	GError *error = NULL;
	char buf[4096];
	ssize_t n;
	int status;

	command.env = env;
	command.terminal = strcmp(argv[0], "-t") == 0;
	command.argv += command.terminal;
	if (command.terminal) {
		if (!driver->terminal(&spec.place, 0, 0, &t, &error))
			return end(FALSE, &error);
		command.fds[0] = command.fds[1] = command.fds[2] = t.peer;
	}
	if (!driver->exec(&spec.place, &command, &p, &error))
		return end(FALSE, &error);
	if (g_getenv("SIGNAL"))
		syscall(SYS_pidfd_send_signal, p.pidfd, atoi(g_getenv("SIGNAL")), NULL, 0);
	if (command.terminal) {
		close(t.peer);
		while ((n = read(t.fd, buf, sizeof buf)) > 0)
			fwrite(buf, 1, (size_t)n, stdout);
	}
	waitpid(p.helper, &status, 0);
	return WEXITSTATUS(status);
}

static void pump(int from, int to)
{
	char buf[65536];
	ssize_t n = read(from, buf, sizeof buf);

	if (n <= 0 || write(to, buf, (size_t)n) != n)
		exit(n < 0);
}

static int files(void)
{
	struct instance_files f;
	GError *error = NULL;

	if (!driver->files(&spec.place, spec.rootfs, spec.idmap, spec.rootfs_shifted, &f, &error))
		return end(FALSE, &error);
	for (;;) {
		struct pollfd p[2] = { { 0, POLLIN, 0 }, { f.fd, POLLIN, 0 } };

		poll(p, 2, -1);
		if (p[1].revents)
			pump(f.fd, 1);
		if (p[0].revents)
			pump(0, f.fd);
	}
}

/* Sends a line to the console and shows what comes until the word UNTIL. */
static int console(const char *line, const char *until)
{
	struct instance_terminal t;
	GError *error = NULL;
	g_autoptr(GString) got = g_string_new(NULL);
	char buf[512];
	ssize_t n = 1;

	if (!driver->console(&spec.place, &t, &error))
		return end(FALSE, &error);
	if (write(t.fd, line, strlen(line)) < 0 || write(t.fd, "\n", 1) < 0)
		return 1;
	while (n > 0 && !strstr(got->str, until)) {
		n = read(t.fd, buf, sizeof buf);
		g_string_append_len(got, buf, MAX(n, 0));
	}
	fputs(got->str, stdout);
	return 0;
}

static int show(json_t *value, GError **error)
{
	char *text = value ? json_dumps(value, JSON_INDENT(1) | JSON_SORT_KEYS) : NULL;

	if (text)
		puts(text);
	return end(text != NULL, error);
}

static int usage_of(void)
{
	struct instance_usage u;
	GError *error = NULL;

	if (!driver->usage(&spec.place, &u, &error))
		return end(FALSE, &error);
	printf("cpu %ld memory %ld peak %ld swap %ld processes %ld\n", u.cpu_ns, u.memory,
	       u.memory_peak, u.swap, u.processes);
	return 0;
}

static int state(void)
{
	pid_t init;
	int s = driver->state(&spec.place, &init);

	printf("%d %d\n", s, (int)init);
	return 0;
}

static int running(void)
{
	GError *error = NULL;
	char **names = driver->running(spec.place.dir, &error);

	for (char **name = names; name && *name; name++)
		puts(*name);
	return end(names != NULL, &error);
}

static int console_log(void)
{
	g_autoptr(GBytes) bytes = NULL;
	GError *error = NULL;

	if (!driver->console_log(&spec.place, FALSE, &bytes, &error))
		return end(FALSE, &error);
	fwrite(g_bytes_get_data(bytes, NULL), 1, g_bytes_get_size(bytes), stdout);
	return 0;
}

static int mount_add(char **argv)
{
	struct instance_mount m = { argv[0], argv[1], "none", argv[2], spec.rootfs_shifted };
	GError *error = NULL;

	return end(driver->mount_add(&spec.place, &m, &error), &error);
}

static int nic(gboolean add, char **argv)
{
	struct instance_nic n = { .link = argv[0], .name = argv[1] };
	GError *error = NULL;

	return end(add ? driver->nic_add(&spec.place, &n, &error)
		       : driver->nic_remove(&spec.place, &n, &error),
		   &error);
}

static int device(gboolean add)
{
	struct instance_device d = { 'c', 10, 200, "rwm" };
	GError *error = NULL;

	return end(add ? driver->device_add(&spec.place, &d, &error)
		       : driver->device_remove(&spec.place, &d, &error),
		   &error);
}

/* Many looks at the state and network, as `lxc list` takes them; microseconds for each. */
static int list(int times)
{
	gint64 start = g_get_monotonic_time();

	for (int i = 0; i < times; i++) {
		driver->state(&spec.place, NULL);
		json_decref(driver->network(&spec.place, NULL));
	}
	printf("%ld\n", (g_get_monotonic_time() - start) / times);
	return 0;
}

static void load(const char *path)
{
	json_t *s = json_load_file(path, 0, NULL);
	gint64 base = json_integer_value(json_object_get(s, "idmap"));
	const json_t *id = json_object_get(s, "rootfs");
	static struct instance_mount mount;

	spec.place.id = json_text(s, "id");
	spec.place.dir = json_text(s, "dir");
	spec.place.log_dir = json_text(s, "log_dir");
	spec.name = json_text(s, "name");
	spec.project = "default";
	spec.lxd_dir = json_text(s, "lxd_dir");
	spec.architecture = "x86_64";
	spec.rootfs = json_string_value(id);
	spec.config = json_object_get(s, "config");
	spec.memory_total = 8ull << 30;
	if (base) {
		struct idmap *map = idmap_new();

		idmap_add(map, (struct idmap_entry){ TRUE, TRUE, base, 0, 65536 }, NULL);
		spec.idmap = map;
	}
	spec.rootfs_shifted = json_is_true(json_object_get(s, "shifted"));
	if (json_object_get(s, "mount")) {
		mount = (struct instance_mount){ json_text(s, "mount"), "mnt/a b", "none",
						 "bind,create=dir", spec.rootfs_shifted };
		spec.mounts = &mount;
		spec.n_mounts = 1;
	}
}

static int act(const char *what, char **arg)
{
	GError *error = NULL;

	if (!strcmp(what, "start"))
		return end(driver->start(&spec, &error), &error);
	if (!strcmp(what, "stop"))
		return end(driver->stop(&spec.place, &error), &error);
	if (!strcmp(what, "shutdown"))
		return end(driver->shutdown(&spec.place, 10, &error), &error);
	if (!strcmp(what, "reboot"))
		return end(driver->reboot(&spec.place, 0, &error), &error);
	if (!strcmp(what, "freeze"))
		return end(driver->freeze(&spec.place, &error), &error);
	if (!strcmp(what, "unfreeze"))
		return end(driver->unfreeze(&spec.place, &error), &error);
	if (!strcmp(what, "forget")) {
		driver->forget(&spec);
		return end(driver->stopped(&spec, &error), &error);
	}
	if (!strcmp(what, "limit"))
		return end(driver->limit(&spec, arg[0], &error), &error);
	if (!strcmp(what, "umount"))
		return end(driver->mount_remove(&spec.place, arg[0], TRUE, &error), &error);
	if (!strcmp(what, "network"))
		return show(driver->network(&spec.place, &error), &error);
	return -1;
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[2] : "";
	gint64 start = g_get_monotonic_time();
	char **arg = argv + 3;
	int status;

	load(argv[1]);
	status = act(what, arg);
	if (status < 0)
		status = !strcmp(what, "state")		  ? state()
			 : !strcmp(what, "running")	  ? running()
			 : !strcmp(what, "usage")	  ? usage_of()
			 : !strcmp(what, "exec")	  ? exec_command(arg)
			 : !strcmp(what, "files")	  ? files()
			 : !strcmp(what, "console")	  ? console(arg[0], arg[1])
			 : !strcmp(what, "console-log")	  ? console_log()
			 : !strcmp(what, "mount")	  ? mount_add(arg)
			 : !strcmp(what, "nic-add")	  ? nic(TRUE, arg)
			 : !strcmp(what, "nic-remove")	  ? nic(FALSE, arg)
			 : !strcmp(what, "device-add")	  ? device(TRUE)
			 : !strcmp(what, "device-remove") ? device(FALSE)
			 : !strcmp(what, "list")	  ? list(atoi(arg[0]))
							  : 2;
	if (g_getenv("TIME"))
		fprintf(stderr, "%.1f ms\n", (double)(g_get_monotonic_time() - start) / 1000);
	return status;
}
