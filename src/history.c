/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The memory is a header with locks, a directory and records. A container hashes to
 * a bucket of the directory, whose ways name the record copies that are in force: a
 * writer fills the copy that is not, and one atomic store of the way puts it in force.
 * The locks are robust: the kernel frees those of a process that is killed.
 */
#include "history.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>

#include "base/number.h"

#define MAGIC 0x79726f7473696878 /* "xhistory" */
#define VERSION 2
#define LOCKS 64
#define LOCK_WAIT_NS 100000000
/*
 * Room for more than ten thousand containers, so that none has to give way to another,
 * and filled densely, since every page that is touched stays in memory.
 */
#define BUCKETS 1024
#define WAYS 24
#define LINE 64 /* of the cache */
#define SECOND_US 1000000

struct header {
	_Atomic uint64_t magic; /* written last */
	uint64_t version;
	uint64_t size; /* of the whole memory */
	uint64_t buckets;
	uint64_t cpus;	     /* that a record has room for */
	uint64_t generation; /* tells this directory from older bytes */
	pthread_mutex_t lock[LOCKS];
};

/* A way is generation << 17 | tag of the container << 1 | the copy in force. */
#define WAY_TAG_SHIFT 1
#define WAY_GENERATION_SHIFT 17
#define GENERATION_MASK (UINT64_MAX >> WAY_GENERATION_SHIFT)

struct bucket {
	_Atomic uint64_t way[WAYS];
	_Atomic uint64_t used[WAYS]; /* when last; only to choose whom to evict */
};

/* What one CPU has shown so far, and how busy it was then. */
struct cpu_entry {
	uint64_t number;
	struct cpu_times shown;
	uint64_t busy;
};

struct record {
	uint64_t id;
	uint64_t now, user, system;	 /* the last moment, as struct history_cpu has it */
	uint64_t owed_user, owed_system; /* used, but there was no room to show it yet */
	/* In the total, but not yet spread over the CPUs. */
	struct {
		uint64_t used, user, room;
	} unspread;
	struct cpu_times total;
	uint64_t last_pid, last_task;
	struct history_load load;
	uint64_t count;		/* of the entries below, 0: no CPU time was asked for yet */
	struct cpu_entry cpu[]; /* every CPU ever shown, ascending */
};

struct history {
	struct header *header;
	struct bucket *bucket;
	char *records;
	size_t record_size, cpus, buckets;
	uint64_t generation;
	size_t mapped; /* bytes of our own, 0: the memory was given */
};

/* One container's place while its lock is held. */
struct place {
	struct history *history;
	uint64_t id;
	pthread_mutex_t *lock; /* NULL: not held, for reading only */
	_Atomic uint64_t *way, *used;
	size_t slot;
	struct record *record; /* in force; NULL: the container has none yet */
};

static size_t round_up(size_t n, size_t to)
{
	return (n + to - 1) / to * to;
}

/* With some CPUs to spare, for those that are plugged in later. */
static size_t cpus_room(unsigned cpus)
{
	return round_up(cpus + cpus / 4 + 1, 4);
}

static size_t record_size(size_t cpus)
{
	return round_up(sizeof(struct record) + cpus * sizeof(struct cpu_entry), LINE);
}

static size_t header_size(void)
{
	return round_up(sizeof(struct header), LINE);
}

static size_t bucket_size(size_t cpus)
{
	return sizeof(struct bucket) + WAYS * 2 * record_size(cpus);
}

size_t history_size(unsigned cpus)
{
	return header_size() + BUCKETS * bucket_size(cpus_room(cpus));
}

static void locks_init(struct header *header)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	for (size_t i = 0; i < LOCKS; i++)
		pthread_mutex_init(&header->lock[i], &attr);
	pthread_mutexattr_destroy(&attr);
}

/* Starts afresh: with a new generation every way is empty, whatever bytes are there. */
static int header_init(struct header *header, size_t size, size_t cpus)
{
	size_t buckets = (size - header_size()) / bucket_size(cpus);
	uint64_t generation;

	if (getrandom(&generation, sizeof generation, 0) != sizeof generation)
		return -errno;
	*header = (struct header){
		.version = VERSION,
		.size = size,
		.buckets = number_min(buckets, BUCKETS),
		.cpus = cpus,
		.generation = (generation & GENERATION_MASK) | 1, /* zeroed memory is empty */
	};
	locks_init(header);
	atomic_store(&header->magic, MAGIC);
	return 0;
}

