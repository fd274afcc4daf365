/* SPDX-License-Identifier: GPL-2.0 */
/* Parameters that decide whether the next kernel adopts what this one leaves. */
#ifndef KHCTL_CMDLINE_ADOPT_H
#define KHCTL_CMDLINE_ADOPT_H

#include <stddef.h>

/**
 * cmdline_same() - whether two command lines agree in these parameters
 * @running: of the running kernel
 * @next: of the next one
 * @why: the parameter that differs, both values, and what it decides
 *
 * All values of a parameter count, in their order, as the kernel reads them all.
 *
 * Return: 0 or -EINVAL.
 */
int cmdline_same(const char *running, const char *next, char *why, size_t size);

#endif
