/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The machine's files, by tables. */
#include "machine.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "fuzz.h"

#define MACHINES_MAX 4

const int machine_pids[] = { MACHINE_INIT,  MACHINE_SESSION, MACHINE_BOX,
			     MACHINE_APP,   MACHINE_NESTED,  MACHINE_USER,
			     MACHINE_OTHER, MACHINE_BARE,    MACHINE_GONE };
const size_t machine_pids_count = ARRAY_SIZE(machine_pids);

struct file {
	const char *path, *content;
};

static const struct file host_files[] = {
	{ "proc/meminfo", "MemTotal:       12257684 kB\nMemFree:         1230692 kB\n"
			  "MemAvailable:    8340928 kB\nBuffers:          391288 kB\n"
			  "Cached:          6465484 kB\nSwapCached:            0 kB\n"
			  "SwapTotal:       2097148 kB\nSwapFree:        2097148 kB\n"
			  "Active(anon):    2154340 kB\nCommitLimit:     8225988 kB\n"
			  "VmallocTotal:   34359738367 kB\nHugePages_Total:       8\n"
			  "HugePages_Free:        8\nHugepagesize:       2048 kB\n"
			  "Hugetlb:           16384 kB\nDirectMap4k:      126976 kB\n" },
	{ "proc/stat", "cpu  100 2 30 4000 5 6 7 8 9 0\ncpu0 50 1 15 2000 2 3 3 4 4 0\n"
		       "cpu1 50 1 15 2000 3 3 4 4 5 0\nintr 12345 1 2 3\nctxt 9876\n"
		       "btime 1700000000\nprocesses 4321\nprocs_running 2\nprocs_blocked 1\n"
		       "softirq 999 1 2 3 4 5 6 7 8 9 10\n" },
	{ "proc/uptime", "3600.25 7000.50\n" },
	{ "proc/cpuinfo", "processor\t: 0\nphysical id\t: 0\nsiblings\t: 2\ncore id\t\t: 0\n"
			  "cpu cores\t: 2\n\nprocessor\t: 1\nphysical id\t: 0\nsiblings\t: 2\n"
			  "core id\t\t: 1\ncpu cores\t: 2\n\n" },
	{ "proc/diskstats", "   8       0 sda 100 0 2000 30 400 0 5000 60 0 70 80 0 0 0 0 0 0\n"
			    " 254       0 vda 9 0 8 7 6 5 4 3 2 1 0 0 0 0 0 0 0\n" },
	{ "proc/loadavg", "0.10 0.20 0.30 1/234 5678\n" },
	{ "proc/swaps", "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
			"/dev/sda2                               partition\t2097148\t\t0\t\t-2\n" },
	{ "proc/slabinfo", "slabinfo - version: 2.1\n# name            <active_objs>\n"
			   "dentry 100 200 192 21 1 : tunables 0 0 0\n" },
	{ "proc/pressure/cpu", "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n" },
	{ "proc/pressure/io", "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n" },
	{ "proc/pressure/memory", "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n" },
	{ "sys/devices/system/cpu/online", "0-1\n" },
	{ "sys/devices/system/cpu/offline", "\n" },
	{ "sys/devices/system/cpu/possible", "0-3\n" },
	{ "sys/devices/system/cpu/present", "0-1\n" },
	{ "sys/devices/system/cpu/isolated", "1\n" },
	{ "sys/devices/system/cpu/enabled", "0-1\n" },
	{ "sys/devices/system/cpu/cpu0/topology/core_cpus", "1\n" },
	{ "sys/devices/system/cpu/cpu0/topology/core_siblings", "3\n" },
	{ "sys/devices/system/cpu/cpu0/topology/core_siblings_list", "0-1\n" },
	{ "sys/devices/system/cpu/cpu1/topology/core_siblings", "3\n" },
	{ "sys/devices/system/cpu/cpufreq/policy0/related_cpus", "0 1\n" },
};

