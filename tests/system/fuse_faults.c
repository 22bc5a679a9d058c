/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Makes lxcfs_render() fail in the ways that bugs make it fail: preloaded into
 * lxcfs, /proc/swaps crashes it and /proc/diskstats never comes back.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lxcfs.h"

int lxcfs_render(struct lxcfs *engine, const struct lxcfs_caller *caller, const char *path,
		 char **ret_text, size_t *ret_len)
{
	static __typeof__(&lxcfs_render) real;

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "lxcfs_render");
	if (!strcmp(path, "/proc/swaps"))
		abort();
	while (!strcmp(path, "/proc/diskstats"))
		pause();
	return real(engine, caller, path, ret_text, ret_len);
}
