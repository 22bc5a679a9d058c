/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What changes the cgroup tree: one caller makes, removes, writes, and gives away
 * anything it can name. Nothing outside its own cgroup may change or be seen, and
 * nothing at all by one without the rights.
 */
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "fuzz.h"
#include "lxcfs.h"
#include "machine.h"

#define CALLS_MAX 32 /* of one input */
#define COMPONENTS_MAX 6
#define NAME_LONGEST 64
#define WRITE_MAX 512
#define CHANGED_MAX 32 /* inputs that changed the machine before it is made anew */

static const struct who {
	int pid;
	uid_t uid;
	const char *own; /* the cgroup that it may see; NULL: none */
	bool may_change;
} callers[] = {
	{ MACHINE_BOX, 0, "/box", true },
	{ MACHINE_BOX, 1000, "/box", false },
	{ MACHINE_APP, 0, "/box", true },
	{ MACHINE_NESTED, 0, "/box/app/deep", true },
	{ MACHINE_USER, 100000, "/user", true },
	{ MACHINE_USER, 0, "/user", false }, /* the host's root is nobody there */
	{ MACHINE_USER, 100001, "/user", false },
	{ MACHINE_OTHER, 0, "/other", true },
	{ MACHINE_BARE, 0, "/box", false },
	{ MACHINE_SESSION, 0, "/user", true },
	{ MACHINE_GONE, 0, NULL, false },
};

static const char *const v1[] = { "memory", "cpu,cpuacct", "cpuset", "unified" };

static const char *const components[] = {
	"box",
	"app",
	"deep",
	"other",
	"user",
	"new",
	"..",
	".",
	"link",
	"cgroup.procs",
	"tasks",
	"cgroup.threads",
	"memory.max",
	"memory.limit_in_bytes",
	"cgroup.subtree_control",
	"cgroup.event_control",
	"memory.pressure",
	"cpuset.cpus",
};

static struct {
	const char *machine;
	int version;
	struct lxcfs *engine;
	unsigned changed; /* inputs that changed it since it was made */
	int first_fd;	  /* the lowest that is free without an engine */
	const char *own;  /* where a change is allowed while the machine is looked at */
	uint64_t print;
} all;

static int first_free(void)
{
	int fd = dup(STDERR_FILENO);

	close(fd);
	return fd;
}

/* What leads out of the container, were it followed. */
static void make_links(void)
{
	static const char *const hierarchies[] = { "memory", "unified" };
	char path[4096];

	for (size_t i = 0; i < ARRAY_SIZE(hierarchies); i++) {
		snprintf(path, sizeof path, "%s/cg/%s/box/link", all.machine, hierarchies[i]);
		FUZZ_REQUIRE(symlink("../other", path) == 0 || errno == ENOENT);
	}
}

static void make(int version)
{
	struct lxcfs_options o = { .size = sizeof o };

	all.first_fd = first_free();
	all.version = version;
	o.root = all.machine = machine_make(version);
	make_links();
	FUZZ_REQUIRE(lxcfs_open(&o, &all.engine) == 0);
}

static void forget(void)
{
	lxcfs_close(all.engine);
	FUZZ_REQUIRE(first_free() == all.first_fd);
	machine_forget(all.machine);
	all.machine = NULL;
	all.changed = 0;
}

