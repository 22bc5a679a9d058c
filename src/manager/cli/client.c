/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A REST client of the daemon's unix socket. */
#include "cli/client.h"

#include <gio/gio.h>
#include <gio/gunixsocketaddress.h>
#include <stdlib.h>
#include <string.h>

#include "serve.h"

gboolean client_no_daemon(const GError *error)
{
	return error && error->domain == G_IO_ERROR;
}

static GIOStream *connect_daemon(GError **error)
{
	g_autofree char *path = serve_socket();
	g_autoptr(GSocketClient) client = g_socket_client_new();
	g_autoptr(GSocketAddress) address = g_unix_socket_address_new(path);

	g_socket_client_set_enable_proxy(client, FALSE);
	return G_IO_STREAM(
		g_socket_client_connect(client, G_SOCKET_CONNECTABLE(address), NULL, error));
}

static gboolean send_request(GIOStream *stream, const char *method, const char *path,
			     const json_t *body, GError **error)
{
	g_autofree char *text = body ? json_print(body) : g_strdup("");
	g_autofree char *request = g_strdup_printf(
		"%s %s HTTP/1.1\r\nHost: lxd\r\nUser-Agent: lxd\r\nConnection: close\r\n"
		"Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
		method, path, strlen(text), text);

	return g_output_stream_write_all(g_io_stream_get_output_stream(stream), request,
					 strlen(request), NULL, NULL, error);
}

/* The headers up to the empty line: only the way the body is framed matters here. */
static gboolean read_head(GDataInputStream *in, gint64 *ret_len, gboolean *ret_chunked,
			  GError **error)
{
	for (;;) {
		g_autofree char *line = g_data_input_stream_read_line(in, NULL, NULL, error);

		if (!line)
			return FALSE;
		if (!*line)
			return TRUE;
		if (g_ascii_strncasecmp(line, "Content-Length:", 15) == 0)
			*ret_len = g_ascii_strtoll(line + 15, NULL, 10);
		else if (g_ascii_strcasecmp(line, "Transfer-Encoding: chunked") == 0)
			*ret_chunked = TRUE;
	}
}

static gboolean read_bytes(GInputStream *in, GString *body, gsize len, GError **error)
{
	g_autofree char *data = g_malloc(len + 1);
	gsize got;

	if (!g_input_stream_read_all(in, data, len, &got, NULL, error))
		return FALSE;
	g_string_append_len(body, data, got);
	return got == len || fail(error, 500, "The answer ended too early");
}

static gboolean read_chunks(GDataInputStream *in, GString *body, GError **error)
{
	for (;;) {
		g_autofree char *line = g_data_input_stream_read_line(in, NULL, NULL, error);
		g_autofree char *end = NULL;
		gsize len;

		if (!line)
			return FALSE;
		len = strtoul(line, NULL, 16);
		if (len == 0)
			return TRUE;
		if (!read_bytes(G_INPUT_STREAM(in), body, len, error))
			return FALSE;
		end = g_data_input_stream_read_line(in, NULL, NULL, error);
		if (!end)
			return FALSE;
	}
}

static char *read_answer(GIOStream *stream, GError **error)
{
	g_autoptr(GDataInputStream)
		in = g_data_input_stream_new(g_io_stream_get_input_stream(stream));
	g_autoptr(GString) body = g_string_new(NULL);
	gboolean chunked = FALSE, good;
	gint64 len = 0;

	g_data_input_stream_set_newline_type(in, G_DATA_STREAM_NEWLINE_TYPE_CR_LF);
	if (!read_head(in, &len, &chunked, error))
		return NULL;
	good = chunked ? read_chunks(in, body, error)
		       : read_bytes(G_INPUT_STREAM(in), body, len, error);
	return good ? g_string_free(g_steal_pointer(&body), FALSE) : NULL;
}

static json_t *exchange(const char *method, const char *path, const json_t *body, GError **error)
{
	g_autoptr(GIOStream) stream = connect_daemon(error);
	g_autofree char *text = NULL;

	if (!stream || !send_request(stream, method, path, body, error))
		return NULL;
	text = read_answer(stream, error);
	return text ? json_parse(text, strlen(text), error) : NULL;
}

static json_t *wait_operation(const char *url, GError **error)
{
	g_autofree char *path = g_strdup_printf("%s/wait", url);
	g_autoptr(json_t) op = client_ask("GET", path, NULL, error);

	if (!op)
		return NULL;
	if (*json_text(op, "err")) {
		fail(error, 500, "%s", json_text(op, "err"));
		return NULL;
	}
	return json_map_copy(json_object_get(op, "metadata"));
}

json_t *client_ask(const char *method, const char *path, const json_t *body, GError **error)
{
	g_autoptr(json_t) answer = exchange(method, path, body, error);
	int code;

	if (!answer)
		return NULL;
	code = json_integer_value(json_object_get(answer, "error_code"));
	if (code) {
		fail(error, code, "%s", json_text(answer, "error"));
		return NULL;
	}
	if (strcmp(json_text(answer, "type"), "async") == 0)
		return wait_operation(json_text(answer, "operation"), error);
	return json_incref(json_object_get(answer, "metadata"));
}
