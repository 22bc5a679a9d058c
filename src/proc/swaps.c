/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* /proc/swaps: one line that stands for all swap of the container, as mm/swapfile.c prints it. */
#include <string.h>

#include "base/line.h"
#include "base/number.h"
#include "base/text.h"
#include "proc/memory.h"
#include "view.h"

#define KIB 1024
#define WIDE_KB 10000000 /* a number from here on fills its column without a second tab */

/* Newer kernels head the numbers with two tabs each, and end a short one with two. */
static bool is_wide(const struct line *header)
{
	static const char wide[] = "Size\t\tUsed\t\tPriority";

	return memmem(header->start, header->len, wide, sizeof wide - 1) != NULL;
}

static void size_print(uint64_t kb, bool wide, struct text *text)
{
	text_u64(text, kb, 0);
	text_puts(text, wide && kb < WIDE_KB ? "\t\t" : "\t");
}

/* The sizes of the host's swap areas together, as SwapTotal of its meminfo. */
static uint64_t host_bytes(const char *areas)
{
	struct line line, word;
	uint64_t kb = 0;

	while (line_next(&areas, &line)) {
		uint64_t size;
		const char *p;

		/* Filename, type, size; a blank in a name is printed as "\\040". */
		if (!line_word(&line, &word) || !line_word(&line, &word) ||
		    !line_word(&line, &word))
			continue;
		p = word.start;
		if (number_take(&p, &size) == 0)
			kb = number_add(kb, size);
	}
	return number_scale(kb, KIB, 1);
}

void swaps_render(const struct snapshot *s, struct text *text)
{
	const char *cursor = text_str(&s->host[HOST_SWAPS]);
	struct line header = { cursor, 0 };
	uint64_t total, used;

	if (line_next(&cursor, &header)) {
		text_append(text, header.start, header.len);
		text_putc(text, '\n');
	}
	memory_swap(s, host_bytes(cursor), &total, &used);
	if (total < KIB)
		return;
	text_printf(text, "%-40svirtual\t\t", "none");
	size_print(total / KIB, is_wide(&header), text);
	size_print(used / KIB, is_wide(&header), text);
	text_puts(text, "0\n");
}
