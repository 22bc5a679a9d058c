/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads lxcfs' files in the less usual ways, as a process of a container; succeeds when
 * the answers are right, or what the kernel's own file gives.
 * usage: reads WAY DIRECTORY TOTAL_KB      (WAY: see the table at the end)
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEXT_MAX 65536
#define THREADS 50

static const char *const files[] = {
	"proc/cpuinfo",
	"proc/diskstats",
	"proc/loadavg",
	"proc/meminfo",
	"proc/stat",
	"proc/swaps",
	"proc/uptime",
	"proc/slabinfo",
	"proc/pressure/cpu",
	"sys/devices/system/cpu/online",
	"sys/devices/system/cpu/present",
	"sys/devices/system/cpu/kernel_max",
};

#define COUNT(a) (sizeof(a) / sizeof *(a))

static struct {
	const char *dir;
	unsigned long total_kb;
} test;

static void wrong(const char *what)
{
	printf("%s: %s\n", what, strerror(errno));
	exit(1);
}

static int open_view(const char *name, int flags)
{
	char path[512];

	snprintf(path, sizeof path, "%s/%s", test.dir, name);
	return open(path, flags | O_CLOEXEC);
}

/* All of an open file from where it is; -1 on error. */
static ssize_t get_fd(int fd, char *text)
{
	ssize_t n;
	size_t len = 0;

	while ((n = read(fd, text + len, TEXT_MAX - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	return n < 0 ? n : (ssize_t)len;
}

static ssize_t get(const char *name, char *text)
{
	int fd = open_view(name, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : get_fd(fd, text);

	if (fd >= 0)
		close(fd);
	return n;
}

static void check_total(const char *text)
{
	unsigned long kb = 0;

	if (sscanf(text, "MemTotal: %lu kB", &kb) == 1 && kb == test.total_kb)
		return;
	printf("MemTotal is %lu, wanted %lu\n%s", kb, test.total_kb, text);
	exit(1);
}

static void *read_often(void *rounds)
{
	char *text = malloc(TEXT_MAX);

	for (long i = 0; i < (long)rounds; i++) {
		if (!text || get("proc/meminfo", text) < 0)
			wrong("thread");
		check_total(text);
	}
	free(text);
	return NULL;
}

static void threads(void)
{
	pthread_t thread[THREADS];

	for (size_t i = 0; i < THREADS; i++) {
		if (pthread_create(&thread[i], NULL, read_often, (void *)40L))
			wrong("pthread_create");
	}
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
}

/* Is the process' first thread, whose number the process has, a zombie? */
static bool is_leaderless(void)
{
	char text[512] = "", path[64];
	int fd;

	snprintf(path, sizeof path, "/proc/self/task/%d/stat", getpid());
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof text - 1) < 0)
		wrong(path);
	close(fd);
	return strstr(text, ") Z ") != NULL;
}

static void *outlive(void *unused)
{
	while (!is_leaderless())
		sched_yield();
	read_often((void *)20L);
	exit(0);
	return unused;
}

static void leaderless(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, outlive, NULL))
		wrong("pthread_create");
	pthread_exit(NULL);
}

static void on_alarm(int number)
{
	(void)number;
}

/* Signals that interrupt system calls: a text is whole or the call says EINTR. */
static void interrupted(void)
{
	struct sigaction action = { .sa_handler = on_alarm };
	struct itimerval often = { { 0, 500 }, { 0, 500 } };
	char text[TEXT_MAX];

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	for (int i = 0; i < 2000; i++) {
		if (get("proc/meminfo", text) >= 0)
			check_total(text);
		else if (errno != EINTR)
			wrong("read");
	}
}

/* A regular file is always ready, and nobody may wait for ever. */
static void polls(void)
{
	for (size_t i = 0; i < COUNT(files); i++) {
		struct pollfd p = { .fd = open_view(files[i], O_RDONLY),
				    .events = POLLIN | POLLPRI };
		struct epoll_event event = { .events = EPOLLIN };
		int ep = epoll_create1(EPOLL_CLOEXEC);

		if (p.fd < 0 || poll(&p, 1, 5000) != 1 || !(p.revents & POLLIN))
			wrong(files[i]);
		if (epoll_ctl(ep, EPOLL_CTL_ADD, p.fd, &event) == 0) {
			if (epoll_wait(ep, &event, 1, 5000) != 1)
				wrong("epoll_wait");
		} else if (errno != EPERM) {
			wrong("epoll_ctl");
		}
		close(ep);
		close(p.fd);
	}
}

static void watched(void)
{
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	char path[512], text[TEXT_MAX];

	for (size_t i = 0; i < COUNT(files); i++) {
		snprintf(path, sizeof path, "%s/%s", test.dir, files[i]);
		if (inotify_add_watch(fd, path, IN_ALL_EVENTS) < 0)
			wrong(path);
		if (get(files[i], text) < 0)
			wrong(files[i]);
	}
	close(fd);
}

/* There is nothing to map: no size. An error or SIGBUS, as with any empty file. */
static void mapped(void)
{
	int fd = open_view("proc/meminfo", O_RDONLY), status;
	pid_t child = fork();

	if (child == 0) {
		const char *p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);

		_exit(p == MAP_FAILED ? 0 : *(volatile const char *)p);
	}
	if (waitpid(child, &status, 0) < 0)
		wrong("waitpid");
	if (WIFSIGNALED(status) ? WTERMSIG(status) != SIGBUS : WEXITSTATUS(status) != 0)
		wrong("mmap");
	read_often((void *)1L);
}

