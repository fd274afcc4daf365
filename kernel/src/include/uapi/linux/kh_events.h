/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * What the instruments see, as events of one size and one layout. The same
 * header serves the BPF programs, khctl and whatever in the kernel records
 * events; docs/tracing.md tells what each type means and what its arguments are.
 *
 * Little endian. An event says nothing about which kernel it happened in: what
 * holds events (a section of the state area, a line of a stream) does.
 */
#ifndef KH_EVENTS_H
#define KH_EVENTS_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

/*
 * Raised when the structure, or the meaning of a type or of an argument, changes.
 * New types are added at the end.
 */
#define KH_EVENT_VERSION	1

/**
 * enum kh_event_source - who wrote an event, and what its time is
 * @KH_SRC_RING: a BPF program; the time is CLOCK_MONOTONIC in ns. Only inside the ring: who
 *	drains it turns the time into a TSC value and the source into KH_SRC_BPF
 * @KH_SRC_BPF: a BPF program; TSC
 * @KH_SRC_RECORDER: the kernel, into memory that outlasts it; TSC
 * @KH_SRC_KHCTL: khctl itself; TSC
 */
enum kh_event_source {
	KH_SRC_RING	= 0,
	KH_SRC_BPF	= 1,
	KH_SRC_RECORDER	= 2,
	KH_SRC_KHCTL	= 3,
	KH_NR_SRC
};

/**
 * enum kh_event_type - what happened; arg[] in parentheses
 *
 * Numbers are for good: none is ever given to another event.
 */
enum kh_event_type {
	KH_EV_NONE		= 0,

	/* IOMMU. Domain is the id in the hardware, 0: not known. Owner is an enum kh_page_owner. */
	KH_EV_IOMMU_PAGE_ALLOC	= 1,	/* physical address, order, owner, enum kram_owner or 0 */
	KH_EV_IOMMU_PAGE_FREE	= 2,	/* the same */
	KH_EV_IOMMU_MAP		= 3,	/* iova, physical address, bytes, domain */
	KH_EV_IOMMU_UNMAP	= 4,	/* iova, 0, bytes, domain */
	KH_EV_IOMMU_ATTACH	= 5,	/* domain, type of domain */
	KH_EV_IOMMU_DETACH	= 6,	/* domain */
	KH_EV_IOMMU_FLUSH	= 7,	/* enum kh_flush, domain, address, unit */
	KH_EV_IOMMU_FAULT	= 8,	/* address, reason, 0, unit; first two 0: not known */
	KH_EV_IOMMU_TRANSLATION	= 9,	/* on or off, unit */
	KH_EV_IOMMU_ROOT	= 10,	/* physical address or 0: not known, unit */
	KH_EV_IOMMU_CONTEXT	= 11,	/* low half, high half */
	KH_EV_IRQ_REMAP		= 12,	/* on: 1, unit; off: 0, of all units */
	KH_EV_IRTE		= 13,	/* index, low half, high half, unit: set up or taken down */

	/* VFIO */
	KH_EV_VFIO_OPEN		= 20,
	KH_EV_VFIO_CLOSE	= 21,
	KH_EV_VFIO_ENABLE	= 22,
	KH_EV_VFIO_DISABLE	= 23,
	KH_EV_VFIO_FLAGS	= 24,	/* flags that are set, flags before */
	KH_EV_VFIO_IRQS		= 25,	/* index, start, count, flags of VFIO_DEVICE_SET_IRQS */

	/* PCI */
	KH_EV_PCI_ENABLE	= 30,
	KH_EV_PCI_DISABLE	= 31,
	KH_EV_PCI_RESET		= 32,	/* enum kh_reset; KH_RESET_BUS: first and last bus below */
	KH_EV_PCI_MASTER	= 33,	/* on or off */
	KH_EV_PCI_POWER		= 34,	/* D-state wanted: 0 to 4 */
	KH_EV_PCI_CFG_WRITE	= 35,	/* offset, bytes, value; it reached the device */
	KH_EV_PCI_MSIX_ENABLE	= 36,	/* vectors wanted, at least */
	KH_EV_PCI_MSIX_DISABLE	= 37,
	KH_EV_PCI_BIND		= 38,	/* */
	KH_EV_PCI_UNBIND	= 39,	/* */
	KH_EV_PCI_KEEP		= 40,	/* preserved device left running at shutdown */

