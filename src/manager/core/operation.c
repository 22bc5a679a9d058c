/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Operations and their life. One lock for all of them: their changes are few and short, and an
 * event is sent while it is held, so that listeners see the changes in their order.
 */
#include "core/operation.h"

#include <string.h>

#include "core/operation_sockets.h"
#include "daemon.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/json.h"

#define KEPT_MS 5000	   /* a finished operation can be looked at for so long */
#define PROGRESS_US 200000 /* between two events about progress */

enum status {
	STATUS_PENDING = 105,
	STATUS_RUNNING = 103,
	STATUS_CANCELLING = 104,
	STATUS_SUCCESS = 200,
	STATUS_FAILURE = 400,
	STATUS_CANCELLED = 401,
};

struct watch {
	operation_over over;
	void *data;
};

struct operation {
	gatomicrefcount references;
	struct daemon *daemon;
	struct operations *all;
	char *id, *project, *description;
	enum operation_class class;
	gboolean may_cancel;
	operation_run run;
	void *data;
	GDestroyNotify free_data;
	struct requestor who;
	GCancellable *cancel;
	struct timespec created;
	guint64 number; /* of creation, for lists in order */

	/* under the lock of all */
	struct timespec updated;
	enum status status;
	char *err;
	json_t *resources, *metadata;
	gint64 progress_sent; /* monotonic microseconds */
	char *progress_stage;
	struct operation_sockets *sockets; /* the data's */
	GArray *watches;
	guint expiry; /* source that removes it; 0: none */
};

struct operations {
	GMutex lock;
	GCond changed;
	GHashTable *by_id; /* one reference each */
	guint threads;	   /* that run operations */
	guint64 last_number;
	gboolean closing;
};

static const char *status_name(enum status status)
{
	switch (status) {
	case STATUS_PENDING:
		return "Pending";
	case STATUS_RUNNING:
		return "Running";
	case STATUS_CANCELLING:
		return "Cancelling";
	case STATUS_SUCCESS:
		return "Success";
	case STATUS_FAILURE:
		return "Failure";
	default:
		return "Cancelled";
	}
}

static const char *class_name(enum operation_class class)
{
	static const char *const names[] = { "task", "websocket", "token" };

	return names[class];
}

static gboolean is_over(const struct operation *op)
{
	return op->status >= STATUS_SUCCESS;
}

/* --- references ----------------------------------------------------------------- */

struct operation *operation_ref(struct operation *op)
{
	g_atomic_ref_count_inc(&op->references);
	return op;
}

void operation_unref(struct operation *op)
{
	if (!g_atomic_ref_count_dec(&op->references))
		return;
	g_free(op->id);
	g_free(op->project);
	g_free(op->description);
	g_free(op->who.username);
	g_free(op->who.protocol);
	g_free(op->who.address);
	g_free(op->err);
	g_free(op->progress_stage);
	json_decref(op->resources);
	json_decref(op->metadata);
	g_array_unref(op->watches);
	g_object_unref(op->cancel);
	g_free(op);
}

static void unref_value(void *op)
{
	operation_unref(op);
}

/* --- what is told about one -------------------------------------------------------- */

static json_t *or_null(const json_t *value)
{
	return value ? json_deep_copy(value) : json_null();
}

static json_t *show(const struct operation *op)
{
	char created[CLOCK_TEXT], updated[CLOCK_TEXT];

	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:o, s:o, s:b, s:s, s:s}", "id",
			 op->id, "class", class_name(op->class), "description", op->description,
			 "created_at", clock_text(op->created, created), "updated_at",
			 clock_text(op->updated, updated), "status", status_name(op->status),
			 "status_code", (int)op->status, "resources", or_null(op->resources),
			 "metadata", or_null(op->metadata), "may_cancel",
			 op->may_cancel || op->class == OPERATION_TOKEN, "err",
			 op->err ? op->err : "", "location", "none");
}

