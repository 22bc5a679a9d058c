/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How files become an image: written below another name, hashed on the way, and renamed to their
 * fingerprint with the database locked, in which the row is made next.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/image_private.h"
#include "core/project.h"
#include "core/server_config.h"
#include "db/image.h"
#include "db/instance.h"
#include "util/clock.h"
#include "util/yaml.h"

#define UPLOAD_TEMPLATE ".upload-XXXXXX" /* never a fingerprint: removed by the next start */

struct part {
	char *path; /* NULL: not there yet, or renamed */
	int fd;
	gint64 size;
};

struct image_upload {
	struct daemon *daemon;
	struct part parts[IMAGE_PARTS];
	GChecksum *checksum; /* of what was written; NULL: to be made from the files */
	int last;	     /* the part that was written to last */
};

/* --- pieces ---------------------------------------------------------------------------- */

struct image_upload *image_upload_new(struct daemon *daemon)
{
	struct image_upload *upload = g_new0(struct image_upload, 1);

	upload->daemon = daemon;
	upload->checksum = g_checksum_new(G_CHECKSUM_SHA256);
	for (int i = 0; i < IMAGE_PARTS; i++)
		upload->parts[i].fd = -1;
	return upload;
}

static struct part *open_part(struct image_upload *upload, int number, GError **error)
{
	struct part *part = &upload->parts[number];
	char *path;

	if (part->fd >= 0)
		return part;
	path = daemon_path(upload->daemon, "images", UPLOAD_TEMPLATE, NULL);
	part->fd = g_mkstemp_full(path, O_RDWR | O_CLOEXEC, 0600);
	if (part->fd < 0) {
		fail_errno(error, errno, "Failed to make \"%s\"", path);
		g_free(path);
		return NULL;
	}
	part->path = path;
	return part;
}

