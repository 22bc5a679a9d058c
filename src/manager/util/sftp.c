/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The SFTP client: requests in turn; of reads and writes a few are on their way at once. */
#include "util/sftp.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/error.h"

#define VERSION 3
#define PACKET_MAX (256 * 1024 + 1024)	  /* bytes */
#define BLOCK (128 * 1024)		  /* bytes in one read or write */
#define AHEAD 4				  /* writes that were not answered yet */
#define HANDLE_MAX 256			  /* bytes, by the protocol */
#define LIST_BYTES_MAX (64 * 1024 * 1024) /* names of one directory */

enum type {
	INIT = 1,
	SERVER_VERSION = 2,
	OPEN = 3,
	CLOSE = 4,
	READ = 5,
	WRITE = 6,
	LSTAT = 7,
	FSTAT = 8,
	SETSTAT = 9,
	FSETSTAT = 10,
	OPENDIR = 11,
	READDIR = 12,
	REMOVE = 13,
	MKDIR = 14,
	RMDIR = 15,
	STAT = 17,
	READLINK = 19,
	SYMLINK = 20,
	STATUS = 101,
	HANDLE = 102,
	DATA = 103,
	NAME = 104,
	ATTRS = 105,
};

enum { FX_OK, FX_EOF, FX_NO_SUCH_FILE, FX_PERMISSION_DENIED, FX_FAILURE };
enum { A_SIZE = 1, A_OWNER = 2, A_MODE = 4, A_TIME = 8 };
#define A_EXTENDED 0x80000000u

struct sftp {
	int fd;
	int timeout_ms;
	guint32 id;	  /* of the last request */
	gboolean broken;  /* the server does not keep to the protocol, or is gone */
	GByteArray *out;  /* the request that is made */
	GByteArray *in;	  /* the answer that is read */
	gsize at;	  /* what of it is read */
	gboolean missing; /* it was shorter than it should be */
};

struct sftp_file {
	struct sftp *sftp;
	char *path;
	guint8 handle[HANDLE_MAX];
	guint32 handle_len;
};

/* --- errors ---------------------------------------------------------------------------- */

static gboolean fail_broken(struct sftp *sftp, GError **error, const char *why)
{
	sftp->broken = TRUE;
	return fail(error, 500, "Failed to talk to the instance's file server: %s", why);
}

static const char *status_name(guint32 status)
{
	static const char *const names[] = {
		"SSH_FX_OK",
		"SSH_FX_EOF",
		"SSH_FX_NO_SUCH_FILE",
		"SSH_FX_PERMISSION_DENIED",
		"SSH_FX_FAILURE",
		"SSH_FX_BAD_MESSAGE",
		"SSH_FX_NO_CONNECTION",
		"SSH_FX_CONNECTION_LOST",
		"SSH_FX_OP_UNSUPPORTED",
	};

	return status < G_N_ELEMENTS(names) ? names[status] : "SSH_FX_FAILURE";
}

/* Bytes that are no text are seen as such: the words go into JSON and onto terminals. */
static char *printable(const char *text)
{
	g_autofree char *valid = g_utf8_make_valid(text, -1);

	for (char *at = valid; *at; at++)
		if (g_ascii_iscntrl(*at))
			*at = ' ';
	return g_steal_pointer(&valid);
}

static gboolean fail_status(GError **error, guint32 status, const char *what, const char *path,
			    const char *words)
{
	g_autofree char *shown = printable(path);
	g_autofree char *said = printable(words);

	if (status == FX_NO_SUCH_FILE)
		return fail(error, 404, "Not Found");
	if (status == FX_PERMISSION_DENIED)
		return fail(error, 403, "Forbidden");
	*said = g_ascii_tolower(*said);
	return fail(error, 500, "sftp: \"%s %s: %s\" (%s)", what, shown, said, status_name(status));
}

/* --- packets ---------------------------------------------------------------------------- */

static void put8(struct sftp *sftp, guint8 value)
{
	g_byte_array_append(sftp->out, &value, 1);
}

