/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Publication: the files with the owners that the container sees, and what they are called. */
#include "core/publish.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "core/image.h"
#include "core/instances_private.h"
#include "util/clock.h"
#include "util/yaml.h"

/* Owners on disk become those inside. */
static gboolean owner_inside(uid_t *uid, gid_t *gid, void *data)
{
	const struct idmap *disk = data;
	gint64 u = *uid == (uid_t)-1 ? -1 : idmap_uid_to_ns(disk, *uid);
	gint64 g = *gid == (gid_t)-1 ? -1 : idmap_gid_to_ns(disk, *gid);

	if ((*uid != (uid_t)-1 && u < 0) || (*gid != (gid_t)-1 && g < 0))
		return FALSE;
	*uid = (uid_t)u;
	*gid = (gid_t)g;
	return TRUE;
}

/* --- metadata.yaml ------------------------------------------------------------------------------
 */

/* Its bytes as the instance has them now, which nobody but its root may have written: bounded. */
static char *read_file(int dir, gsize *ret_len)
{
	int fd = openat(dir, "metadata.yaml", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	g_autofree char *text = g_malloc(IMAGE_METADATA_MAX + 1);
	gssize n = fd < 0 ? -1 : read(fd, text, IMAGE_METADATA_MAX);

	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return NULL;
	text[n] = '\0';
	*ret_len = (gsize)n;
	return g_steal_pointer(&text);
}

static json_t *fresh_metadata(const struct instance *source)
{
	return json_pack("{s:s, s:{}}", "architecture", source->architecture, "properties");
}

static json_t *read_metadata(const struct instance *source, int dir, GError **error)
{
	gsize len = 0;
	g_autofree char *text = read_file(dir, &len);
	g_autoptr(json_t) typed = NULL;
	g_autoptr(json_t) texts = NULL;

	if (!text)
		return fresh_metadata(source);
	typed = yaml_parse(text, len, YAML_TYPED, error);
	texts = typed ? yaml_parse(text, len, YAML_TEXTS, error) : NULL;
	if (!texts)
		return NULL;
	if (!json_is_object(typed))
		return fresh_metadata(source);
	if (json_is_object(json_object_get(texts, "properties")))
		json_object_set(typed, "properties", json_object_get(texts, "properties"));
	return g_steal_pointer(&typed);
}

static json_t *metadata_of(const struct instance *source, int dir, const json_t *body,
			   GError **error)
{
	const json_t *properties = json_object_get(body, "properties");
	json_t *metadata = read_metadata(source, dir, error);

	if (!metadata)
		return NULL;
	if (json_is_object(properties) && json_object_size(properties) > 0)
		json_object_set_new(metadata, "properties", json_deep_copy(properties));
	json_object_set_new(metadata, "creation_date", json_integer(clock_now().tv_sec));
	json_object_del(metadata, "expiry_date");
	return metadata;
}

/* --- the image
 * ------------------------------------------------------------------------------------ */

struct telling {
	struct operation *op;
	gint64 began;
};

static void tell_progress(gint64 done, gint64 total, void *data)
{
	const struct telling *telling = data;
	gint64 micros = MAX(g_get_monotonic_time() - telling->began, 1);

	(void)total;
	operation_progress(telling->op, "create_image_from_container_pack", "Image pack", -1, done,
			   (gint64)((double)done * G_USEC_PER_SEC / (double)micros));
}

static const char *text_or_null(const json_t *body, const char *key)
{
	const char *text = json_text(body, key);

	return *text ? text : NULL;
}

static const json_t *array_or_null(const json_t *body, const char *key)
{
	const json_t *value = json_object_get(body, key);

	return json_array_size(value) > 0 ? value : NULL;
}

static const char *expiry_of(const json_t *body)
{
	const char *text = text_or_null(body, "expires_at");

	return text && g_str_has_prefix(text, "0001-01-01") ? NULL : text;
}

static char *pack(struct instance *source, const char *project, const json_t *body,
		  struct operation *op, int dir, GError **error)
{
	g_autoptr(idmap_t) disk = instance_idmap_disk(source, error);
	g_autoptr(json_t) metadata = disk ? metadata_of(source, dir, body, error) : NULL;
	struct telling telling = { op, g_get_monotonic_time() };
	struct image_publish publish = {
		.dir = dir,
		.owner = disk && disk->count ? owner_inside : NULL,
		.owner_data = disk,
		.compressor = text_or_null(body, "compression_algorithm"),
		.metadata = metadata,
		.options = {
			.filename = text_or_null(body, "filename"),
			.public = json_is_true(json_object_get(body, "public")),
			.profiles = array_or_null(body, "profiles"),
			.aliases = array_or_null(body, "aliases"),
			.expires = expiry_of(body),
		},
		.progress = tell_progress,
		.progress_data = &telling,
		.cancel = operation_cancellable(op),
		.who = operation_requestor(op),
	};

	return metadata ? image_create_from_tree(source->daemon, project, &publish, error) : NULL;
}

static char *publish_mounted(struct instance *source, const char *project, const json_t *body,
			     struct operation *op, GError **error)
{
	char *fingerprint;
	int dir;

	if (!instance_mount(source, error))
		return NULL;
	dir = open(source->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0) {
		fail_errno(error, errno, "Failed to open %s", source->path);
		instance_unmount(source, NULL);
		return NULL;
	}
	fingerprint = pack(source, project, body, op, dir, error);
	close(dir);
	instance_unmount(source, NULL);
	return fingerprint;
}

char *publish_instance(struct instance *source, const char *project, const json_t *body,
		       struct operation *op, GError **error)
{
	char *fingerprint = NULL;
	GError *why = NULL;

	if (source->snapshot)
		return publish_mounted(source, project, body, op, error);
	if (!instance_lock(source->daemon, source->project, source->name, "publish", NULL, error))
		return NULL;
	if (!instance_reload(source, &why))
		; /* gone meanwhile */
	else if (instance_is_running(source))
		fail(&why, 400, "Cannot export a running instance as an image");
	else
		fingerprint = publish_mounted(source, project, body, op, &why);
	instance_unlock(source->daemon, source->project, source->name, why);
	if (why)
		g_propagate_error(error, why);
	return fingerprint;
}
