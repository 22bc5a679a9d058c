/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The FUSE operations on top of the engine. */
#include "fs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "answers.h"
#include "base/cleanup.h"
#include "owner.h"
#include "triggers.h"

/* Seconds that the kernel may keep names and attributes which are the same for everybody. */
#define FIXED_TIMEOUT 3600.0

/* The largest piece answered at once; what is asked beyond comes as a short read. */
#define PIECE_MAX 32768

/*
 * The size that the kernel takes a file to have, while stat(2) shows 0 as in procfs. Since
 * Linux 6.5 a size of 0 ends sendfile(2), splice(2) and copy_file_range(2) before they ask
 * us: busybox's cat would print nothing.
 */
#define SIZE_KEPT 65536

#define INSTANCE_SHIFT 44 /* of a file handle: 20 bits of instance, 44 of a counter */

struct fs {
	struct lxcfs *engine;
	const struct shared *shared;
	struct answers *answers;
	struct triggers *triggers;  /* NULL without psi_poll */
	int notify_fd;		    /* not owned */
	uint64_t instance;	    /* shifted */
	_Atomic uint64_t handles;   /* given out so far */
	_Atomic uint32_t host_view; /* as the engine was last told */
};

/* What every operation starts from. */
struct call {
	struct fs *fs;
	const struct fs_link *link;
	struct lxcfs_caller caller;
	char *path; /* of the node, owned */
	int r;	    /* 0, or why the path is not known */
};

static void call_end(struct call *call)
{
	free(call->path);
}

#define AUTO_CALL AUTO(call_end)

static struct call call_begin(fuse_req_t req, fuse_ino_t node)
{
	const struct fs_link *link = fuse_req_userdata(req);
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	struct call call = { .fs = link->fs, .link = link };

	call.caller = (struct lxcfs_caller){ .pid = ctx->pid, .uid = ctx->uid, .gid = ctx->gid };
	call.r = lxcfs_node_path(link->fs->engine, node, &call.path);
	return call;
}

/* The path of a name in a directory, to be freed. */
static int child_path(const struct call *dir, const char *name, char **ret)
{
	const char *above = strcmp(dir->path, "/") ? dir->path : "";

	return asprintf(ret, "%s/%s", above, name) < 0 ? -ENOMEM : 0;
}

static double timeout_of(const struct fs *fs, const char *path)
{
	return lxcfs_is_fixed(fs->engine, path) ? FIXED_TIMEOUT : 0;
}

/* A file's size must be asked for, see fs_getattr(). */
static double attr_timeout_of(const struct fs *fs, const char *path, const struct stat *st)
{
	return S_ISREG(st->st_mode) ? 0 : timeout_of(fs, path);
}

static bool is_sizeless(const struct stat *st)
{
	return S_ISREG(st->st_mode) && st->st_size == 0;
}

/*
 * Makes the kernel pass the size of the coming answer on to who asks, and keep its own:
 * attributes that are older than the last word on the inode do not change it
 * (fuse_change_attributes() in fs/fuse/inode.c).
 */
static void keep_size(const struct fs *fs, fuse_ino_t node)
{
	struct fuse_notify_inval_inode_out inode = { .ino = node, .off = -1 }; /* no pages */
	struct fuse_out_header header = { .len = sizeof(header) + sizeof(inode),
					  .error = FUSE_NOTIFY_INVAL_INODE };
	struct iovec iov[] = { { &header, sizeof(header) }, { &inode, sizeof(inode) } };

	/* ENOENT: the kernel has forgotten the inode, and with it the size. */
	if (writev(fs->notify_fd, iov, 2) < 0)
		return;
}

static uint64_t new_handle(struct fs *fs)
{
	return fs->instance | (atomic_fetch_add(&fs->handles, 1) + 1);
}

static bool is_pressure(const char *path)
{
	return !strncmp(path, "/proc/pressure/", 15);
}

