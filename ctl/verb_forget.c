// SPDX-License-Identifier: GPL-2.0
/* khctl forget: give up VMs that could not be resumed. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/lock.h"
#include "base/out.h"
#include "base/util.h"
#include "host/proc.h"
#include "state/record.h"
#include "verbs.h"
#include "vm/vm_left.h"

static int say(const struct khctl_opts *o, int rc, const char *result, const char *why)
{
	return out_result("forget", o->json, rc, result, why);
}

/* Whether a process still has the VM: its QEMU, or one that maps its memory. */
static int check_unused(const struct state *s, const struct kh_plan *plan, unsigned int index,
			pid_t user, struct kh_err *e)
{
	const struct kh_vm_record r = record_get(s, plan->run_id, index);
	const char *name = plan_str(plan, plan_vm(plan, index)->name);
	char boot[40];
	int fd;

	if (user > 0)
		return err_set(e, -EBUSY, "process %d maps the memory of %s", user, name);
	if (user < 0)
		return err_set(e, user, "it cannot be told who maps the memory of %s", name);
	if (r.state == KH_REC_NONE || boot_id(boot, sizeof(boot)) || strcmp(boot, r.boot_id))
		return 0;
	fd = proc_open(r.pid, r.start);
	if (fd >= 0) {
		close(fd);
		return err_set(e, -EBUSY, "process %d, its QEMU, is still there", r.pid);
	}
	return 0;
}

static int check(const struct state *s, const struct kh_plan *plan, const char *name,
		 const pid_t *user, struct kh_err *e)
{
	unsigned int i = plan_find_vm(plan, name);

	if (i == plan->vms.count)
		return err_set(e, -ENOENT, "the upgrade has no VM %.64s", name);
	if (plan_vm(plan, i)->state == KH_VM_RUNNING)
		return err_set(e, -EBUSY, "%.64s was resumed: nothing is kept for it", name);
	return check_unused(s, plan, i, user[i], e);
}

/* All of the names, or none. */
static int forget(const struct khctl_opts *o, struct state *s, struct kh_plan *plan)
{
	pid_t *user = calloc(plan->vms.count + 1, sizeof(*user));
	struct kh_plan_vm *vm;
	struct kh_err e = { 0 };
	unsigned int i;
	int rc = 0;

	if (!user)
		return say(o, EXIT_FAILED, "failed", "out of memory");
	vm_users(plan, user);
	for (i = 0; !rc && i < o->vms.n; i++)
		rc = check(s, plan, o->vms.v[i], user, &e);
	free(user);
	if (rc)
		return say(o, EXIT_REFUSED, "refused", e.msg);
	for (i = 0; i < o->vms.n; i++) {
		vm = plan_vm(plan, plan_find_vm(plan, o->vms.v[i]));
		vm->state = KH_VM_FORGOTTEN;
		copy_str(vm->error, sizeof(vm->error), "given up by khctl forget");
	}
	rc = state_commit(s, plan_kept(plan) ? (enum kh_state)s->commit.state : KH_RESUMED, plan);
	if (rc)
		return say(o, EXIT_FAILED, "failed", "cannot write the state area");
	for (i = 0; i < o->vms.n; i++)
		state_log(s, plan->run_id, "forget", 0, "%.128s", o->vms.v[i]);
	return say(o, EXIT_DONE, "done", "their saved state is given up");
}

static int forget_in_plan(const struct khctl_opts *o, struct state *s)
{
	struct kh_plan *plan = NULL;
	struct kh_err e = { 0 };
	char id[40];
	int rc;

	if (s->commit.state != KH_SAVED && s->commit.state != KH_FAILED)
		return say(o, EXIT_REFUSED, "refused", "no saved state is kept");
	rc = state_plan(s, &plan, &e);
	if (rc || !plan)
		return say(o, EXIT_FAILED, "failed", rc ? e.msg : "the plan is missing");
	if (boot_id(id, sizeof(id)))
		rc = say(o, EXIT_FAILED, "failed", "the boot id cannot be read");
	else if (!strcmp(id, plan->old_boot_id))
		rc = say(o, EXIT_REFUSED, "refused",
			 "this is still the old kernel: khctl abort undoes the upgrade");
	else
		rc = forget(o, s, plan);
	free(plan);
	return rc;
}

int verb_forget(const void *opts)
{
	const struct khctl_opts *o = opts;
	struct kh_err e = { 0 };
	struct state s;
	int rc = lock_take();

	if (rc < 0)
		return say(o, EXIT_REFUSED, "refused", lock_error(rc));
	if (state_open(&s, o->state, true, &e))
		return say(o, EXIT_FAILED, "failed", e.msg);
	rc = forget_in_plan(o, &s);
	state_close(&s);
	return rc;
}
