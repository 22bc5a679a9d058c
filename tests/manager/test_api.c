/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The listener with routes of its own and clients that speak bare HTTP. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "api/listener.h"
#include "api/reply.h"
#include "api/websocket.h"
#include "daemon.h"
#include "support.h"

#define BIG (8 * 1024 * 1024)

static struct {
	struct daemon daemon;
	char dir[64];
	gint closed; /* websockets that ended */
} world;

/* --- the routes -------------------------------------------------------------------- */

static struct reply *echo(struct request *request, G_GNUC_UNUSED GError **error)
{
	const char *query = request_query(request, "q");

	return reply_sync(json_pack("{s:s?, s:s?, s:s, s:i, s:b, s:s, s:O?}", "arg",
				    request->arg[0], "q", query, "project", request->project,
				    "recursion", request->recursion, "all", request->all_projects,
				    "user", request->who.username, "body", request->body));
}

static struct reply *refuse(G_GNUC_UNUSED struct request *request, GError **error)
{
	fail(error, 409, "The \"thing\" already exists");
	return NULL;
}

static struct reply *swallow(struct request *request, GError **error)
{
	g_autofree char *block = g_malloc(64 * 1024);
	gssize got;
	gint64 sum = 0;

	while ((got = g_input_stream_read(request->input, block, 64 * 1024, NULL, error)) > 0)
		sum += got;
	return got < 0 ? NULL : reply_sync(json_integer(sum));
}

static struct reply *refuse_early(G_GNUC_UNUSED struct request *request, GError **error)
{
	fail(error, 400, "no room");
	return NULL;
}

static struct reply *file(G_GNUC_UNUSED struct request *request, G_GNUC_UNUSED GError **error)
{
	g_autofree char *path = g_build_filename(world.dir, "file", NULL);

	return reply_file(open(path, O_RDONLY | O_CLOEXEC), "application/octet-stream", "f1");
}

static struct reply *stream(G_GNUC_UNUSED struct request *request, G_GNUC_UNUSED GError **error)
{
	return reply_stream(g_memory_input_stream_new_from_data(g_strnfill(BIG, 'x'), BIG, g_free),
			    -1, "text/plain");
}

static struct reply *created(G_GNUC_UNUSED struct request *request, G_GNUC_UNUSED GError **error)
{
	return reply_created("/1.0/things/%s", "a b");
}

/* A raw connection that says everything twice. */
static void twice(GIOStream *connection, G_GNUC_UNUSED void *data)
{
	char block[64];
	gssize got = g_input_stream_read(g_io_stream_get_input_stream(connection), block,
					 sizeof(block), NULL, NULL);

	for (int i = 0; i < 2 && got > 0; i++)
		g_output_stream_write_all(g_io_stream_get_output_stream(connection), block, got,
					  NULL, NULL, NULL);
	g_io_stream_close(connection, NULL, NULL);
}

static struct reply *upgrade(G_GNUC_UNUSED struct request *request, G_GNUC_UNUSED GError **error)
{
	return reply_upgrade("sftp", twice, NULL);
}

/* What comes over the websocket goes through a pipe and back. */
static void mirror(struct websocket *ws, G_GNUC_UNUSED void *data)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		abort();
	websocket_mirror(ws, fds[1], -1, NULL, NULL);
	close(fds[1]);
	websocket_mirror(ws, -1, fds[0], NULL, NULL);
	close(fds[0]);
	websocket_close(ws);
	g_atomic_int_inc(&world.closed);
}

static struct reply *websocket(G_GNUC_UNUSED struct request *request, G_GNUC_UNUSED GError **error)
{
	return reply_websocket(mirror, NULL);
}

static const struct route rows[] = {
	{ "1.0/echo/{}", 0, .get = echo, .put = echo, .post = refuse },
	{ "1.0/quick/{}", ROUTE_QUICK, .get = echo },
	{ "1.0/always", ROUTE_ALWAYS, .put = created },
	{ "1.0/stream", ROUTE_STREAM, .get = stream, .post = swallow, .put = echo },
	{ "1.0/refused", ROUTE_STREAM, .post = refuse_early },
	{ "1.0/file", 0, .get = file, .head = file },
	{ "1.0/created", 0, .post = created },
	{ "1.0/sftp", 0, .get = upgrade },
	{ "1.0/ws", 0, .get = websocket },
	{ 0 },
};

