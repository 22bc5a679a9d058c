/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The FUSE operations as a state machine, without a kernel: an input is a sequence
 * of requests as the kernel makes them, with any node, handle, offset, size, name,
 * text and caller, and with new workers in between. Every request has to get its
 * one answer, in the right form.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "fs.h"
#include "fuzz.h"
#include "lxcfs.h"
#include "machine.h"

#define REQUESTS_MAX 64 /* of one input */
#define REMEMBERED 32	/* nodes and handles that answers told of */
#define TEXT_MAX 4096	/* bytes of a name or of what is written */
#define REQUEST_MAX (TEXT_MAX + 4096)
#define NAME_LONGEST 255
#define CHANGED_MAX 16 /* inputs that changed the machine before it is made anew */

static const char *const names[] = {
	"proc",
	"meminfo",
	"stat",
	"uptime",
	"pressure",
	"cpu",
	"memory",
	"sys",
	"devices",
	"system",
	"online",
	"cpu0",
	"topology",
	"core_siblings",
	"cgroup",
	"unified",
	"box",
	"app",
	"deep",
	"other",
	"cgroup.procs",
	"tasks",
	"cgroup.threads",
	"memory.max",
	"memory.stat",
	"cpu.pressure",
	"cgroup.event_control",
	"new",
	"memory.limit_in_bytes",
	"cpu,cpuacct",
};

static const char *const paths[] = {
	"/",
	"/proc",
	"/proc/meminfo",
	"/proc/stat",
	"/proc/cpuinfo",
	"/proc/uptime",
	"/proc/loadavg",
	"/proc/diskstats",
	"/proc/swaps",
	"/proc/slabinfo",
	"/proc/pressure",
	"/proc/pressure/cpu",
	"/proc/pressure/io",
	"/proc/pressure/memory",
	"/sys/devices/system/cpu",
	"/sys/devices/system/cpu/online",
	"/sys/devices/system/cpu/cpu0/topology",
	"/sys/devices/system/cpu/cpu1",
	"/sys/devices/system/cpu/cpu0/topology/core_siblings",
	"/cgroup",
	"/cgroup/unified",
	"/cgroup/unified/box",
	"/cgroup/unified/box/app",
	"/cgroup/unified/box/app/deep",
	"/cgroup/unified/other",
	"/cgroup/unified/box/cgroup.procs",
	"/cgroup/unified/box/app/cgroup.procs",
	"/cgroup/unified/box/memory.max",
	"/cgroup/unified/box/cpu.pressure",
	"/cgroup/unified/box/app/memory.stat",
};

struct handle {
	uint64_t node, fh, next; /* where an earlier answer said that a listing goes on */
	bool text;		 /* it was read as a file, which the kernel does to no directory */
};

/* The request under way, and what is checked of its answer. */
struct asked {
	uint64_t unique;
	uint32_t opcode, size;
	bool listing; /* from whatever offset, it is whole entries */
	unsigned answers;
	int error;
	struct handle *handle;
};

static struct {
	struct fs_link link; /* first: what the operations find in their userdata */
	const char *machine;
	struct lxcfs *engine;
	struct fuse_session *session;
	struct shared shared;
	int null;    /* /dev/null */
	int pipe[2]; /* those that stand for pressure files */
	uint32_t instance;
	bool changed;	  /* this input changed the machine */
	unsigned changes; /* inputs that did since it was made */
	struct asked asked;
	uint64_t node[REMEMBERED];
	struct handle handle[REMEMBERED];
	size_t nodes, handles;
	_Alignas(8) unsigned char request[REQUEST_MAX];
} all;

static void remember_node(uint64_t node)
{
	all.node[all.nodes++ % REMEMBERED] = node;
}

/* Whole entries, none of them without a name. */
static void check_listing(const char *data, size_t len)
{
	size_t at = 0;

	while (at < len) {
		struct fuse_dirent d;

		FUZZ_REQUIRE(len - at >= FUSE_NAME_OFFSET);
		memcpy(&d, data + at, FUSE_NAME_OFFSET);
		at += FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + d.namelen);
		FUZZ_REQUIRE(d.namelen && at <= len && d.off > 0);
		all.asked.handle->next = d.off;
	}
}

