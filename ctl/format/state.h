/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The state area: what khctl keeps over a kexec, in a devdax namespace that
 * no kernel hands out. This header is the format; docs/state-format.md tells
 * it in prose.
 *
 * The area is written with plain stores and may be cut at any one of them, so
 * nothing that is valid is ever overwritten in place: a plan is written into
 * the slot that the current commit record does not name, and then the other
 * commit record is written, its checksum last. The valid commit record with the
 * highest number counts.
 *
 * All integers are little endian, all reserved bytes are zero. Every crc is
 * the CRC-32 of IEEE 802.3 of the structure before that field; every hash is XXH3
 * (64 bits, seed 0).
 */
#ifndef KHCTL_STATE_H
#define KHCTL_STATE_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Version 3. A later khctl may make each structure and each array entry longer, without a new
 * version: header_size and kh_array.entry_size say how long they are. A reader takes the fields
 * that it knows, and reads a field that is not there as zero. The version is raised only for a
 * change that an older reader must not accept. khctl also reads version 2 (state_v2.h).
 *
 * The crc is always the last field of a structure, also of a longer one.
 */
#define KH_STATE_VERSION	3
#define KH_STATE_OLDEST		2	/* the oldest version that khctl reads */

#define KH_SUPER_MAGIC		0x524550555354484bULL	/* "KHTSUPER" */
#define KH_COMMIT_MAGIC		0x54494d4d4f43484bULL	/* "KHCOMMIT" */
#define KH_PLAN_MAGIC		0x4e414c505354484bULL	/* "KHTSPLAN" */
#define KH_LOG_MAGIC		0x474f4c4bU		/* "KLOG" */
#define KH_EVENTS_MAGIC		0x53544e455654484bULL	/* "KHTVENTS" */
#define KH_EVENTS_VERSION	2
#define KH_LAYOUT_MAGIC		0x54554f59414c484bULL	/* "KHLAYOUT" */
#define KH_RECORD_MAGIC		0x4452434552564d4bULL	/* "KMVRECRD" */

/*
 * Where things lie, in bytes from the start of the area, unless struct kh_layout says otherwise:
 * in a small area, and in one of version 2.
 */
#define KH_SUPER_OFFSET		0x0
#define KH_LAYOUT_OFFSET	0x800
#define KH_COMMIT_OFFSET(i)	(0x1000 + (i) * 0x1000)	/* i = 0, 1 */
#define KH_RECORDS_OFFSET	0x4000		/* records of the VMs, struct kh_vm_record */
#define KH_RECORDS_ROOM		0xc000
#define KH_LOG_OFFSET		0x10000
#define KH_LOG_RECORDS		4096
#define KH_EVENTS_OFFSET(k)	(0x110000 + (k) * 0x50000) /* k: enum kh_side */
#define KH_EVENTS_ROOM		0x50000	/* in every layout */
/* 0x1b0000 to 0x200000: manifests, ctl/format/manifest.h */
#define KH_PLAN_OFFSET(i)	(0x200000 + (i) * 0x100000) /* i = 0, 1 */
#define KH_PLAN_ROOM		0x100000
#define KH_DATA_OFFSET		0x400000	/* device state of the VMs */
#define KH_AREA_MIN		0x600000
#define KH_STREAM_ALIGN		0x200000
/* An area of at least this size gets the large layout: room for hundreds of VMs. */
#define KH_AREA_LARGE		0x10000000

/**
 * struct kh_super - the first bytes of a state area
 * @magic: KH_SUPER_MAGIC
 * @version: KH_STATE_VERSION
 * @header_size: bytes of this structure
 * @size: bytes of the area
 * @resource: physical address of the area
 * @created: seconds since 1970
 * @layout: where struct kh_layout lies; 0: there is none, the offsets above hold
 * @crc: of what lies before it
 *
 * khctl turns an area of version 2 into one of version 3 with two stores: @version, then @crc. A
 * @crc that would be right for version 2 is therefore accepted in version 3 too.
 */
