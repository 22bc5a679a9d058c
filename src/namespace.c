/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Finding the init of a pid namespace, and a table of those found; each bucket has its lock. */
#include "namespace.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
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

/* PROC_PID_INIT_INO and PROC_TIME_INIT_INO of linux/proc_ns.h: never another number. */
#define PIDNS_INITIAL "pid:[4026531836]"
#define TIMENS_INITIAL "time:[4026531834]"

#define FLAG_EXITING 4 /* PF_EXITING of linux/sched.h */

#define BUCKETS_MAX 512
#define SWEPT 2	     /* namespaces looked at when there is a new one, ... */
#define PASSED 16    /* ... in so many buckets at most */
#define BUCKET_MAX 3 /* namespaces remembered in one bucket, the latest first */

/* Remembered as long as the fd can be read. */
struct remembered {
	struct pid_namespace ns;
	int cgroup_fd; /* /proc/INIT/cgroup, gives ESRCH once init is gone */
};

struct bucket {
	pthread_mutex_t lock;
	struct remembered *slot[BUCKET_MAX]; /* without gaps */
};

struct pid_namespaces {
	int procfd;
	char host_pidns[NAMESPACE_LINK_MAX], host_timens[NAMESPACE_LINK_MAX];
	unsigned buckets; /* in use */
	struct bucket bucket[BUCKETS_MAX];
	atomic_uint hand; /* which bucket sweep() looks at next */
};

static int proc_link(int procfd, pid_t pid, const char *name, char link[NAMESPACE_LINK_MAX])
{
	char path[64];

	snprintf(path, sizeof path, "%d/ns/%s", pid, name);
	return file_readlink_at(procfd, path, link, NAMESPACE_LINK_MAX);
}

static int proc_text(int procfd, pid_t pid, const char *name, struct text *t)
{
	char path[64];

	snprintf(path, sizeof path, "%d/%s", pid, name);
	return file_read_record_at(procfd, path, t);
}

/*
 * The host's namespace is that of pid 1 of its /proc; where we may not look at
 * that, our own; in a copy of a host's files, the kernel's first.
 */
static void host_link(int procfd, const char *name, const char *initial,
		      char link[NAMESPACE_LINK_MAX])
{
	char self[32];

	snprintf(self, sizeof self, "self/ns/%s", name);
	if (proc_link(procfd, 1, name, link) < 0 &&
	    file_readlink_at(procfd, self, link, NAMESPACE_LINK_MAX) < 0)
		memcpy(link, initial, strlen(initial) + 1);
}

int pid_namespaces_open(int procfd, unsigned files_max, struct pid_namespaces **ret)
{
	struct pid_namespaces *n = calloc(1, sizeof *n);

	if (!n)
		return -ENOMEM;
	n->procfd = procfd;
	n->buckets = files_max / BUCKET_MAX < BUCKETS_MAX ? files_max / BUCKET_MAX : BUCKETS_MAX;
	if (!n->buckets)
		n->buckets = 1;
	for (size_t i = 0; i < BUCKETS_MAX; i++)
		pthread_mutex_init(&n->bucket[i].lock, NULL);
	host_link(procfd, "pid", PIDNS_INITIAL, n->host_pidns);
	host_link(procfd, "time", TIMENS_INITIAL, n->host_timens);
	*ret = n;
	return 0;
}

static void forget(struct remembered *r)
{
	if (!r)
		return;
	cleanup_close(&r->cgroup_fd);
	free(r);
}

void pid_namespaces_close(struct pid_namespaces *n)
{
	if (!n)
		return;
	for (size_t i = 0; i < BUCKETS_MAX; i++) {
		for (size_t slot = 0; slot < BUCKET_MAX; slot++)
			forget(n->bucket[i].slot[slot]);
		pthread_mutex_destroy(&n->bucket[i].lock);
	}
	free(n);
}

