/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Origins are kept as text, in the order in which the numbers were read. */
#include "cgroup/origin.h"

#include "cgroup/cgroup.h"

void origin_note(struct origins *why, const char *what, const char *value, const char *file)
{
	if (why)
		text_printf(&why->lines, "%s: %s from %s\n", what, value, file);
}

void origin_note_u64(struct origins *why, const char *what, uint64_t value, const char *file)
{
	if (!why)
		return;
	if (value == CGROUP_NO_LIMIT)
		text_printf(&why->lines, "%s: no limit from %s\n", what, file);
	else
		text_printf(&why->lines, "%s: %llu from %s\n", what, (unsigned long long)value,
			    file);
}
