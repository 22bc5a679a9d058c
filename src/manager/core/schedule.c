/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One timer for everything that the daemon does by itself. */
#include "core/schedule.h"

#include <glib-unix.h>
#include <stdint.h>
#include <sys/timerfd.h>
#include <unistd.h>

struct schedule {
	struct daemon *daemon;
	const struct schedule_job *jobs;
	schedule_failed failed;
	gsize count;
	int timer;
	guint source;
	time_t *due; /* of each job; -1: never. Of the thread while one runs */
	time_t seen; /* the moment up to which everything due has been done */
	GMutex lock;
	GThread *thread;  /* the last one; joined before the next begins */
	gboolean running; /* under the lock, as are the two below */
	gboolean stale;	  /* NEXT is to be asked again */
	gboolean stopping;
};

static time_t first_due(const struct schedule *schedule)
{
	time_t first = -1;

	for (gsize i = 0; i < schedule->count; i++)
		if (schedule->due[i] >= 0 && (first < 0 || schedule->due[i] < first))
			first = schedule->due[i];
	return first;
}

/* A clock that is set wakes it, too: what was far away may be due. 0 would disarm. */
static void arm(const struct schedule *schedule)
{
	time_t first = first_due(schedule);
	struct itimerspec spec = { .it_value.tv_sec = first < 0 ? 0 : MAX(first, 1) };

	timerfd_settime(schedule->timer, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &spec, NULL);
}

static gboolean is_stopping(struct schedule *schedule)
{
	gboolean stopping;

	g_mutex_lock(&schedule->lock);
	stopping = schedule->stopping;
	g_mutex_unlock(&schedule->lock);
	return stopping;
}

static void run_job(struct schedule *schedule, const struct schedule_job *job)
{
	g_autoptr(GError) error = NULL;

	if (!job->run(schedule->daemon, &error) && schedule->failed && error)
		schedule->failed(job, error);
}

/* A job whose time came while the clock stood wrong is done once, not once for each time. */
static void run_due(struct schedule *schedule)
{
	time_t now = time(NULL);

	for (gsize i = 0; i < schedule->count && !is_stopping(schedule); i++)
		if (schedule->due[i] >= 0 && schedule->due[i] <= now)
			run_job(schedule, &schedule->jobs[i]);
	schedule->seen = now;
}

static void ask_next(struct schedule *schedule)
{
	/* after a clock that went back, from where it is now */
	time_t after = MIN(schedule->seen, time(NULL));

	for (gsize i = 0; i < schedule->count; i++)
		schedule->due[i] = schedule->jobs[i].next(schedule->daemon, after);
}

/* Whether NEXT was to be asked once more; if not, the thread is done. */
static gboolean take_stale(struct schedule *schedule)
{
	gboolean stale;

	g_mutex_lock(&schedule->lock);
	stale = schedule->stale && !schedule->stopping;
	schedule->stale = FALSE;
	schedule->running = stale;
	if (!stale && !schedule->stopping)
		arm(schedule);
	g_mutex_unlock(&schedule->lock);
	return stale;
}

static void *work(void *data)
{
	struct schedule *schedule = data;

	do {
		run_due(schedule);
		ask_next(schedule);
	} while (take_stale(schedule));
	return NULL;
}

/* With the lock held. */
static void begin(struct schedule *schedule)
{
	if (schedule->running || schedule->stopping)
		return;
	if (schedule->thread)
		g_thread_join(schedule->thread); /* it is over but for its last words */
	schedule->running = TRUE;
	schedule->thread = g_thread_new("schedule", work, schedule);
}

static gboolean on_timer(int fd, G_GNUC_UNUSED GIOCondition condition, void *data)
{
	struct schedule *schedule = data;
	uint64_t times;

	if (read(fd, &times, sizeof times) < 0)
		times = 0; /* ECANCELED: the clock was set */
	g_mutex_lock(&schedule->lock);
	begin(schedule);
	g_mutex_unlock(&schedule->lock);
	return G_SOURCE_CONTINUE;
}

struct schedule *schedule_new(struct daemon *daemon, const struct schedule_job *jobs,
			      schedule_failed failed)
{
	struct schedule *schedule = g_new0(struct schedule, 1);

	schedule->daemon = daemon;
	schedule->jobs = jobs;
	schedule->failed = failed;
	while (jobs[schedule->count].name)
		schedule->count++;
	schedule->due = g_new(time_t, schedule->count);
	for (gsize i = 0; i < schedule->count; i++)
		schedule->due[i] = jobs[i].at_start ? 0 : -1;
	schedule->seen = time(NULL);
	g_mutex_init(&schedule->lock);
	schedule->timer = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	schedule->source = g_unix_fd_add(schedule->timer, G_IO_IN, on_timer, schedule);
	schedule_changed(schedule);
	return schedule;
}

void schedule_changed(struct schedule *schedule)
{
	if (!schedule)
		return;
	g_mutex_lock(&schedule->lock);
	schedule->stale = schedule->running;
	begin(schedule);
	g_mutex_unlock(&schedule->lock);
}

void schedule_free(struct schedule *schedule)
{
	if (!schedule)
		return;
	g_mutex_lock(&schedule->lock);
	schedule->stopping = TRUE;
	g_mutex_unlock(&schedule->lock);
	if (schedule->thread)
		g_thread_join(schedule->thread);
	g_source_remove(schedule->source);
	close(schedule->timer);
	g_mutex_clear(&schedule->lock);
	g_free(schedule->due);
	g_free(schedule);
}