struct kh_super {
	uint64_t magic;
	uint32_t version;
	uint32_t header_size;
	uint64_t size;
	uint64_t resource;
	uint64_t created;
	uint64_t layout;
	uint64_t reserved;
	uint32_t pad;
	uint32_t crc;
};
static_assert(sizeof(struct kh_super) == 64, "layout of struct kh_super");

/** enum kh_part - the parts of an area; numbers are for good */
enum kh_part {
	KH_PART_LOG		= 0,
	KH_PART_EVENTS_OLD	= 1,	/* KH_EVENTS_ROOM bytes, as the next */
	KH_PART_EVENTS_NEW	= 2,
	KH_PART_MANIFEST_OLD	= 3,
	KH_PART_MANIFEST_NEW	= 4,
	KH_PART_PLAN_0		= 5,
	KH_PART_PLAN_1		= 6,
	KH_PART_RECORDS		= 7,
	KH_PART_DATA		= 8,	/* device state of the VMs, up to the end of the area */
	KH_NR_PARTS		= 9
};

/** struct kh_extent - bytes of the area, from its start */
struct kh_extent {
	uint64_t offset;
	uint64_t room;
};

/**
 * struct kh_layout - where the parts of an area lie
 * @magic: KH_LAYOUT_MAGIC
 * @version: KH_STATE_VERSION
 * @header_size: bytes of this structure
 * @nr_parts: how many of @part are there
 * @part: enum kh_part
 * @crc: of what lies before it
 */
struct kh_layout {
	uint64_t magic;
	uint32_t version;
	uint32_t header_size;
	uint32_t nr_parts;
	uint32_t reserved;
	struct kh_extent part[16];
	uint32_t pad;
	uint32_t crc;
};
static_assert(sizeof(struct kh_layout) == 288, "layout of struct kh_layout");
static_assert(KH_LAYOUT_OFFSET + sizeof(struct kh_layout) <= KH_COMMIT_OFFSET(0), "before the commits");

/**
 * enum kh_state - how far an upgrade has come
 * @KH_IDLE: no plan
 * @KH_PREPARED: planned, guests run or are being saved, old kernel
 * @KH_SAVED: guests saved; the next thing is the jump
 * @KH_RESUMED: every guest runs on the new kernel
 * @KH_FAILED: on the new kernel, and the saved state of some guest is still kept for it
 * @KH_ABORTED: undone on the old kernel
 */
enum kh_state {
	KH_IDLE		= 0,
	KH_PREPARED	= 1,
	KH_SAVED	= 2,
	KH_RESUMED	= 3,
	KH_FAILED	= 4,
	KH_ABORTED	= 5,
	KH_NR_STATES
};

/**
 * struct kh_commit - makes a plan the current one
 * @magic: KH_COMMIT_MAGIC
 * @version: KH_STATE_VERSION
 * @header_size: bytes of this structure
 * @seq: number of the commit, from 1
 * @state: enum kh_state
 * @slot: 0 or 1, where the plan lies; meaningless when @plan_size is 0
 * @plan_size: bytes of the plan, 0: none
 * @plan_hash: of these bytes
 * @crc: of what lies before it
 */
struct kh_commit {
	uint64_t magic;
	uint32_t version;
	uint32_t header_size;
	uint64_t seq;
	uint32_t state;
	uint32_t slot;
	uint64_t plan_size;
	uint64_t plan_hash;
	uint64_t reserved;
	uint32_t pad;
	uint32_t crc;
};
static_assert(sizeof(struct kh_commit) == 64, "layout of struct kh_commit");

/**
 * struct kh_log_record - one line of the log
 * @magic: KH_LOG_MAGIC
 * @crc: of what follows it, up to the end of the record
 * @seq: number of the line, from 1; line n lies in record (n - 1) modulo
 *	 KH_LOG_RECORDS, so that the newest line replaces the oldest
 * @run_id: the upgrade it belongs to
 * @tsc: when it was written
 * @duration: TSC cycles of the phase, 0: not the end of one
 * @phase: name, zero padded
 * @text: zero terminated
 */
