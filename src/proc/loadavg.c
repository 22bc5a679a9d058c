/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* /proc/loadavg: three averages, running and all tasks, and the last pid given out. */
#include "base/text.h"
#include "view.h"

/* As include/linux/sched/loadavg.h has them. */
#define LOAD_BITS 11
#define LOAD_ONE ((uint64_t)1 << LOAD_BITS)

/* Rounded to the nearest hundredth, as get_avenrun() does. */
static void average_print(uint64_t average, struct text *text)
{
	uint64_t rounded = average + LOAD_ONE / 200;
	uint64_t hundredths = (rounded & (LOAD_ONE - 1)) * 100 >> LOAD_BITS;

	text_printf(text, "%llu.%02llu ", (unsigned long long)(rounded >> LOAD_BITS),
		    (unsigned long long)hundredths);
}

void loadavg_render(const struct snapshot *s, struct text *text)
{
	for (size_t i = 0; i < 3; i++)
		average_print(s->load[i], text);
	text_u64(text, s->tasks.running, 0);
	text_putc(text, '/');
	text_u64(text, s->tasks.total, 0);
	text_putc(text, ' ');
	text_u64(text, s->tasks.processes, 0);
	text_putc(text, '\n');
}
