/* SPDX-License-Identifier: GPL-2.0 */
/* The files and block devices that a QEMU writes to, and their way to the disk. */
#ifndef KHCTL_VM_IMAGES_H
#define KHCTL_VM_IMAGES_H

#include <sys/types.h>
#include "base/err.h"

/**
 * struct vm_images - what a process has open for writing
 * @fd: descriptors of our own, one for each file or block device
 * @n: how many
 */
struct vm_images {
	int *fd;
	unsigned int n;
};

/**
 * images_open() - open each regular file and block device that process @pid may write to
 *
 * Character devices, pipes and sockets are left out. Call it while the guest runs.
 *
 * Return: 0; -errno with a message when one of them cannot be opened. images_close() in either case.
 */
int images_open(struct vm_images *im, pid_t pid, struct kh_err *e);

/**
 * images_sync() - wait until all that was written to them is on disk
 *
 * QEMU itself flushes a disk when the guest stops, unless the disk has cache=unsafe. Call it after the
 * guest stopped.
 *
 * Return: 0; -errno of the first one that failed, with its path.
 */
int images_sync(const struct vm_images *im, struct kh_err *e);
void images_close(struct vm_images *im);

#endif
