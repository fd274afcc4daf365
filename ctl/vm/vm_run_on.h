/* SPDX-License-Identifier: GPL-2.0 */
/* Letting guests run on in the QEMU that stopped them. */
#ifndef KHCTL_VM_RUN_ON_H
#define KHCTL_VM_RUN_ON_H

#include "vm/vm.h"

/**
 * vm_run_on() - whatever became of a save, let the guest run on as if there had been none
 * @vm: connected, or only with its qmp_path
 *
 * An open connection is used as long as it works: while nobody is connected, another client could
 * take the socket, and the guest would stand for as long as that client stays.
 *
 * Return: 0 when it runs; -errno.
 */
int vm_run_on(struct vm *vm, struct kh_err *e);

/**
 * vm_run_on_all() - vm_run_on() of @n VMs at the same time, so that a hung QEMU delays no other guest
 *
 * Return: 0 when all run; else the first error, with the name of its VM in @e.
 */
int vm_run_on_all(struct vm *vm, unsigned int n, struct kh_err *e);

#endif
