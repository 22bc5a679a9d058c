/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Profiles in liblxc's format, version 2: a header, sections by architecture, a rule a line. */
#include "drivers/instance/seccomp.h"

#include <errno.h>
#include <glib/gstdio.h>

#include "util/error.h"
#include "util/json.h"

#define REFUSED "errno 38" /* ENOSYS: programs then do without */

/* What reaches outside of every namespace. */
static const char *const always[] = {
	"kexec_load", "open_by_handle_at", "init_module", "finit_module", "delete_module",
};

/* The kernel's entries for 32-bit programs and x32 that differ from those of 64 bits. */
static const char *const compat[] = {
	"compat_sys_rt_sigaction",
	"stub_x32_rt_sigreturn",
	"compat_sys_ioctl",
	"compat_sys_readv",
	"compat_sys_writev",
	"compat_sys_recvfrom",
	"compat_sys_sendmsg",
	"compat_sys_recvmsg",
	"stub_x32_execve",
	"compat_sys_ptrace",
	"compat_sys_rt_sigpending",
	"compat_sys_rt_sigtimedwait",
	"compat_sys_rt_sigqueueinfo",
	"compat_sys_sigaltstack",
	"compat_sys_timer_create",
	"compat_sys_mq_notify",
	"compat_sys_kexec_load",
	"compat_sys_waitid",
	"compat_sys_set_robust_list",
	"compat_sys_get_robust_list",
	"compat_sys_vmsplice",
	"compat_sys_move_pages",
	"compat_sys_preadv64",
	"compat_sys_pwritev64",
	"compat_sys_rt_tgsigqueueinfo",
	"compat_sys_recvmmsg",
	"compat_sys_sendmmsg",
	"compat_sys_process_vm_readv",
	"compat_sys_process_vm_writev",
	"compat_sys_setsockopt",
	"compat_sys_getsockopt",
	"compat_sys_io_setup",
	"compat_sys_io_submit",
	"stub_x32_execveat",
};

/* A key, else the name that it had before LXD 4.0.8. */
static const char *value_of(const json_t *config, const char *key, const char *old)
{
	const char *value = json_text(config, key);

	return *value ? value : json_text(config, old);
}

static gboolean is_default_on(const json_t *config)
{
	const char *key = "security.syscalls.deny_default";

	if (!*json_text(config, key))
		key = "security.syscalls.blacklist_default";
	return !*json_text(config, key) || json_map_true(config, key);
}

static gboolean is_compat_on(const json_t *config)
{
	return json_map_true(config, "security.syscalls.deny_compat") ||
	       json_map_true(config, "security.syscalls.blacklist_compat");
}

static void append_lines(GString *text, const char *lines)
{
	g_string_append(text, lines);
	if (*lines && text->str[text->len - 1] != '\n')
		g_string_append_c(text, '\n');
}

static void append_rules(GString *text, const char *const *names, gsize n)
{
	for (gsize i = 0; i < n; i++)
		g_string_append_printf(text, "%s " REFUSED "\n", names[i]);
}

static char *deny_profile(const json_t *config, const char *architecture, const char *deny)
{
	g_autoptr(GString) text = g_string_new("2\ndenylist\n[all]\n");

	if (is_default_on(config)) {
		g_string_append(text, "reject_force_umount\n");
		append_rules(text, always, G_N_ELEMENTS(always));
	}
	append_lines(text, deny);
	if (is_compat_on(config)) {
		g_string_append_printf(text, "[%s]\n", architecture);
		append_rules(text, compat, G_N_ELEMENTS(compat));
	}
	return g_string_free(g_steal_pointer(&text), FALSE);
}

char *seccomp_profile(const json_t *config, const char *architecture)
{
	const char *raw = json_text(config, "raw.seccomp");
	const char *allow = value_of(config, "security.syscalls.allow",
				     "security.syscalls.whitelist");
	const char *deny = value_of(config, "security.syscalls.deny",
				    "security.syscalls.blacklist");

	if (*raw)
		return g_strdup(raw);
	if (*allow)
		return g_strconcat("2\nallowlist\n[all]\n", allow,
				   g_str_has_suffix(allow, "\n") ? "" : "\n", NULL);
	if (!*deny && !is_default_on(config) && !is_compat_on(config))
		return NULL;
	return deny_profile(config, architecture, deny);
}

static char *profile_path(const char *lxd_dir, const char *id)
{
	return g_build_filename(lxd_dir, "security", "seccomp", id, NULL);
}

gboolean seccomp_write(const char *lxd_dir, const char *id, const json_t *config,
		       const char *architecture, char **ret_path, GError **error)
{
	g_autofree char *path = profile_path(lxd_dir, id);
	g_autofree char *dir = g_path_get_dirname(path);
	g_autofree char *text = seccomp_profile(config, architecture);

	if (!text) {
		g_unlink(path);
		*ret_path = NULL;
		return TRUE;
	}
	if (g_mkdir_with_parents(dir, 0700))
		return fail_errno(error, errno, "Failed creating %s", dir);
	if (!g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600, error))
		return FALSE;
	*ret_path = g_steal_pointer(&path);
	return TRUE;
}

void seccomp_remove(const char *lxd_dir, const char *id)
{
	g_autofree char *path = profile_path(lxd_dir, id);

	g_unlink(path);
}
