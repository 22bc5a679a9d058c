/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* liblxc's configuration, line by line. */
#include "drivers/instance/lxc_config.h"

#include <string.h>
#include <unistd.h>

#include "util/error.h"
#include "util/json.h"

#define COMMON_DIR "/usr/share/lxc/config/common.conf.d"

struct config {
	const struct instance_spec *spec;
	const struct lxc_host *host;
	GString *text;
	gboolean privileged;
	const char *broken; /* a key whose value is more than a line */
};

/* A newline would let a value set another key. */
static void put(struct config *c, const char *key, const char *format, ...) G_GNUC_PRINTF(3, 4);

static void put(struct config *c, const char *key, const char *format, ...)
{
	g_autofree char *value = NULL;
	va_list args;

	va_start(args, format);
	value = g_strdup_vprintf(format, args);
	va_end(args);
	if (strchr(value, '\n') || strchr(key, '\n')) {
		c->broken = key;
		return;
	}
	g_string_append_printf(c->text, "%s = %s\n", key, value);
}

/* As in fstab(5). */
static char *escape(const char *word)
{
	GString *text = g_string_new(NULL);

	for (; *word; word++) {
		if (strchr(" \t\n\\", *word))
			g_string_append_printf(text, "\\%03o", (unsigned char)*word);
		else
			g_string_append_c(text, *word);
	}
	return g_string_free(text, FALSE);
}

static void put_entry(struct config *c, const char *source, const char *target, const char *type,
		      const char *options)
{
	g_autofree char *from = escape(source);
	g_autofree char *to = escape(target);

	put(c, "lxc.mount.entry", "%s %s %s %s 0 0", from, to, type, options);
}

static gboolean on_host(const struct config *c, const char *path)
{
	g_autofree char *full = g_strconcat(c->host->root, path, NULL);

	return access(full, F_OK) == 0;
}

static const char *value_of(const struct config *c, const char *key)
{
	return json_text(c->spec->config, key);
}

/* --- parts ----------------------------------------------------------------------- */

static void put_log(struct config *c)
{
	const char *dir = c->spec->place.log_dir;

	put(c, "lxc.log.file", "%s/lxc.log", dir);
	put(c, "lxc.log.level", "%s", c->host->log_level);
	put(c, "lxc.console.buffer.size", "auto");
	put(c, "lxc.console.size", "auto");
	put(c, "lxc.console.logfile", "%s/console.log", dir);
}

/* An unprivileged instance's capabilities reach no further than its user namespace. */
static void put_isolation(struct config *c)
{
	const struct cgroup_layout *layout = &c->host->layout;
	gboolean pure = layout->memory == 2 && layout->cpu == 2;

	if (c->privileged)
		put(c, "lxc.cap.drop", "sys_time sys_module sys_rawio%s",
		    c->host->apparmor ? " mac_admin mac_override" : "");
	put(c, "lxc.mount.auto", "%s %s", c->privileged ? "proc:mixed sys:mixed" : "proc:rw sys:rw",
	    pure && layout->namespaces ? "cgroup:rw:force" : "cgroup:mixed");
	put(c, "lxc.autodev", "1");
	put(c, "lxc.pty.max", "1024");
}

/* What of the host's may be seen inside; the kernel checks who may use it. */
static void put_host_mounts(struct config *c)
{
	static const char *const files[] = { "/dev/fuse", "/dev/net/tun" };
	static const char *const dirs[] = {
		"/proc/sys/fs/binfmt_misc", "/sys/firmware/efi/efivars", "/sys/fs/fuse/connections",
		"/sys/fs/pstore",	    "/sys/kernel/config",	 "/sys/kernel/debug",
		"/sys/kernel/security",	    "/sys/kernel/tracing",
	};

	if (c->privileged)
		put_entry(c, "mqueue", "dev/mqueue", "mqueue", "rw,relatime,create=dir,optional");
	else if (on_host(c, "/dev/mqueue"))
		put_entry(c, "/dev/mqueue", "dev/mqueue", "none", "rbind,create=dir,optional");
	for (gsize i = 0; i < G_N_ELEMENTS(files); i++)
		if (on_host(c, files[i]))
			put_entry(c, files[i], files[i] + 1, "none", "bind,create=file,optional");
	for (gsize i = 0; i < G_N_ELEMENTS(dirs); i++)
		if (on_host(c, dirs[i]))
			put_entry(c, dirs[i], dirs[i] + 1, "none", "rbind,create=dir,optional");
}

