// SPDX-License-Identifier: GPL-2.0
/* Checks of what keeps QEMU from saving a VM, or would be lost by it. */
#include "preflight/preflight.h"
#include "vm/vm_migrate.h"

static void check_text(struct preflight *pf, const struct vm *vm, const char *id, const char *found,
		       const char *wanted, const char *remedy)
{
	if (found[0])
		check_bad(pf, id, vm->qmp_path, wanted, remedy, "%s", found);
	else
		check_ok(pf, id, vm->qmp_path, "none");
}

void check_migrate(struct preflight *pf, struct vm *vm)
{
	struct kh_err e = { 0 };
	struct vm_migrate m;

	if (vm_learn_migrate(vm, &m, &e)) {
		check_bad(pf, "vm-migration", vm->qmp_path, "a QEMU that tells of its jobs and migrations",
			  "use QEMU 10.0", "%s", e.msg);
		return;
	}
	vm->stream_max = m.stream_max;
	check_text(pf, vm, "vm-jobs", m.jobs, "no job of QEMU: a job ends with its QEMU",
		   "complete it (job-complete), cancel it (job-cancel) or dismiss it (job-dismiss)");
	check_text(pf, vm, "vm-migration", m.busy, "no migration under way",
		   "wait until it is over, or migrate_cancel");
	check_text(pf, vm, "vm-blocked", m.blocked, "nothing that keeps QEMU from saving the VM",
		   "take out what QEMU names");
	check_text(pf, vm, "vm-caps", m.caps, "no migration capability that changes what is saved",
		   "switch it off with migrate-set-capabilities");
}
