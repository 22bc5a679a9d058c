/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cgroup v2: Documentation/admin-guide/cgroup-v2.rst. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/line.h"
#include "base/number.h"
#include "cgroup/private.h"

#define AT(member) offsetof(struct cgroup_memory, member)

/* In the order of memory_stats[] in mm/memcontrol.c. */
static const struct field memory_fields[] = {
	{ "anon", AT(anon) },
	{ "file", AT(file) },
	{ "kernel_stack", AT(kernel_stack) },
	{ "pagetables", AT(pagetables) },
	{ "sec_pagetables", AT(sec_pagetables) },
	{ "percpu", AT(percpu) },
	{ "vmalloc", AT(vmalloc) },
	{ "shmem", AT(shmem) },
	{ "zswap", AT(zswap) },
	{ "zswapped", AT(zswapped) },
	{ "file_mapped", AT(mapped) },
	{ "file_dirty", AT(dirty) },
	{ "file_writeback", AT(writeback) },
	{ "swapcached", AT(swapcached) },
	{ "anon_thp", AT(anon_thp) },
	{ "file_thp", AT(file_thp) },
	{ "shmem_thp", AT(shmem_thp) },
	{ "inactive_anon", AT(inactive_anon) },
	{ "active_anon", AT(active_anon) },
	{ "inactive_file", AT(inactive_file) },
	{ "active_file", AT(active_file) },
	{ "unevictable", AT(unevictable) },
	{ "slab_reclaimable", AT(slab_reclaimable) },
	{ "slab_unreclaimable", AT(slab_unreclaimable) },
	{ "slab", AT(slab) },
};

/* The number in the file; CGROUP_UNKNOWN where there is none. */
static uint64_t read_known(struct cgroup *cg, struct origins *why, const char *what,
			   struct cgroup_file file)
{
	uint64_t value;

	if (cgroup_file_u64(cg, &file, &value) < 0)
		return CGROUP_UNKNOWN;
	cgroup_file_note(cg, &file, why, what, value);
	return value;
}

/* At the level that has the memory controller. */
static int swap_read(struct cgroup *cg, struct origins *why, unsigned up, struct cgroup_memory *m)
{
	int r = cgroup_file_min(cg, why, "swap limit",
				(struct cgroup_file){ CGROUP_MEMORY, 0, "memory.swap.max", false },
				&m->swap_limit);

	if (r < 0)
		return r;
	m->swap_usage =
		read_known(cg, why, "swap used",
			   (struct cgroup_file){ CGROUP_MEMORY, up, "memory.swap.current", false });
	return 0;
}

static int v2_swap(struct cgroup *cg, struct origins *why, struct cgroup_memory *ret)
{
	struct cgroup_file usage = { CGROUP_MEMORY, 0, "memory.current", false };
	AUTO_TEXT struct text content = { 0 };
	int r = cgroup_file_read_near(cg, &usage, &content);

	return r < 0 ? r : swap_read(cg, why, usage.up, ret);
}

static int v2_memory(struct cgroup *cg, struct origins *why, struct cgroup_memory *ret)
{
	struct cgroup_file stat = { CGROUP_MEMORY, 0, "memory.stat", false };
	AUTO_TEXT struct text content = { 0 };
	struct cgroup_memory m;
	int r;

	memset(&m, 0xff, sizeof m); /* CGROUP_UNKNOWN, CGROUP_NO_LIMIT */
	r = cgroup_file_read_near(cg, &stat, &content);
	if (r < 0)
		return r;
	fields_parse(text_str(&content), memory_fields, ARRAY_SIZE(memory_fields), &m);
	cgroup_file_note(cg, &stat, why, "memory by kind (anon)", m.anon);
	r = cgroup_file_min(cg, why, "memory limit",
			    (struct cgroup_file){ CGROUP_MEMORY, 0, "memory.max", false },
			    &m.limit);
	if (r < 0)
		return r;
	r = swap_read(cg, why, stat.up, &m);
	if (r < 0)
		return r;
	m.usage =
		read_known(cg, why, "memory used",
			   (struct cgroup_file){ CGROUP_MEMORY, stat.up, "memory.current", false });
	if (m.usage == CGROUP_UNKNOWN)
		return -ENODATA;
	*ret = m;
	return 0;
}

static int v2_hugetlb(struct cgroup *cg, struct origins *why, const char *size,
		      struct cgroup_hugetlb *ret)
{
	char max[64], current[64], reserved[64];
	struct cgroup_file file = { CGROUP_HUGETLB, 0, current, true };
	AUTO_TEXT struct text content = { 0 };
	struct cgroup_hugetlb h;
	int r;

	snprintf(max, sizeof max, "hugetlb.%s.max", size);
	snprintf(current, sizeof current, "hugetlb.%s.current", size);
	snprintf(reserved, sizeof reserved, "hugetlb.%s.rsvd.current", size);
	r = cgroup_file_read_near(cg, &file, &content);
	if (r == 0)
		r = number_parse(text_str(&content), &h.usage);
	if (r < 0)
		return r;
	cgroup_file_note(cg, &file, why, "huge pages used", h.usage);
	r = cgroup_file_min(cg, why, "huge page limit",
			    (struct cgroup_file){ CGROUP_HUGETLB, 0, max, true }, &h.limit);
	if (r < 0)
		return r;
	h.reserved = read_known(cg, why, "huge pages reserved",
				(struct cgroup_file){ CGROUP_HUGETLB, file.up, reserved, true });
	*ret = h;
	return 0;
}

