// SPDX-License-Identifier: GPL-2.0
/*
 * A process that never sleeps and looks at two clocks, one reading after the other: the guest's
 * own, and the one in the network card (its driver shows it as /dev/ptpN). When the whole guest
 * stands still and its own clocks with it, only the card's goes on, because nothing but the card
 * drives it. The longest step of each is reported, and by how much one of the card's was longer
 * than the guest's own. It begins when it is asked to, or when all is ready, so that the rest of
 * the load is laid down quickly.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/ptp_clock.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
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

/* One reading: the TSC, and in ns the card's clock and CLOCK_REALTIME before and after it was read. */
struct reading {
	uint64_t tsc, before, card, after;
};

static uint64_t ptp_ns(const struct ptp_clock_time *t)
{
	return t->sec * NSEC_PER_SEC + t->nsec;
}

/*
 * The driver reads the card between two looks at the kernel's clock and lets no interrupt come in
 * between: a process cannot, and what has its CPU in the middle of a reading nobody could tell from
 * a pause. CLOCK_REALTIME is what the driver has; nobody sets it in this guest. @fd: of the card,
 * negative: there is none.
 *
 * Return: whether there is a reading.
 */
static bool read_clocks(int fd, struct reading *r)
{
	struct ptp_sys_offset_extended both = { .n_samples = 1 };

	*r = (struct reading){ .tsc = __rdtsc() };
	if (fd < 0)
		return true;
	if (ioctl(fd, PTP_SYS_OFFSET_EXTENDED, &both))
		return false;
	r->before = ptp_ns(&both.ts[0][0]);
	r->card = ptp_ns(&both.ts[0][1]);
	r->after = ptp_ns(&both.ts[0][2]);
	return true;
}

double spin_ns(uint64_t steps, uint64_t per_s)
{
	return per_s ? steps * (double)NSEC_PER_SEC / per_s : 0;
}

/* How fast TSC and card go by the kernel's own clocks, told before the first pause. */
static bool relate(int fd)
{
	struct reading from, to;
	uint64_t begin, end;

	if (!read_clocks(fd, &from))
		return false;
	begin = now_ns(CLOCK_MONOTONIC_RAW);
	do {
		end = now_ns(CLOCK_MONOTONIC_RAW);
	} while (end - begin < RATE_NS);
	if (!read_clocks(fd, &to))
		return false;
	shared->spin.tsc_per_s = (to.tsc - from.tsc) * (double)NSEC_PER_SEC / (end - begin);
	if (fd >= 0)
		shared->spin.card_per_s = (to.card - from.card) * (double)NSEC_PER_SEC / (to.before - from.before);
	return true;
}

/*
 * Another process may come in between, then both clocks go on. Only what the card's step is longer
 * than the guest's can have been did the guest not live through, and at most what it is longer than
 * the guest's must have been: the bounds of the longest step.
 */
static void look(const struct reading *last, const struct reading *now)
{
	struct spin_state *s = &shared->spin;
	double card, longest;

	raise_to(&s->tsc_max, now->tsc - last->tsc);
	s->readings++;
	if (!s->card_per_s)
		return;
	raise_to(&s->card_max, now->card - last->card);
	card = spin_ns(now->card - last->card, s->card_per_s);
	longest = now->after - last->before;
	if (card <= longest + s->lost_max_ns)
		return;
	s->lost_most_ns = card - (now->before - last->after);
	s->lost_max_ns = card - longest;
}

void spin_worker(const struct options *opt)
{
	struct reading last, now;
	int fd = -1;

	if (strcmp(opt->spin, "-")) {
		fd = open(opt->spin, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			goto failed;
	}
	setpriority(PRIO_PROCESS, 0, SPIN_NICE);
	if (!relate(fd))
		goto failed;
	shared->spin.related = 1;
	/* nobody can ask a guest without a network */
	while (!shared->spin.wanted && (opt->query_port || !shared->ready_ns))
		sleep_ns(IDLE_NS);
	if (!read_clocks(fd, &last))
		goto failed;
	while (read_clocks(fd, &now)) {
		if (now.card < last.card) {
			fprintf(stderr, "khload: %s went back, and tells of no pauses\n", opt->spin);
			return;
		}
		look(&last, &now);
		last = now;
	}
failed:
	fprintf(stderr, "khload: %s: %s\n", opt->spin, strerror(errno));
}