	/* The way of a kexec */
	KH_EV_KEXEC_LOAD	= 50,
	KH_EV_KEXEC_UNLOAD	= 51,
	KH_EV_KEXEC_BEGIN	= 52,	/* reboot(2) was called */
	KH_EV_DEV_SHUTDOWN	= 53,	/* of a PCI function */
	KH_EV_SYS_SHUTDOWN	= 54,	/* of what is no device, e.g. KVM */
	KH_EV_IOMMU_SHUTDOWN	= 55,
	KH_EV_MACHINE_SHUTDOWN	= 56,	/* the other CPUs are stopped next */
	KH_EV_MACHINE_KEXEC	= 57,	/* the last thing */
	KH_EV_KRAM_SEAL		= 58,	/* generation */
	KH_EV_KRAM_ADOPT	= 59,	/* generation, 0 or reason */
	KH_EV_RAM_LOOK		= 60,	/* at guests' RAM: physical address, bytes */
	KH_EV_RAM_WRITTEN	= 61,	/* physical address, bytes: stored to somewhere in there */

	/* The way to the running guest */
	KH_EV_ATTACHED		= 70,	/* programs, of these attached; all is seen from here on */
	KH_EV_DETACHED		= 71,
	KH_EV_KVM_RUN		= 72,	/* first entry of a vCPU: its number; in a resume 0 */
	KH_EV_GAP		= 73,	/* events lost */
	KH_EV_MARK		= 74,	/* enum kh_mark of ctl/state.h */

	KH_NR_EVENTS		= 80
};

/** enum kh_page_owner - where a page of an IOMMU table comes from */
enum kh_page_owner {
	KH_PAGE_BUDDY	= 0,	/* the page allocator */
	KH_PAGE_KRAM	= 1,
};

/** enum kh_flush - what an invalidation is about */
enum kh_flush {
	KH_FLUSH_CONTEXT	= 1,
	KH_FLUSH_IOTLB		= 2,
	KH_FLUSH_DEV_IOTLB	= 3,
	KH_FLUSH_IEC		= 4,	/* interrupt entry cache */
};

/** enum kh_reset - ways to reset a function */
enum kh_reset {
	KH_RESET_FUNCTION	= 1,	/* pci_reset_function() and the like: some way */
	KH_RESET_FLR		= 2,
	KH_RESET_AF_FLR		= 3,
	KH_RESET_PM		= 4,
	KH_RESET_BUS		= 5,	/* secondary bus; the bridge, or a function on it */
	KH_RESET_SLOT		= 6,
	KH_RESET_HOT		= 7,	/* VFIO_DEVICE_PCI_HOT_RESET */
	KH_RESET_DEVICE_SPECIFIC = 8,
};

/* bdf of an event that is about no PCI function */
#define KH_NO_BDF	0xffffffffU

/* segment, bus, device and function as one number */
#define KH_BDF(seg, bus, devfn) \
	(((__u32)(seg) << 16) | ((__u32)((bus) & 0xff) << 8) | ((devfn) & 0xff))

/**
 * struct kh_event - something that happened
 * @tsc: when; see @source
 * @type: enum kh_event_type
 * @version: KH_EVENT_VERSION
 * @source: enum kh_event_source
 * @cpu: where
 * @ret: what the traced function returned, -errno; 0: nothing failed, or it was traced at its entry
 * @pid: of the process (thread group) in whose context it happened, 0: none
 * @bdf: KH_BDF() or KH_NO_BDF
 * @caller: address of the instruction that called the traced function, from the start of the
 *	kernel's text if @source is KH_SRC_RECORDER; 0: not known
 * @arg: see enum kh_event_type; those not named are 0
 */
struct kh_event {
	__u64 tsc;
	__u16 type;
	__u8 version;
	__u8 source;
	__u16 cpu;
	__s16 ret;
	__u32 pid;
	__u32 bdf;
	__u64 caller;
	__u64 arg[4];
};

#endif /* KH_EVENTS_H */
