/* SPDX-License-Identifier: GPL-2.0 */
/* VT-d tables in legacy mode (VT-d 3.4, 9.1, 9.3, 9.8), read from outside. */
#ifndef KHCTL_IOMMU_H
#define KHCTL_IOMMU_H

#include <linux/kram.h>
#include <stdbool.h>
#include "../state.h"
#include "err.h"

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

/** iommu_units() - DMA-remapping units of Intel; @other: some other IOMMU's name, or "" */
unsigned int iommu_units(char *other, size_t size);

/** iommu_regset_text() - debugfs iommu/intel/iommu_regset. Return: to be freed, NULL when not to be had. */
char *iommu_regset_text(void);

/** iommu_regset() - a register of a unit from debugfs. Return: 0, -ENOENT when not to be had. */
int iommu_regset(unsigned int unit, const char *reg, uint64_t *val);

/** iommu_register_in() - the same from the text of debugfs iommu/intel/iommu_regset */
int iommu_register_in(const char *text, unsigned int unit, const char *reg, uint64_t *val);

#endif
