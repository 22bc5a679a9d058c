/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The SFTP client: against the instances' own server, and against servers that lie. */
#include "util/sftp.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "container/sftp.h"
#include "support.h"
#include "util/error.h"

/* --- the true server ------------------------------------------------------------------------ */

struct world {
	char *dir;
	int fd, server;
	GThread *thread;
	struct sftp *sftp;
};

static void *serve(void *data)
{
	struct world *world = data;
	int fds = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);

	sftp_serve(world->server, world->server, fds);
	close(fds);
	close(world->server);
	return NULL;
}

static void world_open(struct world *world)
{
	g_autoptr(GError) error = NULL;
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	signal(SIGPIPE, SIG_IGN); /* as the true one has it */
	world->dir = g_dir_make_tmp("sftp-XXXXXX", NULL);
	world->fd = pair[0];
	world->server = pair[1];
	world->thread = g_thread_new("server", serve, world);
	world->sftp = sftp_new(world->fd, 20, &error);
	ck_assert_ptr_nonnull(world->sftp);
}

static char *in_world(const struct world *world, const char *name)
{
	return g_build_filename(world->dir, name, NULL);
}

static void world_close(struct world *world)
{
	GDir *dir = g_dir_open(world->dir, 0, NULL);
	const char *name;

	sftp_free(world->sftp);
	close(world->fd);
	g_thread_join(world->thread);
	while ((name = g_dir_read_name(dir))) {
		g_autofree char *path = in_world(world, name);

		g_remove(path);
	}
	g_dir_close(dir);
	ck_assert_int_eq(g_rmdir(world->dir), 0);
	g_free(world->dir);
}

#define LONG_LEN (1024 * 1024 + 7) /* several blocks, and a part of one */

static GBytes *long_text(void)
{
	guint8 *bytes = g_malloc(LONG_LEN);

	for (gsize i = 0; i < LONG_LEN; i++)
		bytes[i] = (guint8)(i * 7 + i / 251);
	return g_bytes_new_take(bytes, LONG_LEN);
}

static void put(const struct world *world, const char *path, GBytes *text)
{
	g_autoptr(GInputStream) input = g_memory_input_stream_new_from_bytes(text);
	struct sftp_file *file = sftp_open(world->sftp, path,
					   SFTP_WRITE | SFTP_CREATE | SFTP_EXCLUSIVE, 0600, NULL);

	ck_assert_ptr_nonnull(file);
	ck_assert(sftp_file_fill(file, 0, input, NULL));
	ck_assert(sftp_file_close(file, NULL));
}

START_TEST(what_is_written_is_read)
{
	struct world world;
	g_autofree guint8 *got = g_malloc(LONG_LEN + 1);
	g_autoptr(GBytes) text = long_text();
	g_autofree char *path = NULL;
	g_autoptr(GInputStream) stream = NULL;
	struct sftp_stat st;
	gsize len;

	world_open(&world);
	path = in_world(&world, "f");
	put(&world, path, text);
	ck_assert(sftp_lstat(world.sftp, path, &st, NULL));
	ck_assert_int_eq(st.size, LONG_LEN);
	ck_assert_uint_eq(st.mode, S_IFREG | 0600);
	stream = sftp_file_stream(sftp_open(world.sftp, path, SFTP_READ, 0, NULL), NULL, NULL);
	ck_assert(g_input_stream_read_all(stream, got, LONG_LEN + 1, &len, NULL, NULL));
	ck_assert_uint_eq(len, LONG_LEN);
	ck_assert_mem_eq(got, g_bytes_get_data(text, NULL), LONG_LEN);
	ck_assert(g_seekable_seek(G_SEEKABLE(stream), 300001, G_SEEK_SET, NULL, NULL));
	ck_assert_int_eq(g_seekable_tell(G_SEEKABLE(stream)), 300001);
	ck_assert(g_input_stream_read_all(stream, got, 5, &len, NULL, NULL));
	ck_assert_mem_eq(got, (const guint8 *)g_bytes_get_data(text, NULL) + 300001, 5);
	ck_assert_int_eq(g_seekable_tell(G_SEEKABLE(stream)), 300006);
	g_clear_object(&stream);
	world_close(&world);
}
END_TEST

