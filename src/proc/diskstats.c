/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * /proc/diskstats: the host's devices on which the container did any I/O. Times,
 * merges and requests in flight are not counted per cgroup and are 0.
 */
#include "base/line.h"
#include "base/number.h"
#include "base/text.h"
#include "view.h"

#define SECTOR_SIZE 512

/* Numbers behind the name, by position: Documentation/admin-guide/iostats.rst, counted from 0. */
enum {
	READS = 0,
	READ_SECTORS = 2,
	WRITES = 4,
	WRITTEN_SECTORS = 6,
	DISCARDS = 11, /* since kernel 4.18 */
	DISCARDED_SECTORS = 13,
};

/* One line of the host's file: "   8       0 sda 123 0 456 ...". */
struct disk {
	unsigned major, minor;
	struct line name;
	size_t numbers; /* how many follow the name; 15 since kernel 4.18, 17 since 5.5 */
};

static bool word_number(struct line *line, unsigned *ret)
{
	struct line word;
	const char *p;
	uint64_t number;

	if (!line_word(line, &word))
		return false;
	p = word.start;
	if (number_take(&p, &number) < 0 || p != word.start + word.len || number > UINT32_MAX)
		return false;
	*ret = (unsigned)number;
	return true;
}

static bool disk_parse(struct line line, struct disk *ret)
{
	struct disk disk = { .numbers = 0 };
	struct line word;

	if (!word_number(&line, &disk.major) || !word_number(&line, &disk.minor) ||
	    !line_word(&line, &disk.name))
		return false;
	while (line_word(&line, &word))
		disk.numbers++;
	*ret = disk;
	return true;
}

static bool is_active(const struct cgroup_io_device *d)
{
	return d->reads || d->writes || d->discards || d->read_bytes || d->write_bytes ||
	       d->discard_bytes;
}

static const struct cgroup_io_device *device_find(const struct cgroup_io *io,
						  const struct disk *disk)
{
	for (size_t i = 0; i < io->count; i++) {
		const struct cgroup_io_device *d = &io->device[i];

		if (d->major == disk->major && d->minor == disk->minor)
			return is_active(d) ? d : NULL;
	}
	return NULL;
}

static uint64_t number_at(const struct cgroup_io_device *d, size_t position)
{
	switch (position) {
	case READS:
		return d->reads;
	case READ_SECTORS:
		return d->read_bytes / SECTOR_SIZE;
	case WRITES:
		return d->writes;
	case WRITTEN_SECTORS:
		return d->write_bytes / SECTOR_SIZE;
	case DISCARDS:
		return d->discards;
	case DISCARDED_SECTORS:
		return d->discard_bytes / SECTOR_SIZE;
	default:
		return 0;
	}
}

void diskstats_render(const struct snapshot *s, struct text *text)
{
	const char *cursor = text_str(&s->host[HOST_DISKSTATS]);
	struct line line;

	while (line_next(&cursor, &line)) {
		const struct cgroup_io_device *d;
		struct disk disk;

		if (!disk_parse(line, &disk))
			continue;
		d = device_find(&s->io, &disk);
		if (!d)
			continue;
		text_u64(text, disk.major, 4);
		text_putc(text, ' ');
		text_u64(text, disk.minor, 7);
		text_putc(text, ' ');
		text_append(text, disk.name.start, disk.name.len);
		for (size_t i = 0; i < disk.numbers; i++) {
			text_putc(text, ' ');
			text_u64(text, number_at(d, i), 0);
		}
		text_putc(text, '\n');
	}
}
