/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a cgroup may use and has used, as numbers: bytes and microseconds. Whether
 * a controller lives on cgroup v1 or v2, the names of its files, "max", page-rounded
 * infinity and the walk over the ancestors are settled here and never seen outside.
 * Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cpulist.h"
#include "base/text.h"
#include "cgroup/origin.h"

#define CGROUP_NO_LIMIT UINT64_MAX /* of a limit: none */
#define CGROUP_UNKNOWN UINT64_MAX  /* of any other number: the kernel does not tell */

enum cgroup_controller {
	CGROUP_MEMORY,
	CGROUP_CPU,
	CGROUP_CPUACCT, /* on v2 part of the core: cpu.stat */
	CGROUP_CPUSET,
	CGROUP_IO, /* blkio on v1 */
	CGROUP_HUGETLB,
	CGROUP_PIDS,
	CGROUP_CORE, /* the v2 hierarchy itself, with or without controllers: pressure */
	CGROUP_CONTROLLERS,
};

/* One mounted hierarchy. */
struct cgroup_hierarchy {
	int fd;	     /* the mount point, a directory fd */
	int version; /* 1 or 2 */
	char *name; /* as /proc/PID/cgroup has it: "cpu,cpuacct", "name=systemd"; "unified" on v2 */
	char *mount; /* where it is mounted, below the engine's root */
};

/* The hierarchies of a host. */
struct cgroups {
	struct cgroup_hierarchy *hierarchy;
	size_t count;
	int of[CGROUP_CONTROLLERS]; /* index of the hierarchy, -1: the host has none */
	atomic_int kept;	    /* files that places keep open between reads */
	int kept_max;		    /* how many that may be; 0: none */
};

/*
 * Finds the mounted hierarchies in proc/mounts below the root directory. Mounts
 * nothing. -ENODEV when there is none. To be released with cgroups_close().
 */
int cgroups_open(int rootfd, struct cgroups **ret);
void cgroups_close(struct cgroups *cgroups);

/*
 * One process's place in every hierarchy. Opaque but for cgroup_path(). Keeps the
 * files it has read open, as far as cgroups->kept_max allows; threads may share it.
 */
struct cgroup;

/*
 * Makes a place from the text of /proc/PID/cgroup. A trailing /init.scope, where
 * systemd puts itself inside a container, is cut when `init` is set. To be released
 * with cgroup_close(). Paths outside the engine's cgroup namespace ("/..") count as
 * unknown.
 */
int cgroup_open(struct cgroups *cgroups, const char *proc_cgroup, bool init, struct cgroup **ret);
void cgroup_close(struct cgroup *cg);

/*
 * Does every path of `inner` lie at or below that of `outer` (both texts of
 * /proc/PID/cgroup; outer's trailing /init.scope is cut)?
 */
bool cgroup_text_contains(const char *outer, const char *inner);

/* The path in one hierarchy (an index into cgroups->hierarchy), NULL if unknown. */
const char *cgroup_path(const struct cgroup *cg, size_t hierarchy);

/* Is the place the root of this controller's hierarchy, or is there no such controller? */
bool cgroup_is_root(const struct cgroup *cg, enum cgroup_controller controller);

/* All in bytes, of the cgroup and what is below it; limits are the least of all ancestors'. */
struct cgroup_memory {
	uint64_t limit, usage;
	uint64_t swap_limit, swap_usage; /* swap alone; CGROUP_UNKNOWN without swap accounting */
	uint64_t anon, file, shmem, mapped, dirty, writeback, swapcached;
	uint64_t anon_thp, file_thp, shmem_thp;
	uint64_t inactive_anon, active_anon, inactive_file, active_file, unevictable;
	uint64_t slab, slab_reclaimable, slab_unreclaimable;
	uint64_t kernel_stack, pagetables, sec_pagetables, percpu, vmalloc;
	uint64_t zswap, zswapped;
};

/* The functions below give -ENODATA when no number of this cgroup exists: no such
 * controller on the host, or the place is the root. `why` may be NULL. */

int cgroup_read_memory(struct cgroup *cg, struct origins *why, struct cgroup_memory *ret);

/* The same, of which only swap_limit and swap_usage count. */
int cgroup_read_swap(struct cgroup *cg, struct origins *why, struct cgroup_memory *ret);

/* One huge page size's pool, in bytes. */
struct cgroup_hugetlb {
	uint64_t limit, usage, reserved;
};

/* `size_kb` as in "Hugepagesize:" of /proc/meminfo. */
int cgroup_read_hugetlb(struct cgroup *cg, struct origins *why, uint64_t size_kb,
			struct cgroup_hugetlb *ret);

/* The tightest CFS bandwidth of the cgroup and its ancestors; quota CGROUP_NO_LIMIT: none. */
struct cgroup_quota {
	uint64_t quota_us, period_us;
};
int cgroup_read_quota(struct cgroup *cg, struct origins *why, struct cgroup_quota *ret);

/* The CPUs the cgroup may really run on (cpuset.cpus.effective); at the root the online ones. */
int cgroup_read_cpus(struct cgroup *cg, struct origins *why, struct cpulist *ret);

/* CPU time used since the cgroup was made. */
struct cgroup_cputime {
	uint64_t user_us, system_us;
	/* The same per CPU number, where the kernel tells (v1); else count is 0. */
	size_t count;
	struct cgroup_cputime_cpu {
		uint64_t user_us, system_us;
	} * cpu; /* owned; cgroup_cputime_free() */
};
int cgroup_read_cputime(struct cgroup *cg, struct origins *why, struct cgroup_cputime *ret);
void cgroup_cputime_free(struct cgroup_cputime *t);

/* I/O per block device since the cgroup was made: bytes and finished requests. */
struct cgroup_io {
	size_t count;
	struct cgroup_io_device {
		unsigned major, minor;
		uint64_t read_bytes, write_bytes, discard_bytes;
		uint64_t reads, writes, discards;
	} * device; /* owned; cgroup_io_free() */
};
int cgroup_read_io(struct cgroup *cg, struct origins *why, struct cgroup_io *ret);
void cgroup_io_free(struct cgroup_io *io);

/* The pressure file of the cgroup, `what` is "cpu", "io", "memory" or "irq". */
int cgroup_read_pressure(struct cgroup *cg, struct origins *why, const char *what,
			 struct text *ret);
/* The same file open for a trigger (O_RDWR); an fd. */
int cgroup_open_pressure(struct cgroup *cg, const char *what, int *ret_fd);

/* memory.kmem.slabinfo of v1, where it still has content. */
int cgroup_read_slabinfo(struct cgroup *cg, struct origins *why, struct text *ret);

/*
 * Calls `each` with every thread (its id in the engine's pid namespace) of the cgroup
 * and of all below it, until it returns other than 0, which is returned. Of thousands
 * of cgroups below, the first some are searched, so that no container can make this
 * take long.
 */
int cgroup_each_thread(struct cgroup *cg, int (*each)(void *arg, uint64_t tid), void *arg);
