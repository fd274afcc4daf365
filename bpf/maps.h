/* SPDX-License-Identifier: GPL-2.0 */
/* Sizes and values of the maps, for the programs and for khctl. */
#ifndef KH_BPF_MAPS_H
#define KH_BPF_MAPS_H

#ifndef KH_RING_BYTES
#define KH_RING_BYTES	(1 << 20)
#endif
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

#endif
