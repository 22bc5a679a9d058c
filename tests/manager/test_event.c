/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The event hub: who gets what, in which order. */
#include <string.h>

#include "core/event.h"
#include "support.h"
#include "util/json.h"

#define SENDERS 4
#define EACH 200

static void collect(const char *line, gsize len, void *data)
{
	g_ptr_array_add(data, g_strndup(line, len));
}

static GPtrArray *lines_new(void)
{
	return g_ptr_array_new_with_free_func(g_free);
}

START_TEST(listeners_get_their_types_and_projects)
{
	struct event_hub *hub = event_hub_new();
	g_autoptr(GPtrArray) all = lines_new(), operations = lines_new(), other = lines_new();
	g_autoptr(json_t) metadata = json_pack("{s:s}", "a", "b");

	event_listen(hub, EVENT_OPERATION | EVENT_LIFECYCLE | EVENT_LOGGING, NULL, collect, all);
	event_listen(hub, EVENT_OPERATION, "default", collect, operations);
	event_listen(hub, EVENT_OPERATION, "other", collect, other);
	event_send(hub, EVENT_OPERATION, "default", metadata);
	event_send(hub, EVENT_LIFECYCLE, "default", metadata);
	event_send(hub, EVENT_OPERATION, NULL, metadata);
	ck_assert_uint_eq(all->len, 3);
	ck_assert_uint_eq(operations->len, 2);
	ck_assert_uint_eq(other->len, 1);
	event_hub_free(hub);
}
END_TEST

START_TEST(an_event_is_one_line_with_what_html_minds_escaped)
{
	struct event_hub *hub = event_hub_new();
	g_autoptr(GPtrArray) lines = lines_new();
	g_autoptr(json_t) metadata = json_pack("{s:s}", "m", "a<b>&\n");
	const char *line;

	event_listen(hub, EVENT_LOGGING, NULL, collect, lines);
	event_send(hub, EVENT_LOGGING, NULL, metadata);
	line = lines->pdata[0];
	ck_assert_ptr_nonnull(strstr(line, "\"metadata\":{\"m\":\"a\\u003cb\\u003e\\u0026\\n\"}"));
	ck_assert_ptr_nonnull(strstr(line, "\"location\":\"none\""));
	ck_assert_ptr_null(strstr(line, "\"project\""));
	ck_assert_ptr_eq(strchr(line, '\n'), line + strlen(line) - 1);
	event_hub_free(hub);
}
END_TEST

START_TEST(lifecycle_names_the_project_and_who_asked)
{
	struct event_hub *hub = event_hub_new();
	g_autoptr(GPtrArray) lines = lines_new();
	const struct requestor who = { (char *)"root", (char *)"unix", (char *)"@" };

	event_listen(hub, EVENT_LIFECYCLE, NULL, collect, lines);
	event_lifecycle(hub, "default", "instance-started", "/1.0/instances/c1", NULL, NULL);
	event_lifecycle(hub, "p 1", "instance-started", "/1.0/instances/c1", NULL, &who);
	ck_assert_ptr_nonnull(strstr(lines->pdata[0], "\"source\":\"/1.0/instances/c1\""));
	ck_assert_ptr_null(strstr(lines->pdata[0], "requestor"));
	ck_assert_ptr_nonnull(strstr(lines->pdata[1], "\"/1.0/instances/c1?project=p%201\""));
	ck_assert_ptr_nonnull(strstr(lines->pdata[1], "\"username\":\"root\",\"protocol\":\"unix\","
						      "\"address\":\"@\""));
	event_hub_free(hub);
}
END_TEST

START_TEST(who_stopped_listening_hears_nothing)
{
	struct event_hub *hub = event_hub_new();
	g_autoptr(GPtrArray) lines = lines_new();
	g_autoptr(json_t) metadata = json_object();
	guint first = event_listen(hub, EVENT_LOGGING, NULL, collect, lines);
	guint second = event_listen(hub, EVENT_LOGGING, NULL, collect, lines);

	ck_assert_uint_ne(first, second);
	event_unlisten(hub, first);
	event_unlisten(hub, first);
	event_send(hub, EVENT_LOGGING, NULL, metadata);
	ck_assert_uint_eq(lines->len, 1);
	event_hub_free(hub);
}
END_TEST

static void *send_many(void *hub)
{
	for (int i = 0; i < EACH; i++) {
		g_autoptr(json_t) metadata = json_pack("{s:i}", "n", i);

		event_send(hub, EVENT_OPERATION, "default", metadata);
	}
	return NULL;
}

START_TEST(all_listeners_see_the_same_order)
{
	struct event_hub *hub = event_hub_new();
	g_autoptr(GPtrArray) a = lines_new(), b = lines_new();
	GThread *threads[SENDERS];

	event_listen(hub, EVENT_OPERATION, NULL, collect, a);
	event_listen(hub, EVENT_OPERATION, "default", collect, b);
	for (int i = 0; i < SENDERS; i++)
		threads[i] = g_thread_new("send", send_many, hub);
	for (int i = 0; i < SENDERS; i++)
		g_thread_join(threads[i]);
	ck_assert_uint_eq(a->len, SENDERS * EACH);
	ck_assert_uint_eq(b->len, SENDERS * EACH);
	for (guint i = 0; i < a->len; i++)
		if (strcmp(a->pdata[i], b->pdata[i]) != 0)
			ck_abort_msg("line %u differs", i);
	event_hub_free(hub);
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_test(tests, listeners_get_their_types_and_projects);
	tcase_add_test(tests, an_event_is_one_line_with_what_html_minds_escaped);
	tcase_add_test(tests, lifecycle_names_the_project_and_who_asked);
	tcase_add_test(tests, who_stopped_listening_hears_nothing);
	tcase_add_test(tests, all_listeners_see_the_same_order);
}

int main(void)
{
	return test_run("event", fill);
}
