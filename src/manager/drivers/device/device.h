/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a kind of device is: the options that it takes, and what it makes on the host so that an
 * instance can have it. A kind knows neither database nor API; whatever it makes on the host
 * can be found again by the instance's id and the device's name, so that it can be taken away by
 * a daemon that did not make it.
 */
#pragma once

#include <glib.h>
#include <jansson.h>

#include "drivers/instance/instance.h"

enum device_option_flags {
	DEVICE_REQUIRED = 1,
	DEVICE_LIVE = 2, /* a change reaches a running instance without taking the device out */
};

struct device_option {
	const char *name;
	gboolean (*check)(const char *value, GError **error); /* NULL: any value */
	unsigned flags;
};

/* One device of one instance. Strings and values belong to the caller. */
struct device {
	const char *name;
	const json_t *config; /* a map; of nics with hwaddr and name filled in */
	const json_t *last;   /* what volatile.<name>.* says, without that prefix; may be NULL */
	const char *instance; /* its id on the host */
	const char *dir;      /* LXD_DIR/devices/<id>: exists while it is started */
	const char *source;   /* of disks with a pool: where the volume is; else NULL */
	const struct idmap *idmap; /* of the instance; empty: privileged */
};

/* What starting or stopping devices comes to for the driver of instances; owns its strings. */
struct device_run {
	GArray *mounts;	 /* struct instance_mount */
	GArray *devices; /* struct instance_device */
	GArray *nics;	 /* struct instance_nic */
	GPtrArray *strings;
	json_t *last; /* "<name>.<key>": value of "volatile.": to be kept, "" to be forgotten */
	gboolean readonly_root;
};

struct device_kind {
	const char *type;		     /* "disk" */
	const char *subtype;		     /* nictype: "p2p"; NULL: the type suffices */
	const struct device_option *options; /* ended by one without a name */
	gboolean hotplug;

	/* What the options' checks cannot see. HOST: paths of this host are looked at, too. */
	gboolean (*check)(const char *name, const json_t *config, gboolean host, GError **error);
	/* Makes what is needed on the host and tells RUN what the instance gets. */
	gboolean (*start)(const struct device *device, struct device_run *run, GError **error);
	/* Tells RUN what a running instance loses; makes nothing. */
	gboolean (*stop)(const struct device *device, struct device_run *run, GError **error);
	/* Takes away what start() made on the host; may be called again and without a start. */
	void (*clean)(const struct device *device);
	/* Brings changed DEVICE_LIVE options to what runs; OLD is the config before. May be NULL.
	 */
	gboolean (*update)(const struct device *device, const json_t *old, GError **error);
};

extern const struct device_kind device_none, device_disk, device_unix_char, device_unix_block,
	device_nic_p2p;

/* All of them, ended by NULL. */
extern const struct device_kind *const device_kinds[];

/* The kind of a device with this configuration, or NULL. */
const struct device_kind *device_kind_of(const json_t *config);

/* 'Invalid devices: Device validation failed for "x": ...' is the caller's; this is the rest. */
gboolean device_check_options(const struct device_kind *kind, const json_t *config, GError **error);

/* Whether every option in which OLD and NEW differ is live. */
gboolean device_is_live_change(const struct device_kind *kind, const json_t *old,
			       const json_t *new);

struct device_run *device_run_new(void);
void device_run_free(struct device_run *run);
typedef struct device_run device_run_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(device_run_t, device_run_free)

/* What stop() gives as the options of a mount whose mount point goes with it. */
#define DEVICE_OWN_TARGET "create=file"

/* Hands TEXT to RUN, which frees it; returns it. */
const char *device_run_keep(struct device_run *run, char *text);
void device_run_mount(struct device_run *run, const char *source, const char *target,
		      const char *options, gboolean shifted);

/* "disk.data.mnt-x": KIND, NAME and PATH as one file name below DEVICE->dir; g_free. */
char *device_file(const struct device *device, const char *kind, const char *path);

/* Checks that several kinds use. */
gboolean device_check_bool(const char *value, GError **error);
gboolean device_check_number(const char *value, GError **error);
gboolean device_check_mode(const char *value, GError **error);
