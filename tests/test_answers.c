/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The texts of open files. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "answers.h"
#include "base/cleanup.h"
#include "support.h"

static char *text(size_t len, char c)
{
	char *t = malloc(len + 1);

	ck_assert_ptr_nonnull(t);
	memset(t, c, len);
	t[len] = '\0';
	return t;
}

/* Processes by the thousand. */
static uint64_t owner(pid_t pid)
{
	return (uint64_t)pid / 1000;
}

START_TEST(pieces_until_the_end)
{
	struct answers *a = answers_new(NULL, owner);
	char buf[100];
	size_t n = 99;

	ck_assert(!answers_get(a, 1, 0, buf, 10, &n));
	ck_assert_uint_eq(n, 99);
	answers_put(a, 1, 100, 1, strdup("hello world"), 11);
	ck_assert(answers_get(a, 1, 4, buf, 4, &n));
	ck_assert_uint_eq(n, 4);
	ck_assert_mem_eq(buf, "o wo", 4);
	ck_assert_uint_eq(answers_kept(a), 11);
	ck_assert(answers_get(a, 1, 8, buf, 100, &n));
	ck_assert_uint_eq(n, 3);
	/* The text is gone when the end was seen, and where it ended is still known. */
	ck_assert_uint_eq(answers_kept(a), 11);
	ck_assert(answers_get(a, 1, 11, buf, 100, &n));
	ck_assert_uint_eq(n, 0);
	ck_assert_uint_eq(answers_kept(a), 0);
	ck_assert(answers_get(a, 1, 1000, buf, 100, &n));
	ck_assert(!answers_get(a, 1, 3, buf, 100, &n));
	answers_drop(a, 1);
	ck_assert(!answers_get(a, 1, 11, buf, 100, &n));
	answers_drop(a, 1);
	answers_free(a);
}
END_TEST

START_TEST(a_new_text_takes_the_place)
{
	struct answers *a = answers_new(NULL, owner);
	char buf[10];
	size_t n;

	answers_put(a, 7, 100, 1, strdup("all"), 3);
	ck_assert(answers_knows(a, 7, 100));
	ck_assert(!answers_knows(a, 7, 101));
	ck_assert(!answers_knows(a, 8, 100));
	answers_put(a, 7, 101, 1, strdup("all of it"), 9);
	ck_assert(!answers_knows(a, 7, 100));
	ck_assert(answers_knows(a, 7, 101));
	ck_assert(answers_get(a, 7, 3, buf, 10, &n));
	ck_assert_uint_eq(n, 6);
	ck_assert(answers_get(a, 7, 9, buf, 10, &n));
	ck_assert(!answers_knows(a, 7, 101));
	answers_free(a);
}
END_TEST

/* However many are opened and never read on, memory has an end, and texts stay right. */
START_TEST(bounded)
{
	struct answers *a = answers_new(NULL, owner);
	const size_t big = 1 << 20;
	char buf[4];
	size_t n, known = 0;

	for (uint64_t handle = 1; handle <= 200; handle++)
		answers_put(a, handle, 100, 1, text(big, (char)handle), big);
	ck_assert_uint_le(answers_kept(a), 64 << 20);
	for (uint64_t handle = 1; handle <= 200; handle++) {
		if (!answers_get(a, handle, 5, buf, 4, &n))
			continue;
		known++;
		ck_assert_uint_eq((unsigned char)buf[0], handle);
		answers_drop(a, handle);
	}
	ck_assert_uint_ge(known, 60);
	ck_assert_uint_eq(answers_kept(a), 0);
	for (uint64_t handle = 1; handle <= 100000; handle++)
		answers_put(a, handle, 100, 1, text(10, 'x'), 10);
	ck_assert_uint_le(answers_kept(a), 4096 * 10);
	/* The latest is there. */
	ck_assert(answers_get(a, 100000, 1, buf, 4, &n));
	answers_free(a);
}
END_TEST

/* All the memory there is, taken by texts that nobody reads on: who comes later is kept, too. */
START_TEST(a_flood_keeps_nobody_out)
{
	struct answers *a = answers_new(NULL, owner);
	const size_t len = 50000;
	char buf[4];
	size_t n, kept = 0;

	for (uint64_t handle = 1; handle <= 4000; handle++)
		answers_put(a, handle, 100, 1, text(len, 'x'), len);
	ck_assert_uint_gt(answers_kept(a), (64 << 20) - len);
	for (uint64_t handle = 10001; handle <= 10400; handle++) {
		answers_put(a, handle, 100, 1, text(len, 'y'), len);
		ck_assert_uint_le(answers_kept(a), 64 << 20);
		kept += answers_get(a, handle, 5, buf, 4, &n) && buf[0] == 'y';
	}
	ck_assert_uint_ge(kept, 390); /* of 400; a set may by chance have had no text to give up */
	answers_free(a);
}
END_TEST

