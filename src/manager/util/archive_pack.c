/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Packs directories as a tar (pax, extended only where it must be) and hands it to a compressor
 * that runs beside it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "util/archive.h"
#include "util/archive_internal.h"
#include "util/error.h"
#include "util/run.h"

#define HOLE_BLOCK (64 * 1024 * 1024)
#define XATTR_MAX 65536

struct pack {
	const struct archive_pack *spec;
	const struct archive_tree *tree; /* the one that is being written */
	struct archive *archive;
	int fd;
	gboolean is_socket;
	GHashTable *links; /* "device:inode" of files with more than one name, to the first name */
	char *buffer;
	void *zeroes; /* never touched pages for holes */
	gint64 bytes;
};

/* --- compressors ---------------------------------------------------------------------- */

struct compressor {
	const char *name;
	const char *args[6];
};

static const struct compressor compressors[] = {
	{ "gzip", { "-c", "-n" } },
	{ "bzip2", { "-c" } },
	{ "xz", { "-c" } },
	{ "lzma", { "-c" } },
	{ "zstd", { "-c", "-q", "-T0" } },
	{ "lz4", { "-c", "-q" } },
	{ "pigz", { "-c", "-n" } },
	{ "mksquashfs", { "-", NULL } },
};

/* Switches that change how it compresses, and none that names a file. */
static gboolean is_harmless(const char *word)
{
	static const char *const known[] = { "--rsyncable", "--fast", "--best",	 "--extreme",
					     "-e",	    "--long", "--ultra", "--no-check" };
	const char *rest = word;

	for (gsize i = 0; i < G_N_ELEMENTS(known); i++)
		if (strcmp(word, known[i]) == 0)
			return TRUE;
	if (g_str_has_prefix(word, "--long=") || g_str_has_prefix(word, "--threads="))
		rest = strchr(word, '=') + 1;
	else if (g_str_has_prefix(word, "-T"))
		rest = word + 2;
	else if (*word == '-')
		rest = word + 1;
	else
		return FALSE;
	return *rest && !rest[strspn(rest, "0123456789")];
}

static const struct compressor *find_compressor(const char *name)
{
	if (strcmp(name, "squashfs") == 0)
		name = "mksquashfs";
	for (gsize i = 0; i < G_N_ELEMENTS(compressors); i++)
		if (strcmp(compressors[i].name, name) == 0)
			return &compressors[i];
	return NULL;
}

static gboolean is_plain(const char *compressor)
{
	return !compressor || !*compressor || strcmp(compressor, "none") == 0;
}

/* *ret is the compressor's name and the words that the user added. */
static gboolean split(const char *text, char ***ret, GError **error)
{
	g_auto(GStrv) words = NULL;
	const struct compressor *found;

	if (!g_shell_parse_argv(text, NULL, &words, NULL) || !(found = find_compressor(words[0])))
		return fail(error, 400, "exec: \"%s\": executable file not found in $PATH", text);
	for (char **word = words + 1; *word; word++)
		if (!is_harmless(*word))
			return fail(error, 400, "Bad argument for \"%s\": \"%s\"", words[0], *word);
	g_free(words[0]);
	words[0] = g_strdup(found->name);
	*ret = g_steal_pointer(&words);
	return TRUE;
}

gboolean archive_check_compressor(const char *compressor, GError **error)
{
	g_auto(GStrv) words = NULL;
	g_autofree char *program = NULL;

	if (is_plain(compressor))
		return TRUE;
	if (!split(compressor, &words, error))
		return FALSE;
	program = g_find_program_in_path(words[0]);
	return program ||
	       fail(error, 400, "exec: \"%s\": executable file not found in $PATH", words[0]);
}

static char **command(const char *compressor, int fd, GError **error)
{
	g_auto(GStrv) words = NULL;
	GPtrArray *argv;

	if (!split(compressor, &words, error))
		return NULL;
	argv = g_ptr_array_new();
	g_ptr_array_add(argv, g_strdup(words[0]));
	for (const char *const *arg = find_compressor(words[0])->args; *arg; arg++)
		g_ptr_array_add(argv, g_strdup(*arg));
	if (strcmp(words[0], "mksquashfs") == 0) {
		g_ptr_array_add(argv, g_strdup_printf("/proc/%d/fd/%d", (int)getpid(), fd));
		for (const char *const *arg = (const char *const[]){ "-tar", "-noappend", "-quiet",
								     "-no-progress", NULL };
		     *arg; arg++)
			g_ptr_array_add(argv, g_strdup(*arg));
	}
	for (char **word = words + 1; *word; word++)
		g_ptr_array_add(argv, g_strdup(*word));
	g_ptr_array_add(argv, NULL);
	return (char **)g_ptr_array_free(argv, FALSE);
}

