// SPDX-License-Identifier: GPL-2.0
/* khctl back: leave a new kernel that cannot resume the guests, with their saved state unused. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/lock.h"
#include "base/out.h"
#include "base/util.h"
#include "host/cmdline.h"
#include "preflight/preflight.h"
#include "state/plan.h"
#include "state/state_io.h"
#include "verbs.h"
#include "vm/back.h"

static int say(const struct khctl_opts *o, int rc, const char *result, const char *why)
{
	return out_result("back", o->json, rc, result, why);
}

/* Options replace what the plan names. Return: 0 or -ENOSPC. */
static int name_kernel(const struct khctl_opts *o, struct kh_plan *plan, uint64_t resource)
{
	char cmdline[CMDLINE_MAX];
	const char *initrd = o->initrd ? o->initrd : "";
	int rc = 0;

	if (o->kernel)
		rc = plan_put(plan, &plan->back_image, o->kernel, strlen(o->kernel));
	if (!rc && (o->kernel || o->initrd))
		rc = plan_put(plan, &plan->back_initrd, initrd, strlen(initrd));
	if (!rc && o->append)
		rc = cmdline_build(cmdline, sizeof(cmdline), o->append, resource,
				   plan->tsc_hz / 1000, "");
	if (!rc && o->append)
		rc = plan_put(plan, &plan->back_cmdline, cmdline, strlen(cmdline));
	return rc;
}

static int go(const struct khctl_opts *o, struct state *s, struct kh_plan *plan)
{
	struct preflight pf = { .lock = -1 };
	struct kh_err e = { 0 };
	int rc = name_kernel(o, plan, s->dev.resource);

	if (rc)
		return say(o, EXIT_REFUSED, "refused", "the command line does not fit");
	if (!plan->back_image.len)
		return say(o, EXIT_REFUSED, "refused",
			   "the plan names no kernel to go back to: give --kernel FILE");
	check_back(&pf, plan_str(plan, plan->back_image), plan_str(plan, plan->back_initrd));
	if (pf.nr_bad)
		preflight_talk(&pf);
	rc = pf.nr_bad;
	free(pf.finding);
	if (rc)
		return say(o, EXIT_REFUSED, "refused", "the kernel of the way back cannot adopt this host");
	back_jump(s, plan, &e);
	return say(o, EXIT_FAILED, "failed", e.msg);
}

static int with_plan(const struct khctl_opts *o, struct state *s)
{
	struct kh_plan *plan = NULL;
	struct kh_err e = { 0 };
	char id[40];
	int rc;

	if (s->commit.state != KH_SAVED && s->commit.state != KH_FAILED)
		return say(o, EXIT_REFUSED, "refused", "no guest waits for its resume");
	if (state_plan(s, &plan, &e) || !plan)
		return say(o, EXIT_FAILED, "failed", e.rc ? e.msg : "the plan is missing");
	if (boot_id(id, sizeof(id)))
		rc = say(o, EXIT_FAILED, "failed", "the boot id cannot be read");
	else if (!strcmp(id, plan->old_boot_id))
		rc = say(o, EXIT_REFUSED, "refused",
			 "this is still the old kernel: khctl abort undoes the upgrade");
	else if (plan->new_boot_id[0] && strcmp(id, plan->new_boot_id))
		rc = say(o, EXIT_REFUSED, "refused",
			 "the host was booted again since; the guests' memory is not what it was");
	else if (back_possible(s, plan, id, &e))
		rc = say(o, EXIT_REFUSED, "refused", e.msg);
	else
		rc = go(o, s, plan);
	free(plan);
	return rc;
}

int verb_back(const void *opts)
{
	const struct khctl_opts *o = opts;
	struct kh_err e = { 0 };
	struct state s;
	int lock, rc;

	lock = lock_take();
	if (lock < 0)
		return say(o, EXIT_REFUSED, "refused", lock_error(lock));
	if (state_open(&s, o->state, true, &e))
		return say(o, EXIT_FAILED, "failed", e.msg);
	rc = with_plan(o, &s);
	state_close(&s);
	close(lock);
	return rc;
}
