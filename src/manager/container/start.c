/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Starting a container: this process ends when its init runs, a child of it stays as its monitor.
 */
#include <errno.h>
#include <lxc/lxccontainer.h>
#include <signal.h>
#include <unistd.h>

#include "container.h"

struct lxc_container *container_open(const char *name, const char *lxcpath, const char *conf)
{
	struct lxc_container *c = lxc_container_new(name, lxcpath);

	if (!c)
		return NULL;
	c->clear_config(
		c); /* what a file "config" in the instance's directory says does not count */
	if (conf[0] && !c->load_config(c, conf)) {
		lxc_container_put(c);
		return NULL;
	}
	return c;
}

void container_close(struct lxc_container **c)
{
	if (*c)
		lxc_container_put(*c);
}

void container_close_from(int first)
{
	close_range((unsigned)first, ~0U, 0);
}

/* Signals as a new process has them: the daemon's threads block some, and ignore SIGPIPE. */
static void reset_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
}

int command_start(int argc, char **argv)
{
	__attribute__((cleanup(container_close))) struct lxc_container *c = NULL;

	(void)argc;
	container_close_from(3);
	container_seal(argv -
		       1); /* a privileged container without it is one that LXC calls unsafe */
	reset_signals();
	c = container_open(argv[1], argv[2], argv[3]);
	if (!c)
		return complain(argv[3], EINVAL);
	c->daemonize = true;
	return c->start(c, 0, NULL) ? 0 : 1;
}
