/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The worker: engine, sessions and ticks, and an eye on the keeper. */
#include "worker.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "lxcfs.h"
#include "pool.h"
#include "sandbox.h"
#include "service.h"
#include "starter.h"

#define SECOND 1000000000ull /* in nanoseconds */
#define HEARTBEAT_MS 2000
#define DRAIN_MS 1500
#define TICK_LIMIT (30 * SECOND)
#define KEEPER_RETRY_MIN SECOND
#define KEEPER_RETRY_MAX (8 * SECOND)
#define KEEPER_SETTLED (10 * SECOND) /* one that lived so long beyond that ends the row */
/* systemd restarts a keeper by itself, with the fds from its store; only if it does not, we do. */
#define KEEPER_GRACE (5 * SECOND)

struct worker {
	const struct options *options;
	struct handoff handoff;
	struct shared shared;
	struct lxcfs *engine;
	struct fs *fs;
	struct pool *pool;
	int signals;
	int stop_ticks; /* eventfd */
	pthread_t ticker;
	bool ticks;
	_Atomic uint64_t tick_since; /* CLOCK_MONOTONIC ns, 0: none at the moment */
	struct starter starter;	     /* of keepers */
	int keeper;		     /* its pidfd, -1: it is gone */
	uint64_t keeper_at;	     /* when to start another, CLOCK_MONOTONIC ns */
	uint64_t keeper_retry;	     /* ns */
};

static int open_engine(const struct options *o, void *history, size_t history_size,
		       struct lxcfs **ret)
{
	struct lxcfs_options options = { .size = sizeof(options),
					 .flags = o->engine_flags,
					 .history = history,
					 .history_size = history_size };
	int r = lxcfs_open(&options, ret);

	if (r == -ENODEV)
		log_line("no cgroup file system: mount one below /sys/fs/cgroup");
	else if (r < 0)
		log_line("cannot read /proc and /sys: %s", strerror(-r));
	return r;
}

/* A new version shows that it works before the old one is sent away: it reads for itself. */
static int prove(const struct options *o)
{
	static const char *const paths[] = { "/proc/meminfo", "/proc/stat", "/proc/cpuinfo",
					     "/proc/uptime" };
	struct lxcfs_caller self = { .pid = getpid() };
	struct lxcfs *engine;
	int r = open_engine(o, NULL, 0, &engine);

	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(paths) && r == 0; i++) {
		AUTO_FREE char *text = NULL;
		size_t len = 0;

		r = lxcfs_render(engine, &self, paths[i], &text, &len);
		if (r == 0 && len == 0)
			r = -ENODATA;
		if (r < 0)
			log_line("cannot make %s: %s", paths[i], strerror(-r));
	}
	lxcfs_close(engine);
	return r;
}

static void say_ready(struct worker *w)
{
	if (w->handoff.ready < 0)
		return;
	/* A keeper that died meanwhile is noticed elsewhere. */
	if (write(w->handoff.ready, "R", 1) < 0)
		log_line("the keeper does not listen: %s", strerror(errno));
	close(take_fd(&w->handoff.ready));
}

/*
 * Waits until no other worker serves. The keeper may die while it waits: then this
 * worker serves as well as any other, unless meanwhile there is a keeper again,
 * which has one of its own (-EALREADY).
 */
static int take_over(struct worker *w)
{
	off_t byte = (off_t)atomic_load(&w->shared.header->lock_byte);
	int r = shared_lock(w->handoff.state, byte, true);
	pid_t keeper = shared_lock_holder(w->handoff.state, SHARED_LOCK_KEEPER);

	if (r == 0 && keeper > 0 && keeper != getppid())
		return -EALREADY;
	return r;
}

static int open_signals(void)
{
	sigset_t blocked, wanted;
	int fd;

	/* Terminals send to keeper and worker alike; the keeper decides, and says SIGTERM. */
	sigfillset(&blocked);
	sigdelset(&blocked, SIGSEGV);
	sigdelset(&blocked, SIGBUS);
	sigdelset(&blocked, SIGFPE);
	sigdelset(&blocked, SIGILL);
	sigdelset(&blocked, SIGABRT);
	pthread_sigmask(SIG_SETMASK, &blocked, NULL);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&wanted);
	sigaddset(&wanted, SIGTERM);
	fd = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

