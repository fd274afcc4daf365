/* SPDX-License-Identifier: GPL-2.0 */
/* Sizes and values of the maps, for the programs and for khctl. */
#ifndef KH_BPF_MAPS_H
#define KH_BPF_MAPS_H

#define KH_RING_BYTES	(1 << 20)
#define KH_MAX_WATCHED	64

/**
 * struct kh_count - of one type of event
 * @seen: events that went into the ring
 * @lost: events that found it full
 */
struct kh_count {
	__u64 seen;
	__u64 lost;
};

/** enum kh_new_point - tracepoints of resume.bpf.c, and what their arguments are */
enum kh_new_point {
	KH_NEW_CFG_WRITE,	/* segment, bus << 8 | devfn, offset, bytes, value */
	KH_NEW_PAGE_ALLOC,	/* physical address, order, enum kram_owner, from KRAM?, caller */
	KH_NEW_PAGE_FREE,	/* the same */
	KH_NEW_KVM_THREAD,	/* process of the VM, vCPU, thread that ran it before, that runs it now, not to run? */
};

/**
 * struct kh_new - an event as resume.bpf.c sends it
 * @ns: CLOCK_MONOTONIC
 * @pid_tgid: process (thread group) in the upper half
 * @point: enum kh_new_point
 * @cpu: where
 * @arg: as the tracepoint has them. Of those that are narrower than 64 bits upper bits mean nothing.
 */
struct kh_new {
	__u64 ns;
	__u64 pid_tgid;
	__u32 point;
	__u32 cpu;
	__u64 arg[5];
};

#endif
