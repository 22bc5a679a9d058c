/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* /1.0/images and what is below it. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "api/images_publish.h"
#include "api/multipart.h"
#include "api/request.h"
#include "core/image.h"
#include "util/filter.h"

#define BLOCK (64 * 1024)

/* --- lists --------------------------------------------------------------------------- */

static json_t *image_url(const json_t *image)
{
	return json_sprintf("/1.0/images/%s", json_text(image, "fingerprint"));
}

static struct reply *list(struct request *request, GError **error)
{
	g_autoptr(filter_t) filter = NULL;
	g_autoptr(json_t) images = NULL;
	json_t *shown;
	json_t *image;
	size_t i;
	g_autoptr(GError) bad = NULL;

	filter = filter_parse(request_query(request, "filter"), &bad);
	if (bad) {
		g_propagate_error(error, g_steal_pointer(&bad));
		return NULL;
	}
	images = image_list(request->daemon, request->project, FALSE, error);
	if (!images)
		return NULL;
	shown = json_array();
	json_array_foreach(images, i, image) if (filter_matches(filter, image))
		json_array_append_new(shown,
				      request->recursion ? json_incref(image) : image_url(image));
	return reply_sync(shown);
}

/* --- one ------------------------------------------------------------------------------- */

static char *image_etag(const json_t *image)
{
	return etag_of(json_object_get(image, "public"), json_object_get(image, "auto_update"),
		       json_object_get(image, "properties"), NULL);
}

static struct reply *get(struct request *request, GError **error)
{
	json_t *image = image_find(request->daemon, request->project, request->arg[0], error);

	return image ? reply_sync_etag(image, image_etag(image)) : NULL;
}

static struct reply *change(struct request *request, gboolean patch, GError **error)
{
	g_autoptr(json_t)
		image = image_find(request->daemon, request->project, request->arg[0], error);
	g_autofree char *etag = image ? image_etag(image) : NULL;

	if (!image || !request_if_match(request, etag, error))
		return NULL;
	if (!json_is_object(request->body)) {
		fail(error, 400, "EOF");
		return NULL;
	}
	if (!image_update(request->daemon, request->project, json_text(image, "fingerprint"),
			  request->body, patch, &request->who, error))
		return NULL;
	return reply_sync(NULL);
}

static struct reply *put(struct request *request, GError **error)
{
	return change(request, FALSE, error);
}

static struct reply *patch(struct request *request, GError **error)
{
	return change(request, TRUE, error);
}

static json_t *image_resources(const char *fingerprint)
{
	return json_pack("{s[o]}", "images", json_sprintf("/1.0/images/%s", fingerprint));
}

static struct reply *start(struct request *request, struct operation_spec *spec)
{
	spec->project = request->project;
	spec->who = &request->who;
	return reply_operation(operation_start(request->daemon, spec));
}

static gboolean run_delete(struct operation *op, void *fingerprint, GError **error)
{
	return image_delete(operation_daemon(op), operation_project(op), fingerprint,
			    operation_requestor(op), error);
}

static struct reply *delete (struct request *request, GError **error)
{
	g_autoptr(json_t)
		image = image_find(request->daemon, request->project, request->arg[0], error);
	struct operation_spec spec = { .description = "Deleting image",
				       .run = run_delete,
				       .free_data = g_free };

	if (!image)
		return NULL;
	spec.data = g_strdup(json_text(image, "fingerprint"));
	spec.resources = image_resources(spec.data);
	return start(request, &spec);
}

/* --- export ------------------------------------------------------------------------------ */

static struct reply *export_split(const char *fingerprint, gboolean is_vm, const int fds[2])
{
	g_autofree char *meta = g_strdup_printf("meta-%s%s", fingerprint,
						archive_suffix(archive_kind(fds[0])));
	g_autofree char *rootfs = g_strconcat(fingerprint, archive_suffix(archive_kind(fds[1])),
					      NULL);
	const struct multipart_file files[] = {
		{ "metadata", meta, fds[0] }, { is_vm ? "rootfs.img" : "rootfs", rootfs, fds[1] }
	};
	g_autofree char *type = NULL;
	gint64 len;
	GInputStream *stream = multipart_stream(files, G_N_ELEMENTS(files), &len, &type);

	return reply_stream(stream, len, type);
}

static struct reply *export(struct request *request, GError **error)
{
	g_autoptr(json_t)
		image = image_find(request->daemon, request->project, request->arg[0], error);
	const char *fingerprint = json_text(image, "fingerprint");
	g_autofree char *filename = NULL;
	enum archive_kind kind;
	int fds[IMAGE_PARTS];

