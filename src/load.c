/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Containers whose load is wanted, in a hash table. An entry is added under the lock and
 * removed by the one tick that runs at a time, which thus may look at them without it.
 */
#include "load.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "gather_tasks.h"
#include "lxcfs.h"

#define BUCKETS 1024
#define ENTRIES_MAX 16384
#define SECOND ((uint64_t)1000000) /* all times are in microseconds */
#define PERIOD (LXCFS_TICK_SECONDS * SECOND)
#define KEEP (300 * SECOND) /* how long a container is sampled after the last reader */

/* Fixed point of include/linux/sched/loadavg.h. */
#define LOAD_BITS 11
#define LOAD_ONE ((uint64_t)1 << LOAD_BITS)
/* How much of an average is left after one period: 1/exp(5 s/1 min), of 5 min, of 15 min. */
static const uint64_t decay[3] = { 1884, 2014, 2037 };

struct entry {
	struct entry *next;
	uint64_t id;
	uint64_t wanted;       /* when somebody asked last; under the lock */
	struct cgroup *cgroup; /* from here on the tick's alone */
	bool idle;	       /* no task was running or blocked at the last look, when ... */
	uint64_t cpu_time;     /* ... so much was used */
};

struct load {
	const struct host *host;
	struct history *history;
	pthread_mutex_t lock; /* of the table */
	pthread_mutex_t ticking;
	struct entry *bucket[BUCKETS];
	size_t count;
};

/* As the kernel's, a clock that stands still with the machine: sleep is neither load nor rest. */
static uint64_t clock_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec / 1000;
}

static void entry_free(struct entry *entry)
{
	cgroup_close(entry->cgroup);
	free(entry);
}

int load_open(const struct host *host, struct history *history, struct load **ret)
{
	struct load *load = calloc(1, sizeof *load);

	if (!load)
		return -ENOMEM;
	load->host = host;
	load->history = history;
	pthread_mutex_init(&load->lock, NULL);
	pthread_mutex_init(&load->ticking, NULL);
	*ret = load;
	return 0;
}

void load_close(struct load *load)
{
	if (!load)
		return;
	for (size_t i = 0; i < BUCKETS; i++) {
		while (load->bucket[i]) {
			struct entry *entry = load->bucket[i];

			load->bucket[i] = entry->next;
			entry_free(entry);
		}
	}
	pthread_mutex_destroy(&load->ticking);
	pthread_mutex_destroy(&load->lock);
	free(load);
}

/* A place of our own in the same cgroups, which outlives the reader's. */
static struct cgroup *cgroup_copy(const struct host *host, const struct cgroup *cgroup)
{
	AUTO_TEXT struct text places = { 0 };
	struct cgroup *copy = NULL;

	for (size_t i = 0; i < host->cgroups->count; i++) {
		const struct cgroup_hierarchy *h = &host->cgroups->hierarchy[i];
		const char *path = cgroup_path(cgroup, i);

		if (path) /* a line of /proc/PID/cgroup */
			text_printf(&places, "0:%s:%s\n", h->version == 2 ? "" : h->name, path);
	}
	if (places.error || cgroup_open(host->cgroups, text_str(&places), false, &copy) < 0)
		return NULL;
	return copy;
}

static struct entry *entry_new(const struct load *load, const struct container *container)
{
	struct entry *entry = calloc(1, sizeof *entry);

	if (!entry)
		return NULL;
	entry->id = container->id;
	entry->cgroup = cgroup_copy(load->host, container->cgroup);
	if (!entry->cgroup) {
		free(entry);
		return NULL;
	}
	return entry;
}

/* Without memory, or with too many containers, this one's load stays as it is. */
void load_want(struct load *load, const struct container *container)
{
	struct entry **bucket = &load->bucket[container->id % BUCKETS], *entry;

	pthread_mutex_lock(&load->lock);
	for (entry = *bucket; entry && entry->id != container->id;)
		entry = entry->next;
	if (!entry && load->count < ENTRIES_MAX) {
		entry = entry_new(load, container);
		if (entry) {
			entry->next = *bucket;
			*bucket = entry;
			load->count++;
		}
	}
	if (entry)
		entry->wanted = clock_now();
	pthread_mutex_unlock(&load->lock);
}

