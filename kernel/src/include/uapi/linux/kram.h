/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * KRAM: memory at fixed physical addresses that no kernel hands out, so that
 * what lies in it survives a kexec. This header is the format of that memory.
 * It is shared by every kernel that takes part in an upgrade and by userspace,
 * which reads it through /sys/kernel/kram/. docs/kram-format.md tells it in
 * prose.
 *
 * All integers are little endian, all reserved fields are zero. Every CRC is
 * the CRC-32 of IEEE 802.3 as zlib's crc32() computes it, taken with the CRC
 * field itself set to zero.
 */
#ifndef _UAPI_LINUX_KRAM_H
#define _UAPI_LINUX_KRAM_H

#ifndef __ASSEMBLY__
#include <linux/types.h>
#endif

/* Raised with every change to a structure below; kernels of different versions do not adopt. */
#define KRAM_ABI_VERSION	2

#define KRAM_PAGE_SIZE		4096
#define KRAM_MAX_AREAS		8	/* memmap=<size>:<start> given at most so often */
#define KRAM_MIN_AREA_SIZE	0x400000	/* an interrupt-remapping table is 1 MiB */

/*
 * The E820 type of a KRAM range, in the range that ACPI leaves to the OEM
 * ("KR" and a number, above every type the kernel knows).
 */
#define KRAM_E820_TYPE		0x4b520001

/* In the variable part of a bzImage's kernel_info: __le32 magic, size (12), abi_version. */
#define KRAM_IMAGE_MAGIC	0x4d41524b	/* "KRAM" */

#ifndef __ASSEMBLY__

/**
 * enum kram_owner - who a page of the pool belongs to
 */
enum kram_owner {
	KRAM_OWNER_FREE		= 0,
	KRAM_OWNER_IOMMU_ROOT	= 1,	/* VT-d 9.1, root table */
	KRAM_OWNER_IOMMU_CONTEXT = 2,	/* VT-d 9.3, context table */
	KRAM_OWNER_IOMMU_PGTABLE = 3,	/* VT-d 9.8, second-stage table */
	KRAM_OWNER_IOMMU_IRT	= 4,	/* VT-d 9.9, interrupt-remapping table */
	KRAM_NR_OWNERS
};

/**
 * struct kram_map_entry - one page of the pool
 * @owner: enum kram_owner
 * @order: log2 of the pages in the allocation that this page begins; 0xff for
 *	   a page inside an allocation that another entry begins
 * @check: kram_map_check() of the entry's index, owner and order, so that a
 *	   torn or overwritten entry is known without reading the whole map
 */
struct kram_map_entry {
	__u8	owner;
	__u8	order;
	__u16	check;
};

#define KRAM_ORDER_INSIDE	0xff

static inline __u16 kram_map_check(__u32 index, __u8 owner, __u8 order)
{
	__u32 x = index * 0x9e3779b1u ^ ((__u32)owner << 8 | order) * 0x85ebca6bu;

	return (__u16)(x >> 16 ^ x) ^ 0x5a5a;
}

#define KRAM_AREA_MAGIC		0x414552414d41524bULL	/* "KRAMAREA" */

enum kram_area_state {
	KRAM_STATE_ACTIVE	= 1,	/* a kernel is using it; worthless to another */
	KRAM_STATE_SEALED	= 2,	/* left by a kexec, to be adopted once */
};

/**
 * struct kram_area_header - the first bytes of each area
 * @magic: KRAM_AREA_MAGIC
 * @abi_version: KRAM_ABI_VERSION
 * @header_size: bytes of this structure
 * @start: physical address of the area
 * @size: bytes of the area
 * @area: number of this area, in order of address
 * @nr_areas: how many areas belong together
 * @generation: kernels that have used the set so far, this one included
 * @state: enum kram_area_state
 * @map_offset: of the allocation map, bytes from @start
 * @fixed_offset: of the fixed pages, bytes from @start
 * @fixed_pages: how many; they belong to their index and are not in the map
 * @pool_offset: of the first page of the pool, bytes from @start
 * @pool_pages: entries of the map
 * @map_crc: of the first @map_used entries of the map, valid while sealed
 * @map_used: entries of the map behind which none is in use, valid while sealed
 * @sealed_tsc: time stamp counter when the area was sealed
 * @release: utsname release of the kernel that wrote this header
 * @header_crc: of this structure, valid while sealed
 */
struct kram_area_header {
	__u64	magic;
	__u32	abi_version;
	__u32	header_size;
	__u64	start;
	__u64	size;
	__u32	area;
	__u32	nr_areas;
	__u64	generation;
	__u32	state;
	__u32	map_offset;
	__u32	fixed_offset;
	__u32	fixed_pages;
	__u32	pool_offset;
	__u32	pool_pages;
	__u32	map_crc;
	__u32	map_used;
	__u64	sealed_tsc;
	char	release[64];
	__u32	reserved2[25];
	__u32	header_crc;
};

/* Fixed pages of area 0: kram_get_fixed_page(0, index) */
#define KRAM_FIXED_PAGES	64
#define KRAM_FIXED_HANDOVER	0	/* 4 pages: struct kram_handover */
#define KRAM_FIXED_HANDOVER_PAGES 4
#define KRAM_FIXED_ROOT		8	/* + number of the IOMMU: its root table */
#define KRAM_FIXED_RECORDER	24	/* 40 pages: struct kram_recorder, checks, events */
#define KRAM_FIXED_RECORDER_PAGES 40

/**
 * struct kram_iommu_unit - a DMA-remapping unit as the sealing kernel left it
 * @reg_base: physical address of its registers (identity of the unit)
 * @cap: capability register, VT-d 11.4.2
 * @ecap: extended capability register, VT-d 11.4.3
 * @rtaddr: root-table address register, VT-d 11.4.5
 * @irta: interrupt-remapping table address register, VT-d 11.4.20
 * @gsts: global status register, VT-d 11.4.4.2
 * @fsts: fault status register, VT-d 11.4.6
 */
