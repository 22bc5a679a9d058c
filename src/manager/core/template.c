/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The files that an image's templates become, written within the instance's root alone. */
#include "core/template.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util/yaml.h"

#define METADATA_MAX (1024 * 1024)

/* --- what a template may ask for ------------------------------------------------------------ */

static json_t *as_bool(gboolean value)
{
	return json_string(value ? "true" : "false");
}

static json_t *values_of(const struct instance *inst, const char *trigger, const char *path,
			 const json_t *properties)
{
	json_t *about = json_pack("{s:s, s:s, s:s, s:o, s:o}", "name", inst->name, "type",
				  "container", "architecture", inst->architecture, "ephemeral",
				  as_bool(inst->ephemeral), "privileged",
				  as_bool(instance_is_privileged(inst)));
	json_t *values = json_pack("{s:s, s:s, s:O, s:O, s:o}", "trigger", trigger, "path", path,
				   "container", about, "instance", about, "properties",
				   json_map_copy(properties));

	json_decref(about);
	json_object_set(values, "config", inst->expanded_config);
	json_object_set(values, "devices", inst->expanded_devices);
	return values;
}

static gboolean is_due(const json_t *template, const char *trigger)
{
	json_t *when;
	size_t i;

	json_array_foreach(json_object_get(template, "when"), i, when)
	{
		if (g_strcmp0(json_string_value(when), trigger) == 0)
			return TRUE;
	}
	return FALSE;
}

/* --- files ---------------------------------------------------------------------------------- */

/* Below ROOT whatever symlinks there are: what is absolute in them begins at ROOT. */
static int open_within(int root, const char *path, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (guint64)(unsigned)(flags | O_CLOEXEC),
		.mode = mode,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};

	return (int)syscall(SYS_openat2, root, path, &how, sizeof how);
}

static void own(int fd, const struct idmap *idmap)
{
	gint64 uid = idmap && idmap->count ? idmap_uid_to_host(idmap, 0) : 0;
	gint64 gid = idmap && idmap->count ? idmap_gid_to_host(idmap, 0) : 0;

	if (uid >= 0 && gid >= 0 && fchown(fd, (uid_t)uid, (gid_t)gid) < 0)
		return; /* it stays root's, as the file system has it */
}

static gboolean make_directories(int root, const char *path, const struct idmap *idmap,
				 GError **error)
{
	g_autofree char *dir = g_path_get_dirname(path);
	g_auto(GStrv) parts = g_strsplit(dir, "/", -1);
	GString *sofar = g_string_new(".");

	for (char **part = parts; *part; part++) {
		int above, fd;

		if (!**part || strcmp(*part, ".") == 0)
			continue;
		above = open_within(root, sofar->str, O_PATH | O_DIRECTORY, 0);
		g_string_append_printf(sofar, "/%s", *part);
		if (above >= 0 && mkdirat(above, *part, 0755) == 0) {
			fd = open_within(root, sofar->str, O_RDONLY | O_DIRECTORY, 0);
			if (fd >= 0) {
				own(fd, idmap);
				close(fd);
			}
		}
		if (above >= 0)
			close(above);
	}
	g_string_free(sofar, TRUE);
	(void)error;
	return TRUE;
}

static gboolean write_all(int fd, const char *text)
{
	gsize left = strlen(text);

	while (left > 0) {
		ssize_t n = write(fd, text, left);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return FALSE;
		text += n;
		left -= (gsize)n;
	}
	return TRUE;
}

/* A file that is there keeps its owner and mode; O_NONBLOCK: a fifo holds nobody up. */
static gboolean write_file(int root, const char *path, const char *text, gboolean only_new,
			   const struct idmap *idmap, GError **error)
{
	int flags = O_WRONLY | O_NONBLOCK | O_NOCTTY;
	struct stat st;
	gboolean ok;
	int fd = open_within(root, path, flags, 0);

	if (fd >= 0 && only_new) {
		close(fd);
		return TRUE;
	}
	if (fd < 0 && errno == ENOENT) {
		make_directories(root, path, idmap, NULL);
		fd = open_within(root, path, flags | O_CREAT, 0644);
		if (fd >= 0) {
			own(fd, idmap);
			fchmod(fd, 0644);
		}
	}
	if (fd < 0)
		return fail_errno(error, errno, "Failed to create template file \"%s\"", path);
	ok = fstat(fd, &st) == 0 && S_ISREG(st.st_mode)
		     ? (ftruncate(fd, 0) == 0 && write_all(fd, text))
		     : (errno = EINVAL, FALSE);
	if (!ok)
		fail_errno(error, errno, "Failed to write template file \"%s\"", path);
	close(fd);
	return ok;
}

static char *read_bounded(int dir, const char *name, GError **error)
{
	int fd = open_within(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	GString *text = g_string_new(NULL);
	char block[4096];
	ssize_t n = -1;

	while (fd >= 0 && text->len <= METADATA_MAX && (n = read(fd, block, sizeof block)) > 0)
		g_string_append_len(text, block, n);
	if (fd >= 0)
		close(fd);
	if (fd >= 0 && n == 0)
		return g_string_free(text, FALSE);
	g_string_free(text, TRUE);
	fail_errno(error, n < 0 ? errno : EFBIG, "Failed to read \"%s\"", name);
	return NULL;
}

/* --- all of them ------------------------------------------------------------------------------ */

struct applying {
	const struct instance *inst;
	const char *trigger;
	const struct idmap *idmap;
	int volume, root;
};

static gboolean apply_one(const struct applying *work, const char *path, const json_t *template,
			  GError **error)
{
	g_autofree char *name = g_strdup_printf("templates/%s", json_text(template, "template"));
	g_autofree char *source = NULL, *text = NULL;
	g_autoptr(json_t) values = NULL;

	if (strchr(json_text(template, "template"), '/'))
		return fail(error, 400,
			    "Attempting to read template outside of template directory");
	source = read_bounded(work->volume, name, error);
	if (!source)
		return FALSE;
	values = values_of(work->inst, work->trigger, path,
			   json_object_get(template, "properties"));
	text = template_render(source, values, error);
	if (!text) {
		g_prefix_error(error, "Failed to render template \"%s\": ", name);
		return FALSE;
	}
	return write_file(work->root, path, text,
			  json_is_true(json_object_get(template, "create_only")) ||
				  json_map_true(template, "create_only"),
			  work->idmap, error);
}

static gboolean apply_all(const struct applying *work, GError **error)
{
	g_autofree char *text = read_bounded(work->volume, "metadata.yaml", NULL);
	g_autoptr(json_t) metadata = NULL;
	const char *path;
	json_t *template;

	if (!text)
		return TRUE; /* an instance without an image */
	metadata = yaml_parse(text, strlen(text), YAML_TYPED, error);
	if (!metadata)
		return FALSE;
	json_object_foreach(json_object_get(metadata, "templates"), path, template)
	{
		if (is_due(template, work->trigger) && !apply_one(work, path, template, error))
			return FALSE;
	}
	return TRUE;
}

gboolean template_apply(const struct instance *inst, const char *trigger, const struct idmap *idmap,
			GError **error)
{
	struct applying work = { inst, trigger, idmap, -1, -1 };
	gboolean ok;

	work.volume = open(inst->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (work.volume >= 0)
		work.root = openat(work.volume, "rootfs",
				   O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (work.root < 0)
		ok = fail_errno(error, errno, "Failed to open %s", inst->rootfs);
	else
		ok = apply_all(&work, error);
	if (work.root >= 0)
		close(work.root);
	if (work.volume >= 0)
		close(work.volume);
	return ok;
}
