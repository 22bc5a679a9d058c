/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* /1.0/instances/X/logs: what is told about its starts, and what its commands said. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "api/instance_request.h"

/* The names that clients may have; everything else beside them is the daemon's own. */
static gboolean is_log(const char *name)
{
	static const char *const names[] = { "lxc.log", "lxc.conf", "qemu.log" };
	static const char *const prefixes[] = { "migration_", "snapshot_", "exec_" };

	if (strchr(name, '/'))
		return FALSE;
	for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
		if (strcmp(name, names[i]) == 0)
			return TRUE;
	for (gsize i = 0; i < G_N_ELEMENTS(prefixes); i++)
		if (g_str_has_prefix(name, prefixes[i]))
			return TRUE;
	return FALSE;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static GPtrArray *list_logs(const char *dir)
{
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
	DIR *stream = opendir(dir);
	const struct dirent *entry;

	while (stream && (entry = readdir(stream)))
		if (is_log(entry->d_name))
			g_ptr_array_add(names, g_strdup(entry->d_name));
	if (stream)
		closedir(stream);
	g_ptr_array_sort(names, by_name);
	return names;
}

static struct reply *logs_get(struct request *request, GError **error)
{
	g_autoptr(instance_t) inst = request_instance(request, error);
	g_autoptr(GPtrArray) names = inst ? list_logs(inst->log_dir) : NULL;
	json_t *list;

	if (!names)
		return NULL;
	list = json_array();
	for (guint i = 0; i < names->len; i++)
		json_array_append_new(list, json_sprintf("/1.0/instances/%s/logs/%s", inst->name,
							 (const char *)names->pdata[i]));
	return reply_sync(list);
}

/* --- one ------------------------------------------------------------------------------------ */

static struct instance *find(const struct request *request, GError **error)
{
	g_autoptr(instance_t) inst = request_instance(request, error);

	if (!inst) {
		g_prefix_error(error, "Failed to fetch instance \"%s\" in project \"%s\": ",
			       request->arg[0], request->project);
		return NULL;
	}
	if (!is_log(request->arg[1])) {
		fail(error, 400, "log file name %s not valid", request->arg[1]);
		return NULL;
	}
	return g_steal_pointer(&inst);
}

static void tell(const struct instance *inst, const struct request *request, const char *action)
{
	g_autoptr(json_t) context = json_pack("{s:s}", "file", request->arg[1]);

	instance_event(inst, action, context, &request->who);
}

static struct reply *log_get(struct request *request, GError **error)
{
	g_autoptr(instance_t) inst = find(request, error);
	g_autofree char *path = NULL;
	int fd;

	if (!inst)
		return NULL;
	path = g_build_filename(inst->log_dir, request->arg[1], NULL);
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0) {
		if (errno == ENOENT)
			fail(error, 500, "open %s: no such file or directory", path);
		else
			fail_errno(error, errno, "Failed to open %s", path);
		return NULL;
	}
	tell(inst, request, "instance-log-retrieved");
	return reply_file(fd, "application/octet-stream", request->arg[1]);
}

static struct reply *log_delete(struct request *request, GError **error)
{
	g_autoptr(instance_t) inst = find(request, error);
	g_autofree char *path = NULL;

	if (!inst)
		return NULL;
	if (strcmp(request->arg[1], "lxc.log") == 0 || strcmp(request->arg[1], "lxc.conf") == 0) {
		fail(error, 400, "lxc.log and lxc.conf may not be deleted");
		return NULL;
	}
	path = g_build_filename(inst->log_dir, request->arg[1], NULL);
	if (unlink(path) < 0) {
		if (errno == ENOENT)
			fail(error, 404, "remove %s: no such file or directory", path);
		else
			fail_errno(error, errno, "Failed to remove %s", path);
		return NULL;
	}
	tell(inst, request, "instance-log-deleted");
	return reply_sync(NULL);
}

const struct route routes_instance_logs[] = {
	{ "1.0/instances/{}/logs", 0, .get = logs_get },
	{ "1.0/instances/{}/logs/{}", 0, .get = log_get, .delete = log_delete },
	{ 0 },
};
