// SPDX-License-Identifier: GPL-2.0
/* What it takes to start a VM again, put into the plan. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/util.h"
#include "host/dax.h"
#include "state/state_io.h"
#include "vm/vm.h"
#include "vm/vm_disk.h"

static int put_str(struct kh_plan *plan, struct kh_str *s, const char *text)
{
	return *text ? plan_put(plan, s, text, strlen(text)) : 0;
}

static int put_argv(const struct vm *vm, struct kh_plan *plan, struct kh_plan_vm *p)
{
	size_t len;
	char *argv;
	int rc;

	rc = vm_next_argv(vm->argv, vm->argv_len, &argv, &len);
	if (!rc)
		rc = plan_put(plan, &p->argv, argv, len);
	free(argv);
	return rc;
}

static int put_attrs(const struct vm *vm, struct kh_plan *plan, struct kh_plan_vm *p)
{
	struct json_object *o = json_object_new_object();
	int rc;

	json_object_object_add(o, "process", json_object_get(vm->attrs));
	json_object_object_add(o, "disks", disks_of(vm->machine, vm->cwd, NULL, NULL));
	rc = put_str(plan, &p->attrs, json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
	json_object_put(o);
	return rc;
}

static int plan_strings(const struct vm *vm, struct kh_plan *plan, struct kh_plan_vm *p)
{
	char name[80];
	int rc;

	if (vm->name[0])
		copy_str(name, sizeof(name), vm->name);
	else
		path_fmt(name, sizeof(name), "vm%d", (int)(p - plan_vm(plan, 0)));
	rc = put_str(plan, &p->name, name);
	if (!rc)
		rc = put_str(plan, &p->qmp, vm->qmp_path);
	if (!rc)
		rc = put_str(plan, &p->exe, vm->exe);
	if (!rc)
		rc = put_str(plan, &p->cwd, vm->cwd);
	if (!rc)
		rc = put_str(plan, &p->out, vm->out);
	if (!rc)
		rc = put_str(plan, &p->err, vm->err);
	if (!rc)
		rc = put_argv(vm, plan, p);
	if (!rc)
		rc = plan_put(plan, &p->env, vm->env, vm->env_len);
	if (!rc)
		rc = put_attrs(vm, plan, p);
	return rc;
}

static int put_ram(const struct vm_ram *r, struct kh_plan_ram *p, struct kh_err *e)
{
	struct dax_dev dev;
	int rc;

	rc = dax_find(r->path, &dev, e);
	if (rc)
		return rc;
	if (copy_str(p->id, sizeof(p->id), r->id) || copy_str(p->path, sizeof(p->path), r->path))
		return err_set(e, -ENAMETOOLONG, "%s: too long", r->path);
	p->size = r->size;
	p->resource = dev.resource;
	p->dax_size = dev.size;
	return 0;
}

int vm_plan(const struct vm *vm, struct kh_plan *plan, struct kh_plan_vm *p, struct kh_err *e)
{
	unsigned int i;
	int rc;

	memset(p, 0, sizeof(*p));
	p->state = KH_VM_PLANNED;
	p->old_pid = vm->pid;
	rc = plan_strings(vm, plan, p);
	if (rc)
		return err_set(e, rc, "command lines and environments are too long for a plan");
	if (plan_array(plan, &p->ram, vm->nr_ram, sizeof(struct kh_plan_ram)) ||
	    plan_array(plan, &p->dev, vm->nr_devs, sizeof(struct kh_plan_dev)))
		return err_set(e, -ENOSPC, "the plan is full");
	for (i = 0; i < vm->nr_ram; i++) {
		rc = put_ram(&vm->ram[i], plan_ram(plan, p, i), e);
		if (rc)
			return rc;
	}
	return 0;
}

int vm_plan_argv(struct kh_plan *plan, struct kh_plan_vm *p, const char *path, struct kh_err *e)
{
	char *file, *argv = NULL;
	size_t len, i;
	int rc;

	rc = read_all(path, &file, &len);
	if (rc)
		return err_set(e, rc, "%s: %s", path, strerror(-rc));
	if (!memchr(file, '\0', len))
		for (i = 0; i < len; i++)
			file[i] = file[i] == '\n' ? '\0' : file[i];
	rc = vm_next_argv(file, len, &argv, &len);
	free(file);
	if (rc)
		return err_set(e, rc, "out of memory");
	if (!len)
		rc = err_set(e, -EINVAL, "%s holds no arguments", path);
	else if (plan_put(plan, &p->argv, argv, len))
		rc = err_set(e, -ENOSPC, "the arguments in %s are too long for the plan", path);
	free(argv);
	return rc;
}
