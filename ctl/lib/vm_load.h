/* SPDX-License-Identifier: GPL-2.0 */
/* Starting a QEMU again and giving it its device state back. */
#ifndef KHCTL_VM_LOAD_H
#define KHCTL_VM_LOAD_H

#include "../state.h"
#include <stdbool.h>
#include <sys/types.h>
#include "err.h"

/**
 * struct vm_load - one resume
 * @plan: of which @vm is a part
 * @vm: start_tsc, loaded_tsc, run_tsc are set
 * @stream: device state, @vm->stream_size bytes
 */
struct vm_load {
	const struct kh_plan *plan;
	struct kh_plan_vm *vm;
	const char *stream;
	/* private */
	uint64_t sent_tsc;
	uint64_t tsc_hz;
	uint64_t resume_tsc;
	uint64_t completed_tsc;
	bool failed;
	pid_t pid;
};

/**
 * vm_load() - until the guest runs
 *
 * Return: 0, or -errno with a message. A QEMU that was started and did not get
 * so far has been ended; its preserved devices stay kept.
 */
int vm_load(struct vm_load *l, struct kh_err *e);

#endif
