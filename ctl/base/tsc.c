// SPDX-License-Identifier: GPL-2.0
#include <time.h>
#include "base/tsc.h"

static uint64_t clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static struct tsc_point point(clockid_t id)
{
	struct tsc_point best = { 0 };
	uint64_t a, b, ns, span = UINT64_MAX;
	int i;

	/* The pair that was least disturbed by an interrupt in between. */
	for (i = 0; i < 5; i++) {
		a = tsc_now();
		ns = clock_ns(id);
		b = tsc_now();
		if (b - a >= span)
			continue;
		span = b - a;
		best.tsc = a + span / 2;
		best.ns = ns;
	}
	return best;
}

struct tsc_point tsc_point_now(void)
{
	return point(CLOCK_MONOTONIC_RAW);
}

struct tsc_point tsc_point_mono(void)
{
	return point(CLOCK_MONOTONIC);
}

uint64_t tsc_hz(const struct tsc_point *a, const struct tsc_point *b)
{
	uint64_t ns = b->ns - a->ns;

	if (b->ns < a->ns || b->tsc < a->tsc || ns < 1000000)
		return 0;
	return (unsigned __int128)(b->tsc - a->tsc) * 1000000000 / ns;
}

uint64_t tsc_to_ns(uint64_t cycles, uint64_t hz)
{
	return hz ? (unsigned __int128)cycles * 1000000000 / hz : 0;
}

uint64_t tsc_of_realtime(uint64_t us, uint64_t hz, uint64_t not_before)
{
	uint64_t now = tsc_now();
	uint64_t now_us = clock_ns(CLOCK_REALTIME) / 1000;
	uint64_t ago;

	if (!hz || us > now_us)
		return now;
	ago = (unsigned __int128)(now_us - us) * hz / 1000000;
	if (ago > now - not_before)
		return now;
	return now - ago;
}
