/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The manifest: what the hardware and its tables looked like at one instant,
 * and the bundle: all that a verdict rests on, in one file. docs/evidence.md
 * tells both in prose.
 *
 * Integers are little endian, reserved bytes are zero, a crc is the CRC-32 of
 * IEEE 802.3 of the structure before that field, a hash is XXH3 (64 bits,
 * seed 0).
 */
#ifndef KHCTL_MANIFEST_H
#define KHCTL_MANIFEST_H

#include "format/state.h"

#define KH_MANIFEST_VERSION	1
#define KH_MANIFEST_MAGIC	0x53464e414d54484bULL	/* "KHTMANFS" */
#define KH_MANIFEST_OFFSET(k)	(0x1b0000 + (k) * 0x28000) /* k: enum kh_side */
#define KH_MANIFEST_ROOM	0x28000
static_assert(KH_MANIFEST_OFFSET(0) >= KH_EVENTS_OFFSET(KH_NR_SIDES), "behind the events");
static_assert(KH_MANIFEST_OFFSET(KH_NR_SIDES) <= KH_PLAN_OFFSET(0), "before the plans");

/* kh_manifest.missing: what could not be had */
#define KH_MISSING_REGS		0x1	/* registers of the IOMMU */
#define KH_MISSING_IRT		0x2	/* the interrupt-remapping table */
#define KH_MISSING_ROOM		0x4	/* more than fits */
#define KH_MISSING_KRAM		0x8

/**
 * struct kh_manifest - header; units, devices, pages and IRTEs follow in this order
 * @magic: KH_MANIFEST_MAGIC
 * @version: KH_MANIFEST_VERSION
 * @header_size: bytes of this structure
 * @size: bytes of all of it
 * @run_id: the upgrade
 * @boot_id: of the kernel
 * @tsc: when it was begun
 * @generation: of KRAM
 * @used_pages: of KRAM's pools
 * @nr_units: struct kh_man_unit
 * @nr_devs: struct kh_man_dev, in the order of the plan
 * @nr_pages: struct kh_man_page
 * @nr_irtes: struct kh_man_irte
 * @missing: KH_MISSING_*
 * @hash: of what follows this structure
 */
struct kh_manifest {
	uint64_t magic;
	uint32_t version;
	uint32_t header_size;
	uint64_t size;
	uint8_t run_id[16];
	char boot_id[40];
	uint64_t tsc;
	uint64_t generation;
	uint64_t used_pages;
	uint32_t nr_units;
	uint32_t nr_devs;
	uint32_t nr_pages;
	uint32_t nr_irtes;
	uint32_t missing;
	uint32_t reserved;
	uint64_t hash;
	uint32_t pad;
	uint32_t crc;
};
static_assert(sizeof(struct kh_manifest) == 144, "layout of struct kh_manifest");

/** struct kh_man_unit - registers of a DMA-remapping unit, VT-d 11.4 */
struct kh_man_unit {
	uint64_t rtaddr;
	uint64_t irta;
	uint32_t gsts;
	uint32_t fsts;
	uint64_t reserved;
};
static_assert(sizeof(struct kh_man_unit) == 32, "layout of struct kh_man_unit");

/**
 * struct kh_man_dev - a preserved device
 * @rec: as in the plan, taken anew
 * @cfg: its configuration space
 * @error: errno, 0: all of the above is valid
 * @why: what could not be read, zero terminated
 */
struct kh_man_dev {
	struct kh_plan_dev rec;
	uint8_t cfg[256];
	uint32_t error;
	uint32_t reserved;
	char why[120];
};
static_assert(sizeof(struct kh_man_dev) == 528, "layout of struct kh_man_dev");

/**
 * struct kh_man_page - a page of IOMMU tables
 * @pa: physical address
 * @hash: of its content; of second-stage tables without accessed and dirty bits
 * @kind: enum kram_owner
 * @dev: index of the device that is translated by it, KH_NO_DEV: of all
 */
struct kh_man_page {
	uint64_t pa;
	uint64_t hash;
	uint32_t kind;
	uint32_t dev;
};
static_assert(sizeof(struct kh_man_page) == 24, "layout of struct kh_man_page");
#define KH_NO_DEV	0xffffffffU

