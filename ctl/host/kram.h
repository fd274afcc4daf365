/* SPDX-License-Identifier: GPL-2.0 */
/* /sys/kernel/kram of the running kernel. */
#ifndef KHCTL_KRAM_H
#define KHCTL_KRAM_H

#include <linux/kram.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"

#define KRAM_SYSFS "/sys/kernel/kram"

struct kram_area {
	uint64_t start;
	uint64_t size;
	uint64_t pool_pages;
	uint64_t used_pages;
	uint64_t free_pages;
	int raw;		/* file descriptor, opened when first read from */
};

struct kram {
	uint64_t abi_version;
	uint64_t generation;
	char state[128];
	unsigned int nr_areas;
	struct kram_area area[KRAM_MAX_AREAS];
	uint64_t root_pages;
	uint64_t irt_pages;
};

/** kram_read() - Return: 0; -ENOENT when the kernel has none; -errno with a message. */
int kram_read(struct kram *k, struct kh_err *e);

/**
 * kram_recount() - how many pages are in use now
 * @k: read before by this process; of the rest, nothing changes while a kernel runs
 *
 * Return: 0 or -errno.
 */
int kram_recount(struct kram *k);
void kram_close(struct kram *k);

bool kram_adopted(const struct kram *k);

/** kram_used() - pages of the pools in use */
uint64_t kram_used(const struct kram *k);
uint64_t kram_pool(const struct kram *k);

/** kram_fixed() - physical address of fixed page @index of area 0; 0 on error */
uint64_t kram_fixed(struct kram *k, unsigned int index);

/** kram_root() - physical address of the root table of DMA-remapping unit @unit; 0 on error */
uint64_t kram_root(struct kram *k, unsigned int unit);

/** kram_sealed_tsc() - when the previous kernel sealed the areas, 0: not known */
uint64_t kram_sealed_tsc(struct kram *k);

/** kram_page() - a page of an area. @ctx: struct kram. Return: 0, -EFAULT outside of any area. */
int kram_page(void *ctx, uint64_t pa, void *buf);

/**
 * kram_handover() - read one
 * @name: "handover" or "handover_adopted"
 *
 * Return: 0, -errno with a message.
 */
int kram_handover(const char *name, struct kram_handover *h, struct kh_err *e);

/** kram_handover_check() - magic, version, size, counts and CRC of a sealed one. Return: 0 or -EBADMSG. */
int kram_handover_check(const struct kram_handover *h, struct kh_err *e);

/** kram_handover_find() - a device by its name in sysfs. Return: NULL when it is not there. */
const struct kram_device *kram_handover_find(const struct kram_handover *h, const char *bdf);

/** kram_need() - pages that page tables, root, contexts and interrupt tables may take
 * @ram: bytes of guest RAM that are mapped
 * @units: DMA-remapping units
 * @buses: PCI buses
 */
uint64_t kram_need(uint64_t ram, unsigned int units, unsigned int buses);

#endif
