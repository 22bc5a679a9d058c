/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The router. Rows are sorted by the number of their segments and within it so that a word comes
 * before "{}" ('{' is greater than any letter), so the first row that fits is the right one.
 */
#include "api/router.h"

#include <string.h>

/* Every table there is: each file with resources adds its line. */
static const struct route *const tables_all[] = {
	routes_resources,      routes_server,	     routes_operations,	   routes_events,
	routes_internal,       routes_profiles,	     routes_projects,	   routes_warnings,
	routes_images,	       routes_pools,	     routes_instances,	   routes_metadata,
	routes_snapshots,      routes_backups,	     routes_instance_exec, routes_instance_console,
	routes_instance_files, routes_instance_sftp, routes_instance_logs, NULL,
};

struct row {
	const struct route *route;
	char **segments;
	guint count;
	gboolean rest; /* ends with "{*}" */
};

struct router {
	GArray *rows;
};

static void row_clear(void *data)
{
	struct row *row = data;

	g_strfreev(row->segments);
}

static int compare(gconstpointer a, gconstpointer b)
{
	const struct row *left = a, *right = b;

	if (left->rest != right->rest)
		return left->rest - right->rest;
	return strcmp(left->route->path, right->route->path);
}

static void add_table(GArray *rows, const struct route *table)
{
	for (const struct route *route = table; route->path; route++) {
		struct row row = { .route = route, .segments = g_strsplit(route->path, "/", -1) };

		row.count = g_strv_length(row.segments);
		row.rest = row.count > 0 && strcmp(row.segments[row.count - 1], "{*}") == 0;
		g_array_append_val(rows, row);
	}
}

struct router *router_new(const struct route *const *tables)
{
	struct router *router = g_new0(struct router, 1);

	router->rows = g_array_new(FALSE, FALSE, sizeof(struct row));
	g_array_set_clear_func(router->rows, row_clear);
	for (const struct route *const *table = tables ? tables : tables_all; *table; table++)
		add_table(router->rows, *table);
	g_array_sort(router->rows, compare);
	return router;
}

void router_free(struct router *router)
{
	if (!router)
		return;
	g_array_unref(router->rows);
	g_free(router);
}

const struct route *const *router_tables(void)
{
	return tables_all;
}

void route_match_clear(struct route_match *match)
{
	for (guint i = 0; i < REQUEST_ARGS; i++)
		g_clear_pointer(&match->arg[i], g_free);
}

/* Three words mean the same resources; returns which one was used. */
static const char *alias_of(char **segments, guint count)
{
	static const char *const names[] = { "instances", "containers", "virtual-machines" };

	if (count < 2 || strcmp(segments[0], "1.0") != 0)
		return NULL;
	for (guint i = 0; i < G_N_ELEMENTS(names); i++)
		if (strcmp(segments[1], names[i]) == 0)
			return names[i];
	return NULL;
}

static gboolean row_fits(const struct row *row, char **segments, guint count)
{
	guint words = row->rest ? row->count - 1 : row->count;

	if (row->rest ? count <= words : count != words)
		return FALSE;
	for (guint i = 0; i < words; i++) {
		if (strcmp(row->segments[i], "{}") == 0) {
			if (!*segments[i])
				return FALSE;
		} else if (strcmp(row->segments[i], segments[i]) != 0) {
			return FALSE;
		}
	}
	return TRUE;
}

/* Decoded segments; FALSE when one is no UTF-8 or encoded wrongly or holds a zero byte. */
static gboolean take_args(const struct row *row, char **segments, struct route_match *match)
{
	guint n = 0;

	for (guint i = 0; i < row->count && n < REQUEST_ARGS; i++) {
		g_autofree char *rest = NULL;
		const char *text = segments[i];

		if (row->rest && i + 1 == row->count)
			text = rest = g_strjoinv("/", segments + i);
		else if (strcmp(row->segments[i], "{}") != 0)
			continue;
		match->arg[n] = g_uri_unescape_string(text, NULL);
		if (!match->arg[n] || !g_utf8_validate(match->arg[n], -1, NULL)) {
			route_match_clear(match);
			return FALSE;
		}
		n++;
	}
	return TRUE;
}

gboolean router_find(const struct router *router, const char *path, struct route_match *ret,
		     GError **error)
{
	g_auto(GStrv) segments = g_strsplit(path + (*path == '/'), "/", -1);
	guint count = g_strv_length(segments);
	const char *alias;

	if (count == 1 && !*segments[0])
		count = 0;
	alias = alias_of(segments, count);
	if (alias) {
		g_free(segments[1]);
		segments[1] = g_strdup("instances");
	}
	for (guint i = 0; i < router->rows->len; i++) {
		const struct row *row = &g_array_index(router->rows, struct row, i);
		struct route_match match = { .route = row->route, .base = alias };

		if (!row_fits(row, segments, count))
			continue;
		if (!take_args(row, segments, &match))
			break;
		*ret = match;
		return TRUE;
	}
	return fail(error, 404, "not found");
}

route_handler route_method(const struct route *route, const char *method, GError **error)
{
	const struct {
		const char *name;
		route_handler handler;
	} methods[] = {
		{ "GET", route->get },	 { "PUT", route->put },	      { "PATCH", route->patch },
		{ "POST", route->post }, { "DELETE", route->delete }, { "HEAD", route->head },
	};

	for (guint i = 0; i < G_N_ELEMENTS(methods); i++) {
		if (strcmp(method, methods[i].name) != 0)
			continue;
		if (methods[i].handler)
			return methods[i].handler;
		fail(error, 501, "not implemented");
		return NULL;
	}
	fail(error, 404, "Method \"%s\" not found", method);
	return NULL;
}
