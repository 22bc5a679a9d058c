/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The router: which row a path leads to, and every row of every table. */
#include <string.h>

#include "api/router.h"
#include "support.h"

static struct reply *get(G_GNUC_UNUSED struct request *request, G_GNUC_UNUSED GError **error)
{
	return NULL;
}

static const struct route rows[] = {
	{ "", 0, .get = get },
	{ "1.0", 0, .get = get },
	{ "1.0/images/{}", 0, .get = get, .head = get },
	{ "1.0/images/aliases", 0, .get = get },
	{ "1.0/images/aliases/{*}", 0, .get = get },
	{ "1.0/instances/{}", 0, .get = get, .put = get },
	{ "1.0/instances/{}/snapshots/{}", 0, .get = get },
	{ 0 },
};

/* "ROW ARG ARG" or the error. */
static char *found(const char *path)
{
	static const struct route *const tables[] = { rows, NULL };
	struct router *router = router_new(tables);
	struct route_match match = { 0 };
	g_autoptr(GError) error = NULL;
	GString *text = g_string_new(NULL);

	if (router_find(router, path, &match, &error)) {
		g_string_append(text, match.route->path);
		for (int i = 0; i < REQUEST_ARGS && match.arg[i]; i++)
			g_string_append_printf(text, " %s", match.arg[i]);
		if (match.base)
			g_string_append_printf(text, " by %s", match.base);
	} else {
		g_string_append_printf(text, "%d %s", error_status(error), error->message);
	}
	route_match_clear(&match);
	router_free(router);
	return g_string_free(text, FALSE);
}

START_TEST(paths_lead_to_rows)
{
	static const struct {
		const char *path, *row;
	} expected[] = {
		{ "/", "" },
		{ "/1.0", "1.0" },
		{ "/1.0/", "404 not found" },
		{ "//1.0", "404 not found" },
		{ "/1.0/images/abc", "1.0/images/{} abc" },
		{ "/1.0/images/", "404 not found" },
		{ "/1.0/images/aliases", "1.0/images/aliases" },
		{ "/1.0/images/aliases/a/b", "1.0/images/aliases/{*} a/b" },
		{ "/1.0/images/aliases/a%2Fb/", "1.0/images/aliases/{*} a/b/" },
		{ "/1.0/instances/c1", "1.0/instances/{} c1 by instances" },
		{ "/1.0/containers/c1", "1.0/instances/{} c1 by containers" },
		{ "/1.0/virtual-machines/c1", "1.0/instances/{} c1 by virtual-machines" },
		{ "/1.0/instances/c%2F1", "1.0/instances/{} c/1 by instances" },
		{ "/1.0/instances/c1/snapshots/s%200",
		  "1.0/instances/{}/snapshots/{} c1 s 0 by instances" },
		{ "/1.0/instances/c1/nothing", "404 not found" },
		{ "/1.0/instances/%ff", "404 not found" },
		{ "/1.0/instances/%00", "404 not found" },
		{ "/1.0/instances/%zz", "404 not found" },
		{ "/1.0/instances/{}", "1.0/instances/{} {} by instances" },
		{ "/2.0", "404 not found" },
	};

	for (gsize i = 0; i < G_N_ELEMENTS(expected); i++) {
		g_autofree char *row = found(expected[i].path);

		ck_assert_msg(strcmp(row, expected[i].row) == 0, "%s: %s, not %s", expected[i].path,
			      row, expected[i].row);
	}
}
END_TEST

START_TEST(methods_that_are_not_there)
{
	const struct route *row = &rows[5];
	g_autoptr(GError) missing = NULL, unknown = NULL, head = NULL;

	ck_assert(route_method(row, "GET", NULL) == get);
	ck_assert(route_method(row, "PUT", NULL) == get);
	ck_assert(!route_method(row, "DELETE", &missing));
	ck_assert_int_eq(error_status(missing), 501);
	ck_assert_str_eq(missing->message, "not implemented");
	ck_assert(!route_method(row, "BREW", &unknown));
	ck_assert_int_eq(error_status(unknown), 404);
	ck_assert_str_eq(unknown->message, "Method \"BREW\" not found");
	ck_assert(!route_method(row, "HEAD", &head));
	ck_assert_int_eq(error_status(head), 501);
	ck_assert(route_method(&rows[2], "HEAD", NULL) == get);
}
END_TEST

static guint wild_segments(const char *path)
{
	guint count = 0;

	for (const char *c = path; *c; c++)
		count += *c == '{';
	return count;
}

/* A path made from each row leads back to it: no row hides another. */
START_TEST(every_row_of_the_api_is_reached)
{
	struct router *router = router_new(NULL);
	guint count = 0;

	for (const struct route *const *table = router_tables(); *table; table++)
		for (const struct route *row = *table; row->path; row++, count++) {
			g_autoptr(GString) path = g_string_new("/");
			struct route_match match = { 0 };

			g_string_append(path, row->path);
			g_string_replace(path, "{*}", "Zz/Zz", 0);
			g_string_replace(path, "{}", "Zz", 0);
			ck_assert_msg(router_find(router, path->str, &match, NULL), "%s",
				      row->path);
			ck_assert_str_eq(match.route->path, row->path);
			ck_assert_uint_le(wild_segments(row->path), REQUEST_ARGS);
			ck_assert_msg(row->get || row->put || row->patch || row->post ||
					      row->delete || row->head,
				      "%s has no method", row->path);
			route_match_clear(&match);
		}
	ck_assert_uint_ge(count, 8);
	router_free(router);
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_test(tests, paths_lead_to_rows);
	tcase_add_test(tests, methods_that_are_not_there);
	tcase_add_test(tests, every_row_of_the_api_is_reached);
}

int main(void)
{
	return test_run("router", fill);
}
