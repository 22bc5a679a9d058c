/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The texts that open files are in the middle of reading: a set-associative
 * cache in shared memory. Its locks are this process's own, as only one worker
 * serves at a time; a handle is stored after what it stands for, so that a
 * worker which dies amid a change leaves a free entry.
 */
#include "answers.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/cleanup.h"

#define SETS 512
#define WAYS 8
#define BYTES_MAX (64u << 20) /* of all texts together */
#define ROOM 16384	      /* bytes that a place keeps for its next text */
#define SAMPLED 16	      /* texts that are looked at for whom to take memory from */
#define SAMPLES_MAX 64	      /* how often, for one text */

struct set {
	pthread_mutex_t lock;
	uint64_t clock;
};

struct answers {
	uint64_t (*owner)(pid_t pid);
	_Atomic size_t kept;   /* bytes */
	_Atomic unsigned hand; /* which set is sampled next */
	struct set sets[SETS];
	struct shared_answer *entries; /* WAYS for each set */
	char *places;		       /* SHARED_TEXT_MAX bytes for each entry */
	char *big[SHARED_ANSWERS]; /* texts too long for their place; they end with this worker */
	void *own;		   /* entries and places, when they are not shared */
	size_t own_size;
};

_Static_assert(SETS *WAYS == SHARED_ANSWERS, "an entry for each way");

static inline void unlock_set(struct set **set)
{
	pthread_mutex_unlock(&(*set)->lock);
}

#define AUTO_UNLOCK_SET AUTO(unlock_set)

static struct set *lock_set(struct answers *answers, uint64_t handle)
{
	/* Handles count up; the multiplier (2^64 / golden ratio) spreads neighbours. */
	struct set *set = &answers->sets[handle * 0x9e3779b97f4a7c15u >> 55];

	_Static_assert(SETS == 1 << (64 - 55), "the shift is made for this number of sets");
	pthread_mutex_lock(&set->lock);
	set->clock++;
	return set;
}

static size_t index_of(const struct answers *answers, const struct shared_answer *a)
{
	return (size_t)(a - answers->entries);
}

static char *place_of(const struct answers *answers, const struct shared_answer *a)
{
	return answers->places + index_of(answers, a) * SHARED_TEXT_MAX;
}

/* Where the text is, NULL when it is not kept. */
static char *text_of(const struct answers *answers, const struct shared_answer *a)
{
	char *big = answers->big[index_of(answers, a)];

	if (big || !atomic_load(&a->kept) || a->len > SHARED_TEXT_MAX)
		return big;
	return place_of(answers, a);
}

/* Counts what an earlier worker kept, and sets the clocks after its. */
static void take_stock(struct answers *answers)
{
	for (size_t i = 0; i < SHARED_ANSWERS; i++) {
		struct shared_answer *a = &answers->entries[i];
		struct set *set = &answers->sets[i / WAYS];

		if (!atomic_load(&a->handle))
			continue;
		if (set->clock < a->used)
			set->clock = a->used;
		if (text_of(answers, a))
			atomic_fetch_add(&answers->kept, a->len);
	}
}