static void put32(struct sftp *sftp, guint32 value)
{
	guint32 be = GUINT32_TO_BE(value);

	g_byte_array_append(sftp->out, (const guint8 *)&be, sizeof be);
}

static void put64(struct sftp *sftp, guint64 value)
{
	guint64 be = GUINT64_TO_BE(value);

	g_byte_array_append(sftp->out, (const guint8 *)&be, sizeof be);
}

static void put_data(struct sftp *sftp, const void *data, gsize len)
{
	put32(sftp, (guint32)len);
	g_byte_array_append(sftp->out, data, (guint)len);
}

static void put_text(struct sftp *sftp, const char *text)
{
	put_data(sftp, text, strlen(text));
}

static void put_owner(struct sftp *sftp, guint32 uid, guint32 gid, guint32 mode)
{
	put32(sftp, A_OWNER | A_MODE);
	put32(sftp, uid);
	put32(sftp, gid);
	put32(sftp, mode);
}

static void begin(struct sftp *sftp, enum type type)
{
	g_byte_array_set_size(sftp->out, 0);
	put32(sftp, 0); /* the length, when it is known */
	put8(sftp, (guint8)type);
	if (type != INIT)
		put32(sftp, ++sftp->id);
}

static gsize left(const struct sftp *sftp)
{
	return sftp->in->len - sftp->at;
}

static const guint8 *get(struct sftp *sftp, gsize len)
{
	const guint8 *data = sftp->in->data + sftp->at;

	if (left(sftp) < len) {
		sftp->missing = TRUE;
		return NULL;
	}
	sftp->at += len;
	return data;
}

static guint32 get32(struct sftp *sftp)
{
	const guint8 *data = get(sftp, sizeof(guint32));
	guint32 be = 0;

	if (data)
		memcpy(&be, data, sizeof be);
	return GUINT32_FROM_BE(be);
}

static guint64 get64(struct sftp *sftp)
{
	guint64 high = get32(sftp);

	return high << 32 | get32(sftp);
}

static const guint8 *get_data(struct sftp *sftp, guint32 *ret_len)
{
	guint32 len = get32(sftp);
	const guint8 *data = get(sftp, len);

	*ret_len = data ? len : 0;
	return data;
}

/* "" where there is none; a NUL in it ends it. */
static char *get_text(struct sftp *sftp)
{
	guint32 len;
	const guint8 *data = get_data(sftp, &len);

	return g_strndup(data ? (const char *)data : "", len);
}

static struct sftp_stat get_attrs(struct sftp *sftp)
{
	guint32 has = get32(sftp);
	struct sftp_stat st = { 0 };
	guint64 size = 0;
	guint32 len;

	if (has & A_SIZE)
		size = get64(sftp);
	if (has & A_OWNER) {
		st.uid = get32(sftp);
		st.gid = get32(sftp);
	}
	if (has & A_MODE)
		st.mode = get32(sftp);
	if (has & A_TIME) {
		get32(sftp);
		st.mtime = get32(sftp);
	}
	if (has & A_EXTENDED)
		for (guint32 n = get32(sftp); n && !sftp->missing; n--) {
			get_data(sftp, &len);
			get_data(sftp, &len);
		}
	st.size = (gint64)MIN(size, (guint64)G_MAXINT64);
	return st;
}

/* --- the connection ---------------------------------------------------------------------- */

static gboolean await(struct sftp *sftp, short events, GError **error)
{
	struct pollfd fd = { .fd = sftp->fd, .events = events };
	int r;

	do
		r = poll(&fd, 1, sftp->timeout_ms);
	while (r < 0 && errno == EINTR);
	if (r == 0)
		return fail_broken(sftp, error, "timed out");
	return r > 0 || fail_broken(sftp, error, g_strerror(errno));
}

