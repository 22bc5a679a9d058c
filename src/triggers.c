/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pressure triggers: a table in shared memory, and one epoll thread. */
#include "triggers.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "owner.h"

/* What an ordinary file answers to poll(2), the kernel's DEFAULT_POLLMASK. */
#define POLL_READY (POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM)

#define PER_OWNER_MAX 128
#define FILES_SHARE 4	/* of the files that this process may have open, one in so many */
#define STOP UINT32_MAX /* epoll's name for the stop fd, next to table indexes */

struct triggers {
	struct lxcfs *engine;
	const struct shared *shared;
	int notify_fd; /* not owned */
	int epoll, stop;
	pthread_t thread;
	pthread_mutex_t lock;	  /* of the table */
	int fds[SHARED_TRIGGERS]; /* the kernel's trigger, -1: none, or its cgroup is gone */
};

static inline void unlock(pthread_mutex_t **lock)
{
	pthread_mutex_unlock(*lock);
}

#define AUTO_UNLOCK AUTO(unlock)

static pthread_mutex_t *lock_table(struct triggers *t)
{
	pthread_mutex_lock(&t->lock);
	return &t->lock;
}

static struct shared_trigger *entry(const struct triggers *t, unsigned i)
{
	return shared_trigger(t->shared, i);
}

/* The index of the entry with this handle, -ENOENT when there is none. 0 finds a free one. */
static int find(const struct triggers *t, uint64_t handle)
{
	for (unsigned i = 0; i < t->shared->triggers; i++)
		if (atomic_load(&entry(t, i)->handle) == handle)
			return (int)i;
	return -ENOENT;
}

/* The pid namespace of a process, 0 when it cannot be told. */
static uint64_t namespace_of(pid_t pid)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/ns/pid", (int)pid);
	return pid > 0 && stat(path, &st) == 0 ? st.st_ino : 0;
}

static void disarm(struct triggers *t, unsigned i)
{
	if (t->fds[i] < 0)
		return;
	epoll_ctl(t->epoll, EPOLL_CTL_DEL, t->fds[i], NULL);
	close(take_fd(&t->fds[i]));
}

static int watch(struct triggers *t, unsigned i, int fd)
{
	struct epoll_event event = { .events = EPOLLPRI, .data.u32 = i };

	if (epoll_ctl(t->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		return -errno;
	t->fds[i] = fd;
	return 0;
}

/* Opens the kernel's trigger for an entry. The table is locked. */
static int arm(struct triggers *t, unsigned i)
{
	const struct shared_trigger *e = entry(t, i);
	struct lxcfs_caller caller = { .pid = e->pid, .uid = e->uid, .gid = e->gid };
	AUTO_CLOSE int fd = -1;
	int r = lxcfs_trigger(t->engine, &caller, e->path, e->text, e->text_size, &fd);

	if (r < 0)
		return r;
	r = watch(t, i, fd);
	if (r == 0)
		take_fd(&fd);
	return r;
}

/* Tells the kernel to ask us again about a file that somebody polls. */
static void wake_pollers(const struct triggers *t, const struct shared_trigger *e)
{
	struct fuse_notify_poll_wakeup_out wakeup = { .kh = atomic_load(&e->poll_key) };
	struct fuse_out_header header = { .len = sizeof(header) + sizeof(wakeup),
					  .error = FUSE_NOTIFY_POLL };
	struct iovec iov[] = { { &header, sizeof(header) }, { &wakeup, sizeof(wakeup) } };

	/* ENOENT: nobody polls it any more. */
	if (wakeup.kh && writev(t->notify_fd, iov, 2) < 0)
		return;
}

static void on_event(struct triggers *t, unsigned i, uint32_t events)
{
	AUTO_UNLOCK pthread_mutex_t *lock = lock_table(t);
	struct shared_trigger *e = entry(t, i);

	(void)lock;
	if (t->fds[i] < 0)
		return; /* disarmed since the event was fetched */
	if (events & EPOLLERR)
		disarm(t, i); /* the cgroup was removed; it would report that for ever */
	atomic_store(&e->fired, 1);
	wake_pollers(t, e);
}

static void *wait_for_events(void *arg)
{
	struct triggers *t = arg;
	struct epoll_event events[32];

	for (;;) {
		int n = epoll_wait(t->epoll, events, ARRAY_SIZE(events), -1);

		for (int i = 0; i < n; i++) {
			if (events[i].data.u32 == STOP)
				return NULL;
			on_event(t, events[i].data.u32, events[i].events);
		}
	}
}

/*
 * Arms what an earlier worker had armed. The writer may be gone and its pid
 * reused by a stranger; then the poller is told what the kernel tells when a
 * cgroup is removed: POLLERR.
 */
static void arm_again(struct triggers *t)
{
	for (unsigned i = 0; i < t->shared->triggers; i++) {
		struct shared_trigger *e = entry(t, i);

		if (!atomic_load(&e->handle))
			continue;
		if (namespace_of(e->pid) == e->pid_ns && arm(t, i) == 0)
			continue;
		atomic_store(&e->fired, 1);
		wake_pollers(t, e);
	}
}

static int start_thread(struct triggers *t)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u32 = STOP };
	int r;

	t->epoll = epoll_create1(EPOLL_CLOEXEC);
	t->stop = eventfd(0, EFD_CLOEXEC);
	if (t->epoll < 0 || t->stop < 0 || epoll_ctl(t->epoll, EPOLL_CTL_ADD, t->stop, &event) < 0)
		return -errno;
	pthread_mutex_lock(&t->lock);
	arm_again(t);
	pthread_mutex_unlock(&t->lock);
	r = pthread_create(&t->thread, NULL, wait_for_events, t);
	return -r;
}

