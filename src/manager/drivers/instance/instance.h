/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a kind of instance must be able to do: start it from a plain description, end it, look
 * at it, run something in it. A driver knows no database, no project and no profile. Every call
 * blocks, may be made from any thread, and finds a running instance by its place alone, so that a
 * new daemon goes on where the last one ended.
 */
#pragma once

#include <glib.h>
#include <jansson.h>
#include <sys/types.h>

#include "util/idmap.h"

/* The numbers are the API's status codes. */
enum instance_state {
	INSTANCE_STOPPED = 102,
	INSTANCE_RUNNING = 103,
	INSTANCE_STARTING = 106,
	INSTANCE_STOPPING = 107,
	INSTANCE_ABORTING = 108,
	INSTANCE_FREEZING = 109,
	INSTANCE_FROZEN = 110,
	INSTANCE_THAWED = 111,
	INSTANCE_ERROR = 112,
};

/* Where an instance lives: all that it takes to find it again. Strings belong to the caller. */
struct instance_place {
	const char *id;	     /* unique on the host: NAME, or PROJECT_NAME outside "default" */
	const char *dir;     /* absolute: the directory with one of its name in it, containers/ */
	const char *log_dir; /* absolute: lxc.log, console.log and lxc.conf of this instance */
};

/* A mount in the new instance, in the order of the array. */
struct instance_mount {
	const char *source;  /* absolute, or the name of a file system's instance */
	const char *target;  /* below the instance's root: "mnt/x" */
	const char *type;    /* "none" for binds */
	const char *options; /* "rbind,create=dir,ro,optional" */
	gboolean shifted;    /* through the instance's idmap */
};

/* A device that processes of the instance may open. */
struct instance_device {
	char type;	    /* 'c', 'b', 'a' for all of them */
	int major, minor;   /* -1: any */
	const char *access; /* "rwm" */
};

/* A network interface that exists on the host and becomes the instance's. */
struct instance_nic {
	const char *link;   /* its name on the host now */
	const char *name;   /* inside: "eth0"; NULL: the kernel's choice */
	const char *hwaddr; /* NULL: as it is */
	const char *mtu;
};

/* Everything a start needs. What is not a number or a path here is read from config. */
struct instance_spec {
	struct instance_place place;
	const char *name;	  /* the host name inside */
	const char *project;	  /* for the hooks */
	const char *lxd_dir;	  /* for the hooks: where the daemon's socket is */
	const char *socket;	  /* that socket; NULL: unix.socket in lxd_dir */
	const char *architecture; /* "x86_64" */
	const char *rootfs;	  /* absolute */
	gboolean rootfs_shifted;  /* mount it through the idmap: its files have unshifted owners */
	gboolean rootfs_readonly;
	const char *shmounts;	   /* absolute; NULL: none. Appears as /dev/.lxd-mounts */
	const char *devlxd;	   /* absolute; NULL: none. Appears as /dev/lxd */
	const json_t *config;	   /* expanded; a map */
	const struct idmap *idmap; /* NULL or empty: privileged */
	const char *cpus;	   /* the CPUs chosen for limits.cpu, "0,2"; NULL: all */
	guint64 memory_total;	   /* bytes of the host, for limits in per cent */
	const struct instance_mount *mounts;
	gsize n_mounts;
	const struct instance_device *devices;
	gsize n_devices;
	const struct instance_nic *nics;
	gsize n_nics;
};

/* A command to run inside. */
struct instance_command {
	char *const *argv; /* absolute, or looked up in env's PATH */
	char *const *env;  /* "NAME=value": the whole environment */
	uid_t uid;	   /* inside */
	gid_t gid;
	const char *cwd;   /* NULL: the home of env's HOME, else / */
	gboolean terminal; /* fds are one terminal of instance_driver.terminal(): a session of its
			      own */
	int fds[3];	   /* stdin, stdout, stderr: borrowed */
	const int *gate;   /* it begins when a byte can be read there, and never when that ends;
			      borrowed; NULL: at once */
};

/* One that runs. */
struct instance_process {
	pid_t pid;     /* the host's number of the command, for people to read */
	int pidfd;     /* of the command: pidfd_send_signal() */
	pid_t helper;  /* a child of the daemon: ends with the command and with its status */
	int helper_fd; /* pidfd of the helper: readable when it has ended */
};

