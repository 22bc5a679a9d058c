/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where a keeper has the mount and the shared state from. */
#include "connection.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "lxcfs.h"
#include "service.h"

#define THREADS_MIN 2

static unsigned clamp_threads(long cpus)
{
	if (cpus < THREADS_MIN)
		return THREADS_MIN;
	return cpus > SHARED_SLOTS_MAX ? SHARED_SLOTS_MAX : (unsigned)cpus;
}

static int mount_anew(const struct options *o, const char *mountpoint, struct handoff *ret,
		      struct device_dead *ret_dead, char *problem, size_t size)
{
	long cpus = sysconf(_SC_NPROCESSORS_CONF);
	unsigned threads = clamp_threads(sysconf(_SC_NPROCESSORS_ONLN));
	unsigned char init[sizeof(((struct shared_header *)0)->init)];
	size_t init_size = sizeof(init);
	struct handoff h = { .ready = -1 };
	int r = device_check_mountpoint(mountpoint, ret_dead, problem, size);

	if (r >= 0)
		r = device_mount(o, mountpoint, threads, &h.device, init, &init_size, problem,
				 size);
	if (r < 0)
		return r;
	h.state = shared_create(init, init_size, threads,
				lxcfs_history_size(cpus > 0 ? (unsigned)cpus : 1));
	if (h.state < 0) {
		snprintf(problem, size, "cannot make the shared state: %s", strerror(-h.state));
		umount2(mountpoint, MNT_DETACH);
		device_close(&h.device);
		return h.state;
	}
	*ret = h;
	return 0;
}

/* What is in the store may be dead (unmounted meanwhile) or of a version that we cannot read. */
static bool take_from_store(struct handoff *ret)
{
	struct handoff h = { .state = -1, .ready = -1 };
	struct shared shared;

	if (!service_take(&h.device, &h.state))
		return false;
	if (device_is_alive(&h.device) && shared_map(h.state, false, &shared) == 0) {
		bool fits = shared.slots == h.device.count;

		shared_unmap(&shared);
		if (fits) {
			*ret = h;
			return true;
		}
	}
	service_unstore(&h.device);
	device_close(&h.device);
	close(h.state);
	return false;
}

int connection_open(const struct options *o, const char *mountpoint, const struct handoff *given,
		    struct handoff *ret, bool *ret_fresh, struct device_dead *ret_dead,
		    char *problem, size_t size)
{
	struct device_dead dead = { .count = 0 };
	struct handoff h = { .state = -1, .ready = -1 };
	bool fresh = false;
	int r = 0;

	if (given) {
		h = *given;
	} else if (!take_from_store(&h)) {
		r = mount_anew(o, mountpoint, &h, &dead, problem, size);
		if (r < 0)
			return r;
		service_store(&h.device, h.state);
		fresh = true;
	}
	r = shared_lock(h.state, SHARED_LOCK_KEEPER, false);
	if (r < 0) {
		snprintf(problem, size, "another keeper has the mount already");
		device_close(&h.device);
		close(h.state);
		return r;
	}
	*ret = h;
	*ret_fresh = fresh;
	*ret_dead = dead;
	return 0;
}