/* Never an end of file in place of the text: the whole of it, or EINVAL to go on with read(2). */
static void sent(void)
{
	char text[TEXT_MAX] = "";
	int fd = open_view("proc/meminfo", O_RDONLY), pipefd[2];
	ssize_t n;

	if (fd < 0 || pipe(pipefd) < 0)
		wrong("pipe");
	n = sendfile(pipefd[1], fd, NULL, 16384);
	close(pipefd[1]);
	if (n < 0 && errno == EINVAL)
		get_fd(fd, text);
	else if (n > 0)
		get_fd(pipefd[0], text);
	else
		wrong("sendfile");
	check_total(text);
}

static void bad_buffers(void)
{
	int fd = open_view("proc/meminfo", O_RDONLY);
	void *unmapped = mmap(NULL, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (read(fd, NULL, 0) != 0)
		wrong("read of nothing");
	if (read(fd, unmapped, 4096) != -1 || errno != EFAULT)
		wrong("read to nowhere");
	read_often((void *)1L);
}

/* What opening (an errno) and writing (another) does to a file. */
static void try_write(int fd, int *opened, int *written)
{
	*opened = fd < 0 ? errno : 0;
	*written = fd >= 0 && write(fd, "1", 1) < 0 ? errno : 0;
	if (fd >= 0)
		close(fd);
}

static void written(void)
{
	static const char *const kernels[] = { "proc/meminfo", "proc/uptime", "proc/cpuinfo",
					       "proc/stat", "proc/loadavg" };
	static const int flags[] = { O_WRONLY, O_RDWR, O_WRONLY | O_TRUNC, O_WRONLY | O_APPEND };

	for (size_t i = 0; i < COUNT(kernels) * COUNT(flags); i++) {
		const char *name = kernels[i / COUNT(flags)];
		int flag = flags[i % COUNT(flags)], ours[2], theirs[2];
		char path[64];

		snprintf(path, sizeof path, "/%s", name);
		try_write(open_view(name, flag), &ours[0], &ours[1]);
		try_write(open(path, flag | O_CLOEXEC), &theirs[0], &theirs[1]);
		if (ours[0] != theirs[0] || ours[1] != theirs[1]) {
			printf("%s, flags %o: open %d, write %d; the kernel %d, %d\n", name, flag,
			       ours[0], ours[1], theirs[0], theirs[1]);
			exit(1);
		}
	}
}

/* access(2) says what the kernel says for its own file, to root and to nobody. */
static void accessed(void)
{
	static const char *const kernels[] = { "proc/meminfo", "proc/slabinfo", "proc/stat" };

	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < COUNT(kernels) * 8; i++) {
			char ours[512], theirs[64];
			int mask = (int)(i % 8), a, b;

			snprintf(ours, sizeof ours, "%s/%s", test.dir, kernels[i / 8]);
			snprintf(theirs, sizeof theirs, "/%s", kernels[i / 8]);
			a = access(ours, mask) < 0 ? errno : 0;
			b = access(theirs, mask) < 0 ? errno : 0;
			if (a != b) {
				printf("%s, mask %d: %d, the kernel %d\n", kernels[i / 8], mask, a,
				       b);
				exit(1);
			}
		}
		if (pass == 0 && (setgid(65534) < 0 || setuid(65534) < 0))
			wrong("setuid");
	}
}

/* A 32-bit personality gets what the kernel gives it: on x86 the same text. */
static void linux32(void)
{
	static char before[TEXT_MAX], after[TEXT_MAX];

	if (get("proc/cpuinfo", before) <= 0 || personality(PER_LINUX32) < 0 ||
	    get("proc/cpuinfo", after) <= 0)
		wrong("cpuinfo");
	if (strncmp(before, after, strcspn(before, "\n")) != 0)
		wrong("the first line is another");
	read_often((void *)5L);
}

/* An fd that was opened elsewhere, number 9: who reads from the start reads his own. */
static void handed(void)
{
	char text[TEXT_MAX];

	if (lseek(9, 0, SEEK_SET) != 0 || get_fd(9, text) < 0)
		wrong("fd 9");
	check_total(text);
}

static void storm(void)
{
	char text[TEXT_MAX];

	for (size_t i = 0; i < 250; i++) {
		for (size_t file = 0; file < COUNT(files); file++) {
			if (get(files[file], text) < 0)
				wrong(files[file]);
		}
	}
}

static const struct {
	const char *name;
	void (*run)(void);
} ways[] = {
	{ "threads", threads },
	{ "leaderless", leaderless },
	{ "interrupted", interrupted },
	{ "polls", polls },
	{ "watched", watched },
	{ "mapped", mapped },
	{ "bad_buffers", bad_buffers },
	{ "sent", sent },
	{ "written", written },
	{ "accessed", accessed },
	{ "linux32", linux32 },
	{ "handed", handed },
	{ "storm", storm },
};

int main(int argc, char **argv)
{
	if (argc != 4)
		return 2;
	test.dir = argv[2];
	test.total_kb = strtoul(argv[3], NULL, 10);
	for (size_t i = 0; i < COUNT(ways); i++) {
		if (!strcmp(argv[1], ways[i].name)) {
			ways[i].run();
			return 0;
		}
	}
	return 2;
}
