/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fixture hosts, golden texts and the running of suites; see support.h. */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

#define CASE_SECONDS 60

const char *test_path(const char *relative)
{
	static char path[4096];

	snprintf(path, sizeof path, "%s/%s", TESTS_DIR, relative);
	return path;
}

struct lxcfs *test_engine(const char *host, unsigned flags)
{
	char root[4200];
	struct lxcfs_options options = { .size = sizeof options, .root = root, .flags = flags };
	struct lxcfs *engine = NULL;

	snprintf(root, sizeof root, "%s/hosts/%s", TESTS_DIR, host);
	ck_assert_int_eq(lxcfs_open(&options, &engine), 0);
	return engine;
}

struct lxcfs_caller test_caller(const char *host, const char *name)
{
	char path[4200], line[256], word[128];
	struct lxcfs_caller caller = { 0 };
	AUTO_FCLOSE FILE *callers = NULL;
	int pid;

	snprintf(path, sizeof path, "%s/hosts/%s/callers", TESTS_DIR, host);
	callers = fopen(path, "re");
	ck_assert_msg(callers != NULL, "%s: %s", path, strerror(errno));
	while (fgets(line, sizeof line, callers)) {
		if (sscanf(line, "%127s %d", word, &pid) == 2 && strcmp(word, name) == 0)
			caller.pid = pid;
	}
	ck_assert_msg(caller.pid > 0, "no caller %s in %s", name, path);
	return caller;
}

char *test_render(struct lxcfs *engine, const struct lxcfs_caller *caller, const char *path)
{
	char *text = NULL;
	size_t len = 0;
	int r = lxcfs_render(engine, caller, path, &text, &len);

	ck_assert_msg(r == 0, "%s: %s", path, strerror(-r));
	ck_assert_uint_eq(len, strlen(text));
	return text;
}

static void write_whole(const char *path, const char *text)
{
	AUTO_FCLOSE FILE *f = fopen(path, "we");

	ck_assert_msg(f != NULL, "%s: %s", path, strerror(errno));
	ck_assert_int_ge(fputs(text, f), 0);
}

void test_golden(const char *name, const char *text)
{
	AUTO_TEXT struct text golden = { 0 };
	char path[4200];

	snprintf(path, sizeof path, "%s/golden/%s", TESTS_DIR, name);
	if (getenv("UPDATE_GOLDEN")) {
		write_whole(path, text);
		return;
	}
	ck_assert_msg(file_read_at(AT_FDCWD, path, &golden) == 0,
		      "%s is missing: run with UPDATE_GOLDEN=1 and review it", path);
	ck_assert_str_eq(text, text_str(&golden));
}

void test_host_file(struct snapshot *snapshot, enum host_file file, const char *content)
{
	text_clear(&snapshot->host[file]);
	text_puts(&snapshot->host[file], content);
	snapshot->have |= NEED_HOST(file);
}

void test_write(const char *directory, const char *path, const char *content)
{
	char whole[4200];

	snprintf(whole, sizeof whole, "%s/%s", directory, path);
	for (char *p = strchr(whole + strlen(directory) + 1, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		ck_assert(mkdir(whole, 0755) == 0 || errno == EEXIST);
		*p = '/';
	}
	write_whole(whole, content);
}

char *test_directory(void)
{
	char *path = strdup("/tmp/lxcfs-test-XXXXXX");

	ck_assert_ptr_nonnull(path);
	ck_assert_ptr_nonnull(mkdtemp(path));
	return path;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

void test_remove(const char *directory)
{
	nftw(directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

int test_run(const char *name, void (*fill)(TCase *tests))
{
	Suite *suite = suite_create(name);
	TCase *tests = tcase_create(name);
	SRunner *runner;
	int failed;

	tcase_set_timeout(tests, CASE_SECONDS);
	fill(tests);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_SILENT);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
