/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The machine's hardware as GET /1.0/resources shows it, read from /proc and /sys at each call. */
#pragma once

#include <jansson.h>

/*
 * {"cpu", "memory", "gpu", "network", "storage", "usb", "pci", "system"}; free with json_decref.
 * ROOT stands before every path: "" is this host, a test has a directory of its own, for which no
 * network card is asked and no program run.
 */
json_t *resources_show(const char *root);
