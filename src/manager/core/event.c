/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The event hub. One lock holds the order: an event is written and given to every listener
 * before the next one, and a listener that was removed is never called again.
 */
#include "core/event.h"

#include <string.h>

#include "util/clock.h"
#include "util/json.h"

struct listener {
	guint id;
	unsigned types;
	char *project; /* NULL: all */
	event_receive receive;
	void *data;
};

struct event_hub {
	GMutex lock;
	GPtrArray *listeners;
	guint last_id;
};

static void listener_free(void *data)
{
	struct listener *listener = data;

	g_free(listener->project);
	g_free(listener);
}

struct event_hub *event_hub_new(void)
{
	struct event_hub *hub = g_new0(struct event_hub, 1);

	g_mutex_init(&hub->lock);
	hub->listeners = g_ptr_array_new_with_free_func(listener_free);
	return hub;
}

void event_hub_free(struct event_hub *hub)
{
	if (!hub)
		return;
	g_ptr_array_unref(hub->listeners);
	g_mutex_clear(&hub->lock);
	g_free(hub);
}

static const char *type_name(enum event_type type)
{
	switch (type) {
	case EVENT_OPERATION:
		return "operation";
	case EVENT_LOGGING:
		return "logging";
	default:
		return "lifecycle";
	}
}

/* Clients may show events in a page: what means something to HTML is escaped, as by Go. */
static GString *escape(const char *text)
{
	GString *line = g_string_sized_new(strlen(text) + 16);

	for (const char *c = text; *c; c++) {
		if (*c == '<' || *c == '>' || *c == '&')
			g_string_append_printf(line, "\\u%04x", *c);
		else
			g_string_append_c(line, *c);
	}
	return line;
}

static GString *event_line(enum event_type type, const char *project, const json_t *metadata)
{
	char now[CLOCK_TEXT];
	g_autoptr(json_t) event = json_object();
	g_autofree char *text = NULL;

	json_object_set_new(event, "type", json_string(type_name(type)));
	json_object_set_new(event, "timestamp", json_string(clock_text(clock_now(), now)));
	json_object_set(event, "metadata", (json_t *)metadata);
	json_object_set_new(event, "location", json_string("none"));
	if (project)
		json_object_set_new(event, "project", json_string(project));
	text = json_dumps(event, JSON_COMPACT);
	return text ? g_string_append_c(escape(text), '\n') : NULL;
}

static gboolean wants(const struct listener *listener, enum event_type type, const char *project)
{
	return (listener->types & type) &&
	       (!listener->project || !project || strcmp(listener->project, project) == 0);
}

void event_send(struct event_hub *hub, enum event_type type, const char *project,
		const json_t *metadata)
{
	GString *line = NULL; /* made when there is somebody to read it */

	g_mutex_lock(&hub->lock);
	for (guint i = 0; i < hub->listeners->len; i++) {
		const struct listener *listener = hub->listeners->pdata[i];

		if (!wants(listener, type, project))
			continue;
		if (!line)
			line = event_line(type, project, metadata);
		if (line)
			listener->receive(line->str, line->len, listener->data);
	}
	g_mutex_unlock(&hub->lock);
	if (line)
		g_string_free(line, TRUE);
}

static json_t *requestor_show(const struct requestor *who)
{
	return json_pack("{s:s, s:s, s:s}", "username", who->username ? who->username : "",
			 "protocol", who->protocol ? who->protocol : "", "address",
			 who->address ? who->address : "");
}

void event_lifecycle(struct event_hub *hub, const char *project, const char *action,
		     const char *source, const json_t *context, const struct requestor *who)
{
	g_autoptr(json_t) metadata = json_object();
	g_autofree char *url = g_strdup(source);

	if (project && strcmp(project, "default") != 0) {
		g_autofree char *escaped = g_uri_escape_string(project, NULL, FALSE);

		g_free(url);
		url = g_strdup_printf("%s?project=%s", source, escaped);
	}
	json_object_set_new(metadata, "action", json_string(action));
	json_object_set_new(metadata, "source", json_string(url));
	if (context && json_object_size(context) > 0)
		json_object_set(metadata, "context", (json_t *)context);
	if (who && who->protocol)
		json_object_set_new(metadata, "requestor", requestor_show(who));
	event_send(hub, EVENT_LIFECYCLE, project, metadata);
}

guint event_listen(struct event_hub *hub, unsigned types, const char *project,
		   event_receive receive, void *data)
{
	struct listener *listener = g_new0(struct listener, 1);
	guint id;

	listener->types = types;
	listener->project = g_strdup(project);
	listener->receive = receive;
	listener->data = data;
	g_mutex_lock(&hub->lock);
	id = listener->id = ++hub->last_id;
	g_ptr_array_add(hub->listeners, listener);
	g_mutex_unlock(&hub->lock);
	return id;
}

void event_unlisten(struct event_hub *hub, guint id)
{
	g_mutex_lock(&hub->lock);
	for (guint i = 0; i < hub->listeners->len; i++) {
		const struct listener *listener = hub->listeners->pdata[i];

		if (listener->id == id) {
			g_ptr_array_remove_index(hub->listeners, i);
			break;
		}
	}
	g_mutex_unlock(&hub->lock);
}
