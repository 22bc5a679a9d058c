/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* multipart/form-data (RFC 7578): a window of the body, in which the boundary is looked for. */
#include "api/multipart.h"

#include <gio/gunixinputstream.h>
#include <string.h>
#include <sys/stat.h>

#include "util/error.h"

#define WINDOW (128 * 1024)
#define HEADERS_MAX (16 * 1024)
#define BOUNDARY_MAX 70 /* RFC 2046 */

struct multipart {
	GInputStream *input;
	GString *window; /* what is read and not yet given on */
	char *boundary;	 /* "\r\n--" and the word */
	gsize len;
	gboolean is_last; /* the closing boundary was seen */
};

static char *parameter(const char *header, const char *name)
{
	g_autofree char *wanted = g_strconcat(name, "=", NULL);
	g_auto(GStrv) parts = g_strsplit(header, ";", -1);

	for (char **part = parts; *part; part++) {
		char *value = g_strstrip(*part);
		gsize len;

		if (g_ascii_strncasecmp(value, wanted, strlen(wanted)) != 0)
			continue;
		value += strlen(wanted);
		len = strlen(value);
		if (len >= 2 && value[0] == '"' && value[len - 1] == '"')
			return g_strndup(value + 1, len - 2);
		return g_strdup(value);
	}
	return NULL;
}

struct multipart *multipart_new(GInputStream *input, const char *content_type, GError **error)
{
	g_autofree char *word = parameter(content_type, "boundary");
	struct multipart *multipart;

	if (!word || !*word || strlen(word) > BOUNDARY_MAX) {
		fail(error, 400, "Invalid multipart image");
		return NULL;
	}
	multipart = g_new0(struct multipart, 1);
	multipart->input = input;
	/* As if a line ended before the body: the first boundary has none before it. */
	multipart->window = g_string_new("\r\n");
	multipart->boundary = g_strconcat("\r\n--", word, NULL);
	multipart->len = strlen(multipart->boundary);
	return multipart;
}

void multipart_free(struct multipart *multipart)
{
	if (!multipart)
		return;
	g_string_free(multipart->window, TRUE);
	g_free(multipart->boundary);
	g_free(multipart);
}

/* Reads more of the body; what ends before its last boundary is broken. */
static gboolean fill(struct multipart *multipart, GError **error)
{
	gsize before = multipart->window->len;
	gssize n;

	g_string_set_size(multipart->window, before + WINDOW);
	n = g_input_stream_read(multipart->input, multipart->window->str + before, WINDOW, NULL,
				error);
	g_string_set_size(multipart->window, before + (gsize)MAX(n, 0));
	if (n == 0)
		return fail(error, 400, "EOF");
	return n > 0;
}

static const char *find(const struct multipart *multipart, const char *what, gsize len)
{
	return memmem(multipart->window->str, multipart->window->len, what, len);
}

/* Gives on what is surely before the boundary. */
static gboolean give(struct multipart *multipart, gsize len, multipart_sink sink, void *to,
		     GError **error)
{
	gboolean ok = len == 0 || !sink || sink(multipart->window->str, len, to, error);

	g_string_erase(multipart->window, 0, (gssize)len);
	return ok;
}

gboolean multipart_read(struct multipart *multipart, multipart_sink sink, void *to, GError **error)
{
	const char *end;

	while (!(end = find(multipart, multipart->boundary, multipart->len))) {
		gsize sure = multipart->window->len -
			     MIN(multipart->window->len, multipart->len - 1);

		if (!give(multipart, sure, sink, to, error) || !fill(multipart, error))
			return FALSE;
	}
	return give(multipart, (gsize)(end - multipart->window->str), sink, to, error);
}

/* The lines from the boundary to the empty one, cut off the window. */
static char *take_headers(struct multipart *multipart, GError **error)
{
	const char *end;
	char *headers;
	gsize len;

	while (!(end = find(multipart, "\r\n\r\n", 4))) {
		if (multipart->window->len > HEADERS_MAX) {
			fail(error, 400, "Invalid multipart image");
			return NULL;
		}
		if (!fill(multipart, error))
			return NULL;
	}
	len = (gsize)(end - multipart->window->str);
	headers = g_strndup(multipart->window->str, len);
	/* The last end of line stays: a part may be empty, and its boundary begins with it. */
	g_string_erase(multipart->window, 0, (gssize)len + 4);
	return headers;
}

