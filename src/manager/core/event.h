/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Events: what happens in the daemon, sent to every listener in the order in which it happened.
 * Any thread may send; no sender ever waits for a listener. A listener that does not read is
 * cut off when its queue is full.
 */
#pragma once

#include <glib.h>
#include <jansson.h>

struct event_hub;

enum event_type {
	EVENT_OPERATION = 1,
	EVENT_LOGGING = 2,
	EVENT_LIFECYCLE = 4,
};

/* Who asked for something: who connected, by which protocol, from where. */
struct requestor {
	char *username, *protocol, *address;
};

struct event_hub *event_hub_new(void);
void event_hub_free(struct event_hub *hub);

/* Sends METADATA (borrowed) to the listeners of PROJECT and to those of all projects. */
void event_send(struct event_hub *hub, enum event_type type, const char *project,
		const json_t *metadata);

/*
 * ACTION as in LXD's event_lifecycle.go ("instance-started"); SOURCE is the object's URL without
 * query, "?project=" is added here for every project but "default"; CONTEXT (borrowed) and WHO
 * may be NULL.
 */
void event_lifecycle(struct event_hub *hub, const char *project, const char *action,
		     const char *source, const json_t *context, const struct requestor *who);

/*
 * A listener gets each event as one line of JSON, in order, on one thread at a time.
 * PROJECT NULL: of all projects. TYPES: a set of enum event_type. SEND must not block.
 */
typedef void (*event_receive)(const char *line, gsize len, void *data);
guint event_listen(struct event_hub *hub, unsigned types, const char *project,
		   event_receive receive, void *data);
void event_unlisten(struct event_hub *hub, guint listener);
