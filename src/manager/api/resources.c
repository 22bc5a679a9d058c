/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* /1.0/resources */
#include "core/resources.h"

#include "api/request.h"

static struct reply *resources_get(G_GNUC_UNUSED struct request *request,
				   G_GNUC_UNUSED GError **error)
{
	return reply_sync(resources_show(""));
}

const struct route routes_resources[] = {
	{ "1.0/resources", 0, .get = resources_get },
	{ 0 },
};
