// SPDX-License-Identifier: GPL-2.0
/* khctl abort: undo what a khctl upgrade left that could not undo it itself. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/lock.h"
#include "base/out.h"
#include "base/util.h"
#include "state/state_io.h"
#include "undo.h"
#include "verbs.h"

static int say(const struct khctl_opts *o, int rc, const char *result, const char *why)
{
	return out_result("abort", o->json, rc, result, why);
}

static int undo(const struct khctl_opts *o, struct state *s, struct kh_plan *plan)
{
	unsigned int i, n = plan->vms.count;
	struct vm *vm = calloc(n ? n : 1, sizeof(*vm));
	struct kh_err e = { 0 };
	int rc;

	if (!vm)
		return say(o, EXIT_FAILED, "failed", "out of memory");
	for (i = 0; i < n; i++) {
		vm[i].q.fd = -1;
		vm[i].pidfd = -1;
		vm[i].pid = plan_vm(plan, i)->old_pid;
		copy_str(vm[i].name, sizeof(vm[i].name), plan_str(plan, plan_vm(plan, i)->name));
		copy_str(vm[i].qmp_path, sizeof(vm[i].qmp_path),
			 plan_str(plan, plan_vm(plan, i)->qmp));
	}
	rc = undo_upgrade(s, plan, vm, n, &e);
	for (i = 0; i < n; i++)
		vm_close(&vm[i]);
	free(vm);
	return rc ? say(o, EXIT_FAILED, "failed", e.msg) :
		    say(o, EXIT_DONE, "undone", "the new kernel is unloaded, the guests run");
}

static int abort_plan(const struct khctl_opts *o, struct state *s)
{
	struct kh_plan *plan = NULL;
	struct kh_err e = { 0 };
	char id[40];
	int rc;

	if (!undo_pending(s))
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