static void announce(struct operation *op)
{
	g_autoptr(json_t) metadata = show(op);

	event_send(op->daemon->events, EVENT_OPERATION, op->project, metadata);
}

static void change(struct operation *op, enum status status)
{
	op->status = status;
	op->updated = clock_now();
	announce(op);
}

json_t *operation_show(struct operation *op)
{
	json_t *shown;

	g_mutex_lock(&op->all->lock);
	shown = show(op);
	g_mutex_unlock(&op->all->lock);
	return shown;
}

/* --- the end ---------------------------------------------------------------------- */

static gboolean expire(void *data)
{
	struct operation *op = data;
	struct operations *all = op->all;

	operation_ref(op);
	g_mutex_lock(&all->lock);
	op->expiry = 0;
	g_hash_table_remove(all->by_id, op->id);
	g_mutex_unlock(&all->lock);
	operation_unref(op);
	return G_SOURCE_REMOVE;
}

/* Takes over ERR. Called with the lock held; returns who watches, to be told without it. */
static GArray *finish(struct operation *op, enum status status, char *err)
{
	GArray *watches = op->watches;

	op->watches = g_array_new(FALSE, FALSE, sizeof(struct watch));
	op->err = err;
	change(op, status);
	if (!op->all->closing)
		op->expiry = g_timeout_add(KEPT_MS, expire, op);
	g_cond_broadcast(&op->all->changed);
	return watches;
}

static void tell(struct operation *op, GArray *watches)
{
	for (guint i = 0; i < watches->len; i++) {
		const struct watch *watch = &g_array_index(watches, struct watch, i);

		watch->over(op, watch->data);
	}
	g_array_unref(watches);
}

/*
 * What the operation holds (locks on instances, sockets) is let go before anyone hears that it is
 * over: who hears of it asks for the next thing at once.
 */
static void release_data(struct operation *op)
{
	g_mutex_lock(&op->all->lock);
	op->sockets = NULL;
	g_mutex_unlock(&op->all->lock);
	if (op->free_data)
		op->free_data(op->data);
	op->data = NULL;
	op->free_data = NULL;
}

static void *run_thread(void *data)
{
	struct operation *op = data;
	struct operations *all = op->all;
	g_autoptr(GError) error = NULL;
	gboolean good = op->run(op, op->data, &error);
	enum status status = STATUS_SUCCESS;
	GArray *watches;

	release_data(op);
	if (!good)
		status = g_cancellable_is_cancelled(op->cancel) ? STATUS_CANCELLED : STATUS_FAILURE;
	g_mutex_lock(&all->lock);
	watches = finish(op, status, good ? NULL : g_strdup(error ? error->message : "failed"));
	g_mutex_unlock(&all->lock);
	tell(op, watches);
	operation_unref(op);
	g_mutex_lock(&all->lock);
	all->threads--;
	g_cond_broadcast(&all->changed);
	g_mutex_unlock(&all->lock);
	return NULL;
}

/* --- the beginning ------------------------------------------------------------------ */

static struct operation *operation_new(struct daemon *daemon, const struct operation_spec *spec)
{
	struct operation *op = g_new0(struct operation, 1);

	g_atomic_ref_count_init(&op->references);
	op->daemon = daemon;
	op->all = daemon->operations;
	op->id = g_uuid_string_random();
	op->project = g_strdup(spec->project ? spec->project : "default");
	op->description = g_strdup(spec->description);
	op->class = spec->class;
	op->may_cancel = spec->may_cancel;
	op->run = spec->run;
	op->data = spec->data;
	op->free_data = spec->free_data;
	op->resources = spec->resources;
	op->metadata = spec->metadata;
	op->sockets = spec->sockets;
	op->cancel = g_cancellable_new();
	op->created = op->updated = clock_now();
	op->status = STATUS_PENDING;
	op->watches = g_array_new(FALSE, FALSE, sizeof(struct watch));
	if (spec->who) {
		op->who.username = g_strdup(spec->who->username);
		op->who.protocol = g_strdup(spec->who->protocol);
		op->who.address = g_strdup(spec->who->address);
	}
	return op;
}

