// SPDX-License-Identifier: GPL-2.0
/* The card: receives into a ring, and has one cause for each of three vectors. */
#define _GNU_SOURCE
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include "holder.h"

#define CARD_CTRL	0x0000
#define CARD_CTRL_RST	(1 << 26)
#define CARD_CTRL_SLU	(1 << 6)	/* set link up */
#define CARD_CTRL_EXT	0x0018
#define CARD_CTRL_EXT_IAME	(1 << 27)	/* the mask stays as it is when a vector is sent */
#define ICR		0x00c0
#define ICS		0x00c8
#define IMS		0x00d0
#define IMC		0x00d8
#define EIAC		0x00dc		/* causes that a sent vector clears */
#define IVAR		0x00e4
#define RCTL		0x0100
#define RCTL_ON		(1 << 1 | 1 << 3 | 1 << 26)	/* enable, all unicast, no CRC */
#define RDBAL		0x2800
#define RDBAH		0x2804
#define RDLEN		0x2808
#define RDH		0x2810
#define RDT		0x2818

/* Receive queue 0, transmit queue 0, anything else: vectors 0 to 2. */
static const uint32_t cause[VECTORS] = { 1 << 20, 1 << 22, 1 << 24 };
#define ALL_CAUSES	(1 << 20 | 1 << 22 | 1 << 24)
#define IVAR_VALUE	(8 << 0 | 9 << 8 | 10 << 16)

#define RING_SIZE	256
#define BUFFERS		0x10000		/* behind the ring, of 2 KiB each */
#define BUFFER_SIZE	2048
#define STATUS_DONE	1

struct descriptor {
	uint64_t address;
	uint16_t length, checksum;
	uint8_t status, errors;
	uint16_t special;
};

/* A numbered datagram of khload in an Ethernet frame without IP options. */
#define UDP_MAGIC	0x4b484c44
#define UDP_PAYLOAD	(14 + 20 + 8)
#define UDP_SEQ		(UDP_PAYLOAD + 8)

/* The first page of a devdax device; NULL with errno. */
static char *map_ring(const char *dax)
{
	int fd = open(dax, O_RDWR | O_CLOEXEC);
	char *memory;

	if (fd < 0)
		return NULL;
	memory = mmap(NULL, PAGE_2M, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return memory == MAP_FAILED ? NULL : memory;
}

/* An empty ring in the first page of @dax. */
int card_ring(const char *dax)
{
	char *memory = map_ring(dax);
	struct descriptor *ring = (struct descriptor *)memory;
	int i;

	if (!memory)
		return -errno;
	memset(memory, 0, PAGE_2M);
	for (i = 0; i < RING_SIZE; i++)
		ring[i].address = RING_IOVA + BUFFERS + i * BUFFER_SIZE;
	munmap(memory, PAGE_2M);
	return 0;
}

static void reg_write(const struct holder *h, unsigned int reg, uint32_t value)
{
	h->regs[reg / 4] = value;
}

static int map_regs(struct holder *h)
{
	struct vfio_region_info info = { .argsz = sizeof(info), .index = VFIO_PCI_BAR0_REGION_INDEX };

	if (h->regs)
		return 0;
	if (ioctl(h->device, VFIO_DEVICE_GET_REGION_INFO, &info))
		return -errno;
	h->regs = mmap(NULL, info.size, PROT_READ | PROT_WRITE, MAP_SHARED, h->device, info.offset);
	if (h->regs == MAP_FAILED) {
		h->regs = NULL;
		return -errno;
	}
	h->regs_size = info.size;
	return 0;
}

/**
 * card_start - reset the card and let it receive
 * @h: bus master is on, the ring's memory is mapped at RING_IOVA and empty
 */
int card_start(struct holder *h)
{
	int ret = map_regs(h);

	if (ret)
		return ret;
	reg_write(h, CARD_CTRL, h->regs[CARD_CTRL / 4] | CARD_CTRL_RST);
	reg_write(h, CARD_CTRL, h->regs[CARD_CTRL / 4] | CARD_CTRL_SLU);
	reg_write(h, CARD_CTRL_EXT, h->regs[CARD_CTRL_EXT / 4] | CARD_CTRL_EXT_IAME);
	reg_write(h, IVAR, IVAR_VALUE);
	reg_write(h, EIAC, ALL_CAUSES);
	reg_write(h, IMS, ALL_CAUSES);
	reg_write(h, RDBAL, (uint32_t)RING_IOVA);
	reg_write(h, RDBAH, 0);
	reg_write(h, RDLEN, RING_SIZE * sizeof(struct descriptor));
	reg_write(h, RDH, 0);
	reg_write(h, RDT, RING_SIZE - 1);
	reg_write(h, RCTL, RCTL_ON);
	return 0;
}

/* One cause after the other is set; prints the vectors that came. */
int card_fire(struct holder *h)
{
	int ret = map_regs(h), i;
	uint64_t count;

	for (i = 0; !ret && i < VECTORS; i++) {
		struct pollfd p = { .fd = h->event[i], .events = POLLIN };

		reg_write(h, ICS, cause[i]);
		if (poll(&p, 1, 1000) == 1 && read(p.fd, &count, sizeof(count)) == sizeof(count))
			printf(" %d", i);
	}
	return ret;
}

/* Prints the pending bits of the MSI-X table. */
int card_pending(const struct holder *h)
{
	struct vfio_region_info info = { .argsz = sizeof(info) };
	uint8_t at = 0x34, id = 0;
	uint32_t where;
	uint64_t bits;
	int ret;

	for (ret = config_read(h, at, &at, 1); !ret && at; ret = config_read(h, at + 1, &at, 1)) {
		ret = config_read(h, at, &id, 1);
		if (ret || id == 0x11)
			break;
	}
	if (!ret && id != 0x11)
		ret = -ENOENT;
	if (!ret)
		ret = config_read(h, at + 8, &where, 4);
	info.index = where & 7;
	if (!ret && ioctl(h->device, VFIO_DEVICE_GET_REGION_INFO, &info))
		ret = -errno;
	if (!ret && pread(h->device, &bits, sizeof(bits), info.offset + (where & ~7u)) != sizeof(bits))
		ret = -EIO;
	if (!ret)
		printf(" %#llx", (unsigned long long)bits);
	return ret;
}

/**
 * card_frames - print the numbers of the datagrams in the ring, in the order in which they lie there
 * @dax: the device whose first page is the ring's
 */
int card_frames(const char *dax)
{
	char *memory = map_ring(dax);
	const struct descriptor *ring = (const struct descriptor *)memory;
	uint32_t magic;
	uint64_t seq;
	int i;

	if (!memory)
		return -errno;
	for (i = 0; i < RING_SIZE && ring[i].status & STATUS_DONE; i++) {
		memcpy(&magic, memory + BUFFERS + i * BUFFER_SIZE + UDP_PAYLOAD, sizeof(magic));
		memcpy(&seq, memory + BUFFERS + i * BUFFER_SIZE + UDP_SEQ, sizeof(seq));
		if (be32toh(magic) == UDP_MAGIC)
			printf(" %llu", (unsigned long long)be64toh(seq));
		else
			printf(" ?");
	}
	munmap(memory, PAGE_2M);
	return 0;
}
