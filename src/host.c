/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Host files are opened once and read with pread: procfs and sysfs answer afresh each time. */
#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

#define ONLINE "sys/devices/system/cpu/online"

static const char *const file_path[HOST_FILES] = {
	[HOST_MEMINFO] = "proc/meminfo",     [HOST_STAT] = "proc/stat",
	[HOST_UPTIME] = "proc/uptime",	     [HOST_CPUINFO] = "proc/cpuinfo",
	[HOST_DISKSTATS] = "proc/diskstats", [HOST_SWAPS] = "proc/swaps",
	[HOST_SLABINFO] = "proc/slabinfo",   [HOST_ISOLATED] = "sys/devices/system/cpu/isolated",
};

int host_open(const char *root, struct host *ret)
{
	struct host host = { .rootfd = -1, .procfd = -1, .online = -1 };
	int r;

	for (size_t i = 0; i < HOST_FILES; i++)
		host.file[i] = -1;
	host.rootfd = open(root ? root : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (host.rootfd >= 0)
		host.procfd = openat(host.rootfd, "proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	r = host.procfd < 0 ? -errno : cgroups_open(host.rootfd, &host.cgroups);
	if (r == 0)
		r = task_files_open(host.procfd, &host.tasks);
	if (r < 0) {
		host_close(&host);
		return r;
	}
	for (size_t i = 0; i < HOST_FILES; i++)
		host.file[i] = openat(host.rootfd, file_path[i], O_RDONLY | O_CLOEXEC);
	host.online = openat(host.rootfd, ONLINE, O_RDONLY | O_CLOEXEC);
	*ret = host;
	return 0;
}

void host_close(struct host *host)
{
	for (size_t i = 0; i < HOST_FILES; i++)
		cleanup_close(&host->file[i]);
	cleanup_close(&host->online);
	task_files_close(host->tasks);
	cgroups_close(host->cgroups);
	cleanup_close(&host->procfd);
	cleanup_close(&host->rootfd);
}

int host_read(const struct host *host, enum host_file file, struct text *t)
{
	/* Made by the kernel as one record: no read is needed to see the end. */
	static const unsigned records = NEED_HOST_MEMINFO | NEED_HOST_STAT | NEED_HOST_UPTIME |
					NEED_HOST_ISOLATED;

	if (host->file[file] < 0)
		return -ENOENT;
	return records & NEED_HOST(file) ? file_read_record(host->file[file], t)
					 : file_read(host->file[file], t);
}

int host_cpus(const struct host *host, struct cpulist *ret)
{
	AUTO_TEXT struct text online = { 0 };
	int r = host->online < 0 ? file_read_at(host->rootfd, ONLINE, &online)
				 : file_read_record(host->online, &online);

	return r < 0 ? r : cpulist_parse(text_str(&online), ret);
}
