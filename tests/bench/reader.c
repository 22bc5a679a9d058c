/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads a file over and over as cat does (open, read to the end, close) and says how
 * long that takes: "reads seconds p50 p99 least", the last three in microseconds.
 * usage: reader [-c] [-t THREADS] [-s SECONDS | -n READS] FILE
 * -c: from a pid namespace of its own, as its init; in the cgroups that it is started in.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define THREADS_MAX 64
#define SAMPLES_MAX (1 << 20) /* per thread; what comes after is counted, not sampled */
#define PIECE 16384

struct job {
	const char *file;
	uint64_t reads, until_ns; /* ends at the first that is reached */
	pthread_barrier_t start;
};

struct thread {
	struct job *job;
	pthread_t id;
	uint64_t reads;
	uint32_t *ns; /* of each read */
};

static void die(const char *what)
{
	fprintf(stderr, "reader: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void read_once(const char *file)
{
	char piece[PIECE];
	int fd = open(file, O_RDONLY);
	ssize_t n;

	if (fd < 0)
		die(file);
	do
		n = read(fd, piece, sizeof piece);
	while (n > 0);
	if (n < 0)
		die(file);
	close(fd);
}

/* Until the job ends; when it began. */
static uint64_t read_job(struct thread *t)
{
	struct job *job = t->job;
	uint64_t begin, end;

	read_once(job->file); /* what is made once is made */
	pthread_barrier_wait(&job->start);
	begin = now_ns();
	for (end = begin; t->reads < job->reads && end - begin < job->until_ns; t->reads++) {
		uint64_t start = end;

		read_once(job->file);
		end = now_ns();
		if (t->reads < SAMPLES_MAX)
			t->ns[t->reads] = (uint32_t)(end - start);
	}
	return begin;
}

static void *read_all(void *thread)
{
	read_job(thread);
	return NULL;
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void report(struct thread *threads, unsigned count, uint64_t ns)
{
	uint64_t reads = 0;
	size_t n = 0;
	uint32_t *all = calloc((size_t)count * SAMPLES_MAX, sizeof *all);

	if (!all)
		die("memory");
	for (unsigned i = 0; i < count; i++) {
		size_t samples = threads[i].reads < SAMPLES_MAX ? threads[i].reads : SAMPLES_MAX;

		memcpy(all + n, threads[i].ns, samples * sizeof *all);
		n += samples;
		reads += threads[i].reads;
	}
	qsort(all, n, sizeof *all, compare);
	printf("%llu %.6f %.3f %.3f %.3f\n", (unsigned long long)reads, (double)ns / 1e9,
	       n ? all[n / 2] / 1e3 : 0, n ? all[n * 99 / 100] / 1e3 : 0, n ? all[0] / 1e3 : 0);
	fflush(stdout);
}

static int run(struct job *job, unsigned count)
{
	static struct thread threads[THREADS_MAX];
	uint64_t begin;

	pthread_barrier_init(&job->start, NULL, count);
	for (unsigned i = 0; i < count; i++) {
		threads[i].job = job;
		threads[i].ns = calloc(SAMPLES_MAX, sizeof *threads[i].ns);
		if (!threads[i].ns)
			die("memory");
	}
	for (unsigned i = 1; i < count; i++)
		if (pthread_create(&threads[i].id, NULL, read_all, &threads[i]))
			die("thread");
	begin = read_job(&threads[0]);
	for (unsigned i = 1; i < count; i++)
		pthread_join(threads[i].id, NULL);
	report(threads, count, now_ns() - begin);
	return 0;
}

/* Goes on in a child that is pid 1 of a new namespace; the parent ends as it does. */
static void enter_container(void)
{
	int status;
	pid_t child;

	if (unshare(CLONE_NEWPID) < 0)
		die("unshare");
	child = fork();
	if (child < 0)
		die("fork");
	if (child == 0)
		return;
	waitpid(child, &status, 0);
	exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

int main(int argc, char **argv)
{
	struct job job = { .reads = UINT64_MAX, .until_ns = UINT64_MAX };
	bool container = false;
	long threads = 1;
	int c;

	while ((c = getopt(argc, argv, "ct:s:n:")) != -1) {
		if (c == 'c')
			container = true;
		else if (c == 't')
			threads = strtol(optarg, NULL, 10);
		else if (c == 's')
			job.until_ns = (uint64_t)(strtod(optarg, NULL) * 1e9);
		else if (c == 'n')
			job.reads = strtoull(optarg, NULL, 10);
		else
			return 2;
	}
	if (optind + 1 != argc || threads < 1 || threads > THREADS_MAX ||
	    (job.reads == UINT64_MAX && job.until_ns == UINT64_MAX)) {
		fputs("usage: reader [-c] [-t THREADS] [-s SECONDS | -n READS] FILE\n", stderr);
		return 2;
	}
	job.file = argv[optind];
	if (container)
		enter_container();
	return run(&job, (unsigned)threads);
}