/* In every cgroup of the hierarchy named first. */
static const struct {
	const char *hierarchy, *name, *content;
} v1_files[] = {
	{ "memory", "memory.stat",
	  "hierarchical_memory_limit 268435456\n"
	  "hierarchical_memsw_limit 536870912\ntotal_cache 4096000\n"
	  "total_rss 8192000\ntotal_mapped_file 409600\n"
	  "total_inactive_anon 100\ntotal_active_file 200\n" },
	{ "memory", "memory.limit_in_bytes", "268435456\n" },
	{ "memory", "memory.usage_in_bytes", "12288000\n" },
	{ "memory", "memory.memsw.usage_in_bytes", "13000000\n" },
	{ "memory", "memory.memsw.limit_in_bytes", "536870912\n" },
	{ "memory", "memory.swappiness", "60\n" },
	{ "memory", "memory.kmem.slabinfo", "slabinfo - version: 2.1\ndentry 1 2 3\n" },
	{ "memory", "cgroup.event_control", "" },
	{ "cpu,cpuacct", "cpu.cfs_quota_us", "150000\n" },
	{ "cpu,cpuacct", "cpu.cfs_period_us", "100000\n" },
	{ "cpu,cpuacct", "cpuacct.usage_all", "cpu user system\n0 5000000000 100000000\n1 7 8\n" },
	{ "cpuset", "cpuset.effective_cpus", "0-1\n" },
	{ "cpuset", "cpuset.cpus", "0-1\n" },
	{ "blkio", "blkio.throttle.io_service_bytes_recursive",
	  "8:0 Read 4096\n8:0 Write 8192\n8:0 Discard 0\nTotal 12288\n" },
	{ "blkio", "blkio.throttle.io_serviced_recursive", "8:0 Read 1\n8:0 Write 2\nTotal 3\n" },
	{ "hugetlb", "hugetlb.2MB.limit_in_bytes", "4194304\n" },
	{ "hugetlb", "hugetlb.2MB.usage_in_bytes", "2097152\n" },
	{ "hugetlb", "hugetlb.2MB.rsvd.usage_in_bytes", "0\n" },
};

static const struct file v2_files[] = {
	{ "memory.stat", "anon 8192000\nfile 4096000\nkernel_stack 32768\nshmem 0\n"
			 "file_mapped 409600\nanon_thp 0\ninactive_anon 1\nactive_file 2\n"
			 "slab_reclaimable 3\nslab_unreclaimable 4\nslab 7\n" },
	{ "memory.max", "268435456\n" },
	{ "memory.current", "12288000\n" },
	{ "memory.swap.max", "max\n" },
	{ "memory.swap.current", "4096\n" },
	{ "memory.pressure", "some avg10=0.00 avg60=0.00 avg300=0.00 total=1\n" },
	{ "cpu.max", "150000 100000\n" },
	{ "cpu.stat", "usage_usec 600\nuser_usec 500\nsystem_usec 100\n" },
	{ "cpu.pressure", "some avg10=0.00 avg60=0.00 avg300=0.00 total=2\n" },
	{ "cpuset.cpus.effective", "0-1\n" },
	{ "io.stat", "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n" },
	{ "io.pressure", "some avg10=0.00 avg60=0.00 avg300=0.00 total=3\n" },
	{ "hugetlb.2MB.max", "max\n" },
	{ "hugetlb.2MB.current", "0\n" },
	{ "cgroup.controllers", "cpuset cpu io memory hugetlb pids\n" },
	{ "cgroup.subtree_control", "\n" },
	{ "cgroup.threads", "100\n101\n" },
};

static const char *const cgroups[] = { "", "/box", "/box/app", "/box/app/deep", "/other", "/user" };