	if (!image)
		return NULL;
	fds[0] = image_open(request->daemon, fingerprint, 0, &kind, error);
	if (fds[0] < 0)
		return NULL;
	fds[1] = image_open(request->daemon, fingerprint, 1, NULL, NULL);
	if (fds[1] >= 0)
		return export_split(fingerprint,
				    strcmp(json_text(image, "type"), "virtual-machine") == 0, fds);
	filename = g_strconcat(fingerprint, archive_suffix(kind), NULL);
	return reply_file(fds[0], "application/octet-stream", filename);
}

/* --- secret, refresh ------------------------------------------------------------------------ */

static char *new_secret(void)
{
	GString *text = g_string_new(NULL);
	guint8 bytes[32];

	if (getentropy(bytes, sizeof bytes) < 0)
		g_error("no random bytes");
	for (gsize i = 0; i < sizeof bytes; i++)
		g_string_append_printf(text, "%02x", bytes[i]);
	return g_string_free(text, FALSE);
}

static struct reply *secret(struct request *request, GError **error)
{
	g_autoptr(json_t)
		image = image_find(request->daemon, request->project, request->arg[0], error);
	g_autofree char *token = new_secret();
	struct operation_spec spec = { .class = OPERATION_TOKEN,
				       .description = "Image download token",
				       .may_cancel = TRUE };

	if (!image)
		return NULL;
	spec.resources = image_resources(json_text(image, "fingerprint"));
	spec.metadata = json_pack("{ss}", "secret", token);
	return start(request, &spec);
}

/* Only what came from elsewhere can be refreshed from there. */
static gboolean run_refresh(struct operation *op, void *fingerprint, GError **error)
{
	return fail(error, 400,
		    "Failed to update image \"%s\" in project \"%s\": Image source not found",
		    (const char *)fingerprint, operation_project(op));
}

static struct reply *refresh(struct request *request, GError **error)
{
	g_autoptr(json_t)
		image = image_find(request->daemon, request->project, request->arg[0], error);
	struct operation_spec spec = { .description = "Refreshing image",
				       .run = run_refresh,
				       .free_data = g_free };

	if (!image)
		return NULL;
	spec.data = g_strdup(json_text(image, "fingerprint"));
	return start(request, &spec);
}

/* --- upload ------------------------------------------------------------------------------------
 */

struct import {
	struct image_upload *upload;
	GError *bad; /* what was wrong with the body: the operation tells */
	json_t *properties;
	char *filename, *fingerprint;
	gboolean public, is_vm;
};

static void import_free(void *data)
{
	struct import *import = data;

	image_upload_free(import->upload);
	g_clear_error(&import->bad);
	json_decref(import->properties);
	g_free(import->filename);
	g_free(import->fingerprint);
	g_free(import);
}

static gboolean run_import(struct operation *op, void *data, GError **error)
{
	struct import *import = data;
	const struct image_options options = { .filename = import->filename,
					       .fingerprint = import->fingerprint,
					       .public = import->public,
					       .is_vm = import->is_vm,
					       .properties = import->properties };
	g_autofree char *fingerprint = NULL;
	g_autofree char *size = NULL;

	if (import->bad) {
		g_propagate_error(error, g_steal_pointer(&import->bad));
		return FALSE;
	}
	fingerprint = image_upload_finish(import->upload, operation_project(op), &options,
					  operation_requestor(op), error);
	if (!fingerprint)
		return FALSE;
	size = g_strdup_printf("%" G_GINT64_FORMAT, image_upload_size(import->upload));
	operation_extend(op, json_pack("{ss ss}", "fingerprint", fingerprint, "size", size));
	return TRUE;
}

static gboolean write_whole(const void *data, gsize len, void *upload, GError **error)
{
	return image_upload_write(upload, 0, data, len, error);
}

static gboolean write_rootfs(const void *data, gsize len, void *upload, GError **error)
{
	return image_upload_write(upload, 1, data, len, error);
}

static gboolean read_whole(GInputStream *input, struct import *import, GError **error)
{
	g_autofree char *block = g_malloc(BLOCK);
	gssize n;

	while ((n = g_input_stream_read(input, block, BLOCK, NULL, error)) > 0)
		if (!write_whole(block, (gsize)n, import->upload, error))
			return FALSE;
	return n == 0;
}

