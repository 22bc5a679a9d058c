/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The SFTP server: one request is read, done and answered before the next. */
#include "sftp.h"

#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "wire.h"

#define VERSION 3
#define HANDLES_MAX 256
#define READ_MAX (256 * 1024) /* bytes in one answer */
#define LIST_MAX 128	      /* entries in one answer */

enum type {
	INIT = 1,
	OPEN = 3,
	CLOSE,
	READ,
	WRITE,
	LSTAT,
	FSTAT,
	SETSTAT,
	FSETSTAT,
	OPENDIR,
	READDIR,
	REMOVE,
	MKDIR,
	RMDIR,
	REALPATH,
	STAT,
	RENAME,
	READLINK,
	SYMLINK,
	STATUS = 101,
	HANDLE,
	DATA,
	NAME,
	ATTRS,
	EXTENDED = 200,
	EXTENDED_REPLY,
};

enum { FX_OK, FX_EOF, FX_NO_SUCH_FILE, FX_PERMISSION_DENIED, FX_FAILURE, FX_UNSUPPORTED = 8 };
enum { F_READ = 1, F_WRITE = 2, F_APPEND = 4, F_CREAT = 8, F_TRUNC = 16, F_EXCL = 32 };
enum { A_SIZE = 1, A_OWNER = 2, A_MODE = 4, A_TIME = 8 };
#define A_EXTENDED 0x80000000u
#define END_OF_FILE 1 /* what a request returns then; no errno is positive */

struct handle {
	int fd;	  /* of a file */
	DIR *dir; /* of a directory; neither: a free slot */
	uint32_t generation;
};

struct sftp {
	int fds; /* this process's /proc/self/fd */
	struct handle handle[HANDLES_MAX];
	uint32_t generation;
	uint32_t id; /* of the request */
	bool answered;
	struct wire_in in;
	struct wire_out out;
	char packet[WIRE_PACKET_MAX];
	char data[READ_MAX];
};

struct attrs {
	uint32_t has;
	uint64_t size;
	uint32_t uid, gid, mode, atime, mtime;
};

/* --- packets --------------------------------------------------------------------- */

static void answer(struct sftp *s, enum type type)
{
	wire_start(&s->out, (uint8_t)type);
	wire_put32(&s->out, s->id);
	s->answered = true;
}

static uint32_t status_of(int r)
{
	switch (r) {
	case 0:
		return FX_OK;
	case END_OF_FILE:
		return FX_EOF;
	case -ENOENT:
		return FX_NO_SUCH_FILE;
	case -EACCES:
	case -EPERM:
		return FX_PERMISSION_DENIED;
	case -EOPNOTSUPP:
		return FX_UNSUPPORTED;
	default:
		return FX_FAILURE;
	}
}

static void answer_status(struct sftp *s, int r)
{
	answer(s, STATUS);
	wire_put32(&s->out, status_of(r));
	wire_put_text(&s->out, r == 0		  ? "Success"
			       : r == END_OF_FILE ? "End of file"
						  : strerror(-r));
	wire_put_text(&s->out, "");
}

static void put_attrs(struct wire_out *out, const struct stat *st)
{
	wire_put32(out, A_SIZE | A_OWNER | A_MODE | A_TIME);
	wire_put64(out, (uint64_t)st->st_size);
	wire_put32(out, st->st_uid);
	wire_put32(out, st->st_gid);
	wire_put32(out, st->st_mode);
	wire_put32(out, (uint32_t)st->st_atime);
	wire_put32(out, (uint32_t)st->st_mtime);
}

static struct attrs get_attrs(struct wire_in *in)
{
	struct attrs a = { .has = wire_get32(in) };

	if (a.has & A_SIZE)
		a.size = wire_get64(in);
	if (a.has & A_OWNER) {
		a.uid = wire_get32(in);
		a.gid = wire_get32(in);
	}
	if (a.has & A_MODE)
		a.mode = wire_get32(in) & 07777;
	if (a.has & A_TIME) {
		a.atime = wire_get32(in);
		a.mtime = wire_get32(in);
	}
	if (a.has & A_EXTENDED)
		for (uint32_t n = wire_get32(in), len; n && !in->broken; n--) {
			wire_get_data(in, &len);
			wire_get_data(in, &len);
		}
	return a;
}

static int get_path(struct sftp *s, char path[PATH_MAX])
{
	if (!wire_get_path(&s->in, path, PATH_MAX))
		return -ENAMETOOLONG;
	return s->in.broken ? -EBADMSG : 0;
}

