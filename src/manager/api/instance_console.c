/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* /1.0/instances/X/console: attaching to it, what it showed, forgetting that. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/instance_request.h"
#include "api/websocket.h"
#include "core/console.h"
#include "core/exec.h"

#define CONNECT_SECONDS 5

struct job {
	struct instance *inst;
	int width, height;
	struct operation_sockets *sockets;
	struct instance_terminal console;
	GCancellable *stop;
	struct websocket *control, *ws;
};

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

static void job_free(void *data)
{
	struct job *job = data;

	websocket_close(job->control);
	websocket_close(job->ws);
	close_fd(job->console.fd);
	close_fd(job->console.peer);
	operation_sockets_free(job->sockets);
	g_object_unref(job->stop);
	instance_free(job->inst);
	g_free(job);
}

static int number_of(const json_t *value)
{
	return json_is_string(value) ? atoi(json_string_value(value))
				     : (int)json_integer_value(value);
}

static void obey(const struct job *job, const json_t *message)
{
	const json_t *args = json_object_get(message, "args");

	if (strcmp(json_text(message, "command"), "window-resize") == 0)
		console_resize(&job->console, number_of(json_object_get(args, "width")),
			       number_of(json_object_get(args, "height")));
}

/* The client detaches by closing it. */
static void *run_control(void *data)
{
	struct job *job = data;
	enum websocket_frame frame = WEBSOCKET_TEXT;

	while (frame != WEBSOCKET_CLOSED) {
		g_autoptr(GBytes) bytes = NULL;
		g_autoptr(json_t) message = NULL;

		if (!websocket_receive(job->control, -1, job->stop, &frame, &bytes, NULL))
			return NULL;
		if (bytes)
			message = json_loadb(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes),
					     0, NULL);
		obey(job, message);
	}
	g_cancellable_cancel(job->stop);
	return NULL;
}

static void on_cancel(G_GNUC_UNUSED GCancellable *cancel, GCancellable *stop)
{
	g_cancellable_cancel(stop);
}

static gboolean connect_all(struct job *job, struct operation *op, GError **error)
{
	job->ws = operation_sockets_wait(op, job->sockets, "0", CONNECT_SECONDS, error);
	if (!job->ws)
		return FALSE;
	job->control = operation_sockets_wait(op, job->sockets, "control", CONNECT_SECONDS, error);
	return job->control != NULL;
}

static gboolean run_console(struct operation *op, void *data, GError **error)
{
	struct job *job = data;
	g_autoptr(json_t) context = json_pack("{s:s}", "type", "console");
	GThread *control;
	gulong handler;

	if (!connect_all(job, op, error) ||
	    !console_open(job->inst, job->width, job->height, &job->console, error))
		return FALSE;
	instance_event(job->inst, "instance-console", context, operation_requestor(op));
	handler = g_cancellable_connect(operation_cancellable(op), G_CALLBACK(on_cancel), job->stop,
					NULL);
	control = g_thread_new("console control", run_control, job);
	/* its monitor closes the peer's other end when the instance stops */
	websocket_mirror_until(job->ws, job->console.fd, job->console.fd, job->console.peer,
			       job->stop, NULL, NULL);
	g_cancellable_disconnect(operation_cancellable(op), handler);
	g_cancellable_cancel(job->stop);
	g_thread_join(control);
	return TRUE;
}

/* --- requests ------------------------------------------------------------------------------ */

static gboolean check_type(const char *type, GError **error)
{
	if (strcmp(type, "vga") == 0)
		return fail(error, 400, "VGA console is only supported by virtual machines");
	return !*type || strcmp(type, "console") == 0 ||
	       fail(error, 400, "Unknown console type \"%s\"", type);
}

/* Takes over INST. */
static struct job *job_new(struct instance *inst, const json_t *body)
{
	struct job *job = g_new0(struct job, 1);

	job->inst = inst;
	job->width = (int)json_integer_value(json_object_get(body, "width"));
	job->height = (int)json_integer_value(json_object_get(body, "height"));
	job->console = (struct instance_terminal){ -1, -1 };
	job->stop = g_cancellable_new();
	job->sockets = operation_sockets_new();
	return job;
}

static struct operation *start_job(struct request *request, struct job *job)
{
	const char *data = operation_sockets_add(job->sockets, "0");
	const char *control = operation_sockets_add(job->sockets, "control");
	const struct operation_spec spec = {
		.class = OPERATION_WEBSOCKET,
		.project = job->inst->project,
		.description = "Showing console",
		.resources = instance_resources(job->inst->project, job->inst->name),
		.metadata = json_pack("{s:{s:s, s:s}}", "fds", "0", data, "control", control),
		.run = run_console,
		.sockets = job->sockets,
		.who = &request->who,
		.data = job,
		.free_data = job_free,
	};

	return operation_start(request->daemon, &spec);
}

static struct reply *console_post(struct request *request, GError **error)
{
	static const struct body_field fields[] = { { "type", BODY_TEXT },
						    { "width", BODY_INT },
						    { "height", BODY_INT } };
	const json_t *body = request_body_checked(request, "InstanceConsolePost", fields,
						  G_N_ELEMENTS(fields), error);
	g_autoptr(instance_t) inst = body ? request_instance(request, error) : NULL;

	if (!inst || !check_type(json_text(body, "type"), error) || !exec_possible(inst, error))
		return NULL;
	return reply_operation(start_job(request, job_new(g_steal_pointer(&inst), body)));
}

static struct reply *console_get(struct request *request, GError **error)
{
	g_autoptr(instance_t) inst = request_instance(request, error);
	g_autoptr(GBytes) text = inst ? console_log(inst, error) : NULL;
	gsize len;
	const char *data;

	if (!text)
		return NULL;
	data = g_bytes_get_data(text, &len);
	instance_event(inst, "instance-console-retrieved", NULL, &request->who);
	return reply_text("application/octet-stream", g_memdup2(data, len), (gssize)len);
}

static struct reply *console_delete(struct request *request, GError **error)
{
	g_autoptr(instance_t) inst = request_instance(request, error);

	if (!inst || !console_log_clear(inst, error))
		return NULL;
	instance_event(inst, "instance-console-reset", NULL, &request->who);
	return reply_sync(NULL);
}

const struct route routes_instance_console[] = {
	{ "1.0/instances/{}/console", 0, .get = console_get, .post = console_post,
	  .delete = console_delete },
	{ 0 },
};
