/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Containers that are born and die while they read, each with a memory limit of its
 * own to be recognised by. The next one in a place takes over the names and the very
 * pids of the last. Prints "births N reads N failed N wrong N triggers N".
 * usage: stress MOUNT SECONDS CGROUP [CGROUP-OF-V2]    (CGROUPs: ours, of the memory
 * controller, and for pressure)
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PLACES 6
#define READERS 2
#define PIDS_FROM 200000 /* of the host's that are used again and again; pid_max may be 32768 */
#define REFUGE_MIB 900	 /* the limit where the moved ones end; all others are below */
#define DYING_TRIES 2000

/* What the reader in a place may be told, in kB. */
struct place {
	_Atomic unsigned long own, other; /* other: while it is moved to the refuge */
	_Atomic double born;		  /* seconds since boot */
};

static struct shared {
	atomic_ulong births, reads, failed, wrong, triggers;
	struct place place[PLACES];
	char first[256]; /* the first thing that went wrong */
} * all;

static struct {
	const char *mount;
	const char *cgroup[2];
	const char *limit; /* the file's name */
	double until;	   /* seconds since boot */
	int pids_from;
} plan;

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void pause_ms(unsigned ms)
{
	struct timespec ts = { .tv_nsec = (long)ms * 1000000 };

	nanosleep(&ts, NULL);
}

__attribute__((format(printf, 2, 3))) static void complain(atomic_ulong *counter,
							   const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (atomic_fetch_add(counter, 1) == 0)
		vsnprintf(all->first, sizeof all->first, format, args);
	va_end(args);
}

static bool put(const char *path, const char *content)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, content, strlen(content)) > 0;

	if (fd >= 0)
		close(fd);
	return done;
}

__attribute__((format(printf, 2, 3))) static char *join(char path[512], const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(path, 512, format, args);
	va_end(args);
	return path;
}

/* --- in the container -------------------------------------------------------- */