static int status_of(gboolean ok, GError *error)
{
	g_autoptr(GError) owned = error;

	return ok ? 200 : error_status(owned);
}

START_TEST(errors_are_the_apis)
{
	struct world world;
	g_autofree char *dir = NULL, *below = NULL;
	g_autofree char *words = NULL;
	GError *error = NULL;
	struct sftp_stat st;
	gboolean ok;

	world_open(&world);
	dir = in_world(&world, "d");
	below = in_world(&world, "none/x");
	ok = sftp_stat(world.sftp, below, &st, &error);
	ck_assert_int_eq(status_of(ok, error), 404);
	ck_assert(sftp_mkdir(world.sftp, dir, NULL));
	error = NULL;
	ck_assert(!sftp_mkdir(world.sftp, dir, &error));
	words = g_strdup_printf("sftp: \"mkdir %s: file exists\" (SSH_FX_FAILURE)", dir);
	ck_assert_str_eq(error->message, words);
	g_clear_error(&error);
	ck_assert_ptr_null(sftp_open(world.sftp, dir, SFTP_READ, 0, &error));
	ck_assert_ptr_nonnull(strstr(error->message, "is a directory"));
	g_clear_error(&error);
	world_close(&world);
}
END_TEST

START_TEST(names_and_links)
{
	struct world world;
	g_autoptr(GPtrArray) names = NULL;
	g_autofree char *b = NULL, *a = NULL, *target = NULL;

	world_open(&world);
	a = in_world(&world, "a");
	b = in_world(&world, "b");
	ck_assert(sftp_symlink(world.sftp, "where/ever", b, NULL));
	ck_assert(sftp_mkdir(world.sftp, a, NULL));
	target = sftp_readlink(world.sftp, b, NULL);
	ck_assert_str_eq(target, "where/ever");
	names = sftp_list(world.sftp, world.dir, NULL);
	ck_assert_uint_eq(names->len, 2);
	ck_assert_str_eq(names->pdata[0], "a");
	ck_assert_str_eq(names->pdata[1], "b");
	world_close(&world);
}
END_TEST

START_TEST(no_pipe_is_opened)
{
	struct world world;
	g_autofree char *path = NULL;

	world_open(&world);
	path = in_world(&world, "pipe");
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_ptr_null(sftp_open(world.sftp, path, SFTP_READ, 0, NULL));
	ck_assert_ptr_null(sftp_open(world.sftp, path, SFTP_WRITE | SFTP_CREATE, 0600, NULL));
	world_close(&world);
}
END_TEST

/* --- servers that lie --------------------------------------------------------------------------
 */

struct liar {
	int fd;
	const char *const *says; /* after each packet, with a length in front; NULL: hangs up */
	const gsize *lengths;
};

#define GREETING "\0\0\0\5\2\0\0\0\3"

static void *lie(void *data)
{
	const struct liar *liar = data;
	char packet[4096];

	for (gsize i = 0; recv(liar->fd, packet, sizeof packet, 0) > 0; i++)
		if (!liar->says[i] ||
		    send(liar->fd, liar->says[i], liar->lengths[i], MSG_NOSIGNAL) < 0)
			break;
	shutdown(liar->fd, SHUT_RDWR);
	return NULL;
}

