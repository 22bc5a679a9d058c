/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The state that outlives a worker: layout, mapping and locks of the memfd. */
#include "shared.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"

#define MAGIC "lxcfs-st"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

#ifdef __LP64__
/* Who changes these takes the mount from everybody who upgrades; see shared.h. */
_Static_assert(offsetof(struct shared_header, init) == 80 &&
		       offsetof(struct shared_header, reply) == 600 &&
		       offsetof(struct shared_header, lock_byte) == 872 &&
		       offsetof(struct shared_header, text_size) == SHARED_HEADER_MIN - 8 &&
		       sizeof(struct shared_header) <= SHARED_HEADER_MAX,
	       "fields of the header are appended");
_Static_assert(offsetof(struct shared_slot, request) == 16 && sizeof(struct shared_slot) == 20496,
	       "slots stay as they are");
#endif

static uint64_t page_align(uint64_t size)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	return (size + page - 1) / page * page;
}

static void fill_header(struct shared_header *h, const void *init, size_t init_size, unsigned slots,
			size_t history_size)
{
	memcpy(h->magic, MAGIC, sizeof(h->magic));
	h->version = SHARED_VERSION;
	h->header_size = sizeof(*h);
	h->slots = slots;
	h->slot_size = sizeof(struct shared_slot);
	h->slots_offset = page_align(SHARED_HEADER_MAX);
	h->triggers = SHARED_TRIGGERS;
	h->trigger_size = sizeof(struct shared_trigger);
	h->triggers_offset = page_align(h->slots_offset + (uint64_t)slots * h->slot_size);
	h->answers = SHARED_ANSWERS;
	h->answer_size = sizeof(struct shared_answer);
	h->answers_offset =
		page_align(h->triggers_offset + (uint64_t)SHARED_TRIGGERS * h->trigger_size);
	h->text_size = SHARED_TEXT_MAX;
	h->texts_offset = page_align(h->answers_offset + (uint64_t)SHARED_ANSWERS * h->answer_size);
	h->history_offset =
		page_align(h->texts_offset + (uint64_t)SHARED_ANSWERS * SHARED_TEXT_MAX);
	h->history_size = page_align(history_size);
	h->size = h->history_offset + h->history_size;
	h->init_size = (uint32_t)init_size;
	memcpy(h->init, init, init_size);
	h->lock_byte = SHARED_LOCK_KEEPER + 1;
}

int shared_create(const void *init, size_t init_size, unsigned slots, size_t history_size)
{
	AUTO_CLOSE int fd = -1;
	struct shared_header h = { 0 };

	if (init_size > sizeof(h.init) || slots == 0 || slots > SHARED_SLOTS_MAX)
		return -EINVAL;
	fill_header(&h, init, init_size, slots, history_size);
	fd = memfd_create("lxcfs-state", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, (off_t)h.size) < 0)
		return -errno;
	if (pwrite(fd, &h, sizeof(h), 0) != (ssize_t)sizeof(h))
		return -EIO;
	return take_fd(&fd);
}

static bool part_fits(uint64_t size, uint64_t offset, uint64_t count, uint64_t each)
{
	return offset % 8 == 0 && offset <= size && count <= UINT32_MAX && each <= UINT32_MAX &&
	       count * each <= size - offset;
}

/* May this version use the slots as its own? Then the rest is asked by `version`. */
static bool header_is_sound(const struct shared_header *h, uint64_t file_size)
{
	return !memcmp(h->magic, MAGIC, sizeof(h->magic)) && h->header_size >= SHARED_HEADER_MIN &&
	       h->slots_offset >= SHARED_HEADER_MAX && h->size <= file_size && h->slots > 0 &&
	       h->slots <= SHARED_SLOTS_MAX && h->slot_size >= sizeof(struct shared_slot) &&
	       h->init_size <= sizeof(h->init) && h->reply_size <= sizeof(h->reply) &&
	       part_fits(h->size, h->slots_offset, h->slots, h->slot_size);
}

static void find_parts(struct shared *s)
{
	const struct shared_header *h = s->header;

	s->slots = h->slots;
	if (h->answers == SHARED_ANSWERS && h->answer_size == sizeof(struct shared_answer) &&
	    h->text_size == SHARED_TEXT_MAX &&
	    part_fits(h->size, h->answers_offset, h->answers, h->answer_size) &&
	    part_fits(h->size, h->texts_offset, h->answers, h->text_size)) {
		s->answers = (void *)((char *)s->header + h->answers_offset);
		s->texts = (char *)s->header + h->texts_offset;
	}
	if (h->version != SHARED_VERSION)
		return;
	if (h->trigger_size >= sizeof(struct shared_trigger) && h->triggers <= SHARED_TRIGGERS &&
	    part_fits(h->size, h->triggers_offset, h->triggers, h->trigger_size))
		s->triggers = h->triggers;
	if (h->history_offset <= h->size && h->history_size <= h->size - h->history_offset) {
		s->history = (char *)s->header + h->history_offset;
		s->history_size = h->history_size;
	}
}

