/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Questions on the terminal. */
#include "cli/ask.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A line of stdin; the end of it ends the program, as nobody is there to answer. */
static char *read_answer(void)
{
	char *line = NULL;
	size_t size = 0;
	g_autofree char *copy = NULL;

	if (getline(&line, &size, stdin) < 0) {
		g_printerr("\nError: EOF\n");
		exit(1);
	}
	copy = g_strdup(line);
	free(line);
	return g_strdup(g_strstrip(copy));
}

char *ask_text(const char *question, const char *without, ask_check check)
{
	for (;;) {
		g_autofree char *answer = NULL;

		if (without && *without)
			g_print("%s [default=%s]: ", question, without);
		else
			g_print("%s: ", question);
		answer = read_answer();
		if (!*answer && without)
			return g_strdup(without);
		if (*answer && (!check || check(answer)))
			return g_steal_pointer(&answer);
		g_printerr("Invalid input, try again.\n\n");
	}
}

static gboolean is_yes_or_no(const char *answer)
{
	static const char *const words[] = { "yes", "y", "no", "n", NULL };
	g_autofree char *lower = g_ascii_strdown(answer, -1);

	return g_strv_contains(words, lower);
}

gboolean ask_yes(const char *question, gboolean without)
{
	g_autofree char *whole = g_strdup_printf("%s (yes/no)", question);
	g_autofree char *answer = ask_text(whole, without ? "yes" : "no", is_yes_or_no);

	return answer[0] == 'y' || answer[0] == 'Y';
}
