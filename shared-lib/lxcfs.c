/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The engine: finds the view of a path, gathers what it needs for the caller's
 * container and renders it. The only place that decides to show the host's file.
 */
#include "lxcfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/hash.h"
#include "container.h"
#include "gather.h"
#include "history.h"
#include "host.h"
#include "load.h"
#include "permission.h"
#include "personality.h"
#include "tree.h"
#include "view.h"

#define FILES_KEPT_MAX 1792
#define MOVES_MAX 16 /* how often a caller is followed to another cgroup in one read */
#define ROOT_NODE 1
#define NODE_BITS 62
#define NODE_MASK (((uint64_t)1 << NODE_BITS) - 1)

/* What the two highest bits of a node say; views are numbered by the hash of their path. */
enum node_kind { NODE_VIEW = 1, NODE_SYS_CPU = 2, NODE_CGROUP = 3 };

static const struct {
	const struct tree *tree;
	enum node_kind kind;
} trees[] = {
	{ &sys_cpu_tree, NODE_SYS_CPU },
	{ &cgroup_tree, NODE_CGROUP },
};

struct lxcfs {
	struct host host;
	struct containers *containers;
	struct history *history;
	struct load *load; /* NULL without LXCFS_LOADAVG */
	unsigned flags;
	atomic_bool host_view;
	mode_t *mode;	/* of every view, its type included; 0: hidden, the host has no such file */
	uint64_t *node; /* of every view */
};

const char *lxcfs_version(void)
{
	return LXCFS_VERSION;
}

static uint64_t view_node(const char *path)
{
	return (uint64_t)NODE_VIEW << NODE_BITS | (hash_string(path) & NODE_MASK);
}

/* A view exists where the host has its file, and is as readable as that. */
static int modes_fill(struct lxcfs *engine)
{
	engine->mode = calloc(views_count, sizeof *engine->mode);
	engine->node = calloc(views_count, sizeof *engine->node);
	if (!engine->mode || !engine->node)
		return -ENOMEM;
	for (size_t i = 0; i < views_count; i++) {
		const struct view *view = &views[i];
		struct stat st;

		engine->node[i] = view_node(view->path);
		engine->mode[i] = view->mode;
		if (!view->host)
			continue;
		if (fstatat(engine->host.rootfd, view->host, &st, 0) < 0)
			engine->mode[i] = 0;
		else
			engine->mode[i] = S_IFREG | (st.st_mode & 0777);
	}
	return 0;
}

static unsigned host_cpu_count(const struct host *host)
{
	struct cpulist cpus;

	if (host_cpus(host, &cpus) < 0)
		return (unsigned)sysconf(_SC_NPROCESSORS_CONF);
	return (unsigned)cpulist_count(&cpus);
}

/*
 * Open files of cgroups that are kept: bounded, and such that with what is kept for callers,
 * namespaces (see containers_open()) and tasks they are at most half of what the process may have.
 */
static int files_kept_max(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return 0;
	return files.rlim_cur / 5 < FILES_KEPT_MAX ? (int)(files.rlim_cur / 5) : FILES_KEPT_MAX;
}

static int engine_open(struct lxcfs *engine, const struct lxcfs_options *options)
{
	int r = host_open(options->root, &engine->host);

	if (r < 0)
		return r;
	engine->host.cgroups->kept_max = files_kept_max();
	task_files_keep(engine->host.tasks, (unsigned)engine->host.cgroups->kept_max / 4);
	r = modes_fill(engine);
	if (r == 0)
		r = containers_open(engine->host.procfd, engine->host.cgroups, &engine->containers);
	if (r == 0)
		r = history_open(options->history, options->history_size,
				 host_cpu_count(&engine->host), &engine->history);
	if (r == 0 && options->flags & LXCFS_LOADAVG)
		r = load_open(&engine->host, engine->history, &engine->load);
	return r;
}

