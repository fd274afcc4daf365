// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <net/if.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>
#include "base/out.h"
#include "base/util.h"
#include "state/state_io.h"
#include "vm/spawn.h"
#include "vm/vm.h"
#include "vm/vm_attrs.h"
#include "vm/vm_disk.h"
#include "vm/vm_opts.h"

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
	struct attrs_child *attrs;	/* NULL: those of khctl */
	struct json_object *moved;	/* disks that have other names now; NULL: not known */
	char **renamed;			/* those of argv that are to be freed */
};

/* What the child tells when it fails. */
struct failure {
	int rc;
	const char *step;	/* a constant, at the same address in both processes */
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
	struct failure f = { -wait_for_go(c), "the word of khctl to go on" };

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	setsid();
	if (!f.rc && (dup2(c->in, 0) < 0 || dup2(c->out, 1) < 0 || dup2(c->err, 2) < 0 ||
		      fcntl(c->monitor, F_SETFD, 0) < 0 || chdir(c->cwd)))
		f = (struct failure){ -errno, "its files" };
	if (!f.rc && c->attrs)
		f.rc = attrs_child_apply(c->attrs, &f.step);
	if (!f.rc) {
		execve(c->exe, c->argv, c->env);
		f = (struct failure){ -errno, "its program" };
	}
	if (write(c->report, &f, sizeof(f)) < 0)
		_exit(126);
	_exit(127);
}

