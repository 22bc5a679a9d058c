/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Kinds of archives, and how a tar is read whatever it is compressed with. */
#include "util/archive.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "util/archive_internal.h"
#include "util/error.h"

struct magic {
	enum archive_kind kind;
	gsize offset, len;
	const char *bytes, *suffix;
};

/* LZMA has no magic; this is the start of what every compressor with usual settings writes. */
static const struct magic magics[] = {
	{ ARCHIVE_TAR, 257, 5, "ustar", ".tar" },
	{ ARCHIVE_TAR_GZIP, 0, 2, "\x1f\x8b", ".tar.gz" },
	{ ARCHIVE_TAR_BZIP2, 0, 3, "BZh", ".tar.bz2" },
	{ ARCHIVE_TAR_XZ, 0, 6,
	  "\xfd"
	  "7zXZ\0",
	  ".tar.xz" },
	{ ARCHIVE_TAR_LZMA, 0, 3, "\x5d\0\0", ".tar.lzma" },
	{ ARCHIVE_TAR_ZSTD, 0, 4, "\x28\xb5\x2f\xfd", ".tar.zst" },
	{ ARCHIVE_SQUASHFS, 0, 4, "hsqs", ".squashfs" },
	{ ARCHIVE_QCOW2, 0, 4, "QFI\xfb", ".qcow2" },
};

enum archive_kind archive_kind(int fd)
{
	char head[512] = { 0 };
	ssize_t len = pread(fd, head, sizeof head, 0);

	for (gsize i = 0; i < G_N_ELEMENTS(magics) && len > 0; i++) {
		const struct magic *magic = &magics[i];

		if (memcmp(head + magic->offset, magic->bytes, magic->len) == 0)
			return magic->kind;
	}
	return ARCHIVE_UNKNOWN;
}

const char *archive_suffix(enum archive_kind kind)
{
	for (gsize i = 0; i < G_N_ELEMENTS(magics); i++)
		if (magics[i].kind == kind)
			return magics[i].suffix;
	return "";
}

/* --- names -------------------------------------------------------------------------- */

locale_t names_are_utf8(void)
{
	static gsize once;
	static locale_t utf8;

	if (g_once_init_enter(&once)) {
		utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
		g_once_init_leave(&once, 1);
	}
	return utf8 ? uselocale(utf8) : uselocale((locale_t)0);
}

void names_restore(locale_t before)
{
	uselocale(before);
}

char *archive_clean_name(const char *name, GError **error)
{
	g_auto(GStrv) parts = g_strsplit(name, "/", -1);
	GString *clean = g_string_new(NULL);

	for (char **part = parts; *part; part++) {
		if (strcmp(*part, "..") == 0) {
			fail(error, 400, "Bad name in archive: \"%s\"", name);
			g_string_free(clean, TRUE);
			return NULL;
		}
		if (**part && strcmp(*part, ".") != 0)
			g_string_append_printf(clean, "%s%s", clean->len ? "/" : "", *part);
	}
	return g_string_free(clean, FALSE);
}

/* --- reading a tar ------------------------------------------------------------------ */

static la_ssize_t read_block(struct archive *archive, void *data, const void **ret)
{
	struct source *source = data;
	ssize_t len;

	if (g_cancellable_is_cancelled(source->cancel)) {
		archive_set_error(archive, ECANCELED, "cancelled");
		return -1;
	}
	do
		len = read(source->fd, source->buffer, ARCHIVE_BLOCK);
	while (len < 0 && errno == EINTR);
	if (len < 0)
		archive_set_error(archive, errno, "read: %s", g_strerror(errno));
	if (len > 0)
		source->read += len;
	if (source->progress && len > 0)
		source->progress(source->read, source->total, source->progress_data);
	*ret = source->buffer;
	return len;
}

/* Only what the library does itself: no filter that runs a program. */
static void support(struct archive *archive)
{
	archive_read_support_format_tar(archive);
	archive_read_support_filter_gzip(archive);
	archive_read_support_filter_bzip2(archive);
	archive_read_support_filter_xz(archive);
	archive_read_support_filter_lzma(archive);
	archive_read_support_filter_zstd(archive);
}

