/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The daemon's log. */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "util/clock.h"

static struct {
	int fd; /* of the file, or -1 */
	gboolean syslog;
	enum log_level level;
	GMutex lock;
	struct event_hub *hub; /* under the lock */
} log_state = { .fd = -1 };

static const char *name_of(GLogLevelFlags flags)
{
	if (flags & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL))
		return "error";
	if (flags & G_LOG_LEVEL_WARNING)
		return "warning";
	if (flags & (G_LOG_LEVEL_MESSAGE | G_LOG_LEVEL_INFO))
		return "info";
	return "debug";
}

static gboolean wanted(GLogLevelFlags flags)
{
	if (flags & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_WARNING))
		return TRUE;
	if (flags & (G_LOG_LEVEL_MESSAGE | G_LOG_LEVEL_INFO))
		return log_state.level >= LOG_INFORM;
	return log_state.level >= LOG_ALL;
}

static void write_line(const char *level, const char *message)
{
	char now[CLOCK_TEXT];
	g_autofree char *quoted = g_strescape(message, NULL);
	g_autofree char *line = g_strdup_printf("time=\"%s\" level=%s msg=\"%s\"\n",
						clock_text(clock_now(), now), level, quoted);

	if (write(STDERR_FILENO, line, strlen(line)) < 0)
		return; /* nowhere to say so */
	if (log_state.fd >= 0 && write(log_state.fd, line, strlen(line)) < 0)
		return;
}

static int priority_of(GLogLevelFlags flags)
{
	if (flags & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL))
		return LOG_ERR;
	if (flags & G_LOG_LEVEL_WARNING)
		return LOG_WARNING;
	return flags & (G_LOG_LEVEL_MESSAGE | G_LOG_LEVEL_INFO) ? LOG_INFO : LOG_DEBUG;
}

static void send_event(const char *level, const char *message)
{
	json_t *event = json_pack("{s:s, s:s, s:{}}", "message", message, "level", level,
				  "context");

	g_mutex_lock(&log_state.lock);
	if (event && log_state.hub)
		event_send(log_state.hub, EVENT_LOGGING, NULL, event);
	g_mutex_unlock(&log_state.lock);
	json_decref(event);
}

static GLogWriterOutput writer(GLogLevelFlags flags, const GLogField *fields, gsize count,
			       G_GNUC_UNUSED void *data)
{
	if (!wanted(flags))
		return G_LOG_WRITER_HANDLED;
	for (gsize i = 0; i < count; i++) {
		if (strcmp(fields[i].key, "MESSAGE") != 0)
			continue;
		write_line(name_of(flags), fields[i].value);
		if (log_state.syslog)
			syslog(priority_of(flags), "%s", (const char *)fields[i].value);
		send_event(name_of(flags), fields[i].value);
	}
	return G_LOG_WRITER_HANDLED;
}

gboolean log_open(const char *file, gboolean to_syslog, enum log_level level)
{
	log_state.level = level;
	log_state.syslog = to_syslog;
	if (to_syslog)
		openlog("lxd", LOG_PID, LOG_DAEMON);
	if (file) {
		log_state.fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
		if (log_state.fd < 0) {
			g_printerr("Error: %s: %s\n", file, g_strerror(errno));
			return FALSE;
		}
	}
	g_log_set_writer_func(writer, NULL, NULL);
	return TRUE;
}

void log_to(struct event_hub *hub)
{
	g_mutex_lock(&log_state.lock);
	log_state.hub = hub;
	g_mutex_unlock(&log_state.lock);
}
