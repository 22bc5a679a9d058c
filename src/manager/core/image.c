/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Images as objects: how they are found, shown, changed, unpacked and removed. */
#include "core/image.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/image_private.h"
#include "core/project.h"
#include "core/server_config.h"
#include "core/volume.h"
#include "db/image.h"
#include "db/instance.h"
#include "util/clock.h"

char *image_path(const struct daemon *daemon, const char *fingerprint, int part)
{
	g_autofree char *name = g_strconcat(fingerprint, part ? ".rootfs" : "", NULL);

	return daemon_path(daemon, "images", name, NULL);
}

char *image_project(struct daemon *daemon, const char *project, GError **error)
{
	return project_of_images(daemon->db, project, error);
}

void image_event(struct daemon *daemon, const char *project, const char *action,
		 const char *fingerprint, const json_t *context, const struct requestor *who)
{
	g_autofree char *source = g_strconcat("/1.0/images/", fingerprint, NULL);

	event_lifecycle(daemon->events, project, action, source, context, who);
}

/* --- starting ------------------------------------------------------------------------- */

static gboolean is_known(struct db *db, const char *name)
{
	g_autofree char *fingerprint = g_strndup(name, strcspn(name, "."));
	g_autoptr(json_t) rows = NULL;

	if (*name == '.')
		return FALSE;
	rows = db_image_rows(db, NULL, fingerprint, FALSE, NULL);
	return !rows || /* when in doubt, it stays */
	       (json_array_size(rows) > 0 &&
		strcmp(json_text(json_array_get(rows, 0), "fingerprint"), fingerprint) == 0);
}

/* The pools' volumes of images that no project has; one that cannot go now goes another time. */
static void forget_gone(struct daemon *daemon)
{
	g_autoptr(json_t)
		rows = db_select(daemon->db, NULL,
				 "SELECT DISTINCT name FROM storage_volumes WHERE type = 1 "
				 "AND name NOT IN (SELECT fingerprint FROM images)",
				 "");
	const json_t *row;
	size_t i;

	json_array_foreach(rows, i, row) volume_forget_image(daemon, json_text(row, "name"), NULL);
}

gboolean image_startup(struct daemon *daemon, GError **error)
{
	g_autofree char *path = daemon_path(daemon, "images", NULL);
	DIR *dir;

	if (g_mkdir_with_parents(path, 0700) < 0 || !(dir = opendir(path)))
		return fail_errno(error, errno, "Failed to open \"%s\"", path);
	for (struct dirent *entry; (entry = readdir(dir));)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
		    !is_known(daemon->db, entry->d_name))
			unlinkat(dirfd(dir), entry->d_name, 0);
	closedir(dir);
	forget_gone(daemon);
	return TRUE;
}

/* --- showing ---------------------------------------------------------------------------- */

static void show_time(json_t *image, const char *key, const json_t *row, const char *column)
{
	g_autofree char *time = db_time_read(json_string_value(json_object_get(row, column)));

	json_object_set_new(image, key, json_string(time ? time : CLOCK_ZERO));
}

static void show_flag(json_t *image, const char *key, const json_t *row)
{
	json_object_set_new(image, key,
			    json_boolean(json_integer_value(json_object_get(row, key))));
}

static void show_columns(json_t *image, const json_t *row)
{
	const char *architecture =
		db_architecture_name((int)json_integer_value(json_object_get(row, "architecture")));

	show_flag(image, "auto_update", row);
	show_flag(image, "public", row);
	show_flag(image, "cached", row);
	json_object_set_new(image, "architecture", json_string(architecture ? architecture : ""));
	json_object_set(image, "filename", json_object_get(row, "filename"));
	json_object_set(image, "fingerprint", json_object_get(row, "fingerprint"));
	json_object_set(image, "size", json_object_get(row, "size"));
	json_object_set_new(image, "type",
			    json_string(json_integer_value(json_object_get(row, "type"))
						? "virtual-machine"
						: "container"));
	show_time(image, "created_at", row, "creation_date");
	show_time(image, "expires_at", row, "expiry_date");
	show_time(image, "last_used_at", row, "last_use_date");
	show_time(image, "uploaded_at", row, "upload_date");
}

static const char *const protocols[] = { "lxd", "direct", "simplestreams" };

static gboolean show_source(json_t *image, json_t *source)
{
	size_t protocol;

	if (!json_is_object(source))
		return TRUE;
	protocol = (size_t)json_integer_value(json_object_get(source, "protocol"));
	json_object_set_new(
		source, "protocol",
		json_string(protocol < G_N_ELEMENTS(protocols) ? protocols[protocol] : ""));
	json_object_set_new(source, "image_type", json_string(json_text(image, "type")));
	return json_object_set(image, "update_source", source) == 0;
}