/** struct kh_man_irte - an entry of the interrupt-remapping table that is in use, VT-d 9.9 */
struct kh_man_irte {
	uint32_t unit;
	uint32_t index;
	uint64_t low;
	uint64_t high;
};
static_assert(sizeof(struct kh_man_irte) == 24, "layout of struct kh_man_irte");

#define KH_BUNDLE_VERSION	1
#define KH_BUNDLE_MAGIC		0x454c444e5542484bULL	/* "KHBUNDLE" */
#define KH_BUNDLE_MAX		0x1000000	/* bytes */

/** enum kh_section - what a bundle holds; numbers are for good */
enum kh_section {
	KH_SEC_HOST		= 0,	/* struct kh_host */
	KH_SEC_PLAN		= 1,	/* struct kh_plan and its strings */
	KH_SEC_HANDOVER		= 2,	/* struct kram_handover, as adopted */
	KH_SEC_MANIFEST_OLD	= 3,	/* at the pause */
	KH_SEC_MANIFEST_NEW	= 4,	/* before the resume */
	KH_SEC_MANIFEST_NOW	= 5,	/* when the bundle was made */
	KH_SEC_RECORDER		= 6,	/* struct kram_recorder and what follows it */
	KH_SEC_IOMEM		= 7,	/* /proc/iomem */
	KH_SEC_KLOG		= 8,	/* lines of the kernel log that matter */
	KH_SEC_EVENTS_OLD	= 9,	/* what the programs saw, as in the state area */
	KH_SEC_EVENTS_NEW	= 10,
	KH_SEC_VMS		= 11,	/* struct kh_vm_now for each VM of the plan */
	KH_NR_SECTIONS		= 16
};

/**
 * struct kh_bundle - first bytes of a bundle
 * @magic: KH_BUNDLE_MAGIC
 * @version: KH_BUNDLE_VERSION
 * @header_size: bytes of this structure
 * @size: bytes of the file
 * @hash: of what follows this structure
 * @section: where each lies, from the start of the file; @size 0: it is not there
 */
struct kh_bundle {
	uint64_t magic;
	uint32_t version;
	uint32_t header_size;
	uint64_t size;
	uint64_t hash;
	struct {
		uint64_t offset;
		uint64_t size;
	} section[KH_NR_SECTIONS];
	uint32_t pad;
	uint32_t crc;
};
static_assert(sizeof(struct kh_bundle) == 32 + 16 * 16 + 8, "layout of struct kh_bundle");

/**
 * struct kh_vm_now - what QEMU said of a VM when the evidence was gathered
 * @status: as query-status has it, zero terminated; empty: QEMU could not be asked
 * @error: why, zero terminated
 */
struct kh_vm_now {
	char status[32];
	char error[160];
};
static_assert(sizeof(struct kh_vm_now) == 192, "layout of struct kh_vm_now");

#define KH_HOST_AREAS		8

/**
 * struct kh_host - the kernel that the evidence was taken from
 * @tsc: when
 * @boot_id: of the kernel
 * @release: as uname -r
 * @version: as uname -v
 * @kram_state: of KRAM, empty: there is none
 * @kram_error: why there is none
 * @kram_generation: of KRAM
 * @kram_used: pages of its pools
 * @area: its areas
 * @nr_areas: how many
 * @klog_error: errno, when the kernel log is not whole
 * @pages_error: errno, when the flags of pages could not be read
 * @pages_seen: pages of KRAM whose flags were
 * @pages_bad: of these, in the hands of the page allocator
 * @first_bad: number of the first one
 * @handover_error: why there is none
 */
struct kh_host {
	uint64_t tsc;
	char boot_id[40];
	char release[72];
	char version[72];
	char kram_state[128];
	char kram_error[160];
	char handover_error[160];
	uint64_t kram_generation;
	uint64_t kram_used;
	struct {
		uint64_t start;
		uint64_t size;
	} area[KH_HOST_AREAS];
	uint32_t nr_areas;
	uint32_t klog_error;
	uint32_t pages_error;
	uint32_t reserved;
	uint64_t pages_seen;
	uint64_t pages_bad;
	uint64_t first_bad;
};
static_assert(sizeof(struct kh_host) == 8 + 632 + 16 + 128 + 16 + 24, "layout of struct kh_host");

#endif /* KHCTL_MANIFEST_H */
