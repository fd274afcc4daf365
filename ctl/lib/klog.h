/* SPDX-License-Identifier: GPL-2.0 */
/* The kernel's log. */
#ifndef KHCTL_KLOG_H
#define KHCTL_KLOG_H

#include <stdbool.h>
#include <stddef.h>

/**
 * klog_scan() - look at every line since boot
 * @bad: decides about a line
 * @ctx: for @bad
 * @line: the first bad line, "" if there is none
 *
 * Return: number of bad lines; -ENODATA when the oldest lines are gone and none
 * of the rest is bad; -errno.
 */
int klog_scan(bool (*bad)(const void *ctx, const char *line), const void *ctx, char *line,
	      size_t size);

/** klog_dma_fault() - for klog_scan(): a DMA-remapping fault */
bool klog_dma_fault(const void *ctx, const char *line);

/** klog_reset() - for klog_scan(): a reset of PCI function @bdf */
bool klog_reset(const void *bdf, const char *line);

#endif
