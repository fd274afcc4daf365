/* SPDX-License-Identifier: GPL-2.0 */
/* The kernel's log. */
#ifndef KHCTL_KLOG_H
#define KHCTL_KLOG_H

#include <stdbool.h>
#include <stddef.h>

/**
 * klog_copy() - all lines since boot that speak of faults or resets
 * @buf: as many as fit, each with its newline
 *
 * Return: 0; -ENODATA when the oldest lines are gone; -ENOSPC when not all fit; -errno.
 */
int klog_copy(char *buf, size_t size);

/**
 * klog_find() - look at every line of a text
 * @bad: decides about a line
 * @ctx: for @bad
 * @line: the first bad line, "" if there is none
 *
 * Return: number of bad lines.
 */
int klog_find(const char *text, bool (*bad)(const void *ctx, const char *line), const void *ctx,
	      char *line, size_t size);

/** klog_dma_fault() - for klog_find(): a DMA-remapping fault */
bool klog_dma_fault(const void *ctx, const char *line);

/** klog_reset() - for klog_find(): a reset of PCI function @bdf */
bool klog_reset(const void *bdf, const char *line);

#endif
