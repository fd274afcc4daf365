/* SPDX-License-Identifier: GPL-2.0 */
/* Taking back an upgrade whose khctl is gone. */
#ifndef KHCTL_UNDO_H
#define KHCTL_UNDO_H

#include "state/state_io.h"
#include "vm/vm.h"

/** undo_pending() - does the state area speak of an upgrade that was not finished, resumed or undone */
bool undo_pending(const struct state *s);

/**
 * undo_upgrade() - unload the new kernel, let the guests run on, remove what was attached
 * @s: writable
 * @plan: of the upgrade
 * @vm: its VMs, each connected or with its qmp_path
 * @n: how many
 *
 * The state area says that the upgrade is undone only if nothing failed, so that it can be tried again.
 *
 * Return: 0; -errno with the first failure in @e, the rest was done all the same.
 */
int undo_upgrade(struct state *s, const struct kh_plan *plan, struct vm *vm, unsigned int n,
		 struct kh_err *e);

#endif
