/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * AppArmor profiles. All is allowed but what reaches the host through /proc, /sys and mounts;
 * an unprivileged instance is kept from these by its user namespace already.
 */
#include "drivers/instance/apparmor.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

#include "util/error.h"
#include "util/run.h"

#define PARSER "apparmor_parser"

gboolean apparmor_available(void)
{
	g_autofree char *text = NULL;

	return g_file_get_contents("/sys/module/apparmor/parameters/enabled", &text, NULL, NULL) &&
	       text[0] == 'Y';
}

gboolean apparmor_can_stack(void)
{
	g_autofree char *text = NULL;

	return g_file_get_contents("/sys/kernel/security/apparmor/features/domain/stack", &text,
				   NULL, NULL) &&
	       g_str_has_prefix(text, "yes");
}

char *apparmor_name(const struct apparmor_spec *spec)
{
	return g_strdup_printf("lxd-%s_<%s>", spec->id, spec->lxd_dir);
}

/* A namespace's name may have no slash in it. */
static char *namespace_name(const struct apparmor_spec *spec)
{
	g_autofree char *dir = g_strdelimit(g_strdup(spec->lxd_dir + 1), "/", '-');

	return g_strdup_printf("lxd-%s_<%s>", spec->id, dir);
}

static gboolean has_namespace(const struct apparmor_spec *spec)
{
	return spec->nesting && spec->stacking && !spec->privileged;
}

char *apparmor_label(const struct apparmor_spec *spec)
{
	g_autofree char *name = apparmor_name(spec);
	g_autofree char *ns = namespace_name(spec);

	return has_namespace(spec) ? g_strdup_printf("%s//&:%s:", name, ns)
				   : g_steal_pointer(&name);
}

static const char base[] =
	"  # everything, then what is taken away again\n"
	"  capability,\n"
	"  dbus,\n"
	"  file,\n"
	"  network,\n"
	"  ptrace,\n"
	"  signal,\n"
	"  unix,\n"
	"  umount,\n"
	"  pivot_root,\n"
	"\n"
	"  # settings of the whole host\n"
	"  deny @{PROC}/kcore rwklx,\n"
	"  deny @{PROC}/kmem rwklx,\n"
	"  deny @{PROC}/mem rwklx,\n"
	"  deny @{PROC}/acpi/** rwklx,\n"
	"  deny @{PROC}/sysrq-trigger rwklx,\n"
	"  deny @{PROC}/sys/fs/** wklx,\n"
	"  deny @{PROC}/sys/vm/** wklx,\n"
	"  deny @{PROC}/sys/dev/** wklx,\n"
	"  deny @{PROC}/sys/debug/** wklx,\n"
	"  deny @{PROC}/sys/kernel/core_pattern wklx,\n"
	"  deny @{PROC}/sys/kernel/modprobe wklx,\n"
	"  deny @{PROC}/sys/kernel/hotplug wklx,\n"
	"  deny @{PROC}/sys/kernel/{kexec_load_disabled,modules_disabled,panic*,sysrq} wklx,\n"
	"  deny /sys/firmware/** rwklx,\n"
	"  deny /sys/kernel/debug/** rwklx,\n"
	"  deny /sys/kernel/tracing/** rwklx,\n"
	"  deny /sys/[^fdc]*/** wklx,\n"
	"  deny /sys/c[^l]*/** wklx,\n"
	"  deny /sys/d[^e]*/** wklx,\n"
	"  deny /sys/f[^s]*/** wklx,\n"
	"  deny /sys/fs/[^bcf]*/** wklx,\n"
	"  deny /sys/fs/b[^p]*/** wklx,\n"
	"  deny /sys/fs/c[^g]*/** wklx,\n"
	"  deny /sys/fs/f[^u]*/** wklx,\n";

/* What a user namespace would otherwise confine: which file systems, and where. */
static const char privileged_mounts[] =
	"\n"
	"  # file systems that show no more than the instance\n"
	"  mount fstype=tmpfs,\n"
	"  mount fstype=proc -> /proc/,\n"
	"  mount fstype=sysfs -> /sys/,\n"
	"  mount fstype=mqueue,\n"
	"  mount fstype=devpts,\n"
	"  mount fstype=hugetlbfs,\n"
	"  mount fstype=fuse,\n"
	"  mount fstype=fuse.*,\n"
	"  mount fstype=binfmt_misc -> /proc/sys/fs/binfmt_misc/,\n"
	"  mount fstype=cgroup -> /sys/fs/cgroup/**,\n"
	"  mount options=(rw,make-slave) -> **,\n"
	"  mount options=(rw,make-rslave) -> **,\n"
	"  mount options=(rw,make-shared) -> **,\n"
	"  mount options=(rw,make-rshared) -> **,\n"
	"  mount options=(rw,make-private) -> **,\n"
	"  mount options=(rw,make-rprivate) -> **,\n"
	"  mount options=(rw,make-unbindable) -> **,\n"
	"  mount options=(rw,make-runbindable) -> **,\n"
	"  mount options=(rw,bind) -> "
	"/{,bin,boot,dev,etc,home,lib,lib64,media,mnt,opt,root,run,sbin,"
	"snap,srv,tmp,usr,var}{,/**},\n"
	"  mount options=(rw,rbind) -> "
	"/{,bin,boot,dev,etc,home,lib,lib64,media,mnt,opt,root,run,sbin,"
	"snap,srv,tmp,usr,var}{,/**},\n"
	"  mount options=(rw,move) /{dev,run}{,/**} -> **,\n"
	"  mount options=(ro,remount),\n"
	"  mount options=(ro,remount,bind),\n";

