/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The texts that open files are in the middle of reading, by file handle, so
 * that a reader in pieces sees one text, whichever worker serves the pieces. A
 * bounded cache and nothing more: a text that is not there (read to its end, or
 * pushed out by newer ones) is made anew by who asks.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "shared.h"

struct answers;

/*
 * Goes on with what the state holds; where it has no place for answers, or is
 * NULL, they are this process's own. To be released with answers_free(), which
 * leaves the state as it is. NULL when there is no memory. Where room is made, it is
 * at the cost of the owner who has most.
 */
struct answers *answers_new(const struct shared *shared, uint64_t (*owner)(pid_t pid));
void answers_free(struct answers *answers);

/*
 * Copies the piece of the handle's text at offset into buf. False when the text
 * is not known. 0 bytes at and behind the end, which is remembered longer than
 * the text: who asks there lets go of the text.
 */
bool answers_get(struct answers *answers, uint64_t handle, uint64_t offset, char *buf, size_t size,
		 size_t *ret_len);

/*
 * Keeps the text that a request had made. A request that is replayed after the
 * death of its worker has to find it (answers_knows): its reader may have had the
 * answer already, and goes on behind that. pid: for whom, see answers_new(). Takes over
 * the text in any case.
 */
void answers_put(struct answers *answers, uint64_t handle, uint64_t request, uint32_t pid,
		 char *text, size_t len);

/* Is the handle's text the one that this request had made? */
bool answers_knows(struct answers *answers, uint64_t handle, uint64_t request);

/* Forgets a handle that was closed. */
void answers_drop(struct answers *answers, uint64_t handle);

/* Bytes of text kept. */
size_t answers_kept(struct answers *answers);
