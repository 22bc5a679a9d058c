/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The state that outlives a worker, and what decides when the next one starts. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backoff.h"
#include "base/cleanup.h"
#include "handoff.h"
#include "shared.h"
#include "support.h"

static const char init[] = "as the kernel sent it";

static int create(unsigned slots)
{
	int fd = shared_create(init, sizeof(init), slots, 10000);

	ck_assert_int_ge(fd, 0);
	return fd;
}

START_TEST(a_second_mapping_sees_it)
{
	AUTO_CLOSE int fd = create(3);
	struct shared a, b;

	ck_assert_int_eq(shared_map(fd, true, &a), 0);
	ck_assert_int_eq(shared_map(fd, false, &b), 0);
	ck_assert_uint_eq(b.slots, 3);
	ck_assert_uint_eq(b.triggers, SHARED_TRIGGERS);
	ck_assert_uint_ge(b.history_size, 10000);
	ck_assert_uint_eq((uintptr_t)b.history % 4096, 0);
	ck_assert_mem_eq(b.header->init, init, sizeof(init));
	memset(shared_slot(&a, 2)->request, 7, SHARED_REQUEST_MAX);
	ck_assert_uint_eq(shared_slot(&b, 2)->request[SHARED_REQUEST_MAX - 1], 7);
	ck_assert_uint_eq(shared_slot(&b, 1)->request[SHARED_REQUEST_MAX - 1], 0);
	/* Parts lie one after the other: the last byte of one is not the first of the next. */
	memset(a.history, 9, a.history_size);
	ck_assert_uint_eq(atomic_load(&shared_trigger(&b, SHARED_TRIGGERS - 1)->handle), 0);
	shared_unmap(&a);
	shared_unmap(&b);
}
END_TEST

START_TEST(nonsense_is_refused)
{
	AUTO_CLOSE int fd = create(2);
	struct shared s;
	struct shared_header good, bad;

	ck_assert_int_eq(shared_create(init, sizeof(init), 0, 1), -EINVAL);
	ck_assert_int_eq(shared_create(init, sizeof(init), SHARED_SLOTS_MAX + 1, 1), -EINVAL);
	ck_assert_int_eq(shared_create(init, 5000, 1, 1), -EINVAL);
	ck_assert_int_eq(pread(fd, &good, sizeof(good), 0), sizeof(good));
	for (int i = 0; i < 7; i++) {
		bad = good;
		switch (i) {
		case 0:
			bad.magic[0]++;
			break;
		case 1:
			bad.size += 1 << 20;
			break;
		case 2:
			bad.slots = 17;
			break;
		case 3:
			bad.slot_size = 8;
			break;
		case 4:
			bad.slots_offset = bad.size - 8;
			break;
		case 5:
			bad.init_size = 4096;
			break;
		default:
			bad.header_size = 16;
		}
		ck_assert_int_eq(pwrite(fd, &bad, sizeof(bad), 0), sizeof(bad));
		ck_assert_int_eq(shared_map(fd, false, &s), -EPROTO);
	}
	ck_assert_int_eq(ftruncate(fd, 100), 0);
	ck_assert_int_eq(shared_map(fd, false, &s), -EPROTO);
}
END_TEST

/* Another version's state: requests and FUSE_INIT are to be had, the rest is left alone. */
START_TEST(another_version_is_served)
{
	AUTO_CLOSE int fd = create(2);
	struct shared s;
	uint32_t version = SHARED_VERSION + 1;

	pwrite(fd, &version, sizeof(version), offsetof(struct shared_header, version));
	ck_assert_int_eq(shared_map(fd, false, &s), 0);
	ck_assert_uint_eq(s.slots, 2);
	ck_assert_uint_eq(s.triggers, 0);
	ck_assert_ptr_null(s.history);
	shared_unmap(&s);
}
END_TEST

