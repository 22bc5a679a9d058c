/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs a fuzzer's corpus without libFuzzer: every file of the directories given,
 * and every file cut off at some places, so that it works as an ordinary test.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "fuzz.h"

#define CUTS 2

/* A copy of just that size, so that ASan sees a read behind its end. */
static void run(const char *data, size_t len)
{
	AUTO_FREE uint8_t *exact = malloc(len ? len : 1);

	FUZZ_REQUIRE(exact != NULL);
	if (len)
		memcpy(exact, data, len);
	LLVMFuzzerTestOneInput(exact, len);
}

static void run_file(int dirfd, const char *name)
{
	AUTO_TEXT struct text content = { 0 };

	FUZZ_REQUIRE(file_read_at(dirfd, name, &content) == 0);
	for (size_t i = 0; i <= CUTS; i++)
		run(text_str(&content), content.len * i / CUTS);
}

static unsigned run_directory(const char *path)
{
	AUTO_CLOSEDIR DIR *dir = opendir(path);
	const struct dirent *entry;
	unsigned count = 0;

	FUZZ_REQUIRE(dir != NULL);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		run_file(dirfd(dir), entry->d_name);
		count++;
	}
	return count;
}

int main(int argc, char **argv)
{
	unsigned count = 0;

	for (int i = 1; i < argc; i++)
		count += run_directory(argv[i]);
	printf("1..1\n%s 1 - %u inputs and their beginnings\n", count ? "ok" : "not ok", count);
	return count ? EXIT_SUCCESS : EXIT_FAILURE;
}
