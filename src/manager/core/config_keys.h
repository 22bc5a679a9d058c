/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which configuration keys there are, what values they take, and what a change of one means to a
 * running instance. Errors are 400 and in the API's words.
 */
#pragma once

#include <glib.h>
#include <jansson.h>

typedef gboolean (*config_check)(const char *value, GError **error);

enum config_flags {
	CONFIG_CONTAINER = 1, /* of containers */
	CONFIG_VM = 2,	      /* of virtual machines */
	CONFIG_LIVE = 4,      /* a change reaches a running instance */
	CONFIG_IDMAP = 8,     /* a change gives it other ids at its next start */
	CONFIG_RESTART = 16,  /* cannot change while it runs */
	CONFIG_HIDDEN = 32,   /* of the server: shown as true */
};

/*
 * NAME ends with "*" where any suffix may follow; "volatile.*.hwaddr" has one "*" within, for a
 * device's name. CHECK NULL: any value. Empty values are never checked: they unset.
 */
struct config_key {
	const char *name;
	config_check check;
	unsigned flags;
	const char *without; /* what its absence means; NULL: nothing */
};

/* Each ends with a row without a name. */
extern const struct config_key config_keys_instance[], config_keys_project[], config_keys_server[],
	config_keys_pool[], config_keys_volume[];

/* The row that stands for NAME, or NULL. */
const struct config_key *config_keys_find(const struct config_key *table, const char *name);

/* MAP's value, else its key's default, else "". */
const char *config_keys_value(const struct config_key *table, const json_t *map, const char *name);

/* An instance's own map; EXPANDED: with its profiles'. */
gboolean config_keys_check_instance(const json_t *map, gboolean expanded, GError **error);
/* As above, of a profile: no volatile.* and no image.*. */
gboolean config_keys_check_profile(const json_t *map, GError **error);
gboolean config_keys_check_project(const json_t *map, GError **error);
gboolean config_keys_check_server(const json_t *map, GError **error);
/* DRIVER "dir", "btrfs" ...: what only others have is unknown. */
gboolean config_keys_check_pool(const json_t *map, const char *driver, GError **error);
gboolean config_keys_check_volume(const json_t *map, const char *driver, GError **error);

/* The names (GPtrArray of char *) whose values differ between OLD and NEW, sorted. */
GPtrArray *config_keys_changed(const json_t *old, const json_t *new);
