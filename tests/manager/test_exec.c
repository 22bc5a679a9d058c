/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Commands of instances, by a driver that runs them on the host. */
#include "core/exec.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "support.h"

/* --- the driver ------------------------------------------------------------------------------ */

static enum instance_state state = INSTANCE_RUNNING;

static enum instance_state fake_state(const struct instance_place *place, pid_t *ret_init)
{
	(void)place;
	if (ret_init)
		*ret_init = 1;
	return state;
}

/* The command is its own helper here. */
static gboolean fake_exec(const struct instance_place *place,
			  const struct instance_command *command, struct instance_process *ret,
			  GError **error)
{
	pid_t pid = fork();

	(void)place;
	(void)error;
	if (pid == 0) {
		for (int i = 0; i < 3; i++)
			dup2(command->fds[i], i);
		closefrom(3);
		execve(command->argv[0], command->argv, command->env);
		_exit(127);
	}
	*ret = (struct instance_process){
		.pid = pid,
		.pidfd = (int)syscall(SYS_pidfd_open, pid, 0),
		.helper = pid,
		.helper_fd = (int)syscall(SYS_pidfd_open, pid, 0),
	};
	return TRUE;
}

static gboolean fake_terminal(const struct instance_place *place, uid_t uid, gid_t gid,
			      struct instance_terminal *ret, GError **error)
{
	int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

	(void)place;
	(void)uid;
	(void)gid;
	(void)error;
	unlockpt(fd);
	*ret = (struct instance_terminal){ fd, open(ptsname(fd), O_RDWR | O_NOCTTY | O_CLOEXEC) };
	return TRUE;
}

static const struct instance_driver driver = {
	.state = fake_state,
	.exec = fake_exec,
	.terminal = fake_terminal,
};

static struct instance *inst_new(const char *config)
{
	struct instance *inst = g_new0(struct instance, 1);

	inst->driver = &driver;
	inst->rootfs = g_strdup("/nonexistent");
	inst->config = json_object();
	inst->expanded_config = json_loads(config, 0, NULL);
	return inst;
}

static void inst_free(struct instance *inst)
{
	json_decref(inst->config);
	json_decref(inst->expanded_config);
	g_free(inst->rootfs);
	g_free(inst);
}

/* --- environment ------------------------------------------------------------------------------ */

START_TEST(environments)
{
	struct instance *inst = inst_new("{\"environment.A\": \"1\", \"environment.B\": \"2\"}");
	g_autoptr(json_t) asked = json_pack("{s:s, s:s}", "B", "asked", "PATH", "/p");
	g_autoptr(json_t) root = exec_environment(inst, asked, 0);
	g_autoptr(json_t) other = exec_environment(inst, NULL, 7);

	ck_assert_str_eq(json_text(root, "A"), "1");
	ck_assert_str_eq(json_text(root, "B"), "asked");
	ck_assert_str_eq(json_text(root, "PATH"), "/p");
	ck_assert_str_eq(json_text(root, "HOME"), "/root");
	ck_assert_str_eq(json_text(root, "USER"), "root");
	ck_assert_str_eq(json_text(root, "LANG"), "C.UTF-8");
	ck_assert_ptr_null(json_object_get(other, "HOME"));
	ck_assert_ptr_null(json_object_get(other, "USER"));
	ck_assert(g_str_has_prefix(json_text(other, "PATH"), "/usr/local/sbin:"));
	inst_free(inst);
}
END_TEST

static const struct {
	enum instance_state state;
	const char *words;
} states[] = {
	{ INSTANCE_RUNNING, NULL },
	{ INSTANCE_FROZEN, "Instance is frozen" },
	{ INSTANCE_STOPPED, "Instance is not running" },
};

START_TEST(not_in_every_state)
{
	struct instance *inst = inst_new("{}");
	g_autoptr(GError) error = NULL;
	gboolean ok;

	state = states[_i].state;
	ok = exec_possible(inst, &error);
	ck_assert_int_eq(ok, states[_i].words == NULL);
	if (!ok) {
		ck_assert_str_eq(error->message, states[_i].words);
		ck_assert_int_eq(error->code, 400);
	}
	state = INSTANCE_RUNNING;
	inst_free(inst);
}
END_TEST

/* --- running ------------------------------------------------------------------------------------
 */

