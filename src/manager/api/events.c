/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* /1.0/events: every event of the hub on a websocket. */
#include <string.h>

#include "api/reply.h"
#include "api/websocket.h"
#include "daemon.h"

struct subscriber {
	struct event_hub *hub;
	guint listener;
	struct websocket *ws;
};

static void receive(const char *line, gsize len, void *data)
{
	struct subscriber *subscriber = data;

	websocket_post(subscriber->ws, WEBSOCKET_TEXT, line, len);
}

static void gone(void *data)
{
	struct subscriber *subscriber = data;

	event_unlisten(subscriber->hub, subscriber->listener);
	g_free(subscriber);
}

static gboolean parse_types(const char *text, unsigned *ret, GError **error)
{
	static const struct {
		const char *name;
		enum event_type type;
	} names[] = {
		{ "operation", EVENT_OPERATION },
		{ "logging", EVENT_LOGGING },
		{ "lifecycle", EVENT_LIFECYCLE },
	};
	g_auto(GStrv) words = g_strsplit(text, ",", -1);
	unsigned types = 0;

	for (char **word = words; *word; word++) {
		gsize i = 0;

		while (i < G_N_ELEMENTS(names) && strcmp(*word, names[i].name) != 0)
			i++;
		if (i == G_N_ELEMENTS(names))
			return fail(error, 500, "\"%s\" isn't a supported event type", *word);
		types |= names[i].type;
	}
	*ret = types;
	return TRUE;
}

/* It listens before the client is told that it does: nothing is missed between. */
static struct reply *events_get(struct request *request, GError **error)
{
	const char *wanted = request_query(request, "type");
	unsigned types = EVENT_OPERATION | EVENT_LOGGING | EVENT_LIFECYCLE;
	struct subscriber *subscriber;

	if (wanted && *wanted && !parse_types(wanted, &types, error))
		return NULL;
	subscriber = g_new0(struct subscriber, 1);
	subscriber->hub = request->daemon->events;
	subscriber->ws = websocket_new();
	websocket_serve(subscriber->ws, gone, subscriber);
	subscriber->listener = event_listen(subscriber->hub, types,
					    request->all_projects ? NULL : request->project,
					    receive, subscriber);
	return reply_websocket_served(subscriber->ws);
}

const struct route routes_events[] = {
	{ "1.0/events", ROUTE_ALWAYS | ROUTE_QUICK, .get = events_get },
	{ 0 },
};