int lxcfs_open(const struct lxcfs_options *options, struct lxcfs **ret_engine)
{
	struct lxcfs *engine;
	int r;

	if (options->size < sizeof *options)
		return -EINVAL;
	engine = calloc(1, sizeof *engine);
	if (!engine)
		return -ENOMEM;
	engine->host.rootfd = engine->host.procfd = engine->host.online = -1;
	for (size_t i = 0; i < HOST_FILES; i++)
		engine->host.file[i] = -1;
	engine->flags = options->flags;
	r = engine_open(engine, options);
	if (r < 0) {
		lxcfs_close(engine);
		return r;
	}
	*ret_engine = engine;
	return 0;
}

void lxcfs_close(struct lxcfs *engine)
{
	if (!engine)
		return;
	load_close(engine->load);
	history_close(engine->history);
	containers_close(engine->containers);
	host_close(&engine->host);
	free(engine->mode);
	free(engine->node);
	free(engine);
}

size_t lxcfs_history_size(unsigned cpus)
{
	return history_size(cpus);
}

void lxcfs_set_host_view(struct lxcfs *engine, bool host_view)
{
	atomic_store(&engine->host_view, host_view);
}

void lxcfs_tick(struct lxcfs *engine)
{
	if (engine->load)
		load_tick(engine->load);
}

/* The view of a path that exists on this host, with its mode; NULL if none. */
static const struct view *view_here(const struct lxcfs *engine, const char *path, mode_t *ret_mode)
{
	const struct view *view = view_find(path);

	if (!view || !engine->mode[view - views])
		return NULL;
	if (ret_mode)
		*ret_mode = engine->mode[view - views];
	return view;
}

/* One call: the container of the caller, and the tree that the path belongs to. */
struct call {
	struct lxcfs *engine;
	struct tree_call tree_call;
	struct container *container; /* NULL: the host's view */
	const struct tree *tree;     /* NULL: a row of the table */
	const char *path;	     /* in the tree, or whole */
};

static void call_end(struct call *call)
{
	if (call->engine)
		container_put(call->engine->containers, call->container);
}

#define AUTO_CALL __attribute__((cleanup(call_end)))

static const struct tree *tree_of(const char *path, const char **ret_rest)
{
	for (size_t i = 0; i < ARRAY_SIZE(trees); i++) {
		size_t n = strlen(trees[i].tree->prefix);

		if (strncmp(path, trees[i].tree->prefix, n) == 0 &&
		    (path[n] == '/' || path[n] == '\0')) {
			*ret_rest = path + n;
			return trees[i].tree;
		}
	}
	return NULL;
}

/*
 * Prepares a call. A caller that is not to be found (gone, or in a pid namespace
 * that is not below the engine's) gets the host's view.
 */
static int call_begin(struct lxcfs *engine, const struct lxcfs_caller *caller, const char *path,
		      struct call *call)
{
	const struct tree *tree = tree_of(path, &call->path);
	bool cgroup = tree == &cgroup_tree;
	int r = -ESRCH;

	call->engine = engine;
	call->tree = tree;
	if (!call->tree)
		call->path = path;
	call->tree_call = (struct tree_call){
		.host = &engine->host,
		.caller = caller,
		.flags = engine->flags,
	};
	if (cgroup || !atomic_load(&engine->host_view))
		r = container_of(engine->containers, caller->pid, &call->container);
	call->tree_call.container = call->container;
	return r == -ESRCH ? 0 : r;
}

static int host_text(const struct lxcfs *engine, const struct view *view, struct text *text)
{
	text_clear(text);
	return file_read_at(engine->host.rootfd, view->host, text);
}

/*
 * Is the caller in another container than a moment ago? Its cgroup may be removed
 * after everybody was moved out of it, before its files are read.
 */
static bool has_moved(const struct lxcfs *engine, const struct lxcfs_caller *caller,
		      const struct container *container)
{
	struct container *now = NULL;
	bool moved = container_of(engine->containers, caller->pid, &now) == 0 && now != container;

	container_put(engine->containers, now);
	return moved;
}

/* -EAGAIN: the container is no longer the caller's. */
static int view_render(const struct lxcfs *engine, const struct view *view,
		       const struct lxcfs_caller *caller, const struct container *container,
		       struct origins *why, struct text *text)
{
	AUTO_SNAPSHOT struct snapshot snapshot = { 0 };
	int r;

