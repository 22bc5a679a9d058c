/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a handler asks of its request. */
#include "api/request.h"

#include <stdlib.h>
#include <string.h>

#include "api/call.h"

/* Spaces may come as "+" there. */
static char *decode(char *text)
{
	for (char *c = text; *c; c++)
		if (*c == '+')
			*c = ' ';
	return g_uri_unescape_string(text, NULL);
}

/* One decoded pair for each part of the query, in order. */
static GPtrArray *split_query(const char *query)
{
	GPtrArray *pairs = g_ptr_array_new_with_free_func(g_free);
	g_auto(GStrv) parts = g_strsplit(query, "&", -1);

	for (char **part = parts; *part; part++) {
		char *value = strchr(*part, '=');
		g_autofree char *key = NULL, *text = NULL;

		if (value)
			*value++ = '\0';
		key = decode(*part);
		text = value ? decode(value) : g_strdup("");
		if (!key || !text || !g_utf8_validate(text, -1, NULL))
			continue;
		g_ptr_array_add(pairs, g_steal_pointer(&key));
		g_ptr_array_add(pairs, g_steal_pointer(&text));
	}
	return pairs;
}

const char *request_query(const struct request *request, const char *key)
{
	const GPtrArray *pairs = request->call->pairs;

	for (guint i = 0; pairs && i + 1 < pairs->len; i += 2)
		if (strcmp(pairs->pdata[i], key) == 0)
			return pairs->pdata[i + 1];
	return NULL;
}

void call_read_query(struct call *call)
{
	struct request *request = &call->request;
	const char *value;

	if (call->query && *call->query)
		call->pairs = split_query(call->query);
	value = request_query(request, "project");
	request->project = value && *value ? value : "default";
	value = request_query(request, "all-projects");
	request->all_projects = value && (strcmp(value, "true") == 0 || strcmp(value, "1") == 0);
	value = request_query(request, "recursion");
	request->recursion = value ? atoi(value) : 0;
}

const char *request_header(const struct request *request, const char *name)
{
	return call_header(request->call, name);
}

gboolean request_if_match(const struct request *request, const char *etag, GError **error)
{
	const char *wanted = request_header(request, "If-Match");
	g_autofree char *given = NULL;
	gsize len;

	if (!wanted || !*wanted)
		return TRUE;
	len = strlen(wanted);
	given = len >= 2 && wanted[0] == '"' && wanted[len - 1] == '"'
			? g_strndup(wanted + 1, len - 2)
			: g_strdup(wanted);
	if (strcmp(given, etag) == 0)
		return TRUE;
	return fail(error, 412, "ETag doesn't match: %s vs %s", etag, given);
}

char *etag_of(const json_t *first, ...)
{
	g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
	va_list args;

	va_start(args, first);
	for (const json_t *value = first; value; value = va_arg(args, const json_t *)) {
		g_autofree char *text = json_print(value);

		if (text)
			g_checksum_update(sum, (const guchar *)text, strlen(text) + 1);
	}
	va_end(args);
	return g_strdup(g_checksum_get_string(sum));
}
