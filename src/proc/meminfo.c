/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * /proc/meminfo: the host's lines in the host's order, each with the cgroup's
 * number (fs/proc/meminfo.c, Documentation/filesystems/proc.rst).
 */
#include <string.h>

#include "base/cleanup.h"
#include "base/line.h"
#include "base/number.h"
#include "lxcfs.h"
#include "proc/memory.h"
#include "view.h"

#define KIB 1024
#define LABEL_END 16  /* the kernel fills a label with blanks up to here, ... */
#define NUMBER_END 24 /* ... and ends a number here, or behind it where it is too long */

/* What the lines are made of, in bytes; what the kernel does not count is 0. */
struct meminfo {
	struct cgroup_memory cgroup;
	uint64_t total, free, available;
	uint64_t swap_total, swap_free;
	uint64_t active, inactive, commit_limit;
	uint64_t huge_size, huge_total, huge_free, huge_reserved;
};

enum row_kind {
	ROW_BYTES, /* a field of struct meminfo, printed in kB */
	ROW_PAGES, /* a field of struct meminfo, printed in huge pages */
	ROW_HOST,  /* the host's number: it holds for everybody */
	ROW_ZERO,  /* not counted per cgroup, and the host's would tell about others */
};

struct row {
	const char *label;
	enum row_kind kind;
	size_t offset;
};

#define AT(field) offsetof(struct meminfo, field)
#define BYTES(label, field)                 \
	{                                   \
		label, ROW_BYTES, AT(field) \
	}
#define ZERO(label)                \
	{                          \
		label, ROW_ZERO, 0 \
	}

/* In the kernel's order. A line that is not here is 0 as well, and only found later. */
static const struct row rows[] = {
	BYTES("MemTotal:", total),
	BYTES("MemFree:", free),
	BYTES("MemAvailable:", available),
	ZERO("Buffers:"),
	BYTES("Cached:", cgroup.file),
	BYTES("SwapCached:", cgroup.swapcached),
	BYTES("Active:", active),
	BYTES("Inactive:", inactive),
	BYTES("Active(anon):", cgroup.active_anon),
	BYTES("Inactive(anon):", cgroup.inactive_anon),
	BYTES("Active(file):", cgroup.active_file),
	BYTES("Inactive(file):", cgroup.inactive_file),
	BYTES("Unevictable:", cgroup.unevictable),
	ZERO("Mlocked:"),
	BYTES("SwapTotal:", swap_total),
	BYTES("SwapFree:", swap_free),
	BYTES("Zswap:", cgroup.zswap),
	BYTES("Zswapped:", cgroup.zswapped),
	BYTES("Dirty:", cgroup.dirty),
	BYTES("Writeback:", cgroup.writeback),
	BYTES("AnonPages:", cgroup.anon),
	BYTES("Mapped:", cgroup.mapped),
	BYTES("Shmem:", cgroup.shmem),
	BYTES("KReclaimable:", cgroup.slab_reclaimable),
	BYTES("Slab:", cgroup.slab),
	BYTES("SReclaimable:", cgroup.slab_reclaimable),
	BYTES("SUnreclaim:", cgroup.slab_unreclaimable),
	BYTES("KernelStack:", cgroup.kernel_stack),
	BYTES("PageTables:", cgroup.pagetables),
	BYTES("SecPageTables:", cgroup.sec_pagetables),
	ZERO("NFS_Unstable:"),
	ZERO("Bounce:"),
	ZERO("WritebackTmp:"),
	BYTES("CommitLimit:", commit_limit),
	ZERO("Committed_AS:"),
	{ "VmallocTotal:", ROW_HOST, 0 },
	BYTES("VmallocUsed:", cgroup.vmalloc),
	ZERO("VmallocChunk:"),
	BYTES("Percpu:", cgroup.percpu),
	{ "HardwareCorrupted:", ROW_HOST, 0 },
	BYTES("AnonHugePages:", cgroup.anon_thp),
	BYTES("ShmemHugePages:", cgroup.shmem_thp),
	ZERO("ShmemPmdMapped:"),
	BYTES("FileHugePages:", cgroup.file_thp),
	ZERO("FilePmdMapped:"),
	ZERO("CmaTotal:"),
	ZERO("CmaFree:"),
	{ "HugePages_Total:", ROW_PAGES, AT(huge_total) },
	{ "HugePages_Free:", ROW_PAGES, AT(huge_free) },
	{ "HugePages_Rsvd:", ROW_PAGES, AT(huge_reserved) },
	ZERO("HugePages_Surp:"),
	{ "Hugepagesize:", ROW_HOST, 0 },
	BYTES("Hugetlb:", huge_total),
	{ "DirectMap4k:", ROW_HOST, 0 },
	{ "DirectMap4M:", ROW_HOST, 0 },
	{ "DirectMap2M:", ROW_HOST, 0 },
	{ "DirectMap1G:", ROW_HOST, 0 },
};

