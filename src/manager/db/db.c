/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One connection behind one lock. WAL with synchronous=NORMAL: killing the daemon loses nothing
 * that was committed; a power cut may lose the last transactions, never the order between them.
 */
#include "db/db.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "db/schema.h"
#include "util/error.h"
#include "util/json.h"

#define CACHED_STATEMENTS 256
#define BUSY_MS 10000 /* another process may look into the file */

struct db {
	sqlite3 *sqlite;
	GRecMutex lock;
	unsigned depth;		/* of transactions; under the lock */
	GHashTable *statements; /* SQL to sqlite3_stmt, none of them in use while unlocked */
};

typedef GRecMutex locked;

static void unlock_at(locked **lock)
{
	g_rec_mutex_unlock(*lock);
}

#define HOLD(db)                                                         \
	__attribute__((cleanup(unlock_at))) locked *held_ = &(db)->lock; \
	g_rec_mutex_lock(held_)

static gboolean fail_sqlite(struct db *db, GError **error)
{
	int code = sqlite3_extended_errcode(db->sqlite);

	if (code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY)
		return fail(error, 409, "%s", sqlite3_errmsg(db->sqlite));
	if (code == SQLITE_FULL)
		return fail(error, 500, "No space left on device for the database");
	return fail(error, 500, "%s", sqlite3_errmsg(db->sqlite));
}

static gboolean execute(struct db *db, const char *sql, GError **error)
{
	if (sqlite3_exec(db->sqlite, sql, NULL, NULL, NULL) != SQLITE_OK)
		return fail_sqlite(db, error);
	return TRUE;
}

/* --- statements ---------------------------------------------------------------- */

static void finalize(gpointer stmt)
{
	sqlite3_finalize(stmt);
}

/* Belongs to the cache; reset and without bindings. */
static sqlite3_stmt *prepare(struct db *db, const char *sql, GError **error)
{
	sqlite3_stmt *stmt = g_hash_table_lookup(db->statements, sql);

	if (stmt)
		return stmt;
	if (g_hash_table_size(db->statements) >= CACHED_STATEMENTS)
		g_hash_table_remove_all(db->statements);
	if (sqlite3_prepare_v3(db->sqlite, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL) !=
	    SQLITE_OK) {
		fail_sqlite(db, error);
		return NULL;
	}
	g_hash_table_insert(db->statements, g_strdup(sql), stmt);
	return stmt;
}

static void bind(sqlite3_stmt *stmt, const char *types, va_list args)
{
	for (int i = 1; *types; i++, types++) {
		const char *text;

		switch (*types) {
		case 's':
			text = va_arg(args, const char *);
			if (text)
				sqlite3_bind_text(stmt, i, text, -1, SQLITE_TRANSIENT);
			break;
		case 'i':
			sqlite3_bind_int64(stmt, i, va_arg(args, gint64));
			break;
		case 'b':
			sqlite3_bind_int(stmt, i, va_arg(args, int) != 0);
			break;
		default:
			g_error("no such type of an argument: %c", *types);
		}
	}
}

static void release(sqlite3_stmt **stmt)
{
	if (!*stmt)
		return;
	sqlite3_reset(*stmt);
	sqlite3_clear_bindings(*stmt);
}

#define AUTO_STATEMENT __attribute__((cleanup(release))) sqlite3_stmt

/* Text that may be no UTF-8 (a blob, or what a user put there by hand). */
static json_t *text_value(const void *bytes, int len)
{
	json_t *value = json_stringn((const char *)bytes, (size_t)len);

	if (!value) {
		g_autofree char *valid = g_utf8_make_valid((const char *)bytes, len);

		value = json_string(valid);
	}
	return value;
}

static json_t *column_value(sqlite3_stmt *stmt, int i)
{
	switch (sqlite3_column_type(stmt, i)) {
	case SQLITE_INTEGER:
		return json_integer(sqlite3_column_int64(stmt, i));
	case SQLITE_FLOAT:
		return json_real(sqlite3_column_double(stmt, i));
	case SQLITE_NULL:
		return json_null();
	default:
		return text_value(sqlite3_column_text(stmt, i), sqlite3_column_bytes(stmt, i));
	}
}