static void put_includes(struct config *c)
{
	for (char *const *file = c->host->includes; file && *file; file++)
		put(c, "lxc.include", "%s", *file);
	if (c->host->views_hook)
		put(c, "lxc.hook.mount", "%s", c->host->views_hook);
}

static const char *devices_key(const struct config *c, gboolean allow)
{
	if (c->host->layout.devices == 2)
		return allow ? "lxc.cgroup2.devices.allow" : "lxc.cgroup2.devices.deny";
	return allow ? "lxc.cgroup.devices.allow" : "lxc.cgroup.devices.deny";
}

/* Device nodes can be made by privileged instances alone. */
static void put_devices(struct config *c)
{
	static const char *const allowed[] = {
		"b *:* m",   "c *:* m",	     "c 136:* rwm",  "c 1:3 rwm", "c 1:5 rwm",
		"c 1:7 rwm", "c 1:8 rwm",    "c 1:9 rwm",    "c 5:0 rwm", "c 5:1 rwm",
		"c 5:2 rwm", "c 10:229 rwm", "c 10:200 rwm",
	};

	if (!c->privileged || !c->host->layout.devices)
		return;
	put(c, devices_key(c, FALSE), "a");
	for (gsize i = 0; i < G_N_ELEMENTS(allowed); i++)
		put(c, devices_key(c, TRUE), "%s", allowed[i]);
}

/* /proc and /sys that nothing is mounted over: the kernel lets a user namespace mount new ones
 * then. */
static void put_nesting(struct config *c)
{
	if (!json_map_true(c->spec->config, "security.nesting"))
		return;
	put_entry(c, "proc", "dev/.lxc/proc", "proc", "create=dir,optional");
	put_entry(c, "sys", "dev/.lxc/sys", "sysfs", "create=dir,optional");
}

static const char *lxc_arch(const char *architecture)
{
	static const char *const thirty_two[] = { "i686", "armv7l", "armv6l", "ppc", "mips", NULL };

	return g_strv_contains(thirty_two, architecture) ? "linux32" : "linux64";
}

static void put_hook(struct config *c, const char *key, const char *what)
{
	const struct instance_spec *spec = c->spec;
	g_autofree char *standard = g_build_filename(spec->lxd_dir, "unix.socket", NULL);
	g_autofree char *helper = g_shell_quote(c->host->helper);
	g_autofree char *socket = g_shell_quote(spec->socket ? spec->socket : standard);
	g_autofree char *project = g_shell_quote(spec->project);
	g_autofree char *name = g_shell_quote(spec->name);

	put(c, key, "%s hook %s %s %s %s", helper, socket, project, name, what);
}

static void put_identity(struct config *c)
{
	put(c, "lxc.arch", "%s", lxc_arch(c->spec->architecture));
	put(c, "lxc.hook.version", "1");
	put_hook(c, "lxc.hook.pre-start", "start");
	put_hook(c, "lxc.hook.stop", "stopns");
	put_hook(c, "lxc.hook.post-stop", "stop");
	put(c, "lxc.tty.max", "0");
	put(c, "lxc.uts.name", "%s", c->spec->name);
	if (c->spec->devlxd)
		put_entry(c, c->spec->devlxd, "dev/lxd", "none", "bind,create=dir");
	if (c->host->apparmor)
		put(c, "lxc.apparmor.profile", "%s", c->host->apparmor);
	if (c->host->seccomp)
		put(c, "lxc.seccomp.profile", "%s", c->host->seccomp);
}

