/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Finding the init of a pid namespace, remembering it, and telling whose cgroup counts. */
#include "container.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/line.h"
#include "base/number.h"

/* linux/nsfs.h of kernel 6.11: the thread group of a pid given as that namespace numbers it. */
#ifndef NS_GET_TGID_FROM_PIDNS
#define NS_GET_TGID_FROM_PIDNS _IOR(0xb7, 0x7, int)
#endif

#define NAMESPACES_MAX 1024 /* remembered at a time, each holds one fd */
#define NAMESPACE_BUCKETS 256
#define LINK_MAX_LEN 64

/* PROC_PID_INIT_INO and PROC_TIME_INIT_INO of linux/proc_ns.h: never another number. */
#define PIDNS_INITIAL "pid:[4026531836]"
#define TIMENS_INITIAL "time:[4026531834]"

/* A pid namespace whose init was found; alive as long as the fd can be read. */
struct pid_namespace {
	struct pid_namespace *next;
	char link[LINK_MAX_LEN];
	pid_t init;
	int cgroup_fd; /* /proc/INIT/cgroup, gives ESRCH once init is gone */
	uint64_t start_us;
	bool own_timens;
	int64_t boottime_offset_us;
};

struct containers {
	int procfd;
	const struct cgroups *cgroups;
	char host_pidns[LINK_MAX_LEN], host_timens[LINK_MAX_LEN];
	pthread_mutex_t lock;
	struct pid_namespace *bucket[NAMESPACE_BUCKETS];
	unsigned count;
};

static int proc_link(int procfd, pid_t pid, const char *name, char link[LINK_MAX_LEN])
{
	char path[64];

	snprintf(path, sizeof path, "%d/ns/%s", pid, name);
	return file_readlink_at(procfd, path, link, LINK_MAX_LEN);
}

static int proc_text(int procfd, pid_t pid, const char *name, struct text *t)
{
	char path[64];

	snprintf(path, sizeof path, "%d/%s", pid, name);
	return file_read_at(procfd, path, t);
}

/*
 * The host's namespace is that of pid 1 of its /proc; where we may not look at
 * that, our own; in a copy of a host's files, the kernel's first.
 */
static void host_link(int procfd, const char *name, const char *initial, char link[LINK_MAX_LEN])
{
	char self[32];

	snprintf(self, sizeof self, "self/ns/%s", name);
	if (proc_link(procfd, 1, name, link) < 0 &&
	    file_readlink_at(procfd, self, link, LINK_MAX_LEN) < 0)
		memcpy(link, initial, strlen(initial) + 1);
}

int containers_open(int procfd, const struct cgroups *cgroups, struct containers **ret)
{
	struct containers *c = calloc(1, sizeof *c);

	if (!c)
		return -ENOMEM;
	c->procfd = procfd;
	c->cgroups = cgroups;
	pthread_mutex_init(&c->lock, NULL);
	host_link(procfd, "pid", PIDNS_INITIAL, c->host_pidns);
	host_link(procfd, "time", TIMENS_INITIAL, c->host_timens);
	*ret = c;
	return 0;
}

static void namespace_free(struct pid_namespace *ns)
{
	cleanup_close(&ns->cgroup_fd);
	free(ns);
}

void containers_close(struct containers *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < NAMESPACE_BUCKETS; i++) {
		while (c->bucket[i]) {
			struct pid_namespace *ns = c->bucket[i];

			c->bucket[i] = ns->next;
			namespace_free(ns);
		}
	}
	pthread_mutex_destroy(&c->lock);
	free(c);
}

/* The value of a "Key:\tvalue" line of /proc/PID/status; a line of length 0 if there is none. */
static struct line status_value(const char *status, const char *key)
{
	struct line line = { 0 };

	while (line_next(&status, &line)) {
		if (line_starts(&line, key)) {
			size_t n = strlen(key);

			return (struct line){ line.start + n, line.len - n };
		}
	}
	return (struct line){ status, 0 };
}

/* The last number of "NSpid:", the pid in the innermost namespace; 0 if unknown. */
static uint64_t status_inner_pid(const char *status)
{
	struct line value = status_value(status, "NSpid:"), word;
	uint64_t pid = 0;

	while (line_word(&value, &word)) {
		const char *p = word.start;

		if (number_take(&p, &pid) < 0)
			return 0;
	}
	return pid;
}

static bool is_init_of(int procfd, pid_t pid, const char *link, const char *status)
{
	char own[LINK_MAX_LEN];

	return status_inner_pid(status) == 1 && proc_link(procfd, pid, "pid", own) == 0 &&
	       strcmp(own, link) == 0;
}

/* Climbs from the caller to its ancestors; init is one of them unless the caller was attached. */
static pid_t init_among_ancestors(int procfd, pid_t pid, const char *link)
{
	for (unsigned depth = 0; pid > 0 && depth < 128; depth++) {
		AUTO_TEXT struct text status = { 0 };
		struct line parent;
		const char *p;
		uint64_t ppid;

		if (proc_text(procfd, pid, "status", &status) < 0)
			return 0;
		if (is_init_of(procfd, pid, link, text_str(&status)))
			return pid;
		parent = status_value(text_str(&status), "PPid:");
		p = parent.start + (parent.len && *parent.start == '\t');
		if (number_take(&p, &ppid) < 0)
			return 0;
		pid = (pid_t)ppid;
	}
	return 0;
}