static json_t *row_object(sqlite3_stmt *stmt)
{
	json_t *row = json_object();

	for (int i = 0; i < sqlite3_column_count(stmt); i++)
		json_object_set_new(row, sqlite3_column_name(stmt, i), column_value(stmt, i));
	return row;
}

static json_t *select_rows(struct db *db, gboolean first, const char *sql, const char *types,
			   va_list args, GError **error)
{
	HOLD(db);
	AUTO_STATEMENT *stmt = prepare(db, sql, error);
	g_autoptr(json_t) rows = json_array();
	int state;

	if (!stmt)
		return NULL;
	bind(stmt, types, args);
	while ((state = sqlite3_step(stmt)) == SQLITE_ROW) {
		json_array_append_new(rows, row_object(stmt));
		if (first)
			return g_steal_pointer(&rows);
	}
	if (state != SQLITE_DONE) {
		fail_sqlite(db, error);
		return NULL;
	}
	return g_steal_pointer(&rows);
}

json_t *db_select(struct db *db, GError **error, const char *sql, const char *types, ...)
{
	va_list args;
	json_t *rows;

	va_start(args, types);
	rows = select_rows(db, FALSE, sql, types, args, error);
	va_end(args);
	return rows;
}

json_t *db_row(struct db *db, GError **error, const char *sql, const char *types, ...)
{
	va_list args;
	g_autoptr(json_t) rows = NULL;

	va_start(args, types);
	rows = select_rows(db, TRUE, sql, types, args, error);
	va_end(args);
	return rows ? json_incref(json_array_get(rows, 0)) : NULL;
}

static gboolean run(struct db *db, const char *sql, const char *types, va_list args, GError **error)
{
	AUTO_STATEMENT *stmt = prepare(db, sql, error);

	if (!stmt)
		return FALSE;
	bind(stmt, types, args);
	if (sqlite3_step(stmt) != SQLITE_DONE)
		return fail_sqlite(db, error);
	return TRUE;
}

gboolean db_run(struct db *db, GError **error, gint64 *ret_changes, const char *sql,
		const char *types, ...)
{
	HOLD(db);
	va_list args;
	gboolean done;

	va_start(args, types);
	done = run(db, sql, types, args, error);
	va_end(args);
	if (done && ret_changes)
		*ret_changes = sqlite3_changes64(db->sqlite);
	return done;
}

gint64 db_insert(struct db *db, GError **error, const char *sql, const char *types, ...)
{
	HOLD(db);
	va_list args;
	gboolean done;

	va_start(args, types);
	done = run(db, sql, types, args, error);
	va_end(args);
	return done ? sqlite3_last_insert_rowid(db->sqlite) : -1;
}

/* --- transactions ---------------------------------------------------------------- */

static gboolean transaction_begin(struct db *db, GError **error)
{
	g_autofree char *sql = NULL;

	if (db->depth == 0)
		return execute(db, "BEGIN IMMEDIATE", error);
	sql = g_strdup_printf("SAVEPOINT level%u", db->depth);
	return execute(db, sql, error);
}

static gboolean transaction_keep(struct db *db, GError **error)
{
	g_autofree char *sql = NULL;

	if (db->depth == 0)
		return execute(db, "COMMIT", error);
	sql = g_strdup_printf("RELEASE level%u", db->depth);
	return execute(db, sql, error);
}

static void transaction_drop(struct db *db)
{
	g_autofree char *sql = NULL;

	if (db->depth == 0) {
		/* A full disk may have ended it already. */
		if (!sqlite3_get_autocommit(db->sqlite))
			sqlite3_exec(db->sqlite, "ROLLBACK", NULL, NULL, NULL);
		return;
	}
	sql = g_strdup_printf("ROLLBACK TO level%u; RELEASE level%u", db->depth, db->depth);
	sqlite3_exec(db->sqlite, sql, NULL, NULL, NULL);
}

