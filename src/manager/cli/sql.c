/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lxd sql: a query to the daemon's database, its rows as a table. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/client.h"

static char *cell_text(const json_t *cell)
{
	if (json_is_string(cell))
		return g_strdup(json_string_value(cell));
	if (json_is_null(cell) || !cell)
		return g_strdup("");
	return json_dumps(cell, JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
}

static glong width_of(const char *text)
{
	return g_utf8_validate(text, -1, NULL) ? g_utf8_strlen(text, -1) : (glong)strlen(text);
}

static void widen(glong *widths, const json_t *row)
{
	size_t i;
	json_t *cell;

	json_array_foreach(row, i, cell)
	{
		g_autofree char *text = cell_text(cell);

		widths[i] = MAX(widths[i], width_of(text));
	}
}

static void print_line(const glong *widths, size_t columns)
{
	for (size_t i = 0; i < columns; i++) {
		g_autofree char *dashes = g_strnfill(widths[i] + 2, '-');

		g_print("+%s", dashes);
	}
	g_print("+\n");
}

/* CENTRED: as the heads of columns are. */
static void print_row(const glong *widths, const json_t *row, gboolean centred)
{
	size_t i;
	json_t *cell;

	json_array_foreach(row, i, cell)
	{
		g_autofree char *text = cell_text(cell);
		int space = widths[i] - width_of(text), before = centred ? space / 2 : 0;

		g_print("| %*s%s%*s ", before, "", text, space - before, "");
	}
	g_print("|\n");
}

static void print_table(const json_t *result)
{
	const json_t *columns = json_object_get(result, "columns");
	const json_t *rows = json_object_get(result, "rows");
	g_autofree glong *widths = g_new0(glong, json_array_size(columns) + 1);
	size_t i;
	json_t *row;

	widen(widths, columns);
	json_array_foreach(rows, i, row) widen(widths, row);
	print_line(widths, json_array_size(columns));
	print_row(widths, columns, TRUE);
	print_line(widths, json_array_size(columns));
	json_array_foreach(rows, i, row) print_row(widths, row, FALSE);
	print_line(widths, json_array_size(columns));
}

static void print_results(const json_t *results)
{
	gboolean many = json_array_size(results) > 1;
	size_t i;
	json_t *result;

	json_array_foreach(results, i, result)
	{
		if (many)
			g_print("=> Query %zu:\n\n", i);
		if (strcmp(json_text(result, "type"), "select") == 0)
			print_table(result);
		else
			g_print("Rows affected: %" JSON_INTEGER_FORMAT "\n",
				json_integer_value(json_object_get(result, "rows_affected")));
		if (many)
			g_print("\n");
	}
}

static int print_dump(const char *database, const char *what)
{
	g_autofree char *path = g_strdup_printf("/internal/sql?database=%s%s", database,
						strcmp(what, ".schema") == 0 ? "&schema=1" : "");
	g_autoptr(GError) error = NULL;
	g_autoptr(json_t) dump = client_ask("GET", path, NULL, &error);

	if (!dump)
		return cli_fail(error);
	fputs(json_text(dump, "text"), stdout);
	return 0;
}

static char *read_stdin(void)
{
	g_autoptr(GString) text = g_string_new(NULL);
	char block[4096];
	size_t got;

	while ((got = fread(block, 1, sizeof(block), stdin)) > 0)
		g_string_append_len(text, block, got);
	return g_string_free(g_steal_pointer(&text), FALSE);
}

int cli_sql(int argc, char **argv)
{
	const GOptionEntry entries[] = { { 0 } };
	g_autoptr(GError) error = NULL;
	g_autoptr(json_t) body = NULL, answer = NULL;
	g_autofree char *query = NULL;

	if (!cli_parse(&argc, &argv, "local|global QUERY|.dump|.schema|-", NULL, entries))
		return 1;
	if (argc != 3 || (strcmp(argv[1], "local") != 0 && strcmp(argv[1], "global") != 0)) {
		g_printerr("Error: Invalid database type\n");
		return 1;
	}
	if (strcmp(argv[2], ".dump") == 0 || strcmp(argv[2], ".schema") == 0)
		return print_dump(argv[1], argv[2]);
	query = strcmp(argv[2], "-") == 0 ? read_stdin() : g_strdup(argv[2]);
	body = json_pack("{s:s, s:s}", "database", argv[1], "query", query);
	answer = client_ask("POST", "/internal/sql", body, &error);
	if (!answer)
		return cli_fail(error);
	print_results(json_object_get(answer, "Results"));
	return 0;
}
