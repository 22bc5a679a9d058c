/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lxd init: a server's first configuration, by options, by questions or by a preseed. */
#include <stdio.h>
#include <string.h>

#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/preseed.h"
#include "util/yaml.h"

struct init {
	gboolean automatic, dump, minimal, preseed;
	char *address, *backend, *device, *pool, *password;
	int port, loop_gib;
	json_t *server; /* GET /1.0 */
};

static gboolean has_extension(const struct init *init, const char *name)
{
	size_t i;
	json_t *extension;

	json_array_foreach(json_object_get(init->server, "api_extensions"), i, extension)
	{
		if (strcmp(json_string_value(extension), name) == 0)
			return TRUE;
	}
	return FALSE;
}

/* --- parts of a preseed --------------------------------------------------------------- */

static json_t *profile_with(const char *device, json_t *config)
{
	return json_pack("{s:s, s:{}, s:s, s:{s:o}}", "name", "default", "config", "description",
			 "", "devices", device, config);
}

/* A pool, and the default profile's root disk on it. SOURCE and SIZE may be NULL. */
static void add_pool(json_t *preseed, const char *name, const char *driver, const char *source,
		     const char *size)
{
	json_t *config = json_object();

	json_map_set(config, "source", source);
	json_map_set(config, "size", size);
	json_object_set_new(preseed, "storage_pools",
			    json_pack("[{s:s, s:s, s:s, s:o}]", "name", name, "driver", driver,
				      "description", "", "config", config));
	json_array_append_new(json_object_get(preseed, "profiles"),
			      profile_with("root", json_pack("{s:s, s:s, s:s}", "type", "disk",
							     "path", "/", "pool", name)));
}

static void add_bridge(json_t *preseed)
{
	json_object_set_new(preseed, "networks",
			    json_pack("[{s:s, s:s, s:s, s:{s:s, s:s}}]", "name", "lxdbr0", "type",
				      "bridge", "description", "", "config", "ipv4.address", "auto",
				      "ipv6.address", "auto"));
	json_array_append_new(json_object_get(preseed, "profiles"),
			      profile_with("eth0", json_pack("{s:s, s:s, s:s}", "type", "nic",
							     "name", "eth0", "network", "lxdbr0")));
}

static gboolean have_none(const char *path, gboolean *ret, GError **error)
{
	g_autoptr(json_t) list = client_ask("GET", path, NULL, error);

	if (!list)
		return FALSE;
	*ret = json_array_size(list) == 0;
	return TRUE;
}

static gboolean have_bridge(void)
{
	g_autoptr(json_t) there = client_ask("GET", "/1.0/networks/lxdbr0", NULL, NULL);

	return there != NULL;
}

/* --- automatic --------------------------------------------------------------------------- */

static gboolean check_options(const struct init *init, GError **error)
{
	if (!init->automatic &&
	    (init->address || init->port != -1 || init->backend || init->device ||
	     init->loop_gib != -1 || init->pool || init->password))
		return fail(error, 400, "Configuration flags require --auto");
	if (init->automatic && init->preseed)
		return fail(error, 400, "Can't use --auto and --preseed together");
	if (init->minimal && (init->automatic || init->preseed))
		return fail(error, 400, "Can't use --minimal and --auto or --preseed together");
	if (init->dump && (init->automatic || init->preseed || init->minimal))
		return fail(error, 400, "Can't use --dump with other flags");
	if (init->device && init->loop_gib != -1)
		return fail(error, 400,
			    "Only one of --storage-create-device or "
			    "--storage-create-loop can be specified");
	if (init->password && !init->address)
		return fail(error, 400, "Can't use --trust-password without --network-address");
	if (g_strcmp0(init->backend, "dir") == 0 && (init->device || init->loop_gib != -1))
		return fail(error, 400,
			    "None of --storage-pool, --storage-create-device or "
			    "--storage-create-loop may be used with the 'dir' backend");
	return TRUE;
}

static json_t *automatic(const struct init *init, GError **error)
{
	g_autoptr(json_t) preseed = json_pack("{s:{}, s:[]}", "config", "profiles");
	json_t *config = json_object_get(preseed, "config");
	gboolean no_pools;

	if (!have_none("/1.0/storage-pools", &no_pools, error))
		return NULL;
	if (init->address)
		json_object_set_new(
			config, "core.https_address",
			json_sprintf("%s:%d", init->address, init->port > 0 ? init->port : 8443));
	json_map_set(config, "core.trust_password", init->password);
	if (no_pools || init->pool) {
		g_autofree char *size = init->loop_gib > 0
						? g_strdup_printf("%dGiB", init->loop_gib)
						: NULL;

		add_pool(preseed, init->pool ? init->pool : "default",
			 init->backend ? init->backend : "dir", init->device, size);
	}
	if (has_extension(init, "network") && !have_bridge())
		add_bridge(preseed);
	return g_steal_pointer(&preseed);
}

/* --- questions ------------------------------------------------------------------------------ */

static gboolean is_known_driver(const char *answer)
{
	return strcmp(answer, "dir") == 0 || strcmp(answer, "btrfs") == 0;
}

static gboolean is_size(const char *answer)
{
	return g_ascii_strtoll(answer, NULL, 10) >= 1;
}