/* Lists "/x" with a server that says so after its greeting; the names, or an error's words. */
static char *list_of(const char *first, gsize first_len, const char *second, gsize second_len)
{
	const char *says[] = { GREETING, first, second, NULL };
	const gsize lengths[] = { sizeof GREETING - 1, first_len, second_len };
	g_autoptr(GPtrArray) names = NULL;
	g_autoptr(GError) error = NULL;
	g_autoptr(sftp_t) sftp = NULL;
	struct liar liar = { .says = says, .lengths = lengths };
	GThread *thread;
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	liar.fd = pair[1];
	thread = g_thread_new("liar", lie, &liar);
	sftp = sftp_new(pair[0], 1, &error);
	names = sftp ? sftp_list(sftp, "/x", &error) : NULL;
	shutdown(pair[0], SHUT_RDWR);
	g_thread_join(thread);
	close(pair[0]);
	close(pair[1]);
	ck_assert(names || error);
	return names ? g_strdup_printf("%u names", names->len) : g_strdup(error->message);
}

#define HANDLE_1 "\0\0\0\12\146\0\0\0\1\0\0\0\1h"

static const struct {
	const char *first, *second, *words;
	gsize first_len, second_len;
} lies[] = {
#define LIE(first, second, words)                                           \
	{                                                                   \
		first, second, words, sizeof(first) - 1, sizeof(second) - 1 \
	}
	LIE("", "", "timed out"),
	LIE("\377\377\377\377abcde", "", "bad size"),
	LIE("\0\0\0\1x", "", "bad size"),
	LIE("\0\0\0\12\146\0\0\0\11\0\0\0\1h", "", "something else"),
	LIE("\0\0\0\11\146\0\0\0\1\0\0\0\0", "", "bad handle"),
	LIE("\0\0\0\11\146\0\0\0\1\377\377\377\377", "", "bad handle"),
	LIE("\0\0\0\11\150\0\0\0\1\0\0\0\0", "", "another kind"),
	LIE("\0\0\0\21\145\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0", "", "another kind"),
	LIE("\0\0\0\25\145\0\0\0\1\0\0\0\4\0\0\0\4B\1\377m\0\0\0\0", "", "SSH_FX_FAILURE"),
	/* more names than there are bytes */
	LIE(HANDLE_1, "\0\0\0\11\150\0\0\0\2\377\377\377\377", "too short"),
	/* a name that is longer than its packet */
	LIE(HANDLE_1, "\0\0\0\15\150\0\0\0\2\0\0\0\1\377\377\377\377", "too short"),
	/* half a packet */
	LIE(HANDLE_1, "\0\0\1\0\150\0\0\0\2", "timed out"),
#undef LIE
};

START_TEST(lies_are_errors)
{
	g_autofree char *words = list_of(lies[_i].first, lies[_i].first_len, lies[_i].second,
					 lies[_i].second_len);

	ck_assert_msg(strstr(words, lies[_i].words) != NULL, "%d: %s", _i, words);
}
END_TEST

/* Two entries, "../x" and "y", then the end; a client would write the first where it leads. */
START_TEST(names_that_are_paths_are_left_out)
{
#define ENTRY(len, name)    \
	len name "\0\0\0\0" \
		 "\0\0\0\0"
	static const char entries[] = "\0\0\0\46\150\0\0\0\2\0\0\0\2" ENTRY("\0\0\0\4", "../x")
		ENTRY("\0\0\0\1", "y") "\0\0\0\21\145\0\0\0\3\0\0\0\1\0\0\0\0\0\0\0\0"
				       "\0\0\0\21\145\0\0\0\4\0\0\0\0\0\0\0\0\0\0\0\0";
	g_autofree char *words = NULL;

	words = list_of(HANDLE_1, sizeof HANDLE_1 - 1, entries, sizeof entries - 1);
	ck_assert_str_eq(words, "1 names");
}
END_TEST

static void fill_tests(TCase *tests)
{
	tcase_add_test(tests, what_is_written_is_read);
	tcase_add_test(tests, errors_are_the_apis);
	tcase_add_test(tests, names_and_links);
	tcase_add_test(tests, no_pipe_is_opened);
	tcase_add_loop_test(tests, lies_are_errors, 0, G_N_ELEMENTS(lies));
	tcase_add_test(tests, names_that_are_paths_are_left_out);
}

int main(void)
{
	return test_run("sftp", fill_tests);
}
