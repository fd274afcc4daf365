/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The plan of a state area of version 2. Only what differs from state.h is here: the plan held its
 * VMs, and a VM its memory backends and devices, in arrays of fixed length.
 */
#ifndef KHCTL_STATE_V2_H
#define KHCTL_STATE_V2_H

#include "format/state.h"

#define KH_V2_VMS	16
#define KH_V2_RAM	8	/* backends of a VM */
#define KH_V2_DEVS	8	/* preserved devices of a VM */

/** struct kh_v2_vm - the fields have the meaning that they have in struct kh_plan_vm */
struct kh_v2_vm {
	struct kh_str name;
	struct kh_str qmp;
	struct kh_str exe;
	struct kh_str argv;
	struct kh_str env;
	struct kh_str cwd;
	struct kh_str out;
	struct kh_str err;
	uint32_t state;
	uint32_t old_pid;
	uint32_t nr_ram;
	uint32_t nr_devs;
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
	struct kh_plan_ram ram[KH_V2_RAM];
	struct kh_plan_dev dev[KH_V2_DEVS];
};
static_assert(sizeof(struct kh_v2_vm) == 2832, "layout of struct kh_v2_vm");

/** struct kh_v2_plan - the fields have the meaning that they have in struct kh_plan */
struct kh_v2_plan {
	uint64_t magic;
	uint32_t version;
	uint32_t header_size;
	uint64_t size;
	uint8_t run_id[16];
	uint64_t tsc_hz;
	uint64_t kram_generation;
	uint64_t kram_used_pages;
	uint64_t kram_start;
	uint32_t nr_vms;
	uint32_t flags;
	char old_boot_id[40];
	char new_boot_id[40];
	char old_kernel[192];
	char new_kernel[192];
	char image_kernel[192];
	struct kh_str image;
	struct kh_str initrd;
	struct kh_str cmdline;
	uint64_t mark[KH_NR_MARKS];
	struct kh_v2_vm vm[KH_V2_VMS];
};
static_assert(sizeof(struct kh_v2_plan) == 888 + 16 * 2832, "layout of struct kh_v2_plan");

#endif /* KHCTL_STATE_V2_H */