	if (!view->render)
		return -EISDIR;
	if (!container) {
		if (why)
			origin_note(why, "the host's file", "no container or host view",
				    view->host);
		return host_text(engine, view, text);
	}
	if (view->needs & NEED_LOADAVG && !engine->load) {
		origin_note(why, "the host's file", "without --enable-loadavg", view->host);
		return host_text(engine, view, text);
	}
	r = gather(&engine->host, engine->history, container, engine->flags, view->needs, why,
		   &snapshot);
	if (r < 0)
		return r;
	if ((snapshot.have & view->must) != view->must) {
		if (has_moved(engine, caller, container))
			return -EAGAIN;
		origin_note(why, "the host's file", "the caller's cgroup has no numbers",
			    view->host);
		return host_text(engine, view, text);
	}
	view->render(&snapshot, text);
	return text->error;
}

static int call_render(struct lxcfs *engine, const struct call *call, const char *path,
		       struct origins *why, struct text *text)
{
	const struct view *view = view_here(engine, path, NULL);

	if (view && view->render) {
		AUTO_PERSONALITY int before = PERSONALITY_KEPT;

		if (PERSONALITY_MATTERS && view->needs & NEED_HOST_CPUINFO)
			before = personality_adopt(engine->host.procfd,
						   call->tree_call.caller->pid);
		if (call->tree_call.container && engine->load && view->needs & NEED_LOADAVG)
			load_want(engine->load, call->tree_call.container);
		return view_render(engine, view, call->tree_call.caller, call->tree_call.container,
				   why, text);
	}
	if (call->tree)
		return call->tree->read(&call->tree_call, call->path, text);
	return view ? -EISDIR : -ENOENT;
}

/* -EAGAIN from a caller that is moved all the time. */
static int render(struct lxcfs *engine, const struct lxcfs_caller *caller, const char *path,
		  struct origins *why, struct text *text)
{
	int r = -EAGAIN;

	for (unsigned i = 0; r == -EAGAIN && i < MOVES_MAX; i++) {
		AUTO_CALL struct call call = { 0 };

		text_clear(text);
		if (why)
			text_clear(&why->lines);
		r = call_begin(engine, caller, path, &call);
		if (r == 0)
			r = call_render(engine, &call, path, why, text);
	}
	return r;
}

int lxcfs_render(struct lxcfs *engine, const struct lxcfs_caller *caller, const char *path,
		 char **ret_text, size_t *ret_len)
{
	AUTO_TEXT struct text text = { 0 };
	int r = render(engine, caller, path, NULL, &text);

	if (r == 0 && !text_reserve(&text, 0)) /* an empty text is a string, too */
		r = text.error;
	if (r < 0)
		return r;
	text.data[text.len] = '\0';
	*ret_len = text.len;
	*ret_text = take_ptr(text.data);
	return 0;
}

int lxcfs_explain(struct lxcfs *engine, const struct lxcfs_caller *caller, const char *path,
		  char **ret_text)
{
	AUTO_TEXT struct text text = { 0 }, answer = { 0 };
	struct origins why = { .lines = { 0 } };
	const struct view *view = view_here(engine, path, NULL);
	int r = render(engine, caller, path, &why, &text);

	if (r == 0) {
		if (view && view->explain)
			text_printf(&answer, "%s\n", view->explain);
		else
			text_printf(&answer, "the host's %s, as far as the caller may see it\n",
				    path);
		text_puts(&answer, text_str(&why.lines));
		r = answer.error ? answer.error : why.lines.error;
	}
	text_free(&why.lines);
	if (r < 0)
		return r;
	*ret_text = take_ptr(answer.data);
	return 0;
}

static void view_stat(mode_t mode, struct stat *ret)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	*ret = (struct stat){
		.st_mode = mode,
		.st_nlink = S_ISDIR(mode) ? 2 : 1,
		.st_atim = now,
		.st_mtim = now,
		.st_ctim = now,
	};
}

int lxcfs_stat(struct lxcfs *engine, const struct lxcfs_caller *caller, const char *path,
	       struct stat *ret_stat)
{
	AUTO_CALL struct call call = { 0 };
	struct stat st;
	mode_t mode;
	uint64_t node;
	int r = 0;

