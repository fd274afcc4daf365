/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KHCTL_LATE_H
#define KHCTL_LATE_H

#include "base/err.h"

/*
 * What a new kernel does only after the guests run: they stand while it boots,
 * and need few of its drivers, and one of its CPUs each, for being resumed.
 */

/** Parameters of the kernel's command line that are khctl's own, by name. */
#define LATE_CPUS	"khctl.cpus"	/* the list that shall be online in the end */
#define LATE_MAXCPUS	"maxcpus"
#define LATE_INITCALLS	"initcall_defer"
#define LATE_NO_CHECK	"no_timer_check"
#define LATE_NO_UP	"noreplace-smp"
#define LATE_QUIET	"loglevel=5"	/* only together with the next */
#define LATE_CONSOLE	"khctl.loglevel"	/* what the console's shall be in the end */
/* What a kernel with 4 GiB makes by itself. */
#define LATE_DENTRIES	"dhash_entries=524288"
#define LATE_INODES	"ihash_entries=262144"
#define LATE_UDP	"uhash_entries=2048"

/**
 * late_params() - what is added to the next kernel's command line
 * @size: of @buf, 2048 bytes are enough
 * @nr_vms: guests that are resumed side by side, for late_boot_cpus()
 *
 * On a host of 4 GiB and more (without guests' memory) also bounds for three tables whose
 * size goes by the memory. A console that says more than warnings says no more than these
 * until late_finish(). cmdline_build() leaves out what the host decides for itself.
 *
 * A kernel without initcall_defer= ignores it. Where the list of CPUs that are
 * online now cannot be read, they are left to the boot.
 *
 * Return: 0, or -errno.
 */
int late_params(char *buf, size_t size, unsigned int nr_vms);

/**
 * late_boot_cpus() - how many CPUs boot while guests wait
 * @online: list of those that are online now, as in sysfs
 * @present: list of those that there are, "" if it is not known
 *
 * Return: @nr_vms, but at least 1; 1 if not all that are present are online.
 */
unsigned int late_boot_cpus(const char *online, const char *present, unsigned int nr_vms);

/**
 * late_finish() - do in the new kernel what was put off
 *
 * CPUs first, then initcalls, then the console says what it used to. Takes as long
 * as that takes; to be called when the guests run, or cannot. Does nothing when
 * nothing was put off.
 *
 * Return: 0; -errno with the first failure in @e, the rest was done all the same.
 */
int late_finish(struct kh_err *e);

#endif