static void check_entry(const void *body, size_t len)
{
	struct fuse_entry_out e;

	FUZZ_REQUIRE(len == sizeof e);
	memcpy(&e, body, sizeof e);
	FUZZ_REQUIRE(e.nodeid && e.attr.ino == e.nodeid);
	FUZZ_REQUIRE(S_ISREG(e.attr.mode) || S_ISDIR(e.attr.mode) || S_ISLNK(e.attr.mode) ||
		     S_ISFIFO(e.attr.mode));
	remember_node(e.nodeid);
}

static void check_open(const void *body, size_t len)
{
	struct fuse_open_out out;

	FUZZ_REQUIRE(len == sizeof out);
	memcpy(&out, body, sizeof out);
	FUZZ_REQUIRE(out.fh != 0);
	all.asked.handle = &all.handle[all.handles++ % REMEMBERED];
	*all.asked.handle = (struct handle){ .fh = out.fh };
}

static void check_body(const char *body, size_t len)
{
	const struct asked *a = &all.asked;
	struct fuse_write_out written;

	switch (a->opcode) {
	case FUSE_LOOKUP:
	case FUSE_MKDIR:
		check_entry(body, len);
		break;
	case FUSE_OPEN:
	case FUSE_OPENDIR:
		check_open(body, len);
		break;
	case FUSE_READ:
		FUZZ_REQUIRE(len <= a->size);
		break;
	case FUSE_READDIR:
		FUZZ_REQUIRE(len <= a->size);
		if (a->listing)
			check_listing(body, len);
		break;
	case FUSE_WRITE:
		FUZZ_REQUIRE(len == sizeof written);
		memcpy(&written, body, sizeof written);
		FUZZ_REQUIRE(written.size == a->size);
		break;
	default:
		break;
	}
}

static bool changes(uint32_t opcode)
{
	return opcode == FUSE_MKDIR || opcode == FUSE_RMDIR || opcode == FUSE_WRITE ||
	       opcode == FUSE_SETATTR;
}

/* In place of the kernel's end of the device. */
static ssize_t take_answer(int fd, struct iovec *iov, int count, void *userdata)
{
	char body[REQUEST_MAX + 65536];
	struct fuse_out_header out;
	size_t len = 0;

	(void)fd, (void)userdata;
	FUZZ_REQUIRE(count > 0 && iov[0].iov_len == sizeof out);
	memcpy(&out, iov[0].iov_base, sizeof out);
	for (int i = 1; i < count; i++) {
		FUZZ_REQUIRE(len + iov[i].iov_len <= sizeof body);
		if (iov[i].iov_len)
			memcpy(body + len, iov[i].iov_base, iov[i].iov_len);
		len += iov[i].iov_len;
	}
	FUZZ_REQUIRE(out.len == sizeof out + len);
	FUZZ_REQUIRE(out.unique == all.asked.unique && all.asked.answers++ == 0);
	FUZZ_REQUIRE(out.error <= 0 && out.error > -1000);
	FUZZ_REQUIRE(out.error == 0 || len == 0);
	all.asked.error = out.error;
	if (out.error == 0) {
		all.changed |= changes(all.asked.opcode);
		check_body(body, len);
	}
	return (ssize_t)out.len;
}

static ssize_t no_request(int fd, void *buf, size_t len, void *userdata)
{
	(void)fd, (void)buf, (void)len, (void)userdata;
	return 0;
}

static void send_request(struct fuse_in_header *in, const void *body, size_t len)
{
	struct fuse_buf buf = { .size = sizeof *in + len, .mem = all.request };

	FUZZ_REQUIRE(buf.size <= sizeof all.request);
	in->len = (uint32_t)buf.size;
	in->unique = ++all.asked.unique;
	memset(all.request, 0, sizeof all.request);
	memcpy(all.request, in, sizeof *in);
	if (len)
		memcpy(all.request + sizeof *in, body, len);
	all.asked.opcode = in->opcode;
	all.asked.answers = 0;
	fs_follow_host_view(all.link.fs);
	fuse_session_process_buf(all.session, &buf);
	if (in->opcode == FUSE_FORGET || in->opcode == FUSE_BATCH_FORGET)
		FUZZ_REQUIRE(all.asked.answers == 0);
	else
		FUZZ_REQUIRE(all.asked.answers == 1);
}

