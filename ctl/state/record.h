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
