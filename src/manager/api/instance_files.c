/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* /1.0/instances/X/files: one file, symlink or directory, read, written, made or removed. */
#include <string.h>
#include <sys/stat.h>

#include "api/instance_request.h"
#include "core/files.h"
#include "util/sftp.h"

#define SILENCE_SECONDS 60 /* of a file server that should answer */
#define TARGET_MAX 4096	   /* bytes of a symlink's target */
#define MODE_FILE 0644
#define MODE_DIRECTORY 0750

/* A session with the files of a request's instance. */
struct session {
	struct instance *inst;
	struct files *files;
	struct sftp *sftp;
	char *path; /* absolute and clean */
};

static void session_free(void *data)
{
	struct session *session = data;

	if (!session)
		return;
	sftp_free(session->sftp);
	files_close(session->files);
	instance_free(session->inst);
	g_free(session->path);
	g_free(session);
}
typedef struct session session_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(session_t, session_free)

static struct session *session_open(const struct request *request, GError **error)
{
	g_autoptr(session_t) session = g_new0(struct session, 1);
	const char *path = request_query(request, "path");

	session->inst = request_instance(request, error);
	if (!session->inst)
		return NULL;
	if (!path || !*path) {
		fail(error, 400, "Missing path argument");
		return NULL;
	}
	session->path = g_canonicalize_filename(path, "/");
	session->files = files_open(session->inst, error);
	if (!session->files)
		return NULL;
	session->sftp = sftp_new(files_fd(session->files), SILENCE_SECONDS, error);
	return session->sftp ? g_steal_pointer(&session) : NULL;
}

static void tell(const struct session *session, const struct request *request, const char *action)
{
	g_autofree char *shown = g_utf8_make_valid(session->path, -1);
	g_autoptr(json_t) context = json_pack("{s:s}", "path", shown);

	instance_event(session->inst, action, context, &request->who);
}

/* --- headers of a reply ---------------------------------------------------------------------- */

static const char *type_of(const struct sftp_stat *st)
{
	return S_ISDIR(st->mode) ? "directory" : S_ISLNK(st->mode) ? "symlink" : "file";
}

static void header_number(struct reply *reply, const char *name, guint32 value)
{
	char text[16];

	g_snprintf(text, sizeof text, "%u", value);
	reply_header(reply, name, text);
}

static void describe(struct reply *reply, const struct sftp_stat *st)
{
	g_autoptr(GDateTime) when = g_date_time_new_from_unix_utc(st->mtime);
	g_autofree char *modified = g_date_time_format(when, "%Y-%m-%d %H:%M:%S +0000 UTC");
	char mode[16];

	/* without set-id bits: clients give it to files that they make for themselves */
	g_snprintf(mode, sizeof mode, "%04o", st->mode & 0777);
	header_number(reply, "X-LXD-uid", st->uid);
	header_number(reply, "X-LXD-gid", st->gid);
	reply_header(reply, "X-LXD-mode", mode);
	reply_header(reply, "X-LXD-modified", modified);
	reply_header(reply, "X-LXD-type", type_of(st));
}

/* As served from a disk. */
static void describe_content(struct reply *reply, const struct session *session,
			     const struct sftp_stat *st)
{
	g_autofree char *name = g_path_get_basename(session->path);
	g_autofree char *value = g_strdup_printf("inline;filename=%s", name);

	for (char *at = value; *at; at++)
		if (g_ascii_iscntrl(*at))
			*at = ' ';
	reply_header(reply, "Content-Disposition", value);
	reply_header(reply, "Accept-Ranges", "bytes");
	reply_header_modified(reply, st->mtime);
	describe(reply, st);
}

/* --- reading -----------------------------------------------------------------------------------
 */

static json_t *names_of(const GPtrArray *names)
{
	json_t *list = json_array();

	for (guint i = 0; i < names->len; i++) {
		g_autofree char *valid = g_utf8_make_valid(names->pdata[i], -1);

		json_array_append_new(list, json_string(valid));
	}
	return list;
}

static struct reply *get_directory(const struct session *session, const struct sftp_stat *st,
				   GError **error)
{
	g_autoptr(GPtrArray) names = sftp_list(session->sftp, session->path, error);
	struct reply *reply = names ? reply_sync(names_of(names)) : NULL;

	if (reply)
		describe(reply, st);
	return reply;
}