static void free_triggers(struct triggers *t)
{
	for (unsigned i = 0; i < SHARED_TRIGGERS; i++)
		if (t->fds[i] >= 0)
			close(t->fds[i]);
	if (t->epoll >= 0)
		close(t->epoll);
	if (t->stop >= 0)
		close(t->stop);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

int triggers_open(struct lxcfs *engine, const struct shared *shared, int notify_fd,
		  struct triggers **ret)
{
	struct triggers *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return -ENOMEM;
	t->engine = engine;
	t->shared = shared;
	t->notify_fd = notify_fd;
	t->epoll = t->stop = -1;
	pthread_mutex_init(&t->lock, NULL);
	for (unsigned i = 0; i < SHARED_TRIGGERS; i++)
		t->fds[i] = -1;
	r = start_thread(t);
	if (r < 0) {
		free_triggers(t);
		return r;
	}
	*ret = t;
	return 0;
}

void triggers_close(struct triggers *t)
{
	if (!t)
		return;
	/* An eventfd's counter has room for this one. */
	if (eventfd_write(t->stop, 1) == 0)
		pthread_join(t->thread, NULL);
	free_triggers(t);
}

/* May there be one more in all, and one more of this owner? */
static bool has_room(const struct triggers *t, uint64_t owner)
{
	unsigned all = 0, owners = 0;
	struct rlimit files;

	for (unsigned i = 0; i < t->shared->triggers; i++) {
		if (!atomic_load(&entry(t, i)->handle))
			continue;
		all++;
		owners += entry(t, i)->owner == owner;
	}
	return owners < PER_OWNER_MAX && getrlimit(RLIMIT_NOFILE, &files) == 0 &&
	       all < files.rlim_cur / FILES_SHARE;
}

/* Fills a free entry; it counts once its handle is stored. */
static int fill_entry(struct triggers *t, const struct lxcfs_caller *caller, uint64_t owner,
		      const char *path, const char *text, size_t len)
{
	int i = find(t, 0);
	struct shared_trigger *e;

	if (i < 0 || !has_room(t, owner))
		return -ENOSPC;
	e = entry(t, (unsigned)i);
	if (len > sizeof(e->text) || strlen(path) >= sizeof(e->path))
		return -EINVAL;
	memcpy(e->text, text, len);
	e->text_size = (uint32_t)len;
	strcpy(e->path, path);
	e->owner = owner;
	e->pid_ns = namespace_of(caller->pid);
	e->pid = caller->pid;
	e->uid = caller->uid;
	e->gid = caller->gid;
	atomic_store(&e->poll_key, 0);
	atomic_store(&e->fired, 0);
	return i;
}

int triggers_arm(struct triggers *t, const struct lxcfs_caller *caller, uint64_t handle,
		 const char *path, const char *text, size_t len)
{
	uint64_t owner = owner_of(caller->pid);
	AUTO_UNLOCK pthread_mutex_t *lock = lock_table(t);
	int i, r;

	(void)lock;
	if (find(t, handle) >= 0)
		return -EBUSY;
	i = fill_entry(t, caller, owner, path, text, len);
	if (i < 0)
		return i;
	r = arm(t, (unsigned)i);
	if (r == 0)
		atomic_store(&entry(t, (unsigned)i)->handle, handle);
	return r;
}

unsigned triggers_poll(struct triggers *t, const struct lxcfs_caller *caller, uint64_t handle,
		       uint64_t poll_key)
{
	AUTO_UNLOCK pthread_mutex_t *lock = lock_table(t);
	int i = find(t, handle);
	struct shared_trigger *e;

	(void)lock;
	if (i < 0)
		return POLL_READY | POLLERR | POLLPRI; /* as the kernel without a trigger */
	e = entry(t, (unsigned)i);
	if (poll_key)
		atomic_store(&e->poll_key, poll_key);
	if (t->fds[i] < 0)
		return POLL_READY | POLLERR | POLLPRI;
	/* The writer may end before its child that polls; the child is as good to arm it by. */
	if (caller->pid != e->pid && namespace_of(caller->pid) == e->pid_ns)
		e->pid = caller->pid;
	return POLL_READY | (atomic_exchange(&e->fired, 0) ? POLLPRI : 0);
}

void triggers_drop(struct triggers *t, uint64_t handle)
{
	AUTO_UNLOCK pthread_mutex_t *lock = lock_table(t);
	int i = find(t, handle);

	(void)lock;
	if (i < 0)
		return;
	disarm(t, (unsigned)i);
	atomic_store(&entry(t, (unsigned)i)->handle, 0);
}