/* Texts of any size, by very many processes of one owner. */
START_TEST(a_flood_pushes_nobody_out)
{
	static const size_t lens[] = { 10, 50000, 1 << 20 };
	char buf[4];
	size_t n;

	for (size_t i = 0; i < 3; i++) {
		struct answers *a = answers_new(NULL, owner);

		for (uint64_t handle = 1; handle <= 4; handle++)
			answers_put(a, handle, 100, 5000, text(100, 'y'), 100);
		for (uint64_t handle = 100; handle <= (i == 0 ? 30000 : 3000); handle++)
			answers_put(a, handle, 100, (uint32_t)(handle % 1000), text(lens[i], 'x'),
				    lens[i]);
		ck_assert_uint_ge(answers_kept(a), i == 0 ? 20000 : (62 << 20));
		for (uint64_t handle = 1; handle <= 4; handle++)
			ck_assert(answers_get(a, handle, 5, buf, 4, &n) && buf[0] == 'y');
		answers_free(a);
	}
}
END_TEST

/* A worker that ends amid everything, and the one that follows it. */
START_TEST(the_next_worker_goes_on)
{
	AUTO_CLOSE int fd = shared_create("init", 5, 2, 4096);
	struct shared shared, again;
	struct answers *a;
	char buf[20];
	size_t n;

	ck_assert_int_eq(shared_map(fd, false, &shared), 0);
	a = answers_new(&shared, owner);
	answers_put(a, 5, 100, 1, strdup("hello world"), 11);
	answers_put(a, 6, 100, 1, strdup("known"), 5);
	answers_put(a, 7, 100, 1, text(SHARED_TEXT_MAX + 1, 'b'), SHARED_TEXT_MAX + 1);
	answers_put(a, 8, 100, 1, text(SHARED_TEXT_MAX, 'c'), SHARED_TEXT_MAX);
	answers_free(a);
	shared_unmap(&shared);

	ck_assert_int_eq(shared_map(fd, false, &again), 0);
	a = answers_new(&again, owner);
	ck_assert_uint_eq(answers_kept(a), 11 + 5 + SHARED_TEXT_MAX);
	ck_assert(answers_knows(a, 6, 100));
	ck_assert(answers_get(a, 5, 6, buf, 20, &n));
	ck_assert_uint_eq(n, 5);
	ck_assert_mem_eq(buf, "world", 5);
	ck_assert(answers_get(a, 6, 5, buf, 20, &n));
	ck_assert_uint_eq(n, 0);
	/* Too long for the state: only its length is known. */
	ck_assert(!answers_get(a, 7, 2, buf, 20, &n));
	ck_assert(answers_get(a, 7, SHARED_TEXT_MAX + 1, buf, 20, &n));
	ck_assert(answers_get(a, 8, SHARED_TEXT_MAX - 3, buf, 20, &n));
	ck_assert_mem_eq(buf, "ccc", 3);
	answers_drop(a, 8);
	answers_drop(a, 5);
	ck_assert_uint_eq(answers_kept(a), 0);
	answers_free(a);
	shared_unmap(&again);
}
END_TEST

static void *use(void *arg)
{
	struct answers *a = arg;
	unsigned seed = (unsigned)(uintptr_t)&seed;
	char buf[64];
	size_t n;

	for (int i = 0; i < 20000; i++) {
		uint64_t handle = (uint64_t)rand_r(&seed) % 50 + 1;

		switch (rand_r(&seed) % 3) {
		case 0:
			answers_put(a, handle, 100, 1, text(64, (char)handle), 64);
			break;
		case 1:
			answers_drop(a, handle);
			break;
		default:
			if (answers_get(a, handle, 8, buf, 32, &n) && n && buf[0] != (char)handle)
				return a;
		}
	}
	return NULL;
}

START_TEST(threads)
{
	struct answers *a = answers_new(NULL, owner);
	pthread_t t[4];
	void *wrong;

	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, use, a), 0);
	for (int i = 0; i < 4; i++) {
		pthread_join(t[i], &wrong);
		ck_assert_ptr_null(wrong);
	}
	answers_free(a);
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_test(tests, pieces_until_the_end);
	tcase_add_test(tests, a_new_text_takes_the_place);
	tcase_add_test(tests, bounded);
	tcase_add_test(tests, a_flood_keeps_nobody_out);
	tcase_add_test(tests, a_flood_pushes_nobody_out);
	tcase_add_test(tests, the_next_worker_goes_on);
	tcase_add_test(tests, threads);
}

int main(void)
{
	return test_run("answers", fill);
}