/* --- the tar --------------------------------------------------------------------------- */

static la_ssize_t write_out(struct archive *archive, void *data, const void *block, size_t len)
{
	struct pack *pack = data;
	ssize_t n;

	if (g_cancellable_is_cancelled(pack->spec->cancel)) {
		archive_set_error(archive, ECANCELED, "cancelled");
		return -1;
	}
	do /* a socket, so that a compressor that died is an error and no signal */
		n = pack->is_socket ? send(pack->fd, block, len, MSG_NOSIGNAL)
				    : write(pack->fd, block, len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		archive_set_error(archive, errno, "write: %s", g_strerror(errno));
	return n;
}

static gboolean broken(const struct pack *pack, const char *name, GError **error)
{
	const char *words = archive_error_string(pack->archive);

	if (g_cancellable_set_error_if_cancelled(pack->spec->cancel, error))
		return FALSE;
	return fail(error, 500, "Failed to pack \"%s\": %s", name, words ? words : "");
}

static gboolean write_header(const struct pack *pack, struct archive_entry *entry, GError **error)
{
	int rc = archive_write_header(pack->archive, entry);

	/* A warning is about a name that is not UTF-8, written as the bytes it is. */
	return rc == ARCHIVE_OK || rc == ARCHIVE_WARN ||
	       broken(pack, archive_entry_pathname(entry), error);
}

static gboolean write_member(const struct pack *pack, const struct archive_member *member,
			     GError **error)
{
	struct archive_entry *entry = archive_entry_new();
	gboolean ok;

	archive_entry_set_pathname(entry, member->name);
	archive_entry_set_mode(entry, S_IFREG | (member->mode ? member->mode : 0644));
	archive_entry_set_size(entry, (la_int64_t)member->len);
	archive_entry_set_mtime(entry, g_get_real_time() / G_USEC_PER_SEC, 0);
	ok = write_header(pack, entry, error);
	if (ok &&
	    archive_write_data(pack->archive, member->text, member->len) != (la_ssize_t)member->len)
		ok = broken(pack, member->name, error);
	archive_entry_free(entry);
	return ok;
}

/* --- one file ---------------------------------------------------------------------------- */

struct file {
	int dir;	  /* that it is in */
	const char *leaf; /* its name there */
	const char *name; /* in the archive */
	int fd;		  /* of files and directories */
	struct stat st;
};

static gboolean read_value(const char *path, const char *name, GByteArray *value)
{
	ssize_t len;

	g_byte_array_set_size(value, XATTR_MAX);
	len = lgetxattr(path, name, value->data, XATTR_MAX);
	g_byte_array_set_size(value, len < 0 ? 0 : (guint)len);
	return len >= 0;
}

static void keep_attribute(const struct pack *pack, struct archive_entry *entry, const char *path,
			   const char *name)
{
	GByteArray *value = g_byte_array_new();

	if (read_value(path, name, value) &&
	    archive_map_xattr(name, value, pack->tree->owner, pack->tree->owner_data)) {
		if (strcmp(name, "system.posix_acl_access") == 0)
			archive_acl_entries(entry, ARCHIVE_ENTRY_ACL_TYPE_ACCESS, value);
		else if (strcmp(name, "system.posix_acl_default") == 0)
			archive_acl_entries(entry, ARCHIVE_ENTRY_ACL_TYPE_DEFAULT, value);
		else
			archive_entry_xattr_add_entry(entry, name, value->data, value->len);
	}
	g_byte_array_free(value, TRUE);
}

static void keep_attributes(const struct pack *pack, struct archive_entry *entry,
			    const struct file *file)
{
	char path[PATH_MAX];
	g_autofree char *names = NULL;
	ssize_t len;

	if (file->fd >= 0)
		g_snprintf(path, sizeof path, "/proc/self/fd/%d/.", file->fd);
	if (file->fd < 0 || !S_ISDIR(file->st.st_mode))
		g_snprintf(path, sizeof path, "/proc/self/fd/%d/%s", file->dir, file->leaf);
	len = llistxattr(path, NULL, 0);
	if (len <= 0)
		return;
	names = g_malloc((gsize)len);
	len = llistxattr(path, names, (size_t)len);
	for (ssize_t at = 0; at < len; at += (ssize_t)strlen(names + at) + 1)
		keep_attribute(pack, entry, path, names + at);
}

/* Where it has data; a file that is a hole alone gets one piece of no length. */
static void keep_holes(struct archive_entry *entry, const struct file *file)
{
	off_t at = 0;
	gboolean any = FALSE;

	if ((gint64)file->st.st_blocks * 512 >= file->st.st_size)
		return;
	while (at < file->st.st_size) {
		off_t data = lseek(file->fd, at, SEEK_DATA);

		if (data < 0 || data >= file->st.st_size)
			break;
		at = lseek(file->fd, data, SEEK_HOLE);
		at = at < 0 || at > file->st.st_size ? file->st.st_size : at;
		archive_entry_sparse_add_entry(entry, data, at - data);
		any = TRUE;
	}
	if (!any)
		archive_entry_sparse_add_entry(entry, 0, 0);
}

static gboolean put(struct pack *pack, const char *name, const void *data, gsize len,
		    GError **error)
{
	while (len > 0) {
		la_ssize_t n = archive_write_data(pack->archive, data, len);

		if (n <= 0)
			return broken(pack, name, error);
		data = (const char *)data + n;
		len -= (gsize)n;
	}
	return TRUE;
}

/* The library skips what it knows to be a hole, but wants to be given it. */
static gboolean put_zeroes(struct pack *pack, const char *name, gint64 len, GError **error)
{
	while (len > 0) {
		gsize piece = (gsize)MIN(len, HOLE_BLOCK);

		if (!put(pack, name, pack->zeroes, piece, error))
			return FALSE;
		len -= (gint64)piece;
	}
	return TRUE;
}

static gboolean put_data(struct pack *pack, const struct file *file, gint64 from, gint64 to,
			 GError **error)
{
	while (from < to) {
		ssize_t n = pread(file->fd, pack->buffer, (size_t)MIN(to - from, ARCHIVE_BLOCK),
				  from);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail_errno(error, errno, "Failed to read \"%s\"", file->name);
		if (n == 0) /* it shrank */
			return put_zeroes(pack, file->name, to - from, error);
		if (!put(pack, file->name, pack->buffer, (gsize)n, error))
			return FALSE;
		from += n;
		pack->bytes += n;
		if (pack->spec->progress)
			pack->spec->progress(pack->bytes, -1, pack->spec->progress_data);
	}
	return TRUE;
}

static gboolean write_content(struct pack *pack, struct archive_entry *entry,
			      const struct file *file, GError **error)
{
	la_int64_t offset, len, at = 0;

	if (archive_entry_sparse_reset(entry) == 0)
		return put_data(pack, file, 0, file->st.st_size, error);
	while (archive_entry_sparse_next(entry, &offset, &len) == ARCHIVE_OK) {
		if (!put_zeroes(pack, file->name, offset - at, error) ||
		    !put_data(pack, file, offset, offset + len, error))
			return FALSE;
		at = offset + len;
	}
	return put_zeroes(pack, file->name, file->st.st_size - at, error);
}

/* Whether an earlier name of the same file is in the archive; else this is the first. */
static const char *first_name(struct pack *pack, const struct file *file)
{
	g_autofree char *key = NULL;
	const char *first;

	if (S_ISDIR(file->st.st_mode) || file->st.st_nlink < 2)
		return NULL;
	key = g_strdup_printf("%lx:%lx", (unsigned long)file->st.st_dev,
			      (unsigned long)file->st.st_ino);
	first = g_hash_table_lookup(pack->links, key);
	if (!first)
		g_hash_table_insert(pack->links, g_steal_pointer(&key), g_strdup(file->name));
	return first;
}

static gboolean describe(const struct pack *pack, struct archive_entry *entry,
			 const struct file *file, GError **error)
{
	const struct stat *st = &file->st;
	char target[PATH_MAX];
	uid_t uid = st->st_uid;
	gid_t gid = st->st_gid;
	ssize_t len;

	if (pack->tree->owner && !pack->tree->owner(&uid, &gid, pack->tree->owner_data))
		return fail(error, 500, "Failed to pack \"%s\": owner %u:%u is not mapped",
			    file->name, uid, gid);
	archive_entry_set_pathname(entry, file->name);
	archive_entry_set_mode(entry, st->st_mode);
	archive_entry_set_uid(entry, uid);
	archive_entry_set_gid(entry, gid);
	archive_entry_set_mtime(entry, st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
	archive_entry_set_rdevmajor(entry, major(st->st_rdev));
	archive_entry_set_rdevminor(entry, minor(st->st_rdev));
	archive_entry_set_size(entry, S_ISREG(st->st_mode) ? st->st_size : 0);
	if (S_ISLNK(st->st_mode)) {
		len = readlinkat(file->dir, file->leaf, target, sizeof target - 1);
		if (len < 0)
			return fail_errno(error, errno, "Failed to read \"%s\"", file->name);
		target[len] = 0;
		archive_entry_set_symlink(entry, target);
	}
	return TRUE;
}

static gboolean write_file(struct pack *pack, struct file *file, GError **error)
{
	struct archive_entry *entry = archive_entry_new();
	const char *first = first_name(pack, file);
	gboolean ok = describe(pack, entry, file, error);

	if (ok && first) {
		archive_entry_set_size(entry, 0);
		archive_entry_set_hardlink(entry, first);
	} else if (ok) {
		keep_attributes(pack, entry, file);
		if (S_ISREG(file->st.st_mode))
			keep_holes(entry, file);
	}
	ok = ok && write_header(pack, entry, error);
	if (ok && !first && S_ISREG(file->st.st_mode))
		ok = write_content(pack, entry, file, error);
	archive_entry_free(entry);
	return ok;
}

/* --- the trees ----------------------------------------------------------------------------- */

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* In the order of bytes, so that the same tree makes the same archive. */
static GPtrArray *names_in(int dir)
{
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
	int again = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *entries = again >= 0 ? fdopendir(again) : NULL;

	for (struct dirent *entry; entries && (entry = readdir(entries));)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			g_ptr_array_add(names, g_strdup(entry->d_name));
	if (entries)
		closedir(entries);
	g_ptr_array_sort(names, compare_names);
	return names;
}

static gboolean is_excepted(const struct archive_tree *tree, const char *below)
{
	return tree->except && g_strv_contains(tree->except, below);
}

/* Opens what can be opened without an effect; *ret_gone when it is not there any more. */
static gboolean open_file(struct file *file, gboolean *ret_gone, GError **error)
{
	file->fd = -1;
	*ret_gone = FALSE;
	if (fstatat(file->dir, file->leaf, &file->st, AT_SYMLINK_NOFOLLOW) == 0) {
		if (!S_ISREG(file->st.st_mode) && !S_ISDIR(file->st.st_mode))
			return TRUE;
		file->fd = openat(file->dir, file->leaf,
				  O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		if (file->fd >= 0 && fstat(file->fd, &file->st) == 0)
			return TRUE;
	}
	*ret_gone = errno == ENOENT || errno == ELOOP;
	return *ret_gone || fail_errno(error, errno, "Failed to open \"%s\"", file->name);
}

static gboolean pack_dir(struct pack *pack, int dir, const char *name, const char *below,
			 GError **error);

static gboolean pack_one(struct pack *pack, int dir, const char *leaf, const char *above,
			 const char *above_below, GError **error)
{
	g_autofree char *name = g_strconcat(above, *above ? "/" : "", leaf, NULL);
	g_autofree char *below = g_strconcat(above_below, *above_below ? "/" : "", leaf, NULL);
	struct file file = { .dir = dir, .leaf = leaf, .name = name };
	gboolean gone;
	gboolean ok;

	if (is_excepted(pack->tree, below))
		return TRUE;
	if (!open_file(&file, &gone, error))
		return FALSE;
	ok = gone || S_ISSOCK(file.st.st_mode) || write_file(pack, &file, error);
	if (ok && !gone && S_ISDIR(file.st.st_mode))
		ok = pack_dir(pack, file.fd, name, below, error);
	if (file.fd >= 0)
		close(file.fd);
	return ok;
}

static gboolean pack_dir(struct pack *pack, int dir, const char *name, const char *below,
			 GError **error)
{
	g_autoptr(GPtrArray) names = names_in(dir);

	for (guint i = 0; i < names->len; i++)
		if (!pack_one(pack, dir, names->pdata[i], name, below, error))
			return FALSE;
	return TRUE;
}

static gboolean pack_tree(struct pack *pack, const struct archive_tree *tree, GError **error)
{
	struct file top = { .dir = tree->dir, .leaf = ".", .name = tree->name, .fd = tree->dir };

	pack->tree = tree;
	if (*tree->name) {
		if (fstat(tree->dir, &top.st) < 0)
			return fail_errno(error, errno, "Failed to open \"%s\"", tree->name);
		if (!write_file(pack, &top, error))
			return FALSE;
	}
	return pack_dir(pack, tree->dir, tree->name, "", error);
}

static gboolean write_all(struct pack *pack, GError **error)
{
	for (gsize i = 0; i < pack->spec->n_members; i++)
		if (!write_member(pack, &pack->spec->members[i], error))
			return FALSE;
	for (gsize i = 0; i < pack->spec->n_trees; i++)
		if (!pack_tree(pack, &pack->spec->trees[i], error))
			return FALSE;
	return archive_write_close(pack->archive) == ARCHIVE_OK || broken(pack, "", error);
}

/* Writes the tar itself to pack->fd. */
static gboolean write_tar(struct pack *pack, GError **error)
{
	locale_t before;
	gboolean ok;

	if (!libarchive(error))
		return FALSE;
	before = names_are_utf8();
	pack->links = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	pack->buffer = g_malloc(ARCHIVE_BLOCK);
	pack->zeroes = mmap(NULL, HOLE_BLOCK, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pack->archive = archive_write_new();
	archive_write_set_format_pax_restricted(pack->archive);
	archive_write_set_options(pack->archive, "xattrheader=SCHILY");
	archive_write_set_bytes_per_block(pack->archive, ARCHIVE_BLOCK);
	archive_write_set_bytes_in_last_block(pack->archive, 1);
	ok = pack->zeroes != MAP_FAILED &&
	     archive_write_open(pack->archive, pack, NULL, write_out, NULL) == ARCHIVE_OK;
	ok = ok ? write_all(pack, error) : broken(pack, "", error);
	if (!ok)
		archive_write_fail(pack->archive); /* no end to what is broken */
	archive_write_free(pack->archive);
	if (pack->zeroes != MAP_FAILED)
		munmap(pack->zeroes, HOLE_BLOCK);
	g_free(pack->buffer);
	g_hash_table_unref(pack->links);
	names_restore(before);
	return ok;
}

/* The compressor's own words say more than that its socket broke: BAD is set when no tar was made.
 */
static gboolean end_compressor(struct running *running, GError *bad, GError **error)
{
	if (g_error_matches(bad, G_IO_ERROR, G_IO_ERROR_CANCELLED))
		run_kill(running);
	else if (!run_end(running, NULL, NULL, error))
		return FALSE;
	if (!bad)
		return TRUE;
	g_propagate_error(error, g_error_copy(bad));
	return FALSE;
}

static gboolean pack_through(struct pack *pack, int fd, GError **error)
{
	g_auto(GStrv) argv = command(pack->spec->compressor, fd, error);
	gboolean is_file = argv && strcmp(argv[0], "mksquashfs") == 0;
	struct run compress = { .argv = (const char *const *)argv,
				.cancel = pack->spec->cancel,
				.has_in = TRUE,
				.has_out = !is_file,
				.out = fd };
	g_autoptr(GError) bad = NULL;
	struct running *running;
	int ends[2];

	if (!argv)
		return FALSE;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return fail_errno(error, errno, "Failed to make a socket pair");
	compress.in = ends[1];
	running = run_begin(&compress, error);
	close(ends[1]);
	pack->fd = ends[0];
	pack->is_socket = TRUE;
	if (running)
		write_tar(pack, &bad);
	close(ends[0]);
	return running && end_compressor(running, bad, error);
}

gboolean archive_pack(int fd, const struct archive_pack *spec, GError **error)
{
	struct pack pack = { .spec = spec, .fd = fd };

	if (is_plain(spec->compressor))
		return write_tar(&pack, error);
	return pack_through(&pack, fd, error);
}