/* Is the path, relative to a hierarchy's root, the cgroup or below it? */
static bool is_within(const char *path, const char *cgroup)
{
	size_t n = strlen(cgroup);

	return strncmp(path, cgroup, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

/* Adds what a change of this file would change. Sums, as the order of a walk is not fixed. */
static int print_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	const char *below = path + strlen(all.machine);
	char line[4096];

	(void)type, (void)ftw;
	if (strncmp(below, "/cg/", 4) == 0) {
		const char *cgroup = below + 4 + strcspn(below + 4, "/");

		if (all.own && is_within(cgroup, all.own))
			return 0;
	}
	/* A directory's time of change tells of what is made and removed in it. */
	snprintf(line, sizeof line, "%s %o %u %u %lld %llu %lld.%ld", below, st->st_mode,
		 st->st_uid, st->st_gid, (long long)st->st_size, (unsigned long long)st->st_ino,
		 (long long)st->st_ctim.tv_sec, st->st_ctim.tv_nsec);
	all.print += hash_string(line);
	return 0;
}

static uint64_t fingerprint(const struct who *who)
{
	all.own = who->may_change ? who->own : NULL;
	all.print = 0;
	FUZZ_REQUIRE(nftw(all.machine, print_entry, 64, FTW_PHYS) == 0);
	return all.print;
}

/* One component, without a slash and never empty. */
static void add_component(struct input *input, char *path, size_t size)
{
	uint8_t which = input_byte(input);
	AUTO_FREE char *any = which >= 240 ? input_string(input) : NULL;
	const char *name = any ? any : components[which % ARRAY_SIZE(components)];
	size_t len = strlen(path);

	for (char *p = any; p && (p = strchr(p, '/'));)
		*p = '_';
	snprintf(path + len, size - len, "/%.*s", NAME_LONGEST, *name ? name : "x");
}

static void take_path(struct input *input, char *path, size_t size)
{
	uint8_t shape = input_byte(input);

	snprintf(path, size, "/cgroup/%s", all.version == 1 ? v1[shape >> 4 & 3] : "unified");
	for (unsigned i = 0; i < (shape & 7) % (COMPONENTS_MAX + 1); i++)
		add_component(input, path, size);
}

/* Does the path lead, word by word, to where the caller may not see anything? */
static bool is_hidden(const struct who *who, const char *path)
{
	const char *below = path + strlen("/cgroup/");
	size_t n;

	below += strcspn(below, "/");
	n = strlen(below);
	if (strstr(below, "/.") || !who->own)
		return !who->own && n > 0;
	return !is_within(below, who->own) &&
	       !(strncmp(who->own, below, n) == 0 && (n == 0 || who->own[n] == '/'));
}

static void check_seen(const struct who *who, const struct lxcfs_caller *caller, const char *path)
{
	AUTO_FREE char *text = NULL;
	struct stat st;
	size_t len;
	int seen = lxcfs_stat(all.engine, caller, path, &st);
	int read = lxcfs_render(all.engine, caller, path, &text, &len);

	if (is_hidden(who, path))
		FUZZ_REQUIRE(seen < 0 && read < 0);
}

/* One call; 0 where it changed something. */
static int change(struct input *input, const struct lxcfs_caller *caller, const char *path)
{
	char data[WRITE_MAX];
	uint8_t what = input_byte(input);
	AUTO_FREE char *text = NULL;

	switch (what % 6) {
	case 0:
		return lxcfs_mkdir(all.engine, caller, path);
	case 1:
		return lxcfs_rmdir(all.engine, caller, path);
	case 2:
		return lxcfs_chmod(all.engine, caller, path, (mode_t)input_number(input, 2));
	case 3:
		return lxcfs_chown(all.engine, caller, path, (uid_t)input_number(input, 4),
				   (gid_t)input_number(input, 4));
	case 4: /* a pid, most of the time */
		snprintf(data, sizeof data, "%d\n", (int)input_byte(input) * (what & 64 ? 1 : 10));
		return lxcfs_write(all.engine, caller, path, data, strlen(data));
	default:
		text = input_string(input);
		return lxcfs_write(all.engine, caller, path, text, strnlen(text, WRITE_MAX));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	int version = (input_byte(&input) & 1) + 1;
	const struct who *who = &callers[input_byte(&input) % ARRAY_SIZE(callers)];
	struct lxcfs_caller caller = { .pid = who->pid, .uid = who->uid, .gid = who->uid };
	bool changed = false;
	uint64_t before;

	if (geteuid() != 0 && who->pid == MACHINE_USER)
		return 0; /* its cgroup could not be given to it */
	/* Earlier callers may have given away what this one must not change: chmod, chown. */
	if (all.machine && (all.version != version || (!who->may_change && all.changed)))
		forget();
	if (!all.machine)
		make(version);
	before = fingerprint(who);
	for (unsigned i = 0; i < CALLS_MAX && input.len; i++) {
		char path[1024];

		take_path(&input, path, sizeof path);
		check_seen(who, &caller, path);
		changed |= change(&input, &caller, path) == 0;
		check_seen(who, &caller, path);
	}
	FUZZ_REQUIRE(fingerprint(who) == before);
	all.changed += changed;
	if (all.changed == CHANGED_MAX)
		forget();
	return 0;
}
