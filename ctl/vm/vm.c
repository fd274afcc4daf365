// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/util.h"
#include "host/proc.h"
#include "vm/vm.h"
#include "vm/vm_attrs.h"
#include "vm/vm_machine.h"

static struct json_object *obj1(const char *k, const char *v)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, k, json_object_new_string(v));
	return o;
}

static struct json_object *obj2(const char *k1, const char *v1, const char *k2, const char *v2)
{
	struct json_object *o = obj1(k1, v1);

	json_object_object_add(o, k2, json_object_new_string(v2));
	return o;
}

int vm_status(struct vm *vm, struct kh_err *e)
{
	struct json_object *ret;
	int rc;

	rc = qmp_cmd(&vm->q, "query-status", NULL, &ret, e);
	if (rc)
		return rc;
	copy_str(vm->status, sizeof(vm->status), jstr(ret, "status"));
	json_object_put(ret);
	return 0;
}

static int learn_name(struct vm *vm, struct kh_err *e)
{
	struct json_object *ret;
	int rc;

	rc = qmp_cmd(&vm->q, "query-name", NULL, &ret, e);
	if (rc)
		return rc;
	copy_str(vm->name, sizeof(vm->name), jstr(ret, "name"));
	json_object_put(ret);
	return 0;
}

static int learn_bandwidth(struct vm *vm, struct kh_err *e)
{
	struct json_object *ret;
	int rc;

	rc = qmp_cmd(&vm->q, "query-migrate-parameters", NULL, &ret, e);
	if (rc)
		return rc;
	vm->max_bandwidth = jint(ret, "max-bandwidth");
	json_object_put(ret);
	return 0;
}

static int learn_vmdesc(struct vm *vm, struct kh_err *e)
{
	struct json_object *args = json_object_new_object(), *ret;
	int rc;

	json_object_object_add(args, "path", json_object_new_string("/machine"));
	json_object_object_add(args, "property", json_object_new_string("suppress-vmdesc"));
	rc = qmp_cmd(&vm->q, "qom-get", args, &ret, e);
	if (rc)
		return rc;
	vm->suppress_vmdesc = json_object_get_boolean(ret);
	json_object_put(ret);
	return 0;
}

static int learn_patched(struct vm *vm, struct kh_err *e)
{
	struct json_object *ret;
	size_t i;
	int rc;

	rc = qmp_array(&vm->q, "device-list-properties", obj1("typename", "vfio-pci"), &ret, e);
	if (rc == -EREMOTEIO) {
		/* A QEMU without vfio-pci has nothing to preserve either. */
		e->rc = 0;
		return 0;
	}
	if (rc)
		return rc;
	for (i = 0; i < json_object_array_length(ret); i++)
		if (!strcmp(jstr(json_object_array_get_idx(ret, i), "name"), "preserve"))
			vm->patched = true;
	json_object_put(ret);
	return 0;
}

/* A property of a QOM object; one that is not there is no error. */
static int get_prop(struct vm *vm, const char *path, const char *prop, struct json_object **ret,
		    struct kh_err *e)
{
	struct kh_err mine = { 0 };
	int rc;

	rc = qmp_cmd(&vm->q, "qom-get", obj2("path", path, "property", prop), ret, &mine);
	if (rc == -EREMOTEIO)
		return 0;
	return rc ? err_set(e, rc, "%s", mine.msg) : 0;
}

static int get_prop_str(struct vm *vm, const char *path, const char *prop, char *buf, size_t size,
			struct kh_err *e)
{
	struct json_object *ret;
	int rc;

	buf[0] = '\0';
	rc = get_prop(vm, path, prop, &ret, e);
	if (!rc && json_object_is_type(ret, json_type_string))
		rc = copy_str(buf, size, json_object_get_string(ret));
	json_object_put(ret);
	return rc ? err_set(e, rc, "%s of %s: %s", prop, path, strerror(-rc)) : 0;
}

static int learn_backend(struct vm *vm, struct json_object *o, struct kh_err *e)
{
	struct vm_ram *r;
	char path[128];
	int rc;

	r = realloc(vm->ram, (vm->nr_ram + 1) * sizeof(*r));
	if (!r)
		return err_set(e, -ENOMEM, "out of memory");
	vm->ram = r;
	r += vm->nr_ram;
	memset(r, 0, sizeof(*r));
	if (copy_str(r->id, sizeof(r->id), jstr(o, "id")))
		return err_set(e, -E2BIG, "id of a memory backend is too long");
	r->size = jint(o, "size");
	r->share = jbool(o, "share");
	path_fmt(path, sizeof(path), "/objects/%s", r->id);
	rc = get_prop_str(vm, path, "type", r->type, sizeof(r->type), e);
	if (!rc)
		rc = get_prop_str(vm, path, "mem-path", r->path, sizeof(r->path), e);
	if (!rc)
		vm->nr_ram++;
	return rc;
}