gboolean db_transaction(struct db *db, db_work work, void *data, GError **error)
{
	HOLD(db);
	gboolean done;

	if (!transaction_begin(db, error))
		return FALSE;
	db->depth++;
	done = work(db, data, error);
	db->depth--;
	if (done && transaction_keep(db, error))
		return TRUE;
	transaction_drop(db);
	return FALSE;
}

/* --- opening ---------------------------------------------------------------------- */

struct migration {
	const char *const *list;
	unsigned from, to;
};

/* 0 for an empty file. */
static gboolean schema_version(struct db *db, unsigned *ret, GError **error)
{
	g_autoptr(GError) problem = NULL;
	g_autoptr(json_t)
		row = db_row(db, &problem, "SELECT 1 FROM sqlite_master WHERE name = 'schema'", "");

	if (!row && !problem) {
		*ret = 0;
		return TRUE;
	}
	g_clear_pointer(&row, json_decref);
	if (!problem)
		row = db_row(db, &problem, "SELECT MAX(version) AS version FROM schema", "");
	if (!row)
		return fail(error, 500, "Failed to read the database's version: %s",
			    problem->message);
	*ret = (unsigned)json_integer_value(json_object_get(row, "version"));
	return TRUE;
}

static gboolean migrate(struct db *db, void *data, GError **error)
{
	const struct migration *step = data;
	g_autoptr(json_t) broken = NULL;

	for (unsigned i = step->from; i < step->to; i++) {
		if (!execute(db, step->list[i], error)) {
			g_prefix_error(error,
				       "Failed to update the database to version %u: ", i + 1);
			return FALSE;
		}
		if (!db_run(db, error, NULL,
			    "INSERT INTO schema (version, updated_at)"
			    " VALUES (?1, strftime('%Y-%m-%dT%H:%M:%SZ'))",
			    "i", (gint64)i + 1))
			return FALSE;
	}
	broken = db_select(db, error, "PRAGMA foreign_key_check", "");
	if (!broken)
		return FALSE;
	if (json_array_size(broken) > 0)
		return fail(error, 500, "Rows of the database refer to others that do not exist");
	return TRUE;
}

static gboolean copy_pages(struct db *db, sqlite3 *to, GError **error)
{
	sqlite3_backup *backup = sqlite3_backup_init(to, "main", db->sqlite, "main");
	int state = backup ? sqlite3_backup_step(backup, -1) : sqlite3_errcode(to);

	if (backup)
		sqlite3_backup_finish(backup);
	if (state != SQLITE_DONE)
		return fail(error, 500, "Failed to copy the database: %s", sqlite3_errstr(state));
	return TRUE;
}

/* PATH.bak.N, whole or not at all. */
static gboolean copy_aside(struct db *db, const char *path, unsigned version, GError **error)
{
	g_autofree char *name = g_strdup_printf("%s.bak.%u", path, version);
	g_autofree char *part = g_strconcat(name, ".part", NULL);
	sqlite3 *to = NULL;
	gboolean done;

	unlink(part);
	if (sqlite3_open(part, &to) != SQLITE_OK) {
		sqlite3_close(to);
		return fail(error, 500, "Failed to create %s", part);
	}
	done = copy_pages(db, to, error);
	sqlite3_close(to);
	if (done && rename(part, name) < 0)
		done = fail_errno(error, errno, "Failed to create %s", name);
	if (!done)
		unlink(part);
	return done;
}

