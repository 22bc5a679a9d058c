/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* /proc/uptime: how long the container runs, and how long its CPUs were idle. */
#include "base/number.h"
#include "view.h"

/* Seconds with two decimals, as uptime_proc_show() in fs/proc/uptime.c. */
static void print_seconds(struct text *text, uint64_t us)
{
	uint64_t hundredths = us / 10000;

	text_u64(text, hundredths / 100, 0);
	text_putc(text, '.');
	text_putc(text, (char)('0' + hundredths / 10 % 10));
	text_putc(text, (char)('0' + hundredths % 10));
}

/* The second column counts the idle time of all CPUs; where that is unknown, they all were. */
void uptime_render(const struct snapshot *s, struct text *text)
{
	uint64_t cpus = number_max(s->cpu_count, 1);
	uint64_t idle = s->have & NEED_CPU_TIMES ? s->cpu_total.idle
						 : number_scale(s->uptime, cpus, 1);

	print_seconds(text, s->uptime);
	text_putc(text, ' ');
	print_seconds(text, idle);
	text_putc(text, '\n');
}
