/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who is in a cgroup of the view, and who may be moved there. */
#include "cgroup/view_procs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/number.h"
#include "permission.h"

bool procs_is(const char *name)
{
	return strcmp(name, "tasks") == 0 || strcmp(name, "cgroup.procs") == 0 ||
	       strcmp(name, "cgroup.threads") == 0;
}

int procs_read(const struct tree_call *call, const struct place *place, struct text *text)
{
	AUTO_PID_NUMBERS struct pid_numbers numbers = PID_NUMBERS_NONE;
	AUTO_CLOSE int fd = file_open_beneath(place->parent, place->name, O_RDONLY);
	AUTO_TEXT struct text list = { 0 };
	int r = fd < 0 ? fd : file_read(fd, &list);

	if (r == 0)
		r = pid_numbers_open(call->host->procfd, call->caller->pid, &numbers);
	if (r < 0)
		return r;
	pid_numbers_list(&numbers, text_str(&list), text);
	return text->error;
}

/* One number, white space around it, as the kernel takes it. */
static int pid_parse(const char *data, size_t len, pid_t *ret)
{
	const char *end = data + len, *start = data;
	char number[16] = "";
	const char *p = number;
	uint64_t pid;

	while (end > start && strchr(" \t\n", end[-1]))
		end--;
	while (start < end && strchr(" \t\n", *start))
		start++;
	if ((size_t)(end - start) >= sizeof number)
		return -EINVAL;
	memcpy(number, start, (size_t)(end - start));
	if (number_take(&p, &pid) < 0 || p != number + (end - start) || pid > INT32_MAX)
		return -EINVAL;
	*ret = (pid_t)pid;
	return 0;
}

/* The process as the host numbers it; a 0 names the writer. */
static int pid_outside(const struct tree_call *call, const char *file, pid_t pid, pid_t *ret)
{
	AUTO_PID_NUMBERS struct pid_numbers numbers = PID_NUMBERS_NONE;
	int r;

	if (pid == 0) {
		*ret = call->caller->pid;
		return 0;
	}
	r = pid_numbers_open(call->host->procfd, call->caller->pid, &numbers);
	if (r < 0)
		return r;
	pid = pid_numbers_outside(&numbers, pid, strcmp(file, "cgroup.procs") != 0);
	if (!pid)
		return -ESRCH;
	*ret = pid;
	return 0;
}

/* The real and the saved uid of a process. */
static int uids_read(int processfd, uid_t *ret_real, uid_t *ret_saved)
{
	AUTO_TEXT struct text status = { 0 };
	unsigned real, effective, saved;
	const char *at;
	int r = file_read_at(processfd, "status", &status);

	if (r < 0)
		return -ESRCH;
	at = strstr(text_str(&status), "\nUid:");
	if (!at || sscanf(at, "\nUid: %u %u %u", &real, &effective, &saved) != 3)
		return -ESRCH;
	*ret_real = real;
	*ret_saved = saved;
	return 0;
}

/* As __cgroup1_procs_write() of the kernel, with root of a user namespace over what it maps. */
static int owner_check(const struct tree_call *call, int processfd)
{
	const struct lxcfs_caller *caller = call->caller;
	int procfd = call->host->procfd;
	uid_t real, saved;
	int r = uids_read(processfd, &real, &saved);

	if (r < 0)
		return r;
	if (caller->uid == real || caller->uid == saved ||
	    (permission_is_root_over(procfd, caller, real) &&
	     permission_is_root_over(procfd, caller, saved)))
		return 0;
	return -EACCES;
}

/* How much of two paths is the same directory: "/a/b" and "/a/c" share "/a". */
static size_t common_length(const char *a, const char *b)
{
	size_t common = 0, i = 0;

	for (;; i++) {
		bool end = (a[i] == '/' || !a[i]) && (b[i] == '/' || !b[i]);

		if (end)
			common = i;
		if (a[i] != b[i] || !a[i])
			return common;
	}
}

/*
 * cgroup v2 lets a process be moved only by who may write the cgroup.procs of the
 * ancestor that both places have in common (cgroup_procs_write_permission()).
 */
static int ancestor_check(const struct tree_call *call, const struct place *place, const char *from,
			  const char *to)
{
	size_t len = common_length(from, to);
	AUTO_TEXT struct text path = { 0 };
	AUTO_CLOSE int fd = -1;
	struct stat st;

	text_append(&path, from, len);
	text_puts(&path, "/cgroup.procs");
	if (path.error)
		return path.error;
	fd = file_open_beneath(place->hierarchy->fd, path.data + 1, O_PATH);
	if (fd < 0 || fstat(fd, &st) < 0)
		return fd < 0 ? fd : -errno;
	return permission_check(call->host->procfd, call->caller, st.st_mode, st.st_uid, st.st_gid,
				W_OK);
}

/* The process has to be in the caller's own cgroup already, or below. */
static int origin_check(const struct tree_call *call, const struct place *place, int processfd,
			const char *to)
{
	const char *own = place_own(call, place->index), *from;
	AUTO_TEXT struct text text = { 0 };
	struct cgroup *cg;
	int r = file_read_at(processfd, "cgroup", &text);

	if (r == 0)
		r = cgroup_open(call->host->cgroups, text_str(&text), false, &cg);
	if (r < 0)
		return r == -ENOENT ? -ESRCH : r;
	from = cgroup_path(cg, place->index);
	if (!from || !own || common_length(own, from) != strlen(own))
		r = -EACCES;
	else if (place->hierarchy->version == 2)
		r = ancestor_check(call, place, from[1] ? from : "", to);
	cgroup_close(cg);
	return r;
}

static int pid_write(const struct place *place, pid_t pid)
{
	AUTO_CLOSE int fd = file_open_beneath(place->parent, place->name, O_WRONLY);
	char number[16];
	int len = snprintf(number, sizeof number, "%d", pid);

	if (fd < 0)
		return fd;
	return write(fd, number, (size_t)len) < 0 ? -errno : 0;
}

int procs_write(const struct tree_call *call, const struct place *place, const char *data,
		size_t len)
{
	AUTO_CLOSE int processfd = -1;
	char path[32];
	pid_t pid;
	int r = pid_parse(data, len, &pid);

	if (r == 0)
		r = pid_outside(call, place->name, pid, &pid);
	if (r < 0)
		return r;
	snprintf(path, sizeof path, "%d", pid);
	processfd = openat(call->host->procfd, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (processfd < 0)
		return -ESRCH;
	if (pid != call->caller->pid)
		r = owner_check(call, processfd);
	if (r == 0)
		r = origin_check(call, place, processfd, place->path);
	return r < 0 ? r : pid_write(place, pid);
}
