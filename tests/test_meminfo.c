/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* meminfo: every line against the cgroup's numbers, its invariants, and real machines. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "proc/memory.h"
#include "support.h"
#include "view.h"

#define MIB ((uint64_t)1 << 20)

static const char host[] = "MemTotal:        1000000 kB\n"
			   "MemFree:          900000 kB\n"
			   "MemAvailable:     950000 kB\n"
			   "Buffers:            1234 kB\n"
			   "Cached:            50000 kB\n"
			   "SwapTotal:        200000 kB\n"
			   "SwapFree:         150000 kB\n"
			   "Zswap:               100 kB\n"
			   "AnonPages:         60000 kB\n"
			   "Slab:               7000 kB\n"
			   "CommitLimit:      700000 kB\n"
			   "Committed_AS:     123456 kB\n"
			   "VmallocTotal:   34359738367 kB\n"
			   "HugePages_Total:       8\n"
			   "HugePages_Free:        6\n"
			   "HugePages_Rsvd:        1\n"
			   "HugePages_Surp:        0\n"
			   "Hugepagesize:       2048 kB\n"
			   "Hugetlb:           16384 kB\n"
			   "Future:              777 kB\n"
			   "DirectMap4k:       26624 kB\n";

static uint64_t value(const char *text, const char *label)
{
	const char *at = strstr(text, label);
	uint64_t number = 0;

	ck_assert_msg(at && (at == text || at[-1] == '\n'), "no line %s in\n%s", label, text);
	at += strlen(label);
	at += strspn(at, " ");
	ck_assert_msg(number_take(&at, &number) == 0, "%s has no number", label);
	return number;
}

static void snapshot_fill(struct snapshot *s)
{
	test_host_file(s, HOST_MEMINFO, host);
	memset(&s->memory, 0xff, sizeof s->memory);
	s->memory.limit = 256 * MIB;
	s->memory.usage = 100 * MIB;
	s->memory.swap_limit = 64 * MIB;
	s->memory.swap_usage = 16 * MIB;
	s->have |= NEED_MEMORY;
}

START_TEST(lines_keep_the_kernels_shape)
{
	AUTO_SNAPSHOT struct snapshot s = { 0 };
	AUTO_TEXT struct text t = { 0 };

	snapshot_fill(&s);
	meminfo_render(&s, &t);
	ck_assert_str_eq(text_str(&t), "MemTotal:         262144 kB\n"
				       "MemFree:          159744 kB\n"
				       "MemAvailable:     159744 kB\n"
				       "Buffers:               0 kB\n"
				       "Cached:                0 kB\n"
				       "SwapTotal:         65536 kB\n"
				       "SwapFree:          49152 kB\n"
				       "Zswap:                 0 kB\n"
				       "AnonPages:             0 kB\n"
				       "Slab:                  0 kB\n"
				       "CommitLimit:      196608 kB\n"
				       "Committed_AS:          0 kB\n"
				       "VmallocTotal:   34359738367 kB\n"
				       "HugePages_Total:       0\n"
				       "HugePages_Free:        0\n"
				       "HugePages_Rsvd:        0\n"
				       "HugePages_Surp:        0\n"
				       "Hugepagesize:       2048 kB\n"
				       "Hugetlb:               0 kB\n"
				       "Future:                0 kB\n"
				       "DirectMap4k:       26624 kB\n");
}
END_TEST

/* As wide as the kernel's, and two words still where label and number fill the line. */
START_TEST(large_numbers_keep_a_blank)
{
	AUTO_SNAPSHOT struct snapshot s = { 0 };
	AUTO_TEXT struct text text = { 0 };

	snapshot_fill(&s);
	test_host_file(&s, HOST_MEMINFO,
		       "MemTotal:       4294967296 kB\nInactive(anon):  1000000 kB\n"
		       "ShmemHugePages:        0 kB\nA_much_longer_label:   1 kB\n");
	s.memory.limit = (uint64_t)1234567890 * 1024;
	s.memory.inactive_anon = (uint64_t)1234567890 * 1024;
	s.memory.shmem_thp = (uint64_t)123456789 * 1024;
	meminfo_render(&s, &text);
	ck_assert_str_eq(text_str(&text), "MemTotal:       1234567890 kB\n"
					  "Inactive(anon): 1234567890 kB\n"
					  "ShmemHugePages: 123456789 kB\n"
					  "A_much_longer_label:   0 kB\n");
}
END_TEST

