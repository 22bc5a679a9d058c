/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Ownership by scope: a variable marked with one of these is released when it
 * goes out of scope; take_ptr() and take_fd() hand it over to somebody else.
 */
#pragma once

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define AUTO(release) __attribute__((cleanup(release)))

static inline void cleanup_free(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_close(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cleanup_fclose(FILE **f)
{
	if (*f)
		fclose(*f);
}

static inline void cleanup_closedir(DIR **d)
{
	if (*d)
		closedir(*d);
}

#define AUTO_FREE AUTO(cleanup_free)
#define AUTO_CLOSE AUTO(cleanup_close)
#define AUTO_FCLOSE AUTO(cleanup_fclose)
#define AUTO_CLOSEDIR AUTO(cleanup_closedir)

/* Hands a pointer over: the value is returned and the variable set to NULL. */
#define take_ptr(p)                         \
	({                                  \
		__typeof__(p) taken_ = (p); \
		(p) = NULL;                 \
		taken_;                     \
	})

static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