static gboolean bring_up(struct db *db, const char *path, const char *const *list, unsigned newest,
			 GError **error)
{
	struct migration step = { .list = list, .to = newest };

	if (!schema_version(db, &step.from, error))
		return FALSE;
	if (step.from > newest)
		return fail(error, 500,
			    "The database is of version %u, newer than this program's %u",
			    step.from, newest);
	if (step.from == newest)
		return TRUE;
	if (step.from > 0 && *path && !copy_aside(db, path, step.from, error))
		return FALSE;
	/* A table is changed by making it anew, which must not delete what refers to the old. */
	return execute(db, "PRAGMA foreign_keys = OFF", error) &&
	       db_transaction(db, migrate, &step, error);
}

struct db *db_open_migrations(const char *path, const char *const *migrations, unsigned newest,
			      GError **error)
{
	struct db *db = g_new0(struct db, 1);
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;

	g_rec_mutex_init(&db->lock);
	db->statements = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, finalize);
	if (sqlite3_open_v2(*path ? path : ":memory:", &db->sqlite, flags, NULL) != SQLITE_OK) {
		fail(error, 500, "Failed to open the database %s: %s", path,
		     db->sqlite ? sqlite3_errmsg(db->sqlite) : "out of memory");
		db_close(db);
		return NULL;
	}
	sqlite3_extended_result_codes(db->sqlite, 1);
	sqlite3_busy_timeout(db->sqlite, BUSY_MS);
	if (!execute(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;", error) ||
	    !bring_up(db, path, migrations, newest, error) ||
	    !execute(db, "PRAGMA foreign_keys = ON", error)) {
		db_close(db);
		return NULL;
	}
	return db;
}

struct db *db_open(const char *path, GError **error)
{
	return db_open_migrations(path, schema_migrations, schema_newest, error);
}

void db_close(struct db *db)
{
	if (!db)
		return;
	g_hash_table_unref(db->statements);
	sqlite3_close(db->sqlite);
	g_rec_mutex_clear(&db->lock);
	g_free(db);
}

/* --- configurations and devices ----------------------------------------------------- */

/* How the tables have a device's type. */
static const char *const device_types[] = {
	"none", "nic",	      "disk",  "unix-char",    "unix-block", "usb",
	"gpu",	"infiniband", "proxy", "unix-hotplug", "tpm",	     "pci",
};

static int device_type(const char *name)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(device_types); i++)
		if (!strcmp(device_types[i], name))
			return (int)i;
	return -1;
}

json_t *db_config_get(struct db *db, const char *table, const char *owner, gint64 id,
		      GError **error)
{
	g_autofree char *sql = g_strdup_printf("SELECT key, value FROM %s WHERE %s_id = ?1", table,
					       owner);
	g_autoptr(json_t) rows = db_select(db, error, sql, "i", id);
	json_t *map, *row;
	size_t i;

	if (!rows)
		return NULL;
	map = json_object();
	json_array_foreach(rows, i, row)
		json_map_set(map, json_text(row, "key"), json_text(row, "value"));
	return map;
}

struct put {
	const char *table, *owner;
	gint64 id;
	const json_t *value;
};

static gboolean put_config(struct db *db, void *data, GError **error)
{
	const struct put *put = data;
	g_autofree char *drop = g_strdup_printf("DELETE FROM %s WHERE %s_id = ?1", put->table,
						put->owner);
	g_autofree char *add = g_strdup_printf("INSERT INTO %s (%s_id, key, value)"
					       " VALUES (?1, ?2, ?3)",
					       put->table, put->owner);
	const char *key;
	json_t *value;

	if (!db_run(db, error, NULL, drop, "i", put->id))
		return FALSE;
	json_object_foreach((json_t *)put->value, key, value)
	{
		const char *text = json_string_value(value);

		if (!text || !*text)
			continue;
		if (db_insert(db, error, add, "iss", put->id, key, text) < 0)
			return FALSE;
	}
	return TRUE;
}

gboolean db_config_put(struct db *db, const char *table, const char *owner, gint64 id,
		       const json_t *map, GError **error)
{
	struct put put = { table, owner, id, map };

	return db_transaction(db, put_config, &put, error);
}

