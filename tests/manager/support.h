/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the Check programs of the manager share: running them, and a daemon whose instances
 * only pretend to run. Include it in place of check.h.
 */
#pragma once

#include <check.h>
#include <string.h>

#undef fail /* Check's old name for ck_abort_msg() is our util/error.h's */

#include "daemon.h"
#include "drivers/instance/instance.h"
#include "util/error.h"
#include "util/json.h"

struct instance;

typedef void (*test_fill)(TCase *tests);

/* Runs what FILL adds; results in TAP on stdout. Returns main's exit status. */
int test_run(const char *name, test_fill fill);

/* CALL, which sets "problem" when it fails, shall return true. */
#define MUST(call)                                                            \
	do {                                                                  \
		GError *problem = NULL;                                       \
		gboolean ok_ = call;                                          \
		ck_assert_msg(ok_, "%s", problem ? problem->message : #call); \
	} while (0)

/* CALL shall fail with that status, and WORDS in the message of "problem". */
#define REFUSED(call, status, words)                                                    \
	do {                                                                            \
		g_autoptr(GError) problem = NULL;                                       \
		gboolean ok_ = call;                                                    \
		ck_assert_msg(!ok_, "taken: %s", #call);                                \
		ck_assert_msg(strstr(problem->message, words), "%s", problem->message); \
		ck_assert_int_eq(error_status(problem), status);                        \
	} while (0)

/* JSON in which a ' stands for a ", which C would want escaped. To be released. */
json_t *test_json(const char *text);

/* The daemon of the running test. */
extern struct daemon test_host;

/* Fixtures for a test_host that has a database in memory, and nothing else. */
void test_db_setup(void);
void test_db_teardown(void);

/*
 * Fixtures for a test_host in a temporary directory, with a pool "p" of the driver "dir" and
 * with instances of a driver that only remembers their states. A shutdown fails when it has
 * seven seconds.
 */
void test_host_setup(void);
void test_host_teardown(void);

/* What that driver shall fail at, and the "key=value " of each limit it was asked to apply. */
extern struct test_fake {
	gboolean fail_start, fail_limit;
	GString *limits;
} test_fake;

/* Changes what that driver remembers, as when an instance ends by itself. */
void test_set_state(const char *id, enum instance_state state);

/* Creates an instance of the default project with its root in "p"; CONFIG is JSON. */
struct instance *test_create(const char *name, const char *config, gboolean ephemeral,
			     GError **error);

/* The same for one that is not ephemeral and that nothing refuses. */
struct instance *test_created(const char *name, const char *config);

/* Whether the default project has that instance. */
gboolean test_has_instance(const char *name);

/* Whether there is such a file below the daemon's directory; a link may lead nowhere. */
gboolean test_has_file(const char *first, const char *second);

/* A configuration key as the database has it now; it lives as long as INST's configuration. */
const char *test_config(struct instance *inst, const char *key);
