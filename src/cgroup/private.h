/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of this directory share: a cgroup's files by level, and the two versions. */
#pragma once

#include <pthread.h>

#include "base/line.h"
#include "cgroup/cgroup.h"

#define CGROUP_HIERARCHIES_MAX 32
#define CGROUP_DEPTH_MAX 64
#define CGROUP_DEVICES_MAX 4096
#define CGROUP_WALK_MAX 4096 /* cgroups below one that are searched for threads */

/* A file that was read before and is kept open; only ever added until the place is closed. */
struct cgroup_kept {
	enum cgroup_controller controller;
	unsigned up;
	const char *name;
	int fd;
	bool gone; /* the cgroup was removed: look for one of the same name */
};

#define CGROUP_KEPT_MAX 32

struct cgroup {
	struct cgroups *host;
	char *text;			    /* owns what path[] points to */
	char *path[CGROUP_HIERARCHIES_MAX]; /* "/a/b"; NULL: unknown */
	pthread_mutex_t lock;		    /* of kept */
	struct cgroup_kept *kept;
	unsigned kept_count;
};

/* How one version answers; every function serves the call of cgroup.h of the same name. */
struct cgroup_backend {
	int (*memory)(struct cgroup *, struct origins *, struct cgroup_memory *);
	int (*swap)(struct cgroup *, struct origins *, struct cgroup_memory *);
	int (*hugetlb)(struct cgroup *, struct origins *, const char *size,
		       struct cgroup_hugetlb *);
	int (*quota)(struct cgroup *, struct origins *, struct cgroup_quota *);
	int (*cpus)(struct cgroup *, struct origins *, struct cpulist *);
	int (*cputime)(struct cgroup *, struct origins *, struct cgroup_cputime *);
	int (*io)(struct cgroup *, struct origins *, struct cgroup_io *);
};

extern const struct cgroup_backend cgroup_v1, cgroup_v2;

/* A file of the cgroup (up = 0) or of its ancestor `up` levels above. */
struct cgroup_file {
	enum cgroup_controller controller;
	unsigned up;
	const char *name;
	bool rare; /* not worth an open file between reads; or its name does not last */
};

/* The place's path in the controller's hierarchy; NULL: unknown, or no such controller. */
const char *cgroup_controller_path(const struct cgroup *cg, enum cgroup_controller controller);

/* How many levels the place has below the root: 0 is the root itself. */
unsigned cgroup_depth(const struct cgroup *cg, enum cgroup_controller controller);

/*
 * Opens the file, with these open(2) flags. -ENOENT where the level has no such
 * file, -ENODATA without such a controller. An fd.
 */
int cgroup_file_open(struct cgroup *cg, const struct cgroup_file *file, int flags);

/* Appends the content of the file to the text. */
int cgroup_file_read(struct cgroup *cg, const struct cgroup_file *file, struct text *t);

/* The same for a list, which the kernel makes line by line and hands out in pieces. */
int cgroup_file_read_list(struct cgroup *cg, const struct cgroup_file *file, struct text *t);

/* Reads a file of one number; "max" is CGROUP_NO_LIMIT. */
int cgroup_file_u64(struct cgroup *cg, const struct cgroup_file *file, uint64_t *ret);

/* The full path of the file for a message, appended to the text. */
void cgroup_file_name(const struct cgroup *cg, const struct cgroup_file *file, struct text *t);

/* Notes a number read from the file, see origin_note_u64(). */
void cgroup_file_note(const struct cgroup *cg, const struct cgroup_file *file, struct origins *why,
		      const char *what, uint64_t value);

/*
 * Reads the file at the nearest level, from the cgroup upwards, that has it and is
 * not the root; a v2 controller may not be enabled as far down as the cgroup. Sets
 * file->up. -ENODATA where only the root is left.
 */
int cgroup_file_read_near(struct cgroup *cg, struct cgroup_file *file, struct text *t);

/* The least value of a one-number file over the cgroup and its ancestors below the root. */
int cgroup_file_min(struct cgroup *cg, struct origins *why, const char *what,
		    struct cgroup_file file, uint64_t *ret);

/* Is `a` the tighter bandwidth: quota / period, no limit being the widest? */
bool cgroup_quota_less(const struct cgroup_quota *a, const struct cgroup_quota *b);

/* Reads a file with a CPU list from the nearest level that has one, the root included. */
int cgroup_file_cpus(struct cgroup *cg, struct origins *why, struct cgroup_file *file,
		     struct cpulist *ret);

/* Reads "8:16", a device number as the I/O controllers print it. */
bool cgroup_device_parse(const struct line *word, unsigned *ret_major, unsigned *ret_minor);

/* The entry of a device, made if it is new; NULL without memory or with absurdly many devices. */
struct cgroup_io_device *cgroup_io_device(struct cgroup_io *io, unsigned major, unsigned minor);
