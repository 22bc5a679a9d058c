/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* /1.0/instances/X/exec: a command, and the websockets that are its streams. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/instance_request.h"
#include "api/websocket.h"
#include "core/exec.h"

#define CONNECT_SECONDS 5 /* for a client to come with all sockets */

struct job {
	struct instance *inst;
	json_t *body; /* with the whole environment */
	gboolean interactive;
	struct operation_sockets *sockets; /* NULL: without */
	struct exec *exec;
	GCancellable *stop; /* the client is gone, or all is over */
	gint has_control;   /* atomic */
	struct websocket *control, *ws[3];
};

static void job_free(void *data)
{
	struct job *job = data;

	websocket_close(job->control);
	for (int i = 0; i < 3; i++)
		websocket_close(job->ws[i]);
	exec_free(job->exec);
	operation_sockets_free(job->sockets);
	g_object_unref(job->stop);
	instance_free(job->inst);
	json_decref(job->body);
	g_free(job);
}

static int body_int(const struct job *job, const char *key)
{
	return (int)json_integer_value(json_object_get(job->body, key));
}

static gboolean start(struct job *job, struct operation *op, const int *files, const int *gate,
		      GError **error)
{
	const struct exec_spec spec = {
		.command = json_object_get(job->body, "command"),
		.environment = json_object_get(job->body, "environment"),
		.terminal = job->interactive && !files,
		.width = body_int(job, "width"),
		.height = body_int(job, "height"),
		.files = files,
		.gate = gate,
		.uid = (uid_t)json_integer_value(json_object_get(job->body, "user")),
		.gid = (gid_t)json_integer_value(json_object_get(job->body, "group")),
		.cwd = json_text(job->body, "cwd"),
	};
	g_autoptr(json_t) context = json_pack("{s:O*}", "command", spec.command);

	job->exec = exec_start(job->inst, &spec, error);
	if (!job->exec)
		return FALSE;
	instance_event(job->inst, "instance-exec", context, operation_requestor(op));
	return TRUE;
}

static gboolean finish(struct operation *op, int status, json_t *output, GError **error)
{
	operation_extend(op, json_pack("{s:i, s:o*}", "return", status, "output", output));
	return exec_check_status(status, error);
}

/* --- without websockets -------------------------------------------------------------------- */

/* Files for what it says, where the logs are; else nowhere. */
struct record {
	int fds[3];
	json_t *urls; /* NULL: not kept */
};

static void record_clear(struct record *record)
{
	for (int i = 0; i < 3; i++)
		if (record->fds[i] >= 0)
			close(record->fds[i]);
	json_decref(record->urls);
}
#define AUTO_RECORD __attribute__((cleanup(record_clear))) struct record

static gboolean record_to(struct record *record, int number, const struct job *job,
			  const char *name, GError **error)
{
	g_autofree char *path = g_build_filename(job->inst->log_dir, name, NULL);
	g_autofree char *key = g_strdup_printf("%d", number);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_APPEND, 0600);

	if (fd < 0)
		return fail_errno(error, errno, "Failed to create %s", path);
	close(record->fds[number]);
	record->fds[number] = fd;
	json_object_set_new(record->urls, key,
			    json_sprintf("/1.0/instances/%s/logs/%s", job->inst->name, name));
	return TRUE;
}