static int learn_ram(struct vm *vm, struct kh_err *e)
{
	struct json_object *ret;
	size_t i;
	int rc;

	rc = qmp_array(&vm->q, "query-memdev", NULL, &ret, e);
	if (rc)
		return rc;
	for (i = 0; !rc && i < json_object_array_length(ret); i++)
		rc = learn_backend(vm, json_object_array_get_idx(ret, i), e);
	json_object_put(ret);
	return rc;
}

static bool is_bdf(const char *s)
{
	unsigned int seg, bus, dev, fn;
	char end;

	return sscanf(s, "%x:%x:%x.%x%c", &seg, &bus, &dev, &fn, &end) == 4 &&
	       strlen(s) < 16 && seg <= 0xffff && bus <= 0xff && dev <= 0x1f && fn <= 7;
}

static int learn_device(struct vm *vm, const char *parent, const char *name, struct kh_err *e)
{
	struct json_object *ret;
	char host[1024], *slash;
	struct vm_dev *d;
	int rc;

	d = realloc(vm->dev, (vm->nr_devs + 1) * sizeof(*d));
	if (!d)
		return err_set(e, -ENOMEM, "out of memory");
	vm->dev = d;
	d += vm->nr_devs;
	memset(d, 0, sizeof(*d));
	path_fmt(d->qom, sizeof(d->qom), "%s/%s", parent, name);
	rc = get_prop(vm, d->qom, "preserve", &ret, e);
	if (rc)
		return rc;
	d->preserve = json_object_get_boolean(ret);
	json_object_put(ret);
	rc = get_prop_str(vm, d->qom, "sysfsdev", host, sizeof(host), e);
	if (rc)
		return rc;
	slash = strrchr(host, '/');
	if (slash)
		memmove(host, slash + 1, strlen(slash));
	if (!is_bdf(host))
		rc = get_prop_str(vm, d->qom, "host", host, sizeof(host), e);
	if (rc)
		return rc;
	if (is_bdf(host))
		copy_str(d->bdf, sizeof(d->bdf), host);
	vm->nr_devs++;
	return 0;
}

static int learn_devices(struct vm *vm, const char *parent, struct kh_err *e)
{
	struct json_object *ret, *o;
	size_t i;
	int rc;

	rc = qmp_array(&vm->q, "qom-list", obj1("path", parent), &ret, e);
	if (rc)
		return rc;
	for (i = 0; !rc && i < json_object_array_length(ret); i++) {
		o = json_object_array_get_idx(ret, i);
		if (has_prefix(jstr(o, "type"), "child<vfio-"))
			rc = learn_device(vm, parent, jstr(o, "name"), e);
	}
	json_object_put(ret);
	return rc;
}

static int read_link(pid_t pid, const char *name, char *buf, size_t size)
{
	char path[64];
	ssize_t n;

	n = readlink(path_fmt(path, sizeof(path), "/proc/%d/%s", pid, name), buf, size - 1);
	if (n < 0 || n == (ssize_t)size - 1) {
		buf[0] = '\0';
		return n < 0 ? -errno : -ENAMETOOLONG;
	}
	buf[n] = '\0';
	return 0;
}

/* Where output goes, if it can go there again. */
static void read_target(pid_t pid, int fd, char *buf, size_t size)
{
	char name[16];
	struct stat st;

	if (read_link(pid, path_fmt(name, sizeof(name), "fd/%d", fd), buf, size))
		return;
	if (buf[0] != '/' || has_prefix(buf, "/dev/pts/") || stat(buf, &st) ||
	    !(S_ISREG(st.st_mode) || S_ISCHR(st.st_mode)))
		buf[0] = '\0';
}

/* A character device on standard input is part of the machine, too. */
static void learn_stdin(struct vm *vm)
{
	char in[1024];

	read_link(vm->pid, "fd/0", in, sizeof(in));
	json_object_object_add(vm->machine, "stdin", json_object_new_string(in));
}

