/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The daemon: every part it is made of, and where it keeps its files. */
#pragma once

#include <glib.h>

struct daemon {
	char *dir;	   /* $LXD_DIR, else /var/lib/lxd */
	char *socket;	   /* $LXD_SOCKET, else unix.socket in it */
	char *group;	   /* may use the socket; NULL: root alone */
	char *server_name; /* the host's name */
	struct db *db;
	struct event_hub *events;
	struct operations *operations;
	struct listener *listener;
	struct server_text *server_text; /* what /1.0 answers */
	struct pools *pools;		 /* who works on which storage volume */
	struct schedule *schedule;	 /* what is done by itself, and when */
	guint schedule_listener;	 /* to events that change when */
	struct instances *instances;	 /* what runs, and who holds which instance */
	GMainLoop *loop;
	gint ready;    /* atomic: everything is up */
	gint stopping; /* atomic */
};

/* A path below dir; free with g_free. Ends with NULL. */
char *daemon_path(const struct daemon *daemon, const char *first, ...) G_GNUC_NULL_TERMINATED;