static gboolean record_open(struct record *record, const struct job *job, struct operation *op,
			    GError **error)
{
	g_autofree char *out = g_strdup_printf("exec_%s.stdout", operation_id(op));
	g_autofree char *err = g_strdup_printf("exec_%s.stderr", operation_id(op));

	for (int i = 0; i < 3; i++)
		record->fds[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (!json_is_true(json_object_get(job->body, "record-output")))
		return TRUE;
	record->urls = json_object();
	return record_to(record, 1, job, out, error) && record_to(record, 2, job, err, error);
}

static gboolean run_alone(struct operation *op, void *data, GError **error)
{
	struct job *job = data;
	AUTO_RECORD record = { .fds = { -1, -1, -1 } };

	if (!record_open(&record, job, op, error) || !start(job, op, record.fds, NULL, error))
		return FALSE;
	return finish(op, exec_wait(job->exec, operation_cancellable(op)),
		      g_steal_pointer(&record.urls), error);
}

/* --- control --------------------------------------------------------------------------------- */

static int number_of(const json_t *value)
{
	return json_is_string(value) ? atoi(json_string_value(value))
				     : (int)json_integer_value(value);
}

static void obey(const struct job *job, const json_t *message)
{
	const char *command = json_text(message, "command");
	const json_t *args = json_object_get(message, "args");

	if (strcmp(command, "window-resize") == 0)
		exec_resize(job->exec, number_of(json_object_get(args, "width")),
			    number_of(json_object_get(args, "height")));
	else if (strcmp(command, "signal") == 0)
		exec_signal(job->exec, number_of(json_object_get(message, "signal")));
}

static void client_gone(struct job *job)
{
	exec_signal(job->exec, SIGKILL);
	g_cancellable_cancel(job->stop);
}

static void *run_control(void *data)
{
	struct job *job = data;
	enum websocket_frame frame = WEBSOCKET_TEXT;

	if (!job->control)
		job->control = operation_sockets_await(job->sockets, "control", job->stop);
	if (!job->control)
		return NULL;
	g_atomic_int_set(&job->has_control, TRUE);
	while (frame != WEBSOCKET_CLOSED) {
		g_autoptr(GBytes) bytes = NULL;
		g_autoptr(json_t) message = NULL;

		if (!websocket_receive(job->control, -1, job->stop, &frame, &bytes, NULL))
			return NULL; /* stopped */
		if (bytes)
			message = json_loadb(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes),
					     0, NULL);
		obey(job, message);
	}
	client_gone(job);
	return NULL;
}

/* --- streams ---------------------------------------------------------------------------------- */

/* A command whose client has no control socket goes with its output's. */
static void mirror_output(struct job *job, int number)
{
	gboolean gone = FALSE;

	websocket_mirror_until(job->ws[number], -1, exec_fd(job->exec, number), -1, job->stop,
			       &gone, NULL);
	exec_close_fd(job->exec, number);
	if (gone && !g_atomic_int_get(&job->has_control))
		client_gone(job);
}

static void *run_stdin(void *data)
{
	struct job *job = data;

	websocket_mirror(job->ws[0], exec_fd(job->exec, 0), -1, job->stop, NULL);
	exec_close_fd(job->exec, 0);
	return NULL;
}

static void *run_stderr(void *data)
{
	mirror_output(data, 2);
	return NULL;
}

static int serve_pipes(struct job *job)
{
	GThread *in = g_thread_new("exec stdin", run_stdin, job);
	GThread *err = g_thread_new("exec stderr", run_stderr, job);
	int status;

	mirror_output(job, 1);
	g_thread_join(err);
	status = exec_wait(job->exec, job->stop);
	g_cancellable_cancel(job->stop);
	g_thread_join(in);
	return status;
}

static int serve_terminal(struct job *job)
{
	int fd = exec_fd(job->exec, 0);
	gboolean gone = FALSE;

	websocket_mirror_until(job->ws[0], fd, fd, exec_ended_fd(job->exec), job->stop, &gone,
			       NULL);
	if (gone)
		client_gone(job);
	return exec_wait(job->exec, job->stop);
}

/* --- with websockets ------------------------------------------------------------------------- */

static gboolean await(struct job *job, struct operation *op, const char *name, gint64 until,
		      struct websocket **ret, GError **error)
{
	gint64 left = (until - g_get_monotonic_time() + G_USEC_PER_SEC - 1) / G_USEC_PER_SEC;

	*ret = operation_sockets_wait(op, job->sockets, name, (unsigned)MAX(left, 0), error);
	return *ret != NULL;
}

/* Without a terminal the control socket may come later, or never. */
static gboolean await_all(struct job *job, struct operation *op, GError **error)
{
	static const char *const names[] = { "0", "1", "2" };
	gint64 until = g_get_monotonic_time() + CONNECT_SECONDS * G_USEC_PER_SEC;

	if (job->interactive)
		return await(job, op, "0", until, &job->ws[0], error) &&
		       await(job, op, "control", until, &job->control, error);
	for (int i = 0; i < 3; i++)
		if (!await(job, op, names[i], until, &job->ws[i], error))
			return FALSE;
	return TRUE;
}

/* A command that is made ready while its client comes with the sockets. */
struct starting {
	struct job *job;
	struct operation *op;
	int gate;
	GError *error;
};

static void *run_start(void *data)
{
	struct starting *starting = data;

	start(starting->job, starting->op, NULL, &starting->gate, &starting->error);
	return NULL;
}