static const char unprivileged_mounts[] = "\n"
					  "  # the user namespace says what it may mount\n"
					  "  mount,\n"
					  "  remount,\n";

static const char no_nesting[] = "\n"
				 "  deny /sys/kernel/security/** rwklx,\n";

static const char nesting[] = "\n"
			      "  # instances within\n"
			      "  pivot_root /var/lib/lxd/**,\n"
			      "  mount fstype=proc -> /var/cache/lxc/**,\n"
			      "  mount fstype=sysfs -> /var/cache/lxc/**,\n"
			      "  mount fstype=proc -> /dev/.lxc/proc/,\n"
			      "  mount fstype=sysfs -> /dev/.lxc/sys/,\n"
			      "  mount options=(rw,bind),\n"
			      "  mount options=(rw,rbind),\n"
			      "  mount options=(rw,move),\n"
			      "  change_profile -> **,\n";

static void append_raw(GString *text, const char *raw)
{
	g_auto(GStrv) lines = g_strsplit(raw, "\n", -1);

	g_string_append(text, "\n  # raw.apparmor\n");
	for (char **line = lines; *line; line++)
		if (**line)
			g_string_append_printf(text, "  %s\n", *line);
}

char *apparmor_profile(const struct apparmor_spec *spec)
{
	g_autofree char *name = apparmor_name(spec);
	g_autofree char *ns = namespace_name(spec);
	g_autoptr(GString) text = g_string_new("#include <tunables/global>\n");

	g_string_append_printf(
		text, "profile \"%s\" flags=(attach_disconnected,mediate_deleted) {\n", name);
	g_string_append(text, base);
	if (spec->cgroup2)
		g_string_append(text, "  mount fstype=cgroup2 -> /sys/fs/cgroup/**,\n"
				      "  mount fstype=cgroup2 -> /sys/fs/cgroup/,\n");
	g_string_append(text, spec->privileged ? privileged_mounts : unprivileged_mounts);
	g_string_append(text, spec->nesting ? nesting : no_nesting);
	g_string_append_printf(text, "  change_profile -> \"%s\",\n", name);
	if (has_namespace(spec))
		g_string_append_printf(text,
				       "  change_profile -> \":%s:*\",\n"
				       "  change_profile -> \":%s://*\",\n",
				       ns, ns);
	if (*spec->raw)
		append_raw(text, spec->raw);
	g_string_append(text, "}\n");
	return g_string_free(g_steal_pointer(&text), FALSE);
}

/* --- files and the kernel -------------------------------------------------------- */

static char *file_in(const struct apparmor_spec *spec, const char *kind)
{
	g_autofree char *name = g_strconcat("lxd-", spec->id, NULL);

	return g_build_filename(spec->lxd_dir, "security", "apparmor", kind, name, NULL);
}

static gboolean parser(const struct apparmor_spec *spec, const char *how, GError **error)
{
	g_autofree char *file = file_in(spec, "profiles");
	g_autofree char *cache = g_build_filename(spec->lxd_dir, "security", "apparmor", "cache",
						  NULL);

	if (g_mkdir_with_parents(cache, 0700))
		return fail_errno(error, errno, "Failed creating %s", cache);
	return run_words(NULL, error, PARSER, how, cache, file, NULL);
}

/* A namespace exists while its directory does; the kernel loads profiles into it only then. */
static char *namespace_dir(const struct apparmor_spec *spec)
{
	g_autofree char *ns = namespace_name(spec);

	return g_build_filename("/sys/kernel/security/apparmor/policy/namespaces", ns, NULL);
}

gboolean apparmor_load(const struct apparmor_spec *spec, GError **error)
{
	g_autofree char *file = file_in(spec, "profiles");
	g_autofree char *dir = g_path_get_dirname(file);
	g_autofree char *text = apparmor_profile(spec);
	g_autofree char *ns = namespace_dir(spec);

	if (!apparmor_available())
		return TRUE;
	if (g_mkdir_with_parents(dir, 0700))
		return fail_errno(error, errno, "Failed creating %s", dir);
	if (!g_file_set_contents_full(file, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600, error))
		return FALSE;
	if (has_namespace(spec) && g_mkdir(ns, 0755) && errno != EEXIST)
		return fail_errno(error, errno, "Failed creating %s", ns);
	return parser(spec, "-rWL", error);
}

gboolean apparmor_unload(const struct apparmor_spec *spec, GError **error)
{
	g_autofree char *file = file_in(spec, "profiles");
	g_autofree char *ns = namespace_dir(spec);

	if (!apparmor_available() || !g_file_test(file, G_FILE_TEST_EXISTS))
		return TRUE;
	if (has_namespace(spec))
		g_rmdir(ns);
	return parser(spec, "-RWL", error);
}

void apparmor_remove(const struct apparmor_spec *spec)
{
	g_autofree char *file = file_in(spec, "profiles");

	g_unlink(file);
}