/* A host that has other CPUs than when the memory was made is no reason to forget. */
static bool header_fits(const struct header *header, size_t size)
{
	return header->magic == MAGIC && header->version == VERSION && header->size == size &&
	       header->buckets && header->buckets <= BUCKETS && header->cpus &&
	       header->cpus <= CPULIST_MAX &&
	       header_size() + header->buckets * bucket_size(header->cpus) <= size;
}

static int memory_take(void *memory, size_t size, unsigned cpus)
{
	struct header *header = memory;

	if (size < header_size() + bucket_size(cpus_room(cpus)))
		return -EINVAL;
	return header_fits(header, size) ? 0 : header_init(header, size, cpus_room(cpus));
}

static void history_attach(struct history *h, void *memory)
{
	h->header = memory;
	h->buckets = h->header->buckets;
	h->cpus = h->header->cpus;
	h->generation = h->header->generation;
	h->record_size = record_size(h->cpus);
	h->bucket = (struct bucket *)((char *)memory + header_size());
	h->records = (char *)(h->bucket + h->buckets);
}

int history_open(void *memory, size_t size, unsigned cpus, struct history **ret)
{
	struct history *h = calloc(1, sizeof *h);
	int r;

	if (!h)
		return -ENOMEM;
	if (!memory) {
		size = h->mapped = history_size(cpus);
		memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (memory == MAP_FAILED) {
			free(h);
			return -ENOMEM;
		}
	}
	h->header = memory;
	r = memory_take(memory, size, cpus);
	if (r < 0) {
		history_close(h);
		return r;
	}
	history_attach(h, memory);
	*ret = h;
	return 0;
}

void history_close(struct history *h)
{
	if (h && h->mapped)
		munmap(h->header, h->mapped);
	free(h);
}

static uint64_t mix(uint64_t id)
{
	id ^= id >> 33;
	id *= 0xff51afd7ed558ccd;
	return id ^ id >> 33;
}

static uint64_t way_make(const struct history *h, uint64_t id, unsigned copy)
{
	return h->generation << WAY_GENERATION_SHIFT | (mix(id) >> 48 & 0xffff) << WAY_TAG_SHIFT |
	       copy;
}

static struct record *record_at(const struct history *h, size_t slot, unsigned copy)
{
	return (struct record *)(h->records + (slot * 2 + copy) * h->record_size);
}

static void place_set(struct place *p, size_t bucket, size_t way)
{
	p->way = &p->history->bucket[bucket].way[way];
	p->used = &p->history->bucket[bucket].used[way];
	p->slot = bucket * WAYS + way;
}

/* The way of the container, or else an empty one, or else the one used longest ago. */
static void place_find(struct place *p)
{
	const struct history *h = p->history;
	size_t at = mix(p->id) % h->buckets;
	struct bucket *b = &h->bucket[at];
	uint64_t oldest = UINT64_MAX;

	p->record = NULL;
	for (size_t i = 0; i < WAYS; i++) {
		uint64_t way = atomic_load_explicit(&b->way[i], memory_order_acquire);
		struct record *record = record_at(h, at * WAYS + i, way & 1);
		bool taken = way >> WAY_GENERATION_SHIFT == h->generation;
		uint64_t used = taken ? atomic_load(&b->used[i]) + 1 : 0;

		if ((way | 1) == way_make(h, p->id, 1) && record->id == p->id) {
			place_set(p, at, i);
			p->record = record;
			return;
		}
		if (used < oldest) {
			oldest = used;
			place_set(p, at, i);
		}
	}
}

/* ThreadSanitizer does not know pthread_mutex_clocklock() (GCC 12) and would see no lock taken. */
#if defined(__SANITIZE_THREAD__)
#define LOCK_CLOCK CLOCK_REALTIME
#define lock_until(lock, until) pthread_mutex_timedlock(lock, until)
#else
#define LOCK_CLOCK CLOCK_MONOTONIC
#define lock_until(lock, until) pthread_mutex_clocklock(lock, LOCK_CLOCK, until)
#endif