static const struct row other = ZERO(NULL);

/* The numbers of the host that the container's are bounded by. */
struct host_memory {
	uint64_t total_kb, swap_kb, commit_limit_kb, huge_size_kb, huge_total;
};

static const struct field host_fields[] = {
	{ "MemTotal:", offsetof(struct host_memory, total_kb) },
	{ "SwapTotal:", offsetof(struct host_memory, swap_kb) },
	{ "CommitLimit:", offsetof(struct host_memory, commit_limit_kb) },
	{ "HugePages_Total:", offsetof(struct host_memory, huge_total) },
	{ "Hugepagesize:", offsetof(struct host_memory, huge_size_kb) },
};

static struct host_memory host_memory(const struct snapshot *s)
{
	struct host_memory host = { 0 };

	fields_parse(text_str(&s->host[HOST_MEMINFO]), host_fields, ARRAY_SIZE(host_fields), &host);
	return host;
}

void memory_swap(const struct snapshot *s, uint64_t host_bytes, uint64_t *ret_total,
		 uint64_t *ret_used)
{
	const struct cgroup_memory *m = &s->memory;
	bool none = s->flags & LXCFS_NO_SWAP || m->swap_usage == CGROUP_UNKNOWN;

	*ret_total = none ? 0 : number_min(m->swap_limit, host_bytes);
	*ret_used = none ? 0 : number_min(m->swap_usage, *ret_total);
}

/* Replaces every "unknown" by 0, so that the rest may calculate. */
static struct cgroup_memory known(const struct cgroup_memory *m)
{
	struct cgroup_memory k = *m;
	uint64_t *number = (uint64_t *)&k;

	for (size_t i = 0; i < sizeof k / sizeof *number; i++) {
		if (number[i] == CGROUP_UNKNOWN)
			number[i] = 0;
	}
	return k;
}

/* What could be given back at once: clean pages of files, and caches of the kernel. */
static uint64_t reclaimable(const struct cgroup_memory *m)
{
	uint64_t file = number_add(m->active_file, m->inactive_file);

	return number_add(number_sub(file, number_add(m->dirty, m->writeback)),
			  m->slab_reclaimable);
}

/* The host's overcommit ratio, applied to the container's memory. */
static uint64_t commit_limit(const struct host_memory *host, const struct meminfo *m)
{
	uint64_t memory = number_sub(host->commit_limit_kb, host->swap_kb);

	return host->total_kb
		       ? number_add(number_scale(memory, m->total, host->total_kb), m->swap_total)
		       : 0;
}