static int find_entry(const struct call *call, const char *path, struct fuse_entry_param *ret)
{
	struct fuse_entry_param e = { .entry_timeout = timeout_of(call->fs, path) };
	int r = lxcfs_stat(call->fs->engine, &call->caller, path, &e.attr);

	if (r == 0)
		r = lxcfs_node(call->fs->engine, path, &e.ino);
	if (r < 0)
		return r;
	e.attr.st_ino = e.ino;
	e.attr_timeout = attr_timeout_of(call->fs, path, &e.attr);
	if (is_sizeless(&e.attr))
		e.attr.st_size = SIZE_KEPT;
	*ret = e;
	return 0;
}

static void reply_entry(fuse_req_t req, const struct call *call, const char *path)
{
	struct fuse_entry_param e;
	int r = find_entry(call, path, &e);

	if (r < 0)
		fuse_reply_err(req, -r);
	else
		fuse_reply_entry(req, &e);
}

/* `size` is for a file that has none of its own. */
static void reply_attr(fuse_req_t req, const struct call *call, fuse_ino_t node, size_t size)
{
	struct stat st;
	int r = call->r;

	if (r == 0)
		r = lxcfs_stat(call->fs->engine, &call->caller, call->path, &st);
	if (r < 0) {
		fuse_reply_err(req, -r);
		return;
	}
	st.st_ino = node;
	if (is_sizeless(&st))
		st.st_size = (off_t)size;
	if (is_sizeless(&st))
		keep_size(call->fs, node);
	fuse_reply_attr(req, &st, attr_timeout_of(call->fs, call->path, &st));
}

static void fs_init(void *userdata, struct fuse_conn_info *conn)
{
	(void)userdata;
	/* A request has to fit into its journal slot, in this version and the next. */
	conn->max_write = SHARED_MAX_WRITE;
	/*
	 * All versions have to serve what the first worker of a mount asked for here, so it
	 * must never be more; of what a later one asks beyond that nothing comes (session.c).
	 */
	/* Texts differ by reader: no cache of the kernel's, so nothing to keep true. */
	/* Nor FUSE_CAP_ATOMIC_O_TRUNC, with which the kernel takes a truncated file for empty. */
	conn->want &= FUSE_CAP_PARALLEL_DIROPS;
}

static void fs_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	AUTO_CALL struct call call = call_begin(req, parent);
	AUTO_FREE char *path = NULL;
	int r = call.r;

	if (r == 0)
		r = child_path(&call, name, &path);
	if (r < 0)
		fuse_reply_err(req, -r);
	else
		reply_entry(req, &call, path);
}

/* Node ids are numbers of paths, there is nothing to forget. */
static void fs_forget(fuse_req_t req, fuse_ino_t node, uint64_t count)
{
	(void)node;
	(void)count;
	fuse_reply_none(req);
}

static void fs_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	(void)count;
	(void)forgets;
	fuse_reply_none(req);
}

/* The kernel's number of the request that is being carried out. */
static uint64_t request_of(const struct fs_link *link)
{
	struct fuse_in_header in;

	memcpy(&in, link->request, sizeof(in));
	return in.unique;
}

static void put_answer(const struct call *call, uint64_t handle, char *text, size_t len)
{
	answers_put(call->fs->answers, handle, request_of(call->link), (uint32_t)call->caller.pid,
		    text, len);
}

/*
 * The length of an open file's text, which is made for the reads to come. Never 0: who
 * seeks to the end and reads from there finds none, and splice(2) needs it.
 */
static size_t length_of(const struct call *call, uint64_t handle)
{
	char *text;
	size_t len;

	if (call->r < 0 ||
	    lxcfs_render(call->fs->engine, &call->caller, call->path, &text, &len) < 0)
		return SIZE_KEPT;
	put_answer(call, handle, text, len);
	return len ? len : 1;
}

/* The kernel gives the handle when somebody seeks to the end, and not for fstat(2). */
static void fs_getattr(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
	AUTO_CALL struct call call = call_begin(req, node);

	reply_attr(req, &call, node, fi ? length_of(&call, fi->fh) : 0);
}