/* --- handles --------------------------------------------------------------------- */

static struct handle *free_handle(struct sftp *s)
{
	for (size_t i = 0; i < HANDLES_MAX; i++)
		if (s->handle[i].fd < 0 && !s->handle[i].dir)
			return &s->handle[i];
	return NULL;
}

static void answer_handle(struct sftp *s, struct handle *h)
{
	uint32_t text[2] = { (uint32_t)(h - s->handle), h->generation = ++s->generation };

	answer(s, HANDLE);
	wire_put_data(&s->out, text, sizeof text);
}

static struct handle *get_handle(struct sftp *s)
{
	uint32_t text[2], len;
	const char *data = wire_get_data(&s->in, &len);
	struct handle *h;

	if (len != sizeof text)
		return NULL;
	memcpy(text, data, sizeof text);
	if (text[0] >= HANDLES_MAX)
		return NULL;
	h = &s->handle[text[0]];
	return h->generation == text[1] && (h->fd >= 0 || h->dir) ? h : NULL;
}

static void free_slot(struct handle *h)
{
	if (h->dir)
		closedir(h->dir);
	if (h->fd >= 0)
		close(h->fd);
	*h = (struct handle){ .fd = -1 };
}

/* --- files ----------------------------------------------------------------------- */

/*
 * Opens what is there, when it is a regular file. Looked at through an O_PATH descriptor first, as
 * opening is enough to make some devices act, and a pipe would block.
 */