/* "max 100000" or "50000 100000": quota and period. */
static int cpu_max_parse(const char *s, struct cgroup_quota *ret)
{
	struct cgroup_quota q = { CGROUP_NO_LIMIT, 100000 };

	if (strncmp(s, "max", 3) == 0)
		s += 3;
	else if (number_take(&s, &q.quota_us) < 0)
		return -EINVAL;
	if (*s++ != ' ' || number_take(&s, &q.period_us) < 0 || q.period_us == 0)
		return -EINVAL;
	*ret = q;
	return 0;
}

static int v2_quota(struct cgroup *cg, struct origins *why, struct cgroup_quota *ret)
{
	struct cgroup_file file = { CGROUP_CPU, 0, "cpu.max", false };
	unsigned depth = cgroup_depth(cg, CGROUP_CPU), up = 0;
	struct cgroup_quota least = { CGROUP_NO_LIMIT, 100000 };

	for (; file.up < depth; file.up++) {
		AUTO_TEXT struct text content = { 0 };
		struct cgroup_quota q;
		int r = cgroup_file_read(cg, &file, &content);

		if (r == -ENOENT)
			continue;
		if (r == 0)
			r = cpu_max_parse(text_str(&content), &q);
		if (r < 0)
			return r;
		if (cgroup_quota_less(&q, &least)) {
			least = q;
			up = file.up;
		}
	}
	file.up = up;
	cgroup_file_note(cg, &file, why, "CPU quota in us", least.quota_us);
	*ret = least;
	return 0;
}

static int v2_cpus(struct cgroup *cg, struct origins *why, struct cpulist *ret)
{
	struct cgroup_file file = { CGROUP_CPUSET, 0, "cpuset.cpus.effective", false };

	return cgroup_file_cpus(cg, why, &file, ret);
}

static const struct field cpu_fields[] = {
	{ "user_usec", offsetof(struct cgroup_cputime, user_us) },
	{ "system_usec", offsetof(struct cgroup_cputime, system_us) },
};

static int v2_cputime(struct cgroup *cg, struct origins *why, struct cgroup_cputime *ret)
{
	struct cgroup_file file = { CGROUP_CPUACCT, 0, "cpu.stat", false };
	struct cgroup_cputime t = { 0 };
	AUTO_TEXT struct text content = { 0 };
	int r = cgroup_file_read(cg, &file, &content);

	if (r < 0)
		return r;
	if (fields_parse(text_str(&content), cpu_fields, ARRAY_SIZE(cpu_fields), &t) !=
	    ARRAY_SIZE(cpu_fields))
		return -ENODATA;
	cgroup_file_note(cg, &file, why, "CPU time in user mode, us", t.user_us);
	cgroup_file_note(cg, &file, why, "CPU time in the kernel, us", t.system_us);
	*ret = t;
	return 0;
}

/* One "key=value" of an io.stat line into its field of the device. */
static void io_value(const struct line *word, struct cgroup_io_device *d)
{
	static const struct field keys[] = {
		{ "rbytes=", offsetof(struct cgroup_io_device, read_bytes) },
		{ "wbytes=", offsetof(struct cgroup_io_device, write_bytes) },
		{ "rios=", offsetof(struct cgroup_io_device, reads) },
		{ "wios=", offsetof(struct cgroup_io_device, writes) },
		{ "dbytes=", offsetof(struct cgroup_io_device, discard_bytes) },
		{ "dios=", offsetof(struct cgroup_io_device, discards) },
	};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const char *value = word->start + strlen(keys[i].key);
		uint64_t number;

		if (line_starts(word, keys[i].key) && number_take(&value, &number) == 0)
			memcpy((char *)d + keys[i].offset, &number, sizeof number);
	}
}

/*
 * "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6". Some kernels (5.15) do not end the
 * line of a device that has no numbers, "8:16 8:0 rbytes=1 ..."; some print "(unknown)".
 */
static void io_line(struct line line, struct cgroup_io *io)
{
	struct line word;
	unsigned major, minor;
	bool known = false;

	while (line_word(&line, &word)) {
		struct cgroup_io_device *d;

		if (!memchr(word.start, '=', word.len)) {
			known = cgroup_device_parse(&word, &major, &minor);
			continue;
		}
		d = known ? cgroup_io_device(io, major, minor) : NULL;
		if (d)
			io_value(&word, d);
	}
}

static int v2_io(struct cgroup *cg, struct origins *why, struct cgroup_io *ret)
{
	struct cgroup_file file = { CGROUP_IO, 0, "io.stat", false };
	AUTO_TEXT struct text content = { 0 };
	struct cgroup_io io = { 0 };
	struct line line;
	const char *cursor;
	int r = cgroup_file_read_near(cg, &file, &content);

	if (r < 0)
		return r;
	cursor = text_str(&content);
	while (line_next(&cursor, &line))
		io_line(line, &io);
	cgroup_file_note(cg, &file, why, "block devices with I/O", io.count);
	*ret = io;
	return 0;
}

const struct cgroup_backend cgroup_v2 = {
	.memory = v2_memory,
	.swap = v2_swap,
	.hugetlb = v2_hugetlb,
	.quota = v2_quota,
	.cpus = v2_cpus,
	.cputime = v2_cputime,
	.io = v2_io,
};