static gboolean start_connected(struct job *job, struct operation *op, GError **error)
{
	struct starting starting = { .job = job, .op = op };
	GThread *thread;
	gboolean come;
	int gate[2];

	if (pipe2(gate, O_CLOEXEC))
		return fail_errno(error, errno, "Failed to make a pipe");
	starting.gate = gate[0];
	thread = g_thread_new("exec start", run_start, &starting);
	come = await_all(job, op, error);
	if (come && write(gate[1], "", 1) < 0)
		come = fail_errno(error, errno, "Failed to start the command");
	close(gate[1]);
	g_thread_join(thread);
	close(gate[0]);
	if (come && starting.error)
		g_propagate_error(error, g_steal_pointer(&starting.error));
	g_clear_error(&starting.error);
	return come && job->exec;
}

static void on_cancel(G_GNUC_UNUSED GCancellable *cancel, GCancellable *stop)
{
	g_cancellable_cancel(stop);
}

static gboolean run_connected(struct operation *op, void *data, GError **error)
{
	struct job *job = data;
	GThread *control;
	gulong handler;
	int status;

	if (!start_connected(job, op, error))
		return FALSE;
	handler = g_cancellable_connect(operation_cancellable(op), G_CALLBACK(on_cancel), job->stop,
					NULL);
	control = g_thread_new("exec control", run_control, job);
	status = job->interactive ? serve_terminal(job) : serve_pipes(job);
	g_cancellable_disconnect(operation_cancellable(op), handler);
	g_cancellable_cancel(job->stop);
	g_thread_join(control);
	return finish(op, status, NULL, error);
}

static json_t *add_sockets(struct operation_sockets *sockets, gboolean interactive)
{
	static const char *const names[] = { "control", "0", "1", "2" };
	json_t *fds = json_object();

	for (int i = 0; i < (interactive ? 2 : 4); i++)
		json_object_set_new(fds, names[i],
				    json_string(operation_sockets_add(sockets, names[i])));
	return fds;
}

/* --- the request ------------------------------------------------------------------------------ */

static const struct body_field fields[] = {
	{ "command", BODY_TEXTS },	{ "wait-for-websocket", BODY_BOOL },
	{ "interactive", BODY_BOOL },	{ "environment", BODY_MAP },
	{ "width", BODY_INT },		{ "height", BODY_INT },
	{ "record-output", BODY_BOOL }, { "user", BODY_UINT32 },
	{ "group", BODY_UINT32 },	{ "cwd", BODY_TEXT },
};

/* Takes over INST. */
static struct job *job_new(struct instance *inst, const json_t *body)
{
	struct job *job = g_new0(struct job, 1);
	uid_t uid = (uid_t)json_integer_value(json_object_get(body, "user"));

	job->inst = inst;
	job->stop = g_cancellable_new();
	job->body = json_deep_copy(body);
	job->interactive = json_is_true(json_object_get(body, "interactive"));
	json_object_set_new(job->body, "environment",
			    exec_environment(inst, json_object_get(body, "environment"), uid));
	if (!json_is_array(json_object_get(job->body, "command")))
		json_object_set_new(job->body, "command", json_array());
	if (json_is_true(json_object_get(body, "wait-for-websocket")))
		job->sockets = operation_sockets_new();
	return job;
}

static struct operation *start_job(struct request *request, struct job *job)
{
	struct operation_spec spec = {
		.class = job->sockets ? OPERATION_WEBSOCKET : OPERATION_TASK,
		.project = job->inst->project,
		.description = "Executing command",
		.resources = instance_resources(job->inst->project, job->inst->name),
		.run = job->sockets ? run_connected : run_alone,
		.sockets = job->sockets,
		.who = &request->who,
		.data = job,
		.free_data = job_free,
	};

	if (job->sockets)
		spec.metadata = json_pack(
			"{s:o, s:O, s:O, s:b}", "fds", add_sockets(job->sockets, job->interactive),
			"command", json_object_get(job->body, "command"), "environment",
			json_object_get(job->body, "environment"), "interactive", job->interactive);
	return operation_start(request->daemon, &spec);
}

static struct reply *exec_post(struct request *request, GError **error)
{
	const json_t *body = request_body_checked(request, "InstanceExecPost", fields,
						  G_N_ELEMENTS(fields), error);
	g_autoptr(instance_t) inst = body ? request_instance(request, error) : NULL;

	if (!inst || !exec_possible(inst, error))
		return NULL;
	return reply_operation(start_job(request, job_new(g_steal_pointer(&inst), body)));
}

const struct route routes_instance_exec[] = {
	{ "1.0/instances/{}/exec", 0, .post = exec_post },
	{ 0 },
};
