/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The texts that open files are in the middle of reading: a set-associative cache. */
#include "answers.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define SETS 512
#define WAYS 8
#define BYTES_MAX (64u << 20) /* of all texts together */

struct answer {
	uint64_t handle; /* 0: free */
	char *text;	 /* NULL: only the length is known */
	size_t len;
	uint64_t used; /* by the set's clock */
};

struct set {
	pthread_mutex_t lock;
	uint64_t clock;
	struct answer ways[WAYS];
};

struct answers {
	_Atomic size_t kept; /* bytes */
	struct set sets[SETS];
};

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

struct answers *answers_new(void)
{
	struct answers *answers = calloc(1, sizeof(*answers));

	for (size_t i = 0; answers && i < SETS; i++)
		pthread_mutex_init(&answers->sets[i].lock, NULL);
	return answers;
}

static void let_go(struct answers *answers, struct answer *a)
{
	if (!a->text)
		return;
	atomic_fetch_sub(&answers->kept, a->len);
	free(take_ptr(a->text));
}

void answers_free(struct answers *answers)
{
	if (!answers)
		return;
	for (size_t i = 0; i < SETS; i++) {
		for (size_t w = 0; w < WAYS; w++)
			let_go(answers, &answers->sets[i].ways[w]);
		pthread_mutex_destroy(&answers->sets[i].lock);
	}
	free(answers);
}

static struct answer *find(struct set *set, uint64_t handle)
{
	for (size_t w = 0; w < WAYS; w++)
		if (set->ways[w].handle == handle)
			return &set->ways[w];
	return NULL;
}

bool answers_get(struct answers *answers, uint64_t handle, uint64_t offset, char *buf, size_t size,
		 size_t *ret_len)
{
	AUTO_UNLOCK_SET struct set *set = lock_set(answers, handle);
	struct answer *a = find(set, handle);
	size_t n;

	if (!a)
		return false;
	a->used = set->clock;
	if (offset >= a->len) {
		let_go(answers, a);
		*ret_len = 0;
		return true;
	}
	if (!a->text)
		return false;
	n = a->len - offset < size ? a->len - offset : size;
	memcpy(buf, a->text + offset, n);
	if (offset + n == a->len)
		let_go(answers, a);
	*ret_len = n;
	return true;
}

/* A free way, else the one whose loss costs least: without text, then longest unused. */
static struct answer *find_victim(struct set *set)
{
	struct answer *victim = &set->ways[0];

	for (size_t w = 0; w < WAYS; w++) {
		struct answer *a = &set->ways[w];

		if (!a->handle)
			return a;
		if (!a->text != !victim->text ? !a->text : a->used < victim->used)
			victim = a;
	}
	return victim;
}

void answers_put(struct answers *answers, uint64_t handle, char *text, size_t len, size_t done)
{
	AUTO_FREE char *owned = text;
	AUTO_UNLOCK_SET struct set *set = lock_set(answers, handle);
	struct answer *a = find(set, handle);

	if (!a)
		a = find_victim(set);
	let_go(answers, a);
	*a = (struct answer){ .handle = handle, .len = len, .used = set->clock };
	if (done >= len || atomic_load(&answers->kept) + len > BYTES_MAX)
		return;
	atomic_fetch_add(&answers->kept, len);
	a->text = take_ptr(owned);
}

void answers_drop(struct answers *answers, uint64_t handle)
{
	AUTO_UNLOCK_SET struct set *set = lock_set(answers, handle);
	struct answer *a = find(set, handle);

	if (!a)
		return;
	let_go(answers, a);
	a->handle = 0;
}

size_t answers_kept(struct answers *answers)
{
	return atomic_load(&answers->kept);
}
