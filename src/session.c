/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One thread's FUSE session and its journal. */
#include "session.h"

#include <errno.h>
#include <linux/fuse.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "offence.h"
#include "owner.h"

/* Interrupts a read that waits for a request; its handler does nothing. */
#define WAKE_SIGNAL SIGRTMIN

static ssize_t journal_read(int fd, void *buf, size_t len, void *userdata)
{
	struct session *s = userdata;
	ssize_t n;

	shared_slot_clear(s->slot);
	if (len > sizeof(s->slot->request))
		len = sizeof(s->slot->request);
	n = read(fd, s->slot->request, len);
	if (n > 0) {
		atomic_store(&s->slot->since, shared_now());
		memcpy(buf, s->slot->request, (size_t)n);
		s->link.request = buf; /* the slot may become another's */
	}
	return n;
}

/* Keeps what was first promised to the kernel; a later worker must promise the same. */
static void save_init_reply(struct shared_header *h, const struct iovec *iov, int count)
{
	if (atomic_load(&h->reply_size) || count < 2 || iov[1].iov_len > sizeof(h->reply))
		return;
	memcpy(h->reply, iov[1].iov_base, iov[1].iov_len);
	atomic_store(&h->reply_size, (uint32_t)iov[1].iov_len);
}

static ssize_t journal_writev(int fd, struct iovec *iov, int count, void *userdata)
{
	struct session *s = userdata;
	struct shared_header *h = s->options.shared->header;
	const struct fuse_in_header *init = (const void *)h->init;
	const struct fuse_out_header *out = iov[0].iov_base;

	if (out->unique != init->unique)
		return writev(fd, iov, count);
	if (out->error == 0)
		save_init_reply(h, iov, count);
	/* Only on the fd that read it; later answers find no such request (ENOENT), as they should.
	 */
	return writev(s->options.init_fd, iov, count);
}

/* The saved request, asking for nothing beyond what was first agreed on. */
static void process_init(struct session *s)
{
	const struct shared_header *h = s->options.shared->header;
	_Alignas(8) unsigned char request[sizeof(h->init)];
	struct fuse_buf buf = { .size = h->init_size, .mem = request };
	struct fuse_init_in *in = (void *)(request + sizeof(struct fuse_in_header));
	struct fuse_init_out out = { 0 };

	memcpy(request, h->init, h->init_size);
	if (atomic_load(&h->reply_size)) {
		memcpy(&out, h->reply, h->reply_size < sizeof(out) ? h->reply_size : sizeof(out));
		in->flags &= out.flags;
		if (h->init_size >= sizeof(struct fuse_in_header) + sizeof(*in))
			in->flags2 &= out.flags2;
	}
	fuse_session_process_buf(s->fuse, &buf);
}

/* libfuse closes its fd; the caller's is needed for longer. */
static int set_io(struct session *s)
{
	static const struct fuse_custom_io io = { .read = journal_read, .writev = journal_writev };
	int own = dup(s->options.fd), r;

	if (own < 0)
		return -errno;
	r = fuse_session_custom_io(s->fuse, &io, own);
	if (r < 0)
		close(own);
	return r;
}

int session_open(const struct session_options *options, struct session **ret)
{
	char *argv[] = { (char *)"lxcfs", (char *)"-d", NULL };
	struct fuse_args args = FUSE_ARGS_INIT(options->debug ? 2 : 1, argv);
	struct fuse_lowlevel_ops ops = fs_operations(options->psi_poll);
	struct session *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->options = *options;
	s->link.fs = options->fs;
	s->slot = shared_slot(options->shared, options->index);
	s->link.request = s->slot->request;
	s->fuse = fuse_session_new(&args, &ops, sizeof(ops), s);
	fuse_opt_free_args(&args);
	r = s->fuse ? set_io(s) : -ENOMEM;
	if (r < 0) {
		session_close(s);
		return r;
	}
	process_init(s);
	*ret = s;
	return 0;
}

void session_close(struct session *s)
{
	if (!s)
		return;
	if (s->fuse)
		fuse_session_destroy(s->fuse);
	free(s);
}

bool session_is_suspect(const struct session *s)
{
	return shared_slot_pending(s->slot) && s->slot->blame >= SHARED_BLAME_CRASHED;
}

static void answer_eio(const struct session *s, const struct fuse_in_header *in)
{
	struct fuse_out_header out = { .len = sizeof(out), .error = -EIO, .unique = in->unique };

	/* Nobody waits for the answer of a forgotten node or a dead process: ENOENT. */
	if (write(s->options.fd, &out, sizeof(out)) < 0)
		return;
}

static void refuse(const struct session *s, const struct fuse_in_header *in)
{
	log_line("request %u for node %llu of pid %u, uid %u brought workers down: answered EIO",
		 in->opcode, (unsigned long long)in->nodeid, in->pid, in->uid);
	offence_record(s->options.shared->header, in, owner_of((pid_t)in->pid));
	answer_eio(s, in);
}

/* How many requests of a sender other threads are busy with. */
static unsigned count_others(const struct session *s, uint64_t sender)
{
	unsigned count = 0;

	for (unsigned i = 0; i < s->options.shared->slots; i++) {
		const struct shared_slot *slot = shared_slot(s->options.shared, i);
		struct fuse_in_header in;

		if (slot == s->slot || !shared_slot_pending(slot))
			continue;
		memcpy(&in, slot->request, sizeof(in)); /* if it ends meanwhile, nothing is lost */
		count += owner_of((pid_t)in.pid) == sender;
	}
	return count;
}

