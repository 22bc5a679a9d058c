/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Profiles: what is refused, who uses them, and what instances get of them. */
#include "core/profile.h"
#include "support.h"
#include "util/error.h"
#include "util/json.h"

static void create(const char *project, const char *text)
{
	g_autoptr(json_t) body = test_json(text);
	g_autoptr(GError) error = NULL;
	gboolean done = profile_create(&test_host, project, body, NULL, &error);

	ck_assert_msg(done, "%s", error ? error->message : "");
}

static const struct {
	const char *body, *problem;
	int status;
} refused[] = {
	{ "{'name':''}", "No name provided", 400 },
	{ "{'name':'a/b'}", "Profile names may not contain slashes", 400 },
	{ "{'name':'default'}",
	  "Error inserting \"default\" into database: The profile already exists", 409 },
	{ "{'name':'x','config':{'limits.foo':'1'}}", "Unknown configuration key: limits.foo",
	  400 },
	{ "{'name':'x','config':{'volatile.uuid':'1'}}",
	  "Volatile keys can only be set on instances", 400 },
	{ "{'name':'x','config':{'user.a':5}}", "config must be a map of strings", 400 },
	{ "{'name':'x','devices':[]}", "devices must be a map of maps", 400 },
	{ "{'name':'x','devices':{'a':{'type':'zz'}}}",
	  "Device validation failed for \"a\": Failed loading device \"a\": Unsupported device "
	  "type",
	  400 },
	{ "{'name':'x','devices':{'..':{'type':'none'}}}",
	  "Device validation failed for \"..\": Name must not start with \".\" character", 400 },
};

START_TEST(what_is_refused)
{
	g_autoptr(json_t) body = test_json(refused[_i].body);
	g_autoptr(json_t) all = NULL;
	g_autoptr(GError) error = NULL;

	ck_assert(!profile_create(&test_host, "default", body, NULL, &error));
	ck_assert_str_eq(error->message, refused[_i].problem);
	ck_assert_int_eq(error_status(error), refused[_i].status);
	all = profile_list(test_host.db, "default", NULL);
	ck_assert_uint_eq(json_array_size(all), 1);
}
END_TEST

START_TEST(life)
{
	g_autoptr(json_t)
		wanted = test_json("{'description':'d','config':{'user.a':'1','user.b':''},"
				   "'devices':{'e':{'type':'none'}}}");
	g_autoptr(json_t) shown = NULL, later = NULL;
	g_autoptr(GError) error = NULL, taken = NULL;
	g_autofree char *text = NULL;

	create("default", "{'name':'p1','config':{'limits.cpu':'2'}}");
	shown = profile_show(test_host.db, "default", "p1", NULL);
	text = json_print(shown);
	ck_assert_str_eq(text, "{\"config\":{\"limits.cpu\":\"2\"},\"description\":\"\","
			       "\"devices\":{},\"name\":\"p1\",\"used_by\":[]}");
	ck_assert(profile_update(&test_host, "default", "p1", wanted, NULL, NULL));
	ck_assert(!profile_rename(&test_host, "default", "p1", "default", NULL, &taken));
	ck_assert_str_eq(taken->message, "Name \"default\" already in use");
	ck_assert(profile_rename(&test_host, "default", "p1", "p2", NULL, NULL));
	later = profile_show(test_host.db, "default", "p2", NULL);
	ck_assert_uint_eq(json_object_size(json_object_get(later, "config")), 1);
	ck_assert_str_eq(json_text(later, "description"), "d");
	ck_assert_ptr_null(profile_show(test_host.db, "default", "p1", &error));
	ck_assert_int_eq(error_status(error), 404);
	ck_assert(profile_delete(&test_host, "default", "p2", NULL, NULL));
}
END_TEST

START_TEST(default_is_protected)
{
	g_autoptr(GError) deleted = NULL, renamed = NULL;

	ck_assert(!profile_delete(&test_host, "default", "default", NULL, &deleted));
	ck_assert_str_eq(deleted->message, "The \"default\" profile cannot be deleted");
	ck_assert_int_eq(error_status(deleted), 403);
	ck_assert(!profile_rename(&test_host, "default", "default", "x", NULL, &renamed));
	ck_assert_int_eq(error_status(renamed), 403);
}
END_TEST

static void use(const char *profile)
{
	gint64 id = db_insert(test_host.db, NULL,
			      "INSERT INTO instances (node_id, name, architecture, type,"
			      " description, project_id) VALUES (1, 'c1', 2, 0, '', 1)",
			      "");

	ck_assert_int_gt(id, 0);
	ck_assert_int_gt(db_insert(test_host.db, NULL,
				   "INSERT INTO instances_profiles (instance_id, profile_id)"
				   " VALUES (?1, ?2)",
				   "ii", id, profile_id(test_host.db, "default", profile, NULL)),
			 0);
}

START_TEST(used_ones_stay)
{
	g_autoptr(json_t) shown = NULL;
	g_autoptr(GError) error = NULL;
	g_autofree char *users = NULL;

	create("default", "{'name':'p1'}");
	use("p1");
	ck_assert(!profile_delete(&test_host, "default", "p1", NULL, &error));
	ck_assert_str_eq(error->message, "Profile is currently in use");
	shown = profile_show(test_host.db, "default", "p1", NULL);
	users = json_print(json_object_get(shown, "used_by"));
	ck_assert_str_eq(users, "[\"/1.0/instances/c1\"]");
}
END_TEST

START_TEST(expansion)
{
	g_autoptr(json_t) names = test_json("['p1','p2']"), none = test_json("['nope']");
	g_autoptr(json_t) config = test_json("{'user.c':'own'}"),
			  devices = test_json("{'d':{'type':'none'}}");
	g_autoptr(json_t) all = NULL, all_devices = NULL;
	g_autoptr(GError) error = NULL;
	g_autofree char *text = NULL, *devices_text = NULL;

	create("default", "{'name':'p1','config':{'user.a':'1','user.b':'1','user.c':'1'},"
			  "'devices':{'e':{'type':'nic','nictype':'p2p','mtu':'1'}}}");
	create("default", "{'name':'p2','config':{'user.b':'2'},"
			  "'devices':{'e':{'type':'nic','nictype':'p2p'}}}");
	ck_assert(profile_expand(test_host.db, "default", names, config, devices, &all,
				 &all_devices, NULL));
	text = json_print(all);
	devices_text = json_print(all_devices);
	ck_assert_str_eq(text, "{\"user.a\":\"1\",\"user.b\":\"2\",\"user.c\":\"own\"}");
	ck_assert_str_eq(devices_text, "{\"d\":{\"type\":\"none\"},"
				       "\"e\":{\"nictype\":\"p2p\",\"type\":\"nic\"}}");
	ck_assert(!profile_check_names(test_host.db, "default", none, &error));
	ck_assert_str_eq(error->message, "Requested profile \"nope\" doesn't exist");
	ck_assert(profile_check_names(test_host.db, "default", names, NULL));
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_checked_fixture(tests, test_db_setup, test_db_teardown);
	tcase_add_loop_test(tests, what_is_refused, 0, G_N_ELEMENTS(refused));
	tcase_add_test(tests, life);
	tcase_add_test(tests, default_is_protected);
	tcase_add_test(tests, used_ones_stay);
	tcase_add_test(tests, expansion);
}

int main(void)
{
	return test_run("profile", fill);
}
