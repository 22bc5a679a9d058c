/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* history: counters that never go back and never outrun time, whoever is killed meanwhile. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "history.h"
#include "support.h"

#define S ((uint64_t)1000000)
#define CPUS 8

/* ck_assert() writes a file each time: too slow for what is checked a million times. */
#define must(condition)                                      \
	do {                                                 \
		if (!(condition))                            \
			ck_abort_msg("not so: " #condition); \
	} while (0)

/* Memory that outlives an engine, shared with children. */
static void *memory_new(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	ck_assert_ptr_ne(memory, MAP_FAILED);
	return memory;
}

static struct history *history_new(void *memory, size_t size, unsigned cpus)
{
	struct history *h = NULL;

	ck_assert_int_eq(history_open(memory, size, cpus, &h), 0);
	return h;
}

static struct cpulist list_of(const char *s)
{
	struct cpulist list;

	must(cpulist_parse(s, &list) == 0);
	return list;
}

static struct history_cpu moment(const struct cpulist *cpus, uint64_t now, uint64_t user,
				 uint64_t system)
{
	size_t count = cpulist_count(cpus);

	return (struct history_cpu){
		.now = now,
		.user = user,
		.system = system,
		.cpus = cpus,
		.count = count,
		.capacity = count * S,
	};
}

START_TEST(first_answer_is_made_from_age_and_use)
{
	struct history *h = history_new(NULL, 0, 2);
	struct cpulist cpus = list_of("0-1");
	struct history_cpu now = moment(&cpus, 110 * S, 20 * S, 10 * S);
	struct cpu_times cpu[2], total;

	now.start = 10 * S;
	ck_assert_int_eq(history_cpu_times(h, 1, &now, cpu, &total), 0);
	ck_assert_uint_eq(total.user, 20 * S);
	ck_assert_uint_eq(total.system, 10 * S);
	ck_assert_uint_eq(total.idle, 170 * S);
	for (int i = 0; i < 2; i++) {
		ck_assert_uint_eq(cpu[i].user, 10 * S);
		ck_assert_uint_eq(cpu[i].system, 5 * S);
		ck_assert_uint_eq(cpu[i].idle, 85 * S);
	}
	history_close(h);
}
END_TEST

START_TEST(first_answer_is_exact_where_the_kernel_tells_per_cpu)
{
	struct history *h = history_new(NULL, 0, 4);
	struct cpulist cpus = list_of("1,3");
	struct history_cpu now = moment(&cpus, 100 * S, 60 * S, 0);
	const uint64_t own[] = { 0, 50 * S, 0, 10 * S };
	struct cpu_times cpu[2], total;

	now.busy = own;
	now.busy_count = 4;
	now.busy_is_own = true;
	ck_assert_int_eq(history_cpu_times(h, 1, &now, cpu, &total), 0);
	ck_assert_uint_eq(cpu[0].user, 50 * S);
	ck_assert_uint_eq(cpu[0].idle, 50 * S);
	ck_assert_uint_eq(cpu[1].user, 10 * S);
	ck_assert_uint_eq(cpu[1].idle, 90 * S);
	history_close(h);
}
END_TEST

/* A container older than its init, or with a lowered quota, used more than its age allows. */
START_TEST(first_answer_never_has_negative_idle)
{
	struct history *h = history_new(NULL, 0, 1);
	struct cpulist cpus = list_of("0");
	struct history_cpu now = moment(&cpus, 10 * S, 500 * S, 100 * S);
	struct cpu_times cpu[1], total;

	now.start = 20 * S;
	ck_assert_int_eq(history_cpu_times(h, 1, &now, cpu, &total), 0);
	ck_assert_uint_eq(total.user, 500 * S);
	ck_assert_uint_eq(total.system, 100 * S);
	ck_assert_uint_eq(total.idle, 0);
	ck_assert_uint_eq(cpu[0].idle, 0);
	now.count = 0;
	ck_assert_int_eq(history_cpu_times(h, 1, &now, cpu, &total), -EINVAL);
	history_close(h);
}
END_TEST

START_TEST(time_goes_to_the_busy_cpus)
{
	struct history *h = history_new(NULL, 0, 2);
	struct cpulist cpus = list_of("0-1");
	struct history_cpu now = moment(&cpus, 10 * S, 0, 0);
	uint64_t busy[] = { 1000, 1000 };
	struct cpu_times cpu[2], total;

	now.busy = busy;
	now.busy_count = 2;
	ck_assert_int_eq(history_cpu_times(h, 1, &now, cpu, &total), 0);
	now.now += S;
	now.user = S * 9 / 10;
	now.system = S / 10;
	busy[1] += 7;
	ck_assert_int_eq(history_cpu_times(h, 1, &now, cpu, &total), 0);
	ck_assert_uint_eq(cpu[0].user, 0);
	ck_assert_uint_eq(cpu[0].idle, 11 * S);
	ck_assert_uint_eq(cpu[1].user, S * 9 / 10);
	ck_assert_uint_eq(cpu[1].system, S / 10);
	ck_assert_uint_eq(cpu[1].idle, 10 * S);
	/* More than the busy one can take goes to the other. */
	now.now += S;
	now.user += S * 3 / 2;
	busy[1] += 7;
	ck_assert_int_eq(history_cpu_times(h, 1, &now, cpu, &total), 0);
	ck_assert_uint_eq(cpu[0].user, S / 2);
	ck_assert_uint_eq(cpu[1].user, S * 9 / 10 + S);
	history_close(h);
}
END_TEST

/* With half a CPU of quota over two CPUs a throttled container shows both busy all the time. */
START_TEST(throttled_is_all_busy)
{
	struct history *h = history_new(NULL, 0, 2);
	struct cpulist cpus = list_of("0-1");
	struct history_cpu now = moment(&cpus, 10 * S, 0, 0);
	struct cpu_times before[2], cpu[2], total;

	now.capacity = S * 3 / 2;
	ck_assert_int_eq(history_cpu_times(h, 1, &now, before, &total), 0);
	now.now += 4 * S;
	now.user += 6 * S;
	ck_assert_int_eq(history_cpu_times(h, 1, &now, cpu, &total), 0);
	for (int i = 0; i < 2; i++) {
		ck_assert_uint_eq(cpu[i].user - before[i].user, 3 * S);
		ck_assert_uint_eq(cpu[i].idle, before[i].idle);
	}
	history_close(h);
}
END_TEST

START_TEST(what_finds_no_room_is_shown_later)
{
	struct history *h = history_new(NULL, 0, 1);
	struct cpulist cpus = list_of("0");
	struct history_cpu now = moment(&cpus, 10 * S, 0, 0);
	struct cpu_times cpu[1], total;

	ck_assert_int_eq(history_cpu_times(h, 1, &now, cpu, &total), 0);
	now.now += S;
	now.user = 2 * S;
	now.system = 2 * S;
	ck_assert_int_eq(history_cpu_times(h, 1, &now, cpu, &total), 0);
	ck_assert_uint_eq(total.user, S / 2);
	ck_assert_uint_eq(total.system, S / 2);
	now.now += 10 * S;
	ck_assert_int_eq(history_cpu_times(h, 1, &now, cpu, &total), 0);
	ck_assert_uint_eq(total.user, 2 * S);
	ck_assert_uint_eq(total.system, 2 * S);
	ck_assert_uint_eq(total.idle, 17 * S);
	history_close(h);
}
END_TEST

START_TEST(an_older_moment_is_answered_with_the_last)
{
	struct history *h = history_new(NULL, 0, 1);
	struct cpulist cpus = list_of("0");
	struct history_cpu now = moment(&cpus, 10 * S, S, S);
	struct cpu_times cpu[1], old[1], total, old_total;

	ck_assert_int_eq(history_cpu_times(h, 1, &now, cpu, &total), 0);
	now.now = 9 * S;
	now.user = S / 2;
	ck_assert_int_eq(history_cpu_times(h, 1, &now, old, &old_total), 0);
	ck_assert_mem_eq(cpu, old, sizeof cpu);
	ck_assert_mem_eq(&total, &old_total, sizeof total);
	/* later, but with use that was read earlier: nothing is counted twice */
	now.now = 11 * S;
	ck_assert_int_eq(history_cpu_times(h, 1, &now, cpu, &total), 0);
	now.now = 12 * S;
	now.user = S + 5;
	ck_assert_int_eq(history_cpu_times(h, 1, &now, cpu, &total), 0);
	ck_assert_uint_eq(total.user, S + 5);
	history_close(h);
}
END_TEST

START_TEST(a_new_cgroup_of_the_same_name_goes_on)
{
	struct history *h = history_new(NULL, 0, 1);
	struct cpulist cpus = list_of("0");
	struct history_cpu now = moment(&cpus, 100 * S, 50 * S, 0);
	struct cpu_times cpu[1], total;

	ck_assert_int_eq(history_cpu_times(h, 1, &now, cpu, &total), 0);
	now.now += 10 * S;
	now.user = 3 * S;
	ck_assert_int_eq(history_cpu_times(h, 1, &now, cpu, &total), 0);
	ck_assert_uint_eq(total.user, 53 * S);
	history_close(h);
}
END_TEST

/* What a container would say of itself, and what was shown of it. */
struct model {
	uint64_t now, user, system, behind; /* behind: used, with no room to show it yet */
	bool seen;
	uint64_t busy[CPUS];
	struct cpu_times cpu[CPUS], total;
};

static uint64_t sum(const struct cpu_times *t)
{
	return t->user + t->system + t->idle;
}

static uint64_t below(unsigned *seed, uint64_t n)
{
	return ((uint64_t)rand_r(seed) << 31 | (uint64_t)rand_r(seed)) % n;
}

static struct cpulist random_cpus(unsigned *seed)
{
	struct cpulist list = { 0 };

	for (size_t cpu = 0; cpu < CPUS; cpu++) {
		if (below(seed, 2))
			cpulist_add(&list, cpu);
	}
	if (!cpulist_count(&list))
		cpulist_add(&list, below(seed, CPUS));
	return list;
}

static void not_back(const struct cpu_times *before, const struct cpu_times *now)
{
	must(now->user >= before->user);
	must(now->system >= before->system);
	must(now->idle >= before->idle);
}

static void model_check(struct model *m, const struct history_cpu *now, uint64_t room,
			const struct cpu_times *cpu, const struct cpu_times *total)
{
	uint64_t gained = 0;
	size_t i = 0;

	cpulist_each(c, now->cpus) {
		uint64_t more = sum(&cpu[i]) - sum(&m->cpu[c]);

		not_back(&m->cpu[c], &cpu[i]);
		must(!m->seen || more <= room / now->count + 1);
		gained += more;
		m->cpu[c] = cpu[i++];
	}
	must(!m->seen || gained <= room);
	not_back(&m->total, total);
	must(!m->seen || sum(total) - sum(&m->total) <= room);
	must(total->user + total->system + m->behind == m->user + m->system);
	m->total = *total;
	m->seen = true;
}

static void model_step(struct model *m, struct history *h, unsigned *seed)
{
	uint64_t elapsed = below(seed, 4) ? below(seed, S / 10) : below(seed, 100 * S);
	struct cpulist cpus = random_cpus(seed);
	struct cpu_times cpu[CPUS], total;
	struct history_cpu now;
	uint64_t room, used;

	now = moment(&cpus, m->now + elapsed, 0, 0);
	if (below(seed, 2))
		now.capacity = 1 + below(seed, now.capacity);
	room = number_scale(elapsed, now.capacity, S);
	used = below(seed, 3) ? below(seed, room + 1) : below(seed, 2 * room + 1);
	if (elapsed || !m->seen) {
		m->user += used / 3;
		m->system += used - used / 3;
		m->behind = m->seen ? number_sub(m->behind + used, room) : 0;
	}
	for (size_t i = 0; i < CPUS; i++)
		m->busy[i] += below(seed, 100);
	now.user = m->user;
	now.system = m->system;
	now.busy = m->busy;
	now.busy_count = below(seed, CPUS + 1);
	m->now += elapsed;
	must(history_cpu_times(h, (uintptr_t)m, &now, cpu, &total) == 0);
	model_check(m, &now, room, cpu, &total);
}

/* Thousands of random lives, served by two engines in turn on one memory. */
START_TEST(random_lives_keep_every_promise)
{
	size_t size = history_size(CPUS);
	void *memory = memory_new(size);
	struct history *h[2] = { history_new(memory, size, CPUS), history_new(memory, size, CPUS) };
	unsigned seed = 20;

	for (int life = 0; life < 2000; life++) {
		struct model m[2] = { { .now = S }, { .now = below(&seed, 1000 * S) } };

		for (int step = 0; step < 40; step++)
			model_step(&m[below(&seed, 2)], h[below(&seed, 2)], &seed);
		/* each life is another container's */
		history_close(h[0]);
		memset(memory, 0, 8);
		h[0] = history_new(memory, size, CPUS);
		history_close(h[1]);
		h[1] = history_new(memory, size, CPUS);
	}
	history_close(h[0]);
	history_close(h[1]);
	munmap(memory, size);
}
END_TEST

/*
 * A container that uses a quarter of its two CPUs as user, an eighth as system, from
 * the beginning of time: every true answer is known beforehand.
 */
static int steady(struct history *h, uint64_t id, uint64_t now, struct cpu_times *total)
{
	struct cpulist cpus = list_of("0-1");
	struct history_cpu at = moment(&cpus, now, now / 2, now / 4);
	struct cpu_times cpu[2];
	int r = history_cpu_times(h, id, &at, cpu, total);

	if (r == 0) {
		must(cpu[0].user + cpu[1].user == total->user);
		must(cpu[0].system + cpu[1].system == total->system);
		must(cpu[0].idle + cpu[1].idle == total->idle);
		must(total->user == (sum(total) / 2) / 2);
		must(total->system == (sum(total) / 2) / 4);
	}
	return r;
}

/* What a child answered last, told whole or not at all. */
struct told {
	_Atomic uint64_t now, idle;
};

static pid_t writer_start(void *memory, size_t size, struct told *told, uint64_t from)
{
	pid_t pid = fork();
	struct history *h;

	ck_assert_int_ge(pid, 0);
	if (pid)
		return pid;
	h = history_new(memory, size, 2);
	for (uint64_t now = from;; now += 8) {
		struct cpu_times total;

		if (steady(h, 1 + now / 8 % 3, now, &total) < 0)
			_exit(1);
		atomic_store(&told->idle, total.idle);
		atomic_store(&told->now, now);
	}
}

static void pause_us(unsigned us)
{
	struct timespec t = { .tv_nsec = (long)us * 1000 };

	nanosleep(&t, NULL);
}

START_TEST(a_killed_writer_leaves_a_whole_state)
{
	size_t size = history_size(2);
	void *memory = memory_new(size);
	struct told *told = memory_new(sizeof *told);
	struct history *h = history_new(memory, size, 2);
	uint64_t from = 8 * S;
	unsigned seed = 7;

	for (int kill_number = 0; kill_number < 150; kill_number++) {
		pid_t pid = writer_start(memory, size, told, from);
		uint64_t last;

		while (atomic_load(&told->now) < from + 16)
			pause_us(100); /* until it has written all three */
		pause_us((unsigned)below(&seed, 1000));
		ck_assert_int_eq(kill(pid, SIGKILL), 0);
		ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
		last = atomic_load(&told->now);
		for (uint64_t id = 1; id <= 3; id++) {
			struct cpu_times before, after;

			ck_assert_int_eq(steady(h, id, 0, &before), 0);
			ck_assert_uint_ge(sum(&before) + 2 * 16, 2 * (last - 16));
			ck_assert_int_eq(steady(h, id, last + 80, &after), 0);
			ck_assert_uint_eq(sum(&after), 2 * (last + 80));
		}
		from = last + 160;
	}
	history_close(h);
	munmap(told, sizeof *told);
	munmap(memory, size);
}
END_TEST

/* A writer that is stopped, not dead, keeps its lock: readers get what was shown last, soon. */
START_TEST(a_stopped_writer_stops_nobody)
{
	size_t size = history_size(2);
	void *memory = memory_new(size);
	struct told *told = memory_new(sizeof *told);
	struct history *h = history_new(memory, size, 2);
	uint64_t far = UINT64_C(1) << 50;
	bool stood = false, busy = false;
	pid_t pid = writer_start(memory, size, told, 8 * S);
	struct cpu_times total;

	while (atomic_load(&told->now) < 8 * S + 24)
		pause_us(100);
	for (int try = 0; try < 200 && !stood; try++) {
		int status;

		kill(pid, SIGSTOP);
		ck_assert_int_eq(waitpid(pid, &status, WUNTRACED), pid);
		for (uint64_t id = 1; id <= 3 && !stood; id++) {
			uint64_t now = atomic_load(&told->now) + 16;

			ck_assert_int_eq(steady(h, id, now, &total), 0);
			stood = sum(&total) < 2 * now;
		}
		for (uint64_t id = 4; stood && id < 3000 && !busy; id++)
			busy = steady(h, id, far, &total) == -EBUSY;
		kill(pid, SIGCONT);
		pause_us(100 + (unsigned)try * 7 % 400); /* it shall be caught anywhere */
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	ck_assert(stood);
	ck_assert(busy);
	history_close(h);
	munmap(told, sizeof *told);
	munmap(memory, size);
}
END_TEST

struct crowd {
	struct history *h;
	_Atomic uint64_t *clock;
};

static void *crowd_read(void *arg)
{
	struct crowd *crowd = arg;
	struct cpu_times before[5] = { 0 };

	for (int i = 0; i < 5000; i++) {
		uint64_t id = 1 + (uint64_t)i % 5;
		struct cpu_times total;

		if (steady(crowd->h, id, atomic_fetch_add(crowd->clock, 8), &total) < 0)
			return arg;
		not_back(&before[id - 1], &total);
		before[id - 1] = total;
	}
	return NULL;
}

START_TEST(threads_and_engines_never_see_time_go_back)
{
	size_t size = history_size(2);
	void *memory = memory_new(size);
	_Atomic uint64_t clock = 8 * S;
	struct crowd crowd[4];
	pthread_t thread[4];

	for (int i = 0; i < 4; i++) {
		crowd[i] = (struct crowd){ history_new(memory, size, 2), &clock };
		ck_assert_int_eq(pthread_create(&thread[i], NULL, crowd_read, &crowd[i]), 0);
	}
	for (int i = 0; i < 4; i++) {
		void *failed;

		pthread_join(thread[i], &failed);
		ck_assert_ptr_null(failed);
		history_close(crowd[i].h);
	}
	munmap(memory, size);
}
END_TEST

START_TEST(an_engine_goes_on_where_the_last_one_ended)
{
	size_t size = history_size(2);
	void *memory = memory_new(size);
	struct history_load load = { { 1, 2, 3 }, 4 }, back;
	struct history *h = history_new(memory, size, 2);
	struct cpu_times total;

	history_load_get(h, 9, &back);
	ck_assert_uint_eq(back.sampled, 0);
	history_load_set(h, 9, &load);
	ck_assert_uint_eq(history_last_pid(h, 9, 0, 40), 40);
	ck_assert_uint_eq(history_last_pid(h, 9, 0, 30), 40);
	ck_assert_int_eq(steady(h, 9, 8 * S, &total), 0);
	history_close(h);

	/* a CPU more does not make it forget */
	h = history_new(memory, size, 3);
	history_load_get(h, 9, &back);
	ck_assert_mem_eq(&load, &back, sizeof load);
	ck_assert_uint_eq(history_last_pid(h, 9, 0, 0), 40);
	ck_assert_int_eq(steady(h, 9, 7 * S, &total), 0);
	ck_assert_uint_eq(sum(&total), 16 * S);
	history_close(h);

	/* bytes of another layout do */
	memset(memory, 0xa5, 4096);
	h = history_new(memory, size, 2);
	ck_assert_uint_eq(history_last_pid(h, 9, 0, 0), 0);
	history_close(h);
	munmap(memory, size);
}
END_TEST

/* The least memory that an engine takes: one bucket. */
static size_t least_size(void *memory, size_t size)
{
	size_t low = 0, high = size;

	while (low + 1 < high) {
		size_t middle = (low + high) / 2;
		struct history *h = NULL;
		int r = history_open(memory, middle, 1, &h);

		ck_assert(r == 0 || r == -EINVAL);
		if (r == 0)
			history_close(h);
		*(r == 0 ? &high : &low) = middle;
	}
	return high;
}

static void next_coarse_tick(void)
{
	struct timespec start, now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &start);
	do
		clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	while (now.tv_nsec == start.tv_nsec);
}

START_TEST(who_was_not_asked_for_longest_gives_way)
{
	size_t whole = history_size(1), size;
	void *memory = memory_new(whole);
	uint64_t forgotten = 0;
	struct history *h;

	size = least_size(memory, whole);
	ck_assert_uint_lt(size, whole);
	h = history_new(memory, size, 1);
	for (uint64_t id = 1; id <= 24; id++)
		history_last_pid(h, id, 0, id);
	next_coarse_tick();
	ck_assert_uint_eq(history_last_pid(h, 1, 0, 0), 1);
	next_coarse_tick();
	ck_assert_uint_eq(history_last_pid(h, 100, 0, 100), 100);
	ck_assert_uint_eq(history_last_pid(h, 1, 0, 0), 1);
	for (uint64_t id = 2; id <= 24; id++) {
		struct history_load load;

		history_load_get(h, id, &load);
		forgotten += history_last_pid(h, id, 0, 0) != id;
	}
	ck_assert_uint_eq(forgotten, 1);
	ck_assert_uint_eq(history_last_pid(h, 100, 0, 0), 100);
	history_close(h);
	munmap(memory, whole);
}
END_TEST

/* More CPUs than there is room for: those hidden now are forgotten, those too many show nothing. */
START_TEST(more_cpus_than_expected)
{
	struct history *h = history_new(NULL, 0, 12); /* has room for 16 */
	struct cpulist few = list_of("0-15"), others = list_of("8-23"), many = list_of("0-31");
	struct cpu_times cpu[32], total;
	struct history_cpu now = moment(&few, 10 * S, 0, 0);

	ck_assert_int_eq(history_cpu_times(h, 1, &now, cpu, &total), 0);
	now = moment(&others, 20 * S, 16 * S, 0);
	ck_assert_int_eq(history_cpu_times(h, 1, &now, cpu, &total), 0);
	ck_assert_uint_eq(cpu[0].idle, 19 * S);
	ck_assert_uint_eq(cpu[15].idle, 9 * S);
	now = moment(&many, 30 * S, 16 * S, 0);
	ck_assert_int_eq(history_cpu_times(h, 1, &now, cpu, &total), 0);
	ck_assert_uint_eq(cpu[31].idle, 0);
	ck_assert_uint_gt(cpu[8].idle, 19 * S);
	history_close(h);
}
END_TEST

/* Who asks for the total takes nothing from the CPUs: they have it with the next answer. */
START_TEST(the_total_alone_is_spread_later)
{
	struct history *h = history_new(NULL, 0, 2);
	struct cpulist cpus = list_of("0-1");
	const uint64_t before[] = { 0, 0 }, after[] = { 30, 10 };
	struct history_cpu now = moment(&cpus, 10 * S, 0, 0);
	struct cpu_times cpu[2], total;

	now.total_only = true;
	ck_assert_int_eq(history_cpu_times(h, 1, &now, cpu, &total), -EAGAIN);
	now.total_only = false;
	now.busy = before;
	now.busy_count = 2;
	ck_assert_int_eq(history_cpu_times(h, 1, &now, cpu, &total), 0);
	now = moment(&cpus, 14 * S, 3 * S, 1 * S);
	now.total_only = true;
	ck_assert_int_eq(history_cpu_times(h, 1, &now, cpu, &total), 0);
	ck_assert_uint_eq(total.user, 3 * S);
	ck_assert_uint_eq(total.idle, 24 * S);
	ck_assert_uint_eq(cpu[0].user + cpu[0].system, 0);
	ck_assert_uint_eq(cpu[0].idle, 10 * S);
	now = moment(&cpus, 16 * S, 3 * S, 1 * S);
	now.busy = after;
	now.busy_count = 2;
	ck_assert_int_eq(history_cpu_times(h, 1, &now, cpu, &total), 0);
	ck_assert_uint_eq(total.idle, 28 * S);
	ck_assert_uint_eq(cpu[0].user + cpu[0].system, 3 * S);
	ck_assert_uint_eq(cpu[1].user + cpu[1].system, 1 * S);
	ck_assert_uint_eq(cpu[0].idle + cpu[1].idle, 28 * S);
	history_close(h);
}
END_TEST

/* As mpstat does: /proc/uptime and in the same tick /proc/stat. */
START_TEST(the_total_alone_does_not_keep_its_time_from_the_cpus)
{
	struct history *h = history_new(NULL, 0, 2);
	struct cpulist cpus = list_of("0-1");
	struct history_cpu now = moment(&cpus, 10 * S, 0, 0);
	struct cpu_times cpu[2], total;

	ck_assert_int_eq(history_cpu_times(h, 1, &now, cpu, &total), 0);
	now = moment(&cpus, 14 * S, 3 * S, 1 * S);
	now.total_only = true;
	ck_assert_int_eq(history_cpu_times(h, 1, &now, cpu, &total), 0);
	now.total_only = false;
	ck_assert_int_eq(history_cpu_times(h, 1, &now, cpu, &total), 0);
	ck_assert_uint_eq(total.user, 3 * S);
	ck_assert_uint_eq(cpu[0].user + cpu[1].user, total.user);
	ck_assert_uint_eq(cpu[0].system + cpu[1].system, total.system);
	ck_assert_uint_eq(cpu[0].idle + cpu[1].idle, total.idle);
	now.total_only = true;
	now.now = 16 * S;
	ck_assert_int_eq(history_cpu_times(h, 1, &now, cpu, &total), 0);
	now.total_only = false;
	now.now = 15 * S; /* of a thread that took its time before */
	ck_assert_int_eq(history_cpu_times(h, 1, &now, cpu, &total), 0);
	ck_assert_uint_eq(total.idle, 28 * S);
	ck_assert_uint_eq(cpu[0].idle + cpu[1].idle, total.idle);
	history_close(h);
}
END_TEST

START_TEST(a_pid_is_known_while_its_task_is_the_youngest)
{
	struct history *h = history_new(NULL, 0, 2);
	uint64_t pid = 7;

	ck_assert(!history_last_pid_of(h, 9, 1234, &pid));
	ck_assert_uint_eq(history_last_pid(h, 9, 1234, 40), 40);
	ck_assert(history_last_pid_of(h, 9, 1234, &pid));
	ck_assert_uint_eq(pid, 40);
	ck_assert(!history_last_pid_of(h, 9, 1235, &pid) && !history_last_pid_of(h, 9, 0, &pid));
	ck_assert_uint_eq(history_last_pid(h, 9, 1235, 5), 40); /* numbers begin anew */
	ck_assert(history_last_pid_of(h, 9, 1235, &pid) && pid == 40);
	history_close(h);
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_test(tests, first_answer_is_made_from_age_and_use);
	tcase_add_test(tests, first_answer_is_exact_where_the_kernel_tells_per_cpu);
	tcase_add_test(tests, first_answer_never_has_negative_idle);
	tcase_add_test(tests, time_goes_to_the_busy_cpus);
	tcase_add_test(tests, throttled_is_all_busy);
	tcase_add_test(tests, what_finds_no_room_is_shown_later);
	tcase_add_test(tests, an_older_moment_is_answered_with_the_last);
	tcase_add_test(tests, a_new_cgroup_of_the_same_name_goes_on);
	tcase_add_test(tests, random_lives_keep_every_promise);
	tcase_add_test(tests, a_killed_writer_leaves_a_whole_state);
	tcase_add_test(tests, a_stopped_writer_stops_nobody);
	tcase_add_test(tests, threads_and_engines_never_see_time_go_back);
	tcase_add_test(tests, an_engine_goes_on_where_the_last_one_ended);
	tcase_add_test(tests, who_was_not_asked_for_longest_gives_way);
	tcase_add_test(tests, more_cpus_than_expected);
	tcase_add_test(tests, the_total_alone_is_spread_later);
	tcase_add_test(tests, the_total_alone_does_not_keep_its_time_from_the_cpus);
	tcase_add_test(tests, a_pid_is_known_while_its_task_is_the_youngest);
}

int main(void)
{
	return test_run("history", fill);
}
