/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What unit tests share: fixture hosts, golden texts, and running a suite. */
#pragma once

#include <check.h>
#include <stdbool.h>

#include "base/text.h"
#include "lxcfs.h"
#include "snapshot.h"

/* The path of a file below tests/, in a static buffer of its own per call site's need. */
const char *test_path(const char *relative);

/* An engine on tests/hosts/<host>. To be closed with lxcfs_close(). */
struct lxcfs *test_engine(const char *host, unsigned flags);

/* The pid behind a name in tests/hosts/<host>/callers, as a caller with uid 0. */
struct lxcfs_caller test_caller(const char *host, const char *name);

/* What the caller reads; fails the test on an error. To be freed. */
char *test_render(struct lxcfs *engine, const struct lxcfs_caller *caller, const char *path);

/*
 * Compares with tests/golden/<name>; with UPDATE_GOLDEN=1 in the environment it
 * writes that file instead.
 */
void test_golden(const char *name, const char *text);

/* Sets one of the host files of a snapshot built by hand. */
void test_host_file(struct snapshot *snapshot, enum host_file file, const char *content);

/* Makes a file, and the directories that lead to it, below a directory. */
void test_write(const char *directory, const char *path, const char *content);

/* A new temporary directory (to be freed), and its removal with all that is in it. */
char *test_directory(void);
void test_remove(const char *directory);

/* Runs the suite as main() shall: TAP on standard output, the exit status returned. */
int test_run(const char *name, void (*fill)(TCase *tests));