struct operation *operation_start(struct daemon *daemon, const struct operation_spec *spec)
{
	struct operation *op = operation_new(daemon, spec);
	struct operations *all = op->all;

	g_mutex_lock(&all->lock);
	op->number = ++all->last_number;
	g_hash_table_insert(all->by_id, op->id, operation_ref(op));
	announce(op);
	change(op, STATUS_RUNNING);
	if (op->run)
		all->threads++;
	g_mutex_unlock(&all->lock);
	if (op->run)
		g_thread_unref(g_thread_new("operation", run_thread, operation_ref(op)));
	return op;
}

/* --- while it runs -------------------------------------------------------------------- */

const char *operation_id(const struct operation *op)
{
	return op->id;
}

struct daemon *operation_daemon(const struct operation *op)
{
	return op->daemon;
}

const char *operation_project(const struct operation *op)
{
	return op->project;
}

const struct requestor *operation_requestor(const struct operation *op)
{
	return &op->who;
}

GCancellable *operation_cancellable(struct operation *op)
{
	return op->cancel;
}

/* Takes over FIELDS. */
static void merge(struct operation *op, json_t *fields)
{
	if (!op->metadata)
		op->metadata = json_object();
	json_object_update(op->metadata, fields);
	json_decref(fields);
}

void operation_extend(struct operation *op, json_t *fields)
{
	g_mutex_lock(&op->all->lock);
	merge(op, fields);
	if (!is_over(op))
		change(op, op->status);
	g_mutex_unlock(&op->all->lock);
}

/* "41.58MB": thousands, as the clients print sizes. */
static char *size_text(gint64 bytes)
{
	static const char *const units[] = { "kB", "MB", "GB", "TB", "PB", "EB" };
	double size = bytes / 1000.0;
	guint unit = 0;

	if (bytes < 1000)
		return g_strdup_printf("%" G_GINT64_FORMAT "B", bytes);
	for (; size >= 1000 && unit + 1 < G_N_ELEMENTS(units); unit++)
		size /= 1000;
	return g_strdup_printf("%.2f%s", size, units[unit]);
}

static json_t *progress_fields(const char *stage, const char *what, int percent, gint64 bytes,
			       gint64 bytes_per_second)
{
	g_autofree char *key = g_strdup_printf("%s_progress", stage);
	g_autofree char *speed = g_strdup_printf("%" G_GINT64_FORMAT, bytes_per_second);
	g_autofree char *speed_words = size_text(bytes_per_second);
	g_autofree char *done = NULL, *done_words = NULL, *words = NULL;

	if (percent >= 0) {
		done = g_strdup_printf("%d", percent);
		done_words = g_strdup_printf("%d%%", percent);
	} else {
		done = g_strdup_printf("%" G_GINT64_FORMAT, bytes);
		done_words = size_text(bytes);
	}
	words = g_strdup_printf("%s%s%s (%s/s)", what && *what ? what : "",
				what && *what ? ": " : "", done_words, speed_words);
	return json_pack("{s:s, s:{s:s, s:s, s:s}}", key, words, "progress",
			 percent >= 0 ? "percent" : "processed", done, "speed", speed, "stage",
			 stage);
}

/* Whether this much news is worth an event: a new stage, its end, or some time has passed. */
static gboolean progress_due(struct operation *op, const char *stage, int percent)
{
	gint64 now = g_get_monotonic_time();

	if (g_strcmp0(op->progress_stage, stage) == 0 && percent != 100 &&
	    now - op->progress_sent < PROGRESS_US)
		return FALSE;
	g_free(op->progress_stage);
	op->progress_stage = g_strdup(stage);
	op->progress_sent = now;
	return TRUE;
}