START_TEST(available_counts_what_can_be_given_back)
{
	AUTO_SNAPSHOT struct snapshot s = { 0 };
	AUTO_TEXT struct text t = { 0 };

	snapshot_fill(&s);
	s.memory.active_file = 20 * MIB;
	s.memory.inactive_file = 10 * MIB;
	s.memory.dirty = 4 * MIB;
	s.memory.writeback = 1 * MIB;
	s.memory.slab_reclaimable = 3 * MIB;
	s.memory.slab_unreclaimable = 2 * MIB;
	meminfo_render(&s, &t);
	ck_assert_uint_eq(value(text_str(&t), "MemAvailable:"), (156 + 30 - 5 + 3) * 1024);
	ck_assert_uint_eq(value(text_str(&t), "Slab:"), 5 * 1024);
}
END_TEST

START_TEST(no_limit_is_the_host)
{
	AUTO_SNAPSHOT struct snapshot s = { 0 };
	AUTO_TEXT struct text t = { 0 };

	snapshot_fill(&s);
	s.memory.limit = s.memory.swap_limit = CGROUP_NO_LIMIT;
	meminfo_render(&s, &t);
	ck_assert_uint_eq(value(text_str(&t), "MemTotal:"), 1000000);
	ck_assert_uint_eq(value(text_str(&t), "MemFree:"), 1000000 - 100 * 1024);
	ck_assert_uint_eq(value(text_str(&t), "SwapTotal:"), 200000);
}
END_TEST

START_TEST(limits_below_usage)
{
	AUTO_SNAPSHOT struct snapshot s = { 0 };
	AUTO_TEXT struct text t = { 0 };

	snapshot_fill(&s);
	s.memory.limit = 50 * MIB;
	s.memory.swap_limit = 0;
	meminfo_render(&s, &t);
	ck_assert_uint_eq(value(text_str(&t), "MemFree:"), 0);
	ck_assert_uint_eq(value(text_str(&t), "SwapTotal:"), 0);
	ck_assert_uint_eq(value(text_str(&t), "SwapFree:"), 0);
}
END_TEST

START_TEST(options_hide_swap)
{
	AUTO_SNAPSHOT struct snapshot s = { 0 };
	AUTO_TEXT struct text t = { 0 };
	uint64_t total = 1, used = 1;

	snapshot_fill(&s);
	s.memory.zswap = 5 * MIB;
	s.flags = LXCFS_NO_ZSWAP;
	meminfo_render(&s, &t);
	ck_assert_uint_eq(value(text_str(&t), "Zswap:"), 0);
	ck_assert_uint_eq(value(text_str(&t), "SwapTotal:"), 65536);
	s.flags = LXCFS_NO_SWAP;
	text_clear(&t);
	meminfo_render(&s, &t);
	ck_assert_uint_eq(value(text_str(&t), "SwapTotal:"), 0);
	memory_swap(&s, 200000 * 1024, &total, &used);
	ck_assert_uint_eq(total + used, 0);
	s.flags = 0;
	memory_swap(&s, 200000 * 1024, &total, &used);
	ck_assert_uint_eq(total, 64 * MIB);
	ck_assert_uint_eq(used, 16 * MIB);
	s.memory.swap_usage = CGROUP_UNKNOWN;
	memory_swap(&s, 200000 * 1024, &total, &used);
	ck_assert_uint_eq(total + used, 0);
}
END_TEST

START_TEST(huge_pages_of_the_cgroup)
{
	AUTO_SNAPSHOT struct snapshot s = { 0 };
	AUTO_TEXT struct text t = { 0 };

	snapshot_fill(&s);
	s.have |= NEED_HUGETLB;
	s.hugetlb = (struct cgroup_hugetlb){ 8 * MIB, 2 * MIB, 4 * MIB };
	meminfo_render(&s, &t);
	ck_assert_uint_eq(value(text_str(&t), "HugePages_Total:"), 4);
	ck_assert_uint_eq(value(text_str(&t), "HugePages_Free:"), 3);
	ck_assert_uint_eq(value(text_str(&t), "HugePages_Rsvd:"), 1);
	ck_assert_uint_eq(value(text_str(&t), "Hugetlb:"), 8192);
	s.hugetlb = (struct cgroup_hugetlb){ CGROUP_NO_LIMIT, 0, CGROUP_UNKNOWN };
	text_clear(&t);
	meminfo_render(&s, &t);
	ck_assert_uint_eq(value(text_str(&t), "HugePages_Total:"), 8);
}
END_TEST

