/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Images from their upload to their end, with a database in memory and a directory of their own. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/image.h"
#include "db/db.h"
#include "support.h"
#include "util/copy.h"
#include "util/run.h"

static struct daemon daemon_;

static void setup(void)
{
	GError *error = NULL;

	daemon_.dir = g_dir_make_tmp("image-XXXXXX", NULL);
	daemon_.db = db_open("", &error);
	ck_assert_msg(daemon_.db != NULL, "%s", error ? error->message : "");
	daemon_.events = event_hub_new();
	ck_assert(image_startup(&daemon_, NULL));
}

static void teardown(void)
{
	event_hub_free(daemon_.events);
	db_close(daemon_.db);
	ck_assert(copy_delete(daemon_.dir, NULL, NULL));
	g_free(daemon_.dir);
}

#define ASSERT_OK(call)                                                       \
	do {                                                                  \
		g_autoptr(GError) bad_ = NULL;                                \
		GError **error = &bad_;                                       \
		gboolean ok_ = (call);                                        \
		ck_assert_msg(ok_, #call ": %s", bad_ ? bad_->message : "-"); \
	} while (0)

#define ASSERT_FAILS(call, status, words)                       \
	do {                                                    \
		g_autoptr(GError) bad_ = NULL;                  \
		GError **error = &bad_;                         \
		gboolean ok_ = !!(call);                        \
		if (ok_ || !bad_)                               \
			ck_abort_msg("%s", #call " went well"); \
		if (!strstr(bad_->message, words))              \
			ck_abort_msg("%s", bad_->message);      \
		ck_assert_int_eq(error_status(bad_), status);   \
	} while (0)

static const char metadata[] = "architecture: x86_64\ncreation_date: 1700000000\n"
			       "expiry_date: 1800000000\n"
			       "properties: {os: Busy, release: 22.04}\n"
			       "templates: {/etc/hostname: {template: h.tpl}}\n";

/* An archive of these members; "rootfs/..." among them or not. */
static GBytes *archive_of(const struct archive_member *members, gsize n)
{
	struct archive_pack pack = { .compressor = "gzip", .members = members, .n_members = n };
	g_autofree char *path = daemon_path(&daemon_, "archive", NULL);
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	char *text;
	gsize len;

	ASSERT_OK(archive_pack(fd, &pack, error));
	close(fd);
	ck_assert(g_file_get_contents(path, &text, &len, NULL));
	unlink(path);
	return g_bytes_new_take(text, len);
}

static GBytes *whole(const char *content)
{
	const struct archive_member members[] = {
		{ "metadata.yaml", metadata, sizeof metadata - 1, 0 },
		{ "templates/h.tpl", "{{ x }}", 7, 0 },
		{ "rootfs/etc/motd", content, strlen(content), 0 },
	};

	return archive_of(members, 3);
}

static char *import_parts(GBytes *first, GBytes *second, const char *project,
			  const struct image_options *options, GError **error)
{
	struct image_upload *upload = image_upload_new(&daemon_);
	GBytes *parts[] = { first, second };
	char *fingerprint = NULL;
	gboolean ok = TRUE;

	for (int i = 0; ok && i < 2; i++) {
		gsize len = 0;
		const char *data = parts[i] ? g_bytes_get_data(parts[i], &len) : NULL;

		for (gsize at = 0; ok && at < len; at += 100)
			ok = image_upload_write(upload, i, data + at, MIN(len - at, 100), error);
	}
	if (ok)
		fingerprint = image_upload_finish(upload, project, options, NULL, error);
	image_upload_free(upload);
	return fingerprint;
}

static char *import_one(const char *content)
{
	const struct image_options options = { .filename = "x.tar.gz" };
	g_autoptr(GBytes) bytes = whole(content);
	GError *error = NULL;
	char *fingerprint = import_parts(bytes, NULL, "default", &options, &error);

	ck_assert_msg(fingerprint != NULL, "%s", error ? error->message : "");
	return fingerprint;
}

static guint files(void)
{
	g_autofree char *path = daemon_path(&daemon_, "images", NULL);
	GDir *dir = g_dir_open(path, 0, NULL);
	guint n = 0;

	while (g_dir_read_name(dir))
		n++;
	g_dir_close(dir);
	return n;
}

static void own_project(const char *name)
{
	gint64 id = db_insert(daemon_.db, NULL,
			      "INSERT INTO projects (name, description) VALUES (?1, '')", "s",
			      name);

	ck_assert(db_run(daemon_.db, NULL, NULL,
			 "INSERT INTO projects_config (project_id, key, value)"
			 " VALUES (?1, 'features.images', 'true')",
			 "i", id));
}

/* --- import -------------------------------------------------------------------------- */

START_TEST(an_upload_is_an_image)
{
	g_autofree char *fingerprint = import_one("hello");
	g_autoptr(GBytes) bytes = whole("hello");
	g_autofree char *sum = g_compute_checksum_for_bytes(G_CHECKSUM_SHA256, bytes);
	g_autofree char *prefix = g_strndup(fingerprint, 5);
	g_autoptr(json_t) image = image_find(&daemon_, "default", prefix, NULL);
	json_t *properties = json_object_get(image, "properties");

	ck_assert_str_eq(fingerprint, sum);
	ck_assert_str_eq(json_text(image, "fingerprint"), fingerprint);
	ck_assert_str_eq(json_text(image, "filename"), "x.tar.gz");
	ck_assert_str_eq(json_text(image, "architecture"), "x86_64");
	ck_assert_str_eq(json_text(image, "type"), "container");
	ck_assert_str_eq(json_text(image, "created_at"), "2023-11-14T22:13:20Z");
	ck_assert_str_eq(json_text(image, "expires_at"), "2027-01-15T08:00:00Z");
	ck_assert_str_eq(json_text(image, "last_used_at"), "0001-01-01T00:00:00Z");
	ck_assert_str_eq(json_text(properties, "release"), "22.04");
	ck_assert_int_eq(json_integer_value(json_object_get(image, "size")),
			 (gint64)g_bytes_get_size(bytes));
	ck_assert_uint_eq(json_array_size(json_object_get(image, "profiles")), 1);
	ck_assert_uint_eq(files(), 1);
}
END_TEST

START_TEST(what_is_no_image_leaves_nothing)
{
	const struct image_options options = { .fingerprint = "abc" };
	const struct archive_member none = { "x", "y", 1, 0 };
	const struct archive_member bad = { "metadata.yaml", "architecture: vax\n", 18, 0 };
	const struct archive_member no_date = { "metadata.yaml", "architecture: x86_64\n", 21, 0 };
	g_autoptr(GBytes) text = g_bytes_new_static("no archive", 10);
	g_autoptr(GBytes) good = whole("x");
	g_autoptr(GBytes) without = archive_of(&none, 1);
	g_autoptr(GBytes) vax = archive_of(&bad, 1);
	g_autoptr(GBytes) timeless = archive_of(&no_date, 1);
	const struct image_options plain = { 0 };

	ASSERT_FAILS(import_parts(good, NULL, "default", &options, error), 400,
		     "fingerprints don't match, got ");
	ASSERT_FAILS(import_parts(text, NULL, "default", &plain, error), 400,
		     "Unsupported compression");
	ASSERT_FAILS(import_parts(without, NULL, "default", &plain, error), 400, "metadata.yaml");
	ASSERT_FAILS(import_parts(vax, NULL, "default", &plain, error), 400,
		     "Architecture isn't supported: vax");
	ASSERT_FAILS(import_parts(timeless, NULL, "default", &plain, error), 400,
		     "Missing creation date");
	ASSERT_FAILS(import_parts(NULL, NULL, "default", &plain, error), 400, "Unsupported");
	ASSERT_FAILS(import_parts(good, NULL, "nosuch", &plain, error), 404, "nosuch");
	ck_assert_uint_eq(files(), 0);
}
END_TEST

START_TEST(the_same_twice_is_a_conflict)
{
	g_autofree char *fingerprint = import_one("x");
	const struct image_options plain = { 0 };
	g_autoptr(GBytes) bytes = whole("x");
	g_autoptr(json_t) image = NULL;

	ASSERT_FAILS(import_parts(bytes, NULL, "default", &plain, error), 409,
		     "Image with same fingerprint already exists");
	ck_assert_uint_eq(files(), 1);
	image = image_find(&daemon_, "default", fingerprint, NULL);
	ck_assert_ptr_nonnull(image);
}
END_TEST

START_TEST(aliases_come_with_it_or_nothing_does)
{
	g_autoptr(json_t) aliases = json_pack("[{ss ss}]", "name", "a", "description", "d");
	const struct image_options options = { .aliases = aliases };
	g_autoptr(GBytes) one = whole("1"), two = whole("2");
	g_autofree char *fingerprint = import_parts(one, NULL, "default", &options, NULL);
	g_autofree char *target = image_alias_target(&daemon_, "default", "a", NULL);

	ck_assert_str_eq(target, fingerprint);
	ASSERT_FAILS(import_parts(two, NULL, "default", &options, error), 409,
		     "Alias already exists: a");
	ck_assert_uint_eq(files(), 1);
}
END_TEST

/* --- projects, removal, crashes --------------------------------------------------------- */

START_TEST(files_go_with_the_last_project)
{
	g_autofree char *fingerprint = import_one("x");
	g_autofree char *again = NULL;
	g_autoptr(GBytes) bytes = whole("x");
	const struct image_options plain = { 0 };
	g_autoptr(json_t) found = NULL;

	own_project("p");
	ASSERT_FAILS(image_find(&daemon_, "p", fingerprint, error) != NULL, 404, "Image not found");
	again = import_parts(bytes, NULL, "p", &plain, NULL);
	ck_assert_str_eq(again, fingerprint);
	ASSERT_OK(image_delete(&daemon_, "default", fingerprint, NULL, error));
	ck_assert_uint_eq(files(), 1);
	found = image_find(&daemon_, "p", fingerprint, NULL);
	ck_assert_ptr_nonnull(found);
	ASSERT_OK(image_delete(&daemon_, "p", fingerprint, NULL, error));
	ck_assert_uint_eq(files(), 0);
	ASSERT_FAILS(image_delete(&daemon_, "p", fingerprint, NULL, error), 404, "Image not found");
}
END_TEST

static void touch_file(const char *name)
{
	g_autofree char *path = daemon_path(&daemon_, "images", name, NULL);

	ck_assert(g_file_set_contents(path, "x", 1, NULL));
}

START_TEST(a_start_removes_what_a_crash_left)
{
	g_autofree char *fingerprint = import_one("x");
	g_autofree char *prefix = g_strndup(fingerprint, 8);

	touch_file(".upload-abcdef");
	touch_file("0123456789abcdef");
	touch_file("0123456789abcdef.rootfs");
	touch_file(prefix); /* the start of a known one is none */
	ck_assert_uint_eq(files(), 5);
	ASSERT_OK(image_startup(&daemon_, error));
	ck_assert_uint_eq(files(), 1);
}
END_TEST

START_TEST(expired_ones_go)
{
	g_autofree char *old = import_one("old");
	g_autofree char *fresh = import_one("fresh");
	g_autoptr(json_t) body = json_pack("{ss}", "expires_at", "2001-01-01T00:00:00Z");
	g_autoptr(json_t) left = NULL;

	ASSERT_OK(image_update(&daemon_, "default", old, body, TRUE, NULL, error));
	ASSERT_OK(image_expire(&daemon_, error));
	left = image_list(&daemon_, "default", FALSE, NULL);
	ck_assert_uint_eq(json_array_size(left), 1);
	ck_assert_str_eq(json_text(json_array_get(left, 0), "fingerprint"), fresh);
	ck_assert_uint_eq(files(), 1);
}
END_TEST

/* --- changes ------------------------------------------------------------------------------ */

START_TEST(put_replaces_and_patch_adds)
{
	g_autofree char *fingerprint = import_one("x");
	g_autoptr(json_t) more = json_pack("{s{ss}sb}", "properties", "a", "b", "public", 1);
	g_autoptr(json_t) bad = json_pack("{s{si}}", "properties", "a", 1);
	g_autoptr(json_t) image = NULL;

	ASSERT_OK(image_update(&daemon_, "default", fingerprint, more, TRUE, NULL, error));
	image = image_find(&daemon_, "default", fingerprint, NULL);
	ck_assert_uint_eq(json_object_size(json_object_get(image, "properties")), 3);
	ck_assert(json_is_true(json_object_get(image, "public")));
	ck_assert_str_eq(json_text(image, "expires_at"), "2027-01-15T08:00:00Z");
	json_decref(image);
	ASSERT_OK(image_update(&daemon_, "default", fingerprint, more, FALSE, NULL, error));
	image = image_find(&daemon_, "default", fingerprint, NULL);
	ck_assert_uint_eq(json_object_size(json_object_get(image, "properties")), 1);
	ASSERT_FAILS(image_update(&daemon_, "default", fingerprint, bad, FALSE, NULL, error), 400,
		     "properties");
}
END_TEST

START_TEST(aliases)
{
	g_autofree char *one = import_one("1"), *two = import_one("2");
	g_autofree char *target = NULL;
	g_autoptr(json_t) all = NULL;

	ASSERT_OK(image_alias_create(&daemon_, "default", "a/b", one, "d", NULL, error));
	ASSERT_FAILS(image_alias_create(&daemon_, "default", "a/b", two, "", NULL, error), 409,
		     "Alias \"a/b\" already exists");
	ASSERT_FAILS(image_alias_create(&daemon_, "default", "c", "nosuch", "", NULL, error), 404,
		     "Image not found");
	ASSERT_OK(image_alias_update(&daemon_, "default", "a/b", two, "e", NULL, error));
	ASSERT_OK(image_alias_create(&daemon_, "default", "c", one, "", NULL, error));
	ASSERT_FAILS(image_alias_rename(&daemon_, "default", "c", "a/b", NULL, error), 409, "a/b");
	ASSERT_OK(image_alias_rename(&daemon_, "default", "a/b", "z", NULL, error));
	target = image_alias_target(&daemon_, "default", "z", NULL);
	ck_assert_str_eq(target, two);
	ASSERT_FAILS(image_alias_delete(&daemon_, "default", "a/b", NULL, error), 404,
		     "Image alias not found");
	ASSERT_OK(image_delete(&daemon_, "default", two, NULL, error));
	all = image_aliases(&daemon_, "default", NULL);
	ck_assert_uint_eq(json_array_size(all), 1);
}
END_TEST

/* --- use ------------------------------------------------------------------------------------- */

static gboolean shift(uid_t *uid, gid_t *gid, void *data)
{
	(void)data;
	*uid += 100000;
	*gid += 100000;
	return TRUE;
}

static int new_dir(const char *name)
{
	g_autofree char *path = daemon_path(&daemon_, name, NULL);

	ck_assert_int_eq(mkdir(path, 0700), 0);
	return open(path, O_RDONLY | O_DIRECTORY);
}

static uid_t owner_of(int dir, const char *name)
{
	struct stat st;

	ck_assert_msg(fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0, "%s", name);
	return st.st_uid;
}

START_TEST(unpacked_whole_or_in_two)
{
	const struct archive_member meta = { "metadata.yaml", metadata, sizeof metadata - 1, 0 };
	const struct archive_member file = { "etc/motd", "x", 1, 0 };
	const struct image_unpack spec = { .owner = shift };
	const struct image_options plain = { 0 };
	g_autoptr(GBytes) first = _i ? archive_of(&meta, 1) : whole("x");
	g_autoptr(GBytes) second = _i ? archive_of(&file, 1) : NULL;
	g_autofree char *fingerprint = import_parts(first, second, "default", &plain, NULL);
	int dir = new_dir("c1");

	ck_assert_uint_eq(files(), _i ? 2 : 1);
	ASSERT_OK(image_unpack(&daemon_, fingerprint, dir, &spec, error));
	ck_assert_uint_eq(owner_of(dir, "metadata.yaml"), 0);
	ck_assert_uint_eq(owner_of(dir, "rootfs"), 100000);
	ck_assert_uint_eq(owner_of(dir, "rootfs/etc"), 100000);
	ck_assert_uint_eq(owner_of(dir, "rootfs/etc/motd"), 100000);
	ASSERT_OK(image_touch(&daemon_, fingerprint, error));
	ASSERT_OK(image_delete(&daemon_, "default", fingerprint, NULL, error));
	ck_assert_uint_eq(files(), 0);
	close(dir);
}
END_TEST

START_TEST(without_a_root_it_cannot_be_used)
{
	const struct archive_member meta = { "metadata.yaml", metadata, sizeof metadata - 1, 0 };
	const struct image_options plain = { 0 };
	g_autoptr(GBytes) first = archive_of(&meta, 1);
	g_autofree char *fingerprint = import_parts(first, NULL, "default", &plain, NULL);
	int dir = new_dir("c1");

	ASSERT_FAILS(image_unpack(&daemon_, fingerprint, dir, NULL, error), 400,
		     "Image is missing a rootfs");
	ASSERT_FAILS(image_unpack(&daemon_, "0123", dir, NULL, error), 404, "0123");
	close(dir);
}
END_TEST

static gboolean unshift(uid_t *uid, gid_t *gid, void *data)
{
	(void)data;
	*uid -= 100000;
	*gid -= 100000;
	return TRUE;
}

START_TEST(published_and_unpacked_again)
{
	const struct image_unpack spec = { .owner = shift };
	g_autofree char *first = import_one("x");
	g_autofree char *second = NULL;
	g_autoptr(json_t) properties = json_pack("{ss}", "os", "Mine");
	struct image_publish publish = { .owner = unshift, .compressor = "zstd -1" };
	g_autoptr(json_t) image = NULL;
	GError *bad = NULL;
	int dir = new_dir("c1"), again = new_dir("c2");

	ASSERT_OK(image_unpack(&daemon_, first, dir, &spec, error));
	ck_assert_int_eq(fchownat(dir, "metadata.yaml", 100000, 100000, 0), 0);
	publish.dir = dir;
	publish.options.properties = properties;
	second = image_create_from_tree(&daemon_, "default", &publish, &bad);
	ck_assert_msg(second != NULL, "%s", bad ? bad->message : "");
	image = image_find(&daemon_, "default", second, NULL);
	ck_assert_str_eq(json_text(json_object_get(image, "properties"), "os"), "Mine");
	ASSERT_OK(image_unpack(&daemon_, second, again, NULL, error));
	ck_assert_uint_eq(owner_of(again, "rootfs/etc/motd"), 0);
	ck_assert_uint_eq(owner_of(again, "templates/h.tpl"), 0);
	publish.compressor = "nosuch";
	ASSERT_FAILS(image_create_from_tree(&daemon_, "default", &publish, error), 400, "nosuch");
	ck_assert_uint_eq(files(), 2);
	close(dir);
	close(again);
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, an_upload_is_an_image);
	tcase_add_test(tests, what_is_no_image_leaves_nothing);
	tcase_add_test(tests, the_same_twice_is_a_conflict);
	tcase_add_test(tests, aliases_come_with_it_or_nothing_does);
	tcase_add_test(tests, files_go_with_the_last_project);
	tcase_add_test(tests, a_start_removes_what_a_crash_left);
	tcase_add_test(tests, expired_ones_go);
	tcase_add_test(tests, put_replaces_and_patch_adds);
	tcase_add_test(tests, aliases);
	tcase_add_loop_test(tests, unpacked_whole_or_in_two, 0, 2);
	tcase_add_test(tests, without_a_root_it_cannot_be_used);
	tcase_add_test(tests, published_and_unpacked_again);
}

int main(void)
{
	return test_run("manager_image", fill);
}