void operation_progress(struct operation *op, const char *stage, const char *what, int percent,
			gint64 bytes, gint64 bytes_per_second)
{
	g_mutex_lock(&op->all->lock);
	if (!is_over(op) && progress_due(op, stage, percent)) {
		merge(op, progress_fields(stage, what, percent, bytes, bytes_per_second));
		change(op, op->status);
	}
	g_mutex_unlock(&op->all->lock);
}

/* --- cancelling ------------------------------------------------------------------------- */

/* A token has no thread that would end it. */
static void end_token(struct operation *op)
{
	GArray *watches = NULL;

	g_mutex_lock(&op->all->lock);
	if (!is_over(op))
		watches = finish(op, STATUS_CANCELLED, NULL);
	g_mutex_unlock(&op->all->lock);
	if (!watches)
		return;
	release_data(op);
	tell(op, watches);
}

void operation_cancel(struct operation *op)
{
	if (!op->run) {
		end_token(op);
		return;
	}
	g_mutex_lock(&op->all->lock);
	if (op->status == STATUS_RUNNING)
		change(op, STATUS_CANCELLING);
	g_mutex_unlock(&op->all->lock);
	g_cancellable_cancel(op->cancel);
}

gboolean operation_cancel_asked(struct operation *op, GError **error)
{
	enum status status;

	g_mutex_lock(&op->all->lock);
	status = op->status;
	g_mutex_unlock(&op->all->lock);
	if (status != STATUS_RUNNING)
		return fail(error, 400, "Only running operations can be cancelled");
	if (!op->may_cancel && op->class != OPERATION_TOKEN)
		return fail(error, 400, "This operation can't be cancelled");
	operation_cancel(op);
	return TRUE;
}

/* --- watching ----------------------------------------------------------------------------- */

gboolean operation_watch(struct operation *op, operation_over over, void *data)
{
	struct watch watch = { over, data };
	gboolean early;

	g_mutex_lock(&op->all->lock);
	early = !is_over(op);
	if (early)
		g_array_append_val(op->watches, watch);
	g_mutex_unlock(&op->all->lock);
	return early;
}

gboolean operation_forget(struct operation *op, operation_over over, void *data)
{
	gboolean found = FALSE;

	g_mutex_lock(&op->all->lock);
	for (guint i = 0; i < op->watches->len; i++) {
		const struct watch *watch = &g_array_index(op->watches, struct watch, i);

		if (watch->over == over && watch->data == data) {
			g_array_remove_index_fast(op->watches, i);
			found = TRUE;
			break;
		}
	}
	g_mutex_unlock(&op->all->lock);
	return found;
}

gboolean operation_wait(struct operation *op, int seconds)
{
	gint64 until = g_get_monotonic_time() + (gint64)seconds * G_USEC_PER_SEC;
	gboolean in_time = TRUE, over;

	g_mutex_lock(&op->all->lock);
	while (!is_over(op) && in_time) {
		if (seconds < 0)
			g_cond_wait(&op->all->changed, &op->all->lock);
		else
			in_time = g_cond_wait_until(&op->all->changed, &op->all->lock, until);
	}
	over = is_over(op);
	g_mutex_unlock(&op->all->lock);
	return over;
}

/* --- sockets -------------------------------------------------------------------------------- */

void operation_use_sockets(struct operation *op, struct operation_sockets *sockets)
{
	g_mutex_lock(&op->all->lock);
	op->sockets = sockets;
	g_mutex_unlock(&op->all->lock);
}

gboolean operation_socket_check(struct operation *op, const char *secret, GError **error)
{
	gboolean good;

	g_mutex_lock(&op->all->lock);
	good = op->sockets && operation_sockets_free_for(op->sockets, secret);
	g_mutex_unlock(&op->all->lock);
	return good || fail(error, 403, "not authorized");
}

