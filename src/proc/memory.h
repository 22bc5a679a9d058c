/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What meminfo and swaps both say about swap. */
#pragma once

#include <stdint.h>

#include "snapshot.h"

/*
 * Swap of the container in bytes, of a host that has so much: used <= total always; both 0
 * where it has none.
 */
void memory_swap(const struct snapshot *snapshot, uint64_t host_bytes, uint64_t *ret_total,
		 uint64_t *ret_used);