static json_t *show(struct db *db, const json_t *row, GError **error)
{
	gint64 id = json_integer_value(json_object_get(row, "id"));
	g_autoptr(json_t) image = json_object();
	g_autoptr(json_t) properties = db_image_properties(db, id, error);
	g_autoptr(json_t) aliases = properties ? db_image_aliases_of(db, id, error) : NULL;
	g_autoptr(json_t) profiles = aliases ? db_image_profiles(db, id, error) : NULL;
	g_autoptr(json_t) source = profiles ? db_image_source(db, id, error) : NULL;

	if (!source)
		return NULL;
	show_columns(image, row);
	json_object_set(image, "properties", properties);
	json_object_set(image, "aliases", aliases);
	json_object_set(image, "profiles", profiles);
	show_source(image, source);
	return g_steal_pointer(&image);
}

/* --- finding ------------------------------------------------------------------------------ */

/* The one row of PROJECT (settled) that PREFIX leads to. */
static json_t *find_row(struct db *db, const char *project, const char *prefix, GError **error)
{
	g_autoptr(json_t) rows = db_image_rows(db, project, prefix, FALSE, error);

	if (!rows)
		return NULL;
	if (!*prefix || json_array_size(rows) == 0)
		fail(error, 404, "Image not found");
	else if (json_array_size(rows) > 1)
		fail(error, 400, "More than one image matches");
	else
		return json_incref(json_array_get(rows, 0));
	return NULL;
}

json_t *image_row(struct daemon *daemon, const char *project, const char *prefix,
		  char **ret_project, GError **error)
{
	g_autofree char *holder = image_project(daemon, project, error);
	json_t *row = holder ? find_row(daemon->db, holder, prefix, error) : NULL;

	if (row && ret_project)
		*ret_project = g_steal_pointer(&holder);
	return row;
}

json_t *image_find(struct daemon *daemon, const char *project, const char *prefix, GError **error)
{
	g_autoptr(json_t) row = image_row(daemon, project, prefix, NULL, error);

	return row ? show(daemon->db, row, error) : NULL;
}

json_t *image_list(struct daemon *daemon, const char *project, gboolean public_only, GError **error)
{
	g_autofree char *holder = project ? image_project(daemon, project, error) : NULL;
	g_autoptr(json_t) rows = NULL;
	g_autoptr(json_t) images = json_array();
	const json_t *row;
	size_t i;

	if (project && !holder)
		return NULL;
	rows = db_image_rows(daemon->db, holder, NULL, public_only, error);
	if (!rows)
		return NULL;
	json_array_foreach(rows, i, row)
	{
		json_t *image = show(daemon->db, row, error);

		if (!image)
			return NULL;
		json_array_append_new(images, image);
	}
	return g_steal_pointer(&images);
}

gboolean image_touch(struct daemon *daemon, const char *fingerprint, GError **error)
{
	char text[CLOCK_TEXT];
	g_autofree char *now = db_time_write(clock_text(clock_now(), text));

	return db_image_touch(daemon->db, fingerprint, now, error);
}

/* --- files --------------------------------------------------------------------------------- */

int image_open(struct daemon *daemon, const char *fingerprint, int part,
	       enum archive_kind *ret_kind, GError **error)
{
	g_autofree char *path = image_path(daemon, fingerprint, part);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		fail_errno(error, errno, "Failed to open image \"%s\"", fingerprint);
	else if (ret_kind)
		*ret_kind = archive_kind(fd);
	return fd;
}

