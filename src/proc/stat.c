/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * /proc/stat: the container's CPU time and tasks, in the host's order of lines. What
 * would tell about others (interrupts, context switches) is 0.
 */
#include <string.h>

#include "base/cleanup.h"
#include "base/line.h"
#include "base/number.h"
#include "view.h"

/* USER_HZ is 100 on all architectures but alpha and ia64. */
#define TICK_US 10000

/* user nice system idle iowait irq softirq steal guest guest_nice */
static void print_times(struct text *text, const struct cpu_times *times)
{
	text_putc(text, ' ');
	text_u64(text, times->user / TICK_US, 0);
	text_puts(text, " 0 ");
	text_u64(text, times->system / TICK_US, 0);
	text_putc(text, ' ');
	text_u64(text, times->idle / TICK_US, 0);
	text_puts(text, " 0 0 0 0 0 0\n");
}

static void print_cpus(const struct snapshot *s, struct text *text)
{
	size_t i = 0;

	text_puts(text, "cpu ");
	print_times(text, &s->cpu_total);
	cpulist_each(cpu, &s->cpus) {
		text_puts(text, "cpu");
		text_u64(text, cpu, 0);
		print_times(text, &s->cpu_times[i++]);
	}
}

/* The wall clock time at which the container's uptime was 0, consistent with /proc/uptime. */
static uint64_t boot_time(const struct snapshot *s, struct line host_value)
{
	const char *p = host_value.start + strspn(host_value.start, " ");
	uint64_t host = 0;

	number_take(&p, &host);
	return (uint64_t)((int64_t)host - s->boot_offset / 1000000);
}

static uint64_t processes(const struct snapshot *s, struct line host_value)
{
	(void)host_value;
	return s->tasks.processes;
}

/* Who reads this file runs. */
static uint64_t procs_running(const struct snapshot *s, struct line host_value)
{
	(void)host_value;
	return number_max(s->tasks.running, 1);
}

static uint64_t procs_blocked(const struct snapshot *s, struct line host_value)
{
	(void)host_value;
	return s->tasks.blocked;
}

/* A sum over all interrupts, and one column for each of those that the host has: none here. */
static uint64_t none(const struct snapshot *s, struct line host_value)
{
	(void)s, (void)host_value;
	return 0;
}

static const struct {
	const char *key;
	uint64_t (*value)(const struct snapshot *s, struct line host_value);
} lines[] = {
	{ "intr", none },
	{ "ctxt", none },
	{ "btime", boot_time },
	{ "processes", processes },
	{ "procs_running", procs_running },
	{ "procs_blocked", procs_blocked },
};

static void print_zeros(struct text *text, struct line line)
{
	struct line word;

	while (line_word(&line, &word))
		text_puts(text, " 0");
	text_putc(text, '\n');
}

/* A line of the host with our numbers; as many zeros as it has where we have none. */
static void print_line(const struct snapshot *s, struct text *text, struct line line)
{
	struct line rest = line, key;

	if (!line_word(&rest, &key))
		return;
	text_append(text, key.start, key.len);
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		if (line_is(&key, lines[i].key)) {
			text_putc(text, ' ');
			text_u64(text, lines[i].value(s, rest), 0);
			text_putc(text, '\n');
			return;
		}
	}
	print_zeros(text, rest);
}

void stat_render(const struct snapshot *s, struct text *text)
{
	const char *cursor = text_str(&s->host[HOST_STAT]);
	struct line line;

	print_cpus(s, text);
	while (line_next(&cursor, &line)) {
		if (!line_starts(&line, "cpu"))
			print_line(s, text, line);
	}
}
