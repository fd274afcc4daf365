/* SPDX-License-Identifier: GPL-2.0 */
/* The durable record of each VM: how far its resume has come, whatever becomes of khctl. */
#ifndef KHCTL_RECORD_H
#define KHCTL_RECORD_H

#include "state/state_io.h"

/** record_room() - how many VMs the area has records for */
unsigned int record_room(const struct state *s);

/**
 * record_get() - the record of VM @index in the upgrade @run_id
 *
 * Return: a record with state KH_REC_NONE when there is none of this upgrade.
 */
struct kh_vm_record record_get(const struct state *s, const uint8_t *run_id, unsigned int index);

/**
 * record_of_boot() - the same for a process of the boot @boot that goes on with the record
 *
 * Processes of an earlier boot are gone: the record names none, and a QEMU that had not got the saved
 * state is as good as never started.
 */
struct kh_vm_record record_of_boot(const struct state *s, const uint8_t *run_id, unsigned int index,
				   const char *boot);

/**
 * record_put() - write the next copy of a record
 * @r: @r->run_id, boot_id, index, state, pid and start are the caller's; the rest is filled in
 *
 * It is a handful of stores and returns when they are in memory. Threads may write the records of
 * different VMs at the same time.
 *
 * Return: 0, -EROFS, -ENOSPC.
 */
int record_put(struct state *s, struct kh_vm_record *r);

/** record_state_name() - of an enum kh_record_state, as in JSON */
const char *record_state_name(uint32_t state);

#endif