static gboolean send_all(struct sftp *sftp, GError **error)
{
	guint32 be = GUINT32_TO_BE(sftp->out->len - 4);
	gsize sent = 0;

	if (sftp->broken)
		return fail_broken(sftp, error, "it is gone");
	memcpy(sftp->out->data, &be, sizeof be);
	while (sent < sftp->out->len) {
		gssize n = send(sftp->fd, sftp->out->data + sent, sftp->out->len - sent,
				MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n > 0)
			sent += (gsize)n;
		else if (errno == EAGAIN && !await(sftp, POLLOUT, error))
			return FALSE;
		else if (errno != EAGAIN && errno != EINTR)
			return fail_broken(sftp, error, g_strerror(errno));
	}
	return TRUE;
}

static gboolean read_all(struct sftp *sftp, guint8 *to, gsize len, GError **error)
{
	while (len) {
		gssize n = recv(sftp->fd, to, len, MSG_DONTWAIT);

		if (n > 0) {
			to += n;
			len -= (gsize)n;
		} else if (n == 0) {
			return fail_broken(sftp, error, "it is gone");
		} else if (errno == EAGAIN) {
			if (!await(sftp, POLLIN, error))
				return FALSE;
		} else if (errno != EINTR) {
			return fail_broken(sftp, error, g_strerror(errno));
		}
	}
	return TRUE;
}

/* The next packet, after its length. */
static gboolean receive(struct sftp *sftp, enum type *ret_type, GError **error)
{
	guint32 len;

	if (sftp->broken)
		return fail_broken(sftp, error, "it is gone");
	if (!read_all(sftp, (guint8 *)&len, sizeof len, error))
		return FALSE;
	len = GUINT32_FROM_BE(len);
	if (len < 5 || len > PACKET_MAX)
		return fail_broken(sftp, error, "a packet of a bad size");
	g_byte_array_set_size(sftp->in, len);
	sftp->at = 1;
	sftp->missing = FALSE;
	if (!read_all(sftp, sftp->in->data, len, error))
		return FALSE;
	*ret_type = sftp->in->data[0];
	return TRUE;
}

/* The answer to the request ID, which must be the oldest that was not answered. */
static gboolean answer(struct sftp *sftp, guint32 id, enum type *ret_type, GError **error)
{
	enum type type = STATUS;

	if (!receive(sftp, &type, error))
		return FALSE;
	if (get32(sftp) != id)
		return fail_broken(sftp, error, "an answer to something else");
	*ret_type = type;
	return TRUE;
}

/* What WANTED is not: a status, whose error it is (*ret_end where it says the file has ended). */
static gboolean refuse(struct sftp *sftp, enum type type, const char *what, const char *path,
		       gboolean *ret_end, GError **error)
{
	guint32 status;
	g_autofree char *words = NULL;

	if (type != STATUS)
		return fail_broken(sftp, error, "an answer of another kind");
	status = get32(sftp);
	words = get_text(sftp);
	if (status == FX_OK && !sftp->missing)
		return fail_broken(sftp, error, "an answer of another kind");
	if (status == FX_EOF && ret_end) {
		*ret_end = TRUE;
		return FALSE;
	}
	return fail_status(error, status, what, path, words);
}

/* Sends the request that was made; an answer of type WANTED is then there to be read. */
static gboolean ask(struct sftp *sftp, enum type wanted, const char *what, const char *path,
		    gboolean *ret_end, GError **error)
{
	enum type type = STATUS;

	if (!send_all(sftp, error) || !answer(sftp, sftp->id, &type, error))
		return FALSE;
	return type == wanted || refuse(sftp, type, what, path, ret_end, error);
}

/* Of an answer that can only be a status. */
static gboolean check_done(struct sftp *sftp, guint32 id, const char *what, const char *path,
			   GError **error)
{
	g_autofree char *words = NULL;
	enum type type = STATUS;
	guint32 status;

	if (!answer(sftp, id, &type, error))
		return FALSE;
	if (type != STATUS)
		return fail_broken(sftp, error, "an answer of another kind");
	status = get32(sftp);
	words = get_text(sftp);
	return (status == FX_OK && !sftp->missing) || fail_status(error, status, what, path, words);
}

