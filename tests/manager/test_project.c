/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Projects: features, limits and restrictions; warnings and the server's configuration beside. */
#include <string.h>

#include "core/profile.h"
#include "core/project.h"
#include "core/server_config.h"
#include "core/warning.h"
#include "support.h"
#include "util/error.h"
#include "util/json.h"

#define FEATURES \
	"'features.images':'true','features.profiles':'true','features.storage.volumes':'true'"

static void create(const char *text)
{
	g_autoptr(json_t) body = test_json(text);
	g_autoptr(GError) error = NULL;
	gboolean done = project_create(&test_host, body, NULL, &error);

	ck_assert_msg(done, "%s", error ? error->message : "");
}

/* The error of a PUT, "" for none. */
static char *put(const char *name, const char *config)
{
	g_autofree char *text = g_strdup_printf("{'config':{%s}}", config);
	g_autoptr(json_t) body = test_json(text);
	g_autoptr(GError) error = NULL;

	if (project_update(&test_host, name, body, NULL, &error))
		return g_strdup("");
	return g_strdup(error->message);
}

static void add_instance(const char *project, const char *name, const char *config)
{
	g_autoptr(json_t) map = test_json(config);
	gint64 id = db_insert(test_host.db, NULL,
			      "INSERT INTO instances (node_id, name, architecture, type,"
			      " description, project_id) VALUES (1, ?1, 2, 0, '',"
			      " (SELECT id FROM projects WHERE name = ?2))",
			      "ss", name, project);

	ck_assert_int_gt(id, 0);
	ck_assert(db_config_put(test_host.db, "instances_config", "instance", id, map, NULL));
	ck_assert_int_gt(db_insert(test_host.db, NULL,
				   "INSERT INTO instances_profiles (instance_id, profile_id)"
				   " VALUES (?1, ?2)",
				   "ii", id, profile_id(test_host.db, project, "default", NULL)),
			 0);
}

START_TEST(features_say_whose)
{
	g_autofree char *own = NULL, *shared = NULL, *networks = NULL, *image = NULL;
	g_autofree char *prefixed = project_prefix("p", "c1"),
			*plain = project_prefix("default", "c1");
	g_autoptr(GError) error = NULL;

	create("{'name':'p','config':{'features.images':'false'}}");
	own = project_of_profiles(test_host.db, "p", NULL);
	image = project_of_images(test_host.db, "p", NULL);
	networks = project_of_networks(test_host.db, "p", NULL);
	shared = project_of_volumes(test_host.db, "default", NULL);
	ck_assert_str_eq(own, "p");
	ck_assert_str_eq(image, "default");
	ck_assert_str_eq(networks, "default");
	ck_assert_str_eq(shared, "default");
	ck_assert_str_eq(prefixed, "p_c1");
	ck_assert_str_eq(plain, "c1");
	ck_assert_ptr_null(project_of_images(test_host.db, "zz", &error));
	ck_assert_str_eq(error->message, "Failed loading project \"zz\": Project not found");
	ck_assert_int_eq(error_status(error), 404);
}
END_TEST

START_TEST(life)
{
	g_autoptr(json_t) shown = NULL, body = test_json("{'name':'p1'}"),
			  profile = test_json("{'name':'web'}");
	g_autoptr(GError) twice = NULL, full = NULL, gone = NULL;
	g_autofree char *text = NULL, *feature = NULL, *first = NULL;

	create("{'name':'p1','description':'d'}");
	shown = project_show(test_host.db, "p1", NULL);
	text = json_print(shown);
	ck_assert_str_eq(
		text,
		"{\"config\":{\"features.images\":\"true\",\"features.profiles\":\"true\","
		"\"features.storage.volumes\":\"true\"},\"description\":\"d\",\"name\":\"p1\","
		"\"used_by\":[\"/1.0/profiles/default?project=p1\"]}");
	ck_assert(!project_create(&test_host, body, NULL, &twice));
	ck_assert_str_eq(twice->message, "Failed creating project \"p1\": Failed adding database"
					 " record: This \"projects\" entry already exists");
	ck_assert_int_eq(error_status(twice), 409);
	ck_assert(profile_create(&test_host, "p1", profile, NULL, NULL));
	ck_assert(!project_delete(&test_host, "p1", NULL, &full));
	ck_assert_str_eq(full->message, "Only empty projects can be removed");
	feature = put("p1", "'features.images':'true','features.storage.volumes':'true'");
	ck_assert_str_eq(feature, "Project feature \"features.profiles\" cannot be disabled on"
				  " non-empty projects");
	ck_assert(profile_delete(&test_host, "p1", "web", NULL, NULL));
	ck_assert(project_rename(&test_host, "p1", "p2", NULL, NULL));
	ck_assert(project_delete(&test_host, "p2", NULL, NULL));
	ck_assert(!project_delete(&test_host, "p2", NULL, &gone));
	ck_assert_str_eq(gone->message, "Fetch project \"p2\": Project not found");
	first = put("default", "");
	ck_assert_str_eq(first, "You can't change the features of the default project");
}
END_TEST

