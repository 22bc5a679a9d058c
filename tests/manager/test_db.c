/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The database: transactions, maps and devices, migrations, and what a kill leaves. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "db/db.h"
#include "db/schema.h"
#include "support.h"
#include "util/error.h"
#include "util/json.h"

static char *dir, *path;

static void setup(void)
{
	dir = g_dir_make_tmp("manager-db-XXXXXX", NULL);
	path = g_build_filename(dir, "lxd.db", NULL);
}

static void teardown(void)
{
	GDir *list = g_dir_open(dir, 0, NULL);
	const char *name;

	while ((name = g_dir_read_name(list))) {
		g_autofree char *file = g_build_filename(dir, name, NULL);

		g_unlink(file);
	}
	g_dir_close(list);
	g_rmdir(dir);
	g_free(path);
	g_free(dir);
}

static struct db *open_at(const char *where)
{
	g_autoptr(GError) error = NULL;
	struct db *db = db_open(where, &error);

	ck_assert_msg(db != NULL, "%s", error ? error->message : "no error");
	return db;
}

static gint64 number(struct db *db, const char *sql)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(json_t) row = db_row(db, &error, sql, "");

	ck_assert_msg(row != NULL, "%s", error ? error->message : "no row");
	return json_integer_value(json_object_get(row, "n"));
}

START_TEST(rows_and_types)
{
	struct db *db = open_at("");
	g_autoptr(GError) error = NULL;
	g_autoptr(json_t)
		row = db_row(db, &error, "SELECT ?1 AS i, ?2 AS s, ?3 AS z, ?4 AS b, 1.5 AS r",
			     "issb", G_MAXINT64, "a'\xc3\xa4", NULL, 7);
	g_autoptr(json_t) none = NULL;

	ck_assert_int_eq(json_integer_value(json_object_get(row, "i")), G_MAXINT64);
	ck_assert_str_eq(json_text(row, "s"), "a'\xc3\xa4");
	ck_assert(json_is_null(json_object_get(row, "z")));
	ck_assert_int_eq(json_integer_value(json_object_get(row, "b")), 1);
	ck_assert(json_is_real(json_object_get(row, "r")));
	none = db_row(db, &error, "SELECT 1 WHERE 0", "");
	ck_assert(!none && !error);
	ck_assert_ptr_null(db_select(db, &error, "SELEC", ""));
	ck_assert_int_eq(error_status(error), 500);
	db_close(db);
}
END_TEST

START_TEST(unique_is_409_and_foreign_keys_hold)
{
	struct db *db = open_at("");
	g_autoptr(GError) twice = NULL, orphan = NULL;

	ck_assert_int_eq(db_insert(db, &twice,
				   "INSERT INTO projects (name, description) VALUES (?1, '')", "s",
				   "default"),
			 -1);
	ck_assert_int_eq(error_status(twice), 409);
	ck_assert_int_eq(db_insert(db, &orphan,
				   "INSERT INTO profiles (name, description, project_id)"
				   " VALUES ('x', '', 99)",
				   ""),
			 -1);
	ck_assert_int_eq(error_status(orphan), 500);
	ck_assert(db_run(db, NULL, NULL, "DELETE FROM projects", ""));
	ck_assert_int_eq(number(db, "SELECT COUNT(*) AS n FROM profiles"), 0);
	db_close(db);
}
END_TEST

static gboolean add_user(struct db *db, void *name, GError **error)
{
	return db_run(db, error, NULL, "INSERT INTO config (key, value) VALUES (?1, 'x')", "s",
		      name);
}

static gboolean add_and_fail(struct db *db, void *name, GError **error)
{
	return add_user(db, name, error) && fail(error, 400, "on purpose");
}

static gboolean outer(struct db *db, void *data, GError **error)
{
	(void)data;
	return add_user(db, "user.outer", error) &&
	       !db_transaction(db, add_and_fail, "user.inner", NULL) &&
	       db_transaction(db, add_user, "user.kept", error);
}