static pid_t init_among_all(int procfd, const char *link)
{
	int fd = openat(procfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_CLOSEDIR DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir)
		cleanup_close(&fd);
	while (dir && (entry = readdir(dir))) {
		AUTO_TEXT struct text status = { 0 };
		const char *p = entry->d_name;
		uint64_t pid;

		if (number_take(&p, &pid) < 0 || *p ||
		    proc_text(procfd, (pid_t)pid, "status", &status) < 0)
			continue;
		if (is_init_of(procfd, (pid_t)pid, link, text_str(&status)))
			return (pid_t)pid;
	}
	return 0;
}

static pid_t find_init(int procfd, pid_t caller, const char *link)
{
	AUTO_CLOSE int fd = -1;
	char path[64];
	pid_t init;
	int tgid;

	snprintf(path, sizeof path, "%d/ns/pid", caller);
	fd = openat(procfd, path, O_RDONLY | O_CLOEXEC);
	tgid = fd < 0 ? -1 : ioctl(fd, NS_GET_TGID_FROM_PIDNS, 1);
	if (tgid > 0)
		return tgid;
	init = init_among_ancestors(procfd, caller, link);
	return init ? init : init_among_all(procfd, link);
}

/* Field 22 of /proc/PID/stat, in clock ticks since boot; comm may hold any byte but NUL. */
static int start_time_us(int procfd, pid_t pid, uint64_t *ret)
{
	AUTO_TEXT struct text stat = { 0 };
	int r = proc_text(procfd, pid, "stat", &stat);
	struct line rest, word;
	const char *comm_end, *p;
	uint64_t ticks;

	if (r < 0)
		return r;
	comm_end = strrchr(text_str(&stat), ')');
	if (!comm_end)
		return -EINVAL;
	rest = (struct line){ comm_end + 1, strlen(comm_end + 1) };
	for (int field = 3; field <= 22; field++) {
		if (!line_word(&rest, &word))
			return -EINVAL;
	}
	p = word.start;
	r = number_take(&p, &ticks);
	if (r == 0)
		*ret = number_scale(ticks, 1000000, (uint64_t)sysconf(_SC_CLK_TCK));
	return r;
}

/* "boottime  -123 456000000" of /proc/PID/timens_offsets, in microseconds. */
static int64_t boottime_offset_us(int procfd, pid_t pid)
{
	AUTO_TEXT struct text offsets = { 0 };
	const char *at;
	long long seconds, nanoseconds;

	if (proc_text(procfd, pid, "timens_offsets", &offsets) < 0)
		return 0;
	at = strstr(text_str(&offsets), "boottime");
	if (!at || sscanf(at, "boottime %lld %lld", &seconds, &nanoseconds) != 2)
		return 0;
	return seconds * 1000000 + nanoseconds / 1000;
}

static int namespace_fill(const struct containers *c, struct pid_namespace *ns)
{
	char path[64], timens[LINK_MAX_LEN];

	snprintf(path, sizeof path, "%d/cgroup", ns->init);
	ns->cgroup_fd = openat(c->procfd, path, O_RDONLY | O_CLOEXEC);
	if (ns->cgroup_fd < 0)
		return -errno;
	if (proc_link(c->procfd, ns->init, "time", timens) == 0 &&
	    strcmp(timens, c->host_timens) != 0) {
		ns->own_timens = true;
		ns->boottime_offset_us = boottime_offset_us(c->procfd, ns->init);
	}
	return start_time_us(c->procfd, ns->init, &ns->start_us);
}

static int namespace_new(const struct containers *c, pid_t caller, const char *link,
			 struct pid_namespace **ret)
{
	struct pid_namespace *ns = calloc(1, sizeof *ns);
	int r;

	if (!ns)
		return -ENOMEM;
	ns->cgroup_fd = -1;
	memcpy(ns->link, link, strlen(link) + 1);
	ns->init = find_init(c->procfd, caller, link);
	r = ns->init ? namespace_fill(c, ns) : -ESRCH;
	if (r < 0) {
		namespace_free(ns);
		return r;
	}
	*ret = ns;
	return 0;
}

static struct pid_namespace **namespace_bucket(struct containers *c, const char *link)
{
	return &c->bucket[hash_string(link) % NAMESPACE_BUCKETS];
}

/* Forgets namespaces whose init is gone; called when the table is full. */
static void namespaces_prune(struct containers *c)
{
	for (size_t i = 0; i < NAMESPACE_BUCKETS; i++) {
		struct pid_namespace **at = &c->bucket[i];

		while (*at) {
			struct pid_namespace *ns = *at;
			char byte;

			if (pread(ns->cgroup_fd, &byte, 1, 0) == 1) {
				at = &ns->next;
				continue;
			}
			*at = ns->next;
			namespace_free(ns);
			c->count--;
		}
	}
}

