/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One line on stderr for the programs; library code never logs. */
#pragma once

/* Prints "lxcfs: " and the line with a newline, in one write so that processes do not mix. */
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
