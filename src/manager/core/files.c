/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sessions with the files of instances. */
#include "core/files.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

struct files {
	struct instance *mounted; /* to be unmounted; NULL: it ran */
	struct instance_files session;
};

/* As what runs it sees them: through the ids on the disk, or through those it would be given. */
static gboolean open_stopped(const struct instance *inst, struct instance_files *ret,
			     GError **error)
{
	const struct instance_place place = instance_place(inst);
	g_autoptr(idmap_t) disk = instance_idmap_disk(inst, error);
	g_autoptr(idmap_t) next = disk ? instance_idmap_next(inst, error) : NULL;
	gboolean shifted;

	if (!next)
		return FALSE;
	shifted = !disk->count && next->count && idmap_mount_possible(inst->rootfs);
	return inst->driver->files(&place, inst->rootfs, shifted ? next : disk, shifted, ret,
				   error);
}

static gboolean open_session(struct files *files, struct instance *inst, GError **error)
{
	const struct instance_place place = instance_place(inst);
	struct instance *picture;

	if (instance_is_running(inst))
		return inst->driver->files(&place, NULL, NULL, FALSE, &files->session, error);
	picture = instance_load(inst->daemon, inst->project, inst->name, error);
	if (!picture)
		return FALSE;
	if (!instance_mount(picture, error)) {
		instance_free(picture);
		return FALSE;
	}
	files->mounted = picture;
	return open_stopped(picture, &files->session, error);
}

struct files *files_open(struct instance *inst, GError **error)
{
	g_autoptr(files_t) files = g_new0(struct files, 1);

	files->session.fd = -1;
	if (!open_session(files, inst, error))
		return NULL;
	return g_steal_pointer(&files);
}

int files_fd(const struct files *files)
{
	return files->session.fd;
}

/*
 * Killed rather than left to see the end of the session: what was answered is done, and one that
 * waits for the instance's own file systems would see nothing.
 */
static void end_helper(const struct instance_files *session)
{
	close(session->fd);
	kill(session->helper, SIGKILL);
	while (waitpid(session->helper, NULL, 0) < 0 && errno == EINTR)
		;
}

void files_close(struct files *files)
{
	if (!files)
		return;
	if (files->session.fd >= 0)
		end_helper(&files->session);
	if (files->mounted) {
		instance_unmount(files->mounted, NULL);
		instance_free(files->mounted);
	}
	g_free(files);
}