/* The directory's rootfs, made when the metadata brought none. */
static int open_rootfs(int dir, GError **error)
{
	int fd;

	if (mkdirat(dir, "rootfs", 0755) < 0 && errno != EEXIST)
		fd = -1;
	else
		fd = openat(dir, "rootfs", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		fail_errno(error, errno, "Failed to make the root file system");
	return fd;
}

static gboolean own_rootfs(int rootfs, const struct image_unpack *spec, GError **error)
{
	uid_t uid = 0;
	gid_t gid = 0;

	if (!spec->owner)
		return TRUE;
	if (!spec->owner(&uid, &gid, spec->owner_data))
		return fail(error, 400, "The container's root has no user id");
	return fchown(rootfs, uid, gid) == 0 ||
	       fail_errno(error, errno, "Failed to own the root file system");
}

static gboolean unpack_rootfs(int fd, int dir, const struct image_unpack *spec, GError **error)
{
	struct archive_unpack unpack = {
		.owner = spec->owner,
		.owner_data = spec->owner_data,
		.skip_devices = spec->skip_devices,
		.progress = spec->progress,
		.progress_data = spec->progress_data,
		.cancel = spec->cancel,
	};
	int rootfs = open_rootfs(dir, error);
	gboolean ok;

	if (rootfs < 0)
		return FALSE;
	ok = own_rootfs(rootfs, spec, error) && archive_unpack(fd, rootfs, &unpack, error);
	close(rootfs);
	return ok;
}

/* The metadata alone, or with the root file system in it. */
static gboolean unpack_first(int fd, gboolean is_whole, int dir, const struct image_unpack *spec,
			     GError **error)
{
	struct archive_unpack unpack = {
		.owner = spec->owner,
		.owner_data = spec->owner_data,
		.owner_below = "rootfs",
		.skip_devices = spec->skip_devices,
		.progress = is_whole ? spec->progress : NULL,
		.progress_data = spec->progress_data,
		.cancel = spec->cancel,
	};

	return archive_unpack(fd, dir, &unpack, error);
}

gboolean image_unpack(struct daemon *daemon, const char *fingerprint, int dir,
		      const struct image_unpack *spec, GError **error)
{
	static const struct image_unpack plain;
	int fds[IMAGE_PARTS] = { image_open(daemon, fingerprint, 0, NULL, error), -1 };
	gboolean ok;

	spec = spec ? spec : &plain;
	if (fds[0] < 0)
		return FALSE;
	fds[1] = image_open(daemon, fingerprint, 1, NULL, NULL);
	ok = unpack_first(fds[0], fds[1] < 0, dir, spec, error) &&
	     (fds[1] < 0 || unpack_rootfs(fds[1], dir, spec, error));
	if (ok && fds[1] < 0 && faccessat(dir, "rootfs", F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		ok = fail(error, 400, "Image is missing a rootfs");
	close(fds[0]);
	if (fds[1] >= 0)
		close(fds[1]);
	return ok;
}

/* --- removing -------------------------------------------------------------------------------- */

void image_remove_files(struct daemon *daemon, const char *fingerprint)
{
	for (int part = 0; part < IMAGE_PARTS; part++) {
		g_autofree char *path = image_path(daemon, fingerprint, part);

		unlink(path);
	}
}

struct removal {
	struct daemon *daemon;
	const char *fingerprint;
};

/*
 * With the database locked, so that nobody makes a row for the files meanwhile. The row that had
 * them is gone for good by now: a crash before this leaves files that the next start removes.
 */
static gboolean remove_unused(struct db *db, void *data, GError **error)
{
	const struct removal *removal = data;
	g_autoptr(json_t) rows = db_image_rows(db, NULL, removal->fingerprint, FALSE, error);

	if (!rows)
		return FALSE;
	if (json_array_size(rows) == 0)
		image_remove_files(removal->daemon, removal->fingerprint);
	return TRUE;
}

static gboolean delete_row(struct daemon *daemon, const char *project, const json_t *row,
			   const struct requestor *who, GError **error)
{
	struct removal removal = { daemon, json_text(row, "fingerprint") };

	if (!db_image_delete(daemon->db, json_integer_value(json_object_get(row, "id")), error) ||
	    !db_transaction(daemon->db, remove_unused, &removal, error))
		return FALSE;
	forget_gone(daemon);
	image_event(daemon, project, "image-deleted", removal.fingerprint, NULL, who);
	return TRUE;
}

gboolean image_delete(struct daemon *daemon, const char *project, const char *fingerprint,
		      const struct requestor *who, GError **error)
{
	g_autofree char *holder = NULL;
	g_autoptr(json_t) row = image_row(daemon, project, fingerprint, &holder, error);

	return row && delete_row(daemon, holder, row, who, error);
}

/* Days without use after which what was fetched for an instance goes; 0: never. */
static gboolean is_stale(const json_t *row, gint64 days)
{
	g_autofree char *used =
		db_time_read(json_string_value(json_object_get(row, "last_use_date")));
	g_autofree char *uploaded =
		db_time_read(json_string_value(json_object_get(row, "upload_date")));
	g_autoptr(GDateTime) last = g_date_time_new_from_iso8601(used ? used : uploaded, NULL);

	if (!json_integer_value(json_object_get(row, "cached")) || days <= 0 || !last)
		return FALSE;
	return g_get_real_time() / G_USEC_PER_SEC - g_date_time_to_unix(last) > days * 86400;
}

static gboolean is_expired(const json_t *row)
{
	g_autofree char *text =
		db_time_read(json_string_value(json_object_get(row, "expiry_date")));
	g_autoptr(GDateTime) when = text ? g_date_time_new_from_iso8601(text, NULL) : NULL;

	/* Zero and the epoch both stand for never. */
	return when && g_date_time_to_unix(when) > 0 &&
	       g_date_time_to_unix(when) <= g_get_real_time() / G_USEC_PER_SEC;
}

gboolean image_expire(struct daemon *daemon, GError **error)
{
	g_autofree char *days = server_config_value(daemon->db, "images.remote_cache_expiry");
	g_autoptr(json_t) rows = db_image_rows(daemon->db, NULL, NULL, FALSE, error);
	const json_t *row;
	size_t i;

	if (!rows)
		return FALSE;
	json_array_foreach(rows, i, row) if ((is_expired(row) ||
					      is_stale(row, g_ascii_strtoll(days, NULL, 10))) &&
					     !delete_row(daemon, json_text(row, "project"), row,
							 NULL, error)) return FALSE;
	return TRUE;
}
