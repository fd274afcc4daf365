/* SPDX-License-Identifier: GPL-2.0 */
/* Taking the device state out of a running QEMU. */
#ifndef KHCTL_VM_SAVE_H
#define KHCTL_VM_SAVE_H

#include "vm/vm.h"
#include "vm/vm_images.h"

/**
 * struct vm_save - one save
 * @vm: connected
 * @dst: where the stream goes
 * @room: bytes there
 * @tsc_hz: of the TSC, 0: not known
 * @pipe: its read end, -1: not prepared
 * @size: bytes of the stream so far
 * @hash: of the stream
 * @stop_tsc: the guest stopped, 0: it did not
 * @saved_tsc: all was there
 * @images: what QEMU writes to, opened by vm_save_prepare()
 */
struct vm_save {
	struct vm *vm;
	char *dst;
	uint64_t room;
	uint64_t tsc_hz;
	int pipe;
	uint64_t size;
	uint64_t hash;
	uint64_t stop_tsc;
	uint64_t saved_tsc;
	struct vm_images images;
	/* private */
	uint64_t sent_tsc;
	bool completed;
	bool failed;
	bool eof;
};

/** vm_save_prepare() - all that does not touch the guest. Return: 0 or -errno. */
int vm_save_prepare(struct vm_save *s, struct kh_err *e);

/**
 * vm_save_run() - stop the guest and read its device state
 *
 * Return: 0; -ENOSPC when @room is too small; -ETIMEDOUT; -EINTR; -errno. After an
 * error the guest may be stopped: see vm_run_on().
 */
int vm_save_run(struct vm_save *s, struct kh_err *e);
void vm_save_end(struct vm_save *s);

/** vm_suppress_vmdesc() - whether the stream describes itself, which takes a third of its time. Return: 0 or -errno. */
int vm_suppress_vmdesc(struct vm *vm, bool on, struct kh_err *e);

/**
 * vm_set_mode() - what both sides of an upgrade set
 * @on: false: as QEMU comes
 * @bandwidth: of migrations, bytes a second, 0: no limit
 */
int vm_set_mode(struct qmp *q, bool on, uint64_t bandwidth, struct kh_err *e);

/* The limit that QEMU comes with. */
#define VM_BANDWIDTH 134217728

#define VM_STREAM_FD "khctl-state"

#endif
