// SPDX-License-Identifier: GPL-2.0
/* khctl abort: undo what a khctl upgrade left that could not undo it itself. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/lock.h"
#include "base/out.h"
#include "base/util.h"
#include "evidence/instr.h"
#include "evidence/recorder.h"
#include "host/kexec.h"
#include "state/state_io.h"
#include "verbs.h"
#include "vm/vm_save.h"

static int say(const struct khctl_opts *o, int rc, const char *result, const char *why)
{
	return out_result("abort", o->json, rc, result, why);
}

static int run_on(const struct kh_plan *plan, const struct kh_plan_vm *p, struct kh_err *e)
{
	struct kh_err mine = { 0 };
	struct vm *vm = calloc(1, sizeof(*vm));
	int rc;

	if (!vm)
		return err_set(e, -ENOMEM, "out of memory");
	vm->q.fd = -1;
	vm->pidfd = -1;
	vm->pid = p->old_pid;
	copy_str(vm->qmp_path, sizeof(vm->qmp_path), plan_str(plan, p->qmp));
	rc = vm_run_on(vm, &mine);
	if (rc)
		err_set(e, rc, "%s: %s", plan_str(plan, p->name), mine.msg);
	vm_close(vm);
	free(vm);
	return rc;
}

static int undo(const struct khctl_opts *o, struct state *s, struct kh_plan *plan)
{
	struct kh_err e = { 0 };
	unsigned int i;
	int rc;

	instr_unpin();
	if (recorder_there())
		recorder_stop();
	/* The kernel first: nobody must jump into it any more. */
	rc = kexec_unload();
	if (rc)
		err_set(&e, rc, "cannot unload the new kernel: %s", strerror(-rc));
	for (i = 0; i < plan->vms.count; i++)
		run_on(plan, plan_vm(plan, i), &e);
	if (e.rc) {
		state_log(s, plan->run_id, "abort", 0, "%.180s", e.msg);
		return say(o, EXIT_FAILED, "failed", e.msg);
	}
	rc = state_commit(s, KH_ABORTED, plan);
	if (rc)
		return say(o, EXIT_FAILED, "failed", "cannot write the state area");
	state_log(s, plan->run_id, "abort", 0, "undone");
	return say(o, EXIT_DONE, "undone", "the new kernel is unloaded, the guests run");
}

static int abort_plan(const struct khctl_opts *o, struct state *s)
{
	struct kh_plan *plan = NULL;
	struct kh_err e = { 0 };
	char id[40];
	int rc;

	if (s->commit.state != KH_PREPARED && s->commit.state != KH_SAVED)
		return say(o, EXIT_DONE, "nothing to do", "no upgrade is under way");
	if (state_plan(s, &plan, &e))
		return say(o, EXIT_FAILED, "failed", e.msg);
	if (!plan)
		return say(o, EXIT_FAILED, "failed", "the plan is missing");
	if (boot_id(id, sizeof(id)))
		rc = say(o, EXIT_FAILED, "failed", "the boot id cannot be read");
	else if (strcmp(id, plan->old_boot_id))
		rc = say(o, EXIT_REFUSED, "refused",
			 "the jump has taken place: khctl resume lets the guests run on");
	else
		rc = undo(o, s, plan);
	free(plan);
	return rc;
}

int verb_abort(const void *opts)
{
	const struct khctl_opts *o = opts;
	struct kh_err e = { 0 };
	struct state s;
	int rc = lock_take();

	if (rc < 0)
		return say(o, EXIT_REFUSED, "refused", lock_error(rc));
	if (state_open(&s, o->state, true, &e))
		return say(o, EXIT_FAILED, "failed", e.msg);
	rc = abort_plan(o, &s);
	state_close(&s);
	return rc;
}