START_TEST(transactions_nest)
{
	struct db *db = open_at("");

	ck_assert(db_transaction(db, outer, NULL, NULL));
	ck_assert_int_eq(number(db, "SELECT COUNT(*) AS n FROM config"), 2);
	ck_assert_int_eq(number(db, "SELECT COUNT(*) AS n FROM config WHERE key = 'user.inner'"),
			 0);
	ck_assert(!db_transaction(db, add_and_fail, "user.other", NULL));
	ck_assert_int_eq(number(db, "SELECT COUNT(*) AS n FROM config"), 2);
	db_close(db);
}
END_TEST

START_TEST(maps_and_devices)
{
	struct db *db = open_at("");
	g_autoptr(json_t) config = json_pack("{s:s, s:s, s:s}", "a", "1", "b", "", "c", "x\ny");
	g_autoptr(json_t)
		devices = json_pack("{s:{s:s, s:s}, s:{s:s}, s:{s:s}}", "root", "type", "disk",
				    "path", "/", "gone", "type", "none", "c", "type", "unix-char");
	g_autoptr(json_t) bad = json_pack("{s:{s:s}}", "x", "type", "zz");
	g_autoptr(json_t) empty = json_object(), back = NULL, back_devices = NULL, after = NULL;
	g_autoptr(GError) error = NULL;

	ck_assert(db_config_put(db, "profiles_config", "profile", 1, config, NULL));
	back = db_config_get(db, "profiles_config", "profile", 1, NULL);
	ck_assert_uint_eq(json_object_size(back), 2);
	ck_assert_str_eq(json_text(back, "c"), "x\ny");
	ck_assert(db_devices_put(db, "profiles", "profile", 1, devices, NULL));
	ck_assert(!db_devices_put(db, "profiles", "profile", 1, bad, &error));
	ck_assert_int_eq(error_status(error), 400);
	back_devices = db_devices_get(db, "profiles", "profile", 1, NULL);
	ck_assert(json_equal(back_devices, devices));
	ck_assert(db_devices_put(db, "profiles", "profile", 1, empty, NULL));
	after = db_devices_get(db, "profiles", "profile", 1, NULL);
	ck_assert_uint_eq(json_object_size(after), 0);
	ck_assert_int_eq(number(db, "SELECT COUNT(*) AS n FROM profiles_devices_config"), 0);
	db_close(db);
}
END_TEST

START_TEST(tables_are_there)
{
	static const char *const tables[] = {
		"schema",
		"config",
		"nodes",
		"projects",
		"projects_config",
		"profiles",
		"profiles_config",
		"profiles_devices",
		"profiles_devices_config",
		"instances",
		"instances_config",
		"instances_devices",
		"instances_devices_config",
		"instances_profiles",
		"instances_snapshots",
		"instances_snapshots_config",
		"instances_snapshots_devices",
		"instances_snapshots_devices_config",
		"instances_backups",
		"images",
		"images_aliases",
		"images_properties",
		"images_source",
		"images_profiles",
		"storage_pools",
		"storage_pools_config",
		"storage_volumes",
		"storage_volumes_config",
		"storage_volumes_snapshots",
		"storage_volumes_snapshots_config",
		"storage_volumes_backups",
		"networks",
		"networks_config",
		"certificates",
		"certificates_projects",
		"warnings",
	};
	struct db *db = open_at("");

	for (gsize i = 0; i < G_N_ELEMENTS(tables); i++) {
		g_autofree char *sql = g_strdup_printf("SELECT COUNT(*) AS n FROM %s", tables[i]);

		ck_assert_int_ge(number(db, sql), 0);
	}
	ck_assert_int_eq(number(db, "SELECT MAX(version) AS n FROM schema"), schema_newest);
	db_close(db);
}
END_TEST

