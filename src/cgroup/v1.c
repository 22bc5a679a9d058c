/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cgroup v1: Documentation/admin-guide/cgroup-v1/. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/line.h"
#include "base/number.h"
#include "cgroup/private.h"

/*
 * What "no limit" looks like: LONG_MAX rounded down to pages, and for huge pages to
 * whole ones of them, which have 16 GiB at most (powerpc). No machine has so much memory.
 */
#define V1_INFINITY ((uint64_t)INT64_MAX - ((uint64_t)1 << 34))

struct v1_memory {
	struct cgroup_memory m;
	uint64_t memsw_limit;
};

#define AT(member) offsetof(struct v1_memory, m.member)

/* In the order of memcg1_stat_format() in mm/memcontrol-v1.c; total_ is with all descendants. */
static const struct field memory_fields[] = {
	{ "hierarchical_memory_limit", AT(limit) },
	{ "hierarchical_memsw_limit", offsetof(struct v1_memory, memsw_limit) },
	{ "total_cache", AT(file) },
	{ "total_rss", AT(anon) },
	{ "total_rss_huge", AT(anon_thp) },
	{ "total_shmem", AT(shmem) },
	{ "total_mapped_file", AT(mapped) },
	{ "total_dirty", AT(dirty) },
	{ "total_writeback", AT(writeback) },
	{ "total_swap", AT(swap_usage) },
	{ "total_swapcached", AT(swapcached) },
	{ "total_zswap", AT(zswap) },
	{ "total_zswapped", AT(zswapped) },
	{ "total_inactive_anon", AT(inactive_anon) },
	{ "total_active_anon", AT(active_anon) },
	{ "total_inactive_file", AT(inactive_file) },
	{ "total_active_file", AT(active_file) },
	{ "total_unevictable", AT(unevictable) },
};

static uint64_t limit_of(uint64_t value)
{
	return value >= V1_INFINITY ? CGROUP_NO_LIMIT : value;
}

/* For the curious only: which ancestor set the limit that memory.stat gives as the least. */
static void limit_note(struct cgroup *cg, struct origins *why, const char *what, const char *name)
{
	uint64_t least;

	if (why)
		cgroup_file_min(cg, why, what,
				(struct cgroup_file){ CGROUP_MEMORY, 0, name, false }, &least);
}

/*
 * Memory plus swap is what v1 limits and counts. What may go to swap is what is
 * left of it beside the memory, so that both together stay within the limit.
 */
static void swap_settle(struct cgroup *cg, struct origins *why, struct v1_memory *v)
{
	struct cgroup_file file = { CGROUP_MEMORY, 0, "memory.memsw.usage_in_bytes", false };
	struct cgroup_file swappiness = { CGROUP_MEMORY, 0, "memory.swappiness", false };
	uint64_t memsw, value;

	if (cgroup_file_u64(cg, &file, &memsw) < 0) {
		v->m.swap_usage = CGROUP_UNKNOWN; /* no swap accounting */
		v->m.swap_limit = CGROUP_NO_LIMIT;
		return;
	}
	cgroup_file_note(cg, &file, why, "memory and swap used", memsw);
	limit_note(cg, why, "memory and swap limit", "memory.memsw.limit_in_bytes");
	v->m.swap_usage = number_sub(memsw, v->m.usage);
	v->m.swap_limit = limit_of(v->memsw_limit);
	if (cgroup_file_u64(cg, &swappiness, &value) == 0 && value == 0)
		v->m.swap_limit = v->m.swap_usage; /* what is there may stay, no more goes out */
	else if (v->m.swap_limit != CGROUP_NO_LIMIT && v->m.limit != CGROUP_NO_LIMIT)
		v->m.swap_limit = number_sub(v->m.swap_limit, v->m.limit);
}

static int v1_memory(struct cgroup *cg, struct origins *why, struct cgroup_memory *ret)
{
	struct cgroup_file stat = { CGROUP_MEMORY, 0, "memory.stat", false };
	struct cgroup_file usage = { CGROUP_MEMORY, 0, "memory.usage_in_bytes", false };
	AUTO_TEXT struct text content = { 0 };
	struct v1_memory v;
	int r;

	memset(&v, 0xff, sizeof v); /* CGROUP_UNKNOWN, CGROUP_NO_LIMIT */
	r = cgroup_file_read(cg, &stat, &content);
	if (r < 0)
		return r;
	fields_parse(text_str(&content), memory_fields, ARRAY_SIZE(memory_fields), &v);
	cgroup_file_note(cg, &stat, why, "memory by kind (total_rss)", v.m.anon);
	limit_note(cg, why, "memory limit", "memory.limit_in_bytes");
	v.m.limit = limit_of(v.m.limit);
	r = cgroup_file_u64(cg, &usage, &v.m.usage);
	if (r < 0)
		return r;
	cgroup_file_note(cg, &usage, why, "memory used", v.m.usage);
	swap_settle(cg, why, &v);
	*ret = v.m;
	return 0;
}