struct kh_log_record {
	uint32_t magic;
	uint32_t crc;
	uint64_t seq;
	uint8_t run_id[16];
	uint64_t tsc;
	uint64_t duration;
	char phase[16];
	char text[192];
};
static_assert(sizeof(struct kh_log_record) == 256, "layout of struct kh_log_record");
static_assert(KH_LOG_OFFSET + KH_LOG_RECORDS * sizeof(struct kh_log_record) <=
	      KH_PLAN_OFFSET(0), "log fits before the plans");

/** enum kh_side - before and after the jump */
enum kh_side {
	KH_OLD	= 0,
	KH_NEW	= 1,
	KH_NR_SIDES
};

/** enum kh_probe_state - what became of a program that watches */
enum kh_probe_state {
	KH_PROBE_UNUSED		= 0,	/* not meant for this side of the jump */
	KH_PROBE_ATTACHED	= 1,
	KH_PROBE_MISSING	= 2,	/* this kernel has nothing to attach it to */
	KH_PROBE_REFUSED	= 3,	/* the kernel did not take it */
};

/**
 * struct kh_probe - one program, in the new kernel one tracepoint of a program
 * @name: its name, zero terminated
 * @error: errno of the refusal, 0: none
 * @state: enum kh_probe_state
 */
struct kh_probe {
	char name[20];
	uint16_t error;
	uint16_t state;
};
static_assert(sizeof(struct kh_probe) == 24, "layout of struct kh_probe");

#define KH_MAX_PROBES		96
#define KH_EVENTS_HEADER(i)	((i) * 0x1000)	/* i = 0, 1; from the start of the section */
#define KH_EVENTS_FIRST		0x2000

/**
 * struct kh_events - what khctl's programs saw on one side of the jump
 * @magic: KH_EVENTS_MAGIC
 * @version: KH_EVENTS_VERSION
 * @header_size: bytes of this structure
 * @seq: the valid header with the highest number counts
 * @run_id: the upgrade
 * @boot_id: of the kernel
 * @event_version: KH_EVENT_VERSION of bpf/events.h
 * @event_size: bytes of an event; they follow at KH_EVENTS_FIRST, in order of their arrival
 * @nr_events: how many
 * @nr_probes: how many of @probe are there
 * @hash: of the events
 * @lost: events that found the ring full
 * @dropped: events that found this section full
 * @began_tsc: khctl began to load and attach
 * @attached_tsc: from here on all programs that could be attached were; 0: none ever
 * @drained_tsc: all that was seen until then is here
 * @gap_tsc: programs of an earlier khctl resume were read until then; 0: there was none
 * @gap_end_tsc: programs of the last khctl resume were attached; nobody watched between the two
 * @error: why there are no programs at all, zero terminated
 * @probe: the programs
 * @crc: of what lies before it
 */
struct kh_events {
	uint64_t magic;
	uint32_t version;
	uint32_t header_size;
	uint64_t seq;
	uint8_t run_id[16];
	char boot_id[40];
	uint32_t event_version;
	uint32_t event_size;
	uint32_t nr_events;
	uint32_t nr_probes;
	uint64_t hash;
	uint64_t lost;
	uint64_t dropped;
	uint64_t began_tsc;
	uint64_t attached_tsc;
	uint64_t drained_tsc;
	uint64_t gap_tsc;
	uint64_t gap_end_tsc;
	uint64_t reserved;
	char error[200];
	struct kh_probe probe[KH_MAX_PROBES];
	uint32_t pad;
	uint32_t crc;
};
static_assert(sizeof(struct kh_events) == 376 + 96 * 24, "layout of struct kh_events");
static_assert(sizeof(struct kh_events) <= KH_EVENTS_HEADER(1), "two headers before the events");
static_assert(KH_EVENTS_OFFSET(KH_NR_SIDES) <= KH_PLAN_OFFSET(0), "events fit before the plans");