START_TEST(hostile_host_files)
{
	static const char *const texts[] = {
		"",
		"\n\n",
		"MemTotal:",
		"MemTotal: x kB\n",
		"a b c d e f g\n",
		"Averyverylongnamethatdoesnotfitanything: 1 kB\n",
		"Hugetlb: 1 kB\nHugePages_Total: 1\n",
		"CommitLimit: 18446744073709551615 kB\nMemTotal: 1 kB\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		AUTO_SNAPSHOT struct snapshot s = { 0 };
		AUTO_TEXT struct text t = { 0 };

		snapshot_fill(&s);
		s.have |= NEED_HUGETLB;
		test_host_file(&s, HOST_MEMINFO, texts[i]);
		meminfo_render(&s, &t);
		ck_assert_int_eq(t.error, 0);
	}
}
END_TEST

static uint64_t random_number(unsigned *seed)
{
	static const uint64_t special[] = { 0,	    1,		4095,		4096,
					    MIB,    UINT64_MAX, UINT64_MAX - 1, INT64_MAX,
					    1 << 20 };
	unsigned r = (unsigned)rand_r(seed);

	if (r % 4 == 0)
		return special[(r >> 8) % ARRAY_SIZE(special)];
	return ((uint64_t)r << 16) >> (unsigned)rand_r(seed) % 48;
}

START_TEST(invariants_hold_for_any_numbers)
{
	unsigned seed = 4711;

	for (int round = 0; round < 20000; round++) {
		AUTO_SNAPSHOT struct snapshot s = { 0 };
		AUTO_TEXT struct text t = { 0 };
		uint64_t *number = (uint64_t *)&s.memory;
		const char *text;

		test_host_file(&s, HOST_MEMINFO, host);
		for (size_t i = 0; i < sizeof s.memory / sizeof *number; i++)
			number[i] = random_number(&seed);
		meminfo_render(&s, &t);
		text = text_str(&t);
		ck_assert_uint_le(value(text, "MemFree:"), value(text, "MemAvailable:"));
		ck_assert_uint_le(value(text, "MemAvailable:"), value(text, "MemTotal:"));
		ck_assert_uint_le(value(text, "MemTotal:"), 1000000);
		ck_assert_uint_le(value(text, "SwapFree:"), value(text, "SwapTotal:"));
		ck_assert_uint_le(value(text, "SwapTotal:"), 200000);
	}
}
END_TEST

static const struct {
	const char *host, *caller;
} machines[] = {
	{ "debian12-v2-4cpu", "limited" },   { "debian12-v2-4cpu", "limited-app" },
	{ "debian12-v2-4cpu", "nested" },    { "debian12-v2-4cpu", "host" },
	{ "kernel6.18-v1-2cpu", "limited" }, { "kernel6.18-v1-2cpu", "nested" },
	{ "kernel6.18-v1-2cpu", "shifted" },
};

START_TEST(real_machines)
{
	const char *name = machines[_i].host;
	struct lxcfs *engine = test_engine(name, 0);
	struct lxcfs_caller caller = test_caller(name, machines[_i].caller);
	AUTO_FREE char *text = test_render(engine, &caller, "/proc/meminfo");
	char golden[256];

	snprintf(golden, sizeof golden, "meminfo/%s.%s", name, machines[_i].caller);
	test_golden(golden, text);
	lxcfs_close(engine);
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_test(tests, lines_keep_the_kernels_shape);
	tcase_add_test(tests, large_numbers_keep_a_blank);
	tcase_add_test(tests, available_counts_what_can_be_given_back);
	tcase_add_test(tests, no_limit_is_the_host);
	tcase_add_test(tests, limits_below_usage);
	tcase_add_test(tests, options_hide_swap);
	tcase_add_test(tests, huge_pages_of_the_cgroup);
	tcase_add_test(tests, hostile_host_files);
	tcase_add_test(tests, invariants_hold_for_any_numbers);
	tcase_add_loop_test(tests, real_machines, 0, ARRAY_SIZE(machines));
}

int main(void)
{
	return test_run("meminfo", fill);
}