static gboolean read_two(struct multipart *parts, struct import *import, GError **error)
{
	g_autofree char *meta = NULL, *meta_file = NULL, *rootfs = NULL, *rootfs_file = NULL;

	if (!multipart_next(parts, &meta, &meta_file, error))
		return FALSE;
	if (!meta || strcmp(meta, "metadata") != 0)
		return fail(error, 400, "Invalid multipart image");
	if (!multipart_read(parts, write_whole, import->upload, error) ||
	    !multipart_next(parts, &rootfs, &rootfs_file, error))
		return FALSE;
	if (!rootfs)
		return fail(error, 400, "EOF");
	import->is_vm = strcmp(rootfs, "rootfs.img") == 0;
	if (!import->is_vm && strcmp(rootfs, "rootfs") != 0)
		return fail(error, 400, "Invalid multipart image");
	if (!multipart_read(parts, write_rootfs, import->upload, error))
		return FALSE;
	g_free(import->filename);
	import->filename = g_steal_pointer(&rootfs_file);
	return TRUE;
}

static gboolean read_multipart(GInputStream *input, const char *type, struct import *import,
			       GError **error)
{
	struct multipart *parts = multipart_new(input, type, error);
	gboolean ok = parts && read_two(parts, import, error);

	multipart_free(parts);
	return ok;
}

static json_t *header_properties(const char *header)
{
	json_t *properties = json_object();
	g_autoptr(GHashTable) pairs = NULL;
	GHashTableIter iter;
	void *key, *value;

	if (header)
		pairs = g_uri_parse_params(header, -1, "&", G_URI_PARAMS_WWW_FORM, NULL);
	if (!pairs)
		return properties;
	g_hash_table_iter_init(&iter, pairs);
	while (g_hash_table_iter_next(&iter, &key, &value))
		json_map_set(properties, key, value);
	return properties;
}

static gboolean header_is_true(const struct request *request, const char *name)
{
	g_autoptr(json_t) map = json_object();

	json_map_set(map, name, request_header(request, name));
	return json_map_true(map, name);
}

static struct reply *import_body(struct request *request, GInputStream *input, GError **error)
{
	const char *type = request_header(request, "Content-Type");
	struct import *import = g_new0(struct import, 1);
	struct operation_spec spec = { .description = "Downloading image",
				       .run = run_import,
				       .data = import,
				       .free_data = import_free };

	(void)error;
	import->upload = image_upload_new(request->daemon);
	import->filename = g_strdup(request_header(request, "X-LXD-filename"));
	import->fingerprint = g_strdup(request_header(request, "X-LXD-fingerprint"));
	import->properties = header_properties(request_header(request, "X-LXD-properties"));
	import->public = header_is_true(request, "X-LXD-public");
	if (type && g_ascii_strncasecmp(type, "multipart/form-data", 19) == 0)
		read_multipart(input, type, import, &import->bad);
	else
		read_whole(input, import, &import->bad);
	return start(request, &spec);
}

/* What is made of something that is here or elsewhere already. */
static struct reply *from_source(struct request *request, const json_t *body, GError **error)
{
	const char *compressor = json_text(body, "compression_algorithm");

	if (images_publish_wanted(body) && archive_check_compressor(compressor, NULL))
		return images_publish(request, body, error);
	if (!archive_check_compressor(compressor, NULL))
		fail(error, 400, "Invalid compression algorithm \"%s\"", compressor);
	else
		fail(error, 500, "Invalid images JSON");
	return NULL;
}

static struct reply *post_json(struct request *request, GInputStream *input, GError **error)
{
	g_autofree char *text = g_malloc(REQUEST_BODY_MAX);
	g_autoptr(json_t) body = NULL;
	gsize len;

	if (!g_input_stream_read_all(input, text, REQUEST_BODY_MAX, &len, NULL, error))
		return NULL;
	body = json_parse(text, len, error);
	return body ? from_source(request, body, error) : NULL;
}

/* JSON is told from a file by how it begins: clients send it with any type. */
static struct reply *post(struct request *request, GError **error)
{
	g_autoptr(GInputStream) input = g_buffered_input_stream_new_sized(request->input, BLOCK);
	const char *begin;
	gsize len;

	g_filter_input_stream_set_close_base_stream(G_FILTER_INPUT_STREAM(input), FALSE);
	if (g_buffered_input_stream_fill(G_BUFFERED_INPUT_STREAM(input), BLOCK, NULL, error) < 0)
		return NULL;
	begin = g_buffered_input_stream_peek_buffer(G_BUFFERED_INPUT_STREAM(input), &len);
	while (len > 0 && g_ascii_isspace(*begin))
		begin++, len--;
	return len > 0 && *begin == '{' ? post_json(request, input, error)
					: import_body(request, input, error);
}

