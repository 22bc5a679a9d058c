/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Questions on the terminal, answered by a line of stdin. */
#pragma once

#include <glib.h>

/* Whether an answer will do; says why not itself. */
typedef gboolean (*ask_check)(const char *answer);

/* The answer, or WITHOUT for an empty one; asks again until CHECK (may be NULL) likes it. */
char *ask_text(const char *question, const char *without, ask_check check);
gboolean ask_yes(const char *question, gboolean without);