static gboolean is_end(struct multipart *multipart, gboolean *ret, GError **error)
{
	while (multipart->window->len < multipart->len + 2)
		if (!fill(multipart, error))
			return FALSE;
	g_string_erase(multipart->window, 0, (gssize)multipart->len);
	*ret = strncmp(multipart->window->str, "--", 2) == 0;
	return TRUE;
}

gboolean multipart_next(struct multipart *multipart, char **ret_name, char **ret_filename,
			GError **error)
{
	g_autofree char *headers = NULL;
	g_auto(GStrv) lines = NULL;
	gboolean end = multipart->is_last;

	*ret_name = *ret_filename = NULL;
	if (!end &&
	    (!multipart_read(multipart, NULL, NULL, error) || !is_end(multipart, &end, error)))
		return FALSE;
	multipart->is_last = end;
	if (end)
		return TRUE;
	headers = take_headers(multipart, error);
	if (!headers)
		return FALSE;
	lines = g_strsplit(headers, "\r\n", -1);
	for (char **line = lines; *line && !*ret_name; line++) {
		if (g_ascii_strncasecmp(*line, "Content-Disposition:", 20) != 0)
			continue;
		*ret_name = parameter(*line, "name");
		*ret_filename = parameter(*line, "filename");
	}
	*ret_name = *ret_name ? *ret_name : g_strdup("");
	*ret_filename = *ret_filename ? *ret_filename : g_strdup("");
	return TRUE;
}

/* --- sending ------------------------------------------------------------------------- */

/* One stream after the other. */
typedef struct {
	GInputStream parent;
	GPtrArray *streams;
	guint current;
} ChainStream;

typedef GInputStreamClass ChainStreamClass;

GType chain_stream_get_type(void); /* the macro's own is no static one */
G_DEFINE_TYPE(ChainStream, chain_stream, G_TYPE_INPUT_STREAM)

static gssize chain_read(GInputStream *stream, void *buffer, gsize count, GCancellable *cancel,
			 GError **error)
{
	ChainStream *chain = (ChainStream *)stream;

	while (chain->current < chain->streams->len) {
		gssize n = g_input_stream_read(chain->streams->pdata[chain->current], buffer, count,
					       cancel, error);

		if (n != 0)
			return n;
		chain->current++;
	}
	return 0;
}

static void chain_finalize(GObject *object)
{
	g_ptr_array_unref(((ChainStream *)object)->streams);
	G_OBJECT_CLASS(chain_stream_parent_class)->finalize(object);
}

static void chain_stream_class_init(ChainStreamClass *class)
{
	class->read_fn = chain_read;
	G_OBJECT_CLASS(class)->finalize = chain_finalize;
}

static void chain_stream_init(ChainStream *chain)
{
	chain->streams = g_ptr_array_new_with_free_func(g_object_unref);
}

/* Returns how many bytes were added. */
static gint64 add_text(ChainStream *chain, char *text)
{
	gint64 len = (gint64)strlen(text);

	g_ptr_array_add(chain->streams,
			g_memory_input_stream_new_from_data(text, (gssize)len, g_free));
	return len;
}

static gint64 add_file(ChainStream *chain, const struct multipart_file *file, const char *boundary)
{
	gint64 len = add_text(chain,
			      g_strdup_printf("\r\n--%s\r\nContent-Disposition: form-data; "
					      "name=\"%s\"; filename=\"%s\"\r\n"
					      "Content-Type: application/octet-stream\r\n\r\n",
					      boundary, file->name, file->filename));
	struct stat st;

	g_ptr_array_add(chain->streams, g_unix_input_stream_new(file->fd, TRUE));
	return len + (fstat(file->fd, &st) == 0 ? st.st_size : 0);
}

GInputStream *multipart_stream(const struct multipart_file *files, gsize n, gint64 *ret_len,
			       char **ret_type)
{
	ChainStream *chain = g_object_new(chain_stream_get_type(), NULL);
	g_autofree char *boundary = g_uuid_string_random();
	gint64 len = 0;

	for (gsize i = 0; i < n; i++)
		len += add_file(chain, &files[i], boundary);
	len += add_text(chain, g_strdup_printf("\r\n--%s--\r\n", boundary));
	*ret_type = g_strdup_printf("multipart/form-data; boundary=%s", boundary);
	*ret_len = len;
	return G_INPUT_STREAM(chain);
}