/* Triggers and cached files of many containers need more than the usual 1024. */
static void raise_fd_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static void find_keeper(struct worker *w)
{
	pid_t parent = getppid();

	w->keeper = pidfd_open(parent, 0);
	/* It may have died before we looked; then the parent is a stranger. */
	if (shared_lock_holder(w->handoff.state, SHARED_LOCK_KEEPER) != parent && w->keeper >= 0)
		close(take_fd(&w->keeper));
	w->keeper_at = shared_now();
	w->keeper_retry = KEEPER_RETRY_MIN;
}

static void on_keeper_death(struct worker *w)
{
	uint64_t now = shared_now(), earliest = now + (service_is_managed() ? KEEPER_GRACE : 0);

	if (now > w->keeper_at + KEEPER_SETTLED)
		w->keeper_retry = KEEPER_RETRY_MIN;
	close(take_fd(&w->keeper));
	/* One that ends as soon as it is started is not started again and again at once. */
	if (w->keeper_at < earliest)
		w->keeper_at = earliest;
}

static void start_keeper(struct worker *w)
{
	int pid;

	log_line("the keeper is gone: starting another");
	pid = starter_start(&w->starter);
	w->keeper = pid < 0 ? -1 : pidfd_open(pid, 0);
	/* When that one fails too, the next comes later. */
	w->keeper_at = shared_now() + w->keeper_retry;
	if (w->keeper_retry < KEEPER_RETRY_MAX)
		w->keeper_retry *= 2;
}

/* One that does not come back keeps all load averages from being counted on. */
static bool ticks_hang(const struct worker *w)
{
	uint64_t since = atomic_load(&w->tick_since);

	if (!since || shared_now() < since + TICK_LIMIT)
		return false;
	log_line("a cgroup does not tell its tasks: making room for another worker");
	return true;
}

static bool is_spoiled(const struct worker *w)
{
	if (!pool_is_spoiled(w->pool))
		return false;
	log_line("a thread runs and runs: making room for another worker");
	return true;
}

/* Until told to stop, or until the file system is unmounted. */
static void watch(struct worker *w)
{
	struct pollfd p[3] = {
		{ .fd = w->signals, .events = POLLIN },
		{ .fd = pool_fd(w->pool), .events = POLLIN },
	};

	while (!pool_has_ended(w->pool) && !ticks_hang(w) && !is_spoiled(w)) {
		int wait = pool_look(w->pool);
		eventfd_t rung;

		atomic_store(&w->shared.header->heartbeat, shared_now());
		p[2] = (struct pollfd){ .fd = w->keeper, .events = POLLIN };
		if (wait < 0 || wait > HEARTBEAT_MS)
			wait = HEARTBEAT_MS;
		if (poll(p, ARRAY_SIZE(p), wait) < 0 && errno != EINTR)
			return;
		if (p[0].revents)
			return;
		if (p[1].revents)
			eventfd_read(p[1].fd, &rung);
		if (w->keeper >= 0 && p[2].revents)
			on_keeper_death(w);
		if (w->keeper < 0 && shared_now() >= w->keeper_at)
			start_keeper(w);
	}
}

static void *tick(void *arg)
{
	struct worker *w = arg;
	struct pollfd stop = { .fd = w->stop_ticks, .events = POLLIN };
	uint64_t next = shared_now();

	for (;;) {
		uint64_t now = shared_now();

		next += LXCFS_TICK_SECONDS * SECOND;
		if (next < now)
			next = now; /* the machine slept: once, not as often as it missed */
		if (poll(&stop, 1, (int)((next - now) / 1000000) + 1) > 0)
			return NULL;
		atomic_store(&w->tick_since, shared_now());
		lxcfs_tick(w->engine);
		atomic_store(&w->tick_since, 0);
	}
}

static int start_ticks(struct worker *w)
{
	int r;

	if (!(w->options->engine_flags & LXCFS_LOADAVG))
		return 0;
	r = pthread_create(&w->ticker, NULL, tick, w);
	w->ticks = r == 0;
	return -r;
}

