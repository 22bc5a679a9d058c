/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A line for each extension that works, with the file that makes it true. Nothing else may be
 * added here: a client that misses a name says so clearly, one that trusts it fails strangely.
 */
#include "api/extensions.h"

#include <stddef.h>

const char *const api_extensions[] = {
	"etag",				     /* request_if_match() of every object */
	"patch",			     /* PATCH merges */
	"operation_description",	     /* core/operation.c */
	"event_lifecycle",		     /* core/event.c */
	"event_lifecycle_requestor_address", /* core/event.c */
	"event_location",		     /* core/event.c */
	"event_project",		     /* core/event.c */
	"api_os",			     /* core/environment.c */
	"kernel_features",		     /* core/environment.c */
	"lxc_features",			     /* core/environment.c */
	"firewall_driver",		     /* core/environment.c */
	NULL,
};