struct kram_iommu_unit {
	__u64	reg_base;
	__u64	cap;
	__u64	ecap;
	__u64	rtaddr;
	__u64	irta;
	__u32	gsts;
	__u32	fsts;
	__u64	reserved[2];
};

#define KRAM_DEV_BRIDGE		0x0001	/* above a preserved endpoint, nothing more */

struct kram_bar {
	__u64	start;		/* bus address */
	__u64	size;		/* bytes, 0: not there */
	__u32	flags;		/* IORESOURCE_* of the PCI core */
	__u32	reserved;
};

/**
 * struct kram_device - a preserved PCI function, or a bridge above one
 * @segment: PCI segment group
 * @bus: bus number
 * @devfn: device and function
 * @flags: KRAM_DEV_*
 * @did: domain id of its context entry (endpoints)
 * @vendor: configuration space, offset 0
 * @device: configuration space, offset 2
 * @command: configuration space, offset 4, when sealed
 * @msix_pos: offset of the MSI-X capability, 0: none
 * @msix_ctrl: its message control
 * @pm_pos: offset of the power-management capability, 0: none
 * @pmcsr: its control and status
 * @hdr_type: configuration space, offset 0x0e
 * @agaw: adjusted guest address width of its page table (levels - 2)
 * @unit: index into kram_handover.unit
 * @buses: configuration space, offset 0x18 (bridges): primary, secondary,
 *	   subordinate
 * @context: its context entry, low and high half
 * @pgd: physical address of the top page table
 * @bar: base address registers 0-5 and the ROM
 */
struct kram_device {
	__u16	segment;
	__u8	bus;
	__u8	devfn;
	__u16	flags;
	__u16	did;
	__u16	vendor;
	__u16	device;
	__u16	command;
	__u16	msix_pos;
	__u16	msix_ctrl;
	__u16	pm_pos;
	__u16	pmcsr;
	__u8	hdr_type;
	__u8	agaw;
	__u32	unit;
	__u32	buses;
	__u64	context[2];
	__u64	pgd;
	struct kram_bar bar[7];
	__u64	reserved[4];
};

#define KRAM_HANDOVER_MAGIC	0x444e41484d41524bULL	/* "KRAMHAND" */
#define KRAM_MAX_UNITS		16
#define KRAM_MAX_DEVICES	56

/**
 * struct kram_handover - what one kernel tells the next about live devices
 * @magic: KRAM_HANDOVER_MAGIC
 * @abi_version: KRAM_ABI_VERSION
 * @size: bytes of this structure
 * @generation: that of the areas it was sealed with
 * @nr_units: how many of @unit are there
 * @nr_devices: how many of @device are there
 * @apic_hz: what drives the local APIC timers, before their divider, in Hz;
 *	     0: unknown
 * @crc: of this structure, valid while sealed
 * @unit: every DMA-remapping unit of the machine
 * @device: every preserved endpoint, and every bridge above one, bridges first
 */
struct kram_handover {
	__u64	magic;
	__u32	abi_version;
	__u32	size;
	__u64	generation;
	__u32	nr_units;
	__u32	nr_devices;
	__u32	apic_hz;
	__u32	reserved[6];
	__u32	crc;
	struct kram_iommu_unit unit[KRAM_MAX_UNITS];
	struct kram_device device[KRAM_MAX_DEVICES];
};

#define KRAM_RECORDER_MAGIC	0x4345524d41524b48ULL	/* "HKRAMREC" */
#define KRAM_RECORDER_VERSION	1	/* of what follows; does not touch adoption */
#define KRAM_RECORDER_FIRST	0x3000	/* the first event, bytes from the header */
#define KRAM_RECORDER_EVENTS	2368	/* of 64 bytes, up to the end of the pages */

/**
 * struct kram_recorder - events of two kernels, see <linux/kh_events.h>
 * @magic: KRAM_RECORDER_MAGIC
 * @version: KRAM_RECORDER_VERSION
 * @header_size: bytes of this structure
 * @run_id: names the upgrade
 * @event_version: KH_EVENT_VERSION
 * @event_size: bytes of an event
 * @capacity: KRAM_RECORDER_EVENTS
 * @reserved: zero
 * @generation: of KRAM when it was armed
 * @armed_tsc: everything since then is recorded
 * @crc: of what lies before it
 * @nr: events so far; those above @capacity are lost
 * @sealed_tsc: the old kernel sealed KRAM, 0: it did not
 * @adopted_tsc: the new kernel went on, 0: none did
 * @stopped_tsc: recording was stopped, 0: it goes on
 * @sealed_nr: @nr at @sealed_tsc
 * @adopted_nr: @nr at @adopted_tsc
 *
 * Behind it lies a __u32 for each event: the CRC-32 of the event, begun with
 * ~(its index) instead of ~0, 0: not written. The events begin at
 * KRAM_RECORDER_FIRST.
 */
struct kram_recorder {
	__u64	magic;
	__u32	version;
	__u32	header_size;
	__u8	run_id[16];
	__u32	event_version;
	__u32	event_size;
	__u32	capacity;
	__u32	reserved;
	__u64	generation;
	__u64	armed_tsc;
	__u32	crc;
	__u32	nr;
	__u64	sealed_tsc;
	__u64	adopted_tsc;
	__u64	stopped_tsc;
	__u32	sealed_nr;
	__u32	adopted_nr;
	__u64	reserved2[3];
};

#endif /* __ASSEMBLY__ */

#endif /* _UAPI_LINUX_KRAM_H */