/* A console or another terminal. */
struct instance_terminal {
	int fd;	  /* the terminal's controlling side; O_CLOEXEC */
	int peer; /* of terminal(): the side for the command. Of console(): to be kept open
		     meanwhile */
};

/* The files of an instance, as an SFTP version 3 session. */
struct instance_files {
	int fd;	      /* a stream socket; closing it ends the helper */
	pid_t helper; /* a child of the daemon, to be waited for */
};

struct instance_usage {
	gint64 cpu_ns;	    /* since the start; -1 where not known, as the others */
	gint64 memory;	    /* bytes */
	gint64 memory_peak; /* bytes */
	gint64 swap;	    /* bytes */
	gint64 swap_peak;   /* bytes */
	gint64 processes;
};

struct instance_driver {
	const char *name; /* "lxc" */
	/* Of what it drives: "5.0.2". */
	const char *(*version)(void);

	/* Returns when its init runs. The daemon is called back by the hooks meanwhile. */
	gboolean (*start)(const struct instance_spec *spec, GError **error);

	/* Asks init to end and waits TIMEOUT seconds for it (negative: for ever). */
	gboolean (*shutdown)(const struct instance_place *place, int timeout, GError **error);
	/* Kills every process, of a frozen one too. Its last hook may still run afterwards. */
	gboolean (*stop)(const struct instance_place *place, GError **error);
	/* Asks init to start anew; the stop hook is called with the target "reboot". */
	gboolean (*reboot)(const struct instance_place *place, int timeout, GError **error);
	gboolean (*freeze)(const struct instance_place *place, GError **error);
	gboolean (*unfreeze)(const struct instance_place *place, GError **error);

	/* After its last hook, and before it is forgotten for good: what start() left on the host.
	 */
	gboolean (*stopped)(const struct instance_spec *spec, GError **error);
	void (*forget)(const struct instance_spec *spec);

	/* Never fails: what cannot be asked is stopped. *ret_init (may be NULL): host pid or 0. */
	enum instance_state (*state)(const struct instance_place *place, pid_t *ret_init);
	/* The ids of what runs below DIR: a NULL-terminated list for g_strfreev(). */
	char **(*running)(const char *dir, GError **error);
	/* CPU time, memory and processes, as liblxcfs counts them. */
	gboolean (*usage)(const struct instance_place *place, struct instance_usage *ret,
			  GError **error);
	/* The API's "network" object of a state: addresses, counters, MAC, MTU by interface. */
	json_t *(*network)(const struct instance_place *place, GError **error);

	/* A terminal of the instance's own /dev/pts, owned by this user inside. */
	gboolean (*terminal)(const struct instance_place *place, uid_t uid, gid_t gid,
			     struct instance_terminal *ret, GError **error);
	gboolean (*exec)(const struct instance_place *place, const struct instance_command *command,
			 struct instance_process *ret, GError **error);
	gboolean (*console)(const struct instance_place *place, struct instance_terminal *ret,
			    GError **error);
	/* What the console showed lately; CLEAR forgets it. Free *ret with g_bytes_unref(). */
	gboolean (*console_log)(const struct instance_place *place, gboolean clear, GBytes **ret,
				GError **error);

	/* Of a running one: PLACE suffices. Of a stopped one: ROOTFS with IDMAP and SHIFTED. */
	gboolean (*files)(const struct instance_place *place, const char *rootfs,
			  const struct idmap *idmap, gboolean shifted, struct instance_files *ret,
			  GError **error);

	/* The configuration's limits as they are now; KEY NULL: all, else those of this key. */
	gboolean (*limit)(const struct instance_spec *spec, const char *key, GError **error);

	gboolean (*device_add)(const struct instance_place *place,
			       const struct instance_device *device, GError **error);
	gboolean (*device_remove)(const struct instance_place *place,
				  const struct instance_device *device, GError **error);
	gboolean (*mount_add)(const struct instance_place *place,
			      const struct instance_mount *mount, GError **error);
	/* TARGET as in struct instance_mount; REMOVE: the mount point too, when it is empty. */
	gboolean (*mount_remove)(const struct instance_place *place, const char *target,
				 gboolean remove, GError **error);
	gboolean (*nic_add)(const struct instance_place *place, const struct instance_nic *nic,
			    GError **error);
	/* Back to the host under the name LINK. */
	gboolean (*nic_remove)(const struct instance_place *place, const struct instance_nic *nic,
			       GError **error);
};

extern const struct instance_driver instance_lxc;
