/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * /sys/devices/system/cpu: the host's directory, read-only, without the CPUs that the
 * container does not have. The files that name CPUs name only its own.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/line.h"
#include "base/number.h"
#include "gather_cpu.h"
#include "permission.h"
#include "tree.h"
#include "view.h"

#define DIRECTORY "sys/devices/system/cpu"
#define DEPTH_MAX 8 /* "/cpu0/cpuidle/state1/s2idle/time" has 5 */

static void print_list(struct text *text, const struct cpulist *cpus)
{
	cpulist_print(cpus, text);
	text_putc(text, '\n');
}

void cpu_online_render(const struct snapshot *s, struct text *text)
{
	print_list(text, &s->cpus);
}

/* The kernel prints an empty list as an empty line. */
void cpu_offline_render(const struct snapshot *s, struct text *text)
{
	(void)s;
	text_putc(text, '\n');
}

void cpu_isolated_render(const struct snapshot *s, struct text *text)
{
	struct cpulist isolated;

	if (cpulist_parse(text_str(&s->host[HOST_ISOLATED]), &isolated) < 0)
		isolated = (struct cpulist){ 0 };
	cpulist_and(&isolated, &s->cpus);
	print_list(text, &isolated);
}

/* The visible CPUs; all there can be for the host's view. */
static int visible_cpus(const struct tree_call *call, struct cpulist *ret)
{
	struct snapshot snapshot = { 0 };
	int r = -ENODATA;

	if (call->container)
		r = gather_cpus(call->host, call->container, call->flags, NULL, &snapshot);
	if (r == -ENODATA)
		memset(ret, 0xff, sizeof *ret);
	else if (r == 0)
		*ret = snapshot.cpus;
	return r == -ENODATA ? 0 : r;
}

/* Is the name, up to a slash or its end, the prefix and a number as the kernel prints it? */
static bool numbered(const char *name, const char *prefix, uint64_t *ret)
{
	size_t n = strlen(prefix);
	const char *p = name + n;

	return strncmp(name, prefix, n) == 0 && (*p != '0' || p[1] == '\0' || p[1] == '/') &&
	       number_take(&p, ret) == 0 && (*p == '\0' || *p == '/');
}

/* "0 1 2 3", as cpufreq lists CPUs. */
static int words_parse(const char *s, struct cpulist *ret)
{
	struct cpulist list = { 0 };
	struct line line, word;

	if (!line_next(&s, &line))
		return -EINVAL;
	while (line_word(&line, &word)) {
		const char *p = word.start;
		uint64_t cpu;

		if (number_take(&p, &cpu) < 0 || p != word.start + word.len)
			return -EINVAL;
		cpulist_add(&list, cpu);
	}
	*ret = list;
	return 0;
}

static void words_print(const struct cpulist *cpus, struct text *text)
{
	bool first = true;

	cpulist_each(cpu, cpus) {
		if (!first)
			text_putc(text, ' ');
		first = false;
		text_u64(text, cpu, 0);
	}
}

/* A frequency domain is visible with any of its CPUs: "/cpufreq/policy3". */
static bool policy_visible(const struct host *host, uint64_t policy, const struct cpulist *cpus)
{
	AUTO_TEXT struct text text = { 0 };
	struct cpulist related;
	char path[128];

	snprintf(path, sizeof path, DIRECTORY "/cpufreq/policy%llu/related_cpus",
		 (unsigned long long)policy);
	if (file_read_at(host->rootfd, path, &text) < 0 ||
	    words_parse(text_str(&text), &related) < 0)
		return cpulist_has(cpus, policy);
	cpulist_and(&related, cpus);
	return cpulist_count(&related) > 0;
}

/* Is the path, or what it lies in, a CPU's that is not the container's? */
static bool path_hidden(const struct host *host, const char *path, const struct cpulist *cpus)
{
	uint64_t number;

	if (numbered(path, "/cpu", &number))
		return !cpulist_has(cpus, number);
	return numbered(path, "/cpufreq/policy", &number) && !policy_visible(host, number, cpus);
}

