/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whose cgroup counts, and the containers met lately: found by their namespace and
 * the text of /proc/PID/cgroup, the ones used longest ago go first.
 */
#include "container.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/line.h"
#include "caller.h"
#include "namespace.h"

#define BUCKETS 1024
#define CONTAINERS_MAX 4096
#define SWEPT 2	       /* containers looked at when there is a new one */
#define FILES_SPARE 64 /* room for open files that is made at a time */

/* A container that is kept; the first user's reference and one for each call under way. */
struct kept {
	struct container container;
	TAILQ_ENTRY(kept) by_use;
	LIST_ENTRY(kept) by_hash;
	char *text; /* of /proc/PID/cgroup, which with the namespace identifies it */
	char pidns[NAMESPACE_LINK_MAX];
	unsigned references; /* calls under way */
	bool listed;	     /* false: dropped from the table, to be freed by its last call */
};

struct containers {
	struct cgroups *cgroups;
	struct pid_namespaces *namespaces;
	struct callers *callers;
	pthread_mutex_t lock;		     /* of all below, never held while a file is read */
	TAILQ_HEAD(kept_queue, kept) by_use; /* the latest first */
	struct kept *hand; /* whom sweep() looks at next, NULL: the one used longest ago */
	LIST_HEAD(kept_bucket, kept) by_hash[BUCKETS];
	unsigned count;
	int procfd;
};

int containers_open(int procfd, struct cgroups *cgroups, struct containers **ret)
{
	struct containers *c = calloc(1, sizeof *c);
	unsigned files = cgroups->kept_max > 0 ? (unsigned)cgroups->kept_max : 0;
	int r;

	if (!c)
		return -ENOMEM;
	c->procfd = procfd;
	c->cgroups = cgroups;
	pthread_mutex_init(&c->lock, NULL);
	TAILQ_INIT(&c->by_use);
	r = pid_namespaces_open(procfd, files, &c->namespaces);
	if (r == 0)
		r = callers_open(procfd, files / 4, &c->callers);
	if (r < 0) {
		containers_close(c);
		return r;
	}
	*ret = c;
	return 0;
}

static void kept_free(struct kept *k)
{
	container_free(&k->container);
	free(k->text);
	free(k);
}

/* Takes it off the table; freed at once, or by the last call that uses it. */
static void kept_drop(struct containers *c, struct kept *k)
{
	if (c->hand == k)
		c->hand = TAILQ_PREV(k, kept_queue, by_use);
	TAILQ_REMOVE(&c->by_use, k, by_use);
	LIST_REMOVE(k, by_hash);
	c->count--;
	k->listed = false;
	if (!k->references)
		kept_free(k);
}