static bool find_memory(struct answers *answers, const struct shared *shared)
{
	const size_t entries = SHARED_ANSWERS * sizeof(struct shared_answer);

	if (shared && shared->answers) {
		answers->entries = shared->answers;
		answers->places = shared->texts;
		return true;
	}
	answers->own_size = entries + (size_t)SHARED_ANSWERS * SHARED_TEXT_MAX;
	answers->own = mmap(NULL, answers->own_size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (answers->own == MAP_FAILED)
		return false;
	answers->entries = answers->own;
	answers->places = (char *)answers->own + entries;
	_Static_assert(SHARED_ANSWERS * sizeof(struct shared_answer) % 4096 == 0,
		       "places begin at a page");
	return true;
}

struct answers *answers_new(const struct shared *shared, uint64_t (*owner)(pid_t pid))
{
	struct answers *answers = calloc(1, sizeof(*answers));

	if (!answers || !find_memory(answers, shared)) {
		free(answers);
		return NULL;
	}
	answers->owner = owner;
	for (size_t i = 0; i < SETS; i++)
		pthread_mutex_init(&answers->sets[i].lock, NULL);
	take_stock(answers);
	return answers;
}

void answers_free(struct answers *answers)
{
	if (!answers)
		return;
	for (size_t i = 0; i < SETS; i++)
		pthread_mutex_destroy(&answers->sets[i].lock);
	for (size_t i = 0; i < SHARED_ANSWERS; i++)
		free(answers->big[i]);
	if (answers->own)
		munmap(answers->own, answers->own_size);
	free(answers);
}

/* Gives memory back, but for what most texts fit into. */
static void empty_place(struct answers *answers, const struct shared_answer *a)
{
	char *start = place_of(answers, a) + ROOM;

	if (a->len <= ROOM)
		return;
	/* Shared memory is only freed by the first; private memory knows only the second. */
	if (madvise(start, SHARED_TEXT_MAX - ROOM, MADV_REMOVE) < 0)
		madvise(start, SHARED_TEXT_MAX - ROOM, MADV_DONTNEED);
}

static void let_go(struct answers *answers, struct shared_answer *a)
{
	char **big = &answers->big[index_of(answers, a)];

	if (!text_of(answers, a))
		return;
	atomic_fetch_sub(&answers->kept, a->len);
	if (*big)
		free(take_ptr(*big));
	else
		empty_place(answers, a);
	atomic_store(&a->kept, 0);
}

static struct shared_answer *ways_of(const struct answers *answers, const struct set *set)
{
	return &answers->entries[(size_t)(set - answers->sets) * WAYS];
}

static struct shared_answer *find(const struct answers *answers, const struct set *set,
				  uint64_t handle)
{
	struct shared_answer *ways = ways_of(answers, set);

	for (size_t w = 0; w < WAYS; w++)
		if (atomic_load(&ways[w].handle) == handle)
			return &ways[w];
	return NULL;
}

bool answers_get(struct answers *answers, uint64_t handle, uint64_t offset, char *buf, size_t size,
		 size_t *ret_len)
{
	AUTO_UNLOCK_SET struct set *set = lock_set(answers, handle);
	struct shared_answer *a = find(answers, set, handle);
	const char *text;
	size_t n;

	if (!a)
		return false;
	a->used = set->clock;
	if (offset >= a->len) {
		let_go(answers, a);
		*ret_len = 0;
		return true;
	}
	text = text_of(answers, a);
	if (!text)
		return false;
	n = a->len - offset < size ? a->len - offset : size;
	memcpy(buf, text + offset, n);
	*ret_len = n;
	return true;
}

/* Each process is asked for once. */
static void find_owners(const struct answers *answers, const uint32_t *pids, uint64_t *owners,
			unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		unsigned same = 0;

		while (pids[same] != pids[i])
			same++;
		owners[i] = same < i ? owners[same] : answers->owner((pid_t)pids[i]);
	}
}

/*
 * Of a set full of texts, the longest unused of who has most of them, whoever the new one is
 * for: so nobody pushes out more than his share.
 */
static struct shared_answer *find_fair_victim(const struct answers *answers, const struct set *set,
					      uint32_t pid)
{
	struct shared_answer *ways = ways_of(answers, set), *victim = NULL;
	uint32_t pids[WAYS + 1];
	uint64_t owner[WAYS + 1] = { 0 };
	unsigned most = 0;

	for (size_t w = 0; w < WAYS; w++)
		pids[w] = ways[w].pid;
	pids[WAYS] = pid;
	find_owners(answers, pids, owner, WAYS + 1);
	for (size_t w = 0; w < WAYS; w++) {
		unsigned count = 0;

		for (size_t i = 0; i <= WAYS; i++)
			count += owner[i] == owner[w];
		if (count > most || (count == most && ways[w].used < victim->used)) {
			most = count;
			victim = &ways[w];
		}
	}
	return victim;
}

/* A free way, else one whose loss costs nothing, else one of who has most. */
static struct shared_answer *find_victim(const struct answers *answers, const struct set *set,
					 uint32_t pid)
{
	struct shared_answer *ways = ways_of(answers, set), *oldest = NULL;

	for (size_t w = 0; w < WAYS; w++) {
		if (!atomic_load(&ways[w].handle))
			return &ways[w];
		if (!text_of(answers, &ways[w]) && (!oldest || ways[w].used < oldest->used))
			oldest = &ways[w];
	}
	return oldest ? oldest : find_fair_victim(answers, set, pid);
}

