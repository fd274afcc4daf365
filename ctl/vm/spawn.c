// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>
#include "base/util.h"
#include "state/state_io.h"
#include "vm/spawn.h"
#include "vm/vm.h"

#define EXTRA_ARGS 7

/* Pointers into zero-separated text. @extra: room for more of them. */
static char **split(const char *text, size_t len, unsigned int extra, unsigned int *n)
{
	const char *p, *end = text + len;
	char **v;

	*n = 0;
	for (p = text; p < end; p += strlen(p) + 1)
		(*n)++;
	v = calloc(*n + extra + 1, sizeof(*v));
	if (!v)
		return NULL;
	*n = 0;
	for (p = text; p < end; p += strlen(p) + 1)
		v[(*n)++] = (char *)p;
	return v;
}

static void output_path(const char *path, const char *name, const char *kind, char *buf,
			size_t size)
{
	if (*path)
		copy_str(buf, size, path);
	else
		path_fmt(buf, size, SPAWN_LOG_DIR "/%s.%s.log", name, kind);
}

void spawn_err_path(const struct kh_plan *plan, const struct kh_plan_vm *vm, char *buf,
		    size_t size)
{
	output_path(plan_str(plan, vm->err), plan_str(plan, vm->name), "err", buf, size);
}

static int open_output(const char *path, const char *name, const char *kind)
{
	char buf[1024];

	output_path(path, name, kind, buf, sizeof(buf));
	make_parents(buf);
	return open(buf, O_WRONLY | O_CREAT | O_APPEND | O_NOCTTY | O_CLOEXEC, 0600);
}

struct child {
	char **argv;
	char **env;
	const char *exe;
	const char *cwd;
	int in;
	int out;
	int err;
	int monitor;
	int report;
	int go;
	pid_t parent;
};

/*
 * Until khctl has written down that this process exists, this process ends with khctl: nobody would
 * know that it belongs to a VM. Return: 0 or an errno.
 */
static int wait_for_go(const struct child *c)
{
	char byte;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != c->parent)
		return ESRCH;
	if (read(c->go, &byte, 1) != 1)
		return ECANCELED;
	return prctl(PR_SET_PDEATHSIG, 0) ? errno : 0;
}

/* Between fork and exec, where other threads may hold any lock: system calls only. */
static void __attribute__((noreturn)) run_child(const struct child *c)
{
	sigset_t none;
	int rc = wait_for_go(c);

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	setsid();
	if (!rc && (dup2(c->in, 0) < 0 || dup2(c->out, 1) < 0 || dup2(c->err, 2) < 0 ||
		    fcntl(c->monitor, F_SETFD, 0) < 0 || chdir(c->cwd)))
		rc = errno;
	if (!rc) {
		execve(c->exe, c->argv, c->env);
		rc = errno;
	}
	if (write(c->report, &rc, sizeof(rc)) < 0)
		_exit(126);
	_exit(127);
}

/* The pipe closes with a successful exec, and carries errno after a failed one. */
static int start(struct child *c, pid_t *pid, int (*hold)(void *ctx, pid_t pid), void *ctx)
{
	int fds[2], go[2], rc = 0;

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	if (pipe2(go, O_CLOEXEC)) {
		rc = -errno;
		close(fds[0]);
		close(fds[1]);
		return rc;
	}
	c->report = fds[1];
	c->go = go[0];
	c->parent = getpid();
	*pid = fork();
	if (!*pid)
		run_child(c);
	close(fds[1]);
	close(go[0]);
	if (*pid < 0)
		rc = errno;
	else
		rc = -hold(ctx, *pid);
	if (rc && *pid > 0)
		kill(*pid, SIGKILL);
	else if (!rc && write(go[1], "", 1) != 1)
		rc = errno;
	close(go[1]);
	if (!rc && read(fds[0], &rc, sizeof(rc)) <= 0)
		rc = 0;
	close(fds[0]);
	return -rc;
}

static int open_outputs(struct child *c, const struct kh_plan *plan, const struct kh_plan_vm *vm,
			struct kh_err *e)
{
	const char *name = plan_str(plan, vm->name);

	c->in = open("/dev/null", O_RDONLY | O_CLOEXEC);
	c->out = open_output(plan_str(plan, vm->out), name, "out");
	c->err = open_output(plan_str(plan, vm->err), name, "err");
	if (c->in < 0 || c->out < 0 || c->err < 0)
		return err_set(e, -errno, "cannot open the outputs of %s: %s", name,
			       strerror(errno));
	return 0;
}

static void close_outputs(struct child *c)
{
	if (c->in >= 0)
		close(c->in);
	if (c->out >= 0)
		close(c->out);
	if (c->err >= 0)
		close(c->err);
}

int spawn_vm(const struct kh_plan *plan, const struct kh_plan_vm *vm, int monitor, pid_t *pid,
	     int (*hold)(void *ctx, pid_t pid), void *ctx, struct kh_err *e)
{
	struct child c = { .in = -1, .out = -1, .err = -1, .monitor = monitor };
	char chardev[64];
	unsigned int n, i;
	int rc;

	c.exe = plan_str(plan, vm->exe);
	c.cwd = plan_str(plan, vm->cwd);
	c.argv = split(plan_str(plan, vm->argv), vm->argv.len, EXTRA_ARGS, &n);
	c.env = split(plan_str(plan, vm->env), vm->env.len, 0, &i);
	path_fmt(chardev, sizeof(chardev), "socket,id=" VM_MONITOR_ID ",fd=%d", monitor);
	rc = !c.argv || !c.env ? err_set(e, -ENOMEM, "out of memory") :
	     open_outputs(&c, plan, vm, e);
	if (!rc) {
		c.argv[n++] = "-chardev";
		c.argv[n++] = chardev;
		c.argv[n++] = "-mon";
		c.argv[n++] = "chardev=" VM_MONITOR_ID ",mode=control";
		c.argv[n++] = "-incoming";
		c.argv[n++] = "defer";
		rc = start(&c, pid, hold, ctx);
		if (rc)
			err_set(e, rc, "cannot start %s in %s: %s", c.exe, c.cwd, strerror(-rc));
	}
	close_outputs(&c);
	free(c.argv);
	free(c.env);
	return rc;
}