/* Drops one live namespace, so that a new one can be remembered. */
static void namespace_evict(struct containers *c, size_t from)
{
	for (size_t i = 0; i < NAMESPACE_BUCKETS; i++) {
		struct pid_namespace **at = &c->bucket[(from + i) % NAMESPACE_BUCKETS];
		struct pid_namespace *ns = *at;

		if (!ns)
			continue;
		*at = ns->next;
		namespace_free(ns);
		c->count--;
		return;
	}
}

/*
 * Copies what is known of a remembered namespace (without its fd) and reads its
 * init's cgroups; a dead one is forgotten. Under the lock, so that nobody closes
 * the fd meanwhile. False: not known.
 */
static bool namespace_recall(struct containers *c, const char *link, struct pid_namespace *ret,
			     struct text *cgroup)
{
	for (struct pid_namespace **at = namespace_bucket(c, link); *at; at = &(*at)->next) {
		struct pid_namespace *ns = *at;

		if (strcmp(ns->link, link) != 0)
			continue;
		if (file_read(ns->cgroup_fd, cgroup) == 0 && cgroup->len) {
			*ret = *ns;
			return true;
		}
		text_clear(cgroup);
		*at = ns->next;
		namespace_free(ns);
		c->count--;
		return false;
	}
	return false;
}

static void namespace_remember(struct containers *c, struct pid_namespace *ns)
{
	struct pid_namespace **bucket = namespace_bucket(c, ns->link);

	if (c->count >= NAMESPACES_MAX)
		namespaces_prune(c);
	if (c->count >= NAMESPACES_MAX)
		namespace_evict(c, hash_string(ns->link));
	ns->next = *bucket;
	*bucket = ns;
	c->count++;
}

static int namespace_of(struct containers *c, pid_t caller, const char *link,
			struct pid_namespace *ret, struct text *cgroup)
{
	struct pid_namespace *ns;
	bool known;
	int r;

	pthread_mutex_lock(&c->lock);
	known = namespace_recall(c, link, ret, cgroup);
	pthread_mutex_unlock(&c->lock);
	if (known)
		return 0;
	r = namespace_new(c, caller, link, &ns);
	if (r < 0)
		return r;
	r = file_read(ns->cgroup_fd, cgroup);
	if (r < 0) {
		namespace_free(ns);
		return r;
	}
	*ret = *ns;
	pthread_mutex_lock(&c->lock);
	namespace_remember(c, ns);
	pthread_mutex_unlock(&c->lock);
	return 0;
}

/* A caller in the host's pid namespace: its own cgroup, and the host's init. */
static int container_on_host(struct containers *c, const char *cgroup, struct container *ret)
{
	struct container found = { .init = 1, .id = hash_string(cgroup) };
	int r = cgroup_open(c->cgroups, cgroup, false, &found.cgroup);

	if (r == 0)
		*ret = found;
	return r;
}

static int container_without_init(struct containers *c, pid_t caller, const char *cgroup,
				  struct container *ret)
{
	struct container found = { .own_pidns = true, .id = hash_string(cgroup) };
	int r = start_time_us(c->procfd, caller, &found.start_us);

	if (r == 0)
		r = cgroup_open(c->cgroups, cgroup, false, &found.cgroup);
	if (r == 0)
		*ret = found;
	return r;
}

int container_of(struct containers *c, pid_t caller, struct container *ret)
{
	AUTO_TEXT struct text own = { 0 }, init = { 0 };
	struct pid_namespace ns;
	struct container found = { 0 };
	char link[LINK_MAX_LEN];
	bool inside;
	int r;

	if (caller <= 0)
		return -ESRCH;
	r = proc_link(c->procfd, caller, "pid", link);
	if (r == 0)
		r = proc_text(c->procfd, caller, "cgroup", &own);
	if (r < 0)
		return r == -ENOENT ? -ESRCH : r;
	if (strcmp(link, c->host_pidns) == 0)
		return container_on_host(c, text_str(&own), ret);
	r = namespace_of(c, caller, link, &ns, &init);
	if (r == -ESRCH) /* init is gone or hidden: the container is ending */
		return container_without_init(c, caller, text_str(&own), ret);
	if (r < 0)
		return r;
	inside = cgroup_text_contains(text_str(&init), text_str(&own));
	found = (struct container){
		.init = ns.init,
		.own_pidns = true,
		.start_us = ns.start_us,
		.own_timens = ns.own_timens,
		.boottime_offset_us = ns.boottime_offset_us,
	};
	r = cgroup_open(c->cgroups, text_str(inside ? &init : &own), inside, &found.cgroup);
	if (r < 0)
		return r;
	found.id = hash_string(link) ^ hash_string(text_str(inside ? &init : &own)) ^
		   found.start_us * 0x9e3779b97f4a7c15;
	*ret = found;
	return 0;
}

void container_free(struct container *container)
{
	cgroup_close(container->cgroup);
	*container = (struct container){ 0 };
}
