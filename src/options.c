/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command line of lxcfs. */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "base/cleanup.h"
#include "lxcfs.h"

enum {
	OPT_CFS = 256,
	OPT_CGROUP,
	OPT_NO_CGROUP,
	OPT_NOTHING,
	OPT_PSI_POLL,
	OPT_REATTACH,
	OPT_RUNTIME_DIR,
};

static const struct option long_options[] = {
	{ "debug", no_argument, NULL, 'd' },
	{ "disable-cgroup", no_argument, NULL, OPT_NO_CGROUP },
	{ "disable-swap", no_argument, NULL, 'u' },
	{ "disable-zswap", no_argument, NULL, 'z' },
	{ "enable-cfs", no_argument, NULL, OPT_CFS },
	{ "enable-cgroup", no_argument, NULL, OPT_CGROUP },
	{ "enable-loadavg", no_argument, NULL, 'l' },
	{ "enable-pidfd", no_argument, NULL, OPT_NOTHING },
	{ "enable-psi-poll", no_argument, NULL, OPT_PSI_POLL },
	{ "foreground", no_argument, NULL, 'f' },
	{ "help", no_argument, NULL, 'h' },
	{ "pidfile", required_argument, NULL, 'p' },
	{ "reattach", optional_argument, NULL, OPT_REATTACH },
	{ "runtime-dir", required_argument, NULL, OPT_RUNTIME_DIR },
	{ "version", no_argument, NULL, 'v' },
	{ NULL, 0, NULL, 0 },
};

/* What -o knows: a flag to set or clear, a word for the kernel, or nothing to do. */
struct mount_option {
	const char *name; /* with "=" where a value follows */
	unsigned long set, clear;
	bool pass; /* to the kernel, in the data of mount(2) */
};

static const struct mount_option mount_options[] = {
	{ "ro", MS_RDONLY, 0, false },
	{ "rw", 0, MS_RDONLY, false },
	{ "nosuid", MS_NOSUID, 0, false },
	{ "suid", 0, MS_NOSUID, false },
	{ "nodev", MS_NODEV, 0, false },
	{ "dev", 0, MS_NODEV, false },
	{ "noexec", MS_NOEXEC, 0, false },
	{ "exec", 0, MS_NOEXEC, false },
	{ "noatime", MS_NOATIME, 0, false },
	{ "atime", 0, MS_NOATIME, false },
	{ "nodiratime", MS_NODIRATIME, 0, false },
	{ "relatime", MS_RELATIME, 0, false },
	{ "strictatime", MS_STRICTATIME, MS_RELATIME, false },
	{ "sync", MS_SYNCHRONOUS, 0, false },
	{ "async", 0, MS_SYNCHRONOUS, false },
	{ "dirsync", MS_DIRSYNC, 0, false },
	{ "context=", 0, 0, true },
	{ "fscontext=", 0, 0, true },
	{ "defcontext=", 0, 0, true },
	{ "rootcontext=", 0, 0, true },
	/* Always so, or of no meaning here; old unit files name them. */
	{ "allow_other", 0, 0, false },
	{ "auto_unmount", 0, 0, false },
	{ "clone_fd", 0, 0, false },
	{ "debug", 0, 0, false },
	{ "defaults", 0, 0, false },
	{ "direct_io", 0, 0, false },
	{ "intr", 0, 0, false },
	{ "nonempty", 0, 0, false },
	{ "use_ino", 0, 0, false },
	{ "ac_attr_timeout=", 0, 0, false },
	{ "attr_timeout=", 0, 0, false },
	{ "entry_timeout=", 0, 0, false },
	{ "max_idle_threads=", 0, 0, false },
	{ "max_threads=", 0, 0, false },
	{ "negative_timeout=", 0, 0, false },
	{ "subtype=", 0, 0, false },
};

const char *options_help(void)
{
	return "Usage: lxcfs [options] MOUNTPOINT\n"
	       "\n"
	       "Shows containers a /proc, /sys and cgroup tree of their own size.\n"
	       "\n"
	       "  -d, --debug            print every request (FUSE debug output)\n"
	       "      --disable-cgroup   leave MOUNTPOINT/cgroup an empty directory\n"
	       "  -f, --foreground       accepted; lxcfs always stays in the foreground\n"
	       "  -h, --help             print this help\n"
	       "  -l, --enable-loadavg   show each container its own load average\n"
	       "  -o OPTS                mount options: ro, nosuid, noexec, fsname=, context= ...\n"
	       "  -p, --pidfile FILE     pid file, default RUNTIME_DIR/lxcfs.pid\n"
	       "  -s                     accepted and ignored\n"
	       "  -u, --disable-swap     show no swap\n"
	       "  -v, --version          print the version\n"
	       "  -z, --disable-zswap    show no zswap\n"
	       "      --enable-cfs       show as many CPUs as the CPU quota buys\n"
	       "      --enable-cgroup    accepted; the cgroup tree is on unless disabled\n"
	       "      --enable-pidfd     accepted and ignored; pidfds are always used\n"
	       "      --enable-psi-poll  let containers poll their pressure files\n"
	       "      --reattach         give running containers with dead views those of the\n"
	       "                         lxcfs on MOUNTPOINT, default " MOUNTPOINT ", and end\n"
	       "      --runtime-dir DIR  where the pid file goes by default, default " RUNTIME_PATH
	       "\n"
	       "\n"
	       "Signals: USR1 starts a new worker from the installed files, USR2 switches\n"
	       "between the containers' and the host's view, TERM unmounts and ends.\n";
}

__attribute__((format(printf, 2, 3))) static int problem(struct options *o, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(o->problem, sizeof(o->problem), format, args);
	va_end(args);
	return -EINVAL;
}