START_TEST(blame_is_for_who_was_handled)
{
	AUTO_CLOSE int fd = create(3);
	struct shared s;
	uint32_t len = 80;

	ck_assert_int_eq(shared_map(fd, false, &s), 0);
	ck_assert_uint_eq(shared_oldest(&s), UINT64_MAX);
	for (unsigned i = 0; i < 2; i++)
		memcpy(shared_slot(&s, i)->request, &len, sizeof(len));
	shared_slot(&s, 1)->since = 1000;
	shared_slot(&s, 2)->since = 2000;
	ck_assert_uint_eq(shared_oldest(&s), 1000);
	shared_blame(&s, SHARED_BLAME_CRASHED);
	/* The first was not yet begun, the third has no request any more. */
	ck_assert_uint_eq(shared_slot(&s, 0)->blame, 0);
	ck_assert_uint_eq(shared_slot(&s, 1)->blame, SHARED_BLAME_CRASHED);
	ck_assert_uint_eq(shared_slot(&s, 2)->blame, 0);
	ck_assert_uint_eq(shared_oldest(&s), UINT64_MAX);
	ck_assert_uint_eq(shared_slot_pending(shared_slot(&s, 1)), 80);
	shared_slot_clear(shared_slot(&s, 1));
	ck_assert_uint_eq(shared_slot_pending(shared_slot(&s, 1)), 0);
	ck_assert_uint_eq(shared_slot(&s, 1)->blame, 0);
	len = SHARED_REQUEST_MAX + 1;
	memcpy(shared_slot(&s, 0)->request, &len, sizeof(len));
	ck_assert_uint_eq(shared_slot_pending(shared_slot(&s, 0)), 0);
	shared_unmap(&s);
}
END_TEST

/* All threads in one request each, and what becomes of those that are too old. */
START_TEST(stuck_is_when_no_thread_is_free)
{
	AUTO_CLOSE int fd = create(3);
	struct shared s;

	ck_assert_int_eq(shared_map(fd, false, &s), 0);
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_uint_eq(shared_stuck_since(&s), UINT64_MAX);
		atomic_store(&shared_slot(&s, i)->since, 100 + i);
	}
	ck_assert_uint_eq(shared_stuck_since(&s), 102);
	shared_give_up(&s, 102);
	ck_assert_uint_eq(atomic_load(&shared_slot(&s, 0)->blame), SHARED_BLAME_LIMIT);
	ck_assert_uint_eq(atomic_load(&shared_slot(&s, 1)->blame), SHARED_BLAME_LIMIT);
	ck_assert_uint_eq(atomic_load(&shared_slot(&s, 2)->blame), 0);
	/* One that gets through after all is forgiven. */
	shared_slot_clear(shared_slot(&s, 1));
	ck_assert_uint_eq(atomic_load(&shared_slot(&s, 1)->blame), 0);
	ck_assert_uint_eq(shared_stuck_since(&s), UINT64_MAX);
	shared_unmap(&s);
}
END_TEST

START_TEST(a_lock_has_one_holder_and_dies_with_it)
{
	AUTO_CLOSE int fd = create(1);
	int ready[2];
	char byte;
	pid_t pid;

	ck_assert_int_eq(pipe(ready), 0);
	ck_assert_int_eq(shared_lock_holder(fd, 1), 0);
	pid = fork();
	if (pid == 0) {
		byte = shared_lock(fd, 1, false) == 0 ? 'y' : 'n';
		if (write(ready[1], &byte, 1) == 1)
			pause();
		_exit(0);
	}
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	ck_assert_int_eq(byte, 'y');
	ck_assert_int_eq(shared_lock_holder(fd, 1), pid);
	ck_assert_int_eq(shared_lock_holder(fd, 0), 0);
	ck_assert_int_eq(shared_lock(fd, 1, false), -EAGAIN);
	kill(pid, SIGKILL);
	ck_assert_int_eq(shared_lock(fd, 1, true), 0);
	waitpid(pid, NULL, 0);
	close(ready[0]);
	close(ready[1]);
}
END_TEST

