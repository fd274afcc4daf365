/* SPDX-License-Identifier: GPL-2.0 */
/* A small process that outlives its parent, and cleans up if the parent is killed. */
#ifndef KHCTL_GUARD_H
#define KHCTL_GUARD_H

#include <sys/types.h>

/**
 * struct guard - all zero: there is none
 * @pid: of the process
 * @fd: its end tells the process that the parent is gone
 */
struct guard {
	pid_t pid;
	int fd;
};

/**
 * guard_start() - start the process
 * @rescue: called in that process if the caller ends, for whatever reason, without guard_end()
 * @ctx: for @rescue
 *
 * The process shares the caller's file descriptors and file locks, and sees the caller's memory as it
 * was at this call, except for shared mappings. Call it before the first thread is started. It leaves
 * the session, so signals of a terminal do not reach it. It keeps the caller's mask of blocked signals.
 *
 * Return: 0 or -errno.
 */
int guard_start(struct guard *g, void (*rescue)(void *ctx), void *ctx);

/** guard_end() - end the process; what it shares with the caller is the caller's alone afterwards */
void guard_end(struct guard *g);

#endif