START_TEST(what_users_type)
{
	struct db *db = open_at("");
	g_autoptr(GError) error = NULL;
	g_autoptr(json_t) results = db_user_query(
		db, "SELECT id, name FROM profiles; -- all\nUPDATE profiles SET name = 'x';",
		&error);
	g_autofree char *text = json_print(results);
	g_autofree char *dump = db_dump(db, FALSE, NULL), *schema = db_dump(db, TRUE, NULL);

	ck_assert_str_eq(text, "{\"Results\":[{\"columns\":[\"id\",\"name\"],\"rows\":"
			       "[[1,\"default\"]],\"rows_affected\":0,\"type\":\"select\"},"
			       "{\"columns\":null,\"rows\":null,\"rows_affected\":1,"
			       "\"type\":\"exec\"}]}");
	ck_assert_ptr_null(db_user_query(db, "DELETE FROM profiles; SELEC", &error));
	ck_assert_str_eq(error->message, "Failed to exec query: near \"SELEC\": syntax error");
	ck_assert_int_eq(number(db, "SELECT COUNT(*) AS n FROM profiles"), 1);
	ck_assert_ptr_nonnull(strstr(dump, "INSERT INTO profiles VALUES(1,'x',"));
	ck_assert_ptr_null(strstr(schema, "INSERT INTO"));
	db_close(db);
}
END_TEST

/* A dump is SQL that makes the same again. */
START_TEST(dumps_can_be_read)
{
	struct db *db = open_at(path), *other;
	g_autofree char *dump = db_dump(db, FALSE, NULL), *again = NULL;
	g_autofree char *copy = g_strconcat(path, ".copy", NULL);
	const char *empty[] = { dump };
	char *end = strstr(dump, "COMMIT;");
	char *begin = strstr(dump, "BEGIN TRANSACTION;");

	ck_assert(begin && end);
	memset(begin, ' ', strlen("BEGIN TRANSACTION;"));
	memset(end, ' ', strlen("COMMIT;"));
	/* It holds its version's row already. */
	ck_assert_ptr_nonnull(strstr(dump, "INSERT INTO schema"));
	memcpy(strstr(dump, "INSERT INTO schema"), "-- ", 3);
	other = db_open_migrations(copy, empty, 1, NULL);
	ck_assert_ptr_nonnull(other);
	ck_assert_int_eq(number(other, "SELECT COUNT(*) AS n FROM projects_config"), 4);
	db_close(other);
	db_close(db);
}
END_TEST

static const char *const steps[] = {
	"CREATE TABLE schema (id INTEGER PRIMARY KEY, version INTEGER, updated_at TEXT);"
	"CREATE TABLE a (x INTEGER);"
	"INSERT INTO a VALUES (1);",
	"ALTER TABLE a ADD COLUMN y INTEGER; UPDATE a SET y = x + 1;",
	"CREATE TABLE b (x); INSERT INTO nowhere VALUES (1);",
};

START_TEST(migrations)
{
	g_autoptr(GError) newer = NULL, broken = NULL;
	g_autofree char *backup = g_strconcat(path, ".bak.1", NULL);
	struct db *db = db_open_migrations(path, steps, 1, NULL);

	ck_assert_ptr_nonnull(db);
	db_close(db);
	ck_assert(!g_file_test(backup, G_FILE_TEST_EXISTS));
	db = db_open_migrations(path, steps, 2, NULL);
	ck_assert_int_eq(number(db, "SELECT y AS n FROM a"), 2);
	db_close(db);
	db = db_open_migrations(backup, steps, 1, NULL); /* the copy is of the older one */
	ck_assert_int_eq(number(db, "SELECT COUNT(*) AS n FROM pragma_table_info('a')"), 1);
	db_close(db);
	ck_assert_ptr_null(db_open_migrations(path, steps, 1, &newer));
	ck_assert_str_eq(newer->message,
			 "The database is of version 2, newer than this program's 1");
	ck_assert_ptr_null(db_open_migrations(path, steps, 3, &broken));
	ck_assert(
		g_str_has_prefix(broken->message, "Failed to update the database to version 3: "));
	db = db_open_migrations(path, steps, 2, NULL); /* nothing of the third is left */
	ck_assert_ptr_nonnull(db);
	ck_assert_int_eq(number(db, "SELECT COUNT(*) AS n FROM sqlite_master WHERE name = 'b'"), 0);
	db_close(db);
}
END_TEST

