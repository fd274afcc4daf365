/* SPDX-License-Identifier: GPL-2.0 */
/* VT-d tables in legacy mode (VT-d 3.4, 9.1, 9.3, 9.8), read from outside. */
#ifndef KHCTL_IOMMU_H
#define KHCTL_IOMMU_H

#include <linux/kram.h>
#include <stdbool.h>
#include "base/err.h"
#include "format/manifest.h"

/**
 * struct page_source - where table pages come from
 * @page: copies the 4096 bytes at physical address @pa; 0 or -errno
 * @seen: told each page of tables, without what the hardware changes by itself; may be NULL
 * @seen_ctx: its first argument
 * @nr_pages: how many there are; tables that are more than that lead in circles
 */
struct page_source {
	int (*page)(void *ctx, uint64_t pa, void *buf);
	void *ctx;
	uint64_t nr_pages;
	void (*seen)(void *ctx, uint64_t pa, const void *data, enum kram_owner kind);
	void *seen_ctx;
};

/**
 * iommu_record() - what a device can reach
 * @root: physical address of the root table
 * @bus: and @devfn: the requester
 *
 * Return: 0; -ENOENT when it has no translation; -EFAULT when a table lies
 * where @src has nothing; -EOPNOTSUPP for a mode this does not know; -ELOOP for
 * more tables than there can be.
 */
int iommu_record(const struct page_source *src, uint64_t root, uint8_t bus, uint8_t devfn,
		 struct kh_plan_map *map, struct kh_err *e);

/**
 * iommu_units() - DMA-remapping units of Intel, up to the one with the highest number
 * @other: some other IOMMU's name, or ""
 *
 * One that has no devices takes a number, but cannot be asked.
 */
unsigned int iommu_units(char *other, size_t size);

/**
 * iommu_registers() - what a unit's hardware says of itself now (VT-d 11.4)
 *
 * By a file in sysfs that kernels with CONFIG_KRAM have. Return: 0; -ENODEV when
 * there is no such unit; -ENOENT when there is no such file; -EIO when it is too short;
 * or another -errno.
 */
int iommu_registers(unsigned int unit, struct kh_man_unit *r);

/** iommu_registers_in() - the same from the file at @path */
int iommu_registers_in(const char *path, struct kh_man_unit *r);

#endif