static ssize_t read_file(int held, const char *name, char *text, size_t size)
{
	char path[512];
	int fd = held >= 0 ? held
			   : open(join(path, "%s/%s", plan.mount, name), O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : pread(fd, text, size - 1, 0);

	if (fd >= 0 && held < 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n;
}

static void check_memory(struct place *place, int held)
{
	char text[8192];
	unsigned long total;

	atomic_fetch_add(&all->reads, 1);
	if (read_file(held, "proc/meminfo", text, sizeof text) <= 0)
		complain(&all->failed, "meminfo: %s", strerror(errno));
	else if (sscanf(text, "MemTotal: %lu kB", &total) != 1 ||
		 (total != atomic_load(&place->own) && total != atomic_load(&place->other)))
		complain(&all->wrong, "meminfo: %.40s instead of %lu or %lu", text,
			 atomic_load(&place->own), atomic_load(&place->other));
}

/* Not older than itself; the kernel counts its start in hundredths of seconds. */
static void check_age(const struct place *place)
{
	char text[256];
	double age, least = now() - atomic_load(&place->born) + 0.1;

	atomic_fetch_add(&all->reads, 1);
	if (read_file(-1, "proc/uptime", text, sizeof text) <= 0)
		complain(&all->failed, "uptime: %s", strerror(errno));
	else if (sscanf(text, "%lf", &age) != 1 || age > now() - atomic_load(&place->born) + 0.1)
		complain(&all->wrong, "uptime: %.40s instead of %.2f", text, least);
}

/* Any trigger, most of them bad ones; what comes of it is no matter. */
static void throw_trigger(unsigned *seed)
{
	static const char *const texts[] = { "some 150000 1000000",
					     "full 500000 2000000",
					     "some 1 1",
					     "some 1000 18446744073709551616",
					     "x",
					     "some" };
	static const char *const files[] = { "cpu", "io", "memory" };
	char path[512];
	const char *text = texts[rand_r(seed) % 6];
	int fd = open(join(path, "%s/proc/pressure/%s", plan.mount, files[rand_r(seed) % 3]),
		      O_RDWR | O_CLOEXEC);
	struct pollfd p = { .fd = fd, .events = POLLPRI };

	if (fd < 0)
		return;
	if (write(fd, text, strlen(text) + 1) > 0)
		poll(&p, 1, rand_r(seed) % 3);
	else if (rand_r(seed) % 2)
		poll(&p, 1, 0);
	close(fd);
	atomic_fetch_add(&all->triggers, 1);
}

_Noreturn static void reader(struct place *place, unsigned seed)
{
	char path[512];
	int held = open(join(path, "%s/proc/meminfo", plan.mount), O_RDONLY | O_CLOEXEC);
	struct stat st;

	for (;;) {
		check_memory(place, rand_r(&seed) % 2 ? held : -1);
		if (rand_r(&seed) % 4 == 0)
			check_age(place);
		if (rand_r(&seed) % 4 == 0)
			throw_trigger(&seed);
		if (rand_r(&seed) % 8 == 0)
			stat(join(path, "%s/cgroup", plan.mount), &st);
	}
}

/* --- outside ----------------------------------------------------------------- */

/* A child with that pid (and `inside` in its own, new or inherited, namespace); any if taken. */
static pid_t clone_as(unsigned long flags, pid_t inside, pid_t outside)
{
	pid_t pids[] = { inside, outside };
	struct clone_args args = { .flags = flags,
				   .exit_signal = SIGCHLD,
				   .set_tid = (uint64_t)(uintptr_t)pids,
				   .set_tid_size = 2 };
	long pid = -1;

	for (unsigned i = 0; i < 50 && pid < 0; i++) {
		pid = syscall(SYS_clone3, &args, sizeof args);
		if (pid < 0 && errno != EEXIST)
			break;
		if (pid < 0)
			pause_ms(1);
	}
	args.set_tid = args.set_tid_size = 0; /* somebody else has it now */
	return (pid_t)(pid < 0 ? syscall(SYS_clone3, &args, sizeof args) : pid);
}

/* The container's init: begins when it is in its cgroup, and keeps its readers company. */
_Noreturn static void run_init(struct place *place, int go, pid_t pids, unsigned seed)
{
	char byte;

	if (read(go, &byte, 1) != 1)
		_exit(EXIT_FAILURE);
	for (int i = 0; i < READERS; i++)
		if (clone_as(0, 2 + i, pids + 1 + i) == 0)
			reader(place, seed + (unsigned)i);
	if (seed % 3 == 0) { /* dies by itself, its readers with it */
		pause_ms(seed % 60);
		_exit(EXIT_SUCCESS);
	}
	for (;;)
		pause();
}

static bool join_cgroups(const char *name, pid_t pid)
{
	char path[512], number[16];
	bool joined = true;

	snprintf(number, sizeof number, "%d", pid);
	for (int i = 0; i < 2 && plan.cgroup[i]; i++)
		joined = put(join(path, "%s/%s/cgroup.procs", plan.cgroup[i], name), number) &&
			 joined;
	return joined;
}

static bool make_cgroups(const char *name, unsigned long kb)
{
	char path[512], limit[32];

	for (int i = 0; i < 2 && plan.cgroup[i]; i++)
		if (mkdir(join(path, "%s/%s", plan.cgroup[i], name), 0755) < 0)
			return false;
	snprintf(limit, sizeof limit, "%lu", kb * 1024);
	return put(join(path, "%s/%s/%s", plan.cgroup[0], name, plan.limit), limit);
}

/* The last process leaves its cgroup a moment after it was waited for. */
static void remove_cgroups(const char *name)
{
	char path[512];

	for (int i = 0; i < 2 && plan.cgroup[i]; i++) {
		unsigned tries = 0;

		join(path, "%s/%s", plan.cgroup[i], name);
		while (rmdir(path) < 0 && errno == EBUSY && tries++ < DYING_TRIES)
			pause_ms(1);
	}
}

/* All that is in the cgroup goes to the refuge, and the cgroup away under its readers. */
static void move_away(struct place *place, const char *name, pid_t init)
{
	char path[512], line[32];
	FILE *procs;

	atomic_store(&place->other, REFUGE_MIB * 1024ul);
	join_cgroups("refuge", init);
	procs = fopen(join(path, "%s/%s/cgroup.procs", plan.cgroup[0], name), "re");
	while (procs && fgets(line, sizeof line, procs))
		join_cgroups("refuge", atoi(line));
	if (procs)
		fclose(procs);
	remove_cgroups(name);
	pause_ms(10);
}

/* One container's life. False when nothing can be made here. */
static bool live(unsigned index, unsigned generation, unsigned *seed)
{
	struct place *place = &all->place[index];
	pid_t pids = plan.pids_from + (pid_t)index * (1 + READERS), init;
	char name[64];
	int go[2];

	atomic_store(&place->own, (64 + index * 128 + generation % 128) * 1024ul);
	atomic_store(&place->other, 0);
	atomic_store(&place->born, now());
	/* The same name again and again, or another one. */
	snprintf(name, sizeof name, "%u-%u", index, rand_r(seed) % 2 ? 0 : generation);
	if (pipe2(go, O_CLOEXEC) < 0 || !make_cgroups(name, atomic_load(&place->own)))
		return false;
	init = clone_as(CLONE_NEWPID, 1, pids);
	if (init == 0)
		run_init(place, go[0], pids, *seed);
	if (init < 0 || !join_cgroups(name, init) || write(go[1], "", 1) != 1)
		return false;
	close(go[0]);
	close(go[1]);
	pause_ms((unsigned)rand_r(seed) % 60 + 5);
	if (rand_r(seed) % 3 == 0)
		move_away(place, name, init);
	kill(init, SIGKILL);
	waitpid(init, NULL, 0);
	remove_cgroups(name);
	atomic_fetch_add(&all->births, 1);
	return true;
}

_Noreturn static void keep_place(unsigned index)
{
	unsigned seed = index * 7919 + 1;

	for (unsigned generation = 0; now() < plan.until; generation++) {
		rand_r(&seed);
		if (!live(index, generation, &seed)) {
			complain(&all->failed, "no container: %s", strerror(errno));
			_exit(EXIT_FAILURE);
		}
	}
	_exit(EXIT_SUCCESS);
}

/* Pids near the end of those there are, for nobody else to take meanwhile. */
static int choose_pids(void)
{
	char text[32] = "";
	int fd = open("/proc/sys/kernel/pid_max", O_RDONLY | O_CLOEXEC), max;

	if (fd < 0 || read(fd, text, sizeof text - 1) <= 0)
		return PIDS_FROM;
	close(fd);
	max = atoi(text);
	return max > PIDS_FROM + 1000 ? PIDS_FROM : max - 200;
}

static bool prepare(int argc, char **argv)
{
	char path[512];

	if (argc < 4)
		return false;
	plan.mount = argv[1];
	plan.until = now() + atof(argv[2]);
	plan.cgroup[0] = argv[3];
	plan.cgroup[1] = argc > 4 ? argv[4] : NULL;
	plan.limit = access(join(path, "%s/memory.max", argv[3]), F_OK) == 0
			     ? "memory.max"
			     : "memory.limit_in_bytes";
	plan.pids_from = choose_pids();
	all = mmap(NULL, sizeof *all, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return all != MAP_FAILED;
}

int main(int argc, char **argv)
{
	if (!prepare(argc, argv)) {
		fprintf(stderr, "usage: stress MOUNT SECONDS CGROUP [CGROUP-OF-V2]\n");
		return 2;
	}
	if (!make_cgroups("refuge", REFUGE_MIB * 1024ul)) {
		perror("stress: no cgroup");
		return 2;
	}
	for (unsigned i = 0; i < PLACES; i++)
		if (fork() == 0)
			keep_place(i);
	while (wait(NULL) > 0)
		;
	remove_cgroups("refuge");
	printf("births %lu reads %lu failed %lu wrong %lu triggers %lu\n", all->births, all->reads,
	       all->failed, all->wrong, all->triggers);
	if (*all->first)
		printf("first: %s\n", all->first);
	return all->failed || all->wrong || !all->births;
}
