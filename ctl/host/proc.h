/* SPDX-License-Identifier: GPL-2.0 */
/* Processes: which one is meant, and who holds what a VM is made of. */
#ifndef KHCTL_PROC_H
#define KHCTL_PROC_H

#include <stdint.h>
#include <sys/types.h>
#include "base/err.h"

/**
 * proc_start() - when a process began, in clock ticks since boot (field 22 of /proc/PID/stat)
 *
 * A process id together with this names one process until the next boot.
 *
 * Return: 0 or -errno.
 */
int proc_start(pid_t pid, uint64_t *start);

/**
 * proc_open() - the process that has @pid and began at @start
 *
 * Return: a pidfd, -ESRCH when that process has ended, -errno.
 */
int proc_open(pid_t pid, uint64_t start);

/** proc_gone() - whether the process behind a pidfd has ended, waiting up to @ms */
int proc_gone(int pidfd, int ms);

/** proc_kill() - SIGKILL, and wait until the process has ended. Return: 0 or -errno. */
int proc_kill(int pidfd);

/* What a process can hold. */
#define PROC_KVM	1	/* a VM of KVM */
#define PROC_VFIO	2	/* a VFIO group, container or device */
#define PROC_DAX	4	/* maps a devdax device */

/**
 * struct proc_user - a process that holds something of a VM
 * @holds: PROC_*
 * @what: the same as text
 */
struct proc_user {
	pid_t pid;
	unsigned int holds;
	char comm[32];
	char what[88];
};

/**
 * proc_users() - all processes that hold something of a VM, but this one
 * @users: the caller frees it
 *
 * Return: how many, or -errno with a message: a process that cannot be looked at counts as an error.
 */
int proc_users(struct proc_user **users, struct kh_err *e);

#endif