/* One row for each device and key, and one without a key for a device that has none. */
json_t *db_devices_get(struct db *db, const char *prefix, const char *owner, gint64 id,
		       GError **error)
{
	g_autofree char *sql = g_strdup_printf(
		"SELECT d.name, d.type, c.key, c.value FROM %s_devices d"
		" LEFT JOIN %s_devices_config c ON c.%s_device_id = d.id WHERE d.%s_id = ?1",
		prefix, prefix, owner, owner);
	g_autoptr(json_t) rows = db_select(db, error, sql, "i", id);
	json_t *devices, *row;
	size_t i;

	if (!rows)
		return NULL;
	devices = json_object();
	json_array_foreach(rows, i, row)
	{
		const char *name = json_text(row, "name");
		gint64 type = json_integer_value(json_object_get(row, "type"));
		json_t *device = json_object_get(devices, name);

		if (!device) {
			device = json_object();
			json_object_set_new(devices, name, device);
			if (type >= 0 && type < (gint64)G_N_ELEMENTS(device_types))
				json_map_set(device, "type", device_types[type]);
		}
		if (*json_text(row, "key"))
			json_map_set(device, json_text(row, "key"), json_text(row, "value"));
	}
	return devices;
}

static gboolean put_device(struct db *db, const struct put *put, const char *name,
			   const json_t *device, GError **error)
{
	g_autofree char *sql = g_strdup_printf("INSERT INTO %s_devices (%s_id, name, type)"
					       " VALUES (?1, ?2, ?3)",
					       put->table, put->owner);
	g_autofree char *table = g_strdup_printf("%s_devices_config", put->table);
	g_autofree char *owner = g_strdup_printf("%s_device", put->owner);
	g_autoptr(json_t) config = json_map_copy(device);
	int type = device_type(json_text(device, "type"));
	gint64 id;

	if (type < 0)
		return fail(error, 400, "Invalid device type \"%s\" for device \"%s\"",
			    json_text(device, "type"), name);
	id = db_insert(db, error, sql, "isi", put->id, name, (gint64)type);
	if (id < 0)
		return FALSE;
	json_object_del(config, "type");
	return db_config_put(db, table, owner, id, config, error);
}

static gboolean put_devices(struct db *db, void *data, GError **error)
{
	const struct put *put = data;
	g_autofree char *drop = g_strdup_printf("DELETE FROM %s_devices WHERE %s_id = ?1",
						put->table, put->owner);
	const char *name;
	json_t *device;

	if (!db_run(db, error, NULL, drop, "i", put->id))
		return FALSE;
	json_object_foreach((json_t *)put->value, name, device)
	{
		if (!put_device(db, put, name, device, error))
			return FALSE;
	}
	return TRUE;
}

gboolean db_devices_put(struct db *db, const char *prefix, const char *owner, gint64 id,
			const json_t *devices, GError **error)
{
	struct put put = { prefix, owner, id, devices };

	return db_transaction(db, put_devices, &put, error);
}

/* --- what a user typed ---------------------------------------------------------------- */

static json_t *user_rows(sqlite3_stmt *stmt, int *ret_state)
{
	g_autoptr(json_t) rows = json_null();
	int state;

	while ((state = sqlite3_step(stmt)) == SQLITE_ROW) {
		json_t *row = json_array();

		for (int i = 0; i < sqlite3_column_count(stmt); i++)
			json_array_append_new(row, column_value(stmt, i));
		if (json_is_null(rows))
			rows = json_array();
		json_array_append_new(rows, row);
	}
	*ret_state = state;
	return g_steal_pointer(&rows);
}

