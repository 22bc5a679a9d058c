/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* /1.0/instances/X/metadata: what its image said of itself, and the templates that came with it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/request.h"
#include "core/instance.h"
#include "util/yaml.h"

#define FILE_MAX (1024 * 1024)

/* An instance with its volume mounted, and a descriptor of a directory in it. */
struct opened {
	struct instance *inst;
	int dir;
};

static void opened_clear(struct opened *opened)
{
	if (opened->dir >= 0)
		close(opened->dir);
	if (opened->inst) {
		instance_unmount(opened->inst, NULL);
		instance_free(opened->inst);
	}
}
#define AUTO_OPENED __attribute__((cleanup(opened_clear))) struct opened

static gboolean open_volume(struct request *request, const char *below, struct opened *ret,
			    GError **error)
{
	struct instance *inst = instance_load(request->daemon, request->project, request->arg[0],
					      error);
	g_autofree char *path = NULL;

	if (!inst)
		return FALSE;
	inst->legacy_url = strcmp(request->base, "containers") == 0;
	if (!instance_mount(inst, error)) {
		instance_free(inst);
		return FALSE;
	}
	ret->inst = inst;
	path = g_build_filename(inst->path, below, NULL);
	ret->dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return ret->dir >= 0 || fail_errno(error, errno, "Failed to open %s", path);
}

/* --- files in the volume ---------------------------------------------------------------------- */

static char *read_file(int dir, const char *name, gsize *ret_len, int *ret_errno)
{
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	g_autoptr(GString) text = g_string_new(NULL);
	char block[4096];
	ssize_t n = -1;

	if (fd < 0) {
		*ret_errno = errno;
		return NULL;
	}
	while (text->len <= FILE_MAX && (n = read(fd, block, sizeof block)) > 0)
		g_string_append_len(text, block, n);
	*ret_errno = n < 0 ? errno : EFBIG;
	close(fd);
	if (n != 0)
		return NULL;
	*ret_len = text->len;
	return g_string_free(g_steal_pointer(&text), FALSE);
}