static const struct process {
	int pid, parent;
	const char *pids; /* "NSpid:" */
	const char *pidns, *userns, *cgroup;
	unsigned uid;
} processes[] = {
	{ MACHINE_INIT, 0, "1", "pid:[1]", "user:[1]", "/", 0 },
	{ MACHINE_SESSION, 1, "50", "pid:[1]", "user:[1]", "/user", 0 },
	{ MACHINE_BOX, 1, "100\t1", "pid:[2]", "user:[1]", "/box", 0 },
	{ MACHINE_APP, 100, "101\t7", "pid:[2]", "user:[1]", "/box/app", 0 },
	{ MACHINE_NESTED, 101, "200\t9\t1", "pid:[3]", "user:[1]", "/box/app/deep", 0 },
	{ MACHINE_USER, 1, "300\t1", "pid:[4]", "user:[2]", "/user", 100000 },
	{ MACHINE_OTHER, 1, "400\t1", "pid:[5]", "user:[1]", "/other", 0 },
	{ MACHINE_BARE, 1, "500\t1", "pid:[6]", "user:[1]", "/box", 0 },
};

/* What was made, to be removed in the end. */
static struct {
	char *path[MACHINES_MAX];
	size_t count;
	bool at_exit;
} made;

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static void remove_tree(const char *directory)
{
	nftw(directory, remove_entry, 64, FTW_DEPTH | FTW_PHYS);
}

void machine_forget(const char *machine)
{
	for (size_t i = 0; i < made.count; i++) {
		if (made.path[i] != machine)
			continue;
		remove_tree(machine);
		free(made.path[i]);
		made.path[i] = made.path[--made.count];
		return;
	}
}

/* Gives the cgroup of the user namespace to its root; only who is root can. */
static int give_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return strstr(path, "/user") && geteuid() == 0 ? lchown(path, 100000, 100000) : 0;
}

static void remove_all(void)
{
	while (made.count) {
		remove_tree(made.path[--made.count]);
		free(made.path[made.count]);
	}
}

