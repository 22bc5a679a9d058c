/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Operations: their life, what clients see of it, and their websockets' secrets. */
#include <string.h>

#include "core/event.h"
#include "core/operation.h"
#include "daemon.h"
#include "support.h"
#include "util/error.h"
#include "util/json.h"

struct world {
	struct daemon daemon;
	GMutex lock;
	GPtrArray *statuses; /* of the events, in order */
};

static void on_event(const char *line, gsize len, void *data)
{
	struct world *world = data;
	g_autoptr(json_t) event = json_loadb(line, len, 0, NULL);
	const json_t *op = json_object_get(event, "metadata");

	g_ptr_array_add(world->statuses, g_strdup(json_text(op, "status")));
}

static void world_open(struct world *world)
{
	memset(world, 0, sizeof(*world));
	world->daemon.events = event_hub_new();
	world->daemon.operations = operations_new();
	world->statuses = g_ptr_array_new_with_free_func(g_free);
	event_listen(world->daemon.events, EVENT_OPERATION, NULL, on_event, world);
}

static void world_close(struct world *world)
{
	operations_free(world->daemon.operations);
	event_hub_free(world->daemon.events);
	g_ptr_array_unref(world->statuses);
}

static const char *status(struct world *world, guint i)
{
	return i < world->statuses->len ? world->statuses->pdata[i] : "none";
}

static gboolean run_extend(struct operation *op, void *data, GError **error)
{
	operation_extend(op, json_pack("{s:s}", "a", "1"));
	operation_extend(op, json_pack("{s:s}", "b", "2"));
	return data ? fail(error, 400, "%s", (const char *)data) : TRUE;
}

START_TEST(a_task_succeeds)
{
	struct world world;
	const struct operation_spec spec = { .description = "Testing", .run = run_extend };
	AUTO_OPERATION struct operation *op = NULL;
	g_autoptr(json_t) shown = NULL;

	world_open(&world);
	op = operation_start(&world.daemon, &spec);
	ck_assert(operation_wait(op, 10));
	shown = operation_show(op);
	ck_assert_str_eq(json_text(shown, "status"), "Success");
	ck_assert_int_eq(json_integer_value(json_object_get(shown, "status_code")), 200);
	ck_assert_str_eq(json_text(shown, "class"), "task");
	ck_assert_str_eq(json_text(shown, "err"), "");
	ck_assert_str_eq(json_text(shown, "location"), "none");
	ck_assert(json_is_null(json_object_get(shown, "resources")));
	ck_assert_str_eq(json_text(json_object_get(shown, "metadata"), "a"), "1");
	ck_assert_str_eq(json_text(json_object_get(shown, "metadata"), "b"), "2");
	ck_assert_str_eq(status(&world, 0), "Pending");
	ck_assert_str_eq(status(&world, 1), "Running");
	ck_assert_str_eq(status(&world, 4), "Success");
	ck_assert_uint_eq(world.statuses->len, 5);
	world_close(&world);
}
END_TEST

START_TEST(a_task_fails_with_its_words)
{
	struct world world;
	const struct operation_spec spec = { .description = "Testing",
					     .run = run_extend,
					     .data = (void *)"No such thing" };
	AUTO_OPERATION struct operation *op = NULL;
	g_autoptr(json_t) shown = NULL;

	world_open(&world);
	op = operation_start(&world.daemon, &spec);
	ck_assert(operation_wait(op, 10));
	shown = operation_show(op);
	ck_assert_str_eq(json_text(shown, "status"), "Failure");
	ck_assert_str_eq(json_text(shown, "err"), "No such thing");
	world_close(&world);
}
END_TEST

static gboolean run_until_cancelled(struct operation *op, G_GNUC_UNUSED void *data, GError **error)
{
	GPollFD fd;

	g_cancellable_make_pollfd(operation_cancellable(op), &fd);
	g_poll(&fd, 1, -1);
	g_cancellable_release_fd(operation_cancellable(op));
	return !g_cancellable_set_error_if_cancelled(operation_cancellable(op), error);
}

