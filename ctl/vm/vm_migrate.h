/* SPDX-License-Identifier: GPL-2.0 */
/* What could keep QEMU from saving a VM, or would be lost by it. */
#ifndef KHCTL_VM_MIGRATE_H
#define KHCTL_VM_MIGRATE_H

#include "vm/vm.h"

struct json_object;

/**
 * struct vm_migrate - what stands in the way of a save; empty texts: nothing
 * @jobs: the VM's jobs, "ID (TYPE, STATUS)" each; a job ends with its QEMU
 * @busy: status of a migration that is under way
 * @blocked: QEMU's reasons why the VM cannot be saved in mode cpr-reboot
 * @caps: migration capabilities that are on and change what is saved
 * @stream_max: bytes that the saved state may take: all RAM blocks that are not guest RAM in a
 *	       memory backend, and VM_STATE_BYTES for the devices
 */
struct vm_migrate {
	char jobs[256];
	char busy[32];
	char blocked[256];
	char caps[256];
	uint64_t stream_max;
};

/* State of a VM's devices without its RAM blocks. A q35 guest with an e1000e has 0.7 MB. */
#define VM_STATE_BYTES	(2ULL << 20)

/**
 * vm_learn_migrate() - ask QEMU
 *
 * QEMU lists the reasons of its current migration mode only. The mode is set to cpr-reboot for the
 * question, and then back to what it was.
 *
 * Return: 0 or -errno with a message.
 */
int vm_learn_migrate(struct vm *vm, struct vm_migrate *m, struct kh_err *e);

/* The parts that read QEMU's answers; a wrong shape is -EPROTO. */
int migrate_read_jobs(struct json_object *query_jobs, struct vm_migrate *m);
int migrate_read_status(struct json_object *query_migrate, struct vm_migrate *m);
int migrate_read_blocked(struct json_object *query_migrate, struct vm_migrate *m);
int migrate_read_caps(struct json_object *query_caps, struct vm_migrate *m);

/** migrate_read_blocks() - @text: of x-query-ramblock. Blocks named in @vm's backends are left out. */
int migrate_read_blocks(const char *text, const struct vm *vm, struct vm_migrate *m);

#endif