static void open_fs(void)
{
	struct fs_options o = {
		.engine = all.engine,
		.shared = &all.shared,
		.instance = ++all.instance,
		.notify_fd = all.null,
		.psi_poll = true,
	};

	FUZZ_REQUIRE(fs_open(&o, &all.link.fs) == 0);
}

/*
 * The container's CPU pressure takes triggers: those of a pipe, which never fire. An
 * open end of it here keeps others from waiting for one.
 */
static void make_machine(void)
{
	static const char *const boxes[ARRAY_SIZE(all.pipe)] = { "box", "box/app" };
	char path[4096];

	all.machine = machine_make(2);
	for (size_t i = 0; i < ARRAY_SIZE(boxes); i++) {
		snprintf(path, sizeof path, "%s/cg/unified/%s/cpu.pressure", all.machine, boxes[i]);
		FUZZ_REQUIRE(unlink(path) == 0 && mkfifo(path, 0644) == 0);
		all.pipe[i] = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
		FUZZ_REQUIRE(all.pipe[i] >= 0);
	}
	all.changes = 0;
}

static void open_engine(void)
{
	struct lxcfs_options o = { .size = sizeof o, .flags = LXCFS_LOADAVG | LXCFS_CFS };

	o.flags |= LXCFS_PSI_POLL;
	o.root = all.machine;
	FUZZ_REQUIRE(lxcfs_open(&o, &all.engine) == 0);
}

static void open_session(void)
{
	static const struct fuse_custom_io io = { .read = no_request, .writev = take_answer };
	struct fuse_lowlevel_ops ops = fs_operations(true);
	char *argv[] = { (char *)"fuzz", NULL };
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);
	struct fuse_in_header in = { .opcode = FUSE_INIT };
	struct fuse_init_in init = { .major = FUSE_KERNEL_VERSION,
				     .minor = FUSE_KERNEL_MINOR_VERSION,
				     .max_readahead = 65536,
				     .flags = UINT32_MAX & ~(uint32_t)FUSE_INIT_EXT };

	all.session = fuse_session_new(&args, &ops, sizeof ops, &all);
	fuse_opt_free_args(&args);
	FUZZ_REQUIRE(all.session && fuse_session_custom_io(all.session, &io, dup(all.null)) == 0);
	open_fs();
	send_request(&in, &init, sizeof init);
	fs_close(all.link.fs);
}

static void forget_machine(void)
{
	lxcfs_close(all.engine);
	for (size_t i = 0; i < ARRAY_SIZE(all.pipe); i++)
		close(all.pipe[i]);
	machine_forget(all.machine);
}

/* What was written to the pipes; they shall not fill up. */
static void drain(void)
{
	char text[4096];

	for (size_t i = 0; i < ARRAY_SIZE(all.pipe); i++)
		while (read(all.pipe[i], text, sizeof text) > 0)
			;
}

static void prepare(void)
{
	int state;

	all.changes += all.changed;
	all.changed = false;
	if (all.changes == CHANGED_MAX) {
		forget_machine();
		make_machine();
		open_engine();
	}
	if (all.session)
		return;
	all.null = open("/dev/null", O_RDWR | O_CLOEXEC);
	state = shared_create("", 1, 1, 4096);
	FUZZ_REQUIRE(all.null >= 0 && state >= 0 && shared_map(state, true, &all.shared) == 0);
	all.link.request = all.request;
	make_machine();
	open_engine();
	open_session();
}

