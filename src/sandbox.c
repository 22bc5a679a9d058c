/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Capabilities and system calls that keeper and worker do without. */
#include "sandbox.h"

#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

#define BIT(capability) (UINT64_C(1) << (capability))

/* The ioctls of namespaces, _IO(NSIO, n): from pids to pids, to the parent, to the owner. */
#define IOCTL_TYPE 0xff00
#define IOCTL_NAMESPACE 0xb700

/*
 * What for, as found by leaving each out (of the first only time is lost):
 * DAC_READ_SEARCH  open_by_handle_at(2), by which the directory of a node id of the cgroup tree
 *                  is found at once; without it the hierarchy is searched.
 * DAC_OVERRIDE     writing to cgroup files that belong to a container's root.
 * CHOWN, FOWNER    cgroups made for a caller become the caller's; chmod and chown of them.
 * SYS_PTRACE       /proc/PID/ns of processes of other users and in other user namespaces.
 * SYS_NICE         cgroup.procs of v1's cpuset: the kernel asks for it where the process
 *                  that is moved has capabilities that the mover has not.
 * SYS_RESOURCE     pressure triggers with windows that are no multiple of 2 s (Linux 6.4).
 *
 * CAP_SYS_ADMIN is not among them, so a container cannot have its `devices` rules changed
 * through the cgroup tree, which it could not do by itself either.
 */
uint64_t sandbox_worker_capabilities(bool psi_poll)
{
	uint64_t keep = BIT(CAP_DAC_READ_SEARCH) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_CHOWN) |
			BIT(CAP_FOWNER) | BIT(CAP_SYS_PTRACE) | BIT(CAP_SYS_NICE);

	return psi_poll ? keep | BIT(CAP_SYS_RESOURCE) : keep;
}

/* A worker has at most what its keeper has; SYS_ADMIN is for mount(2) and umount(2). */
uint64_t sandbox_keeper_capabilities(void)
{
	return sandbox_worker_capabilities(true) | BIT(CAP_SYS_ADMIN);
}

static int keep_capabilities(uint64_t keep)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, data) < 0)
		return -errno;
	for (unsigned i = 0; i < ARRAY_SIZE(data); i++) {
		data[i].permitted &= (uint32_t)(keep >> 32 * i);
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
	}
	return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

/* Root regains no capability by execve(2) then, whatever its bounding set is. */
static int forbid_new_privileges(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

int sandbox_keeper(void)
{
	int r = keep_capabilities(sandbox_keeper_capabilities());
	int s = forbid_new_privileges();

	return r < 0 ? r : s;
}

int sandbox_worker(bool psi_poll)
{
	int r = keep_capabilities(sandbox_worker_capabilities(psi_poll));
	int s = forbid_new_privileges();

	return r < 0 ? r : s;
}

/* By name, as not every architecture and not every libseccomp knows all of them. */
static const char *const calls[] = {
	/* files and directories */
	"open", "openat", "openat2", "open_by_handle_at", "name_to_handle_at", "close", "read",
	"readv", "pread64", "preadv", "write", "writev", "pwrite64", "lseek", "_llseek", "stat",
	"lstat", "fstat", "newfstatat", "stat64", "lstat64", "fstat64", "fstatat64", "statx",
	"statfs", "statfs64", "fstatfs", "fstatfs64", "readlink", "readlinkat", "getdents64",
	"access", "faccessat", "faccessat2", "mkdirat", "unlinkat", "fchmodat", "fchmodat2",
	"fchownat", "dup", "fcntl", "fcntl64",
	/* waiting */
	"poll", "ppoll", "ppoll_time64", "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait",
	"eventfd2", "signalfd4", "nanosleep", "clock_nanosleep", "clock_nanosleep_time64",
	"pidfd_open", "waitid", "wait4", "restart_syscall",
	/* memory, but see below */
	"brk", "munmap", "mremap", "madvise",
	/* threads and signals */
	"futex", "futex_time64", "futex_waitv", "set_robust_list", "rseq", "sched_yield",
	"sched_getaffinity", "getcpu", "gettid", "getpid", "getppid", "tgkill", "exit",
	"exit_group", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigreturn", "sigaltstack",
	/* about itself and the machine */
	"getuid", "geteuid", "getgid", "getegid", "getrlimit", "ugetrlimit", "setrlimit",
	"prlimit64", "clock_gettime", "clock_gettime64", "clock_getres", "gettimeofday", "time",
	"getrandom", "sysinfo", "personality"
};

static int allow(scmp_filter_ctx filter, const char *name)
{
	int number = seccomp_syscall_resolve_name(name);

	/* One that this architecture does not have is passed over by libseccomp. */
	return number == __NR_SCMP_ERROR ? 0 : seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
}

/* Only where these bits of one argument have this value. */
static int allow_masked(scmp_filter_ctx filter, int number, unsigned argument, uint64_t mask,
			uint64_t value)
{
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 1,
				SCMP_CMP64(argument, SCMP_CMP_MASKED_EQ, mask, value));
}

