/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * /proc/cpuinfo: the host's text without the CPUs that the container does not have.
 *
 * Every architecture has its own format (arch/.../kernel/setup.c, proc.c, cpu.c). They share that a
 * CPU's lines begin with "processor : N" ("cpu number : N" on s390x) and end with
 * an empty line; anything else is about the machine and stays.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/line.h"
#include "base/number.h"
#include "view.h"

#define UNKNOWN UINT64_MAX

/* Where a visible CPU sits. */
struct place {
	uint64_t package, core;
};

/* How many of the visible CPUs, and on how many cores, one package has. */
struct package {
	uint64_t number, cpus, cores;
};

struct packages {
	struct package *package; /* owned; ascending */
	size_t count;
};

/* The number of a "label<blanks>: 123" line; UNKNOWN if it is another line. */
static uint64_t labelled(const struct line *line, const char *label)
{
	const char *p;
	uint64_t value;

	/* most lines differ in the first letter */
	if (!line->len || *line->start != *label || !line_starts(line, label))
		return UNKNOWN;
	p = line->start + strlen(label);
	p += strspn(p, " \t");
	if (*p++ != ':')
		return UNKNOWN;
	p += strspn(p, " \t");
	return number_take(&p, &value) < 0 ? UNKNOWN : value;
}

/* The CPU whose lines begin here. */
static uint64_t cpu_begins(const struct line *line)
{
	uint64_t cpu = labelled(line, "processor");

	return cpu != UNKNOWN ? cpu : labelled(line, "cpu number");
}

/* Walks the lines and tells of each whose it is. */
struct walk {
	const char *cursor;
	const struct cpulist *cpus;
	struct line line;
	bool begins;  /* the line is a CPU's first */
	bool in_cpu;  /* it is a CPU's */
	bool visible; /* it is no hidden CPU's */
};

/* s390x lists its CPUs once more among the machine's lines: "processor 0: version = FF, ..." */
static bool summary_is_hidden(const struct walk *w)
{
	const char *p;
	uint64_t cpu;

	if (!line_starts(&w->line, "processor "))
		return false;
	p = w->line.start + strlen("processor ");
	return number_take(&p, &cpu) == 0 && *p == ':' && !cpulist_has(w->cpus, cpu);
}

static bool walk_next(struct walk *w)
{
	bool ended = w->in_cpu && !w->line.len;
	uint64_t cpu;

	if (!line_next(&w->cursor, &w->line))
		return false;
	cpu = cpu_begins(&w->line);
	w->begins = cpu != UNKNOWN;
	if (w->begins) {
		w->in_cpu = true;
		w->visible = cpulist_has(w->cpus, cpu);
	} else if (ended || !w->in_cpu) {
		w->in_cpu = false;
		w->visible = !summary_is_hidden(w);
	}
	return true;
}

static int place_compare(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->package != y->package)
		return x->package < y->package ? -1 : 1;
	return x->core < y->core ? -1 : x->core > y->core;
}

/* Where the visible CPUs sit; how many of them the text has. */
static size_t places_find(const struct snapshot *s, struct place *places)
{
	struct walk w = { .cursor = text_str(&s->host[HOST_CPUINFO]), .cpus = &s->cpus };
	size_t count = 0;

	while (walk_next(&w)) {
		uint64_t value;

		if (!w.in_cpu || !w.visible)
			continue;
		if (w.begins) {
			if (count == s->cpu_count)
				break;
			places[count++] = (struct place){ UNKNOWN, UNKNOWN };
		}
		value = labelled(&w.line, "physical id");
		if (value != UNKNOWN)
			places[count - 1].package = value;
		value = labelled(&w.line, "core id");
		if (value != UNKNOWN)
			places[count - 1].core = value;
	}
	return count;
}

static int packages_count(const struct snapshot *s, struct packages *ret)
{
	AUTO_FREE struct place *places = calloc(s->cpu_count + 1, sizeof *places);
	struct packages p = { .package = calloc(s->cpu_count + 1, sizeof *p.package) };
	size_t count;

	if (!places || !p.package) {
		free(p.package);
		return -ENOMEM;
	}
	count = places_find(s, places);
	qsort(places, count, sizeof *places, place_compare);
	for (size_t i = 0; i < count; i++) {
		if (!i || places[i].package != places[i - 1].package)
			p.package[p.count++].number = places[i].package;
		p.package[p.count - 1].cpus++;
		if (!i || place_compare(&places[i], &places[i - 1]) != 0)
			p.package[p.count - 1].cores++;
	}
	*ret = p;
	return 0;
}

static const struct package *package_find(const struct packages *p, uint64_t number)
{
	for (size_t i = 0; i < p->count && number != UNKNOWN; i++) {
		if (p->package[i].number == number)
			return &p->package[i];
	}
	return NULL;
}

/* Prints the line with another number behind its colon. */
static void print_number(struct text *text, const struct line *line, uint64_t value)
{
	const char *colon = memchr(line->start, ':', line->len);

	text_append(text, line->start, (size_t)(colon + 1 - line->start));
	text_putc(text, ' ');
	text_u64(text, value, 0);
	text_putc(text, '\n');
}

/* A line of a CPU in this package, NULL if unknown; x86 and s390x tell who shares a package. */
static void print_line(struct text *text, const struct line *line, const struct package *package)
{
	if (package && labelled(line, "siblings") != UNKNOWN) {
		print_number(text, line, package->cpus);
	} else if (package && labelled(line, "cpu cores") != UNKNOWN) {
		print_number(text, line, package->cores);
	} else {
		text_append(text, line->start, line->len);
		text_putc(text, '\n');
	}
}

void cpuinfo_render(const struct snapshot *s, struct text *text)
{
	struct walk w = { .cursor = text_str(&s->host[HOST_CPUINFO]), .cpus = &s->cpus };
	const struct package *package = NULL;
	struct packages packages;
	int r = packages_count(s, &packages);

	if (r < 0) {
		text->error = r;
		return;
	}
	while (walk_next(&w)) {
		uint64_t number = labelled(&w.line, "physical id");

		if (w.begins || !w.in_cpu)
			package = NULL;
		if (number != UNKNOWN)
			package = package_find(&packages, number);
		if (!w.visible)
			continue;
		if (!w.in_cpu && labelled(&w.line, "# processors") != UNKNOWN)
			print_number(text, &w.line, s->cpu_count);
		else
			print_line(text, &w.line, package);
	}
	free(packages.package);
}