/* The body is where it leads, seen from the root. */
static struct reply *get_symlink(const struct session *session, const struct sftp_stat *st,
				 GError **error)
{
	g_autofree char *target = sftp_readlink(session->sftp, session->path, error);
	g_autofree char *dir = g_path_get_dirname(session->path);
	struct reply *reply;

	if (!target)
		return NULL;
	reply = reply_text("application/octet-stream", g_canonicalize_filename(target, dir), -1);
	describe_content(reply, session, st);
	return reply;
}

/* Takes over SESSION. What says that it is empty may be of a kernel that makes it when it is read.
 */
static struct reply *get_file(struct session *session, const struct sftp_stat *st, GError **error)
{
	g_autoptr(session_t) owned = session;
	struct sftp_file *file = sftp_open(owned->sftp, owned->path, SFTP_READ, 0, error);
	struct reply *reply;
	GInputStream *stream;

	if (!file)
		return NULL;
	stream = sftp_file_stream(file, owned, session_free);
	reply = reply_stream(stream, st->size > 0 ? st->size : -1, "application/octet-stream");
	describe_content(reply, owned, st);
	g_steal_pointer(&owned);
	return reply;
}

static struct reply *files_get(struct request *request, GError **error)
{
	g_autoptr(session_t) session = session_open(request, error);
	struct sftp_stat st;

	if (!session || !sftp_lstat(session->sftp, session->path, &st, error))
		return NULL;
	if (S_ISDIR(st.mode))
		return get_directory(session, &st, error);
	tell(session, request, "instance-file-retrieved");
	return S_ISLNK(st.mode) ? get_symlink(session, &st, error)
				: get_file(g_steal_pointer(&session), &st, error);
}

static struct reply *files_head(struct request *request, GError **error)
{
	g_autoptr(session_t) session = session_open(request, error);
	struct reply *reply;
	struct sftp_stat st;

	if (!session || !sftp_lstat(session->sftp, session->path, &st, error))
		return NULL;
	reply = reply_text("application/json", NULL, 0);
	describe(reply, &st);
	return reply;
}

/* --- writing ------------------------------------------------------------------------------------
 */

/* How what is made is to be; ids and mode are of what was not there. */
struct wanted {
	guint32 uid, gid, mode;
	gboolean append;
};

/* In BASE; WITHOUT where there is no number. */
static guint32 header_value(const struct request *request, const char *name, guint base,
			    guint32 without)
{
	const char *text = request_header(request, name);
	guint64 value;

	if (!text)
		return without;
	if (base == 8 && g_str_has_prefix(text, "0o"))
		text += strlen("0o");
	return g_ascii_string_to_unsigned(text, base, 0, G_MAXUINT32, &value, NULL) ? (guint32)value
										    : without;
}

static struct wanted wanted_of(const struct request *request, guint32 mode)
{
	return (struct wanted){
		.uid = header_value(request, "X-LXD-uid", 10, 0),
		.gid = header_value(request, "X-LXD-gid", 10, 0),
		.mode = header_value(request, "X-LXD-mode", 8, mode) & 07777,
	};
}

/* Whether something is there; an error otherwise but "Not Found". */
static gboolean is_there(const struct session *session, struct sftp_stat *ret, gboolean *ret_there,
			 GError **error)
{
	g_autoptr(GError) why = NULL;

	*ret_there = sftp_lstat(session->sftp, session->path, ret, &why);
	if (*ret_there || error_status(why) == 404)
		return TRUE;
	g_propagate_error(error, g_steal_pointer(&why));
	return FALSE;
}

static gboolean fill(struct sftp_file *file, const struct wanted *wanted, GInputStream *input,
		     GError **error)
{
	struct sftp_stat st = { 0 };

	if (wanted->append && !sftp_file_stat(file, &st, error))
		return FALSE;
	return sftp_file_fill(file, st.size, input, error);
}