/* Made aside and put in place, so that nobody reads half of it. */
static gboolean write_file(int dir, const char *name, const char *text, gsize len, GError **error)
{
	g_autofree char *aside = g_strdup_printf(".%s.new", name);
	int fd;
	gboolean ok;

	unlinkat(dir, aside, 0);
	fd = openat(dir, aside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return fail_errno(error, errno, "Failed to create \"%s\"", name);
	ok = (gsize)write(fd, text, len) == len && fsync(fd) == 0 &&
	     renameat(dir, aside, dir, name) == 0;
	if (!ok) {
		fail_errno(error, errno ? errno : ENOSPC, "Failed to write \"%s\"", name);
		unlinkat(dir, aside, 0);
	}
	close(fd);
	return ok;
}

/* --- metadata.yaml ------------------------------------------------------------------------------
 */

static void set_absent(json_t *object, const char *key, json_t *value)
{
	if (json_object_get(object, key))
		json_decref(value);
	else
		json_object_set_new(object, key, value);
}

/* Every key there is, as clients expect them. */
static void complete(json_t *metadata)
{
	json_t *template;
	const char *path;

	set_absent(metadata, "architecture", json_string(""));
	set_absent(metadata, "creation_date", json_integer(0));
	set_absent(metadata, "expiry_date", json_integer(0));
	set_absent(metadata, "properties", json_null());
	set_absent(metadata, "templates", json_null());
	json_object_foreach(json_object_get(metadata, "templates"), path, template)
	{
		set_absent(template, "when", json_null());
		set_absent(template, "create_only", json_false());
		set_absent(template, "template", json_string(""));
		set_absent(template, "properties", json_null());
	}
}

/* Properties are texts, whatever YAML takes them for. */
static json_t *parse_metadata(const char *text, gsize len, GError **error)
{
	json_t *metadata = yaml_parse(text, len, YAML_TYPED, error);
	g_autoptr(json_t) texts = metadata ? yaml_parse(text, len, YAML_TEXTS, error) : NULL;
	json_t *properties = json_object_get(texts, "properties");

	if (!texts) {
		json_decref(metadata);
		return NULL;
	}
	if (!json_is_object(metadata)) {
		json_decref(metadata);
		metadata = json_object();
	}
	if (properties)
		json_object_set(metadata, "properties", properties);
	complete(metadata);
	return metadata;
}

static json_t *read_metadata(const struct opened *opened, GError **error)
{
	gsize len = 0;
	int code = 0;
	g_autofree char *text = read_file(opened->dir, "metadata.yaml", &len, &code);
	json_t *empty;

	if (text)
		return parse_metadata(text, len, error);
	if (code != ENOENT) {
		fail_errno(error, code, "Failed to read metadata.yaml");
		return NULL;
	}
	empty = json_object();
	complete(empty);
	return empty;
}

static struct reply *metadata_get(struct request *request, GError **error)
{
	AUTO_OPENED opened = { .dir = -1 };
	json_t *metadata = open_volume(request, "", &opened, error) ? read_metadata(&opened, error)
								    : NULL;

	if (!metadata)
		return NULL;
	instance_event(opened.inst, "instance-metadata-retrieved", NULL, &request->who);
	return reply_sync_etag(metadata, etag_of(metadata, NULL));
}

static gboolean check_metadata(const json_t *metadata, GError **error)
{
	const json_t *templates = json_object_get(metadata, "templates");
	json_t *template;
	const char *path;

	if (templates && !json_is_null(templates) && !json_is_object(templates))
		return fail(error, 400, "templates must be a map");
	json_object_foreach((json_t *)templates, path, template)
	{
		if (strchr(json_text(template, "template"), '/'))
			return fail(error, 400, "Invalid template filename");
	}
	return TRUE;
}

static struct reply *write_metadata(struct request *request, const struct opened *opened,
				    json_t *metadata, GError **error)
{
	g_autofree char *text = NULL;

	complete(metadata);
	if (!check_metadata(metadata, error))
		return NULL;
	text = yaml_print(metadata, YAML_AS_GIVEN);
	if (!write_file(opened->dir, "metadata.yaml", text, strlen(text), error))
		return NULL;
	instance_event(opened->inst, "instance-metadata-updated", NULL, &request->who);
	return reply_sync(NULL);
}

static gboolean check_etag(const struct request *request, const json_t *now, GError **error)
{
	g_autofree char *etag = etag_of(now, NULL);

	return request_if_match(request, etag, error);
}

static json_t *read_checked(struct request *request, struct opened *opened, GError **error)
{
	g_autoptr(json_t) now = NULL;

	if (!json_is_object(request->body)) {
		fail(error, 400, "json: cannot unmarshal into an object");
		return NULL;
	}
	if (!open_volume(request, "", opened, error))
		return NULL;
	now = read_metadata(opened, error);
	if (!now || !check_etag(request, now, error))
		return NULL;
	return g_steal_pointer(&now);
}

static struct reply *metadata_put(struct request *request, GError **error)
{
	AUTO_OPENED opened = { .dir = -1 };
	g_autoptr(json_t) now = read_checked(request, &opened, error);
	g_autoptr(json_t) wanted = now ? json_deep_copy(request->body) : NULL;

	return wanted ? write_metadata(request, &opened, wanted, error) : NULL;
}

static struct reply *metadata_patch(struct request *request, GError **error)
{
	static const char *const maps[] = { "properties", "templates" };
	AUTO_OPENED opened = { .dir = -1 };
	g_autoptr(json_t) now = read_checked(request, &opened, error);
	g_autoptr(json_t) wanted = NULL;

	if (!now)
		return NULL;
	wanted = json_deep_copy(now);
	json_object_update(wanted, request->body);
	for (gsize i = 0; i < G_N_ELEMENTS(maps); i++) {
		json_t *old = json_object_get(now, maps[i]);
		json_t *sent = json_object_get(request->body, maps[i]);

		if (json_is_object(old) && json_is_object(sent)) {
			json_t *merged = json_deep_copy(old);

			json_object_update(merged, sent);
			json_object_set_new(wanted, maps[i], merged);
		}
	}
	return write_metadata(request, &opened, wanted, error);
}

/* --- templates -----------------------------------------------------------------------------------
 */

static gboolean check_name(const char *name, GError **error)
{
	if (*name && !strchr(name, '/') && *name != '.' && strlen(name) < 250)
		return TRUE;
	return fail(error, 500, "Invalid template filename");
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static json_t *list_templates(int dir)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	DIR *stream = fdopendir(dup(dir));
	json_t *list = json_array();
	const struct dirent *entry;

	while (stream && (entry = readdir(stream)))
		if (*entry->d_name != '.')
			g_ptr_array_add(names, g_strdup(entry->d_name));
	if (stream)
		closedir(stream);
	g_ptr_array_sort(names, by_name);
	for (guint i = 0; i < names->len; i++)
		json_array_append_new(list, json_string(names->pdata[i]));
	return list;
}

static struct reply *template_get(struct request *request, int dir, const char *name,
				  GError **error)
{
	int fd;

	if (!check_name(name, error))
		return NULL;
	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0) {
		fail(error, 404, "Template \"%s\" not found", name);
		return NULL;
	}
	(void)request;
	return reply_file(fd, "application/octet-stream", name);
}