static int set_string(char **where, const char *value)
{
	char *copy = strdup(value);

	if (!copy)
		return -ENOMEM;
	free(*where);
	*where = copy;
	return 0;
}

static int add_mount_data(struct options *o, const char *word)
{
	char *data;

	if (asprintf(&data, "%s,%s", o->mount_data, word) < 0)
		return -ENOMEM;
	free(o->mount_data);
	o->mount_data = data;
	return 0;
}

static const struct mount_option *find_mount_option(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(mount_options); i++) {
		const char *name = mount_options[i].name;
		size_t len = strlen(name);

		if (name[len - 1] == '=' ? !strncmp(word, name, len) : !strcmp(word, name))
			return &mount_options[i];
	}
	return NULL;
}

static int take_mount_option(struct options *o, const char *word)
{
	const struct mount_option *m;

	if (!*word)
		return 0;
	if (!strncmp(word, "fsname=", 7) && word[7])
		return set_string(&o->source, word + 7);
	m = find_mount_option(word);
	if (!m)
		return problem(o, "unknown mount option -o %s: see lxcfs --help", word);
	o->mount_flags = (o->mount_flags | m->set) & ~m->clear;
	return m->pass ? add_mount_data(o, word) : 0;
}

/* Splits at commas, but not inside of double quotes: context="u:r:t:s0:c1,c2". */
static int take_mount_options(struct options *o, const char *list)
{
	AUTO_FREE char *copy = strdup(list);
	bool quoted = false;
	int r = 0;

	if (!copy)
		return -ENOMEM;
	for (char *word = copy, *p = copy; r == 0; p++) {
		char c = *p;

		if (c == '"')
			quoted = !quoted;
		if (c && (c != ',' || quoted))
			continue;
		*p = '\0';
		r = take_mount_option(o, word);
		if (!c)
			break;
		word = p + 1;
	}
	return r;
}

static int take_flag(struct options *o, int c)
{
	static const struct {
		int c;
		unsigned flag;
	} flags[] = {
		{ 'l', LXCFS_LOADAVG },		  { 'u', LXCFS_NO_SWAP },
		{ 'z', LXCFS_NO_ZSWAP },	  { OPT_CFS, LXCFS_CFS },
		{ OPT_PSI_POLL, LXCFS_PSI_POLL }, { OPT_NO_CGROUP, LXCFS_NO_CGROUP },
	};

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (flags[i].c == c)
			o->engine_flags |= flags[i].flag;
	return 0;
}

static int take_option(struct options *o, int c, const char *word, char **runtime_dir)
{
	switch (c) {
	case 'd':
		o->debug = true;
		return 0;
	case 'h':
		o->action = OPTIONS_HELP;
		return 0;
	case 'v':
		o->action = OPTIONS_VERSION;
		return 0;
	case 'o':
		return take_mount_options(o, optarg);
	case 'p':
		return set_string(&o->pidfile, optarg);
	case OPT_REATTACH:
		o->action = OPTIONS_REATTACH;
		return optarg ? set_string(&o->reattach_devices, optarg) : 0;
	case OPT_RUNTIME_DIR:
		return set_string(runtime_dir, optarg);
	case OPT_CGROUP:
		o->engine_flags &= ~(unsigned)LXCFS_NO_CGROUP;
		return 0;
	case ':':
		return problem(o, "option %s needs a value: see lxcfs --help", word);
	case '?':
		return problem(o, "unknown option %s: see lxcfs --help", word);
	default:
		return take_flag(o, c);
	}
}

static int set_defaults(struct options *o)
{
	*o = (struct options){ .mount_flags = MS_NOSUID | MS_NODEV };
	o->source = strdup("lxcfs");
	o->mount_data = strdup("");
	return o->source && o->mount_data ? 0 : -ENOMEM;
}

static int finish(struct options *o, const char *runtime_dir, int argc, char **argv)
{
	if (o->action == OPTIONS_HELP || o->action == OPTIONS_VERSION)
		return 0;
	if (o->action == OPTIONS_REATTACH && argc == optind)
		return set_string(&o->mountpoint, MOUNTPOINT);
	if (argc - optind < 1)
		return problem(o, "no mount point given: lxcfs [options] MOUNTPOINT");
	if (argc - optind > 1)
		return problem(o, "one mount point is enough, %s is too much", argv[optind + 1]);
	if (!o->pidfile && asprintf(&o->pidfile, "%s/lxcfs.pid", runtime_dir) < 0) {
		o->pidfile = NULL;
		return -ENOMEM;
	}
	return set_string(&o->mountpoint, argv[optind]);
}

int options_parse(int argc, char **argv, struct options *o)
{
	AUTO_FREE char *runtime_dir = strdup(RUNTIME_PATH);
	int c, r = set_defaults(o);

	if (r < 0 || !runtime_dir)
		return -ENOMEM;
	optind = 0; /* glibc: start anew, also when called twice */
	opterr = 0;
	for (;;) {
		int at = optind ? optind : 1;
		char letter[3] = "-";

		c = getopt_long(argc, argv, ":dfhlo:p:suvz", long_options, NULL);
		if (c < 0)
			break;
		letter[1] = (char)optopt;
		/* A bad letter inside of "-lx" is named by itself, a long option as written. */
		r = take_option(o, c,
				optopt > 0 && optopt < 256 ? letter
							   : argv[at < optind ? optind - 1 : at],
				&runtime_dir);
		if (r < 0)
			return r;
	}
	return finish(o, runtime_dir, argc, argv);
}

void options_free(struct options *o)
{
	free(o->mountpoint);
	free(o->reattach_devices);
	free(o->pidfile);
	free(o->source);
	free(o->mount_data);
}