/* Two rows that must come together, for ever; tells after each transaction that it is kept. */
static gboolean add_pair(struct db *db, void *data, GError **error)
{
	const gint64 *n = data;

	return db_run(db, error, NULL, "INSERT INTO config (key, value) VALUES ('a' || ?1, 'x')",
		      "i", *n) &&
	       db_run(db, error, NULL, "INSERT INTO config (key, value) VALUES ('b' || ?1, 'x')",
		      "i", *n);
}

static _Noreturn void write_pairs(int fd)
{
	struct db *db = db_open(path, NULL);

	for (gint64 n = 0; db; n++) {
		if (!db_transaction(db, add_pair, &n, NULL) || write(fd, &n, sizeof(n)) < 0)
			break;
	}
	_exit(1);
}

START_TEST(killed_in_the_midst)
{
	gint64 told = -1, n, kept = 0;
	int ends[2];

	db_close(open_at(path));
	for (int round = 0; round < 8; round++) {
		pid_t child;
		struct db *db;

		db = open_at(path);
		ck_assert(db_run(db, NULL, NULL, "DELETE FROM config", ""));
		db_close(db);
		ck_assert_int_eq(pipe(ends), 0);
		child = fork();
		if (child == 0)
			write_pairs(ends[1]);
		close(ends[1]);
		/* At another place each round; the child is within a transaction most of the time.
		 */
		for (int i = 0; i < 20 + round * 13; i++)
			ck_assert_int_eq(read(ends[0], &n, sizeof(n)), sizeof(n));
		kill(child, SIGKILL);
		for (told = n; read(ends[0], &n, sizeof(n)) == sizeof(n);)
			told = n;
		close(ends[0]);
		waitpid(child, NULL, 0);
		db = open_at(path);
		kept = number(db, "SELECT COUNT(*) AS n FROM config WHERE key LIKE 'a%'");
		ck_assert_int_ge(kept, told + 1); /* nothing that was told is lost */
		ck_assert_int_le(kept, told + 2);
		ck_assert_int_eq(number(db, "SELECT COUNT(*) AS n FROM config"), 2 * kept);
		ck_assert_int_eq(number(db, "SELECT COUNT(*) AS n FROM pragma_integrity_check"
					    " WHERE integrity_check = 'ok'"),
				 1);
		db_close(db);
	}
}
END_TEST

static gboolean count_up(struct db *db, void *data, GError **error)
{
	(void)data;
	return db_run(db, error, NULL, "UPDATE config SET value = value + 1 WHERE key = 'n'", "");
}

static void *counter(void *db)
{
	for (int i = 0; i < 200; i++)
		if (!db_transaction(db, count_up, NULL, NULL))
			return NULL;
	return db;
}

START_TEST(threads)
{
	struct db *db = open_at(path);
	GThread *all[4];
	g_autoptr(json_t) row = NULL;

	ck_assert(db_run(db, NULL, NULL, "INSERT INTO config (key, value) VALUES ('n', '0')", ""));
	for (int i = 0; i < 4; i++)
		all[i] = g_thread_new("counter", counter, db);
	for (int i = 0; i < 4; i++)
		ck_assert_ptr_eq(g_thread_join(all[i]), db);
	row = db_row(db, NULL, "SELECT value FROM config WHERE key = 'n'", "");
	ck_assert_str_eq(json_text(row, "value"), "800");
	db_close(db);
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, rows_and_types);
	tcase_add_test(tests, unique_is_409_and_foreign_keys_hold);
	tcase_add_test(tests, transactions_nest);
	tcase_add_test(tests, maps_and_devices);
	tcase_add_test(tests, tables_are_there);
	tcase_add_test(tests, what_users_type);
	tcase_add_test(tests, dumps_can_be_read);
	tcase_add_test(tests, migrations);
	tcase_add_test(tests, killed_in_the_midst);
	tcase_add_test(tests, threads);
}

int main(void)
{
	return test_run("db", fill);
}