/* False: a process that was stopped holds it, and would for as long as it likes. */
static bool lock_take(pthread_mutex_t *lock)
{
	struct timespec until;
	int r = pthread_mutex_trylock(lock);

	if (r == EBUSY) {
		clock_gettime(LOCK_CLOCK, &until);
		until.tv_nsec += LOCK_WAIT_NS;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		r = lock_until(lock, &until);
	}
	if (r == EOWNERDEAD)
		r = pthread_mutex_consistent(lock); /* what is in force is whole */
	return r == 0;
}

static struct place place_open(struct history *h, uint64_t id)
{
	struct place p = { .history = h, .id = id };
	pthread_mutex_t *lock = &h->header->lock[mix(id) % h->buckets % LOCKS];

	if (lock_take(lock))
		p.lock = lock;
	place_find(&p);
	return p;
}

static void place_close(struct place *p)
{
	struct timespec now;

	if (!p->lock)
		return;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	if (p->record)
		atomic_store(p->used, (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec);
	pthread_mutex_unlock(p->lock);
}

#define AUTO_PLACE __attribute__((cleanup(place_close)))

/* The copy that is not in force, with the content of the one that is. */
static struct record *place_edit(struct place *p)
{
	unsigned copy = p->record && p->record == record_at(p->history, p->slot, 0) ? 1 : 0;
	struct record *edit;

	/* An evicted container's record stays in force until the new one is whole. */
	if (!p->record && !(atomic_load(p->way) & 1))
		copy = 1;
	edit = record_at(p->history, p->slot, copy);
	if (p->record)
		memcpy(edit, p->record, sizeof *edit + p->record->count * sizeof edit->cpu[0]);
	else
		*edit = (struct record){ .id = p->id };
	return edit;
}

/* Puts the edited copy in force. */
static void place_commit(struct place *p, struct record *edit)
{
	unsigned copy = edit == record_at(p->history, p->slot, 1);

	atomic_store_explicit(p->way, way_make(p->history, p->id, copy), memory_order_release);
	p->record = edit;
}

static uint64_t busy_of(const struct history_cpu *now, uint64_t cpu)
{
	return cpu < now->busy_count ? now->busy[cpu] : 0;
}

#define each_shown(e, r, now)                                                    \
	for (struct cpu_entry *e = (r)->cpu; (e) < (r)->cpu + (r)->count; (e)++) \
		if (cpulist_has((now)->cpus, (e)->number))

/* Forgets the CPUs that are not shown now, when there is no room for those that are. */
static void record_compact(struct record *r, const struct cpulist *cpus)
{
	size_t kept = 0;

	for (size_t i = 0; i < r->count; i++) {
		if (cpulist_has(cpus, r->cpu[i].number))
			r->cpu[kept++] = r->cpu[i];
	}
	r->count = kept;
}

static size_t record_shown(struct record *r, const struct history_cpu *now)
{
	size_t shown = 0;

	each_shown(e, r, now)
		shown++;
	return shown;
}

/* Makes entries for the CPUs that were never shown; returns how many of those shown have one. */
static size_t record_admit(struct record *r, size_t room, const struct history_cpu *now)
{
	size_t shown = record_shown(r, now), at = 0;

	if (shown == now->count)
		return shown;
	if (r->count + now->count - shown > room)
		record_compact(r, now->cpus);
	cpulist_each(cpu, now->cpus) {
		while (at < r->count && r->cpu[at].number < cpu)
			at++;
		if (r->count == room || (at < r->count && r->cpu[at].number == cpu))
			continue;
		memmove(&r->cpu[at + 1], &r->cpu[at], (r->count - at) * sizeof r->cpu[0]);
		r->cpu[at] = (struct cpu_entry){ .number = cpu, .busy = busy_of(now, cpu) };
		r->count++;
		shown++;
	}
	return shown;
}

/*
 * Time spread over CPUs by their weights, on none beyond its even part of the room.
 * What a full CPU cannot take goes to the others, as far as they have room.
 */
struct spread {
	uint64_t used, room; /* used <= room */
	uint64_t weight;     /* of all CPUs together; 0: evenly */
	size_t count;
	uint64_t excess, room_left; /* second round */
	uint64_t left, user;	    /* still to be given, and what of it was spent in user mode */
};

/* The i-th of `count` parts of a total, whose sum is the total. */
static uint64_t even_part(uint64_t total, size_t i, size_t count)
{
	return total / count + (i < total % count);
}

static uint64_t spread_room(const struct spread *s, size_t i)
{
	return even_part(s->room, i, s->count);
}

static uint64_t spread_first(const struct spread *s, size_t i, uint64_t weight)
{
	uint64_t want = s->weight ? number_scale(s->used, weight, s->weight)
				  : even_part(s->used, i, s->count);

	return number_min(want, spread_room(s, i));
}

static uint64_t entry_weight(const struct cpu_entry *e, const struct history_cpu *now)
{
	return number_sub(busy_of(now, e->number), e->busy);
}

static void spread_begin(struct spread *s, struct record *r, const struct history_cpu *now)
{
	uint64_t given = 0;
	size_t i = 0;

	each_shown(e, r, now)
		s->weight += entry_weight(e, now);
	each_shown(e, r, now)
		given += spread_first(s, i++, entry_weight(e, now));
	s->excess = s->used - given;
	s->room_left = s->room - given;
	s->left = s->used;
}

/* Gives the i-th CPU its part and returns how much that is. */
static uint64_t spread_give(struct spread *s, size_t i, uint64_t weight, struct cpu_entry *e)
{
	uint64_t used = spread_first(s, i, weight);
	uint64_t room = spread_room(s, i) - used;
	uint64_t more = s->room_left ? number_scale(s->excess, room, s->room_left) : 0;
	uint64_t user;

	s->excess -= more;
	s->room_left -= room;
	used += more;
	user = s->left ? number_scale(s->user, used, s->left) : 0;
	s->user -= user;
	s->left -= used;
	e->shown.user += user;
	e->shown.system += used - user;
	return used;
}

/*
 * Idle time of the first answer: what the container did not use of its age. A CPU
 * that used more than its part has none, and the others so much less.
 */
static void record_first_idle(struct record *r, const struct history_cpu *now, size_t shown)
{
	uint64_t age = number_scale(number_sub(now->now, now->start), now->capacity, SECOND_US);
	uint64_t idle = number_sub(age, number_add(now->user, now->system));
	uint64_t left = idle, room = 0;
	size_t i = 0;

	each_shown(e, r, now)
		room += number_sub(even_part(age, i++, shown), e->shown.user + e->shown.system);
	i = 0;
	each_shown(e, r, now) {
		uint64_t own = number_sub(even_part(age, i++, shown),
					  e->shown.user + e->shown.system);

		e->shown.idle = room ? number_scale(left, own, room) : 0;
		left -= e->shown.idle;
		room -= own;
	}
	r->total.idle = idle;
}

/* The first answer: from age and use alone, so that it is the same whoever gives it. */
static void record_first(struct record *r, const struct history_cpu *now, size_t shown)
{
	struct spread s = {
		.used = number_add(now->user, now->system),
		.room = UINT64_MAX,
		.count = shown,
		.user = now->user,
	};
	size_t i = 0;

	each_shown(e, r, now)
		e->busy = now->busy_is_own ? 0 : busy_of(now, e->number);
	spread_begin(&s, r, now);
	each_shown(e, r, now) {
		spread_give(&s, i++, entry_weight(e, now), e);
		e->busy = busy_of(now, e->number);
	}
	r->total = (struct cpu_times){ .user = now->user, .system = now->system };
	r->user = now->user;
	r->system = now->system;
	record_first_idle(r, now, shown);
}

/*
 * What a counter gained. Of two threads the later one may have read it earlier, so
 * that it seems to go back a little; far back means a new cgroup of the same name.
 */
static uint64_t counter_gain(uint64_t *last, uint64_t now)
{
	uint64_t gain = now - *last;

	if (now < *last)
		gain = *last - now > SECOND_US ? now : 0;
	if (gain)
		*last = now;
	return gain;
}

/* Gives the CPUs what the total has gained since they were given something. */
static void record_spread(struct record *r, const struct history_cpu *now, size_t shown)
{
	struct spread s = {
		.used = r->unspread.used,
		.room = r->unspread.room,
		.count = shown,
		.user = r->unspread.user,
	};
	size_t i = 0;

	spread_begin(&s, r, now);
	each_shown(e, r, now) {
		uint64_t given = spread_give(&s, i, entry_weight(e, now), e);

		e->shown.idle += spread_room(&s, i++) - given;
		e->busy = busy_of(now, e->number);
	}
	memset(&r->unspread, 0, sizeof r->unspread);
}

/* A later answer: the time since the last one, used or idle, comes on top. */
static void record_advance(struct record *r, const struct history_cpu *now, size_t shown)
{
	uint64_t room = number_scale(number_sub(now->now, r->now), now->capacity, SECOND_US);
	uint64_t user = r->owed_user + counter_gain(&r->user, now->user);
	uint64_t system = r->owed_system + counter_gain(&r->system, now->system);
	uint64_t used = number_min(number_add(user, system), room);
	uint64_t used_user = used ? number_scale(used, user, number_add(user, system)) : 0;

	r->total.user += used_user;
	r->total.system += used - used_user;
	r->total.idle += room - used;
	r->owed_user = user - used_user;
	r->owed_system = system - (used - used_user);
	r->unspread.used += used;
	r->unspread.user += used_user;
	r->unspread.room += room;
	if (!now->total_only)
		record_spread(r, now, shown);
}

/* The counters of the shown CPUs, in their order; a CPU that has no entry shows nothing. */
static void record_show(const struct record *r, const struct history_cpu *now,
			struct cpu_times *ret_cpus, struct cpu_times *ret_total)
{
	size_t at = 0, i = 0;

	cpulist_each(cpu, now->cpus) {
		while (at < r->count && r->cpu[at].number < cpu)
			at++;
		ret_cpus[i++] = at < r->count && r->cpu[at].number == cpu ? r->cpu[at].shown
									  : (struct cpu_times){ 0 };
	}
	*ret_total = r->total;
}

/* Also within one tick: what only the total had until then is spread over the CPUs. */
static bool record_is_behind(const struct record *r, const struct history_cpu *now)
{
	return !r || !r->count || now->now > r->now || (!now->total_only && r->unspread.room);
}

int history_cpu_times(struct history *h, uint64_t container, const struct history_cpu *now,
		      struct cpu_times *ret_cpus, struct cpu_times *ret_total)
{
	AUTO_PLACE struct place p = { 0 };
	size_t shown;

	if (!now->count)
		return -EINVAL;
	p = place_open(h, container);
	if (now->total_only && (!p.record || !p.record->count))
		return -EAGAIN;
	if (p.lock && record_is_behind(p.record, now)) {
		struct record *edit = place_edit(&p);
		bool first = !edit->count;

		shown = record_admit(edit, h->cpus, now);
		if (first)
			record_first(edit, now, shown);
		else
			record_advance(edit, now, shown);
		edit->now = number_max(edit->now, now->now);
		place_commit(&p, edit);
	}
	if (!p.record || !p.record->count)
		return -EBUSY;
	record_show(p.record, now, ret_cpus, ret_total);
	return 0;
}

bool history_last_pid_of(struct history *h, uint64_t container, uint64_t task, uint64_t *ret)
{
	AUTO_PLACE struct place p = place_open(h, container);

	if (!p.record || !task || p.record->last_task != task)
		return false;
	*ret = p.record->last_pid;
	return true;
}

uint64_t history_last_pid(struct history *h, uint64_t container, uint64_t task, uint64_t pid)
{
	AUTO_PLACE struct place p = place_open(h, container);
	uint64_t seen = p.record ? p.record->last_pid : 0;

	if (p.lock && (pid > seen || (task && (!p.record || p.record->last_task != task)))) {
		struct record *edit = place_edit(&p);

		edit->last_pid = number_max(pid, seen);
		edit->last_task = task;
		place_commit(&p, edit);
	}
	return number_max(pid, seen);
}

void history_load_get(struct history *h, uint64_t container, struct history_load *ret)
{
	AUTO_PLACE struct place p = place_open(h, container);

	*ret = p.record ? p.record->load : (struct history_load){ 0 };
}

void history_load_set(struct history *h, uint64_t container, const struct history_load *load)
{
	AUTO_PLACE struct place p = place_open(h, container);

	if (p.lock) {
		struct record *edit = place_edit(&p);

		edit->load = *load;
		place_commit(&p, edit);
	}
}
