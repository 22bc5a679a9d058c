/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What /1.0 answers, kept as text between the changes of the server. */
#pragma once

#include "daemon.h"

struct server_text;

/* Reads what never changes on a thread of its own, so that the start need not wait for it. */
struct server_text *server_text_new(struct daemon *daemon);
void server_text_free(struct server_text *text);
