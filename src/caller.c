/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A small table with one place for each thread id modulo its size, each place with its lock. */
#include "caller.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"

#define PLACES_MAX 256

struct place {
	pthread_mutex_t lock;
	pid_t tid; /* 0: free */
	int fd;	   /* /proc/TID/cgroup: gives ESRCH for good once the thread is gone */
	char pidns[NAMESPACE_LINK_MAX];
};

struct callers {
	int procfd;
	unsigned places; /* in use */
	struct place place[PLACES_MAX];
	atomic_uint hand; /* which place sweep() looks at next */
};

int callers_open(int procfd, unsigned files_max, struct callers **ret)
{
	struct callers *c = calloc(1, sizeof *c);

	if (!c)
		return -ENOMEM;
	c->procfd = procfd;
	c->places = files_max < PLACES_MAX ? files_max : PLACES_MAX;
	if (!c->places)
		c->places = 1;
	for (size_t i = 0; i < PLACES_MAX; i++) {
		pthread_mutex_init(&c->place[i].lock, NULL);
		c->place[i].fd = -1;
	}
	*ret = c;
	return 0;
}

void callers_close(struct callers *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < PLACES_MAX; i++) {
		cleanup_close(&c->place[i].fd);
		pthread_mutex_destroy(&c->place[i].lock);
	}
	free(c);
}

static void place_clear(struct place *p)
{
	cleanup_close(&p->fd);
	p->fd = -1;
	p->tid = 0;
}

/* Asks the kernel by name. Read last: if the thread ended in between, that fails. */
static int place_fill(struct place *p, int procfd, pid_t tid, struct text *cgroup)
{
	char path[64];
	int r;

	snprintf(path, sizeof path, "%d/cgroup", tid);
	p->fd = openat(procfd, path, O_RDONLY | O_CLOEXEC);
	if (p->fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	snprintf(path, sizeof path, "%d/ns/pid", tid);
	r = file_readlink_at(procfd, path, p->pidns, sizeof p->pidns);
	if (r == 0)
		r = file_read_record(p->fd, cgroup);
	if (r == 0)
		p->tid = tid;
	return r == -ENOENT ? -ESRCH : r;
}

/* With every new thread one of the others is looked at, so that none is kept for long. */
static void sweep(struct callers *c)
{
	struct place *p = &c->place[atomic_fetch_add(&c->hand, 1) % c->places];
	AUTO_TEXT struct text text = { 0 };

	if (pthread_mutex_trylock(&p->lock) != 0)
		return; /* somebody is just asking */
	if (p->tid && (file_read_record(p->fd, &text) < 0 || !text.len))
		place_clear(p);
	pthread_mutex_unlock(&p->lock);
}

int caller_read(struct callers *c, pid_t tid, char ret_pidns[NAMESPACE_LINK_MAX],
		struct text *cgroup)
{
	struct place *p = &c->place[(unsigned)tid % c->places];
	bool fresh = false;
	int r = -ESRCH;

	if (tid <= 0)
		return -ESRCH;
	pthread_mutex_lock(&p->lock);
	if (p->tid == tid)
		r = file_read_record(p->fd, cgroup);
	if (r < 0) {
		fresh = true;
		text_clear(cgroup);
		place_clear(p);
		r = place_fill(p, c->procfd, tid, cgroup);
	}
	if (r == 0)
		memcpy(ret_pidns, p->pidns, NAMESPACE_LINK_MAX);
	else
		place_clear(p);
	pthread_mutex_unlock(&p->lock);
	if (fresh)
		sweep(c);
	return r;
}