static int v1_hugetlb(struct cgroup *cg, struct origins *why, const char *size,
		      struct cgroup_hugetlb *ret)
{
	char limit[64], usage[64], reserved[64];
	struct cgroup_file current = { CGROUP_HUGETLB, 0, usage, true };
	struct cgroup_file rsvd = { CGROUP_HUGETLB, 0, reserved, true };
	struct cgroup_hugetlb h;
	int r;

	snprintf(limit, sizeof limit, "hugetlb.%s.limit_in_bytes", size);
	snprintf(usage, sizeof usage, "hugetlb.%s.usage_in_bytes", size);
	snprintf(reserved, sizeof reserved, "hugetlb.%s.rsvd.usage_in_bytes", size);
	r = cgroup_file_u64(cg, &current, &h.usage);
	if (r < 0)
		return r == -ENOENT ? -ENODATA : r;
	if (cgroup_file_u64(cg, &rsvd, &h.reserved) < 0)
		h.reserved = CGROUP_UNKNOWN; /* before kernel 5.7 */
	r = cgroup_file_min(cg, why, "huge page limit",
			    (struct cgroup_file){ CGROUP_HUGETLB, 0, limit, true }, &h.limit);
	if (r < 0)
		return r;
	h.limit = limit_of(h.limit);
	cgroup_file_note(cg, &current, why, "huge pages used", h.usage);
	*ret = h;
	return 0;
}

/* The bandwidth of one level; the quota's "-1" is no number and so no limit. */
static int level_quota(struct cgroup *cg, unsigned up, struct cgroup_quota *ret)
{
	struct cgroup_file quota = { CGROUP_CPU, up, "cpu.cfs_quota_us", false };
	struct cgroup_file period = { CGROUP_CPU, up, "cpu.cfs_period_us", false };
	struct cgroup_quota q;
	int r = cgroup_file_u64(cg, &quota, &q.quota_us);

	if (r == -EINVAL)
		q.quota_us = CGROUP_NO_LIMIT;
	else if (r < 0)
		return r;
	r = cgroup_file_u64(cg, &period, &q.period_us);
	if (r < 0)
		return r;
	if (!q.period_us)
		return -EINVAL;
	*ret = q;
	return 0;
}

static int v1_quota(struct cgroup *cg, struct origins *why, struct cgroup_quota *ret)
{
	struct cgroup_file file = { CGROUP_CPU, 0, "cpu.cfs_quota_us", false };
	unsigned depth = cgroup_depth(cg, CGROUP_CPU);
	struct cgroup_quota least = { CGROUP_NO_LIMIT, 100000 };

	for (unsigned up = 0; up < depth; up++) {
		struct cgroup_quota q;
		int r = level_quota(cg, up, &q);

		if (r == -ENOENT)
			return -ENODATA; /* a kernel without CFS bandwidth */
		if (r < 0)
			return r;
		if (cgroup_quota_less(&q, &least)) {
			least = q;
			file.up = up;
		}
	}
	cgroup_file_note(cg, &file, why, "CPU quota in us", least.quota_us);
	*ret = least;
	return 0;
}

static int v1_cpus(struct cgroup *cg, struct origins *why, struct cpulist *ret)
{
	struct cgroup_file effective = { CGROUP_CPUSET, 0, "cpuset.effective_cpus", false };
	struct cgroup_file configured = { CGROUP_CPUSET, 0, "cpuset.cpus", false };
	int r = cgroup_file_cpus(cg, why, &effective, ret);

	/* cpuset.effective_cpus: since kernel 3.17 */
	return r == -ENODATA ? cgroup_file_cpus(cg, why, &configured, ret) : r;
}