gboolean source_open(struct source *source, int fd, const struct archive_unpack *spec,
		     GError **error)
{
	struct stat st;

	if (!libarchive(error))
		return FALSE;
	*source = (struct source){ .fd = fd, .total = -1, .archive = archive_read_new() };
	source->buffer = g_malloc(ARCHIVE_BLOCK);
	source->before = names_are_utf8();
	if (spec) {
		source->cancel = spec->cancel;
		source->progress = spec->progress;
		source->progress_data = spec->progress_data;
	}
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		source->total = st.st_size;
	support(source->archive);
	if (archive_read_open(source->archive, source, NULL, read_block, NULL) == ARCHIVE_OK)
		return TRUE;
	source_failed(source, error);
	source_close(source);
	return FALSE;
}

void source_close(struct source *source)
{
	archive_read_free(source->archive);
	g_free(source->buffer);
	names_restore(source->before);
}

gboolean source_failed(struct source *source, GError **error)
{
	const char *words = archive_error_string(source->archive);

	if (g_cancellable_set_error_if_cancelled(source->cancel, error))
		return FALSE;
	return fail(error, 400, "Failed to unpack: %s", words ? words : "unknown format");
}

struct archive_entry *source_next(struct source *source, GError **error)
{
	struct archive_entry *entry;
	int rc = archive_read_next_header(source->archive, &entry);

	if (rc == ARCHIVE_EOF)
		return NULL;
	/* A warning is about a name that is not UTF-8, which is passed through, or no name at all.
	 */
	if ((rc == ARCHIVE_OK || rc == ARCHIVE_WARN) && archive_entry_pathname(entry))
		return entry;
	source_failed(source, error);
	return NULL;
}

/* --- one member ----------------------------------------------------------------------- */

static gboolean read_all(struct source *source, struct archive_entry *entry, gsize max, char **ret,
			 gsize *ret_len, GError **error)
{
	GByteArray *bytes;
	char block[16384];
	la_ssize_t len;

	if (archive_entry_size(entry) > (gint64)max)
		return fail(error, 400, "\"%s\" is longer than %" G_GSIZE_FORMAT " bytes",
			    archive_entry_pathname(entry), max);
	bytes = g_byte_array_new();
	while ((len = archive_read_data(source->archive, block, sizeof block)) > 0 &&
	       bytes->len + (gsize)len <= max)
		g_byte_array_append(bytes, (guint8 *)block, (guint)len);
	if (len != 0) {
		g_byte_array_free(bytes, TRUE);
		return source_failed(source, error);
	}
	g_byte_array_append(bytes, (const guint8 *)"", 1);
	if (ret_len)
		*ret_len = bytes->len - 1;
	*ret = (char *)g_byte_array_free(bytes, FALSE);
	return TRUE;
}

static gboolean is_named(struct archive_entry *entry, const char *name)
{
	g_autofree char *clean = archive_clean_name(archive_entry_pathname(entry), NULL);

	return clean && strcmp(clean, name) == 0 && archive_entry_filetype(entry) == AE_IFREG;
}

static gboolean read_from_tar(int fd, const char *name, gsize max, char **ret, gsize *ret_len,
			      GError **error)
{
	g_autoptr(GError) bad = NULL;
	struct source source;
	struct archive_entry *entry;
	gboolean ok;

	if (!source_open(&source, fd, NULL, error))
		return FALSE;
	do
		entry = source_next(&source, &bad);
	while (entry && !is_named(entry, name));
	if (entry)
		ok = read_all(&source, entry, max, ret, ret_len, error);
	else if (bad)
		ok = (g_propagate_error(error, g_steal_pointer(&bad)), FALSE);
	else
		ok = fail(error, 404, "\"%s\" is not in the archive", name);
	source_close(&source);
	return ok;
}

gboolean archive_read_member(int fd, const char *name, gsize max, char **ret, gsize *ret_len,
			     GError **error)
{
	gboolean ok;

	if (archive_kind(fd) == ARCHIVE_SQUASHFS)
		return squashfs_read_member(fd, name, max, ret, ret_len, error);
	if (lseek(fd, 0, SEEK_SET) < 0)
		return fail_errno(error, errno, "Failed to read an archive");
	ok = read_from_tar(fd, name, max, ret, ret_len, error);
	lseek(fd, 0, SEEK_SET);
	return ok;
}