/* CGROUP_UNKNOWN where the kernel does not tell. */
static uint64_t cpu_time(struct cgroup *cgroup)
{
	struct cgroup_cputime t;
	uint64_t used;

	if (cgroup_read_cputime(cgroup, NULL, &t) < 0)
		return CGROUP_UNKNOWN;
	used = t.user_us + t.system_us;
	cgroup_cputime_free(&t);
	return used;
}

/*
 * How many tasks run or are blocked. Where all slept and no CPU time was used since, all
 * still sleep (or just woke up, and count the next time), and none is looked at. -ESRCH
 * when the container is gone.
 */
static int active_count(const struct load *load, struct entry *entry, uint64_t *ret)
{
	uint64_t used = cpu_time(entry->cgroup);
	struct tasks tasks;
	int r;

	if (entry->idle && used != CGROUP_UNKNOWN && used == entry->cpu_time) {
		*ret = 0;
		return 0;
	}
	r = tasks_count(load->host, entry->cgroup, &tasks);
	if (r == -ENOMEM)
		return r;
	if (r < 0 || !tasks.total)
		return -ESRCH;
	*ret = tasks.running + tasks.blocked;
	entry->idle = *ret == 0;
	entry->cpu_time = used;
	return 0;
}

/* base^n in fixed point, rounded as the kernel's fixed_power_int() does. */
static uint64_t power(uint64_t base, uint64_t n)
{
	uint64_t result = LOAD_ONE;

	for (; n; n >>= 1) {
		if (n & 1)
			result = (result * base + LOAD_ONE / 2) >> LOAD_BITS;
		base = (base * base + LOAD_ONE / 2) >> LOAD_BITS;
	}
	return result;
}

/* n periods with so many (fixed point) active tasks; rising averages are rounded up. */
static uint64_t average_next(uint64_t average, uint64_t left, uint64_t active, uint64_t n)
{
	uint64_t p = power(left, n);
	uint64_t next = average * p + active * (LOAD_ONE - p);

	if (active >= average)
		next += LOAD_ONE - 1;
	return next >> LOAD_BITS;
}

/*
 * Adds a sample for every period that went by since the last: one, or more when ticks
 * were missed. What is left of a period counts for the next, so that late ticks add up.
 */
static void average_update(struct history *history, uint64_t id, uint64_t active)
{
	uint64_t now = clock_now(), periods = 1;
	struct history_load load;

	history_load_get(history, id, &load);
	if (load.sampled) {
		periods = (now - load.sampled + PERIOD / 2) / PERIOD;
		load.sampled += periods * PERIOD;
	} else {
		load.sampled = now; /* the first */
	}
	if (!periods)
		return;
	for (size_t i = 0; i < 3; i++)
		load.average[i] = average_next(load.average[i], decay[i], active * LOAD_ONE,
					       periods);
	history_load_set(history, id, &load);
}

/* Takes the entry out of the table if its container is gone, or nobody asked for long. */
static void entry_settle(struct load *load, struct entry *entry, bool gone)
{
	struct entry **at = &load->bucket[entry->id % BUCKETS];
	bool drop;

	pthread_mutex_lock(&load->lock);
	drop = gone || clock_now() - entry->wanted > KEEP;
	if (drop) {
		while (*at != entry)
			at = &(*at)->next;
		*at = entry->next;
		load->count--;
	}
	pthread_mutex_unlock(&load->lock);
	if (drop)
		entry_free(entry);
}

static struct entry *bucket_first(struct load *load, size_t bucket)
{
	struct entry *entry;

	pthread_mutex_lock(&load->lock);
	entry = load->bucket[bucket];
	pthread_mutex_unlock(&load->lock);
	return entry;
}

static void bucket_tick(struct load *load, size_t bucket)
{
	struct entry *next;

	for (struct entry *entry = bucket_first(load, bucket); entry; entry = next) {
		uint64_t active;
		int r = active_count(load, entry, &active);

		next = entry->next;
		if (r == 0)
			average_update(load->history, entry->id, active);
		entry_settle(load, entry, r == -ESRCH);
	}
}

void load_tick(struct load *load)
{
	if (pthread_mutex_trylock(&load->ticking) != 0)
		return; /* another thread's tick takes the sample */
	for (size_t i = 0; i < BUCKETS; i++)
		bucket_tick(load, i);
	pthread_mutex_unlock(&load->ticking);
}
