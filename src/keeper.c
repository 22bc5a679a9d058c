/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The keeper. One loop over signals and the two workers there can be: the one
 * that serves and, during an upgrade, the candidate that will follow it. Which
 * of them serves is settled by a lock in the shared state, not here: the
 * candidate waits for it, and gets it when the other is gone, however it went.
 */
#include "keeper.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "backoff.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "child.h"
#include "connection.h"
#include "pidfile.h"
#include "reattach.h"
#include "sandbox.h"
#include "service.h"

#define MS 1000000ull /* in nanoseconds */
#define SECOND (1000 * MS)

/*
 * A worker hangs that does not stamp its heartbeat for so long, sits in one request, or
 * has all its threads sit in one each, so that nobody is served. What it sat in is
 * answered EIO by the next.
 */
#define HEARTBEAT_LIMIT (15 * SECOND)
#define REQUEST_LIMIT (30 * SECOND)
#define STUCK_LIMIT (10 * SECOND)
#define CHECK_INTERVAL (2 * SECOND)

#define PROVE_LIMIT (20 * SECOND) /* for a new worker to show that it works */
#define DRAIN_LIMIT (2 * SECOND)  /* for an old one to finish its requests */
#define DEATH_LIMIT (3 * SECOND)  /* for a killed one to be gone */
#define RETRY_INTERVAL (100 * MS) /* when not even a process can be had */

struct keeper {
	const struct options *options;
	const struct program *program;
	char mountpoint[PATH_MAX];
	struct handoff handoff; /* what a worker gets; device and state are the keeper's own */
	struct shared shared;
	int pidfile, signals;
	struct child worker, candidate;
	struct backoff backoff;
	unsigned suspicions;	       /* of a hang, in a row */
	uint64_t respawn_at, check_at; /* CLOCK_MONOTONIC ns */
	bool fresh;		       /* the mount is ours, no container has seen it before */
	struct device_dead dead;       /* what it took the place of */
	bool served;		       /* a worker has been ready */
	bool done;
	int status;
};

static void finish(struct keeper *k, int status)
{
	k->done = true;
	k->status = status;
}

static void start_worker(struct keeper *k)
{
	int r;

	k->handoff.prove = false;
	r = child_start(k->program, &k->handoff, &k->worker);
	if (r == 0)
		return;
	log_line("cannot start a worker: %s", strerror(-r));
	backoff_count(&k->backoff, CHILD_EXITED, false, 0);
	k->respawn_at = shared_now() + backoff_delay(&k->backoff) + RETRY_INTERVAL;
}

/* The new one is at work: the upgrade is over. */
static void promote_candidate(struct keeper *k)
{
	k->worker = k->candidate;
	k->worker.deadline = 0;
	k->candidate = CHILD_NONE;
	service_notify("READY=1\nMAINPID=%d", (int)getpid());
}

static void on_worker_death(struct keeper *k)
{
	struct child dead = k->worker;
	int status = 0;
	enum child_end end = child_reap(&k->worker, &status);

	if (!device_is_alive(&k->handoff.device)) {
		finish(k, EXIT_SUCCESS); /* unmounted by somebody else */
		return;
	}
	if (end != CHILD_DONE)
		log_line("worker %d %s (%d): starting another", (int)dead.pid, child_end_name(end),
			 status);
	shared_blame(&k->shared, end == CHILD_CRASHED || dead.condemned ? SHARED_BLAME_CRASHED
									: SHARED_BLAME_KILLED);
	backoff_count(&k->backoff, end, dead.proven, shared_now() - dead.started);
	if (!k->served && k->fresh && end == CHILD_EXITED) {
		finish(k, EXIT_FAILURE); /* it has said why */
		return;
	}
	k->suspicions = 0;
	k->respawn_at = shared_now() + backoff_delay(&k->backoff); /* and tick() starts it */
	if (child_runs(&k->candidate))
		promote_candidate(k);
}

static void on_worker_ready(struct keeper *k)
{
	if (!child_take_ready(&k->worker))
		return;
	k->backoff.early_kills = 0;
	k->served = true;
	service_notify("READY=1\nMAINPID=%d", (int)getpid());
}

static void start_upgrade(struct keeper *k)
{
	int r;

	if (child_runs(&k->candidate) || !child_runs(&k->worker))
		return; /* one is on its way, from the files on disk */
	service_notify("RELOADING=1\nMONOTONIC_USEC=%llu",
		       (unsigned long long)(shared_now() / 1000));
	k->handoff.prove = true;
	r = child_start(k->program, &k->handoff, &k->candidate);
	if (r < 0)
		log_line("cannot start a new worker: %s", strerror(-r));
	else
		k->candidate.deadline = shared_now() + PROVE_LIMIT;
}