/* --- aliases
 * --------------------------------------------------------------------------------------- */

static char *alias_url(const char *name)
{
	g_autofree char *escaped = g_uri_escape_string(name, NULL, FALSE);

	return g_strconcat("/1.0/images/aliases/", escaped, NULL);
}

static struct reply *alias_list(struct request *request, GError **error)
{
	json_t *aliases = image_aliases(request->daemon, request->project, error);
	const json_t *alias;
	json_t *urls;
	size_t i;

	if (!aliases || request->recursion)
		return aliases ? reply_sync(aliases) : NULL;
	urls = json_array();
	json_array_foreach(aliases, i, alias)
	{
		g_autofree char *url = alias_url(json_text(alias, "name"));

		json_array_append_new(urls, json_string(url));
	}
	json_decref(aliases);
	return reply_sync(urls);
}

static struct reply *alias_post(struct request *request, GError **error)
{
	const char *name = json_text(request->body, "name");
	g_autofree char *url = alias_url(name);

	if (!*name || !*json_text(request->body, "target")) {
		fail(error, 400, "name and target are required");
		return NULL;
	}
	if (!image_alias_create(request->daemon, request->project, name,
				json_text(request->body, "target"),
				json_text(request->body, "description"), &request->who, error))
		return NULL;
	return reply_created("%s", url);
}

static struct reply *alias_get(struct request *request, GError **error)
{
	json_t *alias = image_alias(request->daemon, request->project, request->arg[0], error);

	return alias ? reply_sync_etag(alias, etag_of(alias, NULL)) : NULL;
}

/* BODY must have both: what PATCH leaves out was filled in from what is there. */
static struct reply *alias_set(struct request *request, const json_t *body, GError **error)
{
	if (!*json_text(body, "target")) {
		fail(error, 400, "The target field is required");
		return NULL;
	}
	if (!image_alias_update(request->daemon, request->project, request->arg[0],
				json_text(body, "target"), json_text(body, "description"),
				&request->who, error))
		return NULL;
	return reply_sync(NULL);
}

static json_t *alias_matching(struct request *request, GError **error)
{
	json_t *alias = image_alias(request->daemon, request->project, request->arg[0], error);
	g_autofree char *etag = alias ? etag_of(alias, NULL) : NULL;

	if (alias && !request_if_match(request, etag, error))
		g_clear_pointer(&alias, json_decref);
	return alias;
}

static struct reply *alias_put(struct request *request, GError **error)
{
	g_autoptr(json_t) alias = alias_matching(request, error);

	return alias ? alias_set(request, request->body, error) : NULL;
}

static struct reply *alias_patch(struct request *request, GError **error)
{
	static const char *const keys[] = { "description", "target" };
	g_autoptr(json_t) alias = alias_matching(request, error);

	if (!alias)
		return NULL;
	for (gsize i = 0; i < G_N_ELEMENTS(keys); i++) {
		json_t *value = json_object_get(request->body, keys[i]);

		if (value && !json_is_string(value)) {
			fail(error, 400, "`%s` was not a string", keys[i]);
			return NULL;
		}
		if (value)
			json_object_set(alias, keys[i], value);
	}
	return alias_set(request, alias, error);
}

static struct reply *alias_rename(struct request *request, GError **error)
{
	const char *to = json_text(request->body, "name");
	g_autofree char *url = alias_url(to);

	if (!*to) {
		fail(error, 400, "name and target are required");
		return NULL;
	}
	if (!image_alias_rename(request->daemon, request->project, request->arg[0], to,
				&request->who, error))
		return NULL;
	return reply_created("%s", url);
}

static struct reply *alias_delete(struct request *request, GError **error)
{
	if (!image_alias_delete(request->daemon, request->project, request->arg[0], &request->who,
				error))
		return NULL;
	return reply_sync(NULL);
}

const struct route routes_images[] = {
	{ "1.0/images", ROUTE_STREAM, .get = list, .post = post },
	{ "1.0/images/aliases", 0, .get = alias_list, .post = alias_post },
	{ "1.0/images/aliases/{*}", 0, .get = alias_get, .put = alias_put, .patch = alias_patch,
	  .post = alias_rename, .delete = alias_delete },
	{ "1.0/images/{}", 0, .get = get, .put = put, .patch = patch, .delete = delete },
	{ "1.0/images/{}/export", 0, .get = export, .head = export },
	{ "1.0/images/{}/secret", 0, .post = secret },
	{ "1.0/images/{}/refresh", 0, .post = refresh },
	{ 0 },
};
