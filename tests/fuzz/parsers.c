/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Every parser: the first byte says which, the rest is its text. Those of files are
 * reached through an engine on a machine with that file changed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/file.h"
#include "base/line.h"
#include "base/number.h"
#include "cgroup/cgroup.h"
#include "fuzz.h"
#include "lxcfs.h"
#include "machine.h"
#include "options.h"
#include "shared.h"
#include "view.h"

#define ARGUMENTS_MAX 64
#define DEPTH_MAX 12

static struct {
	const char *machine[2]; /* cgroup v1, v2 */
	struct cgroups *cgroups;
} all;

/* What was printed of a number is read as that number. */
static void numbers(struct input *input)
{
	AUTO_FREE char *s = input_string(input);
	uint64_t a = input_number(input, 8), b = input_number(input, 8), c = input_number(input, 8);
	AUTO_TEXT struct text printed = { 0 };
	uint64_t value = 0, again;
	const char *p = s;
	int r = number_take(&p, &value);

	FUZZ_REQUIRE(p >= s && p <= s + strlen(s));
	FUZZ_REQUIRE(r == 0 || r == -EINVAL || r == -ERANGE);
	FUZZ_REQUIRE(r != -EINVAL || p == s);
	if (r == 0) {
		text_u64(&printed, value, 0);
		FUZZ_REQUIRE(number_parse(text_str(&printed), &again) == 0 && again == value);
	}
	if (number_parse(s, &again) == 0)
		FUZZ_REQUIRE(r == 0 && again == value);
	if (c) {
		unsigned __int128 exact = (unsigned __int128)a * b / c;

		FUZZ_REQUIRE(number_scale(a, b, c) == (exact > UINT64_MAX ? UINT64_MAX : exact));
	}
	FUZZ_REQUIRE(number_add(a, b) >= number_max(a, b) && number_sub(a, b) <= a);
}

static void lines(struct input *input)
{
	static const struct field fields[] = { { "anon", 0 },
					       { "file", 8 },
					       { "file_mapped", 16 } };
	AUTO_FREE char *s = input_string(input);
	const char *cursor = s, *end = s + strlen(s);
	uint64_t out[3] = { 0 };
	struct line line, word;

	while (line_next(&cursor, &line)) {
		FUZZ_REQUIRE(line.start >= s && line.start + line.len <= end && cursor <= end);
		FUZZ_REQUIRE(!memchr(line.start, '\n', line.len));
		while (line_word(&line, &word))
			FUZZ_REQUIRE(word.len > 0 && word.start + word.len <= end);
	}
	FUZZ_REQUIRE(*cursor == '\0');
	fields_parse(s, fields, ARRAY_SIZE(fields), out);
}

static void cpulists(struct input *input)
{
	AUTO_FREE char *s = input_string(input);
	AUTO_TEXT struct text list = { 0 }, mask = { 0 };
	struct cpulist cpus, again;
	size_t cut = input_number(input, 2);

	if (cpulist_parse(s, &cpus) < 0 && cpulist_parse_mask(s, &cpus) < 0)
		return;
	cpulist_print(&cpus, &list);
	cpulist_print_mask(&cpus, CPULIST_MAX, &mask);
	FUZZ_REQUIRE(cpulist_parse(text_str(&list), &again) == 0);
	FUZZ_REQUIRE(memcmp(&cpus, &again, sizeof cpus) == 0);
	FUZZ_REQUIRE(cpulist_parse_mask(text_str(&mask), &again) == 0);
	FUZZ_REQUIRE(memcmp(&cpus, &again, sizeof cpus) == 0);
	cpulist_truncate(&again, cut);
	FUZZ_REQUIRE(cpulist_count(&again) == number_min(cut, cpulist_count(&cpus)));
	cpulist_and(&again, &cpus);
	FUZZ_REQUIRE(cpulist_count(&again) == number_min(cut, cpulist_count(&cpus)));
}

static void places(struct input *input)
{
	AUTO_FREE char *outer = input_string(input), *inner = input_string(input);
	struct cgroup_memory memory;
	struct cgroup_quota quota;
	struct cgroup_io io = { 0 };
	struct cgroup *cg;

	cgroup_text_contains(outer, inner);
	FUZZ_REQUIRE(cgroup_open(all.cgroups, outer, input_byte(input) & 1, &cg) == 0);
	for (size_t i = 0; i < all.cgroups->count; i++) {
		const char *path = cgroup_path(cg, i);

		FUZZ_REQUIRE(!path || *path == '/');
	}
	cgroup_read_memory(cg, NULL, &memory);
	cgroup_read_quota(cg, NULL, &quota);
	if (cgroup_read_io(cg, NULL, &io) == 0)
		cgroup_io_free(&io);
	cgroup_close(cg);
}