static struct exec *start(const char *script, gboolean terminal)
{
	struct instance *inst = inst_new("{}");
	g_autoptr(json_t) command = json_pack("[s, s, s]", "/bin/sh", "-c", script);
	g_autoptr(json_t) env = exec_environment(inst, NULL, 0);
	const struct exec_spec spec = {
		.command = command,
		.environment = env,
		.terminal = terminal,
		.width = 91,
		.height = 37,
		.uid = getuid(),
		.gid = getgid(),
	};
	struct exec *exec = exec_start(inst, &spec, NULL);

	ck_assert_ptr_nonnull(exec);
	inst_free(inst);
	return exec;
}

static char *read_all(int fd)
{
	GString *text = g_string_new(NULL);
	char block[512];
	ssize_t n;

	while ((n = read(fd, block, sizeof block)) > 0)
		g_string_append_len(text, block, n);
	return g_string_free(text, FALSE);
}

START_TEST(pipes)
{
	g_autoptr(exec_t) exec = start("cat; echo err >&2; echo $container; exit 9", FALSE);
	g_autofree char *out = NULL, *err = NULL;

	ck_assert_int_eq(write(exec_fd(exec, 0), "in\n", 3), 3);
	exec_close_fd(exec, 0);
	out = read_all(exec_fd(exec, 1));
	err = read_all(exec_fd(exec, 2));
	ck_assert_str_eq(out, "in\nlxc\n");
	ck_assert_str_eq(err, "err\n");
	ck_assert_int_eq(exec_wait(exec, NULL), 9);
}
END_TEST

START_TEST(terminals)
{
	g_autoptr(exec_t) exec = start("stty size", TRUE);
	g_autofree char *out = read_all(exec_fd(exec, 0));

	ck_assert_str_eq(out, "37 91\r\n");
	ck_assert_int_eq(exec_fd(exec, 1), -1);
	ck_assert_int_eq(exec_wait(exec, NULL), 0);
}
END_TEST

START_TEST(signals)
{
	g_autoptr(exec_t) exec = start("echo; exec sleep 100", FALSE);
	char c;

	ck_assert_int_eq(read(exec_fd(exec, 1), &c, 1), 1); /* it is no copy of this any more */
	exec_signal(exec, SIGTERM);
	ck_assert_int_eq(exec_wait(exec, NULL), 128 + SIGTERM);
}
END_TEST

START_TEST(killed_when_cancelled)
{
	g_autoptr(exec_t) exec = start("trap '' TERM; exec sleep 100", FALSE);
	g_autoptr(GCancellable) cancel = g_cancellable_new();

	g_cancellable_cancel(cancel);
	ck_assert_int_eq(exec_wait(exec, cancel), 128 + SIGKILL);
}
END_TEST

START_TEST(killed_when_freed)
{
	struct exec *exec = start("echo $$; exec sleep 100", FALSE);
	g_autoptr(GString) line = g_string_new(NULL);
	char c;
	pid_t pid;

	while (read(exec_fd(exec, 1), &c, 1) == 1 && c != '\n')
		g_string_append_c(line, c);
	pid = (pid_t)atoi(line->str);
	ck_assert_int_gt(pid, 1);
	exec_free(exec);
	ck_assert_int_eq(kill(pid, 0), -1); /* reaped too */
}
END_TEST

START_TEST(statuses_that_are_errors)
{
	g_autoptr(GError) found = NULL;
	g_autoptr(GError) executable = NULL;

	ck_assert(exec_check_status(0, NULL) && exec_check_status(137, NULL));
	ck_assert(!exec_check_status(127, &found));
	ck_assert_str_eq(found->message, "Command not found");
	ck_assert(!exec_check_status(126, &executable));
	ck_assert_str_eq(executable->message, "Command not executable");
}
END_TEST

static void fill(TCase *tests)
{
	tcase_add_test(tests, environments);
	tcase_add_loop_test(tests, not_in_every_state, 0, G_N_ELEMENTS(states));
	tcase_add_test(tests, pipes);
	tcase_add_test(tests, terminals);
	tcase_add_test(tests, signals);
	tcase_add_test(tests, killed_when_cancelled);
	tcase_add_test(tests, killed_when_freed);
	tcase_add_test(tests, statuses_that_are_errors);
}

int main(void)
{
	return test_run("exec", fill);
}