/* Answers a request that is never tried, or not now. True when it was one. */
static bool forbid(const struct session *s)
{
	const struct fuse_in_header *in = (const void *)s->link.request;
	uint64_t sender;

	switch (offence_judge(s->options.shared->header, in, &sender)) {
	case OFFENCE_NONE:
		return false;
	case OFFENCE_OTHER:
		/* It may get more threads stuck, but not so many that others have none. */
		if (count_others(s, sender) < s->options.bell->threads / 2)
			return false;
		break;
	case OFFENCE_SAME:
		break;
	}
	answer_eio(s, in);
	return true;
}

/* Carries out, or refuses, what an earlier worker left in the slot. */
static void replay(struct session *s)
{
	unsigned char copy[SHARED_REQUEST_MAX];
	struct fuse_buf buf = { .size = shared_slot_pending(s->slot), .mem = copy };
	struct fuse_in_header in;

	if (buf.size < sizeof(in))
		return;
	memcpy(copy, s->slot->request, buf.size);
	memcpy(&in, copy, sizeof(in));
	if (s->slot->blame >= SHARED_BLAME_LIMIT) {
		refuse(s, &in);
		return;
	}
	atomic_store(&s->slot->since, shared_now());
	s->link.request = copy;
	s->link.replayed = true;
	fuse_session_process_buf(s->fuse, &buf);
	s->link.replayed = false;
}

void session_replay(struct session *s)
{
	replay(s);
	shared_slot_clear(s->slot);
}

/* From here on the thread may be given up. */
static uint64_t begin_turn(struct session *s)
{
	struct session_bell *bell = s->options.bell;

	if (atomic_fetch_add(&bell->busy, 1) + 1 >= bell->threads && !atomic_load(&bell->heard) &&
	    !atomic_exchange(&bell->heard, true))
		eventfd_write(bell->fd, 1);
	return atomic_fetch_add(&s->turn, 1) + 1;
}

/* False when it was given up: the slot is another session's. */
static bool end_turn(struct session *s, uint64_t turn)
{
	if (!atomic_compare_exchange_strong(&s->turn, &turn, turn + 1))
		return false;
	shared_slot_clear(s->slot);
	atomic_fetch_sub(&s->options.bell->busy, 1);
	return true;
}

static bool serve_one(struct session *s, const struct fuse_buf *buf)
{
	uint64_t turn = begin_turn(s);

	fs_follow_host_view(s->link.fs);
	if (!forbid(s))
		fuse_session_process_buf(s->fuse, buf);
	return end_turn(s, turn);
}

static void serve_all(struct session *s)
{
	struct fuse_buf buf = { 0 };
	uint64_t turn = begin_turn(s);
	bool ours;

	replay(s);
	ours = end_turn(s, turn);
	while (ours && !atomic_load(&s->stop)) {
		int n = fuse_session_receive_buf(s->fuse, &buf);

		if (n == -EINTR || n == -EAGAIN)
			continue;
		if (n <= 0)
			break; /* unmounted */
		ours = serve_one(s, &buf);
	}
	free(buf.mem);
}

static void *serve(void *arg)
{
	struct session *s = arg;
	sigset_t wake;

	sigemptyset(&wake);
	sigaddset(&wake, WAKE_SIGNAL);
	pthread_sigmask(SIG_UNBLOCK, &wake, NULL);
	atomic_store(&s->tid, gettid());
	serve_all(s);
	atomic_store(&s->ended, true);
	eventfd_write(s->options.bell->fd, 1);
	return NULL;
}

static void ignore_signal(int signal)
{
	(void)signal;
}

int session_start(struct session *s)
{
	struct sigaction wake = { .sa_handler = ignore_signal }; /* no SA_RESTART */
	int r;

	sigaction(WAKE_SIGNAL, &wake, NULL);
	r = pthread_create(&s->thread, NULL, serve, s);
	s->started = r == 0;
	return -r;
}

uint64_t session_sender(const struct session *s)
{
	struct fuse_in_header in;

	memcpy(&in, s->slot->request, sizeof(in));
	return owner_of((pid_t)in.pid);
}

bool session_give_up(struct session *s, uint64_t turn)
{
	struct fuse_in_header in;

	if (!atomic_compare_exchange_strong(&s->turn, &turn, SESSION_LOST))
		return false;
	/* The thread does not touch the slot any more, nor does it know that. */
	memcpy(&in, s->slot->request, sizeof(in));
	s->stuck = in;
	s->sender = owner_of((pid_t)in.pid);
	offence_record(s->options.shared->header, &in, s->sender);
	answer_eio(s, &in);
	shared_slot_clear(s->slot);
	atomic_fetch_sub(&s->options.bell->busy, 1);
	log_line("request %u for node %llu of pid %u, uid %u is stuck: answered EIO", in.opcode,
		 (unsigned long long)in.nodeid, in.pid, in.uid);
	return true;
}

void session_wake(struct session *s)
{
	pthread_kill(s->thread, WAKE_SIGNAL);
}

void session_join(struct session *s)
{
	pthread_join(s->thread, NULL);
	s->started = false;
}

static void wait_ended(struct session *s, long ns)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += ns;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	if (pthread_timedjoin_np(s->thread, NULL, &until) == 0)
		s->started = false;
}

/*
 * The signal may come just before the read that it is to interrupt, so it is
 * sent again and again; and only while no request is handled, as some writes to
 * cgroup files give up at a signal.
 */
bool session_stop(struct session *s, int timeout_ms)
{
	uint64_t deadline = shared_now() + (uint64_t)timeout_ms * 1000000;

	atomic_store(&s->stop, true);
	while (s->started && shared_now() < deadline) {
		if (!atomic_load(&s->slot->since) && !atomic_load(&s->ended))
			pthread_kill(s->thread, WAKE_SIGNAL);
		wait_ended(s, 1000000);
	}
	return !s->started;
}
