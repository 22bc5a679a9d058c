/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cpuinfo: every architecture's text without the CPUs that are not the container's. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "personality.h"
#include "support.h"
#include "view.h"

static void check(const char *cpus, const char *host, const char *expected)
{
	AUTO_SNAPSHOT struct snapshot s = { 0 };
	AUTO_TEXT struct text t = { 0 };

	test_host_file(&s, HOST_CPUINFO, host);
	ck_assert_int_eq(cpulist_parse(cpus, &s.cpus), 0);
	s.cpu_count = cpulist_count(&s.cpus);
	cpuinfo_render(&s, &t);
	ck_assert_int_eq(t.error, 0);
	ck_assert_str_eq(text_str(&t), expected);
}

#define X86(cpu, package, siblings, core, cores)                                    \
	"processor\t: " #cpu "\nmodel name\t: AMD EPYC\nphysical id\t: " #package   \
	"\nsiblings\t: " #siblings "\ncore id\t\t: " #core "\ncpu cores\t: " #cores \
	"\nflags\t\t: fpu siblings cpu cores\npower management:\n\n"

/* Two packages of two cores of two threads; 0 and 4, 2 and 6 share a core in package 0. */
START_TEST(x86_counts_siblings_and_cores_among_the_visible)
{
	static const char host[] = X86(0, 0, 4, 0, 2) X86(1, 1, 4, 0, 2) X86(2, 0, 4, 1, 2)
		X86(3, 1, 4, 1, 2) X86(4, 0, 4, 0, 2) X86(5, 1, 4, 0, 2) X86(6, 0, 4, 1, 2)
			X86(7, 1, 4, 1, 2);

	check("0-7", host, host);
	check("0,4", host, X86(0, 0, 2, 0, 1) X86(4, 0, 2, 0, 1));
	check("1-2,4", host, X86(1, 1, 1, 0, 1) X86(2, 0, 2, 1, 2) X86(4, 0, 2, 0, 2));
	check("7", host, X86(7, 1, 1, 1, 1));
}
END_TEST

/* The text may have fewer CPUs than the container: one went offline meanwhile. */
START_TEST(a_cpu_that_is_gone)
{
	check("0,9", X86(0, 0, 2, 0, 1) X86(1, 0, 2, 0, 1), X86(0, 0, 1, 0, 1));
	check("1", "", "");
	check("1", X86(0, 0, 2, 0, 1), "");
	/* the same CPU twice, and none behind the colon */
	check("0", "processor : 0\n\nprocessor : 0\n\nprocessor :\n",
	      "processor : 0\n\nprocessor : 0\n\nprocessor :\n");
}
END_TEST

START_TEST(arm64)
{
	check("1", "processor\t: 0\nBogoMIPS\t: 50.00\n\nprocessor\t: 1\nBogoMIPS\t: 51.00\n\n",
	      "processor\t: 1\nBogoMIPS\t: 51.00\n\n");
}
END_TEST

START_TEST(arm_keeps_the_machine_behind)
{
	check("1",
	      "processor\t: 0\nmodel name\t: ARMv7\n\nprocessor\t: 1\nmodel name\t: ARMv7\n\n"
	      "Hardware\t: BCM2711\nRevision\t: c03111\nSerial\t\t: 0\n",
	      "processor\t: 1\nmodel name\t: ARMv7\n\n"
	      "Hardware\t: BCM2711\nRevision\t: c03111\nSerial\t\t: 0\n");
	/* before kernel 3.8 */
	check("0",
	      "Processor\t: ARMv6 rev 7\nprocessor\t: 0\nBogoMIPS\t: 1\n\nprocessor\t: 1\n"
	      "BogoMIPS\t: 2\n\nFeatures\t: half\n\nHardware\t: BCM2708\n",
	      "Processor\t: ARMv6 rev 7\nprocessor\t: 0\nBogoMIPS\t: 1\n\n"
	      "Features\t: half\n\nHardware\t: BCM2708\n");
}
END_TEST

START_TEST(mips_and_loongarch_keep_the_machine_before)
{
	check("1",
	      "system type\t\t: MIPS Malta\nmachine\t\t\t: mti,malta\nprocessor\t\t: 0\n"
	      "cpu model\t\t: 24Kc\n\nprocessor\t\t: 1\ncpu model\t\t: 34Kc\n\n",
	      "system type\t\t: MIPS Malta\nmachine\t\t\t: mti,malta\nprocessor\t\t: 1\n"
	      "cpu model\t\t: 34Kc\n\n");
	check("1",
	      "system type\t\t: generic-loongson-machine\n\nprocessor\t\t: 0\npackage\t\t\t: 0\n\n"
	      "processor\t\t: 1\npackage\t\t\t: 0\n\n",
	      "system type\t\t: generic-loongson-machine\n\nprocessor\t\t: 1\npackage\t\t\t: "
	      "0\n\n");
}
END_TEST

START_TEST(powerpc_keeps_the_machine_behind)
{
	check("0",
	      "processor\t: 0\ncpu\t\t: POWER9\nclock\t\t: 2300.0MHz\n\nprocessor\t: 8\n"
	      "cpu\t\t: POWER9\n\ntimebase\t: 512000000\nplatform\t: PowerNV\n",
	      "processor\t: 0\ncpu\t\t: POWER9\nclock\t\t: 2300.0MHz\n\n"
	      "timebase\t: 512000000\nplatform\t: PowerNV\n");
}
END_TEST

