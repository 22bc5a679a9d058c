/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lxcfs-inspect: what a process would read, and where each number came from; no FUSE involved. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/number.h"
#include "lxcfs.h"

struct inspection {
	struct lxcfs_options engine;
	struct lxcfs_caller caller;
	const char *path; /* NULL: every file below /proc */
	bool explain;
};

static void usage(FILE *to)
{
	fputs("Usage: lxcfs-inspect [options] PID [PATH]\n"
	      "\n"
	      "Prints what the process PID would read at PATH (such as /proc/meminfo), or lists "
	      "it\n"
	      "if it is a directory; without PATH every file below /proc.\n"
	      "\n"
	      "  -e, --explain        tell where each number came from instead\n"
	      "  -l, --enable-loadavg, -u, --disable-swap, --disable-zswap, --enable-cfs\n"
	      "                       as lxcfs was started\n"
	      "      --root DIR       look at a copy of a host's /proc and /sys\n"
	      "  -h, --help           this text\n"
	      "  -v, --version        the version\n",
	      to);
}

/* The file system uid and gid, the last numbers of the "Uid:" and "Gid:" lines. */
static unsigned status_id(const char *status, const char *key)
{
	const char *at = strstr(status, key);
	unsigned id = 0;

	if (at && sscanf(at + strlen(key), " %*u %*u %*u %u", &id) != 1)
		id = 0;
	return id;
}

static int caller_fill(const char *root, const char *word, struct lxcfs_caller *ret)
{
	AUTO_TEXT struct text status = { 0 };
	char path[4096];
	uint64_t pid;
	int r;

	if (number_parse(word, &pid) < 0 || pid == 0 || pid > INT32_MAX)
		return -EINVAL;
	snprintf(path, sizeof path, "%s/proc/%llu/status", root ? root : "",
		 (unsigned long long)pid);
	r = file_read_at(AT_FDCWD, path, &status);
	if (r < 0)
		return r == -ENOENT ? -ESRCH : r;
	*ret = (struct lxcfs_caller){
		.pid = (pid_t)pid,
		.uid = status_id(text_str(&status), "\nUid:"),
		.gid = status_id(text_str(&status), "\nGid:"),
	};
	return 0;
}

static int list_entry(void *arg, const char *name, mode_t type)
{
	(void)arg;
	printf("%s%s\n", name, S_ISDIR(type) ? "/" : S_ISLNK(type) ? "@" : "");
	return 0;
}

static int show_file(struct lxcfs *engine, const struct inspection *in, const char *path)
{
	AUTO_FREE char *text = NULL;
	size_t len = 0;
	int r;

	if (in->explain) {
		r = lxcfs_explain(engine, &in->caller, path, &text);
		len = r == 0 ? strlen(text) : 0;
	} else {
		r = lxcfs_render(engine, &in->caller, path, &text, &len);
	}
	if (r == 0)
		fwrite(text, 1, len, stdout);
	return r;
}

static int show(struct lxcfs *engine, const struct inspection *in, const char *path)
{
	struct stat st;
	int r = lxcfs_stat(engine, &in->caller, path, &st);

	if (r == 0 && S_ISDIR(st.st_mode))
		return lxcfs_list(engine, &in->caller, path, list_entry, NULL);
	return r < 0 ? r : show_file(engine, in, path);
}

struct show_all {
	struct lxcfs *engine;
	const struct inspection *in;
	const char *directory;
};

static int show_entry(void *arg, const char *name, mode_t type)
{
	const struct show_all *all = arg;
	char path[4096];

	snprintf(path, sizeof path, "%s/%s", all->directory, name);
	if (S_ISDIR(type)) {
		struct show_all below = { all->engine, all->in, path };

		return lxcfs_list(all->engine, &all->in->caller, path, show_entry, &below);
	}
	printf("==> %s <==\n", path);
	return show_file(all->engine, all->in, path);
}

/* Paths may be given as the process knows them, or relative to the mount point. */
static int inspect(const struct inspection *in)
{
	struct lxcfs *engine;
	int r = lxcfs_open(&in->engine, &engine);

	if (r < 0) {
		fprintf(stderr, "lxcfs-inspect: no host found below %s: %s\n",
			in->engine.root ? in->engine.root : "/", strerror(-r));
		return r;
	}
	if (in->path) {
		AUTO_TEXT struct text path = { 0 };

		text_printf(&path, "/%s", in->path + strspn(in->path, "/"));
		while (path.len > 1 && path.data[path.len - 1] == '/')
			path.data[--path.len] = '\0';
		r = path.error ? path.error : show(engine, in, path.data);
	} else {
		struct show_all all = { engine, in, "/proc" };

		r = lxcfs_list(engine, &in->caller, "/proc", show_entry, &all);
	}
	lxcfs_close(engine);
	if (r < 0)
		fprintf(stderr, "lxcfs-inspect: %s: %s\n", in->path ? in->path : "/proc",
			strerror(-r));
	return r;
}

enum { OPT_ROOT = 256, OPT_ZSWAP, OPT_CFS };

static const struct option long_options[] = {
	{ "explain", no_argument, NULL, 'e' },
	{ "enable-loadavg", no_argument, NULL, 'l' },
	{ "disable-swap", no_argument, NULL, 'u' },
	{ "disable-zswap", no_argument, NULL, OPT_ZSWAP },
	{ "enable-cfs", no_argument, NULL, OPT_CFS },
	{ "root", required_argument, NULL, OPT_ROOT },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'v' },
	{ 0 },
};

/* 0: go on; 1: all is said. */
static int option_apply(int option, struct inspection *in)
{
	switch (option) {
	case 'e':
		in->explain = true;
		return 0;
	case 'l':
		in->engine.flags |= LXCFS_LOADAVG;
		return 0;
	case 'u':
		in->engine.flags |= LXCFS_NO_SWAP;
		return 0;
	case OPT_ZSWAP:
		in->engine.flags |= LXCFS_NO_ZSWAP;
		return 0;
	case OPT_CFS:
		in->engine.flags |= LXCFS_CFS;
		return 0;
	case OPT_ROOT:
		in->engine.root = optarg;
		return 0;
	case 'h':
		usage(stdout);
		return 1;
	case 'v':
		puts(lxcfs_version());
		return 1;
	default:
		return -EINVAL;
	}
}

int main(int argc, char **argv)
{
	struct inspection in = { .engine = { .size = sizeof in.engine } };
	int option, r;

	while ((option = getopt_long(argc, argv, "eluhv", long_options, NULL)) != -1) {
		r = option_apply(option, &in);
		if (r)
			return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
	}
	if (argc - optind < 1 || argc - optind > 2) {
		usage(stderr);
		return EXIT_FAILURE;
	}
	in.path = argv[optind + 1];
	r = caller_fill(in.engine.root, argv[optind], &in.caller);
	if (r < 0) {
		fprintf(stderr, "lxcfs-inspect: %s: %s\n", argv[optind],
			r == -EINVAL ? "not a pid" : strerror(-r));
		return EXIT_FAILURE;
	}
	return inspect(&in) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
