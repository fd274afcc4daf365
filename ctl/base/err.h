/* SPDX-License-Identifier: GPL-2.0 */
/* The first error of a chain of events, which is the one worth reporting. */
#ifndef KHCTL_ERR_H
#define KHCTL_ERR_H

struct kh_err {
	int rc;			/* -errno, 0: nothing happened */
	char msg[512];
};

/**
 * err_set() - note an error, unless there is one already
 * @e: where, or NULL
 * @rc: -errno
 *
 * Return: @rc.
 */
int err_set(struct kh_err *e, int rc, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