static int change(const struct call *call, const struct stat *st, int what)
{
	struct lxcfs *engine = call->fs->engine;
	int r = 0;

	if (what & FUSE_SET_ATTR_MODE)
		r = lxcfs_chmod(engine, &call->caller, call->path, st->st_mode & 07777);
	if (r == 0 && what & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID))
		r = lxcfs_chown(engine, &call->caller, call->path,
				what & FUSE_SET_ATTR_UID ? st->st_uid : (uid_t)-1,
				what & FUSE_SET_ATTR_GID ? st->st_gid : (gid_t)-1);
	/* Truncating and touching change nothing, for those who may. */
	if (r == 0 && what & (FUSE_SET_ATTR_SIZE | FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME))
		r = lxcfs_access(engine, &call->caller, call->path, W_OK);
	return r;
}

static void fs_setattr(fuse_req_t req, fuse_ino_t node, struct stat *st, int what,
		       struct fuse_file_info *fi)
{
	AUTO_CALL struct call call = call_begin(req, node);

	/* Who has the file open for writing has been asked already. */
	if (call.r == 0 && !(fi && what == FUSE_SET_ATTR_SIZE))
		call.r = change(&call, st, what);
	reply_attr(req, &call, node, SIZE_KEPT);
}

static void fs_readlink(fuse_req_t req, fuse_ino_t node)
{
	AUTO_CALL struct call call = call_begin(req, node);
	AUTO_FREE char *target = NULL;
	int r = call.r;

	if (r == 0)
		r = lxcfs_readlink(call.fs->engine, &call.caller, call.path, &target);
	if (r < 0)
		fuse_reply_err(req, -r);
	else
		fuse_reply_readlink(req, target);
}

static void fs_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	AUTO_CALL struct call call = call_begin(req, parent);
	AUTO_FREE char *path = NULL;
	int r = call.r;

	(void)mode; /* cgroupfs has its own */
	if (r == 0)
		r = child_path(&call, name, &path);
	if (r == 0)
		r = lxcfs_mkdir(call.fs->engine, &call.caller, path);
	if (r == -EEXIST && call.link->replayed)
		r = 0; /* made by the worker that could not say so any more */
	if (r < 0)
		fuse_reply_err(req, -r);
	else
		reply_entry(req, &call, path);
}

static void fs_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	AUTO_CALL struct call call = call_begin(req, parent);
	AUTO_FREE char *path = NULL;
	int r = call.r;

	if (r == 0)
		r = child_path(&call, name, &path);
	if (r == 0)
		r = lxcfs_rmdir(call.fs->engine, &call.caller, path);
	if (r == -ENOENT && call.link->replayed)
		r = 0;
	fuse_reply_err(req, -r);
}

static int mask_of(int flags)
{
	switch (flags & O_ACCMODE) {
	case O_RDONLY:
		return R_OK;
	case O_WRONLY:
		return W_OK;
	default:
		return R_OK | W_OK;
	}
}

static void fs_open_file(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
	AUTO_CALL struct call call = call_begin(req, node);
	int r = call.r;

	if (r == 0)
		r = lxcfs_access(call.fs->engine, &call.caller, call.path, mask_of(fi->flags));
	if (r < 0) {
		fuse_reply_err(req, -r);
		return;
	}
	fi->fh = new_handle(call.fs);
	fi->direct_io = 1;
	fi->noflush = 1;
	fuse_reply_open(req, fi);
}

/*
 * A read at 0 is: a held fd that is rewound sees what is true now. But a request
 * that an earlier worker may have answered must be answered with the same text.
 */
static bool is_new_look(const struct fs_link *link, uint64_t handle, off_t offset)
{
	if (offset > 0)
		return false;
	return !link->replayed || !answers_knows(link->fs->answers, handle, request_of(link));
}

/*
 * Makes the text for the reader of this moment, copies the piece asked for and
 * keeps the text while there is more to deliver.
 */