START_TEST(default_is_protected)
{
	g_autoptr(GError) deleted = NULL, renamed = NULL;

	ck_assert(!project_delete(&test_host, "default", NULL, &deleted));
	ck_assert_int_eq(error_status(deleted), 403);
	ck_assert(!project_rename(&test_host, "default", "x", NULL, &renamed));
	ck_assert_str_eq(renamed->message, "The 'default' project cannot be renamed");
}
END_TEST

/* What a new instance "x" gets to hear; "" when it may be. */
static char *check(const char *project, const char *config, const char *devices)
{
	g_autoptr(json_t) map = test_json(config), all = test_json(devices);
	g_autoptr(GError) error = NULL;
	static const char prefix[] = "Failed checking if instance creation allowed: ";

	if (project_check_instance(test_host.db, project, "x", map, all, &error))
		return g_strdup("");
	return g_strdup(g_str_has_prefix(error->message, prefix) ? error->message + strlen(prefix)
								 : error->message);
}

static const struct {
	const char *config, *problem;
} sums[] = {
	{ "{'limits.memory':'1GB','limits.cpu':'1','limits.processes':'5'}", "" },
	{ "{}", "Failed getting usage of project entities: Instance \"x\" in project \"l\" has no"
		" \"limits.cpu\" config, either directly or via a profile" },
	{ "{'limits.memory':'2GB','limits.cpu':'1','limits.processes':'5'}",
	  "Reached maximum aggregate value \"1GB\" for \"limits.memory\" in project \"l\"" },
	{ "{'limits.memory':'1GB','limits.cpu':'0-1','limits.processes':'5'}",
	  "Failed getting usage of project entities: Failed parsing \"limits.cpu\" for instance"
	  " \"x\" in project \"l\"" },
	{ "{'limits.memory':'1GB','limits.cpu':'3','limits.processes':'5'}",
	  "Reached maximum aggregate value \"2\" for \"limits.cpu\" in project \"l\"" },
};

START_TEST(limits)
{
	g_autofree char *problem = NULL;

	create("{'name':'l','config':{'limits.containers':'1','limits.memory':'1GB','limits.cpu':'"
	       "2',"
	       "'limits.processes':'100'}}");
	problem = check("l", sums[_i].config, "{}");
	ck_assert_str_eq(problem, sums[_i].problem);
}
END_TEST

