// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "evidence/timeline.h"

static int make_room(struct timeline *t, unsigned int more)
{
	struct timeline_event *event = reallocarray(t->event, t->n + more, sizeof(*event));

	if (!event)
		return -ENOMEM;
	t->event = event;
	return 0;
}

static void add(struct timeline *t, enum kh_side side, const struct kh_event *ev)
{
	t->event[t->n] = (struct timeline_event){ .ev = *ev, .side = side, .nr = t->n };
	t->n++;
}

/* @source: of what was lost. */
static void add_gap(struct timeline *t, enum kh_side side, unsigned int source, uint64_t tsc, uint64_t lost)
{
	const struct kh_event ev = {
		.tsc = tsc, .type = KH_EV_GAP, .version = KH_EVENT_VERSION,
		.source = source, .bdf = KH_NO_BDF, .arg = { lost },
	};

	if (lost)
		add(t, side, &ev);
	t->lost += lost;
}

int timeline_programs(struct timeline *t, enum kh_side side, const struct kh_events *h,
		      const struct kh_event *ev)
{
	unsigned int i;

	if (make_room(t, h->nr_events + 1))
		return -ENOMEM;
	for (i = 0; i < h->nr_events; i++)
		add(t, side, &ev[i]);
	add_gap(t, side, KH_SRC_BPF, h->drained_tsc, h->lost + h->dropped);
	return 0;
}

int timeline_recorder(struct timeline *t, const struct recorder *r)
{
	uint32_t nr = r->n - r->unwritten + r->lost, i;
	/* Where no other kernel went on, all are of one. */
	uint32_t old = r->h->adopted_tsc && r->h->adopted_nr < nr ? r->h->adopted_nr : nr;
	uint64_t last[KH_NR_SIDES] = { r->h->armed_tsc, r->h->adopted_tsc };
	uint32_t seen[KH_NR_SIDES];
	enum kh_side side;

	if (make_room(t, r->broken + KH_NR_SIDES))
		return -ENOMEM;
	for (i = 0; i < r->broken; i++) {
		side = i < old ? KH_OLD : KH_NEW;
		add(t, side, &r->ev[i]);
		if (r->ev[i].tsc > last[side])
			last[side] = r->ev[i].tsc;
	}
	seen[KH_OLD] = r->broken < old ? r->broken : old;
	seen[KH_NEW] = r->broken - seen[KH_OLD];
	add_gap(t, KH_OLD, KH_SRC_RECORDER, last[KH_OLD], old - seen[KH_OLD]);
	add_gap(t, KH_NEW, KH_SRC_RECORDER, last[KH_NEW], nr - old - seen[KH_NEW]);
	return 0;
}

static int by_time(const void *a, const void *b)
{
	const struct timeline_event *x = a, *y = b;

	if (x->ev.tsc != y->ev.tsc)
		return x->ev.tsc < y->ev.tsc ? -1 : 1;
	return x->nr < y->nr ? -1 : x->nr > y->nr;
}

void timeline_sort(struct timeline *t)
{
	if (t->n)
		qsort(t->event, t->n, sizeof(*t->event), by_time);
}

void timeline_free(struct timeline *t)
{
	free(t->event);
	memset(t, 0, sizeof(*t));
}