static gboolean ask_done(struct sftp *sftp, const char *what, const char *path, GError **error)
{
	return send_all(sftp, error) && check_done(sftp, sftp->id, what, path, error);
}

static gboolean check_whole(struct sftp *sftp, GError **error)
{
	return !sftp->missing || fail_broken(sftp, error, "a packet that is too short");
}

struct sftp *sftp_new(int fd, unsigned timeout_s, GError **error)
{
	g_autoptr(sftp_t) sftp = g_new0(struct sftp, 1);
	enum type type = STATUS;

	sftp->fd = fd;
	sftp->timeout_ms = (int)timeout_s * 1000;
	sftp->out = g_byte_array_new();
	sftp->in = g_byte_array_new();
	begin(sftp, INIT);
	put32(sftp, VERSION);
	if (!send_all(sftp, error) || !receive(sftp, &type, error))
		return NULL;
	if (type != SERVER_VERSION || get32(sftp) < VERSION) {
		fail_broken(sftp, error, "no common version");
		return NULL;
	}
	return g_steal_pointer(&sftp);
}

void sftp_free(struct sftp *sftp)
{
	if (!sftp)
		return;
	g_byte_array_unref(sftp->out);
	g_byte_array_unref(sftp->in);
	g_free(sftp);
}

/* --- by path ------------------------------------------------------------------------------ */

static gboolean ask_stat(struct sftp *sftp, enum type type, const char *what, const char *path,
			 struct sftp_stat *ret, GError **error)
{
	struct sftp_stat st;

	begin(sftp, type);
	put_text(sftp, path);
	if (!ask(sftp, ATTRS, what, path, NULL, error))
		return FALSE;
	st = get_attrs(sftp);
	if (!check_whole(sftp, error))
		return FALSE;
	*ret = st;
	return TRUE;
}

gboolean sftp_lstat(struct sftp *sftp, const char *path, struct sftp_stat *ret, GError **error)
{
	return ask_stat(sftp, LSTAT, "lstat", path, ret, error);
}

gboolean sftp_stat(struct sftp *sftp, const char *path, struct sftp_stat *ret, GError **error)
{
	return ask_stat(sftp, STAT, "stat", path, ret, error);
}

char *sftp_readlink(struct sftp *sftp, const char *path, GError **error)
{
	g_autofree char *target = NULL;

	begin(sftp, READLINK);
	put_text(sftp, path);
	if (!ask(sftp, NAME, "readlink", path, NULL, error))
		return NULL;
	if (get32(sftp) != 1)
		sftp->missing = TRUE;
	target = get_text(sftp);
	return check_whole(sftp, error) ? g_steal_pointer(&target) : NULL;
}

gboolean sftp_symlink(struct sftp *sftp, const char *target, const char *path, GError **error)
{
	g_autofree char *both = g_strdup_printf("%s %s", target, path);

	begin(sftp, SYMLINK);
	put_text(sftp, target);
	put_text(sftp, path);
	return ask_done(sftp, "symlink", both, error);
}

gboolean sftp_mkdir(struct sftp *sftp, const char *path, GError **error)
{
	begin(sftp, MKDIR);
	put_text(sftp, path);
	put32(sftp, A_MODE);
	put32(sftp, 0700); /* until it has its owner */
	return ask_done(sftp, "mkdir", path, error);
}

static gboolean ask_remove(struct sftp *sftp, enum type type, const char *path, GError **error)
{
	begin(sftp, type);
	put_text(sftp, path);
	return ask_done(sftp, "remove", path, error);
}

gboolean sftp_remove(struct sftp *sftp, const char *path, GError **error)
{
	return ask_remove(sftp, REMOVE, path, error);
}

gboolean sftp_rmdir(struct sftp *sftp, const char *path, GError **error)
{
	return ask_remove(sftp, RMDIR, path, error);
}