START_TEST(limits_with_others)
{
	g_autofree char *count = NULL, *sum = NULL, *low = NULL, *few = NULL, *fine = NULL;
	g_autofree char *state = NULL, *unknown = NULL;
	g_autoptr(json_t) shown = NULL, change = test_json("{'limits.memory':'2GB'}"),
			  none = test_json("{}");
	g_autoptr(GError) grown = NULL, of_profile = NULL;
	g_autoptr(json_t) profile = test_json("{'security.privileged':'true'}");

	create("{'name':'l','config':{'limits.containers':'1','limits.memory':'1500MB'}}");
	add_instance("l", "c1", "{'limits.memory':'1GB'}");
	count = check("l", "{'limits.memory':'1MB'}", "{}");
	ck_assert_str_eq(count, "Reached maximum number of instances of type \"container\" in"
				" project \"l\"");
	ck_assert(!project_check_instance(test_host.db, "l", "c1", change, none, &grown));
	ck_assert_str_eq(grown->message,
			 "Failed checking if instance update allowed: Reached maximum aggregate"
			 " value \"1500MB\" for \"limits.memory\" in project \"l\"");
	fine = put("l", FEATURES ",'limits.memory':'1500MB','limits.instances':'5'");
	ck_assert_str_eq(fine, "");
	sum = check("l", "{'limits.memory':'600MB'}", "{}");
	ck_assert_str_eq(sum, "Reached maximum aggregate value \"1500MB\" for \"limits.memory\" in"
			      " project \"l\"");
	low = put("l", FEATURES ",'limits.memory':'1MB'");
	ck_assert_str_eq(low, "\"limits.memory\" is too low: current total is \"953.7MiB\"");
	few = put("l", FEATURES ",'limits.containers':'0'");
	ck_assert_str_eq(few, "Can't change \"limits.containers\" in project \"l\":"
			      " \"limits.containers\" is too low: there currently are 1 instances"
			      " of type container in project \"l\"");
	unknown = put("l", FEATURES ",'limits.cpu':'5'");
	ck_assert_str_eq(unknown, "Instance \"c1\" in project \"l\" has no \"limits.cpu\" config,"
				  " either directly or via a profile");
	shown = project_show_state(test_host.db, "l", NULL);
	state = json_print(json_object_get(json_object_get(shown, "resources"), "memory"));
	ck_assert_str_eq(state, "{\"Limit\":1500000000,\"Usage\":1000000000}");
	g_free(fine);
	fine = put("l", FEATURES ",'restricted':'true'");
	ck_assert_str_eq(fine, "");
	ck_assert(!project_check_profile(test_host.db, "l", "default", profile, none, &of_profile));
	ck_assert_str_eq(of_profile->message,
			 "Invalid value \"true\" for config \"security.privileged\" on container"
			 " \"c1\" of project \"l\": Privileged containers are forbidden");
	/* The trial left nothing. */
	g_clear_pointer(&shown, json_decref);
	shown = profile_show(test_host.db, "l", "default", NULL);
	ck_assert_uint_eq(json_object_size(json_object_get(shown, "config")), 0);
}
END_TEST

#define ON " on container \"x\" of project \"r\""