static int render_piece(const struct call *call, uint64_t handle, size_t offset, char *piece,
			size_t size, size_t *ret_len)
{
	char *text;
	size_t len, n = 0;
	int r = lxcfs_render(call->fs->engine, &call->caller, call->path, &text, &len);

	if (r < 0)
		return r;
	if (offset < len)
		n = len - offset < size ? len - offset : size;
	if (n)
		memcpy(piece, text + offset, n);
	put_answer(call, handle, text, len);
	*ret_len = n;
	return 0;
}

/*
 * Does the kernel read into its page cache, for splice(2) or mmap(2)? Such a page would be shown
 * to other containers. Reads past the cache name their lock owner (fuse_send_read() in
 * fs/fuse/file.c), others never.
 */
static bool is_for_cache(const struct fs_link *link)
{
	struct fuse_read_in in;

	memcpy(&in, link->request + sizeof(struct fuse_in_header), sizeof(in));
	return !(in.read_flags & FUSE_READ_LOCKOWNER);
}

static void fs_read(fuse_req_t req, fuse_ino_t node, size_t size, off_t offset,
		    struct fuse_file_info *fi)
{
	const struct fs_link *link = fuse_req_userdata(req);
	char piece[PIECE_MAX];
	size_t len = 0;
	int r = 0;

	if (is_for_cache(link)) {
		fuse_reply_err(req, EINVAL); /* as who cannot splice; then read(2) is tried */
		return;
	}
	if (size > sizeof(piece))
		size = sizeof(piece);
	/* A read at 0 is a new look; a held fd that is rewound sees what is true now. */
	if (is_new_look(link, fi->fh, offset) ||
	    !answers_get(link->fs->answers, fi->fh, (uint64_t)offset, piece, size, &len)) {
		AUTO_CALL struct call call = call_begin(req, node);

		r = call.r;
		if (r == 0)
			r = render_piece(&call, fi->fh, (size_t)offset, piece, size, &len);
	}
	if (r < 0)
		fuse_reply_err(req, -r);
	else
		fuse_reply_buf(req, piece, len);
}

static void fs_write(fuse_req_t req, fuse_ino_t node, const char *data, size_t size, off_t offset,
		     struct fuse_file_info *fi)
{
	AUTO_CALL struct call call = call_begin(req, node);
	struct fs *fs = call.fs;
	int r = call.r;

	(void)offset; /* as cgroupfs: every write is a command of its own */
	if (r == 0 && fs->triggers && is_pressure(call.path)) {
		r = triggers_arm(fs->triggers, &call.caller, fi->fh, call.path, data, size);
		if (r == -EBUSY && call.link->replayed)
			r = 0;
	} else if (r == 0) {
		r = lxcfs_write(fs->engine, &call.caller, call.path, data, size);
	}
	if (r < 0)
		fuse_reply_err(req, -r);
	else
		fuse_reply_write(req, size);
}

static void fs_release(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
	const struct fs_link *link = fuse_req_userdata(req);

	(void)node;
	answers_drop(link->fs->answers, fi->fh);
	if (link->fs->triggers)
		triggers_drop(link->fs->triggers, fi->fh);
	fuse_reply_err(req, 0);
}

static void fs_opendir(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
	AUTO_CALL struct call call = call_begin(req, node);
	int r = call.r;

	if (r == 0)
		r = lxcfs_access(call.fs->engine, &call.caller, call.path, R_OK);
	if (r < 0) {
		fuse_reply_err(req, -r);
		return;
	}
	fi->fh = new_handle(call.fs);
	fuse_reply_open(req, fi);
}

/* A listing as the kernel takes it: struct fuse_dirent after the other, offsets counted in bytes.
 */
struct listing {
	const struct call *call;
	char *data;
	size_t len, cap;
};

static int add_name(struct listing *l, const char *name, uint64_t node, mode_t type)
{
	struct stat st = { .st_ino = node, .st_mode = type };
	size_t need = fuse_add_direntry(NULL, NULL, 0, name, NULL, 0);

	if (l->len + need > l->cap) {
		size_t cap = l->cap * 2 + need + 1024;
		char *data = realloc(l->data, cap);

		if (!data)
			return -ENOMEM;
		l->data = data;
		l->cap = cap;
	}
	fuse_add_direntry(NULL, l->data + l->len, l->cap - l->len, name, &st,
			  (off_t)(l->len + need));
	l->len += need;
	return 0;
}

