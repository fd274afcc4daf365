/* SPDX-License-Identifier: GPL-2.0 */
/* What an earlier khctl resume of the same boot left of a VM. */
#ifndef KHCTL_VM_LEFT_H
#define KHCTL_VM_LEFT_H

#include <stdbool.h>
#include <sys/types.h>
#include "state/record.h"

/**
 * vm_users() - who maps the memory of each VM
 * @user: for each VM of the plan a process id; 0: nobody; -errno: that cannot be told
 *
 * One pass over the processes, for guests may stand meanwhile.
 */
void vm_users(const struct kh_plan *plan, pid_t *user);

/**
 * vm_left() - whether the saved state of a VM may be used
 * @r: the record of the VM; a QEMU that was started and has not got the state is ended
 * @user: as vm_users() says
 * @runs: the VM was resumed already; its process is in the record
 *
 * Return: 0 with *@runs; -errno with the reason why the VM must not be started.
 */
int vm_left(struct state *s, const struct kh_plan *plan, const struct kh_plan_vm *vm,
	    struct kh_vm_record *r, pid_t user, bool *runs, struct kh_err *e);

/**
 * vm_ask() - what a QEMU says of its guest
 * @qmp: path of its QMP socket
 * @pid: and @start: the process that must be behind the socket
 * @status: as query-status has it
 * @migration: of query-migrate, "" when there was none; or NULL
 *
 * Return: 0; -ESRCH when the process has ended; -errno.
 */
int vm_ask(const char *qmp, pid_t pid, uint64_t start, char *status, size_t size, char *migration,
	   struct kh_err *e);

#endif