gboolean sftp_set(struct sftp *sftp, const char *path, guint32 uid, guint32 gid, guint32 mode,
		  GError **error)
{
	begin(sftp, SETSTAT);
	put_text(sftp, path);
	put_owner(sftp, uid, gid, mode);
	return ask_done(sftp, "chmod", path, error);
}

/* --- handles ------------------------------------------------------------------------------ */

static gboolean get_handle(struct sftp_file *file, GError **error)
{
	guint32 len;
	const guint8 *data = get_data(file->sftp, &len);

	if (!data || len == 0 || len > HANDLE_MAX)
		return fail_broken(file->sftp, error, "a bad handle");
	memcpy(file->handle, data, len);
	file->handle_len = len;
	return TRUE;
}

static void file_free(struct sftp_file *file)
{
	g_free(file->path);
	g_free(file);
}

static struct sftp_file *open_handle(struct sftp *sftp, const char *path, GError **error)
{
	struct sftp_file *file = g_new0(struct sftp_file, 1);

	file->sftp = sftp;
	file->path = g_strdup(path);
	if (ask(sftp, HANDLE, "open", path, NULL, error) && get_handle(file, error))
		return file;
	file_free(file);
	return NULL;
}

struct sftp_file *sftp_open(struct sftp *sftp, const char *path, unsigned flags, guint32 mode,
			    GError **error)
{
	begin(sftp, OPEN);
	put_text(sftp, path);
	put32(sftp, flags);
	put32(sftp, A_MODE);
	put32(sftp, mode);
	return open_handle(sftp, path, error);
}

static void begin_on(struct sftp_file *file, enum type type)
{
	begin(file->sftp, type);
	put_data(file->sftp, file->handle, file->handle_len);
}

gboolean sftp_file_close(struct sftp_file *file, GError **error)
{
	gboolean ok;

	if (!file)
		return TRUE;
	begin_on(file, CLOSE);
	ok = ask_done(file->sftp, "close", file->path, error);
	file_free(file);
	return ok;
}

gboolean sftp_file_stat(struct sftp_file *file, struct sftp_stat *ret, GError **error)
{
	struct sftp_stat st;

	begin_on(file, FSTAT);
	if (!ask(file->sftp, ATTRS, "stat", file->path, NULL, error))
		return FALSE;
	st = get_attrs(file->sftp);
	if (!check_whole(file->sftp, error))
		return FALSE;
	*ret = st;
	return TRUE;
}

gboolean sftp_file_set(struct sftp_file *file, guint32 uid, guint32 gid, guint32 mode,
		       GError **error)
{
	begin_on(file, FSETSTAT);
	put_owner(file->sftp, uid, gid, mode);
	return ask_done(file->sftp, "chmod", file->path, error);
}

/* --- directories ---------------------------------------------------------------------------- */

static gboolean is_name(const char *name)
{
	return *name && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && !strchr(name, '/');
}

/* One answer's names; FALSE at the end or with an error. */
static gboolean read_names(struct sftp_file *dir, GPtrArray *names, gsize *bytes, gboolean *ret_end,
			   GError **error)
{
	struct sftp *sftp = dir->sftp;
	guint32 count;

	begin_on(dir, READDIR);
	if (!ask(sftp, NAME, "readdir", dir->path, ret_end, error))
		return FALSE;
	count = get32(sftp);
	for (guint32 i = 0; i < count && !sftp->missing; i++) {
		g_autofree char *name = get_text(sftp);
		guint32 len;

		get_data(sftp, &len);
		get_attrs(sftp);
		*bytes += strlen(name) + 1;
		if (!sftp->missing && is_name(name))
			g_ptr_array_add(names, g_steal_pointer(&name));
	}
	if (*bytes > LIST_BYTES_MAX)
		return fail(error, 500, "The directory has too many entries");
	return check_whole(sftp, error);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

GPtrArray *sftp_list(struct sftp *sftp, const char *path, GError **error)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	struct sftp_file *dir;
	gboolean end = FALSE;
	gsize bytes = 0;

	begin(sftp, OPENDIR);
	put_text(sftp, path);
	dir = open_handle(sftp, path, error);
	if (!dir)
		return NULL;
	while (read_names(dir, names, &bytes, &end, error))
		;
	sftp_file_close(dir, NULL);
	if (!end)
		return NULL;
	g_ptr_array_sort(names, by_name);
	return g_steal_pointer(&names);
}