START_TEST(handoffs)
{
	struct handoff h;

	ck_assert_int_eq(handoff_parse(NULL, &h), HANDOFF_NONE);
	ck_assert_int_eq(handoff_parse("/mnt", &h), HANDOFF_NONE);
	ck_assert_int_eq(handoff_parse("--worker=", &h), HANDOFF_NONE);
	ck_assert_int_eq(handoff_parse("--worker=5,6,0", &h), HANDOFF_NONE);
	ck_assert_int_eq(handoff_parse("--worker=5,6,0,x", &h), HANDOFF_NONE);
	ck_assert_int_eq(handoff_parse("--worker=-1,6,0,7", &h), HANDOFF_NONE);
	ck_assert_int_eq(handoff_parse("--worker=1005,1006,1,1007,1008", &h), HANDOFF_WORKER);
	ck_assert_int_eq(h.state, 1005);
	ck_assert_int_eq(h.ready, 1006);
	ck_assert(h.prove);
	ck_assert_uint_eq(h.device.count, 2);
	ck_assert_int_eq(h.device.fds[1], 1008);
	ck_assert_int_eq(handoff_parse("--keeper=1005,-1,0,1007", &h), HANDOFF_KEEPER);
	ck_assert_int_eq(h.ready, -1);
	ck_assert(!h.prove);
	/* One more than there are slots. */
	ck_assert_int_eq(handoff_parse("--keeper=1,2,0,1000,1001,1002,1003,1004,1005,1006,1007,"
				       "1008,1009,1010,1011,1012,1013,1014,1015,1016",
				       &h),
			 HANDOFF_NONE);
}
END_TEST

START_TEST(deaths_are_answered_at_once_until_they_are_many)
{
	const uint64_t second = 1000000000;
	struct backoff b = { 0 };
	uint64_t last = 0;

	for (int i = 0; i < 3; i++) {
		backoff_count(&b, CHILD_CRASHED, true, second);
		ck_assert_uint_eq(backoff_delay(&b), 0);
	}
	for (int i = 0; i < 50; i++) {
		backoff_count(&b, CHILD_EXITED, false, second);
		ck_assert_uint_gt(backoff_delay(&b), 0);
		ck_assert_uint_ge(backoff_delay(&b), last);
		ck_assert_uint_le(backoff_delay(&b), 5 * second);
		last = backoff_delay(&b);
	}
	ck_assert_uint_eq(last, 5 * second);
	/* One that had served for a while ends the row. */
	backoff_count(&b, CHILD_CRASHED, true, 60 * second);
	ck_assert_uint_eq(backoff_delay(&b), 0);
	/* Kills from outside cost nothing, unless no worker ever gets to serve. */
	for (int i = 0; i < 1000; i++)
		backoff_count(&b, CHILD_KILLED, true, 0);
	ck_assert_uint_eq(backoff_delay(&b), 0);
	for (int i = 0; i < 100; i++)
		backoff_count(&b, CHILD_KILLED, false, 0);
	ck_assert_uint_gt(backoff_delay(&b), 0);
	ck_assert_uint_le(backoff_delay(&b), second / 20);
	backoff_count(&b, CHILD_DONE, true, 0);
	backoff_count(&b, CHILD_KILLED, true, 0);
	ck_assert_uint_eq(backoff_delay(&b), 0);
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_test(tests, a_second_mapping_sees_it);
	tcase_add_test(tests, nonsense_is_refused);
	tcase_add_test(tests, another_version_is_served);
	tcase_add_test(tests, blame_is_for_who_was_handled);
	tcase_add_test(tests, stuck_is_when_no_thread_is_free);
	tcase_add_test(tests, a_lock_has_one_holder_and_dies_with_it);
	tcase_add_test(tests, handoffs);
	tcase_add_test(tests, deaths_are_answered_at_once_until_they_are_many);
}

int main(void)
{
	return test_run("shared", fill);
}