static struct reply *templates_get(struct request *request, GError **error)
{
	const char *name = request_query(request, "path");
	AUTO_OPENED opened = { .dir = -1 };
	g_autoptr(GError) why = NULL;
	struct reply *reply;

	if (!open_volume(request, "templates", &opened, &why)) {
		if (opened.inst && error_status(why) == 404 && !(name && *name))
			return reply_sync(json_array());
		g_propagate_error(error, g_steal_pointer(&why));
		return NULL;
	}
	if (!name || !*name)
		return reply_sync(list_templates(opened.dir));
	reply = template_get(request, opened.dir, name, error);
	if (reply)
		instance_event(opened.inst, "instance-metadata-template-retrieved", NULL,
			       &request->who);
	return reply;
}

static char *read_body(GInputStream *input, gsize *ret_len, GError **error)
{
	g_autoptr(GString) text = g_string_new(NULL);
	char block[4096];
	gssize n;

	while ((n = g_input_stream_read(input, block, sizeof block, NULL, error)) > 0) {
		g_string_append_len(text, block, n);
		if (text->len > FILE_MAX) {
			fail(error, 413, "The template is too big");
			return NULL;
		}
	}
	if (n < 0)
		return NULL;
	*ret_len = text->len;
	return g_string_free(g_steal_pointer(&text), FALSE);
}

static void make_templates(struct request *request)
{
	AUTO_OPENED opened = { .dir = -1 };

	if (open_volume(request, "", &opened, NULL))
		mkdirat(opened.dir, "templates", 0755);
}

static struct reply *templates_post(struct request *request, GError **error)
{
	const char *name = request_query(request, "path");
	AUTO_OPENED opened = { .dir = -1 };
	g_autofree char *text = NULL;
	gsize len = 0;

	if (!name || !*name) {
		fail(error, 400, "missing path argument");
		return NULL;
	}
	if (!check_name(name, error))
		return NULL;
	make_templates(request);
	if (!open_volume(request, "templates", &opened, error))
		return NULL;
	text = read_body(request->input, &len, error);
	if (!text || !write_file(opened.dir, name, text, len, error))
		return NULL;
	instance_event(opened.inst, "instance-metadata-template-created", NULL, &request->who);
	return reply_sync(NULL);
}

static struct reply *templates_delete(struct request *request, GError **error)
{
	const char *name = request_query(request, "path");
	AUTO_OPENED opened = { .dir = -1 };

	if (!name || !*name) {
		fail(error, 400, "missing path argument");
		return NULL;
	}
	if (!check_name(name, error) || !open_volume(request, "templates", &opened, error))
		return NULL;
	if (unlinkat(opened.dir, name, 0) < 0) {
		fail(error, 404, "Template \"%s\" not found", name);
		return NULL;
	}
	instance_event(opened.inst, "instance-metadata-template-deleted", NULL, &request->who);
	return reply_sync(NULL);
}

const struct route routes_metadata[] = {
	{ "1.0/instances/{}/metadata", 0, .get = metadata_get, .put = metadata_put,
	  .patch = metadata_patch },
	{ "1.0/instances/{}/metadata/templates", ROUTE_STREAM, .get = templates_get,
	  .post = templates_post, .delete = templates_delete },
	{ 0 },
};