/* Adds a line "0 1234 567" (CPU, user ns, system ns) to the times. */
static int cputime_line(struct line line, struct cgroup_cputime *t)
{
	const char *p = line.start;
	uint64_t cpu, user_ns, system_ns;
	struct cgroup_cputime_cpu *more;

	if (number_take(&p, &cpu) < 0 || *p++ != ' ' || number_take(&p, &user_ns) < 0 ||
	    *p++ != ' ' || number_take(&p, &system_ns) < 0)
		return 0; /* the header */
	if (cpu < t->count || cpu >= CPULIST_MAX)
		return 0;
	more = reallocarray(t->cpu, cpu + 1, sizeof *more);
	if (!more)
		return -ENOMEM;
	t->cpu = more;
	memset(more + t->count, 0, (cpu + 1 - t->count) * sizeof *more);
	more[cpu] = (struct cgroup_cputime_cpu){ user_ns / 1000, system_ns / 1000 };
	t->count = cpu + 1;
	t->user_us += user_ns / 1000;
	t->system_us += system_ns / 1000;
	return 0;
}

static int v1_cputime(struct cgroup *cg, struct origins *why, struct cgroup_cputime *ret)
{
	struct cgroup_file file = { CGROUP_CPUACCT, 0, "cpuacct.usage_all", false };
	AUTO_TEXT struct text content = { 0 };
	struct cgroup_cputime t = { 0 };
	const char *cursor;
	struct line line;
	int r = cgroup_file_read(cg, &file, &content);

	if (r < 0) /* cpuacct.usage_all: since kernel 4.8 */
		return r == -ENOENT ? -ENODATA : r;
	cursor = text_str(&content);
	while (r == 0 && line_next(&cursor, &line))
		r = cputime_line(line, &t);
	if (r < 0) {
		cgroup_cputime_free(&t);
		return r;
	}
	cgroup_file_note(cg, &file, why, "CPU time in user mode, us", t.user_us);
	cgroup_file_note(cg, &file, why, "CPU time in the kernel, us", t.system_us);
	*ret = t;
	return 0;
}

struct io_keys {
	const char *operation;
	size_t offset;
};

/* "8:0 Read 4096" lines of one file into the fields of the devices. */
static int io_file(struct cgroup *cg, const char *name, const struct io_keys *keys, size_t count,
		   struct cgroup_io *io)
{
	struct cgroup_file file = { CGROUP_IO, 0, name, false };
	AUTO_TEXT struct text content = { 0 };
	struct line line, word, operation;
	const char *cursor;
	int r = cgroup_file_read(cg, &file, &content);

	if (r < 0)
		return r;
	cursor = text_str(&content);
	while (line_next(&cursor, &line)) {
		unsigned major, minor;
		const char *value;
		uint64_t number;

		if (!line_word(&line, &word) || !cgroup_device_parse(&word, &major, &minor) ||
		    !line_word(&line, &operation))
			continue;
		value = line.start + strspn(line.start, " ");
		for (size_t i = 0; i < count; i++) {
			struct cgroup_io_device *d;

			if (!line_is(&operation, keys[i].operation) ||
			    number_take(&value, &number) < 0 || !number)
				continue;
			d = cgroup_io_device(io, major, minor);
			if (d)
				memcpy((char *)d + keys[i].offset, &number, sizeof number);
		}
	}
	return 0;
}

static int v1_io(struct cgroup *cg, struct origins *why, struct cgroup_io *ret)
{
	static const struct io_keys bytes[] = {
		{ "Read", offsetof(struct cgroup_io_device, read_bytes) },
		{ "Write", offsetof(struct cgroup_io_device, write_bytes) },
		{ "Discard", offsetof(struct cgroup_io_device, discard_bytes) },
	};
	static const struct io_keys requests[] = {
		{ "Read", offsetof(struct cgroup_io_device, reads) },
		{ "Write", offsetof(struct cgroup_io_device, writes) },
		{ "Discard", offsetof(struct cgroup_io_device, discards) },
	};
	struct cgroup_file file = { CGROUP_IO, 0, "blkio.throttle.io_serviced_recursive", false };
	struct cgroup_io io = { 0 };
	int r = io_file(cg, "blkio.throttle.io_service_bytes_recursive", bytes, ARRAY_SIZE(bytes),
			&io);

	if (r == 0)
		r = io_file(cg, file.name, requests, ARRAY_SIZE(requests), &io);
	if (r < 0) {
		cgroup_io_free(&io);
		return r == -ENOENT ? -ENODATA : r;
	}
	cgroup_file_note(cg, &file, why, "block devices with I/O", io.count);
	*ret = io;
	return 0;
}

const struct cgroup_backend cgroup_v1 = {
	.memory = v1_memory,
	.swap = v1_memory, /* what may be swapped depends on the limits of memory */
	.hugetlb = v1_hugetlb,
	.quota = v1_quota,
	.cpus = v1_cpus,
	.cputime = v1_cputime,
	.io = v1_io,
};
