/* SPDX-License-Identifier: GPL-2.0 */
/* Starting a QEMU again and giving it its device state back. */
#ifndef KHCTL_VM_LOAD_H
#define KHCTL_VM_LOAD_H

#include "format/state.h"
#include <stdbool.h>
#include <sys/types.h>
#include "base/err.h"
#include "vm/qmp.h"

/**
 * struct vm_load - one resume
 * @plan: of which @vm is a part
 * @vm: start_tsc, loaded_tsc, run_tsc are set
 * @stream: device state, @vm->stream_size bytes
 * @pid: of the QEMU that was started, 0: none
 */
struct vm_load {
	const struct kh_plan *plan;
	struct kh_plan_vm *vm;
	const char *stream;
	pid_t pid;
	/* private */
	struct qmp q;
	uint64_t sent_tsc;
	uint64_t tsc_hz;
	uint64_t resume_tsc;
	uint64_t completed_tsc;
	bool failed;
};

/**
 * vm_load() - until QEMU lets the guest run
 *
 * Return: 0, or -errno with a message. A QEMU that was started and did not get
 * so far has been ended; its preserved devices stay kept. After success only,
 * vm_load_end() has to follow.
 */
int vm_load(struct vm_load *l, struct kh_err *e);

/** vm_load_end() - what can wait until the guest runs */
void vm_load_end(struct vm_load *l);

#endif
