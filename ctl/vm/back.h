/* SPDX-License-Identifier: GPL-2.0 */
/* The way back: from a new kernel that cannot resume the guests to one that can. */
#ifndef KHCTL_BACK_H
#define KHCTL_BACK_H

#include "base/err.h"
#include "state/state_io.h"

/**
 * back_possible() - whether the saved state of every VM is still unused, and nobody maps its memory
 * @boot: boot id of the running kernel
 *
 * Return: 0; -EBUSY when a guest may have run since the pause, or when a process is there that is to
 *	   resume it or that maps its memory, with the name of the VM in @e; -errno when who maps the
 *	   memory cannot be told.
 */
int back_possible(const struct state *s, const struct kh_plan *plan, const char *boot,
		  struct kh_err *e);

/**
 * back_jump() - load the kernel that the plan names for the way back, and enter it
 * @plan: back_image, back_initrd and back_cmdline are used; back is counted up
 *
 * Call back_possible() first. The state area says "saved" from here on.
 *
 * Return: -errno with a message. Then nothing is loaded and the state area is as it was before.
 */
int back_jump(struct state *s, struct kh_plan *plan, struct kh_err *e);

#endif
