/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads files again and again in every way there is, until SIGTERM, and checks
 * each text: digits may change, nothing else; and lines given with -e must be
 * there word for word. Prints "started" after the first look, and in the end
 * "ops N failed N wrong N longest MICROSECONDS".
 * usage: survive_reader [-e LINE]... FILE...
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILES_MAX 32
#define TEXT_MAX (1 << 20)
#define EXPECTED_MAX 8

struct file {
	const char *path;
	char *shape; /* of its first text */
	int held;    /* an fd that stays open over everything */
	int names;   /* in its directory */
};

static struct {
	struct file files[FILES_MAX];
	int count;
	const char *expected[EXPECTED_MAX];
	int expected_count;
	char text[TEXT_MAX], shape[TEXT_MAX];
	unsigned long ops, failed, wrong, longest; /* longest in microseconds */
	volatile sig_atomic_t stop;
} run;

static void on_term(int signal)
{
	(void)signal;
	run.stop = 1;
}

static unsigned long now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (unsigned long)ts.tv_sec * 1000000 + (unsigned long)ts.tv_nsec / 1000;
}

/* Runs of digits become 0, runs of blanks one blank. */
static void make_shape(const char *text, char *shape)
{
	char last = '\0';

	for (; *text; text++) {
		char c = *text >= '0' && *text <= '9' ? '0' : *text;

		if ((c == '0' || c == ' ') && c == last)
			continue;
		*shape++ = last = c;
	}
	*shape = '\0';
}

/* The first few tell enough. */
static void complain(const char *path, const char *what)
{
	if (run.failed + run.wrong <= 5)
		fprintf(stderr, "survive_reader: %s: %s\n", path, what);
}

static void fail(const char *path, const char *what)
{
	char why[256];

	run.failed++;
	snprintf(why, sizeof(why), "%s: %s", what, strerror(errno));
	complain(path, why);
}

/* From where on they differ. */
static void show_difference(const char *was, const char *is)
{
	size_t at = 0;

	while (was[at] && was[at] == is[at])
		at++;
	at = at > 20 ? at - 20 : 0;
	fprintf(stderr, "survive_reader: was \"%.60s\", is \"%.60s\"\n", was + at, is + at);
}

static void check(struct file *f)
{
	make_shape(run.text, run.shape);
	if (!f->shape)
		f->shape = strdup(run.shape);
	if (strcmp(f->shape, run.shape)) {
		run.wrong++;
		complain(f->path, "another shape");
		show_difference(f->shape, run.shape);
	}
	for (int i = 0; i < run.expected_count; i++) {
		/* "meminfo:MemTotal: ..." is for files of that name. */
		const char *colon = strchr(run.expected[i], ':');
		size_t len = (size_t)(colon - run.expected[i]);
		const char *name = strrchr(f->path, '/') + 1;

		if (strlen(name) == len && !strncmp(name, run.expected[i], len) &&
		    !strstr(run.text, colon + 1)) {
			run.wrong++;
			complain(f->path, "an expected line is missing");
		}
	}
}

/* The whole from the start, in pieces. False on failure, which is counted. */
static bool read_pieces(struct file *f, int fd, size_t piece)
{
	size_t len = 0;

	for (;;) {
		size_t room = sizeof(run.text) - 1 - len;
		ssize_t n = pread(fd, run.text + len, piece < room ? piece : room, (off_t)len);

		if (n < 0) {
			fail(f->path, "read");
			return false;
		}
		if (n == 0)
			break;
		len += (size_t)n;
	}
	run.text[len] = '\0';
	return true;
}

static void do_open_read(struct file *f, size_t piece)
{
	int fd = open(f->path, O_RDONLY);

	if (fd < 0) {
		fail(f->path, "open");
		return;
	}
	if (read_pieces(f, fd, piece))
		check(f);
	close(fd);
}

static void do_held(struct file *f)
{
	if (read_pieces(f, f->held, sizeof(run.text)))
		check(f);
}

static void do_stat(struct file *f)
{
	struct stat st;

	if (stat(f->path, &st) < 0)
		fail(f->path, "stat");
	else if (!S_ISREG(st.st_mode)) {
		run.wrong++;
		complain(f->path, "is no file");
	}
}

static void do_list(struct file *f)
{
	char *copy = strdup(f->path);
	DIR *dir = opendir(dirname(copy));
	int names = 0;

	if (!dir) {
		fail(f->path, "opendir");
	} else {
		errno = 0;
		while (readdir(dir))
			names++;
		if (errno)
			fail(f->path, "readdir");
		else if (!f->names)
			f->names = names;
		else if (f->names != names) {
			run.wrong++;
			complain(f->path, "another number of names beside it");
		}
		closedir(dir);
	}
	free(copy);
}

static void do_one(struct file *f, unsigned kind)
{
	static const size_t pieces[] = { 1, 7, 100, 1024, 4096, 32768 };
	unsigned long start = now_us(), took;

	switch (kind % 8) {
	case 0:
		do_held(f);
		break;
	case 1:
		do_stat(f);
		break;
	case 2:
		do_list(f);
		break;
	case 3: {
		size_t piece = pieces[(kind / 8) % 6],
		       least = f->shape ? strlen(f->shape) / 200 : 0;

		do_open_read(f, piece > least ? piece : least + 1);
		break;
	}
	default:
		do_open_read(f, sizeof(run.text));
	}
	took = now_us() - start;
	if (run.ops++ == 0) {
		puts("started");
		fflush(stdout);
	}
	if (kind % 8 != 3 && took > run.longest)
		run.longest = took; /* single looks; a read by the byte is hundreds */
}

int main(int argc, char **argv)
{
	struct sigaction term = { .sa_handler = on_term };
	unsigned seed = (unsigned)getpid();
	int c;

	while ((c = getopt(argc, argv, "e:")) == 'e')
		if (run.expected_count < EXPECTED_MAX)
			run.expected[run.expected_count++] = optarg;
	sigaction(SIGTERM, &term, NULL);
	for (int i = optind; i < argc && run.count < FILES_MAX; i++) {
		struct file *f = &run.files[run.count++];

		f->path = argv[i];
		f->held = open(f->path, O_RDONLY);
		if (f->held < 0)
			fail(f->path, "open");
	}
	while (!run.stop && run.count)
		do_one(&run.files[rand_r(&seed) % (unsigned)run.count], (unsigned)rand_r(&seed));
	printf("ops %lu failed %lu wrong %lu longest %lu\n", run.ops, run.failed, run.wrong,
	       run.longest);
	return run.failed || run.wrong || !run.ops;
}