static void ask_pool(json_t *preseed)
{
	g_autofree char *name = NULL, *driver = NULL, *source = NULL, *size = NULL;

	if (!ask_yes("Do you want to configure a new storage pool?", TRUE))
		return;
	name = ask_text("Name of the new storage pool", "default", NULL);
	driver = ask_text("Name of the storage backend to use (btrfs, dir)", "btrfs",
			  is_known_driver);
	if (strcmp(driver, "btrfs") == 0) {
		if (ask_yes("Would you like to use an existing empty block device (e.g. a disk or "
			    "partition)?",
			    FALSE))
			source = ask_text("Path to the existing block device", NULL, NULL);
		else
			size = ask_text("Size in GiB of the new loop device (1GiB minimum)",
					"30GiB", is_size);
	}
	add_pool(preseed, name, driver, source, size);
}

static json_t *questions(const struct init *init)
{
	json_t *preseed = json_pack("{s:{}, s:[]}", "config", "profiles");

	ask_pool(preseed);
	if (has_extension(init, "network") && !have_bridge() &&
	    ask_yes("Would you like to create a new local network bridge?", TRUE))
		add_bridge(preseed);
	if (ask_yes("Would you like a YAML \"lxd init\" preseed to be printed?", FALSE)) {
		g_autofree char *text = yaml_print(preseed, YAML_AS_GIVEN);

		g_print("%s\n", text);
	}
	return preseed;
}

/* --- the command ------------------------------------------------------------------------------ */

static json_t *read_preseed(GError **error)
{
	g_autoptr(GString) text = g_string_new(NULL);
	g_autoptr(json_t) preseed = NULL;
	char block[4096];
	size_t got;

	while ((got = fread(block, 1, sizeof(block), stdin)) > 0)
		g_string_append_len(text, block, got);
	preseed = yaml_parse(text->str, text->len, YAML_TYPED, error);
	if (!preseed) {
		g_prefix_error(error, "Failed to parse the preseed: ");
		return NULL;
	}
	if (!json_is_object(preseed)) {
		fail(error, 400, "Failed to parse the preseed: it is no map");
		return NULL;
	}
	return g_steal_pointer(&preseed);
}

static gboolean print_dump(GError **error)
{
	g_autoptr(json_t) all = preseed_read(error);
	g_autofree char *text = all ? yaml_print(all, YAML_AS_GIVEN) : NULL;

	if (!text)
		return FALSE;
	g_print("%s\n", text);
	return TRUE;
}

static gboolean run(struct init *init, GError **error)
{
	g_autoptr(json_t) preseed = NULL;

	if (!check_options(init, error))
		return FALSE;
	init->server = client_ask("GET", "/1.0", NULL, error);
	if (!init->server) {
		g_prefix_error(error, "Failed to connect to local LXD: ");
		return FALSE;
	}
	if (init->dump)
		return print_dump(error);
	if (init->preseed)
		preseed = read_preseed(error);
	else if (init->automatic || init->minimal)
		preseed = automatic(init, error);
	else
		preseed = questions(init);
	return preseed && preseed_apply(preseed, error);
}

int cli_init(int argc, char **argv)
{
	struct init init = { .port = -1, .loop_gib = -1 };
	g_autoptr(GError) error = NULL;
	gboolean good;
	const GOptionEntry entries[] = {
		{ "auto", 0, 0, G_OPTION_ARG_NONE, &init.automatic,
		  "Automatic (non-interactive) mode", NULL },
		{ "dump", 0, 0, G_OPTION_ARG_NONE, &init.dump, "Dump YAML config to stdout", NULL },
		{ "minimal", 0, 0, G_OPTION_ARG_NONE, &init.minimal,
		  "Minimal configuration (non-interactive)", NULL },
		{ "preseed", 0, 0, G_OPTION_ARG_NONE, &init.preseed,
		  "Pre-seed mode, expects YAML config from stdin", NULL },
		{ "network-address", 0, 0, G_OPTION_ARG_STRING, &init.address,
		  "Address to bind LXD to (default: none)", "IP" },
		{ "network-port", 0, 0, G_OPTION_ARG_INT, &init.port,
		  "Port to bind LXD to (default: 8443)", "PORT" },
		{ "storage-backend", 0, 0, G_OPTION_ARG_STRING, &init.backend,
		  "Storage backend to use (btrfs or dir, default: dir)", "BACKEND" },
		{ "storage-create-device", 0, 0, G_OPTION_ARG_STRING, &init.device,
		  "Setup device based storage using DEVICE", "DEVICE" },
		{ "storage-create-loop", 0, 0, G_OPTION_ARG_INT, &init.loop_gib,
		  "Setup loop based storage with SIZE in GiB", "SIZE" },
		{ "storage-pool", 0, 0, G_OPTION_ARG_STRING, &init.pool,
		  "Storage pool to use or create", "POOL" },
		{ "trust-password", 0, 0, G_OPTION_ARG_STRING, &init.password,
		  "Password required to add new clients", "PASSWORD" },
		{ 0 },
	};

	if (!cli_parse(&argc, &argv, NULL, NULL, entries))
		return 1;
	good = run(&init, &error);
	json_decref(init.server);
	g_free(init.address);
	g_free(init.backend);
	g_free(init.device);
	g_free(init.pool);
	g_free(init.password);
	return good ? 0 : cli_fail(error);
}
