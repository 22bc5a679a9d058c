/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Mode bits first: only what they refuse asks /proc for the caller's user namespace. */
#include "permission.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/line.h"
#include "base/number.h"

#define LINK_SIZE 64		/* "user:[4026531837]" */
#define CAPABILITY_SYS_ADMIN 21 /* linux/capability.h */

static int proc_text(int procfd, pid_t pid, const char *name, struct text *t)
{
	char path[64];

	if (pid <= 0)
		return -ESRCH;
	snprintf(path, sizeof path, "%d/%s", pid, name);
	return file_read_at(procfd, path, t);
}

/* Does the caller live in the host's user namespace, that of the host's init? */
static bool in_host_userns(int procfd, pid_t pid)
{
	char path[64], host[LINK_SIZE], own[LINK_SIZE];

	if (pid <= 0)
		return false;
	snprintf(path, sizeof path, "%d/ns/user", pid);
	if (file_readlink_at(procfd, "1/ns/user", host, sizeof host) < 0 &&
	    file_readlink_at(procfd, "self/ns/user", host, sizeof host) < 0)
		return false;
	return file_readlink_at(procfd, path, own, sizeof own) == 0 && strcmp(host, own) == 0;
}

/* Reads a line "inside outside count" of /proc/PID/uid_map. */
static bool map_line(struct line line, uint64_t ret[3])
{
	for (size_t i = 0; i < 3; i++) {
		struct line word;
		const char *p;

		if (!line_word(&line, &word))
			return false;
		p = word.start;
		if (number_take(&p, &ret[i]) < 0 || p != word.start + word.len)
			return false;
	}
	return true;
}

/*
 * What an id of the host is inside: false where the map leaves it out. A map tells
 * the outside ids as the engine's own user namespace numbers them, so nested
 * namespaces need no walk (m_show() in kernel/user_namespace.c).
 */
static bool map_inside(const char *map, uint64_t id, uint64_t *ret)
{
	struct line line;

	while (line_next(&map, &line)) {
		uint64_t extent[3];

		if (!map_line(line, extent) || id < extent[1] || id - extent[1] >= extent[2])
			continue;
		*ret = extent[0] + (id - extent[1]);
		return true;
	}
	return false;
}

bool permission_is_root_over(int procfd, const struct lxcfs_caller *caller, uid_t uid)
{
	AUTO_TEXT struct text map = { 0 };
	uint64_t inside;

	/* Asked from within, a namespace's map tells its parent's ids: not the ones we have. */
	if (in_host_userns(procfd, caller->pid))
		return caller->uid == 0;
	if (proc_text(procfd, caller->pid, "uid_map", &map) < 0 ||
	    !map_inside(text_str(&map), caller->uid, &inside) || inside != 0)
		return false;
	return map_inside(text_str(&map), uid, &inside);
}

bool permission_knows_group(int procfd, const struct lxcfs_caller *caller, gid_t gid)
{
	AUTO_TEXT struct text map = { 0 };
	uint64_t inside;

	if (in_host_userns(procfd, caller->pid))
		return true;
	return proc_text(procfd, caller->pid, "gid_map", &map) == 0 &&
	       map_inside(text_str(&map), gid, &inside);
}

static bool has_sys_admin(const char *status)
{
	const char *at = strstr(status, "\nCapEff:\t");
	unsigned long long effective;

	return at && sscanf(at, " CapEff: %16llx", &effective) == 1 &&
	       effective >> CAPABILITY_SYS_ADMIN & 1;
}

bool permission_is_admin(int procfd, const struct lxcfs_caller *caller)
{
	AUTO_TEXT struct text status = { 0 };

	return in_host_userns(procfd, caller->pid) &&
	       proc_text(procfd, caller->pid, "status", &status) == 0 &&
	       has_sys_admin(text_str(&status));
}

int permission_check(int procfd, const struct lxcfs_caller *caller, mode_t mode, uid_t uid,
		     gid_t gid, int mask)
{
	mode_t bits = mode;

	if (caller->uid == uid)
		bits = mode >> 6;
	else if (caller->gid == gid)
		bits = mode >> 3;
	if (((mode_t)mask & ~bits & 7) == 0)
		return 0;
	/* As CAP_DAC_OVERRIDE: everything but to run a file that nobody may run. */
	if (mask & X_OK && !S_ISDIR(mode) && !(mode & 0111))
		return -EACCES;
	if (!permission_is_root_over(procfd, caller, uid) ||
	    !permission_knows_group(procfd, caller, gid))
		return -EACCES;
	return 0;
}