/* --- writing ---------------------------------------------------------------------------------- */

struct filling {
	guint32 first, count; /* requests that were not answered: their ids follow one another */
};

static gboolean settle(struct sftp_file *file, struct filling *filling, guint allowed,
		       GError **error)
{
	while (filling->count > allowed) {
		guint32 id = filling->first++;

		filling->count--;
		if (!check_done(file->sftp, id, "write", file->path, error))
			return FALSE;
	}
	return TRUE;
}

static gboolean send_block(struct sftp_file *file, struct filling *filling, gint64 offset,
			   const guint8 *data, gsize len, GError **error)
{
	begin_on(file, WRITE);
	put64(file->sftp, (guint64)offset);
	put_data(file->sftp, data, len);
	if (!send_all(file->sftp, error))
		return FALSE;
	if (!filling->count)
		filling->first = file->sftp->id;
	filling->count++;
	return settle(file, filling, AHEAD, error);
}

static gboolean fill_blocks(struct sftp_file *file, struct filling *filling, gint64 offset,
			    GInputStream *input, guint8 *block, GError **error)
{
	gsize len;

	for (;;) {
		if (!g_input_stream_read_all(input, block, BLOCK, &len, NULL, error))
			return FALSE;
		if (len == 0)
			return TRUE;
		if (!send_block(file, filling, offset, block, len, error))
			return FALSE;
		offset += (gint64)len;
	}
}

gboolean sftp_file_fill(struct sftp_file *file, gint64 offset, GInputStream *input, GError **error)
{
	g_autofree guint8 *block = g_malloc(BLOCK);
	struct filling filling = { 0 };
	gboolean ok = fill_blocks(file, &filling, offset, input, block, error);

	/* the first error counts, the rest of the answers only makes room for what comes next */
	while (filling.count && !file->sftp->broken)
		ok = settle(file, &filling, 0, ok ? error : NULL) && ok;
	return ok;
}

/* --- reading ------------------------------------------------------------------------------------
 */

#define SFTP_TYPE_STREAM (sftp_stream_get_type())
G_DECLARE_FINAL_TYPE(SftpStream, sftp_stream, SFTP, STREAM, GInputStream)

struct _SftpStream {
	GInputStream parent;
	struct sftp_file *file;
	void *owner;
	GDestroyNotify free_owner;
	gint64 offset;	/* of the next request */
	gboolean asked; /* a request is on its way */
	guint32 asked_id;
	guint8 *block;	  /* what has come */
	gsize len, taken; /* of it */
	gboolean end;
};