/* Everything listed above, and of some other calls what is harmless. */
static int fill(scmp_filter_ctx filter)
{
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(calls) && r == 0; i++)
		r = allow(filter, calls[i]);
	/* No memory that runs. */
	if (r == 0)
		r = allow_masked(filter, SCMP_SYS(mmap), 2, PROT_EXEC, 0);
	if (r == 0)
		r = allow_masked(filter, SCMP_SYS(mmap2), 2, PROT_EXEC, 0);
	if (r == 0)
		r = allow_masked(filter, SCMP_SYS(mprotect), 2, PROT_EXEC, 0);
	if (r == 0)
		r = allow_masked(filter, SCMP_SYS(clone), 0, CLONE_THREAD, CLONE_THREAD);
	if (r == 0)
		r = allow_masked(filter, SCMP_SYS(ioctl), 1, IOCTL_TYPE, IOCTL_NAMESPACE);
	return r;
}

/* Not where seccomp(2) is forbidden and libseccomp has to be content with prctl(2). */
static int set_if_can(scmp_filter_ctx filter, enum scmp_filter_attr attribute, uint32_t value)
{
	int r = seccomp_attr_set(filter, attribute, value);

	return r == -EOPNOTSUPP ? 0 : r;
}

static int tune(scmp_filter_ctx filter, bool log)
{
	int r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));

	if (r == 0)
		r = set_if_can(filter, SCMP_FLTATR_CTL_LOG, log);
	/* Kernels before 5.16 slow a filtered process down against an attack between its parts. */
	if (r == 0)
		r = set_if_can(filter, SCMP_FLTATR_CTL_SSB, 1);
	/* A binary tree. Kernels from 5.11 on remember the calls whose arguments do not matter. */
	if (r == 0)
		r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	return r;
}

/*
 * clone3(2) hides its flags from a filter, so it is to fail; libc asks for it first for
 * every thread and is content with clone(2). What is expected needs no log, and whether
 * to log is said per filter: this one lets everything else pass and goes before the other.
 */
static int refuse_clone3(scmp_filter_ctx filter)
{
	int r = tune(filter, false);

	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	return r < 0 ? r : seccomp_load(filter);
}

static int refuse_others(scmp_filter_ctx filter)
{
	int r = tune(filter, true);

	if (r == 0)
		r = fill(filter);
	return r < 0 ? r : seccomp_load(filter);
}

static void release(scmp_filter_ctx *filter)
{
	if (*filter)
		seccomp_release(*filter);
}

#define AUTO_FILTER AUTO(release)

int sandbox_filter(void)
{
	AUTO_FILTER scmp_filter_ctx no_clone3 = seccomp_init(SCMP_ACT_ALLOW);
	AUTO_FILTER scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	int r;

	if (!filter || !no_clone3)
		return -ENOMEM;
	r = refuse_clone3(no_clone3);
	return r < 0 ? r : refuse_others(filter);
}