static void populate_slots(const struct shared *s)
{
	size_t len = (size_t)s->header->slots * s->header->slot_size;
	unsigned char *start = (unsigned char *)s->header + s->header->slots_offset;

	if (madvise(start, page_align(len), MADV_POPULATE_WRITE) == 0)
		return;
	for (unsigned i = 0; i < s->slots; i++) {
		_Atomic unsigned char *p = (void *)shared_slot(s, i);

		for (size_t at = 0; at < s->header->slot_size; at += 4096)
			atomic_fetch_or(p + at, 0);
	}
}

int shared_map(int fd, bool populate, struct shared *ret)
{
	struct shared s = { .fd = fd };
	struct stat st;
	void *map;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size < (off_t)sizeof(struct shared_header))
		return -EPROTO;
	s.size = (size_t)st.st_size;
	map = mmap(NULL, s.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	s.header = map;
	if (!header_is_sound(s.header, s.size)) {
		munmap(map, s.size);
		return -EPROTO;
	}
	find_parts(&s);
	if (populate)
		populate_slots(&s);
	*ret = s;
	return 0;
}

void shared_unmap(struct shared *s)
{
	if (s->header)
		munmap(s->header, s->size);
	s->header = NULL;
}

struct shared_slot *shared_slot(const struct shared *s, unsigned index)
{
	return (void *)((char *)s->header + s->header->slots_offset +
			(size_t)index * s->header->slot_size);
}

struct shared_trigger *shared_trigger(const struct shared *s, unsigned index)
{
	return (void *)((char *)s->header + s->header->triggers_offset +
			(size_t)index * s->header->trigger_size);
}

uint32_t shared_slot_pending(const struct shared_slot *slot)
{
	uint32_t len;

	memcpy(&len, slot->request, sizeof(len));
	return len <= sizeof(slot->request) ? len : 0;
}

void shared_slot_clear(struct shared_slot *slot)
{
	/* One aligned store: a reader of the slot sees a whole request or none. */
	atomic_store((_Atomic uint32_t *)(void *)slot->request, 0);
	atomic_store(&slot->since, 0);
	atomic_store(&slot->blame, 0);
}

void shared_blame(const struct shared *s, uint32_t blame)
{
	for (unsigned i = 0; i < s->slots; i++) {
		struct shared_slot *slot = shared_slot(s, i);

		if (shared_slot_pending(slot) && atomic_load(&slot->since))
			atomic_fetch_add(&slot->blame, blame);
		atomic_store(&slot->since, 0);
	}
}

uint64_t shared_oldest(const struct shared *s)
{
	uint64_t oldest = UINT64_MAX;

	for (unsigned i = 0; i < s->slots; i++) {
		uint64_t since = atomic_load(&shared_slot(s, i)->since);

		if (since && since < oldest)
			oldest = since;
	}
	return oldest;
}

uint64_t shared_stuck_since(const struct shared *s)
{
	uint64_t latest = 0;

	for (unsigned i = 0; i < s->slots; i++) {
		uint64_t since = atomic_load(&shared_slot(s, i)->since);

		if (!since)
			return UINT64_MAX;
		if (since > latest)
			latest = since;
	}
	return latest;
}

void shared_give_up(const struct shared *s, uint64_t before)
{
	for (unsigned i = 0; i < s->slots; i++) {
		struct shared_slot *slot = shared_slot(s, i);
		uint64_t since = atomic_load(&slot->since);

		if (since && since < before)
			atomic_store(&slot->blame, SHARED_BLAME_LIMIT);
	}
}

int shared_lock(int fd, off_t byte, bool wait)
{
	struct flock lock = { .l_type = F_WRLCK, .l_start = byte, .l_len = 1 };

	while (fcntl(fd, wait ? F_SETLKW : F_SETLK, &lock) < 0) {
		if (errno == EINTR)
			continue;
		return errno == EACCES ? -EAGAIN : -errno;
	}
	return 0;
}

pid_t shared_lock_holder(int fd, off_t byte)
{
	struct flock lock = { .l_type = F_WRLCK, .l_start = byte, .l_len = 1 };

	if (fcntl(fd, F_GETLK, &lock) < 0 || lock.l_type == F_UNLCK)
		return 0;
	return lock.l_pid;
}

uint64_t shared_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}
