/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * /proc/slabinfo: the slabs of the container's cgroup where the kernel lists them (v1, up
 * to 5.8), below the host's two lines of header. Never a slab of the host.
 */
#include "base/line.h"
#include "base/text.h"
#include "view.h"

static const char version[] = "slabinfo - version", columns[] = "# name";

static bool is_header(const struct line *line)
{
	return line_starts(line, version) || line_starts(line, columns);
}

static void line_print(const struct line *line, struct text *text)
{
	text_append(text, line->start, line->len);
	text_putc(text, '\n');
}

/* The cgroup's file has a header too, but only where it has slabs. */
void slabinfo_render(const struct snapshot *s, struct text *text)
{
	const char *cursor = text_str(&s->host[HOST_SLABINFO]);
	struct line line;

	while (line_next(&cursor, &line) && is_header(&line))
		line_print(&line, text);
	cursor = text_str(&s->slabinfo);
	while (line_next(&cursor, &line)) {
		if (!is_header(&line))
			line_print(&line, text);
	}
}