static int add_child(void *arg, const char *name, mode_t type)
{
	struct listing *l = arg;
	AUTO_FREE char *path = NULL;
	uint64_t node;
	int r = child_path(l->call, name, &path);

	if (r == 0)
		r = lxcfs_node(l->call->fs->engine, path, &node);
	if (r == -ENOENT)
		return 0; /* gone meanwhile */
	return r < 0 ? r : add_name(l, name, node, type);
}

static uint64_t node_above(const struct call *call)
{
	AUTO_FREE char *path = strdup(call->path);
	char *slash = path ? strrchr(path, '/') : NULL;
	uint64_t node = FUSE_ROOT_ID;

	if (!slash || slash == path)
		return node;
	*slash = '\0';
	lxcfs_node(call->fs->engine, path, &node);
	return node;
}

static int list(const struct call *call, fuse_ino_t node, char **ret, size_t *ret_len)
{
	struct listing l = { .call = call };
	int r = add_name(&l, ".", node, S_IFDIR);

	if (r == 0)
		r = add_name(&l, "..", node_above(call), S_IFDIR);
	if (r == 0)
		r = lxcfs_list(call->fs->engine, &call->caller, call->path, add_child, &l);
	if (r != 0) {
		free(l.data);
		return r;
	}
	*ret = l.data;
	*ret_len = l.len;
	return 0;
}

/* The end of the last whole entry within the first `size` bytes. */
static size_t whole_entries(const char *data, size_t size)
{
	size_t end = 0;

	while (end + FUSE_NAME_OFFSET <= size) {
		struct fuse_dirent d;

		memcpy(&d, data + end, FUSE_NAME_OFFSET);
		if (FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + (size_t)d.namelen) > size - end)
			break;
		end += FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + (size_t)d.namelen);
	}
	return end;
}

/* The first entry at or behind an offset that an earlier listing gave. */
static size_t entry_at(const char *data, size_t len, size_t offset)
{
	size_t at = 0;

	while (at < len && at < offset) {
		struct fuse_dirent d;

		memcpy(&d, data + at, FUSE_NAME_OFFSET);
		at += FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + (size_t)d.namelen);
	}
	return at;
}

/*
 * Does an entry of the kept listing begin there? Any offset comes from lseek(2), and in
 * between a name would be taken for an entry. `room` is for PIECE_MAX bytes.
 */
static bool is_kept_entry(const struct fs *fs, uint64_t handle, uint64_t offset, char *room)
{
	uint64_t at = 0;

	while (at < offset) {
		size_t len, n;

		if (!answers_get(fs->answers, handle, at, room, PIECE_MAX, &len))
			return false;
		if (len == 0)
			return true; /* the end */
		n = whole_entries(room, offset - at < len ? (size_t)(offset - at) : len);
		if (n == 0)
			return false;
		at += n;
	}
	return true;
}

static int list_piece(const struct call *call, fuse_ino_t node, uint64_t handle, size_t offset,
		      char *piece, size_t size, size_t *ret_len)
{
	char *data;
	size_t len, at, n;
	int r = list(call, node, &data, &len);

	if (r != 0)
		return r;
	at = entry_at(data, len, offset);
	n = whole_entries(data + at, len - at < size ? len - at : size);
	memcpy(piece, data + at, n);
	put_answer(call, handle, data, len);
	*ret_len = n;
	return 0;
}

static void fs_readdir(fuse_req_t req, fuse_ino_t node, size_t size, off_t offset,
		       struct fuse_file_info *fi)
{
	const struct fs_link *link = fuse_req_userdata(req);
	char piece[PIECE_MAX];
	size_t len = 0;
	int r = 0;

