/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * liblxcfs: what would this process read at this path, if the machine were as
 * large as its container?
 *
 * An engine looks at one host (or at a directory that holds a copy of one's
 * /proc and /sys) and answers for any process on it. It is the whole of lxcfs
 * but for FUSE: no mount, no threads of its own, no output but its answers.
 *
 * Paths are those below the mount point of lxcfs: "/", "/proc/meminfo",
 * "/sys/devices/system/cpu/online", "/cgroup/memory/a/tasks".
 *
 * Every function that can fail returns 0 or a negative errno, and leaves its
 * outputs (the last arguments, named ret_...) untouched on failure. An engine
 * may be used by any number of threads at once. Errors common to all calls:
 * -ENOENT no such path for this caller, -EACCES the file's mode forbids it,
 * -ENOMEM, -ENOTDIR, -EISDIR.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct lxcfs;

/* What the views show; fixed for the life of an engine. */
enum lxcfs_flags {
	LXCFS_LOADAVG = 1 << 0,	  /* loadavg of the container, kept up by lxcfs_tick() */
	LXCFS_CFS = 1 << 1,	  /* show as many CPUs as the CFS quota buys */
	LXCFS_NO_SWAP = 1 << 2,	  /* show no swap */
	LXCFS_NO_ZSWAP = 1 << 3,  /* show no zswap */
	LXCFS_PSI_POLL = 1 << 4,  /* accept pressure triggers */
	LXCFS_NO_CGROUP = 1 << 5, /* /cgroup is an empty directory */
};

struct lxcfs_options {
	size_t size;	  /* sizeof(struct lxcfs_options) as the caller was compiled */
	const char *root; /* directory with the host's proc and sys; NULL is "/" */
	unsigned flags;	  /* enum lxcfs_flags */
	/*
	 * Zeroed memory, page-aligned, for what must outlive an engine: load
	 * averages and the CPU time shown so far. A second engine on the same
	 * memory carries on. NULL: the engine has its own. The engine never
	 * frees it; it must stay mapped until lxcfs_close().
	 */
	void *history;
	size_t history_size; /* bytes; lxcfs_history_size() is a good one */
};

/* Who asks: as in a FUSE request, in the engine's pid namespace and the host's user ids. */
struct lxcfs_caller {
	pid_t pid; /* a thread id is as good; 0: not known, the host's view */
	uid_t uid; /* file system uid */
	gid_t gid;
};

/* The version of this library, "1.0.0". */
const char *lxcfs_version(void);

/* Bytes of history for a host with this many CPUs; sparse memory, pages are used when needed. */
size_t lxcfs_history_size(unsigned cpus);

/*
 * Opens an engine. -ENOENT where the root has no /proc, -ENODEV where it has no
 * cgroup file system. To be closed with lxcfs_close().
 */
int lxcfs_open(const struct lxcfs_options *options, struct lxcfs **ret_engine);

/* Closes an engine that no thread uses any more. NULL is ignored. */
void lxcfs_close(struct lxcfs *engine);

/* Shows everyone the host's own files (true) or the containers' (false, at start). */
void lxcfs_set_host_view(struct lxcfs *engine, bool host_view);

/*
 * Samples load averages; to be called every LXCFS_TICK_SECONDS while LXCFS_LOADAVG
 * is set. Costs nothing for containers whose loadavg nobody read lately.
 */
#define LXCFS_TICK_SECONDS 5
void lxcfs_tick(struct lxcfs *engine);

/* As stat(2): type, mode, owner, st_ino; st_size is 0, as in procfs. */
int lxcfs_stat(struct lxcfs *engine, const struct lxcfs_caller *caller, const char *path,
	       struct stat *ret_stat);

/*
 * Lists a directory without "." and "..": `each` gets a name and a type (S_IFREG,
 * S_IFDIR, S_IFLNK); what it returns other than 0 ends the listing and is returned.
 */
int lxcfs_list(struct lxcfs *engine, const struct lxcfs_caller *caller, const char *path,
	       int (*each)(void *arg, const char *name, mode_t type), void *arg);

/* As access(2): may the caller do this (R_OK | W_OK | X_OK, or F_OK) with the path? */
int lxcfs_access(struct lxcfs *engine, const struct lxcfs_caller *caller, const char *path,
		 int mask);

/*
 * The whole text that a read by this caller gives, NUL-terminated for convenience;
 * *ret_text is to be freed by the caller, *ret_len does not count the NUL.
 * Permission is not asked again (open asks): use lxcfs_access() first.
 */
int lxcfs_render(struct lxcfs *engine, const struct lxcfs_caller *caller, const char *path,
		 char **ret_text, size_t *ret_len);

/*
 * Where every number of the text came from: which cgroup file, which ancestor gave
 * a limit, or why a line is the host's. *ret_text is to be freed by the caller.
 */
int lxcfs_explain(struct lxcfs *engine, const struct lxcfs_caller *caller, const char *path,
		  char **ret_text);

/* The target of a symbolic link; *ret_target is to be freed by the caller. */
int lxcfs_readlink(struct lxcfs *engine, const struct lxcfs_caller *caller, const char *path,
		   char **ret_target);

/*
 * Writes to a file of the cgroup tree, in one piece as cgroupfs wants it. pids are the
 * writer's. -EACCES where the permission model forbids, -EIO for files that take no writes.
 */
int lxcfs_write(struct lxcfs *engine, const struct lxcfs_caller *caller, const char *path,
		const char *data, size_t len);

/* Make and remove cgroups, change mode and owner; only below /cgroup, -EPERM elsewhere. */
int lxcfs_mkdir(struct lxcfs *engine, const struct lxcfs_caller *caller, const char *path);
int lxcfs_rmdir(struct lxcfs *engine, const struct lxcfs_caller *caller, const char *path);
int lxcfs_chmod(struct lxcfs *engine, const struct lxcfs_caller *caller, const char *path,
		mode_t mode);
/* (uid_t)-1 and (gid_t)-1 leave as is, as with chown(2). */
int lxcfs_chown(struct lxcfs *engine, const struct lxcfs_caller *caller, const char *path,
		uid_t uid, gid_t gid);

/*
 * Arms a pressure trigger ("some 150000 1000000", Documentation/accounting/psi.rst) on the
 * container's own pressure file. *ret_fd signals POLLPRI when it fires and is to be closed
 * by the caller, which disarms it. -EOPNOTSUPP without LXCFS_PSI_POLL or where the kernel has
 * no pressure of this cgroup, -EINVAL for a malformed trigger.
 */
int lxcfs_trigger(struct lxcfs *engine, const struct lxcfs_caller *caller, const char *path,
		  const char *trigger, size_t len, int *ret_fd);

/*
 * A number for a path, the same in every engine on this host and across versions, never 0,
 * 1 for "/"; and back. lxcfs_node_path() needs no memory of an earlier lxcfs_node(): it
 * gives -ENOENT only where the file is gone. *ret_path is to be freed by the caller.
 */
int lxcfs_node(struct lxcfs *engine, const char *path, uint64_t *ret_node);
int lxcfs_node_path(struct lxcfs *engine, uint64_t node, char **ret_path);

/*
 * May a directory entry and its attributes be cached for everybody? False where they
 * depend on who asks or change with time: cpuN directories and the cgroup tree.
 */
bool lxcfs_is_fixed(struct lxcfs *engine, const char *path);

#ifdef __cplusplus
}
#endif
