/* SPDX-License-Identifier: GPL-2.0 */
/* Starting a QEMU again and giving it its device state back. */
#ifndef KHCTL_VM_LOAD_H
#define KHCTL_VM_LOAD_H

#include <stdbool.h>
#include <sys/types.h>
#include "base/err.h"
#include "state/record.h"
#include "vm/qmp.h"

/**
 * struct vm_load - one resume
 * @state: the area that holds the record of the VM
 * @plan: of which @vm is a part
 * @vm: new_pid, new_start, start_tsc, loaded_tsc and run_tsc are set
 * @record: of this VM, as it is in @state
 * @user: process that maps the memory of the VM, as vm_users() says
 * @cancel_fd: when it becomes readable, a guest that cannot run yet is given up for now; -1: none
 * @pid: of the QEMU that was started, 0: none
 * @roles: threads of QEMU, see attrs_roles(); the caller puts them
 * @ran_before: an earlier khctl resume has resumed the VM; nothing was started
 */
struct vm_load {
	struct state *state;
	const struct kh_plan *plan;
	struct kh_plan_vm *vm;
	struct kh_vm_record record;
	pid_t user;
	int cancel_fd;
	pid_t pid;
	struct json_object *roles;
	bool ran_before;
	/* private */
	const char *stream;	/* device state, @vm->stream_size bytes */
	struct qmp q;
	uint64_t sent_tsc;
	uint64_t tsc_hz;
	uint64_t resume_tsc;
	uint64_t completed_tsc;
	bool failed;
};

/**
 * vm_load() - until QEMU lets the guest run, unless the guest runs already
 *
 * The record of the VM says at each moment whether the guest may run. It says KH_REC_USED before the
 * last byte of the device state goes to QEMU, without which QEMU cannot let the guest run.
 *
 * Return: 0, or -errno with a message. A QEMU whose guest never ran has been ended; its preserved
 * devices stay kept. A QEMU whose guest may run is left alone. After success only, vm_load_end()
 * has to follow.
 */
int vm_load(struct vm_load *l, struct kh_err *e);

/**
 * vm_load_end() - what can wait until the guest runs: ask QEMU whether the guest runs
 *
 * Return: 0, -errno when QEMU does not say that the guest runs.
 */
int vm_load_end(struct vm_load *l, struct kh_err *e);

#endif