/* No "", "." and "..": each file has one path, and none leads out of what was asked for. */
static bool path_clean(const char *path)
{
	while (*path == '/') {
		size_t n = strcspn(++path, "/");

		if (!n || (n <= 2 && strncmp(path, "..", n) == 0))
			return false;
		path += n;
	}
	return *path == '\0';
}

/* What the path of this tree is called below the host's root. */
static int host_path(const char *path, char buf[PATH_MAX])
{
	int n;

	if (!path_clean(path))
		return -ENOENT;
	n = snprintf(buf, PATH_MAX, DIRECTORY "%s", path);
	return n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* Opens what is visible at the path; an fd. */
static int open_visible(const struct tree_call *call, const char *path, const struct cpulist *cpus,
			int flags)
{
	char name[PATH_MAX];
	int r = host_path(path, name);

	if (r < 0)
		return r;
	if (path_hidden(call->host, path, cpus))
		return -ENOENT;
	return file_open_beneath(call->host->rootfd, name, flags);
}

/* Type, mode and owner are the host's; nothing else there is would be of use to anyone. */
static int stat_fd(int fd, struct stat *ret)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode) && !S_ISLNK(st.st_mode))
		return -ENOENT;
	if (S_ISREG(st.st_mode))
		st.st_size = 0; /* as in procfs; sysfs says a page for any text */
	if (S_ISDIR(st.st_mode))
		st.st_nlink = 1; /* "not counted": the host's would tell how many CPUs it has */
	*ret = st;
	return 0;
}

static int cpu_stat(const struct tree_call *call, const char *path, struct stat *ret)
{
	AUTO_CLOSE int fd = -1;
	struct cpulist cpus;
	int r = visible_cpus(call, &cpus);

	if (r < 0)
		return r;
	fd = open_visible(call, path, &cpus, O_PATH | O_NOFOLLOW);
	return fd < 0 ? fd : stat_fd(fd, ret);
}

static int cpu_access(const struct tree_call *call, const char *path, int mask)
{
	struct stat st = { 0 };
	int r = cpu_stat(call, path, &st);

	if (r < 0)
		return r;
	if (mask & W_OK)
		return -EACCES;
	return permission_check(call->host->procfd, call->caller, st.st_mode, st.st_uid, st.st_gid,
				mask);
}