static void huge_pages(const struct snapshot *s, const struct host_memory *host, struct meminfo *m)
{
	uint64_t pool = number_scale(host->huge_total, number_scale(host->huge_size_kb, KIB, 1), 1);
	const struct cgroup_hugetlb *h = &s->hugetlb;

	m->huge_size = number_scale(host->huge_size_kb, KIB, 1);
	if (!(s->have & NEED_HUGETLB))
		return;
	m->huge_total = number_min(h->limit, pool);
	m->huge_free = number_sub(m->huge_total, h->usage);
	if (h->reserved != CGROUP_UNKNOWN)
		m->huge_reserved = number_min(number_sub(h->reserved, h->usage), m->huge_free);
}

static void compute(const struct snapshot *s, struct meminfo *m)
{
	const struct host_memory host = host_memory(s);
	uint64_t swap_used;

	*m = (struct meminfo){ .cgroup = known(&s->memory) };
	m->total = number_min(s->memory.limit, number_scale(host.total_kb, KIB, 1));
	m->free = number_sub(m->total, m->cgroup.usage);
	m->available = number_min(m->total, number_add(m->free, reclaimable(&m->cgroup)));
	memory_swap(s, number_scale(host.swap_kb, KIB, 1), &m->swap_total, &swap_used);
	m->swap_free = m->swap_total - swap_used;
	m->active = number_add(m->cgroup.active_anon, m->cgroup.active_file);
	m->inactive = number_add(m->cgroup.inactive_anon, m->cgroup.inactive_file);
	if (!m->cgroup.slab)
		m->cgroup.slab = number_add(m->cgroup.slab_reclaimable,
					    m->cgroup.slab_unreclaimable);
	if (s->flags & (LXCFS_NO_ZSWAP | LXCFS_NO_SWAP))
		m->cgroup.zswap = m->cgroup.zswapped = 0;
	m->commit_limit = commit_limit(&host, m);
	huge_pages(s, &host, m);
}

/*
 * The row of the line's label and what follows the label; *next is where to look
 * first, as lines and rows have one order.
 */
static const struct row *row_find(const struct line *line, size_t *next, const char **ret_rest)
{
	size_t at = *next;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *rest = key_skip(line->start, rows[at].label);

		if (rest) {
			*next = at + 1 < ARRAY_SIZE(rows) ? at + 1 : 0;
			*ret_rest = rest;
			return &rows[at];
		}
		at = at + 1 < ARRAY_SIZE(rows) ? at + 1 : 0;
	}
	*ret_rest = line->start + strcspn(line->start, " \n");
	return &other;
}

static uint64_t row_value(const struct row *row, const struct meminfo *m)
{
	uint64_t bytes;

	if (row->kind == ROW_ZERO)
		return 0;
	memcpy(&bytes, (const char *)m + row->offset, sizeof bytes);
	if (row->kind == ROW_PAGES)
		return m->huge_size ? bytes / m->huge_size : 0;
	return bytes / KIB;
}

/* The line with another number; `label` is the length of its label. */
static void print_number(struct text *text, const struct line *line, size_t label, uint64_t value)
{
	if (line->len == label || !label || line->start[line->len - 1] == ' ')
		return; /* no line of a number */
	/* Never without a blank in between, however long label and number are. */
	text_row(text, line->start, label, value, number_max(label + 1, LABEL_END), NUMBER_END);
	if (line->start[line->len - 1] == 'B')
		text_append(text, " kB\n", 4);
	else
		text_putc(text, '\n');
}

void meminfo_render(const struct snapshot *snapshot, struct text *text)
{
	const char *cursor = text_str(&snapshot->host[HOST_MEMINFO]);
	struct line line;
	struct meminfo m;
	size_t next = 0;

	compute(snapshot, &m);
	text_reserve(text, snapshot->host[HOST_MEMINFO].len * 2);
	while (line_next(&cursor, &line)) {
		const char *rest;
		const struct row *row = row_find(&line, &next, &rest);

		if (row->kind == ROW_HOST) {
			text_append(text, line.start, line.len);
			text_putc(text, '\n');
		} else {
			print_number(text, &line, (size_t)(rest - line.start), row_value(row, &m));
		}
	}
}