struct sample {
	uint64_t handle[SAMPLED], len[SAMPLED], owner[SAMPLED];
	uint32_t pid[SAMPLED];
	unsigned count;
};

static void sample_set(const struct answers *answers, struct set *set, struct sample *s)
{
	const struct shared_answer *ways = ways_of(answers, set);

	pthread_mutex_lock(&set->lock);
	for (size_t w = 0; w < WAYS && s->count < SAMPLED; w++) {
		if (!atomic_load(&ways[w].handle) || !text_of(answers, &ways[w]))
			continue;
		s->handle[s->count] = ways[w].handle;
		s->len[s->count] = ways[w].len;
		s->pid[s->count++] = ways[w].pid;
	}
	pthread_mutex_unlock(&set->lock);
}

static void take_sample(struct answers *answers, struct sample *s)
{
	s->count = 0;
	for (unsigned i = 0; i < SETS && s->count < SAMPLED; i++)
		sample_set(answers, &answers->sets[atomic_fetch_add(&answers->hand, 1) % SETS], s);
	find_owners(answers, s->pid, s->owner, s->count);
}

/* Who has most of the sample, in bytes. */
static uint64_t find_heaviest(const struct sample *s)
{
	uint64_t heaviest = 0, most = 0;

	for (unsigned i = 0; i < s->count; i++) {
		uint64_t bytes = 0;

		for (unsigned j = 0; j < s->count; j++)
			bytes += s->owner[j] == s->owner[i] ? s->len[j] : 0;
		if (bytes > most) {
			most = bytes;
			heaviest = s->owner[i];
		}
	}
	return heaviest;
}

static bool is_full(struct answers *answers, size_t len)
{
	return atomic_load(&answers->kept) + len > BYTES_MAX;
}

/*
 * Who opens thousands of files and reads a little of each takes memory from himself: whom
 * most of it is lost to shows in any small sample. No set is locked by us here.
 */
static void make_room(struct answers *answers, size_t len)
{
	for (unsigned i = 0; i < SAMPLES_MAX && is_full(answers, len); i++) {
		struct sample s;
		uint64_t heaviest;

		take_sample(answers, &s);
		heaviest = find_heaviest(&s);
		for (unsigned j = 0; j < s.count && is_full(answers, len); j++)
			if (s.owner[j] == heaviest)
				answers_drop(answers, s.handle[j]);
	}
}

static void keep_text(struct answers *answers, struct shared_answer *a, char **text)
{
	if (is_full(answers, a->len))
		return; /* too long, or others were faster */
	atomic_fetch_add(&answers->kept, a->len);
	if (a->len <= SHARED_TEXT_MAX) {
		memcpy(place_of(answers, a), *text, a->len);
		atomic_store(&a->kept, 1);
	} else {
		answers->big[index_of(answers, a)] = take_ptr(*text);
	}
}

static void put(struct answers *answers, uint64_t handle, uint64_t request, uint32_t pid,
		char **text, size_t len)
{
	AUTO_UNLOCK_SET struct set *set = lock_set(answers, handle);
	struct shared_answer *a = find(answers, set, handle);

	if (!a)
		a = find_victim(answers, set, pid);
	let_go(answers, a);
	atomic_store(&a->handle, 0);
	a->len = len;
	a->used = set->clock;
	a->request = request;
	a->pid = pid;
	keep_text(answers, a, text);
	atomic_store(&a->handle, handle);
}

void answers_put(struct answers *answers, uint64_t handle, uint64_t request, uint32_t pid,
		 char *text, size_t len)
{
	AUTO_FREE char *owned = text;

	make_room(answers, len);
	put(answers, handle, request, pid, &owned, len);
}

bool answers_knows(struct answers *answers, uint64_t handle, uint64_t request)
{
	AUTO_UNLOCK_SET struct set *set = lock_set(answers, handle);
	const struct shared_answer *a = find(answers, set, handle);

	return a && a->request == request && text_of(answers, a);
}

void answers_drop(struct answers *answers, uint64_t handle)
{
	AUTO_UNLOCK_SET struct set *set = lock_set(answers, handle);
	struct shared_answer *a = find(answers, set, handle);

	if (!a)
		return;
	let_go(answers, a);
	atomic_store(&a->handle, 0);
}

size_t answers_kept(struct answers *answers)
{
	return atomic_load(&answers->kept);
}
