/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A small table with one place for each thread id modulo its size, each place with its lock. */
#include "task.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/number.h"

#define PLACES_MAX 256
#define SWEEP 4 /* places that are looked at for every thread that comes */
/* The first 22 fields of /proc/PID/stat are shorter: comm has 64 bytes at most. */
#define STAT_MAX 1024

/* Fields of /proc/PID/stat by their number in proc(5). */
enum { FIELD_STATE = 3, FIELD_START = 22 };

struct place {
	pthread_mutex_t lock;
	pid_t tid; /* 0: free; one that ended stays until sweep() comes by, or another thread */
	int fd;	   /* /proc/TID/stat: gives ESRCH for good once the thread is gone */
};

struct task_files {
	int procfd;
	unsigned places;  /* in use */
	atomic_uint hand; /* which place sweep() looks at next */
	struct place place[PLACES_MAX];
};

int task_files_open(int procfd, struct task_files **ret)
{
	struct task_files *files = calloc(1, sizeof *files);

	if (!files)
		return -ENOMEM;
	files->procfd = procfd;
	for (size_t i = 0; i < PLACES_MAX; i++) {
		pthread_mutex_init(&files->place[i].lock, NULL);
		files->place[i].fd = -1;
	}
	*ret = files;
	return 0;
}

void task_files_close(struct task_files *files)
{
	if (!files)
		return;
	for (size_t i = 0; i < PLACES_MAX; i++) {
		cleanup_close(&files->place[i].fd);
		pthread_mutex_destroy(&files->place[i].lock);
	}
	free(files);
}

void task_files_keep(struct task_files *files, unsigned max)
{
	files->places = max < PLACES_MAX ? max : PLACES_MAX;
}

/* comm is what a process calls itself: it ends at the last parenthesis, whatever is in it. */
static int stat_parse(const char *text, struct task_stat *ret)
{
	const char *p = strrchr(text, ')');
	struct task_stat stat = { 0 };

	if (!p || p[1] != ' ')
		return -EINVAL;
	p += 2;
	stat.state = *p;
	for (int field = FIELD_STATE; field < FIELD_START; field++) {
		p = strchr(p, ' ');
		if (!p++)
			return -EINVAL;
	}
	if (number_take(&p, &stat.start) < 0)
		return -EINVAL;
	*ret = stat;
	return 0;
}

/* One read gives the whole line; a vanished thread gives an error here or at the open. */
static int stat_read(int fd, struct task_stat *ret)
{
	char buf[STAT_MAX];
	ssize_t n = pread(fd, buf, sizeof buf - 1, 0);

	if (n < 0)
		return -errno;
	buf[n] = '\0';
	return stat_parse(buf, ret);
}

static int stat_open(int procfd, pid_t tid)
{
	char path[32];
	int fd;

	snprintf(path, sizeof path, "%d/stat", tid);
	fd = openat(procfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

static void place_clear(struct place *p)
{
	cleanup_close(&p->fd);
	p->fd = -1;
	p->tid = 0;
}

static int place_fill(struct place *p, int procfd, pid_t tid, struct task_stat *ret)
{
	AUTO_CLOSE int fd = stat_open(procfd, tid);
	int r = fd < 0 ? fd : stat_read(fd, ret);

	if (r == 0) {
		p->fd = take_fd(&fd);
		p->tid = tid;
	}
	return r;
}

/* Lets go of threads that ended. A place that somebody uses is no matter now. */
static void sweep(struct task_files *files)
{
	struct task_stat stat;

	for (unsigned i = 0; i < SWEEP; i++) {
		struct place *p = &files->place[atomic_fetch_add(&files->hand, 1) % files->places];

		if (pthread_mutex_trylock(&p->lock) != 0)
			continue;
		if (p->tid && stat_read(p->fd, &stat) == -ESRCH)
			place_clear(p);
		pthread_mutex_unlock(&p->lock);
	}
}

int task_stat_read(struct task_files *files, pid_t tid, struct task_stat *ret)
{
	struct place *p;
	bool came = false;
	int r = -ESRCH;

	if (!files->places) {
		AUTO_CLOSE int fd = stat_open(files->procfd, tid);

		return fd < 0 ? fd : stat_read(fd, ret);
	}
	p = &files->place[(unsigned)tid % files->places];
	pthread_mutex_lock(&p->lock);
	if (p->tid == tid)
		r = stat_read(p->fd, ret);
	if (r < 0) {
		place_clear(p);
		r = place_fill(p, files->procfd, tid, ret);
		came = r == 0;
	}
	pthread_mutex_unlock(&p->lock);
	if (came)
		sweep(files);
	return r;
}