/* A node of the table of paths, one that an answer told of, or any number. */
static uint64_t take_node(struct input *input)
{
	uint8_t which = input_byte(input);
	uint64_t node;

	if (which == UINT8_MAX)
		return input_number(input, 8);
	if (which >= 128 && all.nodes)
		return all.node[which % REMEMBERED];
	/* As from an earlier look-up; what is gone meanwhile is asked for by its old number. */
	if (lxcfs_node(all.engine, paths[which % ARRAY_SIZE(paths)], &node) < 0)
		return all.node[which % REMEMBERED];
	return node;
}

static struct handle *take_handle(struct input *input)
{
	uint8_t which = input_byte(input);
	struct handle *h = &all.handle[which % REMEMBERED];

	if (which >= 240)
		h->fh = input_number(input, 8);
	return h;
}

/* As the kernel passes them on: no slash, no NUL, not too long. */
static size_t take_name(struct input *input, char *to)
{
	uint8_t which = input_byte(input);
	AUTO_FREE char *any = NULL;
	const char *name = names[which % ARRAY_SIZE(names)];
	size_t len;

	if (which >= 224) {
		any = input_string(input);
		for (char *p = any; (p = strchr(p, '/'));)
			*p = '_';
		name = *any ? any : "x";
	}
	len = strnlen(name, NAME_LONGEST);
	memcpy(to, name, len);
	to[len] = '\0';
	return len + 1;
}

static size_t make_setattr(struct input *input, void *body)
{
	struct fuse_setattr_in s = { .valid = (uint32_t)input_number(input, 2) };

	s.mode = (uint32_t)input_number(input, 2);
	s.uid = (uint32_t)input_number(input, 4);
	s.gid = (uint32_t)input_number(input, 4);
	s.size = input_number(input, 2);
	memcpy(body, &s, sizeof s);
	return sizeof s;
}

static size_t make_read(struct input *input, uint32_t opcode, void *body)
{
	struct handle *h = take_handle(input);
	struct fuse_read_in r = { .fh = h->fh, .size = (uint32_t)input_number(input, 3) };
	uint8_t where = input_byte(input);

	r.offset = where < 64 ? 0 : where < 192 ? input_number(input, 2) : input_number(input, 7);
	if (opcode == FUSE_READDIR && where >= 32 && where < 128)
		r.offset = h->next;
	all.asked.size = r.size;
	h->text |= opcode == FUSE_READ;
	all.asked.listing = r.offset == 0 || !h->text;
	all.asked.handle = h;
	memcpy(body, &r, sizeof r);
	return sizeof r;
}

static size_t make_write(struct input *input, char *body)
{
	static const char *const texts[] = { "some 150000 1000000", "101", "0", "full 1 2", "" };
	struct fuse_write_in w = { .fh = take_handle(input)->fh };
	uint8_t which = input_byte(input);
	AUTO_FREE char *any = which >= 128 ? input_string(input) : NULL;
	const char *text = any ? any : texts[which % ARRAY_SIZE(texts)];

	w.size = (uint32_t)strnlen(text, TEXT_MAX);
	w.offset = input_number(input, 1);
	all.asked.size = w.size;
	memcpy(body, &w, sizeof w);
	memcpy(body + sizeof w, text, w.size);
	return sizeof w + w.size;
}

static size_t make_poll(struct input *input, void *body)
{
	struct fuse_poll_in p = { .fh = take_handle(input)->fh, .kh = input_number(input, 2) };

	p.flags = input_byte(input) & FUSE_POLL_SCHEDULE_NOTIFY;
	p.events = (uint32_t)input_number(input, 2);
	memcpy(body, &p, sizeof p);
	return sizeof p;
}

static size_t make_forgets(struct input *input, char *body)
{
	struct fuse_batch_forget_in b = { .count = input_byte(input) };

	memcpy(body, &b, sizeof b);
	for (uint32_t i = 0; i < b.count; i++) {
		struct fuse_forget_one one = { .nodeid = take_node(input), .nlookup = 1 };

		memcpy(body + sizeof b + i * sizeof one, &one, sizeof one);
	}
	return sizeof b + b.count * sizeof(struct fuse_forget_one);
}