static const struct {
	const char *project, *config, *devices, *problem;
} restrictions[] = {
	{ "", "{'limits.memory':'1GB','security.devlxd':'true'}", "{}", "" },
	{ "", "{'security.privileged':'true'}", "{}",
	  "Invalid value \"true\" for config \"security.privileged\"" ON
	  ": Privileged containers are forbidden" },
	{ "'restricted.containers.privilege':'allow'", "{'security.privileged':'true'}", "{}", "" },
	{ "'restricted.containers.privilege':'isolated'", "{}", "{}",
	  "Invalid value \"\" for config \"security.idmap.isolated\"" ON
	  ": Non-isolated containers are forbidden" },
	{ "'restricted.containers.privilege':'isolated'", "{'security.idmap.isolated':'true'}",
	  "{}", "" },
	{ "", "{'security.nesting':'true'}", "{}",
	  "Invalid value \"true\" for config \"security.nesting\"" ON
	  ": Container nesting is forbidden" },
	{ "", "{'raw.lxc':'lxc.a=b'}", "{}",
	  "Use of low-level config \"raw.lxc\"" ON " is forbidden" },
	{ "'restricted.containers.lowlevel':'allow'", "{'raw.lxc':'lxc.a=b'}", "{}", "" },
	{ "", "{'raw.idmap':'both 1000 1000'}", "{}",
	  "Use of low-level \"raw.idmap\" element 0" ON " is forbidden" },
	{ "'restricted.idmap.uid':'1000-1005','restricted.idmap.gid':'1000'",
	  "{'raw.idmap':'both 1000 1000\\nuid 1001-1005 0'}", "{}", "" },
	{ "'restricted.idmap.uid':'1000-1005','restricted.idmap.gid':'1000'",
	  "{'raw.idmap':'both 1000 1000\\ngid 1001 0'}", "{}",
	  "Use of low-level \"raw.idmap\" element 1" ON " is forbidden" },
	{ "", "{'security.syscalls.intercept.mknod':'true'}", "{}",
	  "Invalid value \"true\" for config \"security.syscalls.intercept.mknod\"" ON
	  ": Container syscall interception is forbidden" },
	{ "'restricted.containers.interception':'allow'",
	  "{'security.syscalls.intercept.mknod':'true'}", "{}", "" },
	{ "'restricted.containers.interception':'allow'",
	  "{'security.syscalls.intercept.bpf':'true'}", "{}",
	  "Invalid value \"true\" for config \"security.syscalls.intercept.bpf\"" ON
	  ": Container syscall interception is forbidden" },
	{ "'restricted.containers.interception':'full'",
	  "{'security.syscalls.intercept.bpf':'true'}", "{}", "" },
	{ "", "{}", "{'root':{'type':'disk','path':'/','pool':'p'},'n':{'type':'none'}}", "" },
	{ "", "{}", "{'a':{'type':'unix-char','path':'/dev/null'}}",
	  "Invalid device \"a\"" ON ": Unix character devices are forbidden" },
	{ "'restricted.devices.unix-char':'allow'", "{}",
	  "{'a':{'type':'unix-char','path':'/dev/null'}}", "" },
	{ "", "{}", "{'a':{'type':'nic','nictype':'p2p'}}",
	  "Invalid device \"a\"" ON ": Only managed network devices are allowed" },
	{ "", "{}", "{'a':{'type':'disk','source':'/tmp','path':'/x'}}",
	  "Invalid device \"a\"" ON ": Attaching disks not backed by a pool is forbidden" },
	{ "", "{}", "{'a':{'type':'disk','source':'v','pool':'p','path':'/x'}}", "" },
	{ "'restricted.devices.disk':'allow','restricted.devices.disk.paths':'/srv'", "{}",
	  "{'a':{'type':'disk','source':'/srv/x','path':'/x'}}", "" },
	{ "'restricted.devices.disk':'allow','restricted.devices.disk.paths':'/srv'", "{}",
	  "{'a':{'type':'disk','source':'/srv/../etc','path':'/x'}}",
	  "Invalid device \"a\"" ON ": Disk source path not allowed" },
	{ "'restricted.devices.disk':'allow','restricted.devices.disk.paths':'/srv'", "{}",
	  "{'a':{'type':'disk','source':'/srv2','path':'/x'}}",
	  "Invalid device \"a\"" ON ": Disk source path not allowed" },
};

START_TEST(restricted)
{
	g_autofree char *problem = NULL, *body = NULL;
	const char *more = restrictions[_i].project;

	body = g_strdup_printf("{'name':'r','config':{'restricted':'true'%s%s}}", *more ? "," : "",
			       more);
	create(body);
	problem = check("r", restrictions[_i].config, restrictions[_i].devices);
	ck_assert_str_eq(problem, restrictions[_i].problem);
}
END_TEST

START_TEST(snapshots_and_backups)
{
	g_autoptr(GError) snapshot = NULL, backup = NULL;

	create("{'name':'r','config':{'restricted':'true'}}");
	create("{'name':'s','config':{'restricted':'true','restricted.snapshots':'allow'}}");
	ck_assert(!project_check_snapshots(test_host.db, "r", &snapshot));
	ck_assert_str_eq(snapshot->message, "Project \"r\" doesn't allow for snapshot creation");
	ck_assert(!project_check_backups(test_host.db, "s", &backup));
	ck_assert_str_eq(backup->message, "Project \"s\" doesn't allow for backup creation");
	ck_assert(project_check_snapshots(test_host.db, "s", NULL));
	ck_assert(project_check_snapshots(test_host.db, "default", NULL));
}
END_TEST