/* --- a server and a client ------------------------------------------------------------- */

typedef void (*client_work)(void);

static gboolean quit(G_GNUC_UNUSED void *data)
{
	g_main_loop_quit(world.daemon.loop);
	return G_SOURCE_REMOVE;
}

/* The loop may not run yet when the client has finished: it ends when it does. */
static void *run_client(void *work)
{
	(*(client_work *)work)();
	g_idle_add(quit, NULL);
	return NULL;
}

/* Runs WORK on a thread beside a listener. */
static void serve(client_work work)
{
	static const struct route *const tables[] = { rows, NULL };
	g_autofree char *path = NULL;
	GThread *client;

	g_strlcpy(world.dir, "/tmp/test-api-XXXXXX", sizeof(world.dir));
	ck_assert_ptr_nonnull(g_mkdtemp(world.dir));
	path = g_build_filename(world.dir, "file", NULL);
	ck_assert(g_file_set_contents(path, "0123456789", 10, NULL));
	world.daemon.socket = g_build_filename(world.dir, "unix.socket", NULL);
	world.daemon.loop = g_main_loop_new(NULL, FALSE);
	world.daemon.ready = 1;
	world.daemon.listener = listener_new(&world.daemon, tables);
	ck_assert(listener_open(world.daemon.listener, NULL));
	client = g_thread_new("client", run_client, &work);
	g_main_loop_run(world.daemon.loop);
	g_thread_join(client);
	listener_free(world.daemon.listener);
	ck_assert_int_ne(access(world.daemon.socket, F_OK), 0);
	unlink(path);
	rmdir(world.dir);
	g_free(world.daemon.socket);
	g_main_loop_unref(world.daemon.loop);
}