/**
 * struct kh_str - bytes inside the plan
 * @off: from the start of the plan
 * @len: without the zero byte that follows; 0: nothing
 */
struct kh_str {
	uint32_t off;
	uint32_t len;
};

/**
 * struct kh_array - entries inside the plan
 * @off: from the start of the plan, a multiple of 8
 * @count: how many
 * @entry_size: bytes of each, a multiple of 8
 */
struct kh_array {
	uint32_t off;
	uint32_t count;
	uint32_t entry_size;
	uint32_t reserved;
};

/**
 * struct kh_plan_ram - a memory backend of a VM
 * @id: of the QEMU object
 * @path: devdax node
 * @size: bytes of the backend
 * @resource: physical address of the devdax device
 * @dax_size: bytes of the devdax device
 */
struct kh_plan_ram {
	char id[64];
	char path[64];
	uint64_t size;
	uint64_t resource;
	uint64_t dax_size;
	uint64_t reserved;
};
static_assert(sizeof(struct kh_plan_ram) == 160, "layout of struct kh_plan_ram");

/**
 * struct kh_plan_map - the translation of one device, as its IOMMU sees it
 * @root: physical address of the root table
 * @context: its context entry, low and high half
 * @pgd: physical address of the top page table
 * @nr_tables: pages of tables
 * @tables_hash: over (physical address, content) of each, in walking order;
 *		 accessed and dirty bits left out
 * @nr_runs: runs of mapped addresses, contiguous on both sides, same rights
 * @runs_hash: over (iova, physical address, size, rights) of each run
 * @mapped: bytes
 * @did: domain id
 * @levels: of the page table
 */
struct kh_plan_map {
	uint64_t root;
	uint64_t context[2];
	uint64_t pgd;
	uint64_t nr_tables;
	uint64_t tables_hash;
	uint64_t nr_runs;
	uint64_t runs_hash;
	uint64_t mapped;
	uint32_t did;
	uint32_t levels;
};
static_assert(sizeof(struct kh_plan_map) == 80, "layout of struct kh_plan_map");

/**
 * struct kh_plan_dev - a preserved device, recorded before the pause
 * @bdf: segment:bus:device.function as sysfs writes it
 * @unit: number of its DMA-remapping unit (N of dmarN)
 * @vendor: configuration space, offset 0
 * @device: configuration space, offset 2
 * @command: configuration space, offset 4
 * @msix_pos: offset of the MSI-X capability, 0: none
 * @msix_ctrl: its message control
 * @map: what it can reach
 * @bar: configuration space, offsets 0x10 to 0x27
 */
struct kh_plan_dev {
	char bdf[16];
	uint32_t unit;
	uint16_t vendor;
	uint16_t device;
	uint16_t command;
	uint16_t msix_pos;
	uint16_t msix_ctrl;
	uint16_t reserved;
	struct kh_plan_map map;
	uint32_t bar[6];
	uint64_t reserved2;
};
static_assert(sizeof(struct kh_plan_dev) == 144, "layout of struct kh_plan_dev");

/**
 * enum kh_vm_state - how far one VM has come
 */
enum kh_vm_state {
	KH_VM_PLANNED	= 0,
	KH_VM_SAVED	= 1,
	KH_VM_RUNNING	= 2,	/* on the new kernel */
	KH_VM_FAILED	= 3,	/* its memory and its device state are kept */
	KH_VM_FORGOTTEN	= 4,	/* it did not run, and the operator gave it up */
	KH_NR_VM_STATES
};

