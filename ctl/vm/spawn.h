/* SPDX-License-Identifier: GPL-2.0 */
/* Starting a program as the plan says. */
#ifndef KHCTL_SPAWN_H
#define KHCTL_SPAWN_H

#include <sys/types.h>
#include "base/err.h"
#include "format/state.h"

#define SPAWN_LOG_DIR "/run/khctl"

/**
 * spawn_vm() - start the QEMU of a VM
 * @monitor: socket that becomes its additional QMP monitor
 * @pid: of the new process
 * @hold: called with the id of the new process before it becomes QEMU. The process ends when @hold
 *	  fails, and when this process ends before @hold has returned.
 * @ctx: for @hold
 *
 * Return: 0 or -errno. That of @hold and that of a failed exec too.
 */
int spawn_vm(const struct kh_plan *plan, const struct kh_plan_vm *vm, int monitor, pid_t *pid,
	     int (*hold)(void *ctx, pid_t pid), void *ctx, struct kh_err *e);

/** spawn_err_path() - where standard error of the VM's QEMU goes */
void spawn_err_path(const struct kh_plan *plan, const struct kh_plan_vm *vm, char *buf,
		    size_t size);

#endif