/* The type of a directory's entry; 0 for what is not shown. */
static mode_t entry_type(int dirfd, const struct dirent *entry)
{
	struct stat st;

	if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
		return 0;
	if (entry->d_type == DT_REG || entry->d_type == DT_DIR || entry->d_type == DT_LNK)
		return (mode_t)DTTOIF(entry->d_type);
	if (entry->d_type != DT_UNKNOWN ||
	    fstatat(dirfd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	st.st_mode &= S_IFMT;
	return S_ISREG(st.st_mode) || S_ISDIR(st.st_mode) || S_ISLNK(st.st_mode) ? st.st_mode : 0;
}

/* Opens a directory for reading; the fd is consumed. */
static int dir_open(int fd, DIR **ret)
{
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	int r = fd < 0 ? fd : -errno;

	if (!dir) {
		cleanup_close(&fd);
		return r;
	}
	*ret = dir;
	return 0;
}

static int cpu_list(const struct tree_call *call, const char *path,
		    int (*each)(void *arg, const char *name, mode_t type), void *arg)
{
	AUTO_CLOSEDIR DIR *dir = NULL;
	const struct dirent *entry;
	struct cpulist cpus;
	int r = visible_cpus(call, &cpus);

	if (r == 0)
		r = dir_open(open_visible(call, path, &cpus, O_RDONLY | O_DIRECTORY), &dir);
	while (r == 0 && (entry = readdir(dir))) {
		mode_t type = entry_type(dirfd(dir), entry);
		char child[PATH_MAX];

		if (!type ||
		    snprintf(child, sizeof child, "%s/%s", path, entry->d_name) >= PATH_MAX)
			continue;
		if (!path_hidden(call->host, child, &cpus))
			r = each(arg, entry->d_name, type);
	}
	return r;
}

static int cpu_readlink(const struct tree_call *call, const char *path, struct text *target)
{
	AUTO_CLOSE int fd = -1;
	char link[PATH_MAX];
	struct cpulist cpus;
	struct stat st;
	int r = visible_cpus(call, &cpus);

	if (r < 0)
		return r;
	fd = open_visible(call, path, &cpus, O_PATH | O_NOFOLLOW);
	r = fd < 0 ? fd : stat_fd(fd, &st);
	if (r == 0)
		r = S_ISLNK(st.st_mode) ? file_readlink_at(fd, "", link, sizeof link) : -EINVAL;
	if (r < 0)
		return r;
	text_puts(target, link);
	return target->error;
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && strcmp(s + n - m, end) == 0;
}

/* How a file names CPUs. */
enum notation { NO_CPUS, LIST, MASK, WORDS };

static enum notation notation_of(const char *path)
{
	if (strcmp(path, "/enabled") == 0 || strcmp(path, "/nohz_full") == 0 ||
	    ends_with(path, "_list"))
		return LIST;
	if (ends_with(path, "_cpus"))
		return strstr(path, "/cpufreq/") ? WORDS : MASK;
	return ends_with(path, "_siblings") || ends_with(path, "_map") ? MASK : NO_CPUS;
}

static size_t count_digits(const char *s)
{
	size_t digits = 0;

	for (; *s && *s != '\n'; s++)
		digits += *s != ',';
	return digits;
}

/* Takes others' CPUs out of a file's text; a text in no known notation stays as it is. */
static void filter(enum notation notation, const struct cpulist *cpus, struct text *text)
{
	size_t digits = number_min(count_digits(text_str(text)), CPULIST_MAX / 4);
	struct cpulist list;
	int r = -EINVAL;

	if (notation == LIST)
		r = cpulist_parse(text_str(text), &list);
	else if (notation == MASK)
		r = cpulist_parse_mask(text_str(text), &list);
	else if (notation == WORDS)
		r = words_parse(text_str(text), &list);
	if (r < 0)
		return;
	cpulist_and(&list, cpus);
	text_clear(text);
	if (notation == LIST)
		cpulist_print(&list, text);
	else if (notation == MASK)
		cpulist_print_mask(&list, digits * 4, text);
	else
		words_print(&list, text);
	text_putc(text, '\n');
}

static int cpu_read(const struct tree_call *call, const char *path, struct text *text)
{
	AUTO_TEXT struct text content = { 0 };
	AUTO_CLOSE int fd = -1;
	struct cpulist cpus;
	int r = visible_cpus(call, &cpus);

	if (r < 0)
		return r;
	fd = open_visible(call, path, &cpus, O_RDONLY | O_NONBLOCK);
	r = fd < 0 ? fd : file_read(fd, &content);
	if (r < 0)
		return r;
	filter(notation_of(path), &cpus, &content);
	text_append(text, text_str(&content), content.len);
	return content.error ? content.error : text->error;
}

/*
 * A node number can be turned back into its path by a walk that looks at few
 * directories, without a memory of what was asked before: it begins with the number of
 * the CPU that the path leads to, goes on with some bits of the second name's hash, and
 * ends with a hash of the whole path.
 */
#define NODE_BITS 62
#define FIRST_BITS 14
#define SECOND_BITS 10
#define WHOLE_BITS (NODE_BITS - FIRST_BITS - SECOND_BITS)
#define NO_CPU (((uint64_t)1 << FIRST_BITS) - 1)

static uint64_t low_bits(uint64_t hash, unsigned bits)
{
	hash ^= hash >> 32;
	return (hash ^ hash >> 16) & (((uint64_t)1 << bits) - 1);
}

static uint64_t node_first(const char *path)
{
	uint64_t cpu;

	return numbered(path, "/cpu", &cpu) && cpu < NO_CPU ? cpu : NO_CPU;
}

static uint64_t node_second(const char *path)
{
	const char *second = *path ? strchr(path + 1, '/') : NULL;
	char name[NAME_MAX + 1] = "";

	if (second)
		snprintf(name, sizeof name, "%.*s", (int)strcspn(second + 1, "/"), second + 1);
	return low_bits(hash_string(name), SECOND_BITS);
}

static uint64_t node_of(const char *path)
{
	return node_first(path) << (SECOND_BITS + WHOLE_BITS) | node_second(path) << WHOLE_BITS |
	       low_bits(hash_string(path), WHOLE_BITS);
}

static int cpu_node(const struct host *host, const char *path, uint64_t *ret)
{
	(void)host;
	if (!path_clean(path))
		return -ENOENT;
	*ret = node_of(path);
	return 0;
}

/* The search for a node's path; `path` is the directory looked at, and in the end the answer. */
struct search {
	const struct host *host;
	uint64_t node;
	char path[PATH_MAX];
};

/* May the node lie below the directory `path` at this depth? */
static bool node_below(const struct search *s, unsigned depth)
{
	uint64_t first = s->node >> (SECOND_BITS + WHOLE_BITS);
	uint64_t second = s->node >> WHOLE_BITS & (((uint64_t)1 << SECOND_BITS) - 1);

	if (node_first(s->path) != first)
		return false;
	return depth < 2 || node_second(s->path) == second;
}

static bool search_in(struct search *s, unsigned depth)
{
	AUTO_CLOSEDIR DIR *dir = NULL;
	size_t len = strlen(s->path);
	const struct dirent *entry;
	char name[PATH_MAX];

	if (depth > DEPTH_MAX || host_path(s->path, name) < 0 ||
	    dir_open(file_open_beneath(s->host->rootfd, name, O_RDONLY | O_DIRECTORY), &dir) < 0)
		return false;
	while ((entry = readdir(dir))) {
		mode_t type = entry_type(dirfd(dir), entry);
		size_t more = strlen(entry->d_name) + 1;

		if (!type || len + more >= sizeof s->path)
			continue;
		s->path[len] = '/';
		memcpy(s->path + len + 1, entry->d_name, more);
		if (node_of(s->path) == s->node)
			return true;
		if (S_ISDIR(type) && node_below(s, depth) && search_in(s, depth + 1))
			return true;
	}
	s->path[len] = '\0';
	return false;
}

static int cpu_node_path(const struct host *host, uint64_t node, struct text *path)
{
	uint64_t first = node >> (SECOND_BITS + WHOLE_BITS);
	struct search s = { .host = host, .node = node };
	bool found = node == node_of("");

	if (!found && first != NO_CPU) {
		snprintf(s.path, sizeof s.path, "/cpu%u", (unsigned)first);
		found = node == node_of(s.path) || search_in(&s, 2);
	} else if (!found) {
		found = search_in(&s, 1);
	}
	if (!found)
		return -ENOENT;
	text_puts(path, s.path);
	return path->error;
}

/* What some callers see and others do not is not to be remembered for all. */
static bool cpu_is_fixed(const char *path)
{
	uint64_t number;

	return !numbered(path, "/cpu", &number) && strncmp(path, "/cpufreq/", 9) != 0;
}

const struct tree sys_cpu_tree = {
	.prefix = "/" DIRECTORY,
	.stat = cpu_stat,
	.list = cpu_list,
	.access = cpu_access,
	.read = cpu_read,
	.readlink = cpu_readlink,
	.node = cpu_node,
	.node_path = cpu_node_path,
	.is_fixed = cpu_is_fixed,
};