static int open_existing(const struct sftp *s, const char *path, int flags)
{
	AUTO_CLOSE int seen = open(path, O_PATH | O_CLOEXEC);
	struct stat st;
	char name[16];
	int fd;

	if (seen < 0 || fstat(seen, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	snprintf(name, sizeof name, "%d", seen);
	fd = openat(s->fds, name, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

static int open_file(const struct sftp *s, const char *path, uint32_t wanted, mode_t mode)
{
	int flags = wanted & F_WRITE ? (wanted & F_READ ? O_RDWR : O_WRONLY) : O_RDONLY;
	int fd;

	if (wanted & F_CREAT) {
		fd = open(path, flags | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, mode);
		if (fd >= 0)
			return fd;
		if (errno != EEXIST || (wanted & F_EXCL))
			return -errno;
	}
	if (wanted & F_WRITE && wanted & F_TRUNC)
		flags |= O_TRUNC;
	return open_existing(s, path, flags);
}

static int do_open(struct sftp *s)
{
	struct handle *h = free_handle(s);
	char path[PATH_MAX];
	int r = get_path(s, path);
	uint32_t wanted = wire_get32(&s->in);
	struct attrs a = get_attrs(&s->in);

	if (r || s->in.broken || !h)
		return r ? r : h ? -EBADMSG : -EMFILE;
	/* O_APPEND is not used: a write says where, and clients that append know the size */
	r = open_file(s, path, wanted, a.has & A_MODE ? a.mode : 0644);
	if (r < 0)
		return r;
	h->fd = r;
	answer_handle(s, h);
	return 0;
}

static int do_close(struct sftp *s)
{
	struct handle *h = get_handle(s);

	if (!h)
		return -EBADF;
	free_slot(h);
	return 0;
}

static int do_read(struct sftp *s)
{
	const struct handle *h = get_handle(s);
	uint64_t at = wire_get64(&s->in);
	uint32_t len = wire_get32(&s->in);
	ssize_t n;

	if (!h || h->fd < 0 || s->in.broken || at > INT64_MAX)
		return -EBADF;
	n = pread(h->fd, s->data, len < READ_MAX ? len : READ_MAX, (off_t)at);
	if (n < 0)
		return -errno;
	if (n == 0 && len)
		return END_OF_FILE;
	answer(s, DATA);
	wire_put_data(&s->out, s->data, (size_t)n);
	return 0;
}

static int do_write(struct sftp *s)
{
	const struct handle *h = get_handle(s);
	uint64_t at = wire_get64(&s->in);
	uint32_t len;
	const char *data = wire_get_data(&s->in, &len);

	if (!h || h->fd < 0 || s->in.broken || at > INT64_MAX)
		return -EBADF;
	while (len) {
		ssize_t n = pwrite(h->fd, data, len, (off_t)at);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			data += n;
			at += (uint64_t)n;
			len -= (uint32_t)n;
		}
	}
	return 0;
}

/* --- attributes ------------------------------------------------------------------ */

static int answer_attrs(struct sftp *s, int r, const struct stat *st)
{
	if (r)
		return -errno;
	answer(s, ATTRS);
	put_attrs(&s->out, st);
	return 0;
}

static int do_stat(struct sftp *s, int flags)
{
	char path[PATH_MAX];
	struct stat st;
	int r = get_path(s, path);

	return r ? r : answer_attrs(s, fstatat(AT_FDCWD, path, &st, flags), &st);
}

static int handle_fd(const struct handle *h)
{
	return h->dir ? dirfd(h->dir) : h->fd;
}

static int do_fstat(struct sftp *s)
{
	const struct handle *h = get_handle(s);
	struct stat st;

	return h ? answer_attrs(s, fstat(handle_fd(h), &st), &st) : -EBADF;
}

/* The owner first: changing it takes the set-id bits away. */
static int set_attrs(int fd, const struct attrs *a)
{
	struct timespec times[2] = { { .tv_sec = a->atime }, { .tv_sec = a->mtime } };

	if (a->has & A_SIZE && ftruncate(fd, (off_t)a->size))
		return -errno;
	if (a->has & A_OWNER && fchown(fd, a->uid, a->gid))
		return -errno;
	if (a->has & A_MODE && fchmod(fd, a->mode))
		return -errno;
	if (a->has & A_TIME && futimens(fd, times))
		return -errno;
	return 0;
}

static int set_path_attrs(const struct sftp *s, const char *path, const struct attrs *a)
{
	struct timespec times[2] = { { .tv_sec = a->atime }, { .tv_sec = a->mtime } };
	struct attrs size = { .has = A_SIZE, .size = a->size };
	AUTO_CLOSE int fd = -1;
	int r;

	if (a->has & A_SIZE) {
		fd = open_existing(s, path, O_WRONLY);
		r = fd < 0 ? fd : set_attrs(fd, &size);
		if (r)
			return r;
	}
	if (a->has & A_OWNER && chown(path, a->uid, a->gid))
		return -errno;
	if (a->has & A_MODE && chmod(path, a->mode))
		return -errno;
	if (a->has & A_TIME && utimensat(AT_FDCWD, path, times, 0))
		return -errno;
	return 0;
}

static int do_setstat(struct sftp *s)
{
	char path[PATH_MAX];
	int r = get_path(s, path);
	struct attrs a = get_attrs(&s->in);

	return r ? r : s->in.broken ? -EBADMSG : set_path_attrs(s, path, &a);
}

static int do_fsetstat(struct sftp *s)
{
	const struct handle *h = get_handle(s);
	struct attrs a = get_attrs(&s->in);

	return !h ? -EBADF : s->in.broken ? -EBADMSG : set_attrs(handle_fd(h), &a);
}

/* --- directories ----------------------------------------------------------------- */

static int do_opendir(struct sftp *s)
{
	struct handle *h = free_handle(s);
	char path[PATH_MAX];
	int r = get_path(s, path);
	int fd;

	if (r || !h)
		return r ? r : -EMFILE;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	h->dir = fdopendir(fd);
	if (!h->dir) {
		close(fd);
		return -ENOMEM;
	}
	answer_handle(s, h);
	return 0;
}

/* As `ls -l` has it, without the time: clients show it or ignore it. */
static void put_entry(struct wire_out *out, const char *name, const struct stat *st)
{
	static const char types[] = "?pc?d?b?-?l?s???";
	char longname[NAME_MAX + 128];
	char mode[11] = "-rwxrwxrwx";

	mode[0] = types[(st->st_mode & S_IFMT) >> 12];
	for (int bit = 0; bit < 9; bit++)
		if (!(st->st_mode & (0400u >> bit)))
			mode[1 + bit] = '-';
	snprintf(longname, sizeof longname, "%s %lu %u %u %lld %s", mode,
		 (unsigned long)st->st_nlink, st->st_uid, st->st_gid, (long long)st->st_size, name);
	wire_put_text(out, name);
	wire_put_text(out, longname);
	put_attrs(out, st);
}

static int do_readdir(struct sftp *s)
{
	const struct handle *h = get_handle(s);
	const struct dirent *entry;
	uint32_t count = 0, count_be;
	struct stat st;

	if (!h || !h->dir)
		return -EBADF;
	answer(s, NAME);
	wire_put32(&s->out, 0);
	while (count < LIST_MAX && (entry = readdir(h->dir))) {
		if (fstatat(dirfd(h->dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW))
			continue; /* gone meanwhile */
		put_entry(&s->out, entry->d_name, &st);
		count++;
	}
	if (!count)
		return END_OF_FILE;
	count_be = htobe32(count);
	memcpy(s->out.data + 4 + 1 + 4, &count_be, sizeof count_be);
	return 0;
}

static int do_mkdir(struct sftp *s)
{
	char path[PATH_MAX];
	int r = get_path(s, path);
	struct attrs a = get_attrs(&s->in);

	if (r || s->in.broken)
		return r ? r : -EBADMSG;
	return mkdir(path, a.has & A_MODE ? a.mode : 0755) ? -errno : 0;
}

static int do_remove(struct sftp *s, int flags)
{
	char path[PATH_MAX];
	int r = get_path(s, path);

	return r ? r : unlinkat(AT_FDCWD, path, flags) ? -errno : 0;
}

/* --- names ----------------------------------------------------------------------- */

static void answer_name(struct sftp *s, const char *name)
{
	answer(s, NAME);
	wire_put32(&s->out, 1);
	wire_put_text(&s->out, name);
	wire_put_text(&s->out, name);
	wire_put32(&s->out, 0);
}

/* By its text alone: "a/../b" is "/b", whatever "a" is. */
static void clean(const char *path, char to[PATH_MAX])
{
	size_t n = 0;

	while (*path) {
		size_t len;

		path += strspn(path, "/");
		len = strcspn(path, "/");
		if (len == 2 && path[0] == '.' && path[1] == '.') {
			while (n && to[--n] != '/')
				;
		} else if (len && !(len == 1 && path[0] == '.') && n + len + 2 < PATH_MAX) {
			to[n++] = '/';
			memcpy(to + n, path, len);
			n += len;
		}
		path += len;
	}
	if (!n)
		to[n++] = '/';
	to[n] = '\0';
}

static int do_realpath(struct sftp *s)
{
	char path[PATH_MAX], to[PATH_MAX];
	int r = get_path(s, path);

	if (r)
		return r;
	clean(path, to);
	answer_name(s, to);
	return 0;
}

static int do_readlink(struct sftp *s)
{
	char path[PATH_MAX], to[PATH_MAX];
	int r = get_path(s, path);
	ssize_t n = r ? 0 : readlink(path, to, sizeof to - 1);

	if (r || n < 0)
		return r ? r : -errno;
	to[n] = '\0';
	answer_name(s, to);
	return 0;
}

/* OpenSSH and all that came after it send the target first, other than the draft says. */
static int do_symlink(struct sftp *s)
{
	char target[PATH_MAX], path[PATH_MAX];
	int r = get_path(s, target);

	if (!r)
		r = get_path(s, path);
	return r ? r : symlink(target, path) ? -errno : 0;
}

static int get_two(struct sftp *s, char from[PATH_MAX], char to[PATH_MAX])
{
	int r = get_path(s, from);

	return r ? r : get_path(s, to);
}

/* Version 3 does not replace what is there. */
static int do_rename(struct sftp *s)
{
	char from[PATH_MAX], to[PATH_MAX];
	int r = get_two(s, from, to);

	return r ? r : renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) ? -errno : 0;
}

/* --- extensions ------------------------------------------------------------------ */

static int do_posix_rename(struct sftp *s)
{
	char from[PATH_MAX], to[PATH_MAX];
	int r = get_two(s, from, to);

	return r ? r : rename(from, to) ? -errno : 0;
}

static int do_hardlink(struct sftp *s)
{
	char from[PATH_MAX], to[PATH_MAX];
	int r = get_two(s, from, to);

	return r ? r : link(from, to) ? -errno : 0;
}

static int do_fsync(struct sftp *s)
{
	const struct handle *h = get_handle(s);

	return !h ? -EBADF : fsync(handle_fd(h)) ? -errno : 0;
}

static int do_statvfs(struct sftp *s)
{
	char path[PATH_MAX];
	struct statvfs st;
	int r = get_path(s, path);

	if (r || statvfs(path, &st))
		return r ? r : -errno;
	answer(s, EXTENDED_REPLY);
	wire_put64(&s->out, st.f_bsize);
	wire_put64(&s->out, st.f_frsize);
	wire_put64(&s->out, st.f_blocks);
	wire_put64(&s->out, st.f_bfree);
	wire_put64(&s->out, st.f_bavail);
	wire_put64(&s->out, st.f_files);
	wire_put64(&s->out, st.f_ffree);
	wire_put64(&s->out, st.f_favail);
	wire_put64(&s->out, st.f_fsid);
	wire_put64(&s->out, (st.f_flag & ST_RDONLY ? 1 : 0) | (st.f_flag & ST_NOSUID ? 2 : 0));
	wire_put64(&s->out, st.f_namemax);
	return 0;
}

static const struct {
	const char *name, *version;
	int (*run)(struct sftp *s);
} extensions[] = {
	{ "posix-rename@openssh.com", "1", do_posix_rename },
	{ "hardlink@openssh.com", "1", do_hardlink },
	{ "fsync@openssh.com", "1", do_fsync },
	{ "statvfs@openssh.com", "2", do_statvfs },
};

static int do_extended(struct sftp *s)
{
	uint32_t len;
	const char *name = wire_get_data(&s->in, &len);

	for (size_t i = 0; i < ARRAY_SIZE(extensions); i++)
		if (strlen(extensions[i].name) == len && !memcmp(name, extensions[i].name, len))
			return extensions[i].run(s);
	return -EOPNOTSUPP;
}

/* --- the session ----------------------------------------------------------------- */

static void answer_version(struct sftp *s)
{
	wire_start(&s->out, 2);
	wire_put32(&s->out, VERSION);
	for (size_t i = 0; i < ARRAY_SIZE(extensions); i++) {
		wire_put_text(&s->out, extensions[i].name);
		wire_put_text(&s->out, extensions[i].version);
	}
	s->answered = true;
}

static int do_request(struct sftp *s, uint8_t type)
{
	switch (type) {
	case OPEN:
		return do_open(s);
	case CLOSE:
		return do_close(s);
	case READ:
		return do_read(s);
	case WRITE:
		return do_write(s);
	case LSTAT:
		return do_stat(s, AT_SYMLINK_NOFOLLOW);
	case FSTAT:
		return do_fstat(s);
	case SETSTAT:
		return do_setstat(s);
	case FSETSTAT:
		return do_fsetstat(s);
	case OPENDIR:
		return do_opendir(s);
	case READDIR:
		return do_readdir(s);
	case REMOVE:
		return do_remove(s, 0);
	case MKDIR:
		return do_mkdir(s);
	case RMDIR:
		return do_remove(s, AT_REMOVEDIR);
	case REALPATH:
		return do_realpath(s);
	case STAT:
		return do_stat(s, 0);
	case RENAME:
		return do_rename(s);
	case READLINK:
		return do_readlink(s);
	case SYMLINK:
		return do_symlink(s);
	case EXTENDED:
		return do_extended(s);
	default:
		return -EOPNOTSUPP;
	}
}

/* 0 at the end of input, before the first byte; else all of it was read, or an error. */
static ssize_t read_all(int fd, char *to, size_t len)
{
	size_t got = 0;

	while (got < len) {
		ssize_t n = read(fd, to + got, len - got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : got ? -EPROTO : 0;
		got += (size_t)n;
	}
	return (ssize_t)got;
}

static int write_all(int fd, const char *from, size_t len)
{
	while (len) {
		ssize_t n = write(fd, from, len);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			from += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

/* 1: a packet is there; 0: the end. */
static int read_packet(struct sftp *s, int in)
{
	struct wire_in head = { .at = s->packet, .left = 4 };
	ssize_t n = read_all(in, s->packet, 4);
	uint32_t len;

	if (n <= 0)
		return (int)n;
	len = wire_get32(&head);
	if (len < 5 || len > WIRE_PACKET_MAX)
		return -EPROTO;
	n = read_all(in, s->packet, len);
	s->in = (struct wire_in){ .at = s->packet, .left = len };
	return n == (ssize_t)len ? 1 : -EPROTO;
}

static int handle_packet(struct sftp *s)
{
	uint8_t type = wire_get8(&s->in);
	int r;

	s->id = wire_get32(&s->in);
	s->answered = false;
	if (type == INIT) {
		answer_version(s);
		r = 0;
	} else {
		r = do_request(s, type);
	}
	if (r || !s->answered)
		answer_status(s, r);
	wire_finish(&s->out);
	return s->out.broken ? -EOVERFLOW : 0;
}

int sftp_serve(int in, int out, int fds)
{
	AUTO_FREE struct sftp *s = calloc(1, sizeof *s);
	int r;

	if (!s)
		return -ENOMEM;
	s->fds = fds;
	for (size_t i = 0; i < HANDLES_MAX; i++)
		s->handle[i].fd = -1;
	while ((r = read_packet(s, in)) > 0) {
		r = handle_packet(s);
		if (!r)
			r = write_all(out, s->out.data, s->out.len);
		if (r)
			break;
	}
	for (size_t i = 0; i < HANDLES_MAX; i++)
		free_slot(&s->handle[i]);
	return r;
}