static int open_pool(struct worker *w)
{
	struct pool_options o = {
		.fs = w->fs,
		.shared = &w->shared,
		.device = &w->handoff.device,
		.psi_poll = w->options->engine_flags & LXCFS_PSI_POLL,
		.debug = w->options->debug,
	};

	return pool_open(&o, &w->pool);
}

static int open_fs(struct worker *w)
{
	struct fs_options o = {
		.shared = &w->shared,
		.instance = atomic_fetch_add(&w->shared.header->instance, 1) + 1,
		.notify_fd = w->handoff.device.fds[0],
		.psi_poll = w->options->engine_flags & LXCFS_PSI_POLL,
	};
	int r = open_engine(w->options, w->shared.history, w->shared.history_size, &w->engine);

	if (r < 0)
		return r;
	o.engine = w->engine;
	r = fs_open(&o, &w->fs);
	if (r < 0)
		log_line("cannot set up the file system: %s", strerror(-r));
	return r;
}

static int start(struct worker *w)
{
	int r = shared_map(w->handoff.state, true, &w->shared);

	if (r < 0 || w->shared.slots < w->handoff.device.count) {
		log_line("the shared state makes no sense to this version of lxcfs");
		return r < 0 ? r : -EPROTO;
	}
	if (w->handoff.prove) {
		r = prove(w->options);
		if (r < 0)
			return r;
		say_ready(w);
	}
	r = take_over(w);
	if (r < 0)
		return r;
	find_keeper(w);
	atomic_store(&w->shared.header->heartbeat, shared_now());
	r = open_fs(w);
	if (r >= 0)
		r = open_pool(w);
	if (r >= 0)
		r = start_ticks(w);
	if (r >= 0)
		r = pool_start(w->pool);
	return r;
}

static bool stop_ticks(struct worker *w)
{
	struct timespec until;

	if (!w->ticks)
		return true;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += DRAIN_MS / 1000 + 1;
	return eventfd_write(w->stop_ticks, 1) == 0 &&
	       pthread_timedjoin_np(w->ticker, NULL, &until) == 0;
}

/* True when every thread has ended, and so nothing uses the engine any more. */
static bool stop(struct worker *w)
{
	bool ended = stop_ticks(w);

	return (!w->pool || pool_stop(w->pool, DRAIN_MS)) && ended;
}

static void finish(struct worker *w)
{
	pool_close(w->pool);
	fs_close(w->fs);
	lxcfs_close(w->engine);
	shared_unmap(&w->shared);
}

/* It serves all the same where the kernel has no such thing. */
static void enter_sandbox(const struct worker *w)
{
	int r = sandbox_worker(w->options->engine_flags & LXCFS_PSI_POLL);

	/* The sanitizers need calls of their own. */
	if (r == 0 && SANDBOX_FILTER)
		r = sandbox_filter();
	if (r < 0)
		log_line("serving with more rights than it takes: %s", strerror(-r));
}

int worker_run(const struct options *options, const struct program *program,
	       const struct handoff *handoff)
{
	struct worker w = {
		.options = options, .handoff = *handoff, .starter = STARTER_NONE, .keeper = -1
	};
	int r;

	w.signals = open_signals();
	w.stop_ticks = eventfd(0, EFD_CLOEXEC);
	if (w.signals < 0 || w.stop_ticks < 0)
		return EXIT_FAILURE;
	raise_fd_limit();
	r = starter_open(program, handoff, &w.starter);
	if (r < 0)
		log_line("a keeper that dies cannot be replaced: %s", strerror(-r));
	enter_sandbox(&w);
	r = start(&w);
	if (r >= 0) {
		say_ready(&w);
		watch(&w);
	}
	starter_close(&w.starter);
	/* A thread stuck in a request uses all of it; what it holds is replayed by the next. */
	if (!stop(&w))
		_exit(EXIT_SUCCESS);
	finish(&w);
	return r < 0 && r != -EALREADY ? EXIT_FAILURE : EXIT_SUCCESS;
}