static void on_candidate_ready(struct keeper *k)
{
	if (!child_take_ready(&k->candidate))
		return;
	k->candidate.deadline = 0;
	k->served = true;
	child_signal(&k->worker, SIGTERM);
	k->worker.deadline = shared_now() + DRAIN_LIMIT;
}

static void on_candidate_death(struct keeper *k)
{
	int status = 0;

	child_reap(&k->candidate, &status);
	log_line("the new worker does not work (status %d): the old one goes on", status);
	service_notify("READY=1\nMAINPID=%d", (int)getpid());
}

static bool worker_hangs(const struct keeper *k, uint64_t now)
{
	uint64_t beat = atomic_load(&k->shared.header->heartbeat);
	uint64_t since = shared_oldest(&k->shared);
	uint64_t stuck = shared_stuck_since(&k->shared);

	/* A new one has not had the time for a first beat. */
	if (beat < k->worker.started)
		beat = k->worker.started;
	return (now > beat && now - beat > HEARTBEAT_LIMIT) ||
	       (now > since && now - since > REQUEST_LIMIT) ||
	       (now > stuck && now - stuck > STUCK_LIMIT);
}

static void condemn(struct keeper *k, uint64_t now)
{
	k->worker.condemned = true;
	child_signal(&k->worker, SIGKILL);
	k->worker.deadline = now + DEATH_LIMIT;
}

/* Twice in a row, so that a machine which was itself stopped does not count. */
static void check_worker(struct keeper *k, uint64_t now)
{
	k->check_at = now + CHECK_INTERVAL;
	if (!child_runs(&k->worker) || k->worker.deadline || !worker_hangs(k, now)) {
		k->suspicions = 0;
		return;
	}
	if (++k->suspicions < 2)
		return;
	log_line("worker %d hangs: killing it", (int)k->worker.pid);
	shared_give_up(&k->shared, now - STUCK_LIMIT);
	condemn(k, now);
}

/* A thread of it is stuck in the kernel: it cannot die, but it cannot serve either. */
static void abandon_worker(struct keeper *k)
{
	log_line("worker %d does not die: going on without it", (int)k->worker.pid);
	shared_blame(&k->shared, SHARED_BLAME_CRASHED);
	atomic_fetch_add(&k->shared.header->lock_byte, 1);
	child_forget(&k->worker);
	child_stop(&k->candidate, 0); /* it waits for the old lock */
	start_worker(k);
}

static void on_worker_deadline(struct keeper *k, uint64_t now)
{
	if (k->worker.condemned)
		abandon_worker(k);
	else
		condemn(k, now);
}

static void tick(struct keeper *k)
{
	uint64_t now = shared_now();

	if (!child_runs(&k->worker) && now >= k->respawn_at)
		start_worker(k);
	if (k->worker.deadline && now >= k->worker.deadline)
		on_worker_deadline(k, now);
	if (k->candidate.deadline && now >= k->candidate.deadline) {
		k->candidate.deadline = 0;
		child_signal(&k->candidate, SIGKILL);
	}
	if (now >= k->check_at)
		check_worker(k, now);
}

static int wait_ms(const struct keeper *k)
{
	uint64_t now = shared_now(), until = k->check_at;

	if (!child_runs(&k->worker) && k->respawn_at < until)
		until = k->respawn_at;
	if (k->worker.deadline && k->worker.deadline < until)
		until = k->worker.deadline;
	if (k->candidate.deadline && k->candidate.deadline < until)
		until = k->candidate.deadline;
	return until <= now ? 0 : (int)((until - now) / MS) + 1;
}

/* A restart by systemd comes as SIGKILL instead: who says SIGTERM wants the mount gone. */
static void on_stop(struct keeper *k)
{
	service_notify("STOPPING=1");
	if (umount2(k->mountpoint, MNT_DETACH) < 0 && errno != EINVAL && errno != ENOENT)
		log_line("cannot unmount %s: %s", k->mountpoint, strerror(errno));
	service_unstore(&k->handoff.device);
	finish(k, EXIT_SUCCESS);
}