static gboolean write_file(const struct session *session, const struct wanted *wanted,
			   GInputStream *input, GError **error)
{
	unsigned flags = SFTP_WRITE;
	struct sftp_file *file;
	struct sftp_stat st;
	gboolean there, ok;

	if (!is_there(session, &st, &there, error))
		return FALSE;
	if (!wanted->append)
		flags |= there ? SFTP_TRUNCATE : SFTP_CREATE | SFTP_EXCLUSIVE;
	file = sftp_open(session->sftp, session->path, flags, 0600, error);
	if (!file)
		return FALSE;
	ok = there || wanted->append ||
	     sftp_file_set(file, wanted->uid, wanted->gid, wanted->mode, error);
	ok = ok && fill(file, wanted, input, error);
	return sftp_file_close(file, ok ? error : NULL) && ok;
}

/* What is a directory already, or leads to one, stays as it is. */
static gboolean make_directory(const struct session *session, const struct wanted *wanted,
			       GError **error)
{
	struct sftp_stat st;

	if (sftp_stat(session->sftp, session->path, &st, NULL) && S_ISDIR(st.mode))
		return TRUE;
	return sftp_mkdir(session->sftp, session->path, error) &&
	       sftp_set(session->sftp, session->path, wanted->uid, wanted->gid, wanted->mode,
			error);
}

static gboolean make_symlink(const struct session *session, GInputStream *input, GError **error)
{
	char target[TARGET_MAX + 1];
	g_autofree char *now = NULL;
	gsize len;

	if (!g_input_stream_read_all(input, target, sizeof target, &len, NULL, error))
		return FALSE;
	if (len > TARGET_MAX || memchr(target, '\0', len))
		return fail(error, 400, "The target of a symlink must be a path");
	target[len] = '\0';
	now = sftp_readlink(session->sftp, session->path, NULL);
	return (now && strcmp(now, target) == 0) ||
	       sftp_symlink(session->sftp, target, session->path, error);
}

static gboolean make(const struct session *session, struct request *request, const char *type,
		     gboolean append, GError **error)
{
	struct wanted wanted;

	if (strcmp(type, "symlink") == 0)
		return make_symlink(session, request->input, error);
	if (strcmp(type, "directory") == 0) {
		wanted = wanted_of(request, MODE_DIRECTORY);
		return make_directory(session, &wanted, error);
	}
	wanted = wanted_of(request, MODE_FILE);
	wanted.append = append;
	if (!write_file(session, &wanted, request->input, error))
		return FALSE;
	tell(session, request, "instance-file-pushed");
	return TRUE;
}

static const char *header_or(const struct request *request, const char *name, const char *without)
{
	const char *value = request_header(request, name);

	return value && *value ? value : without;
}

static struct reply *files_post(struct request *request, GError **error)
{
	const char *type = header_or(request, "X-LXD-type", "file");
	const char *how = header_or(request, "X-LXD-write", "overwrite");
	gboolean append = strcmp(how, "append") == 0;
	g_autoptr(session_t) session = session_open(request, error);

	if (!session)
		return NULL;
	if (!append && strcmp(how, "overwrite") != 0) {
		fail(error, 400, "Bad file write mode: %s", how);
		return NULL;
	}
	if (strcmp(type, "file") != 0 && strcmp(type, "symlink") != 0 &&
	    strcmp(type, "directory") != 0) {
		fail(error, 400, "Bad file type: %s", type);
		return NULL;
	}
	return make(session, request, type, append, error) ? reply_sync(NULL) : NULL;
}

/* --- removing
 * ------------------------------------------------------------------------------------- */

static struct reply *files_delete(struct request *request, GError **error)
{
	g_autoptr(session_t) session = session_open(request, error);
	struct sftp_stat st;

	if (!session || !sftp_lstat(session->sftp, session->path, &st, error))
		return NULL;
	if (!(S_ISDIR(st.mode) ? sftp_rmdir(session->sftp, session->path, error)
			       : sftp_remove(session->sftp, session->path, error)))
		return NULL;
	tell(session, request, "instance-file-deleted");
	return reply_sync(NULL);
}

const struct route routes_instance_files[] = {
	{ "1.0/instances/{}/files", ROUTE_STREAM, .get = files_get, .head = files_head,
	  .post = files_post, .delete = files_delete },
	{ 0 },
};
