/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every view on a snapshot that the input describes, and what holds for any of them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "fuzz.h"
#include "lxcfs.h"
#include "view.h"

#define DEVICES_MAX 16
#define LINE_MAX_PRINTED 160 /* bytes that a view adds to a line of the host's, or to a CPU's */

/* As much as gathering can bring about; all the rest is free. */
static void fill_cpus(struct snapshot *s, struct input *input)
{
	size_t words = (input_byte(input) & 15) == 15 ? CPULIST_MAX / 64 : 1;

	input_fill(input, s->cpus.bits, words * sizeof s->cpus.bits[0]);
	if (!cpulist_count(&s->cpus))
		cpulist_add(&s->cpus, 0);
	s->cpu_count = cpulist_count(&s->cpus);
	s->cpu_times = calloc(s->cpu_count, sizeof *s->cpu_times);
	FUZZ_REQUIRE(s->cpu_times != NULL);
	input_fill(input, s->cpu_times, number_min(s->cpu_count, 4) * sizeof *s->cpu_times);
	input_fill(input, &s->cpu_total, sizeof s->cpu_total);
}

static void fill_io(struct snapshot *s, struct input *input)
{
	s->io.count = input_byte(input) % DEVICES_MAX;
	s->io.device = calloc(s->io.count + 1, sizeof *s->io.device);
	FUZZ_REQUIRE(s->io.device != NULL);
	for (size_t i = 0; i < s->io.count; i++) {
		s->io.device[i].major = (unsigned)input_number(input, 1);
		s->io.device[i].minor = (unsigned)input_number(input, 1);
		input_fill(input, &s->io.device[i].read_bytes, 6 * sizeof(uint64_t));
	}
}

static void fill_text(struct text *text, struct input *input)
{
	AUTO_FREE char *s = input_string(input);

	text_puts(text, s);
	text_putc(text, '\n'); /* as the kernel ends every file that is not empty */
}

static void fill(struct snapshot *s, struct input *input)
{
	s->flags = input_byte(input);
	s->have = (unsigned)input_number(input, 4) | NEED_CPUS | NEED_CPU_TIMES;
	input_fill(input, &s->memory, sizeof s->memory);
	input_fill(input, &s->hugetlb, sizeof s->hugetlb);
	s->now = input_number(input, 7); /* 2000 years */
	s->start = number_min(input_number(input, 7), s->now);
	s->uptime = s->now - s->start;
	s->boot_offset = -(int64_t)s->start;
	input_fill(input, &s->tasks, sizeof s->tasks);
	input_fill(input, s->load, sizeof s->load);
	fill_io(s, input);
	fill_cpus(s, input);
	for (size_t i = 0; i < HOST_FILES; i++)
		fill_text(&s->host[i], input);
	fill_text(&s->slabinfo, input);
	if (input->len)
		fill_text(&s->pressure, input);
}

static size_t count_lines(const struct text *t)
{
	size_t lines = 0;

	for (const char *p = text_str(t); (p = strchr(p, '\n')); p++)
		lines++;
	return lines;
}

/* What every text holds to. */
static void check_text(const struct snapshot *s, const struct text *t)
{
	size_t bound = LINE_MAX_PRINTED * (s->cpu_count + 4);

	FUZZ_REQUIRE(t->error == 0);
	FUZZ_REQUIRE(!t->len || t->data[t->len - 1] == '\n');
	FUZZ_REQUIRE(strlen(text_str(t)) == t->len);
	for (size_t i = 0; i < HOST_FILES; i++)
		bound += 16 * s->host[i].len + LINE_MAX_PRINTED * count_lines(&s->host[i]);
	bound += s->pressure.len + 2 * s->slabinfo.len;
	FUZZ_REQUIRE(t->len <= bound);
}

/* The number in the first line with this label; false if there is none. */
static bool labelled(const struct text *t, const char *label, uint64_t *ret)
{
	const char *at = strncmp(text_str(t), label, strlen(label)) ? NULL : text_str(t);
	char with_newline[64];

	snprintf(with_newline, sizeof with_newline, "\n%s", label);
	if (!at) {
		at = strstr(text_str(t), with_newline);
		at = at ? at + 1 : NULL;
	}
	if (!at)
		return false;
	at += strlen(label);
	if (*at != ' ')
		return false; /* another label that begins like this one */
	at += strspn(at, " ");
	return number_take(&at, ret) == 0;
}

static void check_order(const struct text *t, const char *small, const char *large)
{
	uint64_t a, b;

	if (labelled(t, small, &a) && labelled(t, large, &b))
		FUZZ_REQUIRE(a <= b);
}

static void check_meminfo(const struct text *t)
{
	check_order(t, "MemFree:", "MemTotal:");
	check_order(t, "MemFree:", "MemAvailable:");
	check_order(t, "MemAvailable:", "MemTotal:");
	check_order(t, "SwapFree:", "SwapTotal:");
	check_order(t, "HugePages_Free:", "HugePages_Total:");
	check_order(t, "HugePages_Rsvd:", "HugePages_Free:");
}

static void check_swaps(const struct snapshot *s, const struct text *t)
{
	const char *line = strstr(text_str(t), "\nnone ");
	unsigned long long size, used;

	if (!line || memchr(text_str(&s->host[HOST_SWAPS]), 'v', s->host[HOST_SWAPS].len))
		return; /* the host's header may imitate the line */
	FUZZ_REQUIRE(sscanf(line, " none virtual %llu %llu", &size, &used) == 2 && used <= size);
	FUZZ_REQUIRE(!(s->flags & LXCFS_NO_SWAP));
}

static void check_online(const struct snapshot *s, const struct text *t)
{
	struct cpulist cpus;

	FUZZ_REQUIRE(cpulist_parse(text_str(t), &cpus) == 0);
	FUZZ_REQUIRE(memcmp(&cpus, &s->cpus, sizeof cpus) == 0);
}

static void check_isolated(const struct snapshot *s, const struct text *t)
{
	struct cpulist cpus;

	FUZZ_REQUIRE(cpulist_parse(text_str(t), &cpus) == 0);
	for (size_t i = 0; i < ARRAY_SIZE(cpus.bits); i++)
		FUZZ_REQUIRE(!(cpus.bits[i] & ~s->cpus.bits[i]));
}

static void check_stat(const struct snapshot *s, const struct text *t)
{
	const char *p = text_str(t);
	size_t cpus = 0;

	FUZZ_REQUIRE(strncmp(p, "cpu  ", 5) == 0);
	for (p = strchr(p, '\n') + 1; strncmp(p, "cpu", 3) == 0; p = strchr(p, '\n') + 1)
		cpus++;
	FUZZ_REQUIRE(cpus >= s->cpu_count); /* the host may have lines that look like them */
}

static void check(const struct view *view, const struct snapshot *s, const struct text *t)
{
	check_text(s, t);
	if (view->render == meminfo_render)
		check_meminfo(t);
	else if (view->render == swaps_render)
		check_swaps(s, t);
	else if (view->render == cpu_online_render)
		check_online(s, t);
	else if (view->render == cpu_isolated_render)
		check_isolated(s, t);
	else if (view->render == stat_render)
		check_stat(s, t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_SNAPSHOT struct snapshot s = { 0 };
	struct input input = { data, size };

	fill(&s, &input);
	for (size_t i = 0; i < views_count; i++) {
		AUTO_TEXT struct text text = { 0 };

		if (!views[i].render)
			continue;
		views[i].render(&s, &text);
		check(&views[i], &s, &text);
	}
	return 0;
}