bool pid_namespace_is_host(const struct pid_namespaces *n, const char *link)
{
	return strcmp(link, n->host_pidns) == 0;
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

static unsigned status_numbers(const char *status, pid_t numbers[PIDNS_LEVELS])
{
	struct line value = status_value(status, "NSpid:"), word;
	unsigned count = 0;

	while (count < PIDNS_LEVELS && line_word(&value, &word)) {
		const char *p = word.start;
		uint64_t pid;

		if (number_take(&p, &pid) < 0 || pid > INT32_MAX)
			return 0;
		numbers[count++] = (pid_t)pid;
	}
	return count;
}

unsigned process_numbers(int procfd, const char *process, pid_t numbers[PIDNS_LEVELS])
{
	AUTO_TEXT struct text status = { 0 };
	char path[NAME_MAX];

	snprintf(path, sizeof path, "%s/status", process);
	if (file_read_record_at(procfd, path, &status) < 0)
		return 0;
	return status_numbers(text_str(&status), numbers);
}

static bool is_init_of(int procfd, pid_t pid, const char *link, const char *status)
{
	pid_t numbers[PIDNS_LEVELS];
	unsigned count = status_numbers(status, numbers);
	char own[NAMESPACE_LINK_MAX];

	return count && numbers[count - 1] == 1 && proc_link(procfd, pid, "pid", own) == 0 &&
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

/* A number of /proc/PID/stat, by its place in proc(5); comm may hold any byte but NUL. */
static int stat_number(int procfd, pid_t pid, int wanted, uint64_t *ret)
{
	AUTO_TEXT struct text stat = { 0 };
	int r = proc_text(procfd, pid, "stat", &stat);
	struct line rest, word;
	const char *comm_end, *p;

	if (r < 0)
		return r;
	comm_end = strrchr(text_str(&stat), ')');
	if (!comm_end)
		return -EINVAL;
	rest = (struct line){ comm_end + 1, strlen(comm_end + 1) };
	for (int field = 3; field <= wanted; field++) {
		if (!line_word(&rest, &word))
			return -EINVAL;
	}
	p = word.start;
	return number_take(&p, ret);
}

/* Field 22, in clock ticks since boot. */
int process_start_us(int procfd, pid_t pid, uint64_t *ret)
{
	uint64_t ticks;
	int r = stat_number(procfd, pid, 22, &ticks);

	if (r == 0)
		*ret = number_scale(ticks, 1000000, (uint64_t)sysconf(_SC_CLK_TCK));
	return r;
}

/* Field 9, the flags. */
bool process_is_ending(int procfd, pid_t pid)
{
	uint64_t flags;

	return stat_number(procfd, pid, 9, &flags) < 0 || flags & FLAG_EXITING;
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

static int describe(const struct pid_namespaces *n, struct remembered *r)
{
	struct pid_namespace *ns = &r->ns;
	char path[64], timens[NAMESPACE_LINK_MAX];

	snprintf(path, sizeof path, "%d/cgroup", ns->init);
	r->cgroup_fd = openat(n->procfd, path, O_RDONLY | O_CLOEXEC);
	if (r->cgroup_fd < 0)
		return -errno;
	if (proc_link(n->procfd, ns->init, "time", timens) == 0 &&
	    strcmp(timens, n->host_timens) != 0) {
		ns->own_timens = true;
		ns->boottime_offset_us = boottime_offset_us(n->procfd, ns->init);
	}
	return process_start_us(n->procfd, ns->init, &ns->start_us);
}

static int discover(const struct pid_namespaces *n, pid_t member, const char *link,
		    struct remembered **ret)
{
	struct remembered *found = calloc(1, sizeof *found);
	int r;

	if (!found)
		return -ENOMEM;
	found->cgroup_fd = -1;
	memcpy(found->ns.link, link, strlen(link) + 1);
	found->ns.init = find_init(n->procfd, member, link);
	r = found->ns.init ? describe(n, found) : -ESRCH;
	if (r < 0) {
		forget(found);
		return r == -ENOENT ? -ESRCH : r;
	}
	*ret = found;
	return 0;
}

static void slot_clear(struct bucket *bucket, size_t i)
{
	forget(bucket->slot[i]);
	memmove(&bucket->slot[i], &bucket->slot[i + 1],
		(BUCKET_MAX - 1 - i) * sizeof bucket->slot[0]);
	bucket->slot[BUCKET_MAX - 1] = NULL;
}

/* Forgets those that ended; returns how many were looked at. */
static unsigned bucket_sweep(struct bucket *bucket)
{
	unsigned seen = 0;

	pthread_mutex_lock(&bucket->lock);
	for (size_t slot = BUCKET_MAX; slot--;) {
		AUTO_TEXT struct text text = { 0 };

		if (!bucket->slot[slot])
			continue;
		seen++;
		if (file_read_record(bucket->slot[slot]->cgroup_fd, &text) < 0 || !text.len)
			slot_clear(bucket, slot);
	}
	pthread_mutex_unlock(&bucket->lock);
	return seen;
}

/*
 * With every new namespace some of the others are looked at, so that what ended is not
 * kept for long; but few, as each costs a read and the new one's reader waits.
 */
static void sweep(struct pid_namespaces *n)
{
	unsigned seen = 0;

	for (unsigned i = 0; i < PASSED && seen < SWEPT; i++)
		seen += bucket_sweep(&n->bucket[atomic_fetch_add(&n->hand, 1) % n->buckets]);
}

/*
 * What is remembered of the namespace, with its init's cgroups of now. A dead one
 * is forgotten. Called and answered under the bucket's lock, so that nobody closes
 * the fd meanwhile.
 */
static bool recall(struct bucket *bucket, const char *link, struct pid_namespace *ret,
		   struct text *cgroup)
{
	for (size_t i = 0; i < BUCKET_MAX && bucket->slot[i]; i++) {
		struct remembered *r = bucket->slot[i];

		if (strcmp(r->ns.link, link) != 0)
			continue;
		if (file_read_record(r->cgroup_fd, cgroup) == 0 && cgroup->len) {
			*ret = r->ns;
			return true;
		}
		text_clear(cgroup);
		slot_clear(bucket, i);
		return false;
	}
	return false;
}

/* Puts it first; the one that was not renewed for longest falls out. */
static void remember(struct bucket *bucket, struct remembered *r)
{
	forget(bucket->slot[BUCKET_MAX - 1]);
	memmove(&bucket->slot[1], &bucket->slot[0], (BUCKET_MAX - 1) * sizeof bucket->slot[0]);
	bucket->slot[0] = r;
}

int pid_namespace_of(struct pid_namespaces *n, pid_t member, const char *link,
		     struct pid_namespace *ret, struct text *cgroup)
{
	struct bucket *bucket = &n->bucket[hash_string(link) % n->buckets];
	struct remembered *found;
	bool known;
	int r;

	pthread_mutex_lock(&bucket->lock);
	known = recall(bucket, link, ret, cgroup);
	pthread_mutex_unlock(&bucket->lock);
	if (known)
		return 0;
	r = discover(n, member, link, &found);
	if (r < 0)
		return r;
	r = file_read_record(found->cgroup_fd, cgroup);
	if (r < 0) {
		forget(found);
		return r;
	}
	*ret = found->ns;
	pthread_mutex_lock(&bucket->lock);
	remember(bucket, found);
	pthread_mutex_unlock(&bucket->lock);
	sweep(n);
	return 0;
}