static void put_idmap(struct config *c)
{
	const struct idmap *map = c->spec->idmap;

	for (guint i = 0; map && i < map->count; i++) {
		const struct idmap_entry *e = &map->entries[i];

		if (e->is_uid)
			put(c, "lxc.idmap",
			    "u %" G_GINT64_FORMAT " %" G_GINT64_FORMAT " %" G_GINT64_FORMAT, e->ns,
			    e->host, e->range);
		if (e->is_gid)
			put(c, "lxc.idmap",
			    "g %" G_GINT64_FORMAT " %" G_GINT64_FORMAT " %" G_GINT64_FORMAT, e->ns,
			    e->host, e->range);
	}
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* "environment.X" as lxc.environment and so on, in the order of the alphabet. */
static void put_map(struct config *c, const char *prefix, const char *key, gboolean in_value)
{
	GPtrArray *names = g_ptr_array_new();
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)c->spec->config, name,
			    value) if (g_str_has_prefix(name, prefix) && json_string_length(value))
		g_ptr_array_add(names, (gpointer)name);
	g_ptr_array_sort(names, by_name);
	for (guint i = 0; i < names->len; i++) {
		const char *rest = (const char *)names->pdata[i] + strlen(prefix);
		g_autofree char *full = g_strconcat(key, rest, NULL);

		if (in_value)
			put(c, key, "%s=%s", rest, value_of(c, names->pdata[i]));
		else
			put(c, full, "%s", value_of(c, names->pdata[i]));
	}
	g_ptr_array_unref(names);
}

static gboolean put_limits(struct config *c, GError **error)
{
	struct limits_spec spec = {
		.layout = &c->host->layout,
		.config = c->spec->config,
		.cpus = c->spec->cpus,
		.memory_total = c->spec->memory_total,
	};
	g_autoptr(GPtrArray) items = limits_items(&spec, error);

	if (!items)
		return FALSE;
	for (guint i = 0; i < items->len; i++) {
		const struct limit *l = items->pdata[i];
		g_autofree char *key = g_strconcat(l->version == 2 ? "lxc.cgroup2." : "lxc.cgroup.",
						   l->file, NULL);

		put(c, key, "%s", l->value);
	}
	return TRUE;
}

static void put_rootfs(struct config *c)
{
	const struct instance_spec *spec = c->spec;

	if (spec->shmounts)
		put(c, "lxc.mount.auto", "shmounts:%s:/dev/.lxd-mounts", spec->shmounts);
	put(c, "lxc.rootfs.path", "dir:%s", spec->rootfs);
	if (spec->rootfs_readonly || (spec->rootfs_shifted && !c->privileged))
		put(c, "lxc.rootfs.options", "%s%s%s", spec->rootfs_readonly ? "ro" : "",
		    spec->rootfs_readonly && spec->rootfs_shifted && !c->privileged ? "," : "",
		    spec->rootfs_shifted && !c->privileged ? "idmap=container" : "");
}

static void put_instance_devices(struct config *c)
{
	for (gsize i = 0; i < c->spec->n_devices && c->host->layout.devices; i++) {
		const struct instance_device *d = &c->spec->devices[i];
		g_autofree char *major = d->major < 0 ? g_strdup("*")
						      : g_strdup_printf("%d", d->major);
		g_autofree char *minor = d->minor < 0 ? g_strdup("*")
						      : g_strdup_printf("%d", d->minor);

		put(c, devices_key(c, TRUE), "%c %s:%s %s", d->type, major, minor, d->access);
	}
	for (gsize i = 0; i < c->spec->n_mounts; i++) {
		const struct instance_mount *m = &c->spec->mounts[i];
		g_autofree char *options = m->shifted && !c->privileged
						   ? g_strconcat(m->options, ",idmap=container",
								 NULL)
						   : g_strdup(m->options);

		put_entry(c, m->source, m->target, m->type, options);
	}
}

static void put_nic(struct config *c, gsize i, const char *key, const char *value)
{
	g_autofree char *full = g_strdup_printf("lxc.net.%zu.%s", i, key);

	if (value && *value)
		put(c, full, "%s", value);
}

/* The interface is there already: liblxc but moves it. */
static void put_nics(struct config *c)
{
	if (!c->spec->n_nics)
		put(c, "lxc.net.0.type", "empty");
	for (gsize i = 0; i < c->spec->n_nics; i++) {
		const struct instance_nic *nic = &c->spec->nics[i];

		put_nic(c, i, "type", "phys");
		put_nic(c, i, "name", nic->name);
		put_nic(c, i, "flags", "up");
		put_nic(c, i, "link", nic->link);
		put_nic(c, i, "hwaddr", nic->hwaddr);
		put_nic(c, i, "mtu", nic->mtu);
	}
}

