/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the processes of a container under test do.
 * usage: work user SECONDS        burns CPU time in user mode
 *        work system SECONDS      burns CPU time in the kernel
 *        work anon BYTES          fills private memory, says "ready", stays
 *        work shared BYTES        the same with shared memory
 *        work cat FILE            prints it
 *        work cpus DIRECTORY CPUS
 *                                 fails unless every file of lxcfs below DIRECTORY names
 *                                 these CPUs, given as 0,1,5
 *        work watch SECONDS DIRECTORY TOTAL_KB CPUS
 *                                 reads lxcfs' files below DIRECTORY as fast as it can, and
 *                                 fails on the first answer that cannot be true in a
 *                                 container of TOTAL_KB ("-": of any size) on CPUS
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define TEXT_MAX 65536

static double now(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void burn_user(double seconds)
{
	double end = now(CLOCK_PROCESS_CPUTIME_ID) + seconds;

	while (now(CLOCK_PROCESS_CPUTIME_ID) < end) {
		for (volatile int i = 0; i < 100000; i++)
			;
	}
}

/* Pages that are made and given back: all of it the kernel's work. */
static void burn_system(double seconds)
{
	double end = now(CLOCK_PROCESS_CPUTIME_ID) + seconds;
	const size_t size = 16 << 20;

	while (now(CLOCK_PROCESS_CPUTIME_ID) < end) {
		void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

		if (p == MAP_FAILED)
			exit(1);
		munmap(p, size);
	}
}

static void hold(size_t size, int how)
{
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, how | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		exit(1);
	memset(p, 1, size);
	puts("ready");
	fflush(stdout);
	pause();
}

/* What was read last, kept for the report. */
struct watch {
	const char *dir, *total_kb, *cpus;
	char text[TEXT_MAX];
	uint64_t cpu_last[3], uptime_last; /* user, system, idle in ticks; 10 ms */
	unsigned long reads;
};

static void wrong(const struct watch *w, const char *what)
{
	printf("after %lu reads: %s:\n%s\n", w->reads, what, w->text);
	exit(1);
}

/* The whole file, from a held fd or a new one. */
static void get(struct watch *w, const char *name)
{
	char path[512];
	size_t len = 0;
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "%s/%s", w->dir, name);
	snprintf(w->text, sizeof w->text, "(%s)", path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		wrong(w, strerror(errno));
	while ((n = read(fd, w->text + len, sizeof w->text - 1 - len)) > 0)
		len += (size_t)n;
	if (n < 0)
		wrong(w, strerror(errno));
	w->text[len] = '\0';
	close(fd);
	w->reads++;
}

/* The number of a "Label:   123 kB" line. */
static uint64_t number(const struct watch *w, const char *label)
{
	const char *at = strstr(w->text, label);

	if (!at)
		wrong(w, label);
	return strtoull(at + strlen(label), NULL, 10);
}

static void check_meminfo(struct watch *w)
{
	uint64_t total, free, available;

	get(w, "proc/meminfo");
	total = number(w, "MemTotal:");
	free = number(w, "MemFree:");
	available = number(w, "MemAvailable:");
	if (free > available || available > total)
		wrong(w, "not MemFree <= MemAvailable <= MemTotal");
	if (number(w, "SwapFree:") > number(w, "SwapTotal:"))
		wrong(w, "not SwapFree <= SwapTotal");
	if (strcmp(w->total_kb, "-") && total != strtoull(w->total_kb, NULL, 10))
		wrong(w, "MemTotal is not the limit");
}

/* "0,1,5" of the lines that begin with a label and a number. */
static void check_cpus(struct watch *w, const char *label)
{
	size_t len = 0, label_len = strlen(label);
	char list[4096] = "";

	for (const char *p = w->text; p; p = strchr(p, '\n')) {
		p += *p == '\n';
		if (strncmp(p, label, label_len) == 0 && p[label_len] >= '0' && p[label_len] <= '9')
			len += (size_t)snprintf(list + len, sizeof list - len, "%s%d",
						len ? "," : "", atoi(p + label_len));
	}
	if (strcmp(w->cpus, "-") && strcmp(list, w->cpus) != 0)
		wrong(w, "other CPUs than expected");
}

static void check_stat(struct watch *w)
{
	unsigned long long user, system, idle;

	get(w, "proc/stat");
	if (sscanf(w->text, "cpu %llu 0 %llu %llu 0 ", &user, &system, &idle) != 3)
		wrong(w, "no line of all CPUs");
	if (user < w->cpu_last[0] || system < w->cpu_last[1] || idle < w->cpu_last[2])
		wrong(w, "a counter went back");
	w->cpu_last[0] = user;
	w->cpu_last[1] = system;
	w->cpu_last[2] = idle;
	check_cpus(w, "cpu");
}

static void check_uptime(struct watch *w)
{
	double seconds, idle;

	get(w, "proc/uptime");
	if (sscanf(w->text, "%lf %lf\n", &seconds, &idle) != 2 || seconds < 0 || idle < 0)
		wrong(w, "not two numbers");
	if ((uint64_t)(seconds * 100) < w->uptime_last)
		wrong(w, "the uptime went back");
	w->uptime_last = (uint64_t)(seconds * 100);
}

static void check_cpuinfo(struct watch *w)
{
	get(w, "proc/cpuinfo");
	check_cpus(w, "processor\t: ");
}

#define SYS_CPU "sys/devices/system/cpu"

/* A file like "0-3,5". */
static void check_list(struct watch *w, const char *name)
{
	char *out = w->text, *p, copy[TEXT_MAX];
	long from, to;

	get(w, name);
	memcpy(copy, w->text, sizeof copy);
	for (p = copy; *p >= '0' && *p <= '9'; p += *p == ',') {
		from = to = strtol(p, &p, 10);
		if (*p == '-')
			to = strtol(p + 1, &p, 10);
		for (; from <= to; from++)
			out += sprintf(out, "cpu%ld\n", from);
	}
	*out = '\0';
	check_cpus(w, "cpu");
}

static int by_number(const struct dirent **a, const struct dirent **b)
{
	return strverscmp((*a)->d_name, (*b)->d_name);
}

static void check_directory(struct watch *w)
{
	struct dirent **entries;
	char path[512], *out = w->text;
	int n;

	snprintf(path, sizeof path, "%s/" SYS_CPU, w->dir);
	n = scandir(path, &entries, NULL, by_number);
	if (n < 0)
		wrong(w, strerror(errno));
	for (int i = 0; i < n; i++)
		out += sprintf(out, "%s\n", entries[i]->d_name);
	check_cpus(w, "cpu");
}

static void check_all_cpus(struct watch *w)
{
	check_cpuinfo(w);
	check_stat(w);
	check_list(w, SYS_CPU "/online");
	check_list(w, SYS_CPU "/possible");
	check_list(w, SYS_CPU "/present");
	check_directory(w);
	get(w, SYS_CPU "/offline");
	if (strcmp(w->text, "\n") != 0)
		wrong(w, "CPUs are offline");
}

static void watch(double seconds, struct watch *w)
{
	double end = now(CLOCK_MONOTONIC) + seconds;

	for (bool first = true; first || now(CLOCK_MONOTONIC) < end; first = false) {
		check_meminfo(w);
		check_stat(w);
		check_uptime(w);
		check_cpuinfo(w);
		if (first)
			puts("reading");
		fflush(stdout);
	}
	printf("%lu\n", w->reads);
}

int main(int argc, char **argv)
{
	static struct watch w;
	const char *what = argc > 2 ? argv[1] : "";

	if (!strcmp(what, "user"))
		burn_user(atof(argv[2]));
	else if (!strcmp(what, "system"))
		burn_system(atof(argv[2]));
	else if (!strcmp(what, "anon"))
		hold(strtoul(argv[2], NULL, 10), MAP_PRIVATE);
	else if (!strcmp(what, "shared"))
		hold(strtoul(argv[2], NULL, 10), MAP_SHARED);
	else if (!strcmp(what, "cat")) {
		w.dir = "";
		get(&w, argv[2]);
		fputs(w.text, stdout);
	} else if (!strcmp(what, "cpus") && argc == 4) {
		w.dir = argv[2], w.cpus = argv[3];
		check_all_cpus(&w);
	} else if (!strcmp(what, "watch") && argc == 6) {
		w.dir = argv[3], w.total_kb = argv[4], w.cpus = argv[5];
		watch(atof(argv[2]), &w);
	} else
		return 2;
	return 0;
}