static int client_open(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	g_strlcpy(address.sun_path, world.daemon.socket, sizeof(address.sun_path));
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void put(int fd, const void *data, gsize len)
{
	for (gsize done = 0; done < len;) {
		gssize r = send(fd, (const char *)data + done, len - done, MSG_NOSIGNAL);

		ck_assert_int_gt(r, 0);
		done += r;
	}
}

/* All that comes until the other side closes. */
static GString *rest(int fd)
{
	GString *text = g_string_new(NULL);
	char block[65536];
	gssize got;

	while ((got = read(fd, block, sizeof(block))) > 0)
		g_string_append_len(text, block, got);
	close(fd);
	return text;
}

static GString *ask(const char *request)
{
	int fd = client_open();

	put(fd, request, strlen(request));
	return rest(fd);
}

#define HEAD " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"

static void expect(const char *request, const char *const *parts)
{
	GString *answer = ask(request);

	for (; *parts; parts++)
		ck_assert_msg(strstr(answer->str, *parts) != NULL, "%s\nlacks: %s\nin: %s", request,
			      *parts, answer->str);
	g_string_free(answer, TRUE);
}

#define EXPECT(request, ...) expect(request, (const char *const[]){ __VA_ARGS__, NULL })

/* --- tests --------------------------------------------------------------------------------- */

static void work_envelopes(void)
{
	EXPECT("GET /1.0/echo/a%2Fb?q=x%26+y&project=p&recursion=2&all-projects=true" HEAD "\r\n",
	       "HTTP/1.1 200",
	       "{\"type\":\"sync\",\"status\":\"Success\",\"status_code\":200,"
	       "\"operation\":\"\",\"error_code\":0,\"error\":\"\",\"metadata\":",
	       "\"arg\":\"a/b\"", "\"q\":\"x& y\"", "\"project\":\"p\"", "\"recursion\":2",
	       "\"all\":true", "\"user\":\"root\"");
	EXPECT("GET /1.0/quick/a?" HEAD "\r\n", "\"q\":null", "\"project\":\"default\"");
	EXPECT("PUT /1.0/echo/a" HEAD "Content-Length: 7\r\n\r\n{\"b\":1}", "\"body\":{\"b\":1}");
	EXPECT("PUT /1.0/echo/a" HEAD "Transfer-Encoding: chunked\r\n\r\n"
	       "3\r\n{\"b\r\n4\r\n\":1}\r\n0\r\n\r\n",
	       "\"body\":{\"b\":1}");
	EXPECT("PUT /1.0/echo/a" HEAD "Content-Length: 1\r\n\r\n{", "HTTP/1.1 400",
	       "\"error_code\":400");
	EXPECT("POST /1.0/echo/a" HEAD "Content-Length: 0\r\n\r\n", "HTTP/1.1 409",
	       "X-Content-Type-Options: nosniff",
	       "{\"type\":\"error\",\"status\":\"\",\"status_code\":0,\"operation\":\"\","
	       "\"error_code\":409,\"error\":\"The \\\"thing\\\" already exists\","
	       "\"metadata\":null}\n\n");
	EXPECT("POST /1.0/created" HEAD "Content-Length: 0\r\n\r\n", "HTTP/1.1 201",
	       "Location: /1.0/things/a b", "\"metadata\":null");
	EXPECT("GET /nothing" HEAD "\r\n", "HTTP/1.1 404", "\"not found\"");
	EXPECT("DELETE /1.0/file" HEAD "\r\n", "HTTP/1.1 501", "\"not implemented\"");
	EXPECT("BREW /1.0/file" HEAD "\r\n", "HTTP/1.1 404", "\"Method \\\"BREW\\\" not found\"");
}

START_TEST(envelopes_and_errors)
{
	serve(work_envelopes);
}
END_TEST

static void work_keep_alive(void)
{
	int fd = client_open();
	GString *both;
	const char *first;

	put(fd, "GET /1.0/echo/one HTTP/1.1\r\nHost: x\r\n\r\n", 39);
	put(fd, "GET /1.0/quick/two" HEAD "\r\n", strlen("GET /1.0/quick/two" HEAD "\r\n"));
	both = rest(fd);
	first = strstr(both->str, "\"one\"");
	ck_assert_ptr_nonnull(first);
	ck_assert_ptr_nonnull(strstr(first, "\"two\""));
	g_string_free(both, TRUE);
}

START_TEST(a_connection_is_used_again)
{
	serve(work_keep_alive);
}
END_TEST

static void work_gate(void)
{
	world.daemon.ready = 0;
	EXPECT("GET /1.0/echo/a" HEAD "\r\n", "HTTP/1.1 503", "LXD daemon setup in progress");
	EXPECT("PUT /1.0/always" HEAD "Content-Length: 0\r\n\r\n", "HTTP/1.1 201");
	world.daemon.ready = world.daemon.stopping = 1;
	EXPECT("GET /1.0/echo/a" HEAD "\r\n", "HTTP/1.1 200");
	EXPECT("PUT /1.0/echo/a" HEAD "Content-Length: 0\r\n\r\n", "HTTP/1.1 503",
	       "LXD is shutting down");
	world.daemon.stopping = 0;
}

START_TEST(not_ready_and_shutting_down)
{
	serve(work_gate);
}
END_TEST

static void send_big(int fd, const char *what, gsize size)
{
	g_autofree char *head = g_strdup_printf("%s" HEAD "Content-Length: %zu\r\n\r\n", what,
						size);
	g_autofree char *data = g_strnfill(size, ' ');

	put(fd, head, strlen(head));
	put(fd, data, size);
}

static void work_bodies(void)
{
	int fd = client_open();
	GString *answer;

	send_big(fd, "POST /1.0/stream", BIG);
	answer = rest(fd);
	ck_assert_ptr_nonnull(strstr(answer->str, "\"metadata\":8388608"));
	g_string_free(answer, TRUE);
	fd = client_open();
	send_big(fd, "POST /1.0/refused",
		 BIG); /* refused before it is read: read to its end all the same */
	answer = rest(fd);
	ck_assert_ptr_nonnull(strstr(answer->str, "no room"));
	g_string_free(answer, TRUE);
	fd = client_open();
	send_big(fd, "PUT /1.0/echo/a", BIG + 1); /* too large for a route that wants it whole */
	answer = rest(fd);
	ck_assert_ptr_nonnull(strstr(answer->str, "HTTP/1.1 413"));
	g_string_free(answer, TRUE);
	/* of the same row, but no stream: JSON as everywhere */
	EXPECT("PUT /1.0/stream" HEAD "Content-Length: 7\r\n\r\n{\"a\":1}", "\"body\":{\"a\":1}");
	EXPECT("POST /1.0/stream" HEAD "Content-Length: 0\r\n\r\n", "\"metadata\":0");
	EXPECT("POST /1.0/stream" HEAD "Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
	       "HTTP/1.1 100", "\"metadata\":3");
}

START_TEST(bodies_stream_or_are_bounded)
{
	serve(work_bodies);
}
END_TEST

/* A client that goes away in the middle of its body ends the handler's reading. */
static void work_broken_body(void)
{
	int fd = client_open();

	put(fd, "POST /1.0/stream" HEAD "Content-Length: 100\r\n\r\nabc",
	    strlen("POST /1.0/stream" HEAD "Content-Length: 100\r\n\r\nabc"));
	close(fd);
	EXPECT("GET /1.0/echo/a" HEAD "\r\n", "HTTP/1.1 200");
}

START_TEST(a_body_that_breaks_off)
{
	serve(work_broken_body); /* listener_free() would wait for ever otherwise */
}
END_TEST

static void work_files(void)
{
	GString *answer;

	EXPECT("GET /1.0/file" HEAD "\r\n", "HTTP/1.1 200", "Content-Length: 10",
	       "\r\n\r\n0123456789", "Content-Disposition: inline;filename=f1", "Last-Modified: ");
	EXPECT("GET /1.0/file" HEAD "Range: bytes=2-4\r\n\r\n", "HTTP/1.1 206",
	       "Content-Range: bytes 2-4/10", "Content-Length: 3", "\r\n\r\n234");
	EXPECT("GET /1.0/file" HEAD "Range: bytes=7-\r\n\r\n", "bytes 7-9/10", "\r\n\r\n789");
	EXPECT("GET /1.0/file" HEAD "Range: bytes=-2\r\n\r\n", "bytes 8-9/10", "\r\n\r\n89");
	EXPECT("GET /1.0/file" HEAD "Range: bytes=10-\r\n\r\n", "HTTP/1.1 416", "bytes */10");
	answer = ask("HEAD /1.0/file" HEAD "\r\n");
	ck_assert_ptr_nonnull(strstr(answer->str, "Content-Length: 10"));
	ck_assert(g_str_has_suffix(answer->str, "\r\n\r\n"));
	g_string_free(answer, TRUE);
	answer = ask("GET /1.0/stream" HEAD "\r\n");
	ck_assert_ptr_nonnull(strstr(answer->str, "Transfer-Encoding: chunked"));
	ck_assert_uint_gt(answer->len, BIG);
	ck_assert(g_str_has_suffix(answer->str, "\r\n0\r\n\r\n"));
	g_string_free(answer, TRUE);
}

START_TEST(files_and_streams_go_out)
{
	serve(work_files);
}
END_TEST

/* A client that reads nothing of a big answer and goes away holds nobody up. */
static void work_lazy(void)
{
	int fd = client_open();

	put(fd, "GET /1.0/stream" HEAD "\r\n", strlen("GET /1.0/stream" HEAD "\r\n"));
	EXPECT("GET /1.0/echo/a" HEAD "\r\n", "HTTP/1.1 200");
	close(fd);
}

START_TEST(a_client_that_does_not_read)
{
	serve(work_lazy);
}
END_TEST

static void work_upgrade(void)
{
	GString *answer = ask("GET /1.0/sftp HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
			      "Upgrade: sftp\r\n\r\nhello");

	ck_assert(g_str_has_prefix(answer->str, "HTTP/1.1 101"));
	ck_assert_ptr_nonnull(strstr(answer->str, "Upgrade: sftp"));
	ck_assert(g_str_has_suffix(answer->str, "\r\n\r\nhellohello"));
	g_string_free(answer, TRUE);
}

START_TEST(a_connection_is_handed_over)
{
	serve(work_upgrade);
}
END_TEST

#define HANDSHAKE                                                                          \
	"GET /1.0/ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" \
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"     \
	"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"

/* A masked frame. */
static void put_frame(int fd, guint8 first, const char *text)
{
	guint8 frame[140] = { first, 0x80 | strlen(text), 1, 2, 3, 4 };

	for (gsize i = 0; text[i]; i++)
		frame[6 + i] = text[i] ^ (1 + i % 4);
	put(fd, frame, 6 + strlen(text));
}

static void work_websocket(void)
{
	static const char wanted[] = "\x8a\x01p" /* pong */
				     "\x82\x06"
				     "abcdef"; /* binary; then text, empty; close */
	int fd = client_open();
	GString *answer;
	const char *body;

	put(fd, HANDSHAKE, strlen(HANDSHAKE));
	put_frame(fd, 0x02, "abc"); /* in two fragments with a ping between */
	put_frame(fd, 0x89, "p");
	put_frame(fd, 0x80, "def");
	put_frame(fd, 0x81, ""); /* the end of the stream */
	answer = rest(fd);
	ck_assert(g_str_has_prefix(answer->str, "HTTP/1.1 101"));
	ck_assert_ptr_nonnull(strstr(answer->str, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
	ck_assert_ptr_null(strstr(answer->str, "deflate"));
	body = strstr(answer->str, "\r\n\r\n") + 4;
	ck_assert_int_eq(memcmp(body, wanted, sizeof(wanted) - 1), 0);
	ck_assert_int_eq(memcmp(body + sizeof(wanted) - 1, "\x81\x00\x88\x02\x03\xe8", 6), 0);
	g_string_free(answer, TRUE);
}

START_TEST(a_websocket_mirrors)
{
	serve(work_websocket);
	ck_assert_int_eq(world.closed, 1);
}
END_TEST

static void work_bad_websocket(void)
{
	int fd = client_open();
	GString *answer;

	EXPECT("GET /1.0/ws" HEAD "\r\n", "HTTP/1.1 400");
	put(fd, HANDSHAKE, strlen(HANDSHAKE));
	put(fd,
	    "\x82\x03"
	    "abc",
	    5); /* not masked */
	answer = rest(fd);
	ck_assert_ptr_nonnull(memmem(answer->str, answer->len, "\x88\x02\x03\xea", 4)); /* 1002 */
	g_string_free(answer, TRUE);
}

START_TEST(frames_that_break_the_rules)
{
	serve(work_bad_websocket);
}
END_TEST

static void no_work(void)
{
}

START_TEST(a_stale_socket_is_replaced_a_living_one_not)
{
	struct daemon other = { 0 };
	g_autoptr(GError) error = NULL;
	struct listener *second;
	struct stat st;

	serve(no_work);
	g_strlcpy(world.dir, "/tmp/test-api-XXXXXX", sizeof(world.dir));
	ck_assert_ptr_nonnull(g_mkdtemp(world.dir));
	other.socket = g_build_filename(world.dir, "unix.socket", NULL);
	world.daemon.socket = other.socket;
	world.daemon.listener = listener_new(&world.daemon, NULL);
	{ /* a socket that nobody listens on any more, as a killed daemon leaves it */
		struct sockaddr_un address = { .sun_family = AF_UNIX };
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

		g_strlcpy(address.sun_path, other.socket, sizeof(address.sun_path));
		ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
		close(fd);
	}
	ck_assert(listener_open(world.daemon.listener, NULL));
	ck_assert_int_eq(stat(other.socket, &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0660);
	second = listener_new(&other, NULL);
	ck_assert(!listener_open(second, &error));
	ck_assert_str_eq(error->message, "LXD is already running");
	listener_free(second);
	ck_assert_int_eq(access(other.socket, F_OK), 0);
	listener_free(world.daemon.listener);
	rmdir(world.dir);
	g_free(other.socket);
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_test(tests, envelopes_and_errors);
	tcase_add_test(tests, a_connection_is_used_again);
	tcase_add_test(tests, not_ready_and_shutting_down);
	tcase_add_test(tests, bodies_stream_or_are_bounded);
	tcase_add_test(tests, a_body_that_breaks_off);
	tcase_add_test(tests, files_and_streams_go_out);
	tcase_add_test(tests, a_client_that_does_not_read);
	tcase_add_test(tests, a_connection_is_handed_over);
	tcase_add_test(tests, a_websocket_mirrors);
	tcase_add_test(tests, frames_that_break_the_rules);
	tcase_add_test(tests, a_stale_socket_is_replaced_a_living_one_not);
}

int main(void)
{
	return test_run("api", fill);
}
