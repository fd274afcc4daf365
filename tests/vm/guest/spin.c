// SPDX-License-Identifier: GPL-2.0
/*
 * A process that never sleeps and looks at two clocks, one reading after the other: the guest's
 * own TSC, and the clock in the network card (its driver shows it as /dev/ptpN). When the
 * whole guest stands still and its TSC with it, only the card's clock goes on, because nothing but
 * the card drives it. The longest step of each is reported, and by how much one of the card's was
 * longer than the TSC's. It begins when it is asked to, or
 * when all is ready, so that the rest of the load is laid down quickly.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include "khload.h"

/* Before all other load but not alone: what the guest does for its network goes on beside it. */
#define SPIN_NICE	(-10)
/* Two readings of each clock so far apart relate them well enough. */
#define RATE_NS		(NSEC_PER_SEC / 2)
/* How soon it begins when asked for. */
#define IDLE_NS		(20 * 1000 * 1000)

/* The kernel's way to name the clock behind an open /dev/ptpN. */
static int clock_of(int fd)
{
	return (int)(~(unsigned int)fd << 3 | 3);
}

/* The card's clock, and the TSC before and after it was read: a pause may come in between. */
struct reading {
	uint64_t tsc, card, after;
};

static struct reading read_clocks(int card)
{
	struct reading r;

	r.tsc = __rdtsc();
	r.card = card ? now_ns(card) : 0;
	r.after = __rdtsc();
	return r;
}

double spin_ns(uint64_t steps, uint64_t per_s)
{
	return per_s ? steps * (double)NSEC_PER_SEC / per_s : 0;
}

/* How fast TSC and card go by the kernel's own clock, told before the first pause. */
static void relate(int card)
{
	struct reading from = read_clocks(card), to;
	uint64_t begin = now_ns(CLOCK_MONOTONIC_RAW), end;

	do {
		end = now_ns(CLOCK_MONOTONIC_RAW);
	} while (end - begin < RATE_NS);
	to = read_clocks(card);
	shared->spin.tsc_per_s = (to.tsc - from.tsc) * (double)NSEC_PER_SEC / (end - begin);
	shared->spin.card_per_s = (to.card - from.card) * (double)NSEC_PER_SEC / (end - begin);
}

/*
 * Another process may come in between, then both clocks go on. Only what the card's step is longer
 * than the TSC's can have been did the guest not live through, and at most what it is longer than
 * the TSC's must have been: the bounds of the longest step.
 */
static void look(const struct reading *last, const struct reading *now)
{
	struct spin_state *s = &shared->spin;
	double card, longest;

	raise_to(&s->tsc_max, now->tsc - last->tsc);
	raise_to(&s->card_max, now->card - last->card);
	s->readings++;
	if (!s->card_per_s)
		return;
	card = spin_ns(now->card - last->card, s->card_per_s);
	longest = spin_ns(now->after - last->tsc, s->tsc_per_s);
	if (card <= longest + s->lost_max_ns)
		return;
	s->lost_most_ns = card - spin_ns(now->tsc - last->after, s->tsc_per_s);
	s->lost_max_ns = card - longest;
}

void spin_worker(const struct options *opt)
{
	struct reading last, now;
	int card = 0, fd;

	if (strcmp(opt->spin, "-")) {
		fd = open(opt->spin, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || !now_ns(clock_of(fd))) {
			fprintf(stderr, "khload: %s: %s\n", opt->spin, strerror(errno));
			return;
		}
		card = clock_of(fd);
	}
	setpriority(PRIO_PROCESS, 0, SPIN_NICE);
	relate(card);
	shared->spin.related = 1;
	/* nobody can ask a guest without a network */
	while (!shared->spin.wanted && (opt->query_port || !shared->ready_ns))
		sleep_ns(IDLE_NS);
	last = read_clocks(card);
	for (;;) {
		now = read_clocks(card);
		look(&last, &now);
		last = now;
	}
}
