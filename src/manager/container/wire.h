/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SFTP's numbers and strings in a packet: what is read past its end is zero or empty, and noted. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_PACKET_MAX (256 * 1024 + 1024) /* bytes: as much as clients send or expect */

struct wire_in {
	char *at;
	size_t left;
	bool broken;
};

struct wire_out {
	char data[4 + WIRE_PACKET_MAX]; /* with its length in front */
	size_t len;
	bool broken; /* did not fit */
};

uint32_t wire_get32(struct wire_in *in);
uint64_t wire_get64(struct wire_in *in);
uint8_t wire_get8(struct wire_in *in);
/* The bytes lie in the packet and are followed by anything. */
const char *wire_get_data(struct wire_in *in, uint32_t *ret_len);
/* A path, copied to PATH[SIZE]; false when it is too long, empty of meaning or has a NUL in it. */
bool wire_get_path(struct wire_in *in, char *path, size_t size);

void wire_start(struct wire_out *out, uint8_t type);
void wire_put8(struct wire_out *out, uint8_t value);
void wire_put32(struct wire_out *out, uint32_t value);
void wire_put64(struct wire_out *out, uint64_t value);
void wire_put_data(struct wire_out *out, const void *data, size_t len);
void wire_put_text(struct wire_out *out, const char *text);

/* Sets the length in front. */
void wire_finish(struct wire_out *out);
