/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A host with 512 CPUs: what many CPUs cost grows with them, and no line allocates. */
#include <stdlib.h>
#include <time.h>

#include "base/cleanup.h"
#include "support.h"
#include "view.h"

#define MANY 512
#define FEW 64
#define RUNS 9

static unsigned allocations; /* counted by what the linker puts in the C library's place */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *p, size_t size);

void *__wrap_malloc(size_t size)
{
	allocations++;
	return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	allocations++;
	return __real_calloc(count, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	allocations++;
	return __real_realloc(p, size);
}

/* A snapshot of a host with so many CPUs, all of them shown. */
static void machine(unsigned cpus, struct snapshot *s)
{
	AUTO_TEXT struct text stat = { 0 }, cpuinfo = { 0 };

	text_puts(&stat, "cpu  1 2 3 4 5 6 7 8 9 0\n");
	for (unsigned cpu = 0; cpu < cpus; cpu++) {
		text_printf(&stat, "cpu%u 1 2 3 4 5 6 7 8 9 0\n", cpu);
		text_printf(&cpuinfo,
			    "processor\t: %u\nmodel name\t: x\nphysical id\t: %u\nsiblings\t: 64\n"
			    "core id\t\t: %u\ncpu cores\t: 32\nflags\t\t: fpu vme de pse\n\n",
			    cpu, cpu / 64, cpu % 32);
		cpulist_add(&s->cpus, cpu);
	}
	text_puts(&stat, "intr 1 2 3\nctxt 1\nbtime 1700000000\nprocesses 1\n");
	test_host_file(s, HOST_STAT, text_str(&stat));
	test_host_file(s, HOST_CPUINFO, text_str(&cpuinfo));
	s->cpu_count = cpus;
	s->cpu_times = calloc(cpus, sizeof *s->cpu_times);
	ck_assert_ptr_nonnull(s->cpu_times);
}

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* The least time of some runs, and how often memory was asked for in the last. */
static double render_us(unsigned cpus, void (*render)(const struct snapshot *, struct text *),
			unsigned *ret_allocations)
{
	AUTO_SNAPSHOT struct snapshot s = { 0 };
	double least = 0;

	machine(cpus, &s);
	for (unsigned i = 0; i < RUNS; i++) {
		AUTO_TEXT struct text text = { 0 };
		unsigned before = allocations;
		double start = now_us(), took;

		render(&s, &text);
		took = now_us() - start;
		ck_assert_int_eq(text.error, 0);
		ck_assert_uint_gt(text.len, (size_t)cpus * 20);
		*ret_allocations = allocations - before;
		least = i == 0 || took < least ? took : least;
	}
	return least;
}

static void expect_linear(void (*render)(const struct snapshot *, struct text *))
{
	unsigned few, many;
	double few_us = render_us(FEW, render, &few), many_us = render_us(MANY, render, &many);

	/* Eight times the CPUs: were it quadratic, 64 times the time. */
	ck_assert_double_le(many_us, few_us * 3 * (MANY / FEW));
	/* The text doubles three times more. */
	ck_assert_uint_gt(few, 0);
	ck_assert_uint_le(many, few + 4);
}

START_TEST(stat_of_512)
{
	expect_linear(stat_render);
}
END_TEST

START_TEST(cpuinfo_of_512)
{
	expect_linear(cpuinfo_render);
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_test(tests, stat_of_512);
	tcase_add_test(tests, cpuinfo_of_512);
}

int main(void)
{
	return test_run("scale", fill);
}