/* The pipe closes with a successful exec, and carries the failure otherwise. */
static int start(struct child *c, pid_t *pid, int (*hold)(void *ctx, pid_t pid), void *ctx,
		 const char **step)
{
	struct failure f;
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
	*step = "a new process";
	if (*pid < 0)
		rc = -errno;
	else
		rc = hold(ctx, *pid);
	if (rc && *pid > 0)
		kill(*pid, SIGKILL);
	else if (!rc && write(go[1], "", 1) != 1)
		rc = -errno;
	close(go[1]);
	if (!rc && read(fds[0], &f, sizeof(f)) == sizeof(f)) {
		rc = f.rc;
		*step = f.step;
	}
	close(fds[0]);
	return rc;
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

/* The folder of @path, made for the user of QEMU when the new kernel has none. */
static int make_folder(struct json_object *attrs, const char *cwd, const char *path, struct kh_err *e)
{
	char file[1200], dir[1200];
	bool there;
	int rc;

	path_fmt(file, sizeof(file), "%s%s%s", *path == '/' ? "" : cwd, *path == '/' ? "" : "/", path);
	path_fmt(dir, sizeof(dir), "%.*s", (int)(strrchr(file, '/') - file), file);
	there = !*dir || !access(dir, F_OK);
	rc = make_parents(file);
	if (rc)
		return err_set(e, rc, "folder %s: %s", dir, strerror(-rc));
	if (!there && attrs)
		attrs_own(attrs, dir);
	return 0;
}

/* The network of the new kernel is not set up yet, and a socket of QEMU may listen at 127.0.0.1. */
static int loopback_up(void)
{
	struct ifreq r = { .ifr_name = "lo" };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc = -1;

	if (fd < 0)
		return -1;
	if (!ioctl(fd, SIOCGIFFLAGS, &r)) {
		r.ifr_flags |= IFF_UP | IFF_RUNNING;
		rc = ioctl(fd, SIOCSIFFLAGS, &r);
	}
	close(fd);
	return rc;
}

/* Folders that only the old kernel had, for what QEMU creates in them. */
static int make_folders(struct json_object *attrs, const struct kh_plan *plan,
			const struct kh_plan_vm *vm, struct kh_err *e)
{
	struct json_object *opts = vm_opts_parse(plan_str(plan, vm->argv), vm->argv.len), *o;
	const char *cwd = plan_str(plan, vm->cwd), *path;
	bool loopback = false;
	char inside[1200];
	size_t i;
	int rc;

	rc = make_folder(attrs, cwd, path_fmt(inside, sizeof(inside), "%s/x", cwd), e);
	if (!rc && vm->qmp.len)
		rc = make_folder(attrs, cwd, plan_str(plan, vm->qmp), e);
	for (i = 0; !rc && i < json_object_array_length(opts); i++) {
		o = json_object_array_get_idx(opts, i);
		path = opt_is(o, "pidfile") || opt_is(o, "D") ? opt_arg(o) : "";
		if (opt_has(o, "backend"))
			path = *opt_get(o, "path") ? opt_get(o, "path") : opt_get(o, "logfile");
		loopback |= opt_has(o, "host") || opt_is(o, "vnc");
		if (opt_is(o, "vnc") && has_prefix(opt_get(o, "vnc"), "unix:"))
			path = opt_get(o, "vnc") + strlen("unix:");
		if (*path)
			rc = make_folder(attrs, cwd, path, e);
	}
	json_object_put(opts);
	if (!rc && loopback && loopback_up())
		talk("the loopback interface stays down: %s", strerror(errno));
	return rc;
}

/* What has to be there before QEMU starts. A plan of an earlier khctl has no attributes. */
static int prepare(struct child *c, const struct kh_plan *plan, const struct kh_plan_vm *vm,
		   struct kh_err *e)
{
	bool own = vm_changes_user(plan_str(plan, vm->argv), vm->argv.len);
	struct json_object *o = NULL, *attrs;
	int rc = 0;

	if (vm->attrs.len)
		o = json_tokener_parse(plan_str(plan, vm->attrs));
	attrs = jget(o, "process");
	if (vm->attrs.len && !attrs)
		rc = err_set(e, -EINVAL, "the attributes in the plan cannot be read");
	if (!rc)
		rc = make_folders(attrs, plan, vm, e);
	if (!rc && o) {
		c->moved = disks_moved(jget(o, "disks"), c->cwd, e);
		rc = c->moved ? 0 : -ESTALE;
	}
	if (!rc && attrs)
		rc = attrs_set_nodes(attrs, jget(o, "disks"), c->moved, e);
	if (!rc && attrs) {
		c->attrs = attrs_child_prepare(attrs, own, e);
		rc = c->attrs ? 0 : -EINVAL;
	}
	json_object_put(o);
	return rc;
}

static bool is_disk_option(const char *arg)
{
	static const char * const names[] = { "drive", "blockdev", "hda", "hdb", "hdc", "hdd", "cdrom",
					      "fda", "fdb", "pflash", "sd", "mtdblock" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (*arg == '-' && !strcmp(arg + 1 + (arg[1] == '-'), names[i]))
			return true;
	return false;
}

/* A disk that has another name in this kernel is opened by that name. */
static int rename_disks(struct child *c, unsigned int n, struct kh_err *e)
{
	unsigned int i;

	if (!c->moved || !json_object_object_length(c->moved))
		return 0;
	c->renamed = calloc(n + EXTRA_ARGS, sizeof(*c->renamed));
	if (!c->renamed)
		return err_set(e, -ENOMEM, "out of memory");
	for (i = 1; i < n; i++) {
		if (!is_disk_option(c->argv[i - 1]) && c->argv[i][0] != '/')
			continue;
		c->renamed[i] = disk_rename(c->argv[i], c->moved);
		if (c->renamed[i])
			c->argv[i] = c->renamed[i];
	}
	return 0;
}

static void free_child(struct child *c, unsigned int n)
{
	unsigned int i;

	for (i = 0; c->renamed && i < n; i++)
		free(c->renamed[i]);
	free(c->renamed);
	json_object_put(c->moved);
	attrs_child_free(c->attrs);
	free(c->argv);
	free(c->env);
}

int spawn_vm(const struct kh_plan *plan, const struct kh_plan_vm *vm, int monitor, pid_t *pid,
	     int (*hold)(void *ctx, pid_t pid), void *ctx, struct kh_err *e)
{
	struct child c = { .in = -1, .out = -1, .err = -1, .monitor = monitor };
	char chardev[64];
	const char *step = "";
	unsigned int n, i;
	int rc;

	c.exe = plan_str(plan, vm->exe);
	c.cwd = plan_str(plan, vm->cwd);
	c.argv = split(plan_str(plan, vm->argv), vm->argv.len, EXTRA_ARGS, &n);
	c.env = split(plan_str(plan, vm->env), vm->env.len, 0, &i);
	path_fmt(chardev, sizeof(chardev), "socket,id=" VM_MONITOR_ID ",fd=%d", monitor);
	rc = !c.argv || !c.env ? err_set(e, -ENOMEM, "out of memory") :
	     prepare(&c, plan, vm, e);
	if (!rc)
		rc = rename_disks(&c, n, e);
	if (!rc)
		rc = open_outputs(&c, plan, vm, e);
	if (!rc) {
		c.argv[n++] = "-chardev";
		c.argv[n++] = chardev;
		c.argv[n++] = "-mon";
		c.argv[n++] = "chardev=" VM_MONITOR_ID ",mode=control";
		c.argv[n++] = "-incoming";
		c.argv[n++] = "defer";
		rc = start(&c, pid, hold, ctx, &step);
		if (rc)
			err_set(e, rc, "cannot start %s in %s: %s: %s", c.exe, c.cwd, step, strerror(-rc));
	}
	close_outputs(&c);
	free_child(&c, n);
	return rc;
}