/**
 * struct kh_plan_vm - one VM
 * @name: of the guest, or "vm<N>"
 * @qmp: path of its QMP socket
 * @exe: path of QEMU
 * @argv: its arguments, each ended by a zero byte, without -incoming and -S
 * @env: its environment, each entry ended by a zero byte
 * @cwd: its working directory
 * @out: where its standard output goes, nothing: the log of khctl
 * @err: the same for standard error
 * @attrs: what else of the process and the machine is carried over, JSON text
 * @state: enum kh_vm_state
 * @old_pid: of QEMU in the old kernel
 * @new_pid: of QEMU in the new kernel, 0: none that is known
 * @new_start: when that process began, as field 22 of /proc/PID/stat
 * @ram: its memory backends, struct kh_plan_ram
 * @dev: its preserved devices, struct kh_plan_dev
 * @stream_offset: of its device state, from the start of the area
 * @stream_room: bytes it may take
 * @stream_size: bytes it took
 * @stream_hash: of these bytes
 * @stop_tsc: the guest stopped
 * @saved_tsc: its device state lay in the area
 * @start_tsc: QEMU started on the new kernel
 * @loaded_tsc: its device state was read
 * @run_tsc: the guest ran again: KVM ran its first vCPU, or, when that was not seen, QEMU said so
 * @error: why it does not run, zero terminated
 */
struct kh_plan_vm {
	struct kh_str name;
	struct kh_str qmp;
	struct kh_str exe;
	struct kh_str argv;
	struct kh_str env;
	struct kh_str cwd;
	struct kh_str out;
	struct kh_str err;
	struct kh_str attrs;
	uint32_t state;
	uint32_t old_pid;
	uint32_t new_pid;
	uint32_t reserved;
	uint64_t new_start;
	struct kh_array ram;
	struct kh_array dev;
	uint64_t stream_offset;
	uint64_t stream_room;
	uint64_t stream_size;
	uint64_t stream_hash;
	uint64_t stop_tsc;
	uint64_t saved_tsc;
	uint64_t start_tsc;
	uint64_t loaded_tsc;
	uint64_t run_tsc;
	char error[248];
};
static_assert(sizeof(struct kh_plan_vm) == 448, "layout of struct kh_plan_vm");

/**
 * struct kh_plan_left - a process that the operator left behind by name
 * @pid: of the process
 * @comm: its name
 * @why: why it was found, for example "has a VM of KVM"
 */
struct kh_plan_left {
	uint32_t pid;
	uint32_t reserved;
	char comm[32];
	char why[88];
};
static_assert(sizeof(struct kh_plan_left) == 128, "layout of struct kh_plan_left");

/**
 * enum kh_record_state - how far the resume of one VM has come
 * @KH_REC_NONE: its QEMU was not started, or it was ended before it got the device state
 * @KH_REC_STARTED: QEMU runs and has not got the whole device state: the guest cannot run
 * @KH_REC_USED: QEMU got the whole device state: the guest may run, and nobody may start it again
 * @KH_REC_RUNNING: QEMU said that the guest runs
 * @KH_REC_UNUSED: QEMU got the device state, and it is known that the guest never ran
 */
enum kh_record_state {
	KH_REC_NONE	= 0,
	KH_REC_STARTED	= 1,
	KH_REC_USED	= 2,
	KH_REC_RUNNING	= 3,
	KH_REC_UNUSED	= 4,
	KH_NR_REC_STATES
};

/**
 * struct kh_vm_record - what khctl resume has done for one VM
 * @magic: KH_RECORD_MAGIC
 * @version: KH_STATE_VERSION
 * @header_size: bytes of this structure
 * @seq: number of the write, from 1; of the two copies the valid one with the higher number counts
 * @run_id: the upgrade; a record of another one does not count
 * @boot_id: of the kernel in which @pid means something
 * @index: of the VM in the plan
 * @state: enum kh_record_state
 * @pid: of QEMU
 * @start: when that process began, as field 22 of /proc/PID/stat
 * @started_tsc: KH_REC_STARTED was written
 * @used_tsc: KH_REC_USED was written
 * @run_tsc: KH_REC_RUNNING was written
 * @crc: of what lies before it
 *
 * Each VM has two copies, the copy seq & 1 is written next. The record of a VM is written by its own
 * thread and without the plan, for the guests stand.
 */