void containers_close(struct containers *c)
{
	if (!c)
		return;
	while (!TAILQ_EMPTY(&c->by_use))
		kept_drop(c, TAILQ_FIRST(&c->by_use));
	callers_close(c->callers);
	pid_namespaces_close(c->namespaces);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

/* Makes room when there are too many containers, or too many open files. */
static void trim(struct containers *c)
{
	int files = c->cgroups->kept_max - FILES_SPARE;

	while (!TAILQ_EMPTY(&c->by_use) &&
	       (c->count >= CONTAINERS_MAX ||
		(files > 0 && atomic_load(&c->cgroups->kept) > files && c->count > 1)))
		kept_drop(c, TAILQ_LAST(&c->by_use, kept_queue));
}

static struct kept *kept_find(struct containers *c, uint64_t id, const char *pidns,
			      const char *text)
{
	struct kept *k;

	LIST_FOREACH(k, &c->by_hash[id % BUCKETS], by_hash)
	{
		/* cppcheck-suppress uninitvar ; it does not know the macro */
		if (k->container.id == id && strcmp(k->pidns, pidns) == 0 &&
		    strcmp(k->text, text) == 0)
			return k;
	}
	return NULL;
}

static struct kept *kept_use(struct containers *c, struct kept *k)
{
	k->references++;
	if (c->hand == k)
		c->hand = TAILQ_PREV(k, kept_queue, by_use);
	TAILQ_REMOVE(&c->by_use, k, by_use);
	TAILQ_INSERT_HEAD(&c->by_use, k, by_use);
	return k;
}

static int kept_new(struct containers *c, const struct container *like, const char *pidns,
		    const char *text, bool init, struct kept **ret)
{
	struct kept *k = calloc(1, sizeof *k);
	int r = k ? cgroup_open(c->cgroups, text, init, &k->container.cgroup) : -ENOMEM;

	if (r < 0) {
		free(k);
		return r;
	}
	k->container.init = like->init;
	k->container.own_pidns = like->own_pidns;
	k->container.start_us = like->start_us;
	k->container.own_timens = like->own_timens;
	k->container.boottime_offset_us = like->boottime_offset_us;
	k->container.id = like->id;
	memcpy(k->pidns, pidns, strlen(pidns) + 1);
	k->text = strdup(text);
	if (!k->text) {
		kept_free(k);
		return -ENOMEM;
	}
	*ret = k;
	return 0;
}

void container_put(struct containers *c, struct container *container)
{
	struct kept *k = (struct kept *)container; /* its first member */
	bool last;

	if (!container)
		return;
	pthread_mutex_lock(&c->lock);
	last = --k->references == 0 && !k->listed;
	pthread_mutex_unlock(&c->lock);
	if (last)
		kept_free(k);
}

void container_free(struct container *container)
{
	cgroup_close(container->cgroup);
	*container = (struct container){ 0 };
}

/* Is the container's pid namespace there no more? Not asked of what is in the host's. */
static bool is_gone(const struct containers *c, const struct kept *k)
{
	char path[64], link[NAMESPACE_LINK_MAX];

	if (!k->container.own_pidns)
		return false;
	snprintf(path, sizeof path, "%d/ns/pid", k->container.init);
	return file_readlink_at(c->procfd, path, link, sizeof link) < 0 ||
	       strcmp(link, k->pidns) != 0;
}

/*
 * With every new container some of the others are looked at, one after the other, so
 * that the open files of those that ended are not kept for long.
 */
static void sweep(struct containers *c)
{
	for (unsigned i = 0; i < SWEPT; i++) {
		struct kept *k;
		bool gone;

		pthread_mutex_lock(&c->lock);
		k = c->hand ? c->hand : TAILQ_LAST(&c->by_use, kept_queue);
		if (k) {
			c->hand = TAILQ_PREV(k, kept_queue, by_use);
			k->references++;
		}
		pthread_mutex_unlock(&c->lock);
		if (!k)
			return;
		gone = is_gone(c, k);
		pthread_mutex_lock(&c->lock);
		if (gone && k->listed)
			kept_drop(c, k);
		pthread_mutex_unlock(&c->lock);
		container_put(c, &k->container);
	}
}

/*
 * The kept container of this description; kept from now on if it is new. Two threads
 * may make the same at once: then the first one listed stays.
 */
static int get(struct containers *c, const struct container *like, const char *pidns,
	       const char *text, bool init, struct container **ret)
{
	struct kept *found, *made;
	int r;

	pthread_mutex_lock(&c->lock);
	found = kept_find(c, like->id, pidns, text);
	if (found)
		kept_use(c, found);
	pthread_mutex_unlock(&c->lock);
	if (found) {
		*ret = &found->container;
		return 0;
	}
	r = kept_new(c, like, pidns, text, init, &made);
	if (r < 0)
		return r;
	pthread_mutex_lock(&c->lock);
	found = kept_find(c, like->id, pidns, text);
	if (!found) {
		trim(c);
		LIST_INSERT_HEAD(&c->by_hash[like->id % BUCKETS], made, by_hash);
		TAILQ_INSERT_HEAD(&c->by_use, made, by_use);
		made->listed = true;
		c->count++;
		found = take_ptr(made);
	}
	kept_use(c, found);
	pthread_mutex_unlock(&c->lock);
	if (made)
		kept_free(made);
	else
		sweep(c);
	*ret = &found->container;
	return 0;
}

/* The same in every engine: of the namespace, when its init started, and the cgroups. */
static uint64_t identity(const char *pidns, uint64_t start_us, const char *text)
{
	return hash_string(pidns) * 31 + hash_string(text) + start_us * 0x9e3779b97f4a7c15;
}

/* Init is gone or hidden, the container is ending: the caller's own cgroup is what there is. */
static int without_init(struct containers *c, pid_t caller, const char *pidns, const char *own,
			struct container **ret)
{
	struct container like = { .own_pidns = true };
	int r = process_start_us(c->procfd, caller, &like.start_us);

	if (r < 0)
		return r == -ENOENT ? -ESRCH : r;
	like.id = identity(pidns, like.start_us, own);
	return get(c, &like, pidns, own, false, ret);
}

/*
 * Is init in the root of a v1 hierarchy in which the caller is in a cgroup? There the
 * kernel shows everybody who is about to end (proc_cgroup_show()), while those whom a
 * dying init takes along still run and read.
 */
static bool is_in_root_alone(const char *init, const char *own)
{
	struct line a, b;

	while (line_next(&init, &a) && line_next(&own, &b)) {
		if (a.len >= 2 && memcmp(a.start + a.len - 2, ":/", 2) == 0 &&
		    !(b.len >= 2 && memcmp(b.start + b.len - 2, ":/", 2) == 0))
			return true;
	}
	return false;
}

/* Does the init's cgroup count for a caller that is in this one? */
static bool init_counts(const struct containers *c, pid_t pid, const char *init, const char *own)
{
	return cgroup_text_contains(init, own) &&
	       !(is_in_root_alone(init, own) && process_is_ending(c->procfd, pid));
}

int container_of(struct containers *c, pid_t caller, struct container **ret)
{
	AUTO_TEXT struct text own = { 0 }, init = { 0 };
	struct container like = { .init = 1 };
	char pidns[NAMESPACE_LINK_MAX];
	struct pid_namespace ns;
	bool inside;
	int r = caller_read(c->callers, caller, pidns, &own);

	if (r < 0)
		return r;
	if (pid_namespace_is_host(c->namespaces, pidns)) {
		like.id = identity(pidns, 0, text_str(&own));
		return get(c, &like, pidns, text_str(&own), false, ret);
	}
	r = pid_namespace_of(c->namespaces, caller, pidns, &ns, &init);
	if (r == -ESRCH)
		return without_init(c, caller, pidns, text_str(&own), ret);
	if (r < 0)
		return r;
	inside = init_counts(c, ns.init, text_str(&init), text_str(&own));
	like = (struct container){
		.init = ns.init,
		.own_pidns = true,
		.start_us = ns.start_us,
		.own_timens = ns.own_timens,
		.boottime_offset_us = ns.boottime_offset_us,
		.id = identity(pidns, ns.start_us, text_str(inside ? &init : &own)),
	};
	return get(c, &like, pidns, text_str(inside ? &init : &own), inside, ret);
}