static int learn_process(struct vm *vm, struct kh_err *e)
{
	struct stat st;
	char path[64];
	int rc;

	if (stat(path_fmt(path, sizeof(path), "/proc/%d", vm->pid), &st))
		return err_set(e, -errno, "process %d: %s", vm->pid, strerror(errno));
	vm->uid = st.st_uid;
	rc = read_link(vm->pid, "exe", vm->exe, sizeof(vm->exe));
	if (!rc)
		rc = read_link(vm->pid, "cwd", vm->cwd, sizeof(vm->cwd));
	if (!rc)
		rc = read_all(path_fmt(path, sizeof(path), "/proc/%d/cmdline", vm->pid),
			      &vm->argv, &vm->argv_len);
	if (!rc)
		rc = read_all(path_fmt(path, sizeof(path), "/proc/%d/environ", vm->pid),
			      &vm->env, &vm->env_len);
	if (rc)
		return err_set(e, rc, "process %d: %s", vm->pid, strerror(-rc));
	read_target(vm->pid, 1, vm->out, sizeof(vm->out));
	read_target(vm->pid, 2, vm->err, sizeof(vm->err));
	return 0;
}

/* From here on the process id means this process, or the pidfd says that the process has ended. */
static int hold_process(struct vm *vm, struct kh_err *e)
{
	uint64_t start;
	int rc;

	if (vm->pid <= 0)
		return err_set(e, -ESRCH, "the process behind the QMP socket is not visible from here");
	rc = proc_start(vm->pid, &start);
	vm->pidfd = rc ? rc : proc_open(vm->pid, start);
	return vm->pidfd < 0 ? err_set(e, vm->pidfd, "process %d, behind the QMP socket: %s", vm->pid,
				       strerror(-vm->pidfd)) : 0;
}

static int learn_attrs(struct vm *vm, struct kh_err *e)
{
	struct json_object *roles;
	int rc;

	learn_stdin(vm);
	rc = attrs_read(vm->pid, &vm->attrs, e);
	if (rc)
		return rc;
	rc = attrs_roles(vm->pid, &vm->q, &roles, e);
	if (!rc)
		attrs_read_threads(vm->pid, roles, vm->attrs);
	json_object_put(roles);
	return rc;
}

/* What was read of /proc was the process's own only if that has not ended meanwhile. */
static int still_there(const struct vm *vm, struct kh_err *e)
{
	return proc_gone(vm->pidfd, 0) ?
	       err_set(e, -ESRCH, "process %d ended while it was looked at", vm->pid) : 0;
}

int vm_learn(struct vm *vm, const char *qmp_path, int cancel_fd, struct kh_err *e)
{
	char real[PATH_MAX];
	int rc;

	memset(vm, 0, sizeof(*vm));
	vm->q.fd = -1;
	vm->pidfd = -1;
	if (!realpath(qmp_path, real))
		return err_set(e, -errno, "%s: %s", qmp_path, strerror(errno));
	if (copy_str(vm->qmp_path, sizeof(vm->qmp_path), real))
		return err_set(e, -ENAMETOOLONG, "%s: too long for a socket", real);
	rc = qmp_open(&vm->q, vm->qmp_path, cancel_fd, &vm->pid, e);
	if (!rc)
		rc = hold_process(vm, e);
	if (!rc)
		rc = vm_status(vm, e);
	if (!rc)
		rc = learn_name(vm, e);
	if (!rc)
		rc = learn_bandwidth(vm, e);
	if (!rc)
		rc = learn_vmdesc(vm, e);
	if (!rc)
		rc = learn_patched(vm, e);
	if (!rc)
		rc = learn_ram(vm, e);
	if (!rc)
		rc = learn_devices(vm, "/machine/peripheral", e);
	if (!rc)
		rc = learn_devices(vm, "/machine/peripheral-anon", e);
	if (!rc)
		rc = learn_process(vm, e);
	if (!rc)
		rc = machine_learn(&vm->q, &vm->machine, e);
	if (!rc)
		rc = learn_attrs(vm, e);
	if (!rc)
		rc = still_there(vm, e);
	return rc;
}

void vm_close(struct vm *vm)
{
	qmp_close(&vm->q);
	if (vm->pidfd >= 0)
		close(vm->pidfd);
	vm->pidfd = -1;
	free(vm->argv);
	free(vm->env);
	free(vm->ram);
	free(vm->dev);
	vm->argv = NULL;
	vm->env = NULL;
	vm->ram = NULL;
	vm->dev = NULL;
	vm->nr_ram = 0;
	vm->nr_devs = 0;
}

uint64_t vm_ram_bytes(const struct vm *vm)
{
	uint64_t n = 0;
	unsigned int i;

	for (i = 0; i < vm->nr_ram; i++)
		n += vm->ram[i].size;
	return n;
}
