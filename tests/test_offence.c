/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is remembered of requests that brought workers down. */
#include <sys/wait.h>
#include <unistd.h>

#include "offence.h"
#include "owner.h"
#include "support.h"

static struct fuse_in_header request(uint32_t opcode, uint64_t nodeid, pid_t pid)
{
	return (struct fuse_in_header){ .opcode = opcode, .nodeid = nodeid, .pid = (uint32_t)pid };
}

static void record(struct shared_header *h, const struct fuse_in_header *in)
{
	offence_record(h, in, owner_of((pid_t)in->pid));
}

static bool forbids(struct shared_header *h, const struct fuse_in_header *in)
{
	uint64_t sender;

	return offence_judge(h, in, &sender) == OFFENCE_SAME;
}

START_TEST(the_same_is_forbidden_and_no_other)
{
	struct shared_header h = { 0 };
	struct fuse_in_header bad = request(FUSE_READ, 7, getpid());
	struct fuse_in_header other = request(FUSE_READ, 8, getpid());
	struct fuse_in_header another = request(FUSE_GETATTR, 7, getpid());

	ck_assert(!forbids(&h, &bad));
	record(&h, &bad);
	ck_assert(forbids(&h, &bad));
	ck_assert(!forbids(&h, &other));
	ck_assert(!forbids(&h, &another));
}
END_TEST

START_TEST(it_is_forgotten)
{
	struct shared_header h = { 0 };
	struct fuse_in_header bad = request(FUSE_READ, 7, getpid());

	record(&h, &bad);
	ck_assert_uint_gt(h.offended_until, shared_now() + 30000000000);
	ck_assert_uint_le(h.offended_until, shared_now() + 60000000000);
	h.offences[0].until = shared_now() - 1;
	ck_assert(!forbids(&h, &bad));
	h.offended_until = shared_now() - 1;
	ck_assert(!forbids(&h, &bad));
}
END_TEST

/* As long as a thread is stuck in it, it is recorded again and again. */
START_TEST(the_same_again_is_one)
{
	struct shared_header h = { 0 };
	struct fuse_in_header bad = request(FUSE_READ, 7, getpid());
	struct fuse_in_header worse = request(FUSE_READ, 8, getpid());
	uint64_t sender = owner_of(getpid());

	record(&h, &worse);
	for (unsigned i = 0; i <= SHARED_OFFENCES; i++) {
		offence_record(&h, &bad, sender);
		ck_assert_uint_gt(h.offences[1].until, 1);
		h.offences[1].until = 1; /* long ago */
	}
	ck_assert(forbids(&h, &worse));
	ck_assert_uint_eq(h.offences[2].until, 0);
}
END_TEST

START_TEST(what_undoes_something_is_never_forbidden)
{
	struct shared_header h = { 0 };
	struct fuse_in_header bad = request(FUSE_RELEASE, 7, getpid());

	record(&h, &bad);
	ck_assert(!forbids(&h, &bad));
}
END_TEST

START_TEST(who_is_gone_is_nobody)
{
	struct shared_header h = { 0 };
	pid_t pid = fork();
	struct fuse_in_header bad, none;

	if (pid == 0)
		_exit(0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	bad = request(FUSE_READ, 7, pid);
	none = request(FUSE_READ, 7, 0);
	record(&h, &bad);
	record(&h, &none);
	ck_assert_uint_eq(h.offended_until, 0);
}
END_TEST

/* The latest are kept; and many ways of the host's own are no reason to forbid it everything. */
START_TEST(many)
{
	struct shared_header h = { 0 };
	struct fuse_in_header bad;

	for (unsigned i = 1; i <= SHARED_OFFENCES + 2; i++) {
		bad = request(FUSE_READ, i, getpid());
		record(&h, &bad);
	}
	for (unsigned i = 1; i <= SHARED_OFFENCES + 2; i++) {
		bad = request(FUSE_READ, i, getpid());
		ck_assert_int_eq(forbids(&h, &bad), i > 2);
	}
}
END_TEST

/* As far as one namespace shows it: the offences are a stranger's, and so is the sender. */
START_TEST(others_are_not_punished)
{
	struct shared_header h = { 0 };
	struct fuse_in_header bad = request(FUSE_READ, 7, getpid());

	record(&h, &bad);
	h.offences[0].pid_ns++;
	ck_assert(!forbids(&h, &bad));
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_test(tests, the_same_is_forbidden_and_no_other);
	tcase_add_test(tests, it_is_forgotten);
	tcase_add_test(tests, the_same_again_is_one);
	tcase_add_test(tests, what_undoes_something_is_never_forbidden);
	tcase_add_test(tests, who_is_gone_is_nobody);
	tcase_add_test(tests, many);
	tcase_add_test(tests, others_are_not_punished);
}

int main(void)
{
	return test_run("offence", fill);
}