	if (view_here(engine, path, &mode)) {
		view_stat(mode, &st);
	} else {
		r = call_begin(engine, caller, path, &call);
		if (r == 0)
			r = call.tree ? call.tree->stat(&call.tree_call, call.path, &st) : -ENOENT;
	}
	if (r == 0)
		r = lxcfs_node(engine, path, &node);
	if (r < 0)
		return r;
	st.st_ino = node;
	*ret_stat = st;
	return 0;
}

/* The name of a path's last component, when `directory` is its parent; NULL otherwise. */
static const char *child_name(const char *directory, const char *path)
{
	size_t n = strcmp(directory, "/") == 0 ? 0 : strlen(directory);

	if (strncmp(path, directory, n) != 0 || path[n] != '/' || !path[n + 1] ||
	    strchr(path + n + 1, '/'))
		return NULL;
	return path + n + 1;
}

static int list_rows(const struct lxcfs *engine, const char *path,
		     int (*each)(void *arg, const char *name, mode_t type), void *arg)
{
	for (size_t i = 0; i < views_count; i++) {
		const char *name = child_name(path, views[i].path);
		int r = name && engine->mode[i] ? each(arg, name, engine->mode[i] & S_IFMT) : 0;

		if (r)
			return r;
	}
	for (size_t i = 0; i < ARRAY_SIZE(trees); i++) {
		const char *name = child_name(path, trees[i].tree->prefix);
		int r = name ? each(arg, name, S_IFDIR) : 0;

		if (r)
			return r;
	}
	return 0;
}

int lxcfs_list(struct lxcfs *engine, const struct lxcfs_caller *caller, const char *path,
	       int (*each)(void *arg, const char *name, mode_t type), void *arg)
{
	AUTO_CALL struct call call = { 0 };
	const struct view *view = view_here(engine, path, NULL);
	int r;

	if (view)
		return S_ISDIR(view->mode) ? list_rows(engine, path, each, arg) : -ENOTDIR;
	r = call_begin(engine, caller, path, &call);
	if (r < 0)
		return r;
	return call.tree ? call.tree->list(&call.tree_call, call.path, each, arg) : -ENOENT;
}

int lxcfs_access(struct lxcfs *engine, const struct lxcfs_caller *caller, const char *path,
		 int mask)
{
	AUTO_CALL struct call call = { 0 };
	mode_t mode;
	int r;

	/* Views belong to the host's root, as their originals do. */
	if (view_here(engine, path, &mode))
		return permission_check(engine->host.procfd, caller, mode, 0, 0, mask);
	r = call_begin(engine, caller, path, &call);
	if (r < 0)
		return r;
	return call.tree ? call.tree->access(&call.tree_call, call.path, mask) : -ENOENT;
}

int lxcfs_readlink(struct lxcfs *engine, const struct lxcfs_caller *caller, const char *path,
		   char **ret_target)
{
	AUTO_CALL struct call call = { 0 };
	AUTO_TEXT struct text target = { 0 };
	int r = call_begin(engine, caller, path, &call);

	if (r < 0)
		return r;
	r = call.tree && call.tree->readlink
		    ? call.tree->readlink(&call.tree_call, call.path, &target)
		    : -EINVAL;
	if (r < 0)
		return r;
	*ret_target = take_ptr(target.data);
	return 0;
}

int lxcfs_write(struct lxcfs *engine, const struct lxcfs_caller *caller, const char *path,
		const char *data, size_t len)
{
	AUTO_CALL struct call call = { 0 };
	int r;

	if (view_here(engine, path, NULL))
		return -EIO; /* as procfs, for a file that takes no writes */
	r = call_begin(engine, caller, path, &call);
	if (r < 0)
		return r;
	if (!call.tree)
		return -ENOENT;
	return call.tree->write ? call.tree->write(&call.tree_call, call.path, data, len) : -EACCES;
}

int lxcfs_mkdir(struct lxcfs *engine, const struct lxcfs_caller *caller, const char *path)
{
	AUTO_CALL struct call call = { 0 };
	int r = call_begin(engine, caller, path, &call);

	if (r < 0)
		return r;
	return call.tree && call.tree->mkdir ? call.tree->mkdir(&call.tree_call, call.path)
					     : -EPERM;
}

