// SPDX-License-Identifier: GPL-2.0
#include <string.h>
#include "evidence/instr.h"
#include "evidence/recorder.h"
#include "host/kexec.h"
#include "undo.h"
#include "vm/vm_run_on.h"

bool undo_pending(const struct state *s)
{
	return s->commit.state == KH_PREPARED || s->commit.state == KH_SAVED;
}

int undo_upgrade(struct state *s, const struct kh_plan *plan, struct vm *vm, unsigned int n,
		 struct kh_err *e)
{
	int rc = kexec_unload();	/* first: nobody must jump into a kernel that expects saved guests */

	if (rc)
		err_set(e, rc, "cannot unload the new kernel: %s", strerror(-rc));
	vm_run_on_all(vm, n, e);
	instr_unpin();
	if (recorder_there())
		recorder_stop();
	rc = e->rc ? e->rc : state_commit(s, KH_ABORTED, plan);
	if (rc)
		err_set(e, rc, "cannot write the state area: %s", strerror(-rc));
	state_log(s, plan->run_id, "abort", 0, "%.180s", rc ? e->msg : "undone");
	return rc;
}