static void make_parents(char *path, size_t from)
{
	for (char *p = strchr(path + from, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		FUZZ_REQUIRE(mkdir(path, 0755) == 0 || errno == EEXIST);
		*p = '/';
	}
}

void machine_write(const char *machine, const char *path, const void *content, size_t len)
{
	AUTO_CLOSE int fd = -1;
	char whole[4096];

	snprintf(whole, sizeof whole, "%s/%s", machine, path);
	fd = open(whole, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 && errno == ENOENT) {
		make_parents(whole, strlen(machine) + 1);
		fd = open(whole, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	}
	FUZZ_REQUIRE(fd >= 0 && write(fd, content, len) == (ssize_t)len);
}

static void put(const char *machine, const char *path, const char *content)
{
	machine_write(machine, path, content, strlen(content));
}

static void put_link(const char *machine, int pid, const char *name, const char *target)
{
	char path[4096];

	snprintf(path, sizeof path, "%s/proc/%d/ns/%s", machine, pid, name);
	make_parents(path, strlen(machine) + 1);
	FUZZ_REQUIRE(symlink(target, path) == 0);
}

static void make_process(const char *machine, const struct process *p)
{
	char path[64], content[1024];

	snprintf(path, sizeof path, "proc/%d/cgroup", p->pid);
	snprintf(content, sizeof content,
		 "6:hugetlb:%s\n5:blkio:%s\n4:memory:%s\n3:cpuset:%s\n2:cpu,cpuacct:%s\n0::%s\n",
		 p->cgroup, p->cgroup, p->cgroup, p->cgroup, p->cgroup, p->cgroup);
	put(machine, path, content);
	snprintf(path, sizeof path, "proc/%d/status", p->pid);
	snprintf(content, sizeof content,
		 "Name:\tx\nPPid:\t%d\nUid:\t%u\t%u\t%u\t%u\nNSpid:\t%s\n"
		 "CapEff:\t%s\n",
		 p->parent, p->uid, p->uid, p->uid, p->uid, p->pids,
		 p->pid == MACHINE_BARE ? "0000000000000000" : "000001ffffffffff");
	put(machine, path, content);
	snprintf(path, sizeof path, "proc/%d/stat", p->pid);
	snprintf(content, sizeof content, "%d (x) S %d 0 0 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 90 0\n",
		 p->pid, p->parent);
	put(machine, path, content);
	snprintf(path, sizeof path, "proc/%d/uid_map", p->pid);
	put(machine, path, "         0     100000      65536\n");
	snprintf(path, sizeof path, "proc/%d/gid_map", p->pid);
	put(machine, path, "         0     100000      65536\n");
	snprintf(path, sizeof path, "proc/%d/timens_offsets", p->pid);
	put(machine, path, "monotonic           0         0\nboottime           -10         0\n");
	put_link(machine, p->pid, "pid", p->pidns);
	put_link(machine, p->pid, "user", p->userns);
	put_link(machine, p->pid, "time", p->pid == MACHINE_BOX ? "time:[2]" : "time:[1]");
}

static void make_cgroup(const char *machine, int version, const char *cgroup)
{
	char path[256];

	for (size_t i = 0; i < ARRAY_SIZE(v1_files) && version == 1; i++) {
		snprintf(path, sizeof path, "cg/%s%s/cgroup.procs", v1_files[i].hierarchy, cgroup);
		put(machine, path, "100\n101\n200\n");
		snprintf(path, sizeof path, "cg/%s%s/tasks", v1_files[i].hierarchy, cgroup);
		put(machine, path, "100\n101\n200\n");
		snprintf(path, sizeof path, "cg/%s%s/%s", v1_files[i].hierarchy, cgroup,
			 v1_files[i].name);
		put(machine, path, v1_files[i].content);
	}
	snprintf(path, sizeof path, "cg/unified%s/cgroup.procs", cgroup);
	put(machine, path, "100\n101\n200\n");
	snprintf(path, sizeof path, "cg/unified%s/cgroup.threads", cgroup);
	put(machine, path, "100\n101\n200\n");
	for (size_t i = 0; i < ARRAY_SIZE(v2_files); i++) {
		const char *content = v2_files[i].content;

		snprintf(path, sizeof path, "cg/unified%s/%s", cgroup, v2_files[i].path);
		if (version == 1 && strcmp(v2_files[i].path, "cgroup.controllers") == 0)
			content = "\n"; /* v1 has them all */
		put(machine, path, content);
	}
}

static const char *make_directory(void)
{
	char *path;

	FUZZ_REQUIRE(made.count < MACHINES_MAX);
	path = strdup(access("/dev/shm", W_OK) == 0 ? "/dev/shm/lxcfs-fuzz-XXXXXX"
						    : "/tmp/lxcfs-fuzz-XXXXXX");
	FUZZ_REQUIRE(path && mkdtemp(path));
	if (!made.at_exit)
		atexit(remove_all);
	made.at_exit = true;
	return made.path[made.count++] = path;
}

const char *machine_make(int version)
{
	const char *machine = make_directory();

	put(machine, "proc/mounts",
	    version == 1 ? "cgroup /cg/memory cgroup rw,memory 0 0\n"
			   "cgroup /cg/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0\n"
			   "cgroup /cg/cpuset cgroup rw,cpuset 0 0\n"
			   "cgroup /cg/blkio cgroup rw,blkio 0 0\n"
			   "cgroup /cg/hugetlb cgroup rw,hugetlb 0 0\n"
			   "cgroup2 /cg/unified cgroup2 rw 0 0\n"
			 : "cgroup2 /cg/unified cgroup2 rw 0 0\n");
	for (size_t i = 0; i < ARRAY_SIZE(host_files); i++)
		put(machine, host_files[i].path, host_files[i].content);
	for (size_t i = 0; i < ARRAY_SIZE(cgroups); i++)
		make_cgroup(machine, version, cgroups[i]);
	for (size_t i = 0; i < ARRAY_SIZE(processes); i++)
		make_process(machine, &processes[i]);
	FUZZ_REQUIRE(nftw(machine, give_entry, 64, FTW_PHYS) == 0);
	return machine;
}