static gboolean write_all(struct part *part, const char *data, gsize len, GError **error)
{
	while (len > 0) {
		ssize_t n = write(part->fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail_errno(error, errno, "Failed to write \"%s\"", part->path);
		data += n;
		len -= (gsize)n;
		part->size += n;
	}
	return TRUE;
}

gboolean image_upload_write(struct image_upload *upload, int number, const void *data, gsize len,
			    GError **error)
{
	struct part *part = open_part(upload, number, error);

	if (!part || !write_all(part, data, len, error))
		return FALSE;
	if (number < upload->last) /* the fingerprint is of one part after the other */
		g_clear_pointer(&upload->checksum, g_checksum_free);
	upload->last = number;
	if (upload->checksum)
		g_checksum_update(upload->checksum, data, (gssize)len);
	return TRUE;
}

int image_upload_fd(struct image_upload *upload, int number, GError **error)
{
	struct part *part = open_part(upload, number, error);

	g_clear_pointer(&upload->checksum, g_checksum_free);
	return part ? part->fd : -1;
}

gint64 image_upload_size(const struct image_upload *upload)
{
	gint64 size = 0;

	for (int i = 0; i < IMAGE_PARTS; i++)
		size += upload->parts[i].size;
	return size;
}

void image_upload_free(struct image_upload *upload)
{
	if (!upload)
		return;
	for (int i = 0; i < IMAGE_PARTS; i++) {
		if (upload->parts[i].fd >= 0)
			close(upload->parts[i].fd);
		if (upload->parts[i].path)
			unlink(upload->parts[i].path);
		g_free(upload->parts[i].path);
	}
	g_clear_pointer(&upload->checksum, g_checksum_free);
	g_free(upload);
}

/* --- what it is --------------------------------------------------------------------------- */

static gboolean hash_part(GChecksum *checksum, struct part *part, GError **error)
{
	g_autofree guchar *block = g_malloc(1 << 17);
	ssize_t n;

	part->size = 0;
	while (part->fd >= 0 && (n = pread(part->fd, block, 1 << 17, part->size)) != 0) {
		if (n < 0)
			return fail_errno(error, errno, "Failed to read an image");
		g_checksum_update(checksum, block, n);
		part->size += n;
	}
	return TRUE;
}

static gboolean hash(struct image_upload *upload, GError **error)
{
	if (upload->checksum)
		return TRUE;
	upload->checksum = g_checksum_new(G_CHECKSUM_SHA256);
	for (int i = 0; i < IMAGE_PARTS; i++)
		if (!hash_part(upload->checksum, &upload->parts[i], error))
			return FALSE;
	return TRUE;
}

static json_t *read_metadata(struct image_upload *upload, GError **error)
{
	g_autofree char *text = NULL;
	g_autoptr(GError) bad = NULL;
	json_t *metadata;
	gsize len;
	int fd = upload->parts[0].fd;

	if (fd < 0 || archive_kind(fd) == ARCHIVE_UNKNOWN) {
		fail(error, 400, "Unsupported compression");
		return NULL;
	}
	if (!archive_read_member(fd, "metadata.yaml", IMAGE_METADATA_MAX, &text, &len, &bad)) {
		if (error_status(bad) == 404)
			fail(error, 400, "Metadata tarball is missing metadata.yaml");
		else
			g_propagate_error(error, g_steal_pointer(&bad));
		return NULL;
	}
	metadata = yaml_parse(text, len, YAML_TEXTS, &bad);
	if (!metadata)
		fail(error, 400, "Could not parse metadata.yaml: %s", bad->message);
	return metadata;
}

/* Seconds since the epoch as a column has them; the epoch, which is never, when absent. */
static char *time_of(const json_t *metadata, const char *key)
{
	g_autoptr(GDateTime) when =
		g_date_time_new_from_unix_utc(g_ascii_strtoll(json_text(metadata, key), NULL, 10));

	return when ? g_date_time_format(when, "%Y-%m-%d %H:%M:%S+00:00")
		    : db_time_write(CLOCK_EPOCH);
}

static gboolean check_metadata(const json_t *metadata, GError **error)
{
	if (!json_is_object(metadata))
		return fail(error, 400, "Could not parse metadata.yaml: not a map");
	if (!db_architecture(json_text(metadata, "architecture")))
		return fail(error, 400, "Architecture isn't supported: %s",
			    json_text(metadata, "architecture"));
	if (g_ascii_strtoll(json_text(metadata, "creation_date"), NULL, 10) == 0)
		return fail(error, 400, "Missing creation date");
	return TRUE;
}

static json_t *all_properties(const json_t *metadata, const struct image_options *options,
			      GError **error)
{
	json_t *properties = json_map_check(json_object_get(metadata, "properties"), "properties",
					    error);

	if (properties && options->properties)
		json_object_update(properties, (json_t *)options->properties);
	return properties;
}

/* --- making it an image --------------------------------------------------------------------- */

struct finish {
	struct image_upload *upload;
	const char *project;
	struct db_image image;
	const struct image_options *options;
	gboolean is_new; /* no other project had the files */
};

static gboolean put_files(struct finish *finish, GError **error)
{
	for (int i = 0; i < IMAGE_PARTS; i++) {
		struct part *part = &finish->upload->parts[i];
		g_autofree char *path = image_path(finish->upload->daemon,
						   finish->image.fingerprint, i);

		if (!part->path)
			continue;
		if (rename(part->path, path) < 0)
			return fail_errno(error, errno, "Failed to rename \"%s\"", part->path);
		g_clear_pointer(&part->path, g_free);
	}
	return TRUE;
}

static gboolean put_aliases(struct finish *finish, struct db *db, gint64 id, GError **error)
{
	const json_t *alias;
	size_t i;

	json_array_foreach(finish->options->aliases, i, alias)
	{
		const char *name = json_text(alias, "name");
		g_autoptr(json_t) old = db_alias_row(db, finish->project, name, NULL);

		if (old)
			return fail(error, 409, "Alias already exists: %s", name);
		if (!db_alias_insert(db, finish->project, name, id, json_text(alias, "description"),
				     error))
			return FALSE;
	}
	return TRUE;
}

/* Under the database's lock: two uploads of the same image, or its deletion, come one by one. */
static gboolean publish(struct db *db, void *data, GError **error)
{
	struct finish *finish = data;
	const char *fingerprint = finish->image.fingerprint;
	g_autoptr(json_t) mine = db_image_rows(db, finish->project, fingerprint, FALSE, error);
	g_autoptr(json_t) all = mine ? db_image_rows(db, NULL, fingerprint, FALSE, error) : NULL;
	gint64 id;

	if (!all)
		return FALSE;
	if (json_array_size(mine) > 0)
		return fail(error, 409, "Image with same fingerprint already exists");
	finish->is_new = json_array_size(all) == 0;
	if (!put_files(finish, error))
		return FALSE;
	id = db_image_insert(db, finish->project, &finish->image, error);
	return id >= 0 && put_aliases(finish, db, id, error);
}

static gboolean publish_or_clean(struct finish *finish, GError **error)
{
	struct daemon *daemon = finish->upload->daemon;

	if (db_transaction(daemon->db, publish, finish, error))
		return TRUE;
	if (finish->is_new)
		image_remove_files(daemon, finish->image.fingerprint);
	return FALSE;
}

static gboolean sync_parts(const struct image_upload *upload, GError **error)
{
	for (int i = 0; i < IMAGE_PARTS; i++)
		if (upload->parts[i].fd >= 0 && fdatasync(upload->parts[i].fd) < 0)
			return fail_errno(error, errno, "Failed to write an image");
	return TRUE;
}

static gboolean finish_with(struct finish *finish, const json_t *metadata, GError **error)
{
	const struct image_options *options = finish->options;
	struct image_upload *upload = finish->upload;
	char now[CLOCK_TEXT];
	g_autofree char *uploaded = db_time_write(clock_text(clock_now(), now));
	g_autofree char *created = time_of(metadata, "creation_date");
	g_autofree char *expires = options->expires ? db_time_write(options->expires)
						    : time_of(metadata, "expiry_date");
	g_autoptr(json_t) properties = all_properties(metadata, options, error);
	enum archive_kind rootfs = upload->parts[1].fd >= 0 ? archive_kind(upload->parts[1].fd)
							    : ARCHIVE_UNKNOWN;

	if (!properties)
		return FALSE;
	finish->image = (struct db_image){
		.fingerprint = g_checksum_get_string(upload->checksum),
		.filename = options->filename ? options->filename : "",
		.size = image_upload_size(upload),
		.public = options->public,
		.auto_update = options->auto_update,
		.architecture = db_architecture(json_text(metadata, "architecture")),
		.type = options->is_vm || rootfs == ARCHIVE_QCOW2,
		.created = created,
		.expires = expires,
		.uploaded = uploaded,
		.properties = properties,
		.profiles = options->profiles,
	};
	return publish_or_clean(finish, error);
}

static gboolean check_fingerprint(const struct image_upload *upload, const char *wanted,
				  GError **error)
{
	const char *is = g_checksum_get_string(upload->checksum);

	return !wanted || !*wanted || strcmp(wanted, is) == 0 ||
	       fail(error, 400, "fingerprints don't match, got %s expected %s", is, wanted);
}

char *image_upload_finish(struct image_upload *upload, const char *project,
			  const struct image_options *options, const struct requestor *who,
			  GError **error)
{
	g_autofree char *holder = image_project(upload->daemon, project, error);
	struct finish finish = { .upload = upload, .project = holder, .options = options };
	g_autoptr(json_t) metadata = NULL;
	g_autoptr(json_t) context = json_pack("{ss}", "type", "container");
	const char *fingerprint;

	if (!holder || !hash(upload, error) ||
	    !check_fingerprint(upload, options->fingerprint, error))
		return NULL;
	metadata = read_metadata(upload, error);
	if (!metadata || !check_metadata(metadata, error) || !sync_parts(upload, error) ||
	    !finish_with(&finish, metadata, error))
		return NULL;
	fingerprint = g_checksum_get_string(upload->checksum);
	image_event(upload->daemon, holder, "image-created", fingerprint, context, who);
	return g_strdup(fingerprint);
}

/* --- publishing ------------------------------------------------------------------------------- */

static char *compressor_of(struct daemon *daemon, const char *project, const char *asked)
{
	g_autoptr(json_t) config = NULL;
	const char *own;
	char *value;

	if (asked && *asked)
		return g_strdup(asked);
	config = project_config(daemon->db, project, NULL);
	own = json_text(config, "images.compression_algorithm");
	value = *own ? g_strdup(own)
		     : server_config_value(daemon->db, "images.compression_algorithm");
	return value && *value ? value : (g_free(value), g_strdup("gzip"));
}

/* Whoever owns them in the volume, outside of rootfs all is root's. */
static gboolean root_owns(uid_t *uid, gid_t *gid, void *data)
{
	(void)data;
	*uid = 0;
	*gid = 0;
	return TRUE;
}

/* metadata.yaml and templates, then the root file system with its owners undone. */
static gboolean pack_tree(const struct image_publish *publish, const char *compressor, int fd,
			  int rootfs, GError **error)
{
	static const char *const no_rootfs[] = { "rootfs", "metadata.yaml", "backup.yaml", NULL };
	static const char *const with_metadata[] = { "rootfs", "backup.yaml", NULL };
	g_autofree char *yaml = publish->metadata ? yaml_print(publish->metadata, YAML_SORTED)
						  : NULL;
	struct archive_member member = { "metadata.yaml", yaml, yaml ? strlen(yaml) : 0, 0 };
	struct archive_tree trees[] = {
		{ .dir = publish->dir,
		  .name = "",
		  .except = yaml ? no_rootfs : with_metadata,
		  .owner = root_owns },
		{ .dir = rootfs,
		  .name = "rootfs",
		  .owner = publish->owner,
		  .owner_data = publish->owner_data },
	};
	struct archive_pack pack = {
		.compressor = compressor,
		.members = &member,
		.n_members = yaml ? 1 : 0,
		.trees = trees,
		.n_trees = G_N_ELEMENTS(trees),
		.progress = publish->progress,
		.progress_data = publish->progress_data,
		.cancel = publish->cancel,
	};

	return archive_pack(fd, &pack, error);
}

char *image_create_from_tree(struct daemon *daemon, const char *project,
			     const struct image_publish *publish, GError **error)
{
	g_autofree char *compressor = compressor_of(daemon, project, publish->compressor);
	struct image_upload *upload;
	char *fingerprint = NULL;
	int fd;
	int rootfs;

	if (!archive_check_compressor(compressor, error))
		return NULL;
	rootfs = openat(publish->dir, "rootfs", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (rootfs < 0) {
		fail_errno(error, errno, "Failed to open the root file system");
		return NULL;
	}
	upload = image_upload_new(daemon);
	fd = image_upload_fd(upload, 0, error);
	if (fd >= 0 && pack_tree(publish, compressor, fd, rootfs, error))
		fingerprint = image_upload_finish(upload, project, &publish->options, publish->who,
						  error);
	image_upload_free(upload);
	close(rootfs);
	return fingerprint;
}
