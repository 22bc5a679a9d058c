/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One line on stderr for the programs. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

void log_line(const char *format, ...)
{
	static const char prefix[] = "lxcfs: ";
	char line[1024] = "lxcfs: ";
	int room = (int)(sizeof(line) - sizeof(prefix) - 1);
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line + sizeof(prefix) - 1, (size_t)room, format, args);
	va_end(args);
	if (n < 0)
		return;
	n = (n < room ? n : room - 1) + (int)sizeof(prefix) - 1;
	line[n++] = '\n';
	/* Nobody is left to tell when stderr itself fails. */
	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		return;
}