static json_t *user_statement(struct db *db, sqlite3_stmt *stmt, GError **error)
{
	gboolean select = sqlite3_column_count(stmt) > 0;
	json_t *columns = select ? json_array() : json_null();
	g_autoptr(json_t) result = NULL;
	json_t *rows;
	int state;

	for (int i = 0; i < sqlite3_column_count(stmt); i++)
		json_array_append_new(columns, json_string(sqlite3_column_name(stmt, i)));
	rows = user_rows(stmt, &state);
	result = json_pack("{s:s, s:o, s:o, s:I}", "type", select ? "select" : "exec", "columns",
			   columns, "rows", rows, "rows_affected",
			   select ? (json_int_t)0 : (json_int_t)sqlite3_changes64(db->sqlite));
	if (state != SQLITE_DONE) {
		fail(error, 500, "Failed to exec query: %s", sqlite3_errmsg(db->sqlite));
		return NULL;
	}
	return g_steal_pointer(&result);
}

struct user_query {
	const char *sql;
	json_t *results; /* borrowed */
};

static gboolean user_statements(struct db *db, void *data, GError **error)
{
	struct user_query *query = data;
	const char *rest = query->sql;

	while (*rest) {
		sqlite3_stmt *stmt = NULL;
		json_t *result;

		if (sqlite3_prepare_v2(db->sqlite, rest, -1, &stmt, &rest) != SQLITE_OK)
			return fail(error, 500, "Failed to exec query: %s",
				    sqlite3_errmsg(db->sqlite));
		if (!stmt) /* a comment or blanks */
			continue;
		result = user_statement(db, stmt, error);
		sqlite3_finalize(stmt);
		if (!result)
			return FALSE;
		json_array_append_new(query->results, result);
	}
	return TRUE;
}

json_t *db_user_query(struct db *db, const char *sql, GError **error)
{
	g_autoptr(json_t) results = json_array();
	struct user_query query = { sql, results };

	if (!db_transaction(db, user_statements, &query, error))
		return NULL;
	return json_pack("{s:O}", "Results", results);
}

static gboolean dump_rows(struct db *db, GString *text, const char *table, GError **error)
{
	g_autofree char *columns = NULL, *sql = NULL;
	g_autoptr(json_t)
		names = db_select(db, error, "SELECT name FROM pragma_table_info(?1)", "s", table);
	g_autoptr(json_t) rows = NULL;
	GString *list = g_string_new(NULL);
	json_t *row;
	size_t i;

	json_array_foreach(names, i, row) g_string_append_printf(
		list, "%squote(\"%s\")", i ? " || ',' || " : "", json_text(row, "name"));
	columns = g_string_free(list, FALSE);
	if (!names)
		return FALSE;
	sql = g_strdup_printf("SELECT %s AS row FROM \"%s\"", columns, table);
	rows = db_select(db, error, sql, "");
	if (!rows)
		return FALSE;
	json_array_foreach(rows, i, row) g_string_append_printf(
		text, "INSERT INTO %s VALUES(%s);\n", table, json_text(row, "row"));
	return TRUE;
}

static gboolean dump_objects(struct db *db, GString *text, gboolean schema_only, GError **error)
{
	g_autoptr(json_t) objects =
		db_select(db, error,
			  "SELECT name, type, sql FROM sqlite_master WHERE sql IS NOT NULL"
			  " AND name NOT LIKE 'sqlite_%' ORDER BY type <> 'table', rowid",
			  "");
	json_t *object;
	size_t i;

	if (!objects)
		return FALSE;
	json_array_foreach(objects, i, object)
	{
		g_string_append_printf(text, "%s;\n", json_text(object, "sql"));
		if (!schema_only && !strcmp(json_text(object, "type"), "table") &&
		    !dump_rows(db, text, json_text(object, "name"), error))
			return FALSE;
	}
	if (schema_only)
		return TRUE;
	g_string_append(text, "DELETE FROM sqlite_sequence;\n");
	return dump_rows(db, text, "sqlite_sequence", error);
}

char *db_dump(struct db *db, gboolean schema_only, GError **error)
{
	HOLD(db);
	GString *text = g_string_new("PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\n");

	if (!dump_objects(db, text, schema_only, error)) {
		g_string_free(text, TRUE);
		return NULL;
	}
	g_string_append(text, "COMMIT;\n");
	return g_string_free(text, FALSE);
}
