/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Many containers: each a process in a pid namespace and cgroups of its own, with a memory
 * limit that no other has. One after the other reads a file four times, in rounds.
 * Prints for each round "first P50 P99 again P50 P99" in microseconds: the first read of a
 * container in that round, and the best of those that follow at once. A wrong MemTotal ends it.
 * usage: crowd COUNT ROUNDS FILE CGROUP...
 * Then waits for the end of its input, so that somebody may look at the server, and cleans up.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define READS 4
#define BASE_KB 65536 /* the first container's limit; each next has a page more */

/* Shared with the child; `turn` counts: odd while the child is to read. */
struct container {
	_Atomic uint32_t turn;
	uint32_t ns[READS];
};

struct crowd {
	size_t count, rounds, cgroups;
	const char *file;
	char **cgroup;
	struct container *container;
	pid_t *pid; /* of each container */
};

static void die(const char *what)
{
	fprintf(stderr, "crowd: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void wait_while(_Atomic uint32_t *word, uint32_t value)
{
	while (atomic_load(word) == value)
		syscall(SYS_futex, word, FUTEX_WAIT, value, NULL, NULL, 0);
}

static void advance(_Atomic uint32_t *word)
{
	atomic_fetch_add(word, 1);
	syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static int put(const char *directory, const char *name, const char *value)
{
	char path[512];
	int fd;
	ssize_t n;

	snprintf(path, sizeof path, "%s/%s", directory, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = write(fd, value, strlen(value));
	close(fd);
	return n < 0 ? -EIO : 0;
}

static void join_cgroups(const struct crowd *c, size_t i)
{
	char directory[256], limit[32];

	snprintf(limit, sizeof limit, "%zu", (BASE_KB + i * 4) * 1024);
	for (size_t k = 0; k < c->cgroups; k++) {
		snprintf(directory, sizeof directory, "%s/%zu", c->cgroup[k], i);
		/* Those that have no such file are of other controllers. */
		put(directory, "memory.limit_in_bytes", limit);
		put(directory, "memory.max", limit);
		if (put(directory, "cgroup.procs", "0") < 0)
			die(directory);
	}
}

static uint32_t read_once(const char *file, uint64_t *ret_total)
{
	char piece[16384];
	uint64_t start = now_ns();
	int fd = open(file, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, piece, sizeof piece - 1);

	if (n <= 0)
		die(file);
	piece[n] = '\0';
	while (read(fd, piece + n, sizeof piece - (size_t)n) > 0)
		;
	close(fd);
	*ret_total = strncmp(piece, "MemTotal:", 9) ? 0 : strtoull(piece + 9, NULL, 10);
	return (uint32_t)(now_ns() - start);
}

static void live(const struct crowd *c, size_t i)
{
	struct container *own = &c->container[i];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	join_cgroups(c, i);
	advance(&own->turn);
	for (uint32_t turn = 1;; turn += 2) {
		wait_while(&own->turn, turn);
		for (size_t k = 0; k < READS; k++) {
			uint64_t total;

			own->ns[k] = read_once(c->file, &total);
			if (total && total != BASE_KB + i * 4) {
				fprintf(stderr, "crowd: container %zu reads MemTotal %llu\n", i,
					(unsigned long long)total);
				exit(1);
			}
		}
		advance(&own->turn);
	}
}

static void start(struct crowd *c, size_t i)
{
	struct container *own = &c->container[i];
	char directory[256];

	for (size_t k = 0; k < c->cgroups; k++) {
		snprintf(directory, sizeof directory, "%s/%zu", c->cgroup[k], i);
		if (mkdir(directory, 0755) < 0 && errno != EEXIST)
			die(directory);
	}
	c->pid[i] = (pid_t)syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, 0, NULL, NULL, 0);
	if (c->pid[i] < 0)
		die("clone");
	if (c->pid[i] == 0) {
		live(c, i);
		_exit(0);
	}
	wait_while(&own->turn, 0);
}

static void on_child(int signal)
{
	static const char text[] = "crowd: a container died\n";

	(void)signal;
	_exit(write(STDERR_FILENO, text, sizeof text - 1) < 0 ? 2 : 1);
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void print(const char *what, uint32_t *ns, size_t count, const char *end)
{
	qsort(ns, count, sizeof *ns, compare);
	printf("%s %.2f %.2f%s", what, ns[count / 2] / 1e3, ns[count * 99 / 100] / 1e3, end);
}

static void run_round(const struct crowd *c, uint32_t turn)
{
	uint32_t *first = calloc(c->count, sizeof *first), *again = calloc(c->count, sizeof *again);

	if (!first || !again)
		die("memory");
	for (size_t i = 0; i < c->count; i++) {
		struct container *own = &c->container[i];

		advance(&own->turn);
		wait_while(&own->turn, turn + 1);
		first[i] = again[i] = own->ns[0];
		for (size_t k = 1; k < READS; k++)
			again[i] = k == 1 || own->ns[k] < again[i] ? own->ns[k] : again[i];
	}
	print("first", first, c->count, " ");
	print("again", again, c->count, "\n");
	fflush(stdout);
	free(first);
	free(again);
}

static void clean_up(const struct crowd *c)
{
	char directory[256];

	signal(SIGCHLD, SIG_DFL);
	for (size_t i = 0; i < c->count; i++)
		kill(c->pid[i], SIGKILL);
	for (size_t i = 0; i < c->count; i++)
		waitpid(c->pid[i], NULL, 0);
	for (size_t i = 0; i < c->count; i++) {
		for (size_t k = 0; k < c->cgroups; k++) {
			snprintf(directory, sizeof directory, "%s/%zu", c->cgroup[k], i);
			rmdir(directory);
		}
	}
}

int main(int argc, char **argv)
{
	struct crowd c = { 0 };
	char byte;

	if (argc < 5) {
		fputs("usage: crowd COUNT ROUNDS FILE CGROUP...\n", stderr);
		return 2;
	}
	c.count = strtoul(argv[1], NULL, 10);
	c.rounds = strtoul(argv[2], NULL, 10);
	c.file = argv[3];
	c.cgroup = argv + 4;
	c.cgroups = (size_t)argc - 4;
	c.container = mmap(NULL, c.count * sizeof *c.container, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	c.pid = calloc(c.count, sizeof *c.pid);
	if (!c.count || !c.pid || c.container == MAP_FAILED)
		die("memory");
	signal(SIGCHLD, on_child);
	for (size_t i = 0; i < c.count; i++)
		start(&c, i);
	for (uint32_t round = 0; round < c.rounds; round++)
		run_round(&c, 1 + round * 2);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	clean_up(&c);
	return 0;
}
