/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libarchive, loaded when it is wanted. */
#define LIBARCHIVE_ITSELF /* the names are the names here */
#include "util/libarchive.h"

#include <dlfcn.h>

#include "util/error.h"

#define SONAME "libarchive.so.13" /* of every release since 3.0 */

static const struct {
	const char *name;
	gsize offset;
} functions[] = {
#define LIBARCHIVE_ROW(name) { #name, G_STRUCT_OFFSET(struct libarchive, name) },
	LIBARCHIVE_FUNCTIONS(LIBARCHIVE_ROW)
};

static gboolean load(struct libarchive *ret, GError **error)
{
	void *lib = dlopen(SONAME, RTLD_NOW | RTLD_LOCAL);

	if (!lib)
		return fail(error, 500, "Failed to load libarchive: %s", dlerror());
	for (gsize i = 0; i < G_N_ELEMENTS(functions); i++) {
		void *function = dlsym(lib, functions[i].name);

		if (!function)
			return fail(error, 500, "Failed to load libarchive: %s", dlerror());
		G_STRUCT_MEMBER(void *, ret, functions[i].offset) = function;
	}
	return TRUE;
}

const struct libarchive *libarchive(GError **error)
{
	static struct libarchive *loaded; /* once for the process, as its code is */
	struct libarchive *fresh = g_atomic_pointer_get(&loaded);

	if (fresh)
		return fresh;
	fresh = g_new0(struct libarchive, 1);
	if (!load(fresh, error) || !g_atomic_pointer_compare_and_exchange(&loaded, NULL, fresh))
		g_free(fresh);
	return g_atomic_pointer_get(&loaded);
}