START_TEST(s390x)
{
	check("1-2",
	      "vendor_id       : IBM/S390\n# processors    : 3\nbogomips per cpu: 3033.00\n"
	      "features\t: esan3 zarch\n"
	      "processor 0: version = FF,  identification = 0133E8,  machine = 2964\n"
	      "processor 1: version = FF,  identification = 0133E8,  machine = 2964\n"
	      "processor 2: version = FF,  identification = 0133E8,  machine = 2964\n\n"
	      "cpu number      : 0\nphysical id     : 0\ncore id         : 0\n"
	      "siblings        : 3\ncpu cores       : 2\ncpu MHz dynamic : 5000\n\n"
	      "cpu number      : 1\nphysical id     : 0\ncore id         : 1\n"
	      "siblings        : 3\ncpu cores       : 2\ncpu MHz dynamic : 5000\n\n"
	      "cpu number      : 2\nphysical id     : 0\ncore id         : 1\n"
	      "siblings        : 3\ncpu cores       : 2\ncpu MHz dynamic : 5000\n\n",
	      "vendor_id       : IBM/S390\n# processors    : 2\nbogomips per cpu: 3033.00\n"
	      "features\t: esan3 zarch\n"
	      "processor 1: version = FF,  identification = 0133E8,  machine = 2964\n"
	      "processor 2: version = FF,  identification = 0133E8,  machine = 2964\n\n"
	      "cpu number      : 1\nphysical id     : 0\ncore id         : 1\n"
	      "siblings        : 2\ncpu cores       : 1\ncpu MHz dynamic : 5000\n\n"
	      "cpu number      : 2\nphysical id     : 0\ncore id         : 1\n"
	      "siblings        : 2\ncpu cores       : 1\ncpu MHz dynamic : 5000\n\n");
}
END_TEST

START_TEST(any_cut_of_a_text_is_survived)
{
	static const char host[] = "# processors : 2\nprocessor 0: x\n\n" X86(0, 0, 2, 0, 1)
		X86(1, 0, 2, 0, 1) "Hardware : x\n";
	char cut[sizeof host];

	for (size_t len = 0; len < sizeof host; len++) {
		AUTO_SNAPSHOT struct snapshot s = { .cpu_count = 1 };
		AUTO_TEXT struct text t = { 0 };

		memcpy(cut, host, len);
		cut[len] = '\0';
		test_host_file(&s, HOST_CPUINFO, cut);
		cpulist_add(&s.cpus, 1);
		cpuinfo_render(&s, &t);
		ck_assert_int_eq(t.error, 0);
		ck_assert_ptr_null(strstr(text_str(&t), "processor\t: 0\n"));
	}
}
END_TEST

static int personality_now(void)
{
	return personality(0xffffffff);
}

/* A process that was started with `setarch linux32`, until its pipe is closed. */
static pid_t linux32_start(int end[2])
{
	char byte;
	pid_t pid;

	ck_assert_int_eq(pipe(end), 0);
	pid = fork();
	if (pid == 0) {
		close(end[1]);
		personality(PER_LINUX32);
		/* says that it did, then waits for its end */
		kill(getpid(), SIGSTOP);
		_exit(read(end[0], &byte, 1) != 0);
	}
	ck_assert_int_eq(waitpid(pid, NULL, WUNTRACED), pid);
	kill(pid, SIGCONT);
	close(end[0]);
	return pid;
}

START_TEST(the_callers_personality_is_taken_on_and_given_back)
{
	AUTO_CLOSE int procfd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int own = personality_now(), end[2];
	pid_t pid = linux32_start(end);
	{
		AUTO_PERSONALITY int before = personality_adopt(procfd, pid);

		ck_assert_int_eq(before, own);
		ck_assert_int_eq(personality_now(), PER_LINUX32);
	}
	ck_assert_int_eq(personality_now(), own);
	ck_assert_int_eq(personality_adopt(procfd, getpid()), PERSONALITY_KEPT);
	ck_assert_int_eq(personality_adopt(procfd, 0), PERSONALITY_KEPT);
	close(end[1]);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert_int_eq(personality_adopt(procfd, pid), PERSONALITY_KEPT);
	ck_assert_int_eq(personality_now(), own);
}
END_TEST

static const struct {
	const char *host, *caller;
	unsigned flags;
	const char *name;
} machines[] = {
	{ "debian12-v2-4cpu", "limited", 0, "limited" },
	{ "debian12-v2-4cpu", "limited", LXCFS_CFS, "limited-cfs" },
	{ "kernel6.18-v1-2cpu", "limited", 0, "limited" },
};

START_TEST(real_machines)
{
	const char *name = machines[_i].host;
	struct lxcfs *engine = test_engine(name, machines[_i].flags);
	struct lxcfs_caller caller = test_caller(name, machines[_i].caller);
	AUTO_FREE char *text = test_render(engine, &caller, "/proc/cpuinfo");
	char golden[256];

	snprintf(golden, sizeof golden, "cpuinfo/%s.%s", name, machines[_i].name);
	test_golden(golden, text);
	lxcfs_close(engine);
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_test(tests, x86_counts_siblings_and_cores_among_the_visible);
	tcase_add_test(tests, a_cpu_that_is_gone);
	tcase_add_test(tests, arm64);
	tcase_add_test(tests, arm_keeps_the_machine_behind);
	tcase_add_test(tests, mips_and_loongarch_keep_the_machine_before);
	tcase_add_test(tests, powerpc_keeps_the_machine_behind);
	tcase_add_test(tests, s390x);
	tcase_add_test(tests, any_cut_of_a_text_is_survived);
	tcase_add_test(tests, the_callers_personality_is_taken_on_and_given_back);
	tcase_add_loop_test(tests, real_machines, 0, ARRAY_SIZE(machines));
}

int main(void)
{
	return test_run("cpuinfo", fill);
}