struct kh_vm_record {
	uint64_t magic;
	uint32_t version;
	uint32_t header_size;
	uint64_t seq;
	uint8_t run_id[16];
	char boot_id[40];
	uint32_t index;
	uint32_t state;
	uint32_t pid;
	uint32_t reserved;
	uint64_t start;
	uint64_t started_tsc;
	uint64_t used_tsc;
	uint64_t run_tsc;
	uint32_t pad;
	uint32_t crc;
};
static_assert(sizeof(struct kh_vm_record) == 136, "layout of struct kh_vm_record");
#define KH_RECORD_STRIDE	256	/* bytes from one copy to the next */

/** enum kh_mark - instants of a run, as TSC values */
enum kh_mark {
	KH_MARK_START	= 0,	/* khctl upgrade began: phase check */
	KH_MARK_PLAN	= 1,
	KH_MARK_LOAD	= 2,
	KH_MARK_SAVE	= 3,	/* save requested; the guests still run */
	KH_MARK_JUMP	= 4,	/* the last thing before reboot(2) */
	KH_MARK_SEALED	= 5,	/* the old kernel sealed KRAM, 0: not known */
	KH_MARK_BOOT	= 6,	/* first instruction of khctl resume */
	KH_MARK_LOADED	= 7,	/* last device state read */
	KH_MARK_RUN	= 8,	/* last guest ran */
	KH_NR_MARKS	= 16
};

#define KH_PLAN_NO_INSTRUMENTS	1
#define KH_PLAN_BACK		2

/**
 * struct kh_plan - one upgrade
 * @magic: KH_PLAN_MAGIC
 * @version: KH_STATE_VERSION
 * @header_size: bytes of this structure
 * @size: bytes of the plan, with the arrays and strings that follow this structure
 * @run_id: random, names the upgrade
 * @tsc_hz: frequency of the TSC
 * @kram_generation: of the old kernel
 * @kram_used_pages: of the old kernel, in all areas, before the pause
 * @kram_start: physical address of KRAM area 0
 * @flags: KH_PLAN_NO_INSTRUMENTS: neither recorder nor manifests nor BPF programs;
 *	KH_PLAN_BACK: khctl resume goes back by itself when no guest can run
 * @back: kernels that were entered since the pause and left again by khctl back
 * @old_boot_id: /proc/sys/kernel/random/boot_id of the old kernel
 * @new_boot_id: of the new one, once it runs
 * @old_kernel: release and version of the old kernel
 * @new_kernel: of the new one, once it runs
 * @image_kernel: what the image of the new kernel says of itself
 * @image: path of that image
 * @initrd: path of the initial RAM disk
 * @cmdline: command line of the new kernel
 * @mark: enum kh_mark
 * @vms: struct kh_plan_vm
 * @left: processes that were left behind, struct kh_plan_left
 * @back_image: path of the kernel that khctl back enters, empty when none was named
 * @back_initrd: path of its initial RAM disk
 * @back_cmdline: its command line, made from that of the old kernel
 */
struct kh_plan {
	uint64_t magic;
	uint32_t version;
	uint32_t header_size;
	uint64_t size;
	uint8_t run_id[16];
	uint64_t tsc_hz;
	uint64_t kram_generation;
	uint64_t kram_used_pages;
	uint64_t kram_start;
	uint32_t flags;
	uint32_t back;
	char old_boot_id[40];
	char new_boot_id[40];
	char old_kernel[192];
	char new_kernel[192];
	char image_kernel[192];
	struct kh_str image;
	struct kh_str initrd;
	struct kh_str cmdline;
	uint64_t mark[KH_NR_MARKS];
	struct kh_array vms;
	struct kh_array left;
	struct kh_str back_image;
	struct kh_str back_initrd;
	struct kh_str back_cmdline;
};
static_assert(sizeof(struct kh_plan) == 944, "layout of struct kh_plan");

#endif /* KHCTL_STATE_H */
