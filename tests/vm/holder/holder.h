/* SPDX-License-Identifier: GPL-2.0 */
/* A holder of one VFIO group with one device, and the card (82574, e1000e) as far as it is driven here. */
#ifndef HOLDER_H
#define HOLDER_H

#include <stddef.h>
#include <stdint.h>

#define PAGE_2M		(2UL << 20)	/* what is mapped at a time: a page of devdax */
#define RING_IOVA	0x10000000UL	/* where the card finds its receive ring */
#define VECTORS		3

struct holder {
	const char *bdf;
	int group, container, device;
	int event[VECTORS];
	volatile uint32_t *regs;	/* BAR 0, NULL as long as nobody needs it */
	size_t regs_size;
};

/* All of them return 0 or -errno. */
int config_read(const struct holder *h, unsigned int offset, void *buf, size_t size);
int card_ring(const char *dax);
int card_start(struct holder *h);
int card_fire(struct holder *h);
int card_pending(const struct holder *h);
int card_frames(const char *dax);

#endif