static void sftp_stream_seekable(GSeekableIface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE(SftpStream, sftp_stream, G_TYPE_INPUT_STREAM,
			      G_IMPLEMENT_INTERFACE(G_TYPE_SEEKABLE, sftp_stream_seekable))

/* The next block is asked for before the last one is taken, so that neither side waits. */
static gboolean ask_ahead(SftpStream *stream, GError **error)
{
	struct sftp *sftp = stream->file->sftp;

	begin_on(stream->file, READ);
	put64(sftp, (guint64)stream->offset);
	put32(sftp, BLOCK);
	if (!send_all(sftp, error))
		return FALSE;
	stream->asked = TRUE;
	stream->asked_id = sftp->id;
	return TRUE;
}

static gboolean take_answer(SftpStream *stream, GError **error)
{
	struct sftp *sftp = stream->file->sftp;
	const guint8 *data;
	enum type type = STATUS;
	guint32 len;

	stream->asked = FALSE;
	stream->len = stream->taken = 0;
	if (!answer(sftp, stream->asked_id, &type, error))
		return FALSE;
	if (type != DATA)
		return refuse(sftp, type, "read", stream->file->path, &stream->end, error) ||
		       stream->end;
	data = get_data(sftp, &len);
	if (!data || len > BLOCK)
		return fail_broken(sftp, error, "data of a bad size");
	memcpy(stream->block, data, len);
	stream->len = len;
	stream->offset += len;
	stream->end = len == 0;
	return TRUE;
}

static gboolean fetch(SftpStream *stream, GError **error)
{
	if (!stream->asked && !ask_ahead(stream, error))
		return FALSE;
	if (!take_answer(stream, error))
		return FALSE;
	return stream->end || ask_ahead(stream, error);
}

static gssize stream_read(GInputStream *input, void *buffer, gsize len,
			  G_GNUC_UNUSED GCancellable *cancel, GError **error)
{
	SftpStream *stream = SFTP_STREAM(input);
	gsize count;

	if (stream->taken == stream->len && !stream->end && !fetch(stream, error))
		return -1;
	count = MIN(len, stream->len - stream->taken);
	memcpy(buffer, stream->block + stream->taken, count);
	stream->taken += count;
	return (gssize)count;
}

static goffset stream_tell(GSeekable *seekable)
{
	const SftpStream *stream = SFTP_STREAM(seekable);

	return stream->offset - (gint64)(stream->len - stream->taken);
}

static gboolean stream_can_seek(G_GNUC_UNUSED GSeekable *seekable)
{
	return TRUE;
}

static gboolean stream_seek(GSeekable *seekable, goffset offset, GSeekType type,
			    G_GNUC_UNUSED GCancellable *cancel, GError **error)
{
	SftpStream *stream = SFTP_STREAM(seekable);

	if (type != G_SEEK_SET || offset < 0)
		return fail(error, 500, "Only absolute offsets can be gone to");
	if (stream->asked && !take_answer(stream, error))
		return FALSE;
	stream->len = stream->taken = 0;
	stream->end = FALSE;
	stream->offset = offset;
	return TRUE;
}

static gboolean stream_can_truncate(G_GNUC_UNUSED GSeekable *seekable)
{
	return FALSE;
}

static void sftp_stream_seekable(GSeekableIface *iface)
{
	iface->tell = stream_tell;
	iface->can_seek = stream_can_seek;
	iface->seek = stream_seek;
	iface->can_truncate = stream_can_truncate;
}

static gboolean stream_close(GInputStream *input, G_GNUC_UNUSED GCancellable *cancel,
			     G_GNUC_UNUSED GError **error)
{
	SftpStream *stream = SFTP_STREAM(input);
	struct sftp_file *file = g_steal_pointer(&stream->file);

	if (!file)
		return TRUE;
	file_free(file); /* the server closes it when the session ends */
	if (stream->free_owner)
		stream->free_owner(stream->owner);
	return TRUE;
}

static void stream_finalize(GObject *object)
{
	SftpStream *stream = SFTP_STREAM(object);

	g_input_stream_close(G_INPUT_STREAM(stream), NULL, NULL);
	g_free(stream->block);
	G_OBJECT_CLASS(sftp_stream_parent_class)->finalize(object);
}

static void sftp_stream_class_init(SftpStreamClass *class)
{
	G_INPUT_STREAM_CLASS(class)->read_fn = stream_read;
	G_INPUT_STREAM_CLASS(class)->close_fn = stream_close;
	G_OBJECT_CLASS(class)->finalize = stream_finalize;
}

static void sftp_stream_init(SftpStream *stream)
{
	stream->block = g_malloc(BLOCK);
}

GInputStream *sftp_file_stream(struct sftp_file *file, void *owner, GDestroyNotify free_owner)
{
	SftpStream *stream = g_object_new(SFTP_TYPE_STREAM, NULL);

	stream->file = file;
	stream->owner = owner;
	stream->free_owner = free_owner;
	return G_INPUT_STREAM(stream);
}
