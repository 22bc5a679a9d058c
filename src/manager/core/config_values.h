/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the values of configuration keys must be; each fails with 400 and what is wrong. */
#pragma once

#include <glib.h>

gboolean value_bool(const char *value, GError **error);
gboolean value_int64(const char *value, GError **error);
gboolean value_uint32(const char *value, GError **error);
gboolean value_size(const char *value, GError **error);
gboolean value_uuid(const char *value, GError **error);
gboolean value_yaml(const char *value, GError **error);
gboolean value_compression(const char *value, GError **error);
gboolean value_architecture(const char *value, GError **error);

/* Of instances. */
gboolean value_priority(const char *value, GError **error); /* 0 to 10 */
gboolean value_cpu(const char *value, GError **error);
gboolean value_allowance(const char *value, GError **error);
gboolean value_memory(const char *value, GError **error);
gboolean value_enforce(const char *value, GError **error);
gboolean value_evacuate(const char *value, GError **error);
gboolean value_cloud_config(const char *value, GError **error);
gboolean value_raw_lxc(const char *value, GError **error);

/* Of projects. */
gboolean value_block_allow(const char *value, GError **error);
gboolean value_managed(const char *value, GError **error);
gboolean value_interception(const char *value, GError **error);
gboolean value_privilege(const char *value, GError **error);
gboolean value_paths(const char *value, GError **error);
gboolean value_id_ranges(const char *value, GError **error);

/* Of the server, which words some of it otherwise. */
gboolean value_server_bool(const char *value, GError **error);
gboolean value_server_int(const char *value, GError **error);
gboolean value_pool_volume(const char *value, GError **error);
