/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The least that a FUSE server costs: the files of a directory, held in memory, served
 * the way lxcfs serves (a libfuse session on a clone of the device for each CPU, direct
 * I/O, a small max_write), without looking at who reads.
 * usage: floor DIRECTORY MOUNTPOINT, in the foreground until it is unmounted.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES_MAX 32
#define SESSIONS_MAX 64
#define TIMEOUT 3600.0
#define MAX_WRITE 16384

struct content {
	char *name, *data;
	size_t len;
};

struct floor {
	struct content file[FILES_MAX];
	size_t count;
	int device;
	char init[512]; /* the kernel's first request, played to every session */
	size_t init_size;
	struct fuse_session *session[SESSIONS_MAX];
};

static void die(const char *what)
{
	fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Node 1 is the directory, the files follow. */
static struct stat attributes(fuse_ino_t node)
{
	return (struct stat){
		.st_ino = node,
		.st_mode = node == FUSE_ROOT_ID ? S_IFDIR | 0555 : S_IFREG | 0444,
		.st_nlink = 1,
	};
}

static void floor_init(void *userdata, struct fuse_conn_info *conn)
{
	(void)userdata;
	conn->max_write = MAX_WRITE;
	conn->want &= FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_PARALLEL_DIROPS;
}

static void floor_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	const struct floor *f = fuse_req_userdata(req);

	(void)parent;
	for (size_t i = 0; i < f->count; i++) {
		struct fuse_entry_param e = { .ino = i + 2,
					      .attr_timeout = TIMEOUT,
					      .entry_timeout = TIMEOUT };

		if (strcmp(f->file[i].name, name) != 0)
			continue;
		e.attr = attributes(e.ino);
		fuse_reply_entry(req, &e);
		return;
	}
	fuse_reply_err(req, ENOENT);
}

static void floor_getattr(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
	struct stat st = attributes(node);

	(void)fi;
	fuse_reply_attr(req, &st, TIMEOUT);
}

static void floor_open(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
	(void)node;
	fi->direct_io = 1;
	fi->noflush = 1;
	fuse_reply_open(req, fi);
}

static void floor_read(fuse_req_t req, fuse_ino_t node, size_t size, off_t offset,
		       struct fuse_file_info *fi)
{
	const struct floor *f = fuse_req_userdata(req);
	const struct content *c = &f->file[node - 2];
	size_t at = (size_t)offset < c->len ? (size_t)offset : c->len;
	size_t n = c->len - at < size ? c->len - at : size;

	(void)fi;
	fuse_reply_buf(req, c->data + at, n);
}

static void load(struct floor *f, const char *directory)
{
	DIR *dir = opendir(directory);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)) && f->count < FILES_MAX) {
		struct content *c = &f->file[f->count];
		int fd = openat(dirfd(dir), entry->d_name, O_RDONLY);
		struct stat st;

		if (fd < 0 || fstat(fd, &st) < 0)
			die(entry->d_name);
		if (S_ISREG(st.st_mode)) {
			c->name = strdup(entry->d_name);
			c->data = malloc((size_t)st.st_size + 1);
			if (!c->name || !c->data ||
			    read(fd, c->data, (size_t)st.st_size) != st.st_size)
				die(entry->d_name);
			c->len = (size_t)st.st_size;
			f->count++;
		}
		close(fd);
	}
	if (!dir)
		die(directory);
	closedir(dir);
}

static void mount_device(struct floor *f, const char *mountpoint)
{
	char options[128], request[MAX_WRITE + 4096];
	ssize_t n;

	f->device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (f->device < 0)
		die("/dev/fuse");
	snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other",
		 f->device);
	if (mount("floor", mountpoint, "fuse.floor", MS_NOSUID | MS_NODEV, options) < 0)
		die(mountpoint);
	n = read(f->device, request, sizeof request);
	if (n <= 0 || (size_t)n > sizeof f->init)
		die("first request");
	memcpy(f->init, request, (size_t)n);
	f->init_size = (size_t)n;
}

static void open_session(struct floor *f, size_t index)
{
	static const struct fuse_lowlevel_ops ops = {
		.init = floor_init,
		.lookup = floor_lookup,
		.getattr = floor_getattr,
		.open = floor_open,
		.read = floor_read,
	};
	char *argv[] = { "floor", NULL }, path[32], init[sizeof f->init];
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);
	struct fuse_buf buf = { .size = f->init_size, .mem = init };
	int fd = f->device;

	if (index > 0) {
		fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
		if (fd < 0 || ioctl(fd, FUSE_DEV_IOC_CLONE, &f->device) < 0)
			die("clone");
	}
	snprintf(path, sizeof path, "/dev/fd/%d", fd);
	f->session[index] = fuse_session_new(&args, &ops, sizeof ops, f);
	if (!f->session[index] || fuse_session_mount(f->session[index], path) < 0)
		die("session");
	/* The first answers it; the others only learn what was agreed on. */
	memcpy(init, f->init, f->init_size);
	fuse_session_process_buf(f->session[index], &buf);
}

static void *serve(void *session)
{
	fuse_session_loop(session);
	return NULL;
}

int main(int argc, char **argv)
{
	static struct floor f;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	size_t count = cpus < SESSIONS_MAX ? (size_t)cpus : SESSIONS_MAX;
	pthread_t thread[SESSIONS_MAX];

	if (argc != 3) {
		fputs("usage: floor DIRECTORY MOUNTPOINT\n", stderr);
		return 2;
	}
	load(&f, argv[1]);
	mount_device(&f, argv[2]);
	for (size_t i = 0; i < count; i++)
		open_session(&f, i);
	for (size_t i = 0; i < count; i++)
		if (pthread_create(&thread[i], NULL, serve, f.session[i]))
			die("thread");
	for (size_t i = 0; i < count; i++)
		pthread_join(thread[i], NULL);
	return 0;
}