START_TEST(what_may_be_cancelled_is)
{
	struct world world;
	struct operation_spec spec = { .description = "Testing",
				       .run = run_until_cancelled,
				       .may_cancel = TRUE };
	AUTO_OPERATION struct operation *op = NULL, *stubborn = NULL;
	g_autoptr(GError) twice = NULL, refused = NULL;
	g_autoptr(json_t) shown = NULL;

	world_open(&world);
	op = operation_start(&world.daemon, &spec);
	spec.may_cancel = FALSE;
	stubborn = operation_start(&world.daemon, &spec);
	ck_assert(!operation_wait(op, 0));
	ck_assert(operation_cancel_asked(op, NULL));
	ck_assert(operation_wait(op, 10));
	shown = operation_show(op);
	ck_assert_str_eq(json_text(shown, "status"), "Cancelled");
	ck_assert(!operation_cancel_asked(op, &twice));
	ck_assert_str_eq(twice->message, "Only running operations can be cancelled");
	ck_assert(!operation_cancel_asked(stubborn, &refused));
	ck_assert_str_eq(refused->message, "This operation can't be cancelled");
	ck_assert_int_eq(error_status(refused), 400);
	world_close(&world); /* cancels the other one and waits for it */
}
END_TEST

static void count(G_GNUC_UNUSED struct operation *op, void *data)
{
	g_atomic_int_inc((gint *)data);
}

static void set_flag(void *data)
{
	g_atomic_int_set((gint *)data, 1);
}

START_TEST(a_token_lives_until_it_is_cancelled)
{
	struct world world;
	gint freed = 0, told = 0;
	const struct operation_spec spec = { .class = OPERATION_TOKEN,
					     .description = "Image download token",
					     .metadata = json_pack("{s:s}", "secret", "x"),
					     .data = &freed,
					     .free_data = set_flag };
	AUTO_OPERATION struct operation *op = NULL;

	world_open(&world);
	op = operation_start(&world.daemon, &spec);
	ck_assert(operation_watch(op, count, &told));
	ck_assert(!operation_wait(op, 0));
	ck_assert(operation_cancel_asked(op, NULL));
	ck_assert(operation_wait(op, 0));
	ck_assert_int_eq(freed, 1);
	ck_assert_int_eq(told, 1);
	ck_assert(!operation_watch(op, count, &told));
	ck_assert(!operation_forget(op, count, &told));
	world_close(&world);
}
END_TEST

START_TEST(lists_are_by_status_and_project)
{
	struct world world;
	struct operation_spec spec = { .class = OPERATION_TOKEN, .description = "Testing" };
	AUTO_OPERATION struct operation *a = NULL, *b = NULL, *found = NULL;
	g_autoptr(json_t) all = NULL, some = NULL, full = NULL;
	g_autoptr(GError) error = NULL;
	const json_t *running;

	world_open(&world);
	a = operation_start(&world.daemon, &spec);
	spec.project = "p";
	b = operation_start(&world.daemon, &spec);
	all = operations_list(world.daemon.operations, NULL, FALSE);
	some = operations_list(world.daemon.operations, "p", FALSE);
	full = operations_list(world.daemon.operations, "p", TRUE);
	running = json_object_get(all, "running");
	ck_assert_uint_eq(json_array_size(running), 2);
	ck_assert_uint_eq(json_array_size(json_object_get(some, "running")), 1);
	ck_assert_str_eq(json_text(json_array_get(json_object_get(full, "running"), 0), "id"),
			 operation_id(b));
	ck_assert_ptr_nonnull(
		strstr(json_string_value(json_array_get(running, 0)), operation_id(a)));
	found = operations_find(world.daemon.operations, operation_id(a), NULL);
	ck_assert_ptr_eq(found, a);
	ck_assert_ptr_null(operations_find(world.daemon.operations, "x", &error));
	ck_assert_int_eq(error_status(error), 404);
	world_close(&world);
}
END_TEST

static gboolean run_progress(struct operation *op, G_GNUC_UNUSED void *data,
			     G_GNUC_UNUSED GError **error)
{
	operation_extend(op, json_pack("{s:s}", "fds", "kept"));
	operation_progress(op, "unpack", "Unpack", 45, 1000, 41580000);
	operation_progress(op, "unpack", "Unpack", 46, 1000, 41580000);
	operation_progress(op, "download", "", -1, 999, 1500);
	return TRUE;
}

