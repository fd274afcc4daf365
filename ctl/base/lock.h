/* SPDX-License-Identifier: GPL-2.0 */
/* At most one khctl that changes something. */
#ifndef KHCTL_LOCK_H
#define KHCTL_LOCK_H

#define LOCK_PATH "/run/khctl.lock"

/** lock_take() - held until the process ends. Return: fd, -EWOULDBLOCK, -errno. */
int lock_take(void);

/** lock_error() - what a failed lock_take() means */
const char *lock_error(int rc);

#endif