/* --- raw.lxc --------------------------------------------------------------------- */

/* Of a network only its addresses: its link is the daemon's. */
static gboolean check_raw_net(const char *key, GError **error)
{
	g_auto(GStrv) part = g_strsplit(key, ".", -1);
	gsize n = g_strv_length(part);
	gboolean number = n > 2 && *part[2] && strspn(part[2], "0123456789") == strlen(part[2]);

	if (number && n >= 4 && (!strcmp(part[3], "ipv4") || !strcmp(part[3], "ipv6")) &&
	    (n == 4 || (n == 5 && (!strcmp(part[4], "address") || !strcmp(part[4], "gateway")))))
		return TRUE;
	return fail(error, 400, "Only interface-specific ipv4/ipv6 lxc.net. keys are allowed");
}

static gboolean check_raw_key(const char *key, GError **error)
{
	static const char *const refused[] = { "lxc.log.file", "lxc.log.syslog", "lxc.ephemeral" };

	for (gsize i = 0; i < G_N_ELEMENTS(refused); i++)
		if (strcmp(key, refused[i]) == 0)
			return fail(error, 400, "Setting %s is not allowed", refused[i]);
	if (g_str_has_prefix(key, "lxc.prlimit."))
		return fail(
			error, 400,
			"Process limits should be set via \"limits.kernel.[limit name]\" and not "
			"directly via \"lxc.prlimit.[limit name]\"");
	if (g_str_has_prefix(key, "lxc.net.") || strcmp(key, "lxc.net") == 0)
		return check_raw_net(key, error);
	return TRUE;
}

gboolean lxc_config_check_raw(const char *raw, GError **error)
{
	g_auto(GStrv) lines = g_strsplit(raw, "\n", -1);

	for (char **line = lines; *line; line++) {
		char *equals;

		g_strstrip(*line);
		if (!**line || **line == '#')
			continue;
		equals = strchr(*line, '=');
		if (!equals)
			return fail(error, 400, "Invalid raw.lxc line: \"%s\"", *line);
		*equals = '\0';
		g_strstrip(*line);
		for (char *at = *line; *at; at++)
			*at = g_ascii_tolower(*at);
		if (!check_raw_key(*line, error))
			return FALSE;
	}
	return TRUE;
}

/* --- the whole ------------------------------------------------------------------- */

char *lxc_config_text(const struct instance_spec *spec, const struct lxc_host *host, GError **error)
{
	g_autoptr(GString) text = g_string_new(NULL);
	struct config c = {
		.spec = spec,
		.host = host,
		.text = text,
		.privileged = !spec->idmap || !spec->idmap->count,
	};

	put_log(&c);
	put_isolation(&c);
	put_host_mounts(&c);
	put_includes(&c);
	put_devices(&c);
	put_nesting(&c);
	put_identity(&c);
	put_idmap(&c);
	put_map(&c, "environment.", "lxc.environment", TRUE);
	if (!put_limits(&c, error))
		return NULL;
	put_map(&c, "limits.kernel.", "lxc.prlimit.", FALSE);
	put_map(&c, "linux.sysctl.", "lxc.sysctl.", FALSE);
	put_rootfs(&c);
	put_instance_devices(&c);
	put_nics(&c);
	if (c.broken) {
		fail(error, 400, "A value of %s has more than one line", c.broken);
		return NULL;
	}
	if (!lxc_config_check_raw(value_of(&c, "raw.lxc"), error))
		return NULL;
	g_string_append_printf(text, "%s\n", value_of(&c, "raw.lxc"));
	return g_string_free(g_steal_pointer(&text), FALSE);
}

char **lxc_config_includes(void)
{
	const char *set = g_getenv("LXD_LXC_TEMPLATE_CONFIG");
	const char *path = set ? set : COMMON_DIR;
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	GPtrArray *files = g_ptr_array_new();
	const char *name;

	while (dir && (name = g_dir_read_name(dir)))
		if (g_str_has_suffix(name, ".conf") && !g_str_has_suffix(name, "lxcfs.conf"))
			g_ptr_array_add(files, g_build_filename(path, name, NULL));
	g_ptr_array_sort(files, by_name);
	g_ptr_array_add(files, NULL);
	return (char **)g_ptr_array_free(files, FALSE);
}
