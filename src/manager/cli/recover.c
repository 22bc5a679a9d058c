/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lxd recover: asks for the pools and has the daemon take what they hold and nobody knows. */
#include <stdio.h>
#include <string.h>

#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/client.h"

static void print_pool(const json_t *pool, const char *sort)
{
	g_print(" - %s\"%s\" (backend=\"%s\", source=\"%s\")\n", sort, json_text(pool, "name"),
		json_text(pool, "driver"), json_text(json_object_get(pool, "config"), "source"));
}

static void print_pools(const json_t *pools, size_t known)
{
	const json_t *pool;
	size_t i;

	json_array_foreach(pools, i, pool) print_pool(pool, i < known ? "EXISTING: " : "NEW: ");
}

/* Only what the daemon's pools of its own are told by. */
static json_t *known_pools(GError **error)
{
	g_autoptr(json_t) all = client_ask("GET", "/1.0/storage-pools?recursion=1", NULL, error);
	json_t *pools = all ? json_array() : NULL;
	const json_t *pool;
	size_t i;

	json_array_foreach(all, i, pool) json_array_append_new(
		pools,
		json_pack("{s:s, s:s, s:s, s:O}", "name", json_text(pool, "name"), "driver",
			  json_text(pool, "driver"), "description", json_text(pool, "description"),
			  "config", json_object_get(pool, "config")));
	return pools;
}

static gboolean is_driver(const char *answer)
{
	static const char *const names[] = { "dir", "btrfs", NULL };

	return g_strv_contains(names, answer);
}

static gboolean is_pair(const char *answer)
{
	return strchr(answer, '=') && *answer != '=';
}

static json_t *ask_pool(void)
{
	g_autofree char *name = ask_text("Name of the storage pool", NULL, NULL);
	g_autofree char *driver = ask_text("Name of the storage backend (btrfs, dir)", NULL,
					   is_driver);
	g_autofree char *source =
		ask_text("Source of the storage pool (block device, volume group, "
			 "dataset, path, ... as applicable)",
			 NULL, NULL);
	json_t *config = json_pack("{s:s}", "source", source);

	for (;;) {
		g_autofree char *pair = ask_text("Additional storage pool configuration property "
						 "(KEY=VALUE, empty when done)",
						 "", NULL);
		char *value;

		if (!*pair)
			break;
		if (!is_pair(pair)) {
			g_printerr("Invalid input, try again.\n\n");
			continue;
		}
		value = strchr(pair, '=');
		*value = '\0';
		json_object_set_new(config, pair, json_string(value + 1));
	}
	return json_pack("{s:s, s:s, s:s, s:o}", "name", name, "driver", driver, "description", "",
			 "config", config);
}

static void print_found(const json_t *found)
{
	const json_t *volume;
	size_t i;

	g_print("The following unknown volumes have been found:\n");
	json_array_foreach(json_object_get(found, "UnknownVolumes"), i, volume) g_print(
		" - Container \"%s\" on pool \"%s\" in project \"%s\" (includes %lld "
		"snapshots)\n",
		json_text(volume, "name"), json_text(volume, "pool"), json_text(volume, "project"),
		(long long)json_integer_value(json_object_get(volume, "snapshotCount")));
}

static void print_missing(const json_t *errors)
{
	const json_t *each;
	size_t i;

	g_print("You are currently missing the following:\n");
	json_array_foreach(errors, i, each) g_print(" - %s\n", json_string_value(each));
}

/* Looks as often as something is missing; NULL with an error. */
static json_t *find(const json_t *body, GError **error)
{
	for (;;) {
		json_t *found = client_ask("POST", "/internal/recover/validate", body, error);
		const json_t *errors = json_object_get(found, "DependencyErrors");
		g_autofree char *enter = NULL;

		if (!found || json_array_size(errors) == 0)
			return found;
		print_found(found);
		print_missing(errors);
		json_decref(found);
		enter = ask_text("Please create those missing entries and then hit ENTER", "",
				 NULL);
	}
}

static gboolean recover(const json_t *body, size_t known, GError **error)
{
	const json_t *pools = json_object_get(body, "pools");
	g_autoptr(json_t) found = NULL, done = NULL;

	g_print("The recovery process will be scanning the following storage pools:\n");
	print_pools(pools, known);
	if (!ask_yes("Would you like to continue with scanning for lost volumes?", TRUE))
		return TRUE;
	g_print("Scanning for unknown volumes...\n");
	found = find(body, error);
	if (!found)
		return FALSE;
	if (json_array_size(json_object_get(found, "UnknownVolumes")) == 0 &&
	    json_array_size(pools) == known) {
		g_print("No unknown volumes found. Nothing to do.\n");
		return TRUE;
	}
	print_found(found);
	if (!ask_yes("Would you like those to be recovered?", FALSE))
		return TRUE;
	g_print("Starting recovery...\n");
	done = client_ask("POST", "/internal/recover/import", body, error);
	return done != NULL;
}

int cli_recover(int argc, char **argv)
{
	const GOptionEntry entries[] = { { 0 } };
	g_autoptr(GError) error = NULL;
	g_autoptr(json_t) pools = NULL, body = NULL;
	size_t known;

	if (!cli_parse(&argc, &argv, NULL, NULL, entries))
		return 1;
	pools = known_pools(&error);
	if (!pools)
		return cli_fail(error);
	known = json_array_size(pools);
	g_print("This LXD server currently has the following storage pools:\n");
	print_pools(pools, known);
	while (ask_yes("Would you like to recover another storage pool?", FALSE))
		json_array_append_new(pools, ask_pool());
	body = json_pack("{s:O}", "pools", pools);
	return recover(body, known, &error) ? 0 : cli_fail(error);
}