/* One argument a line. */
static void options(struct input *input)
{
	AUTO_FREE char *s = input_string(input);
	char *argv[ARGUMENTS_MAX + 2] = { (char *)"lxcfs" }, *rest = s, *word;
	struct options o;
	int argc = 1, r;

	while (argc <= ARGUMENTS_MAX && (word = strsep(&rest, "\n")))
		argv[argc++] = word;
	r = options_parse(argc, argv, &o);
	FUZZ_REQUIRE(r == 0 || (r == -EINVAL && *o.problem));
	if (r == 0 && o.action == OPTIONS_SERVE)
		FUZZ_REQUIRE(o.mountpoint && o.pidfile && o.source && o.mount_data);
	options_free(&o);
}

/* The state that an earlier version left; its header is what it wants. */
static void shared_state(struct input *input)
{
	AUTO_CLOSE int fd = shared_create("", 1, 2, 4096);
	struct shared shared;
	size_t len;
	AUTO_FREE char *header = input_rest(input, &len);

	if (len > sizeof(struct shared_header))
		len = sizeof(struct shared_header);
	FUZZ_REQUIRE(fd >= 0 && pwrite(fd, header, len, 0) == (ssize_t)len);
	if (shared_map(fd, true, &shared) < 0)
		return;
	FUZZ_REQUIRE(shared.slots > 0 && shared.slots <= SHARED_SLOTS_MAX);
	for (unsigned i = 0; i < shared.slots; i++) {
		shared_slot_pending(shared_slot(&shared, i));
		shared_slot_clear(shared_slot(&shared, i));
	}
	for (unsigned i = 0; i < shared.triggers; i++)
		shared_trigger(&shared, i)->text_size = 0;
	if (shared.history_size)
		memset(shared.history, 0, shared.history_size);
	shared_unmap(&shared);
}

static const char *const files[] = {
	"proc/mounts",
	"proc/meminfo",
	"proc/stat",
	"proc/uptime",
	"proc/cpuinfo",
	"proc/diskstats",
	"proc/loadavg",
	"proc/swaps",
	"proc/slabinfo",
	"proc/100/cgroup",
	"proc/100/status",
	"proc/100/stat",
	"proc/100/timens_offsets",
	"proc/101/cgroup",
	"proc/101/status",
	"proc/101/stat",
	"proc/200/status",
	"proc/300/status",
	"proc/300/uid_map",
	"proc/300/gid_map",
	"proc/1/cgroup",
	"sys/devices/system/cpu/online",
	"sys/devices/system/cpu/isolated",
	"sys/devices/system/cpu/enabled",
	"sys/devices/system/cpu/cpu0/topology/core_siblings",
	"sys/devices/system/cpu/cpu0/topology/core_siblings_list",
	"sys/devices/system/cpu/cpufreq/policy0/related_cpus",
	"cg/memory/box/memory.stat",
	"cg/memory/box/memory.limit_in_bytes",
	"cg/memory/box/memory.usage_in_bytes",
	"cg/memory/box/memory.memsw.usage_in_bytes",
	"cg/memory/box/memory.swappiness",
	"cg/memory/box/memory.kmem.slabinfo",
	"cg/memory/box/cgroup.procs",
	"cg/memory/box/tasks",
	"cg/cpu,cpuacct/box/cpu.cfs_quota_us",
	"cg/cpu,cpuacct/box/cpu.cfs_period_us",
	"cg/cpu,cpuacct/box/cpuacct.usage_all",
	"cg/cpu,cpuacct/box/cgroup.procs",
	"cg/cpuset/box/cpuset.effective_cpus",
	"cg/cpuset/box/cpuset.cpus",
	"cg/blkio/box/blkio.throttle.io_service_bytes_recursive",
	"cg/blkio/box/blkio.throttle.io_serviced_recursive",
	"cg/hugetlb/box/hugetlb.2MB.limit_in_bytes",
	"cg/hugetlb/box/hugetlb.2MB.usage_in_bytes",
	"cg/hugetlb/box/hugetlb.2MB.rsvd.usage_in_bytes",
	"cg/unified/cgroup.controllers",
	"cg/unified/box/memory.stat",
	"cg/unified/box/memory.max",
	"cg/unified/box/memory.current",
	"cg/unified/box/memory.swap.max",
	"cg/unified/box/memory.swap.current",
	"cg/unified/box/memory.pressure",
	"cg/unified/box/cpu.max",
	"cg/unified/box/cpu.stat",
	"cg/unified/box/cpu.pressure",
	"cg/unified/box/cpuset.cpus.effective",
	"cg/unified/box/io.stat",
	"cg/unified/box/hugetlb.2MB.max",
	"cg/unified/box/hugetlb.2MB.current",
	"cg/unified/box/cgroup.procs",
	"cg/unified/box/cgroup.threads",
};