/* What follows the header of a request; its length. */
static size_t make_body(struct input *input, uint32_t opcode, char *body)
{
	struct fuse_release_in release;
	uint32_t word;
	size_t at = 0;

	switch (opcode) {
	case FUSE_LOOKUP:
	case FUSE_RMDIR:
		return take_name(input, body);
	case FUSE_MKDIR:
		at = sizeof(struct fuse_mkdir_in);
		memset(body, 0, at);
		return at + take_name(input, body + at);
	case FUSE_SETATTR:
		return make_setattr(input, body);
	case FUSE_READ:
	case FUSE_READDIR:
		return make_read(input, opcode, body);
	case FUSE_WRITE:
		return make_write(input, body);
	case FUSE_POLL:
		return make_poll(input, body);
	case FUSE_BATCH_FORGET:
		return make_forgets(input, body);
	case FUSE_RELEASE:
	case FUSE_RELEASEDIR:
		release = (struct fuse_release_in){ .fh = take_handle(input)->fh };
		memcpy(body, &release, sizeof release);
		return sizeof release;
	default: /* flags, a mask, or what no operation looks at */
		word = (uint32_t)input_number(input, 2);
		memset(body, 0, 64);
		memcpy(body, &word, sizeof word);
		return 64;
	}
}

static void request(struct input *input)
{
	static const uint32_t opcodes[] = {
		FUSE_LOOKUP, FUSE_FORGET,  FUSE_GETATTR,      FUSE_SETATTR, FUSE_READLINK,
		FUSE_MKDIR,  FUSE_RMDIR,   FUSE_OPEN,	      FUSE_READ,    FUSE_WRITE,
		FUSE_STATFS, FUSE_RELEASE, FUSE_OPENDIR,      FUSE_READDIR, FUSE_RELEASEDIR,
		FUSE_ACCESS, FUSE_POLL,	   FUSE_BATCH_FORGET, FUSE_UNLINK,  FUSE_GETXATTR,
		FUSE_FLUSH,  FUSE_LSEEK,   FUSE_READDIRPLUS,  FUSE_IOCTL,
	};
	static const uint32_t uids[] = { 0, 0, 100000, 1000 };
	char body[REQUEST_MAX];
	uint8_t who;
	struct fuse_in_header in = {
		.opcode = opcodes[input_byte(input) % ARRAY_SIZE(opcodes)],
	};
	size_t len;

	who = input_byte(input);
	in.pid = (uint32_t)machine_pids[who % machine_pids_count];
	in.uid = in.gid = uids[who >> 4 & 3];
	all.link.replayed = who >> 7;
	in.nodeid = take_node(input);
	len = make_body(input, in.opcode, body);
	send_request(&in, body, len);
}

/* Something else than a request: a new worker, SIGUSR2, a tick, an unknown operation. */
static void event(struct input *input, uint8_t what)
{
	struct fuse_in_header in = { .opcode = 1000 };

	switch (what & 3) {
	case 0:
		fs_close(all.link.fs);
		open_fs();
		break;
	case 1:
		atomic_fetch_xor(&all.shared.header->host_view, 1);
		break;
	case 2:
		lxcfs_tick(all.engine);
		break;
	default:
		in.opcode = 60 + input_byte(input);
		send_request(&in, NULL, 0);
	}
}

/* What a worker leaves to the next, emptied. */
static void empty_state(void)
{
	struct shared_header *h = all.shared.header;

	atomic_store(&h->host_view, 0);
	memset((char *)h + h->triggers_offset, 0, (size_t)h->triggers * h->trigger_size);
	memset((char *)h + h->answers_offset, 0, (size_t)h->answers * h->answer_size);
	memset(all.handle, 0, sizeof all.handle);
	memset(all.node, 0, sizeof all.node);
	all.nodes = all.handles = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };

	prepare();
	drain();
	empty_state();
	open_fs();
	for (unsigned i = 0; i < REQUESTS_MAX && input.len; i++) {
		if (*input.data >= 250)
			event(&input, input_byte(&input));
		else
			request(&input);
	}
	fs_close(all.link.fs);
	return 0;
}