START_TEST(progress_is_told_now_and_then)
{
	struct world world;
	const struct operation_spec spec = { .description = "Testing", .run = run_progress };
	AUTO_OPERATION struct operation *op = NULL;
	g_autoptr(json_t) shown = NULL;
	const json_t *metadata, *progress;

	world_open(&world);
	op = operation_start(&world.daemon, &spec);
	ck_assert(operation_wait(op, 10));
	shown = operation_show(op);
	metadata = json_object_get(shown, "metadata");
	progress = json_object_get(metadata, "progress");
	ck_assert_str_eq(json_text(metadata, "fds"), "kept");
	ck_assert_str_eq(json_text(metadata, "unpack_progress"), "Unpack: 45% (41.58MB/s)");
	ck_assert_str_eq(json_text(metadata, "download_progress"), "999B (1.50kB/s)");
	ck_assert_str_eq(json_text(progress, "processed"), "999");
	ck_assert_str_eq(json_text(progress, "speed"), "1500");
	ck_assert_str_eq(json_text(progress, "stage"), "download");
	ck_assert_uint_eq(world.statuses->len, 6); /* 46 % came too soon after 45 % */
	world_close(&world);
}
END_TEST

static gint released;

static void release(G_GNUC_UNUSED struct websocket *ws)
{
	g_atomic_int_inc(&released);
}

static void free_sockets(void *data)
{
	operation_sockets_free(data);
}

static gboolean run_socket(struct operation *op, void *data, GError **error)
{
	struct websocket *ws = operation_sockets_wait(op, data, "0", 10, error);

	return ws == (void *)0x10 && !operation_sockets_take(data, "0");
}

START_TEST(a_socket_comes_by_its_secret)
{
	struct world world;
	struct operation_sockets *sockets = operation_sockets_new();
	g_autofree char *secret = g_strdup(operation_sockets_add(sockets, "0"));
	g_autofree char *control = g_strdup(operation_sockets_add(sockets, "control"));
	const struct operation_spec spec = { .class = OPERATION_WEBSOCKET,
					     .description = "Executing command",
					     .run = run_socket,
					     .data = sockets,
					     .free_data = free_sockets };
	AUTO_OPERATION struct operation *op = NULL;
	g_autoptr(GError) error = NULL;
	g_autoptr(json_t) shown = NULL;

	released = 0;
	ck_assert_uint_eq(strlen(secret), 64);
	ck_assert_uint_eq(strspn(secret, "0123456789abcdef"), 64);
	ck_assert_str_ne(secret, control);
	world_open(&world);
	op = operation_start(&world.daemon, &spec);
	operation_use_sockets(op, sockets);
	ck_assert(!operation_socket_check(op, "wrong", &error));
	ck_assert_int_eq(error_status(error), 403);
	ck_assert(operation_socket_connect(op, control, (void *)0x20, release));
	ck_assert(!operation_socket_check(op, control, NULL));
	ck_assert(!operation_socket_connect(op, control, (void *)0x30, release));
	ck_assert(operation_socket_connect(op, secret, (void *)0x10, release));
	ck_assert(operation_wait(op, 10));
	shown = operation_show(op);
	ck_assert_str_eq(json_text(shown, "status"), "Success");
	ck_assert_int_eq(released, 1); /* the one nobody took */
	ck_assert(!operation_socket_connect(op, secret, (void *)0x10, release));
	world_close(&world);
}
END_TEST

static gboolean run_impatient(struct operation *op, void *data, GError **error)
{
	return operation_sockets_wait(op, data, "0", 0, error) != NULL;
}

START_TEST(nobody_waits_for_ever_for_a_socket)
{
	struct world world;
	struct operation_sockets *sockets = operation_sockets_new();
	const struct operation_spec spec = { .class = OPERATION_WEBSOCKET,
					     .description = "Executing command",
					     .run = run_impatient,
					     .data = sockets,
					     .free_data = free_sockets };
	AUTO_OPERATION struct operation *op = NULL;
	g_autoptr(json_t) shown = NULL;

	operation_sockets_add(sockets, "0");
	world_open(&world);
	op = operation_start(&world.daemon, &spec);
	ck_assert(operation_wait(op, 10));
	shown = operation_show(op);
	ck_assert_str_eq(json_text(shown, "err"), "Timed out waiting for websockets to connect");
	world_close(&world);
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_test(tests, a_task_succeeds);
	tcase_add_test(tests, a_task_fails_with_its_words);
	tcase_add_test(tests, what_may_be_cancelled_is);
	tcase_add_test(tests, a_token_lives_until_it_is_cancelled);
	tcase_add_test(tests, lists_are_by_status_and_project);
	tcase_add_test(tests, progress_is_told_now_and_then);
	tcase_add_test(tests, a_socket_comes_by_its_secret);
	tcase_add_test(tests, nobody_waits_for_ever_for_a_socket);
}

int main(void)
{
	return test_run("operation", fill);
}
