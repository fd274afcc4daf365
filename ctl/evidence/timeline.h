/* SPDX-License-Identifier: GPL-2.0 */
/* The events of one upgrade in one order: what programs saw and what the kernels recorded themselves. */
#ifndef KHCTL_TIMELINE_H
#define KHCTL_TIMELINE_H

#include "evidence/recorder.h"
#include "evidence/state_events.h"

/**
 * struct timeline_event - one of them
 * @ev: as it was seen; KH_EV_GAP behind the last one where some were lost, with the source whose they were
 * @side: which kernel ran
 * @nr: in which order they were added
 */
struct timeline_event {
	struct kh_event ev;
	enum kh_side side;
	unsigned int nr;
};

/**
 * struct timeline - zero it before the first use
 * @event: to be freed
 * @lost: how many are missing, as far as that is known
 */
struct timeline {
	struct timeline_event *event;
	unsigned int n;
	uint64_t lost;
};

/** timeline_programs() - add what programs saw on one side, @ev as events_parse() gives it. Return: 0 or -ENOMEM. */
int timeline_programs(struct timeline *t, enum kh_side side, const struct kh_events *h,
		      const struct kh_event *ev);

/**
 * timeline_recorder() - add what the kernels recorded, up to the first broken event
 *
 * Events without room and those from a broken one on count as lost, each with its
 * kernel. The last ones of a recorder that goes on may not be written yet: they do not count.
 *
 * Return: 0 or -ENOMEM.
 */
int timeline_recorder(struct timeline *t, const struct recorder *r);

/**
 * timeline_sort() - by time; where that is the same, in the order in which they were added
 *
 * CPUs write side by side: what arrived is nearly, not wholly, in order.
 */
void timeline_sort(struct timeline *t);
void timeline_free(struct timeline *t);

#endif