/* One of those who ask, and what. */
struct visit {
	struct lxcfs *engine;
	const struct lxcfs_caller *caller;
	const char *path;
	unsigned depth;
};

static void read_path(const struct visit *v, const char *path)
{
	AUTO_FREE char *text = NULL;
	struct stat st;
	size_t len;

	lxcfs_stat(v->engine, v->caller, path, &st);
	lxcfs_access(v->engine, v->caller, path, R_OK);
	if (lxcfs_render(v->engine, v->caller, path, &text, &len) == 0)
		FUZZ_REQUIRE(text[len] == '\0');
}

/* Reads everything there is below a directory. */
static int visit_entry(void *arg, const char *name, mode_t type)
{
	const struct visit *v = arg;
	AUTO_FREE char *path = NULL;
	struct visit below = { v->engine, v->caller, NULL, v->depth + 1 };

	if (asprintf(&path, "%s/%s", v->path, name) < 0)
		return -ENOMEM;
	below.path = path;
	read_path(v, path);
	if (!S_ISDIR(type) || v->depth == DEPTH_MAX)
		return 0;
	return lxcfs_list(v->engine, v->caller, path, visit_entry, &below);
}

/* What the file has a part in: all views, the CPUs' directory, itself in the cgroup tree. */
static void visit_all(struct lxcfs *engine, pid_t pid, const char *file)
{
	struct lxcfs_caller caller = { .pid = pid };
	struct visit v = { engine, &caller, "/sys/devices/system/cpu", 0 };
	AUTO_FREE char *explanation = NULL;
	char in_tree[256];

	for (size_t row = 0; row < views_count; row++)
		read_path(&v, views[row].path);
	snprintf(in_tree, sizeof in_tree, "/cgroup/%s", file + strcspn(file, "/") + 1);
	read_path(&v, in_tree);
	if (strncmp(file, "sys/", 4) == 0)
		lxcfs_list(engine, &caller, v.path, visit_entry, &v);
	lxcfs_explain(engine, &caller, "/proc/meminfo", &explanation);
	lxcfs_tick(engine);
}

static void machine_file(struct input *input, const char *machine)
{
	static const pid_t pids[] = { MACHINE_BOX, MACHINE_APP, MACHINE_NESTED, MACHINE_USER };
	const char *file = files[input_byte(input) % ARRAY_SIZE(files)];
	uint8_t what = input_byte(input);
	struct lxcfs_options o = { .size = sizeof o, .root = machine };
	AUTO_CLOSE int rootfd = open(machine, O_PATH | O_DIRECTORY | O_CLOEXEC);
	AUTO_TEXT struct text before = { 0 };
	struct lxcfs *engine;
	size_t len;
	AUTO_FREE char *content = NULL;

	if (file_read_at(rootfd, file, &before) < 0)
		return; /* of the other version */
	o.flags = what & (LXCFS_LOADAVG | LXCFS_CFS | LXCFS_NO_SWAP | LXCFS_NO_ZSWAP);
	content = input_rest(input, &len);
	machine_write(machine, file, content, len);
	if (lxcfs_open(&o, &engine) == 0) {
		visit_all(engine, pids[what >> 4 & 3], file);
		lxcfs_close(engine);
	}
	machine_write(machine, file, text_str(&before), before.len);
}

static void file_of_v1(struct input *input)
{
	machine_file(input, all.machine[0]);
}

static void file_of_v2(struct input *input)
{
	machine_file(input, all.machine[1]);
}

static void prepare(void)
{
	AUTO_CLOSE int rootfd = -1;

	if (all.machine[0])
		return;
	all.machine[0] = machine_make(1);
	all.machine[1] = machine_make(2);
	rootfd = open(all.machine[0], O_PATH | O_DIRECTORY | O_CLOEXEC);
	FUZZ_REQUIRE(cgroups_open(rootfd, &all.cgroups) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const parsers[])(struct input *) = {
		numbers, lines, cpulists, places, options, shared_state, file_of_v1, file_of_v2,
	};
	struct input input = { data, size };

	prepare();
	parsers[input_byte(&input) % ARRAY_SIZE(parsers)](&input);
	return 0;
}