static void on_signal(struct keeper *k)
{
	struct signalfd_siginfo info;

	if (read(k->signals, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	if (info.ssi_signo == SIGUSR1)
		start_upgrade(k);
	else if (info.ssi_signo == SIGUSR2)
		atomic_fetch_xor(&k->shared.header->host_view, 1);
	else
		on_stop(k);
}

static int serve(struct keeper *k)
{
	while (!k->done) {
		struct pollfd p[] = {
			{ .fd = k->signals, .events = POLLIN },
			{ .fd = k->worker.ready, .events = POLLIN },
			{ .fd = k->worker.pidfd, .events = POLLIN },
			{ .fd = k->candidate.ready, .events = POLLIN },
			{ .fd = k->candidate.pidfd, .events = POLLIN },
		};

		if (poll(p, ARRAY_SIZE(p), wait_ms(k)) < 0 && errno != EINTR)
			return EXIT_FAILURE;
		/* The candidate first: the death of the worker makes it the worker. */
		if (p[3].revents)
			on_candidate_ready(k);
		if (p[4].revents)
			on_candidate_death(k);
		if (p[1].revents)
			on_worker_ready(k);
		if (p[2].revents)
			on_worker_death(k);
		if (p[0].revents)
			on_signal(k);
		if (!k->done)
			tick(k);
	}
	return k->status;
}

static int open_signals(void)
{
	static const int wanted[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2 };
	sigset_t set;
	int fd;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		sigaddset(&set, wanted[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

static int take_pidfile(struct keeper *k)
{
	k->pidfile = pidfile_take(k->options->pidfile);
	if (k->pidfile == -EAGAIN)
		log_line("pid file %s belongs to a running lxcfs: stop it, or give -p another file",
			 k->options->pidfile);
	else if (k->pidfile < 0)
		log_line("cannot write pid file %s (%s): give -p another file", k->options->pidfile,
			 strerror(-k->pidfile));
	return k->pidfile < 0 ? k->pidfile : 0;
}

/* A worker of an earlier keeper goes on serving until one of our own follows it. */
static void start_serving(struct keeper *k)
{
	pid_t serving = shared_lock_holder(k->handoff.state,
					   (off_t)atomic_load(&k->shared.header->lock_byte));

	if (serving > 0 && child_adopt(serving, &k->worker) == 0) {
		k->served = true;
		service_notify("READY=1\nMAINPID=%d", (int)getpid());
		start_upgrade(k);
	} else {
		start_worker(k);
	}
}

static int prepare(struct keeper *k, const struct handoff *given)
{
	char problem[PATH_MAX + 256];
	int r = device_find_mountpoint(k->options->mountpoint, k->mountpoint);

	if (r < 0) {
		log_line("no mount point %s: make it with mkdir -p", k->options->mountpoint);
		return r;
	}
	k->signals = open_signals();
	if (k->signals < 0)
		return k->signals;
	r = take_pidfile(k);
	if (r < 0)
		return r;
	r = connection_open(k->options, k->mountpoint, given, &k->handoff, &k->fresh, &k->dead,
			    problem, sizeof(problem));
	if (r < 0) {
		log_line("%s", problem);
		return r;
	}
	r = shared_map(k->handoff.state, false, &k->shared);
	if (r < 0)
		log_line("the shared state makes no sense to this version: stop and start lxcfs");
	return r;
}

/* A service manager starts that by itself, with rights that we are not given. */
static void reattach(const struct keeper *k)
{
	int r;

	if (k->dead.count == 0 || service_is_managed())
		return;
	r = reattach_start(k->program, k->mountpoint, &k->dead);
	if (r < 0)
		log_line("containers keep dead views: lxcfs --reattach %s (%s)", k->mountpoint,
			 strerror(-r));
}

/* It serves all the same where that cannot be. */
static void give_up_rights(void)
{
	int r = sandbox_keeper();

	if (r < 0)
		log_line("keeping more rights than it takes: %s", strerror(-r));
}

int keeper_run(const struct options *options, const struct program *program,
	       const struct handoff *given)
{
	struct keeper k = { .options = options,
			    .program = program,
			    .handoff = { .state = -1, .ready = -1 },
			    .pidfile = -1,
			    .signals = -1,
			    .worker = CHILD_NONE,
			    .candidate = CHILD_NONE };
	int status = EXIT_FAILURE;

	if (geteuid() != 0) {
		log_line("only root can mount: sudo lxcfs %s", options->mountpoint);
		return status;
	}
	if (prepare(&k, given) == 0) {
		reattach(&k);
		give_up_rights();
		start_serving(&k);
		status = serve(&k);
	}
	if (k.fresh && !k.served)
		umount2(k.mountpoint, MNT_DETACH);
	child_stop(&k.candidate, 1000);
	child_stop(&k.worker, 2000);
	shared_unmap(&k.shared);
	device_close(&k.handoff.device);
	pidfile_drop(options->pidfile, k.pidfile);
	return status;
}
