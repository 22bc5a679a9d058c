/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Packets of SFTP, byte by byte: big endian numbers, strings with their length in front. */
#include "wire.h"

#include <endian.h>
#include <string.h>

static void take(struct wire_in *in, void *to, size_t len)
{
	if (in->broken || in->left < len) {
		in->broken = true;
		memset(to, 0, len);
		return;
	}
	memcpy(to, in->at, len);
	in->at += len;
	in->left -= len;
}

uint8_t wire_get8(struct wire_in *in)
{
	uint8_t value;

	take(in, &value, sizeof value);
	return value;
}

uint32_t wire_get32(struct wire_in *in)
{
	uint32_t value;

	take(in, &value, sizeof value);
	return be32toh(value);
}

uint64_t wire_get64(struct wire_in *in)
{
	uint64_t value;

	take(in, &value, sizeof value);
	return be64toh(value);
}

const char *wire_get_data(struct wire_in *in, uint32_t *ret_len)
{
	uint32_t len = wire_get32(in);
	const char *data = in->at;

	if (in->broken || in->left < len) {
		in->broken = true;
		*ret_len = 0;
		return "";
	}
	in->at += len;
	in->left -= len;
	*ret_len = len;
	return data;
}

bool wire_get_path(struct wire_in *in, char *path, size_t size)
{
	uint32_t len;
	const char *data = wire_get_data(in, &len);

	if (len >= size || memchr(data, '\0', len)) {
		path[0] = '\0';
		return false;
	}
	memcpy(path, data, len);
	path[len] = '\0';
	if (!len)
		strcpy(path, "."); /* "" is the directory that the session starts in */
	return true;
}

static void put(struct wire_out *out, const void *from, size_t len)
{
	if (out->broken || sizeof out->data - out->len < len) {
		out->broken = true;
		return;
	}
	memcpy(out->data + out->len, from, len);
	out->len += len;
}

void wire_start(struct wire_out *out, uint8_t type)
{
	out->len = 4;
	out->broken = false;
	wire_put8(out, type);
}

void wire_put8(struct wire_out *out, uint8_t value)
{
	put(out, &value, sizeof value);
}

void wire_put32(struct wire_out *out, uint32_t value)
{
	value = htobe32(value);
	put(out, &value, sizeof value);
}

void wire_put64(struct wire_out *out, uint64_t value)
{
	value = htobe64(value);
	put(out, &value, sizeof value);
}

void wire_put_data(struct wire_out *out, const void *data, size_t len)
{
	wire_put32(out, (uint32_t)len);
	put(out, data, len);
}

void wire_put_text(struct wire_out *out, const char *text)
{
	wire_put_data(out, text, strlen(text));
}

void wire_finish(struct wire_out *out)
{
	uint32_t len = htobe32((uint32_t)(out->len - 4));

	memcpy(out->data, &len, sizeof len);
}