START_TEST(warnings)
{
	struct warning warning = { WARNING_NETWORK_STARTUP, "default", WARNING_OF_PROJECT, 1 };
	struct warning other = { WARNING_APPARMOR, NULL, WARNING_OF_NOTHING, 0 };
	g_autoptr(json_t) list = NULL, one = NULL, none = NULL;
	g_autoptr(GError) error = NULL, unknown = NULL;
	const char *uuid;

	ck_assert(warning_raise(test_host.db, &warning, "first", NULL));
	ck_assert(warning_raise(test_host.db, &warning, "second", NULL));
	list = warning_list(test_host.db, NULL, NULL);
	ck_assert_uint_eq(json_array_size(list), 1);
	one = json_incref(json_array_get(list, 0));
	uuid = json_text(one, "uuid");
	ck_assert_int_eq(json_integer_value(json_object_get(one, "count")), 2);
	ck_assert_str_eq(json_text(one, "last_message"), "second");
	ck_assert_str_eq(json_text(one, "severity"), "high");
	ck_assert_str_eq(json_text(one, "type"), "Network unavailable");
	ck_assert_str_eq(json_text(one, "entity_url"), "/1.0/projects/default");
	ck_assert(warning_set_status(&test_host, uuid, "acknowledged", NULL, NULL));
	ck_assert(!warning_set_status(&test_host, uuid, "resolved", NULL, &error));
	ck_assert_int_eq(error_status(error), 400);
	ck_assert(warning_resolve(test_host.db, &warning, NULL));
	ck_assert(warning_prune(test_host.db, NULL)); /* it was resolved just now: stays */
	none = warning_show(test_host.db, uuid, NULL);
	ck_assert_str_eq(json_text(none, "status"), "resolved");
	ck_assert(warning_raise(test_host.db, &warning, "again", NULL));
	g_clear_pointer(&none, json_decref);
	none = warning_show(test_host.db, uuid, NULL);
	ck_assert_str_eq(json_text(none, "status"), "new");
	ck_assert(warning_raise(test_host.db, &other, "x", NULL));
	ck_assert(warning_forget(test_host.db, WARNING_OF_PROJECT, 1, NULL));
	ck_assert(!warning_delete(&test_host, uuid, NULL, &unknown));
	ck_assert_int_eq(error_status(unknown), 404);
	g_clear_pointer(&list, json_decref);
	list = warning_list(test_host.db, NULL, NULL);
	ck_assert_uint_eq(json_array_size(list), 1);
}
END_TEST

START_TEST(server_config)
{
	g_autoptr(json_t) first = test_json("{'core.trust_password':'abc','user.a':'b'}");
	g_autoptr(json_t) echo = test_json("{'core.trust_password':true,'user.a':null}");
	g_autoptr(json_t) wrong = test_json("{'images.auto_update_interval':5}");
	g_autoptr(json_t) shown = NULL, own = NULL, changed = NULL;
	g_autoptr(GError) error = NULL;
	g_autofree char *interval = NULL, *names = NULL;

	ck_assert(server_config_update(&test_host, first, FALSE, NULL, NULL, NULL));
	shown = server_config_show(test_host.db, NULL);
	ck_assert(json_is_true(json_object_get(shown, "core.trust_password")));
	ck_assert(server_config_update(&test_host, echo, FALSE, NULL, &changed, NULL));
	names = json_print(changed);
	ck_assert_str_eq(names, "[\"user.a\"]");
	own = server_config_get(test_host.db, NULL);
	ck_assert_str_eq(json_text(own, "core.trust_password"), "abc");
	ck_assert_uint_eq(json_object_size(own), 1);
	ck_assert(!server_config_update(&test_host, wrong, TRUE, NULL, NULL, &error));
	ck_assert_str_eq(error->message,
			 "cannot set 'images.auto_update_interval': invalid type float64");
	interval = server_config_value(test_host.db, "images.auto_update_interval");
	ck_assert_str_eq(interval, "6");
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_checked_fixture(tests, test_db_setup, test_db_teardown);
	tcase_add_test(tests, features_say_whose);
	tcase_add_test(tests, life);
	tcase_add_test(tests, default_is_protected);
	tcase_add_loop_test(tests, limits, 0, G_N_ELEMENTS(sums));
	tcase_add_test(tests, limits_with_others);
	tcase_add_loop_test(tests, restricted, 0, G_N_ELEMENTS(restrictions));
	tcase_add_test(tests, snapshots_and_backups);
	tcase_add_test(tests, warnings);
	tcase_add_test(tests, server_config);
}

int main(void)
{
	return test_run("project", fill);
}