int lxcfs_rmdir(struct lxcfs *engine, const struct lxcfs_caller *caller, const char *path)
{
	AUTO_CALL struct call call = { 0 };
	int r = call_begin(engine, caller, path, &call);

	if (r < 0)
		return r;
	return call.tree && call.tree->rmdir ? call.tree->rmdir(&call.tree_call, call.path)
					     : -EPERM;
}

int lxcfs_chmod(struct lxcfs *engine, const struct lxcfs_caller *caller, const char *path,
		mode_t mode)
{
	AUTO_CALL struct call call = { 0 };
	int r = call_begin(engine, caller, path, &call);

	if (r < 0)
		return r;
	return call.tree && call.tree->chmod ? call.tree->chmod(&call.tree_call, call.path, mode)
					     : -EPERM;
}

int lxcfs_chown(struct lxcfs *engine, const struct lxcfs_caller *caller, const char *path,
		uid_t uid, gid_t gid)
{
	AUTO_CALL struct call call = { 0 };
	int r = call_begin(engine, caller, path, &call);

	if (r < 0)
		return r;
	return call.tree && call.tree->chown
		       ? call.tree->chown(&call.tree_call, call.path, uid, gid)
		       : -EPERM;
}

int lxcfs_trigger(struct lxcfs *engine, const struct lxcfs_caller *caller, const char *path,
		  const char *trigger, size_t len, int *ret_fd)
{
	AUTO_CALL struct call call = { 0 };
	const struct view *view = view_here(engine, path, NULL);
	AUTO_CLOSE int fd = -1;
	ssize_t n;
	int r;

	if (!view || strncmp(path, "/proc/pressure/", 15) != 0 || !view->render)
		return view ? -EINVAL : -ENOENT;
	if (!(engine->flags & LXCFS_PSI_POLL))
		return -EOPNOTSUPP;
	r = call_begin(engine, caller, path, &call);
	if (r == 0)
		r = call.container ? cgroup_open_pressure(call.container->cgroup, path + 15, &fd)
				   : -ENODATA;
	if (r < 0)
		return r == -ENODATA ? -EOPNOTSUPP : r;
	n = write(fd, trigger, len);
	if (n < 0)
		return -errno;
	*ret_fd = take_fd(&fd);
	return 0;
}

int lxcfs_node(struct lxcfs *engine, const char *path, uint64_t *ret_node)
{
	const char *rest;
	const struct tree *tree;
	uint64_t node;
	int r;

	if (strcmp(path, "/") == 0) {
		*ret_node = ROOT_NODE;
		return 0;
	}
	if (view_here(engine, path, NULL)) {
		*ret_node = view_node(path);
		return 0;
	}
	tree = tree_of(path, &rest);
	if (!tree)
		return -ENOENT;
	r = tree->node(&engine->host, rest, &node);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(trees); i++) {
		if (trees[i].tree == tree)
			*ret_node = (uint64_t)trees[i].kind << NODE_BITS | (node & NODE_MASK);
	}
	return 0;
}

int lxcfs_node_path(struct lxcfs *engine, uint64_t node, char **ret_path)
{
	AUTO_TEXT struct text path = { 0 };
	int r = -ENOENT;

	if (node == ROOT_NODE)
		text_puts(&path, "/");
	for (size_t i = 0; i < views_count && !path.len; i++) {
		if (engine->node[i] == node)
			text_puts(&path, views[i].path);
	}
	for (size_t i = 0; i < ARRAY_SIZE(trees) && !path.len; i++) {
		if (node >> NODE_BITS != trees[i].kind)
			continue;
		text_puts(&path, trees[i].tree->prefix);
		r = trees[i].tree->node_path(&engine->host, node & NODE_MASK, &path);
		if (r < 0)
			return r;
	}
	if (path.error)
		return path.error;
	if (!path.len)
		return r;
	*ret_path = take_ptr(path.data);
	return 0;
}

bool lxcfs_is_fixed(struct lxcfs *engine, const char *path)
{
	const char *rest;
	const struct tree *tree;

	if (view_here(engine, path, NULL))
		return true;
	tree = tree_of(path, &rest);
	return tree && tree->is_fixed(rest);
}
