/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the firmware says of the machine. */
#include <string.h>

#include "core/resources_private.h"
#include "util/run.h"

struct field {
	const char *key, *file;
};

static json_t *read_fields(const char *dmi, const struct field *fields, gsize count)
{
	json_t *object = json_object();

	for (gsize i = 0; i < count; i++) {
		g_autofree char *text = sys_text(dmi, fields[i].file);

		json_object_set_new(object, fields[i].key, json_string(text));
	}
	return object;
}
#define FIELDS(dmi, fields) read_fields(dmi, fields, G_N_ELEMENTS(fields))

static const char *machine_type(const char *root)
{
	g_autofree char *program = g_find_program_in_path("systemd-detect-virt");

	if (*root || !program)
		return "unknown";
	if (run_words(NULL, NULL, program, "--container", NULL))
		return "container";
	return run_words(NULL, NULL, program, "--vm", NULL) ? "virtual-machine" : "physical";
}

json_t *resources_system(const char *root)
{
	static const struct field machine[] = {
		{ "uuid", "product_uuid" },	  { "vendor", "sys_vendor" },
		{ "product", "product_name" },	  { "family", "product_family" },
		{ "version", "product_version" }, { "sku", "product_sku" },
		{ "serial", "product_serial" },
	};
	static const struct field firmware[] = { { "vendor", "bios_vendor" },
						 { "date", "bios_date" },
						 { "version", "bios_version" } };
	static const struct field chassis[] = { { "vendor", "chassis_vendor" },
						{ "type", "chassis_type" },
						{ "serial", "chassis_serial" },
						{ "version", "chassis_version" } };
	static const struct field board[] = { { "vendor", "board_vendor" },
					      { "product", "board_name" },
					      { "serial", "board_serial" },
					      { "version", "board_version" } };
	g_autofree char *dmi = g_strconcat(root, "/sys/class/dmi/id", NULL);
	gboolean known = g_file_test(dmi, G_FILE_TEST_IS_DIR);
	json_t *all = FIELDS(dmi, machine);

	json_object_set_new(all, "type", json_string(machine_type(root)));
	json_object_set_new(all, "firmware", known ? FIELDS(dmi, firmware) : json_null());
	json_object_set_new(all, "chassis", known ? FIELDS(dmi, chassis) : json_null());
	json_object_set_new(all, "motherboard", known ? FIELDS(dmi, board) : json_null());
	return all;
}
