// SPDX-License-Identifier: GPL-2.0
/* Guests of an earlier upgrade that do not run yet. Another upgrade would overwrite what they need. */
#include <stdlib.h>
#include "preflight/preflight.h"

void check_kept(struct preflight *pf)
{
	static const char want[] = "no VM whose saved state waits for its resume";
	static const char fix[] = "khctl resume, or khctl forget VM to give the VM up";
	struct kh_plan *plan = NULL;
	struct kh_err e = { 0 };
	char names[200];

	if (pf->state.commit.state != KH_FAILED)
		return;
	if (state_plan(&pf->state, &plan, &e) || !plan)
		check_bad(pf, "state-kept", pf->state.dev.path, want, "khctl init --force",
			  "it cannot be told which VMs wait: %s", plan ? "" : e.msg);
	else if (plan_kept(plan))
		check_bad(pf, "state-kept", pf->state.dev.path, want, fix, "%u VMs wait: %s",
			  plan_kept(plan), plan_kept_names(plan, names, sizeof(names)));
	else
		check_ok(pf, "state-kept", pf->state.dev.path, "no VM waits");
	free(plan);
}
