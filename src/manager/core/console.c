/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Consoles of instances. */
#include "core/console.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG_MAX (4 * 1024 * 1024) /* bytes of a console.log that are read: its end */
#define SIDE_MAX 65535

void console_resize(const struct instance_terminal *console, int width, int height)
{
	struct winsize size = { .ws_row = (unsigned short)height, .ws_col = (unsigned short)width };

	if (width > 0 && width <= SIDE_MAX && height > 0 && height <= SIDE_MAX)
		ioctl(console->fd, TIOCSWINSZ, &size);
}

gboolean console_open(const struct instance *inst, int width, int height,
		      struct instance_terminal *ret, GError **error)
{
	const struct instance_place place = instance_place(inst);
	struct instance_terminal console;

	if (!inst->driver->console(&place, &console, error))
		return FALSE;
	console_resize(&console, width, height);
	*ret = console;
	return TRUE;
}

/* --- the log of a stopped one ------------------------------------------------------------ */

static char *log_path(const struct instance *inst)
{
	return g_build_filename(inst->log_dir, "console.log", NULL);
}

static int open_log(const char *path, int flags, const char *what, int missing, GError **error)
{
	int fd = open(path, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		fail(error, missing, "%s %s: no such file or directory", what, path);
	else if (fd < 0)
		fail_errno(error, errno, "Failed to open %s", path);
	return fd;
}

static GBytes *read_end(int fd)
{
	struct stat st;
	GByteArray *text = g_byte_array_new();
	guint8 block[4096];
	off_t at = 0;
	ssize_t n;

	if (fstat(fd, &st) == 0)
		at = MAX(st.st_size - LOG_MAX, 0);
	while (text->len < LOG_MAX && (n = pread(fd, block, sizeof block, at)) > 0) {
		g_byte_array_append(text, block, (guint)n);
		at += n;
	}
	return g_byte_array_free_to_bytes(text);
}

static GBytes *read_file(const struct instance *inst, GError **error)
{
	g_autofree char *path = log_path(inst);
	int fd = open_log(path, O_RDONLY, "open", 500, error);
	GBytes *text;

	if (fd < 0)
		return NULL;
	text = read_end(fd);
	close(fd);
	return text;
}

static gboolean empty_file(const struct instance *inst, GError **error)
{
	g_autofree char *path = log_path(inst);
	int fd = open_log(path, O_WRONLY, "stat", 404, error);
	gboolean ok;

	if (fd < 0)
		return FALSE;
	ok = ftruncate(fd, 0) == 0 || fail_errno(error, errno, "Failed to empty %s", path);
	close(fd);
	return ok;
}

/* --- both ---------------------------------------------------------------------------------- */

GBytes *console_log(const struct instance *inst, GError **error)
{
	const struct instance_place place = instance_place(inst);
	GBytes *text = NULL;

	if (!instance_is_running(inst))
		return read_file(inst, error);
	return inst->driver->console_log(&place, FALSE, &text, error) ? text : NULL;
}

gboolean console_log_clear(const struct instance *inst, GError **error)
{
	const struct instance_place place = instance_place(inst);

	if (!instance_is_running(inst))
		return empty_file(inst, error);
	return inst->driver->console_log(&place, TRUE, NULL, error);
}
