/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The time stamp counter runs on over a kexec, so it is the one clock that both
 * kernels share. Its frequency is measured against CLOCK_MONOTONIC_RAW, which
 * no daemon adjusts, over as long a stretch as there is.
 */
#ifndef KHCTL_TSC_H
#define KHCTL_TSC_H

#include <stdint.h>
#include <x86intrin.h>

struct tsc_point {
	uint64_t tsc;
	uint64_t ns;
};

static inline uint64_t tsc_now(void)
{
	unsigned int aux;

	return __rdtscp(&aux);
}

/** tsc_point_now() - both clocks at one instant */
struct tsc_point tsc_point_now(void);

/** tsc_point_mono() - the same with CLOCK_MONOTONIC, the clock that BPF programs can read */
struct tsc_point tsc_point_mono(void);

/** tsc_hz() - frequency from two points, 0 when they are less than 1 ms apart */
uint64_t tsc_hz(const struct tsc_point *a, const struct tsc_point *b);

/** tsc_to_ns() - duration; 0 when the frequency is not known */
uint64_t tsc_to_ns(uint64_t cycles, uint64_t hz);

/**
 * tsc_of_realtime() - when a time of CLOCK_REALTIME, read by another process of
 * this kernel not long ago, was
 * @us: that time in microseconds
 * @hz: of the TSC
 * @not_before: it cannot have been earlier
 *
 * Return: TSC value between @not_before and now; now when the clock was set
 * meanwhile or @hz is 0.
 */
uint64_t tsc_of_realtime(uint64_t us, uint64_t hz, uint64_t not_before);

#endif
