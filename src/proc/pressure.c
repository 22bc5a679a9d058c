/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* /proc/pressure/{cpu,io,irq,memory}: the cgroup's own file as it is, or none felt. */
#include "base/text.h"
#include "view.h"

#define NONE " avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"

void pressure_render(const struct snapshot *s, struct text *text)
{
	if (s->pressure.len) {
		text_append(text, s->pressure.data, s->pressure.len);
		return;
	}
	/* Interrupts steal all tasks' time at once: kernel/sched/psi.c has no "some" here. */
	if (!(s->have & NEED_PRESSURE_IRQ))
		text_puts(text, "some" NONE);
	text_puts(text, "full" NONE);
}