	if (size > sizeof(piece))
		size = sizeof(piece);
	if (offset > 0 && is_kept_entry(link->fs, fi->fh, (uint64_t)offset, piece) &&
	    answers_get(link->fs->answers, fi->fh, (uint64_t)offset, piece, size, &len)) {
		len = whole_entries(piece, len);
	} else {
		AUTO_CALL struct call call = call_begin(req, node);

		r = call.r;
		if (r == 0)
			r = list_piece(&call, node, fi->fh, (size_t)offset, piece, size, &len);
	}
	if (r < 0)
		fuse_reply_err(req, -r);
	else
		fuse_reply_buf(req, piece, len);
}

static void fs_access(fuse_req_t req, fuse_ino_t node, int mask)
{
	AUTO_CALL struct call call = call_begin(req, node);
	int r = call.r;

	if (r == 0)
		r = lxcfs_access(call.fs->engine, &call.caller, call.path, mask);
	fuse_reply_err(req, -r);
}

static void fs_statfs(fuse_req_t req, fuse_ino_t node)
{
	struct statvfs st = { .f_namemax = 255 };

	(void)node;
	fuse_reply_statfs(req, &st);
}

/* The kernel's name for the open file, which libfuse does not show. */
static uint64_t poll_key_of(const struct fs_link *link)
{
	struct fuse_poll_in in;

	memcpy(&in, link->request + sizeof(struct fuse_in_header), sizeof(in));
	return in.flags & FUSE_POLL_SCHEDULE_NOTIFY ? in.kh : 0;
}

static void fs_poll(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi,
		    struct fuse_pollhandle *ph)
{
	AUTO_CALL struct call call = call_begin(req, node);
	unsigned events = POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;

	if (call.r == 0 && is_pressure(call.path))
		events = triggers_poll(call.fs->triggers, &call.caller, fi->fh,
				       poll_key_of(call.link));
	if (ph)
		fuse_pollhandle_destroy(ph);
	fuse_reply_poll(req, events);
}

struct fuse_lowlevel_ops fs_operations(bool psi_poll)
{
	return (struct fuse_lowlevel_ops){
		.init = fs_init,
		.lookup = fs_lookup,
		.forget = fs_forget,
		.forget_multi = fs_forget_multi,
		.getattr = fs_getattr,
		.setattr = fs_setattr,
		.readlink = fs_readlink,
		.mkdir = fs_mkdir,
		.rmdir = fs_rmdir,
		.open = fs_open_file,
		.read = fs_read,
		.write = fs_write,
		.release = fs_release,
		.opendir = fs_opendir,
		.readdir = fs_readdir,
		.releasedir = fs_release,
		.access = fs_access,
		.statfs = fs_statfs,
		.poll = psi_poll ? fs_poll : NULL, /* without, libfuse says ENOSYS once */
	};
}

int fs_open(const struct fs_options *o, struct fs **ret)
{
	struct fs *fs = calloc(1, sizeof(*fs));
	int r = 0;

	if (!fs)
		return -ENOMEM;
	fs->engine = o->engine;
	fs->shared = o->shared;
	fs->notify_fd = o->notify_fd;
	fs->instance = (uint64_t)o->instance << INSTANCE_SHIFT;
	fs->answers = answers_new(o->shared, owner_of);
	if (!fs->answers)
		r = -ENOMEM;
	else if (o->psi_poll)
		r = triggers_open(o->engine, o->shared, o->notify_fd, &fs->triggers);
	if (r < 0) {
		fs_close(fs);
		return r;
	}
	fs_follow_host_view(fs);
	*ret = fs;
	return 0;
}

void fs_close(struct fs *fs)
{
	if (!fs)
		return;
	triggers_close(fs->triggers);
	answers_free(fs->answers);
	free(fs);
}

void fs_follow_host_view(struct fs *fs)
{
	uint32_t wanted = atomic_load(&fs->shared->header->host_view);

	if (atomic_exchange(&fs->host_view, wanted) != wanted)
		lxcfs_set_host_view(fs->engine, wanted);
}