gboolean operation_socket_connect(struct operation *op, const char *secret, struct websocket *ws,
				  void (*release)(struct websocket *ws))
{
	gboolean good;

	g_mutex_lock(&op->all->lock);
	good = op->sockets && operation_sockets_give(op->sockets, secret, ws, release);
	g_mutex_unlock(&op->all->lock);
	return good;
}

/* --- all of them ------------------------------------------------------------------------------ */

struct operations *operations_new(void)
{
	struct operations *all = g_new0(struct operations, 1);

	g_mutex_init(&all->lock);
	g_cond_init(&all->changed);
	all->by_id = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, unref_value);
	return all;
}

/* References to what is not over yet; called with the lock held. */
static GPtrArray *unfinished(struct operations *all)
{
	GPtrArray *some = g_ptr_array_new_with_free_func(unref_value);
	GHashTableIter iter;
	void *op;

	g_hash_table_iter_init(&iter, all->by_id);
	while (g_hash_table_iter_next(&iter, NULL, &op))
		if (!is_over(op))
			g_ptr_array_add(some, operation_ref(op));
	return some;
}

static void cancel_all(struct operations *all)
{
	g_autoptr(GPtrArray) some = NULL;

	g_mutex_lock(&all->lock);
	some = unfinished(all);
	g_mutex_unlock(&all->lock);
	for (guint i = 0; i < some->len; i++)
		operation_cancel(some->pdata[i]);
}

void operations_finish(struct operations *all, int seconds)
{
	gint64 until = g_get_monotonic_time() + (gint64)seconds * G_USEC_PER_SEC;

	g_mutex_lock(&all->lock);
	while (all->threads > 0 && g_cond_wait_until(&all->changed, &all->lock, until))
		;
	g_mutex_unlock(&all->lock);
	cancel_all(all);
	g_mutex_lock(&all->lock);
	while (all->threads > 0)
		g_cond_wait(&all->changed, &all->lock);
	g_mutex_unlock(&all->lock);
}

void operations_free(struct operations *all)
{
	GHashTableIter iter;
	void *value;

	if (!all)
		return;
	operations_finish(all, 0);
	g_mutex_lock(&all->lock);
	all->closing = TRUE;
	g_hash_table_iter_init(&iter, all->by_id);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		struct operation *op = value;

		if (op->expiry)
			g_source_remove(op->expiry);
	}
	g_mutex_unlock(&all->lock);
	g_hash_table_unref(all->by_id);
	g_cond_clear(&all->changed);
	g_mutex_clear(&all->lock);
	g_free(all);
}

struct operation *operations_find(struct operations *all, const char *id, GError **error)
{
	struct operation *op;

	g_mutex_lock(&all->lock);
	op = g_hash_table_lookup(all->by_id, id);
	if (op)
		operation_ref(op);
	g_mutex_unlock(&all->lock);
	if (!op)
		fail(error, 404, "Operation not found");
	return op;
}

static int by_number(gconstpointer a, gconstpointer b)
{
	const struct operation *left = a, *right = b;

	return left->number < right->number ? -1 : left->number > right->number;
}

static void list_add(json_t *list, const struct operation *op, gboolean recursion)
{
	g_autofree char *status = g_ascii_strdown(status_name(op->status), -1);
	json_t *group = json_object_get(list, status);

	if (!group) {
		group = json_array();
		json_object_set_new(list, status, group);
	}
	json_array_append_new(group,
			      recursion ? show(op) : json_sprintf("/1.0/operations/%s", op->id));
}

json_t *operations_list(struct operations *all, const char *project, gboolean recursion)
{
	json_t *list = json_object();

	g_mutex_lock(&all->lock);
	g_autoptr(GList) ops = g_list_sort(g_hash_table_get_values(all->by_id), by_number);

	for (GList *at = ops; at; at = at->next) {
		const struct operation *op = at->data;

		if (!project || strcmp(op->project, project) == 0)
			list_add(list, op, recursion);
	}
	g_mutex_unlock(&all->lock);
	return list;
}
